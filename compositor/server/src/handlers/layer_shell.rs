//! `zwlr_layer_shell_v1`: panels, wallpapers and launchers, of local tools alone.

use smithay::{
    reexports::{
        wayland_protocols::xdg::shell::server::xdg_popup::XdgPopup,
        wayland_protocols_wlr::layer_shell::v1::server::{
            zwlr_layer_shell_v1::{self, ZwlrLayerShellV1},
            zwlr_layer_surface_v1::{self, ZwlrLayerSurfaceV1},
        },
        wayland_server::{
            Client, DataInit, Dispatch, DisplayHandle, Resource,
            backend::ClientId,
            delegate_global_dispatch,
            protocol::{wl_output::WlOutput, wl_surface::WlSurface},
        },
    },
    utils::{Logical, Point},
    wayland::{
        compositor::with_states,
        shell::{
            wlr_layer::{
                Layer, LayerSurface, LayerSurfaceData, WlrLayerShellGlobalData,
                WlrLayerShellHandler, WlrLayerShellState, WlrLayerSurfaceUserData,
            },
            xdg::PopupSurface,
        },
    },
};

use super::limits;
use crate::{
    outputs::OutputId,
    render::present::OutputView,
    shell::{layers::Panel, popups},
    state::State,
};

impl WlrLayerShellHandler for State {
    fn shell_state(&mut self) -> &mut WlrLayerShellState {
        &mut self.protocols.layer_shell
    }

    fn new_layer_surface(
        &mut self,
        surface: LayerSurface,
        output: Option<WlOutput>,
        _layer: Layer,
        _namespace: String,
    ) {
        if self.panels.len() >= limits::MOST_WINDOWS {
            limits::exceeded(surface.wl_surface(), "too many layer surfaces");
            return;
        }
        // Without a wish, where a person looks.
        let view = match output {
            Some(output) => self.outputs.by_resource(&output),
            None => self.outputs.at(self.pointer_location),
        };
        match view {
            Some(view) => self.panels.push(surface, view.id),
            None => surface.send_close(),
        }
    }

    fn new_popup(&mut self, _parent: LayerSurface, popup: PopupSurface) {
        self.constrain_popup(&popup);
        if let Err(error) = self.popups.track_popup(popups::kind(&popup)) {
            tracing::debug!(%error, "a popup is not shown");
        }
    }

    fn layer_destroyed(&mut self, surface: LayerSurface) {
        if let Some(output) = self.panels.remove(surface.wl_surface()) {
            if surface.wl_surface().is_alive() {
                self.outputs.iter().for_each(|view| view.output.leave(surface.wl_surface()));
            }
            self.arrange_panels(output);
            self.panels_changed(output);
        }
    }
}

impl State {
    /// A surface was committed: whether it is a panel's.
    pub(super) fn panel_committed(&mut self, surface: &WlSurface) {
        let Some(output) = self.panels.by_surface(surface).map(Panel::output) else { return };
        let Some(view) = self.outputs.get(output) else { return };
        if self.panels.committed(surface, self.open_area(view)) {
            self.panels_changed(output);
        }
    }

    /// Let a panel lie at a place whatever it wishes; whether there is such a panel. Only for WLCS,
    /// whose tests place all surfaces.
    pub fn pin_panel(
        &mut self,
        is: impl Fn(&WlSurface) -> bool,
        location: Point<i32, Logical>,
    ) -> bool {
        let pinned = self.panels.pin(is, location);
        if let Some(output) = pinned {
            self.arrange_panels(output);
            self.panels_changed(output);
        }
        pinned.is_some()
    }

    /// A panel of an output came, changed or went.
    fn panels_changed(&mut self, output: OutputId) {
        self.refit_windows();
        self.refresh_keyboard_focus();
        if let Some(area) = self.outputs.get(output).map(OutputView::area) {
            self.queue_redraw_in(area);
        }
    }

    fn arrange_panels(&mut self, output: OutputId) {
        if let Some(view) = self.outputs.get(output) {
            let area = self.open_area(view);
            self.panels.arrange(output, area);
        }
    }

    /// Outputs came, changed or went: panels stay on theirs, and go with it.
    pub(crate) fn panels_follow_outputs(&mut self) {
        let shown: Vec<_> =
            self.outputs.shown().map(|view| (view.id, self.open_area(view))).collect();
        let ids: Vec<_> = shown.iter().map(|(id, _)| *id).collect();
        self.panels.close_all_but(&ids);
        for (id, area) in shown {
            self.panels.arrange(id, area);
        }
        self.panels.take_change();
        self.refresh_keyboard_focus();
    }

    fn has_parent(&self, popup: &XdgPopup) -> bool {
        let popup = self.protocols.xdg_shell.get_popup(popup);
        popup.is_none_or(|popup| popup.get_parent_surface().is_some())
    }

    /// A buffer may only follow the first `ack_configure`.
    pub(super) fn refuse_unconfigured_panel(&self, surface: &WlSurface) {
        let configured = with_states(surface, |states| {
            let data = states.data_map.get::<LayerSurfaceData>()?;
            data.lock().ok().map(|data| data.configured)
        });
        if configured == Some(false) {
            let mut all = self.protocols.layer_shell.layer_surfaces();
            if let Some(panel) = all.find(|panel| panel.wl_surface() == surface) {
                panel.ensure_configured();
            }
        }
    }
}

delegate_global_dispatch!(State: [ZwlrLayerShellV1: WlrLayerShellGlobalData] => WlrLayerShellState);

impl Dispatch<ZwlrLayerShellV1, ()> for State {
    fn request(
        state: &mut State,
        client: &Client,
        shell: &ZwlrLayerShellV1,
        request: zwlr_layer_shell_v1::Request,
        data: &(),
        display: &DisplayHandle,
        data_init: &mut DataInit<'_, State>,
    ) {
        if let zwlr_layer_shell_v1::Request::GetLayerSurface { surface, .. } = &request
            && (limits::has_buffer(surface) || limits::attaches_buffer(surface))
        {
            let message = "the surface has a buffer already: attach it after the first configure";
            shell.post_error(zwlr_layer_shell_v1::Error::AlreadyConstructed, message);
            return;
        }
        <WlrLayerShellState as Dispatch<ZwlrLayerShellV1, (), State>>::request(
            state, client, shell, request, data, display, data_init,
        );
    }
}

impl Dispatch<ZwlrLayerSurfaceV1, WlrLayerSurfaceUserData> for State {
    fn request(
        state: &mut State,
        client: &Client,
        surface: &ZwlrLayerSurfaceV1,
        request: zwlr_layer_surface_v1::Request,
        data: &WlrLayerSurfaceUserData,
        display: &DisplayHandle,
        data_init: &mut DataInit<'_, State>,
    ) {
        use zwlr_layer_surface_v1::Request;
        let request = match request {
            Request::SetSize { width, height } => Request::SetSize {
                width: width.min(limits::LARGEST as u32),
                height: height.min(limits::LARGEST as u32),
            },
            Request::SetExclusiveZone { zone } => {
                Request::SetExclusiveZone { zone: zone.clamp(-1, limits::LARGEST) }
            }
            Request::SetMargin { top, right, bottom, left } => Request::SetMargin {
                top: limits::position(top),
                right: limits::position(right),
                bottom: limits::position(bottom),
                left: limits::position(left),
            },
            Request::GetPopup { popup } if state.has_parent(&popup) => {
                // It would hang on two.
                limits::exceeded(&popup, "the popup has a parent already");
                return;
            }
            other => other,
        };
        <WlrLayerShellState as Dispatch<ZwlrLayerSurfaceV1, WlrLayerSurfaceUserData, State>>::request(
            state, client, surface, request, data, display, data_init,
        );
    }

    fn destroyed(
        state: &mut State,
        client: ClientId,
        surface: &ZwlrLayerSurfaceV1,
        data: &WlrLayerSurfaceUserData,
    ) {
        <WlrLayerShellState as Dispatch<ZwlrLayerSurfaceV1, WlrLayerSurfaceUserData, State>>::destroyed(
            state, client, surface, data,
        );
    }
}
