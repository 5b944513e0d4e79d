//! `xdg_shell`: windows and popups.

use smithay::{
    desktop::{PopupKeyboardGrab, PopupKind, PopupPointerGrab, PopupUngrabStrategy},
    input::{
        Seat,
        pointer::{Focus, GrabStartData},
    },
    reexports::{
        wayland_protocols::xdg::shell::server::{
            xdg_popup::XdgPopup,
            xdg_positioner::{self, XdgPositioner},
            xdg_surface::{self, XdgSurface},
            xdg_toplevel::{self, ResizeEdge, XdgToplevel},
            xdg_wm_base,
        },
        wayland_server::{
            Client, DataInit, Dispatch, DisplayHandle, Resource,
            backend::ClientId,
            delegate_dispatch,
            protocol::{wl_output::WlOutput, wl_seat::WlSeat, wl_surface::WlSurface},
        },
    },
    utils::Serial,
    wayland::{
        compositor::{get_role, with_states},
        shell::wlr_layer::LAYER_SURFACE_ROLE,
        shell::xdg::{
            PopupSurface, PositionerState, ToplevelSurface, XDG_POPUP_ROLE, XDG_TOPLEVEL_ROLE,
            XdgPopupSurfaceData, XdgPositionerUserData, XdgShellHandler, XdgShellState,
            XdgShellSurfaceUserData, XdgSurfaceUserData, XdgToplevelSurfaceData,
        },
    },
};

use super::limits;
use crate::{
    client::{ClientOrigin, is_trusted_surface, origin_of_surface},
    render::present::OutputView,
    shell::{
        grabs::Drag,
        popups,
        window::{Extent, Window},
    },
    state::State,
};

/// The `xdg_surface` of a surface, kept because errors about the surface belong to it.
struct XdgSurfaceOf(std::sync::Mutex<Option<XdgSurface>>);

fn remember(surface: &WlSurface, xdg_surface: Option<XdgSurface>) {
    with_states(surface, |states| {
        let kept =
            states.data_map.get_or_insert_threadsafe(|| XdgSurfaceOf(std::sync::Mutex::new(None)));
        if let Ok(mut kept) = kept.0.lock() {
            *kept = xdg_surface;
        }
    });
}

impl State {
    /// A buffer may only follow the first `ack_configure`; Smithay 0.7 does not see to it.
    pub(super) fn refuse_unconfigured_buffer(&self, surface: &WlSurface) {
        let role = get_role(surface);
        if self.forgive_unconfigured_buffers {
            return;
        }
        if role == Some(LAYER_SURFACE_ROLE) {
            self.refuse_unconfigured_panel(surface);
        }
        if role != Some(XDG_TOPLEVEL_ROLE) && role != Some(XDG_POPUP_ROLE) {
            return;
        }
        let unconfigured = with_states(surface, |states| {
            let toplevel = states
                .data_map
                .get::<XdgToplevelSurfaceData>()
                .filter(|_| role == Some(XDG_TOPLEVEL_ROLE));
            let popup = states
                .data_map
                .get::<XdgPopupSurfaceData>()
                .filter(|_| role == Some(XDG_POPUP_ROLE));
            let configured = toplevel
                .and_then(|data| data.lock().ok().map(|data| data.configured))
                .or_else(|| popup.and_then(|data| data.lock().ok().map(|data| data.configured)));
            if configured == Some(false) {
                states.data_map.get::<XdgSurfaceOf>().and_then(|kept| kept.0.lock().ok()?.clone())
            } else {
                None
            }
        });
        if let Some(xdg_surface) = unconfigured {
            xdg_surface.post_error(
                xdg_surface::Error::UnconfiguredBuffer,
                "a buffer was committed before the first configure was acknowledged",
            );
        }
    }

    /// Answer a popup's first commit.
    pub(super) fn configure_popup_if_new(&mut self, surface: &WlSurface) {
        if let Some(PopupKind::Xdg(popup)) = self.popups.find_popup(surface)
            && !popup.is_initial_configure_sent()
        {
            let geometry = popup.with_pending_state(|state| state.geometry);
            if let Err(error) = popup.send_configure() {
                tracing::debug!(?error, "a popup was not configured");
            }
            // One whose early buffer was forgiven is seen before it knows where it is.
            if limits::has_buffer(surface) {
                with_states(surface, |states| {
                    let data = states.data_map.get::<XdgPopupSurfaceData>();
                    if let Some(mut data) = data.and_then(|data| data.lock().ok()) {
                        data.current.geometry = geometry;
                    }
                });
            }
        }
        if get_role(surface) == Some(XDG_POPUP_ROLE) && self.popups.find_popup(surface).is_none() {
            let mut all = self.protocols.xdg_shell.popup_surfaces().iter();
            let orphan = all.find(|popup| popup.wl_surface() == surface);
            if let Some(popup) = orphan.filter(|popup| popup.get_parent_surface().is_none()) {
                self.refuse_popup(popup);
            }
        }
    }

    pub(super) fn constrain_popup(&self, popup: &PopupSurface) -> bool {
        let Some(chain) = popups::chain(popup) else { return false };
        let (root, border, area) = if let Some(window) = self.windows.by_surface(&chain.root) {
            // A domain's popup must fit with its border.
            let border = if window.origin().domain().is_some() { popups::BORDER } else { 0 };
            let area = self.outputs.area_for(window.outer_area(&self.theme));
            (window.client_area().loc, border, area)
        } else if let Some(panel) = self.panels.by_surface(&chain.root) {
            let area = self.outputs.get(panel.output()).map(OutputView::area);
            (panel.area().loc, 0, area.unwrap_or(panel.area()))
        } else {
            return false;
        };
        popups::constrain(popup, &chain, root, border, area);
        true
    }

    /// Whether a popup may take the keyboard: its client has it already, or is a local one that the
    /// pointer is over.
    fn may_grab(&self, popup: &PopupSurface) -> bool {
        let popup = popup.wl_surface();
        let same = |surface: WlSurface| surface.id().same_client_as(&popup.id());
        let keyboard = self.keyboard_focus();
        let pointer = self.seat.get_pointer().and_then(|pointer| pointer.current_focus());
        keyboard.is_some_and(same) || is_trusted_surface(popup) && pointer.is_some_and(same)
    }

    /// Begin a drag that a client asks for, if it holds the pointer with a pressed button.
    fn start_client_drag(
        &mut self,
        toplevel: &ToplevelSurface,
        seat: &WlSeat,
        serial: Serial,
        drag: Drag,
    ) {
        let Some(start) = self.grab_start(seat, serial, toplevel.wl_surface()) else { return };
        if let Some(window) = self.windows.by_surface(toplevel.wl_surface()).map(Window::id) {
            self.start_drag(window, drag, start, serial);
        }
    }

    /// What began the grab of this serial, if it was a press on a surface of the same client.
    fn grab_start(
        &self,
        seat: &WlSeat,
        serial: Serial,
        surface: &WlSurface,
    ) -> Option<GrabStartData<State>> {
        let seat = Seat::<State>::from_resource(seat)?;
        let pointer = seat.get_pointer()?;
        if !pointer.has_grab(serial) {
            return None;
        }
        let start = pointer.grab_start_data()?;
        let (focus, _) = start.focus.as_ref()?;
        focus.id().same_client_as(&surface.id()).then_some(start)
    }

    fn set_maximized(&mut self, toplevel: &ToplevelSurface, maximized: bool) {
        if let Some(id) = self.windows.by_surface(toplevel.wl_surface()).map(Window::id) {
            self.maximize_window(id, maximized);
        }
    }
}

impl XdgShellHandler for State {
    fn xdg_shell_state(&mut self) -> &mut XdgShellState {
        &mut self.protocols.xdg_shell
    }

    fn new_toplevel(&mut self, toplevel: ToplevelSurface) {
        let surface = toplevel.wl_surface();
        remember(surface, self.xdg_surface_in_request.take());
        let origin = origin_of_surface(surface).unwrap_or(ClientOrigin::Local);
        let most =
            origin.domain().map_or(limits::MOST_WINDOWS, |domain| domain.limits().windows as usize);
        if self.windows.count_from(&origin) >= most {
            limits::exceeded(surface, "there are as many windows as there may be (limits.windows)");
            return;
        }
        let id = self.windows.next_id();
        self.windows.push(Window::new(id, toplevel.into(), origin));
    }

    fn new_popup(&mut self, popup: PopupSurface, _positioner: PositionerState) {
        remember(popup.wl_surface(), self.xdg_surface_in_request.take());
        if popup.get_parent_surface().is_none() && is_trusted_surface(popup.wl_surface()) {
            // A panel may take it; that is seen when it is committed.
            return;
        }
        if !self.constrain_popup(&popup) {
            self.refuse_popup(&popup);
            return;
        }
        if let Err(error) = self.popups.track_popup(popups::kind(&popup)) {
            tracing::debug!(%error, "a popup is not shown");
        }
    }

    fn reposition_request(&mut self, popup: PopupSurface, positioner: PositionerState, token: u32) {
        popup.with_pending_state(|state| {
            state.positioner = positioner;
            state.geometry = positioner.get_geometry();
        });
        if !self.constrain_popup(&popup) {
            return;
        }
        popup.send_repositioned(token);
    }

    fn grab(&mut self, popup: PopupSurface, seat: WlSeat, serial: Serial) {
        let Some(seat) = Seat::<State>::from_resource(&seat) else { return };
        let Some(chain) = popups::chain(&popup) else { return };
        if self.is_locked() || !self.may_grab(&popup) {
            popup.send_popup_done();
            return;
        }
        let result = self.popups.grab_popup(chain.root.into(), popups::kind(&popup), &seat, serial);
        let mut grab = match result {
            Ok(grab) => grab,
            Err(error) => {
                tracing::debug!(%error, "a popup may not grab");
                return;
            }
        };
        let keyboard = seat.get_keyboard();
        let pointer = seat.get_pointer();
        // A grab belongs to the press that opened the menu, or to the grab of the menu before.
        let taken =
            |grabbed: bool, has: bool, has_previous: bool| grabbed && !(has || has_previous);
        let previous = grab.previous_serial().unwrap_or(serial);
        let keyboard_taken = keyboard.as_ref().is_some_and(|keyboard| {
            taken(keyboard.is_grabbed(), keyboard.has_grab(serial), keyboard.has_grab(previous))
        });
        let pointer_taken = pointer.as_ref().is_some_and(|pointer| {
            taken(pointer.is_grabbed(), pointer.has_grab(serial), pointer.has_grab(previous))
        });
        if keyboard_taken || pointer_taken {
            grab.ungrab(PopupUngrabStrategy::All);
            return;
        }
        if let Some(keyboard) = keyboard {
            keyboard.set_focus(self, grab.current_grab(), serial);
            keyboard.set_grab(self, PopupKeyboardGrab::new(&grab), serial);
        }
        if let Some(pointer) = pointer {
            pointer.set_grab(self, PopupPointerGrab::new(&grab), serial, Focus::Keep);
        }
        self.popup_grab = Some(grab);
    }

    fn move_request(&mut self, toplevel: ToplevelSurface, seat: WlSeat, serial: Serial) {
        self.start_client_drag(&toplevel, &seat, serial, Drag::Move);
    }

    fn resize_request(
        &mut self,
        toplevel: ToplevelSurface,
        seat: WlSeat,
        serial: Serial,
        edges: ResizeEdge,
    ) {
        self.start_client_drag(&toplevel, &seat, serial, Drag::Resize(edges.into()));
    }

    fn maximize_request(&mut self, toplevel: ToplevelSurface) {
        self.set_maximized(&toplevel, true);
    }

    fn unmaximize_request(&mut self, toplevel: ToplevelSurface) {
        self.set_maximized(&toplevel, false);
    }

    fn fullscreen_request(&mut self, toplevel: ToplevelSurface, output: Option<WlOutput>) {
        if let Some(id) = self.windows.by_surface(toplevel.wl_surface()).map(Window::id) {
            self.extend_window(id, Extent::Fullscreen, output.as_ref());
        }
    }

    fn unfullscreen_request(&mut self, toplevel: ToplevelSurface) {
        let Some(window) = self.windows.by_surface(toplevel.wl_surface()) else { return };
        // To leave what one is not in changes nothing, but is answered.
        let extent = match window.extent() {
            Extent::Fullscreen => window.behind(),
            other => other,
        };
        self.extend_window(window.id(), extent, None);
    }

    fn minimize_request(&mut self, toplevel: ToplevelSurface) {
        if let Some(id) = self.windows.by_surface(toplevel.wl_surface()).map(Window::id) {
            self.minimize_window(id);
        }
    }

    fn title_changed(&mut self, toplevel: ToplevelSurface) {
        self.names_changed(&toplevel);
    }

    fn app_id_changed(&mut self, toplevel: ToplevelSurface) {
        self.names_changed(&toplevel);
    }

    fn toplevel_destroyed(&mut self, toplevel: ToplevelSurface) {
        remember(toplevel.wl_surface(), None);
        self.exports.window_destroyed(toplevel.wl_surface());
        self.window_destroyed(toplevel.wl_surface());
    }

    fn popup_destroyed(&mut self, popup: PopupSurface) {
        remember(popup.wl_surface(), None);
        self.queue_redraw();
    }
}

impl State {
    fn names_changed(&mut self, toplevel: &ToplevelSurface) {
        if let Some(window) = self.windows.by_surface_mut(toplevel.wl_surface())
            && window.read_names()
        {
            self.queue_redraw();
        }
    }

    /// A popup that hangs on nothing is a mistake of its client.
    fn refuse_popup(&self, popup: &PopupSurface) {
        popup.xdg_popup().post_error(
            xdg_wm_base::Error::InvalidPopupParent,
            "the popup's parent is no window of this client's, or too many popups hang on each other",
        );
    }
}

delegate_dispatch!(State: [XdgPopup: XdgShellSurfaceUserData] => XdgShellState);

impl Dispatch<XdgSurface, XdgSurfaceUserData> for State {
    fn request(
        state: &mut State,
        client: &Client,
        xdg_surface: &XdgSurface,
        request: xdg_surface::Request,
        data: &XdgSurfaceUserData,
        display: &DisplayHandle,
        data_init: &mut DataInit<'_, State>,
    ) {
        use xdg_surface::Request;
        state.xdg_surface_in_request = None;
        let request = match request {
            Request::SetWindowGeometry { width, height, .. } if width <= 0 || height <= 0 => {
                xdg_surface.post_error(
                    xdg_surface::Error::InvalidSize,
                    format!("a window cannot be {width}x{height}"),
                );
                return;
            }
            Request::SetWindowGeometry { x, y, width, height } => Request::SetWindowGeometry {
                x: limits::position(x),
                y: limits::position(y),
                width: limits::size(width),
                height: limits::size(height),
            },
            request @ (Request::GetToplevel { .. } | Request::GetPopup { .. }) => {
                state.xdg_surface_in_request = Some(xdg_surface.clone());
                request
            }
            other => other,
        };
        <XdgShellState as Dispatch<XdgSurface, XdgSurfaceUserData, State>>::request(
            state,
            client,
            xdg_surface,
            request,
            data,
            display,
            data_init,
        );
    }

    fn destroyed(
        state: &mut State,
        client: ClientId,
        xdg_surface: &XdgSurface,
        data: &XdgSurfaceUserData,
    ) {
        <XdgShellState as Dispatch<XdgSurface, XdgSurfaceUserData, State>>::destroyed(
            state,
            client,
            xdg_surface,
            data,
        );
    }
}

impl Dispatch<XdgToplevel, XdgShellSurfaceUserData> for State {
    fn request(
        state: &mut State,
        client: &Client,
        toplevel: &XdgToplevel,
        request: xdg_toplevel::Request,
        data: &XdgShellSurfaceUserData,
        display: &DisplayHandle,
        data_init: &mut DataInit<'_, State>,
    ) {
        use xdg_toplevel::Request;
        let request = match request {
            Request::SetMinSize { width, height } | Request::SetMaxSize { width, height }
                if width < 0 || height < 0 =>
            {
                toplevel.post_error(
                    xdg_toplevel::Error::InvalidSize,
                    format!("a window's size cannot be limited to {width}x{height}"),
                );
                return;
            }
            Request::SetMinSize { width, height } => {
                Request::SetMinSize { width: limits::size(width), height: limits::size(height) }
            }
            Request::SetMaxSize { width, height } => {
                Request::SetMaxSize { width: limits::size(width), height: limits::size(height) }
            }
            other => other,
        };
        <XdgShellState as Dispatch<XdgToplevel, XdgShellSurfaceUserData, State>>::request(
            state, client, toplevel, request, data, display, data_init,
        );
    }

    fn destroyed(
        state: &mut State,
        client: ClientId,
        toplevel: &XdgToplevel,
        data: &XdgShellSurfaceUserData,
    ) {
        <XdgShellState as Dispatch<XdgToplevel, XdgShellSurfaceUserData, State>>::destroyed(
            state, client, toplevel, data,
        );
    }
}

impl Dispatch<XdgPositioner, XdgPositionerUserData> for State {
    fn request(
        state: &mut State,
        client: &Client,
        positioner: &XdgPositioner,
        request: xdg_positioner::Request,
        data: &XdgPositionerUserData,
        display: &DisplayHandle,
        data_init: &mut DataInit<'_, State>,
    ) {
        use xdg_positioner::Request;
        let largest = |value: i32| value.min(limits::LARGEST);
        let request = match request {
            Request::SetSize { width, height } => {
                Request::SetSize { width: largest(width), height: largest(height) }
            }
            Request::SetAnchorRect { x, y, width, height } => Request::SetAnchorRect {
                x: limits::position(x),
                y: limits::position(y),
                width: largest(width),
                height: largest(height),
            },
            Request::SetOffset { x, y } => {
                Request::SetOffset { x: limits::position(x), y: limits::position(y) }
            }
            Request::SetParentSize { parent_width, parent_height } => Request::SetParentSize {
                parent_width: limits::size(parent_width),
                parent_height: limits::size(parent_height),
            },
            other => other,
        };
        <XdgShellState as Dispatch<XdgPositioner, XdgPositionerUserData, State>>::request(
            state, client, positioner, request, data, display, data_init,
        );
    }

    fn destroyed(
        state: &mut State,
        client: ClientId,
        positioner: &XdgPositioner,
        data: &XdgPositionerUserData,
    ) {
        <XdgShellState as Dispatch<XdgPositioner, XdgPositionerUserData, State>>::destroyed(
            state, client, positioner, data,
        );
    }
}
