//! The list of windows, for panels and docks of the display domain: `ext_foreign_toplevel_list_v1`,
//! which Smithay has, and `zwlr_foreign_toplevel_manager_v1`, which can also do something with them.

use std::collections::BTreeMap;

use smithay::{
    output::Output,
    reexports::{
        wayland_protocols_wlr::foreign_toplevel::v1::server::{
            zwlr_foreign_toplevel_handle_v1::{self, State as Flag, ZwlrForeignToplevelHandleV1},
            zwlr_foreign_toplevel_manager_v1::{self, ZwlrForeignToplevelManagerV1},
        },
        wayland_server::{
            Client, DataInit, Dispatch, DisplayHandle, GlobalDispatch, New, Resource,
            backend::ClientId, protocol::wl_output::WlOutput,
        },
    },
    wayland::foreign_toplevel_list::ForeignToplevelHandle,
};

use crate::{
    client::is_trusted,
    outputs::Outputs,
    render::frame_decoration::FrameTheme,
    shell::window::{Extent, Window, WindowId},
    state::State,
};

/// The newest version that is offered.
pub(crate) const VERSION: u32 = 3;

/// What was told of windows, and to whom.
#[derive(Debug, Default)]
pub(crate) struct ForeignToplevels {
    managers: Vec<ZwlrForeignToplevelManagerV1>,
    known: BTreeMap<WindowId, Known>,
    /// Something may have changed since it was told last.
    due: bool,
}

/// One window that was told of.
#[derive(Debug)]
struct Known {
    told: Told,
    handles: Vec<ZwlrForeignToplevelHandleV1>,
    listed: ForeignToplevelHandle,
}

/// What is told of a window.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    title: String,
    app_id: String,
    flags: Vec<Flag>,
    /// The outputs on which some of it lies, or would without being minimised.
    outputs: Vec<Output>,
}

impl Told {
    fn of(window: &Window, outputs: &Outputs, theme: &FrameTheme) -> Told {
        let title = match window.origin().domain() {
            // As on its frame, the domain stands first.
            Some(domain) => format!("[{}] {}", domain.name, window.title()),
            None => window.title().to_owned(),
        };
        let flags = [
            (Flag::Maximized, window.extent() == Extent::Maximized),
            (Flag::Minimized, window.is_minimized()),
            (Flag::Activated, window.is_active()),
            (Flag::Fullscreen, window.extent() == Extent::Fullscreen),
        ];
        let flags = flags.into_iter().filter_map(|(flag, is)| is.then_some(flag)).collect();
        let area = window.outer_area(theme);
        let on = outputs.shown().filter(|view| view.area().overlaps(area));
        let outputs = on.map(|view| view.output.clone()).collect();
        Told { title, app_id: window.app_id().to_owned(), flags, outputs }
    }

    /// Tell what differs from what was told before.
    fn tell(&self, handle: &ZwlrForeignToplevelHandleV1, before: Option<&Told>) {
        if before.is_none_or(|before| before.title != self.title) {
            handle.title(self.title.clone());
        }
        if before.is_none_or(|before| before.app_id != self.app_id) {
            handle.app_id(self.app_id.clone());
        }
        if before.is_none_or(|before| before.flags != self.flags) {
            let known = |flag: &&Flag| **flag != Flag::Fullscreen || handle.version() >= 2;
            let flags = self.flags.iter().filter(known);
            handle.state(flags.flat_map(|flag| (*flag as u32).to_ne_bytes()).collect());
        }
        let before = before.map_or(&[][..], |before| &before.outputs);
        for output in self.outputs.iter().filter(|output| !before.contains(output)) {
            resources(output, handle).iter().for_each(|output| handle.output_enter(output));
        }
        for output in before.iter().filter(|output| !self.outputs.contains(output)) {
            resources(output, handle).iter().for_each(|output| handle.output_leave(output));
        }
        handle.done();
    }
}

/// What the client of a handle calls an output.
fn resources(output: &Output, handle: &ZwlrForeignToplevelHandleV1) -> Vec<WlOutput> {
    handle.client().map(|client| output.client_outputs(&client).collect()).unwrap_or_default()
}

impl State {
    /// A client has bound an output: tell it of the windows there, if it was told of windows before.
    pub(crate) fn tell_windows_on(&mut self, output: &Output, resource: &WlOutput) {
        let known = self.foreign_toplevels.known.values();
        for known in known.filter(|known| known.told.outputs.contains(output)) {
            let handles = known.handles.iter();
            for handle in handles.filter(|handle| handle.id().same_client_as(&resource.id())) {
                handle.output_enter(resource);
                handle.done();
            }
        }
    }

    /// Something about windows may have changed.
    pub(crate) fn windows_may_have_changed(&mut self) {
        self.foreign_toplevels.due = true;
    }

    /// Tell those who want to know what has changed about windows.
    pub(crate) fn refresh_foreign_toplevels(&mut self) {
        if !std::mem::take(&mut self.foreign_toplevels.due) {
            return;
        }
        let all = &mut self.foreign_toplevels;
        let list = &mut self.protocols.foreign_toplevel_list;
        for window in self.windows.iter().filter(|window| window.is_mapped()) {
            let now = Told::of(window, &self.outputs, &self.theme);
            match all.known.get_mut(&window.id()) {
                Some(known) if known.told == now => {}
                Some(known) => {
                    known.handles.iter().for_each(|handle| now.tell(handle, Some(&known.told)));
                    known.listed.send_title(&now.title);
                    known.listed.send_app_id(&now.app_id);
                    known.listed.send_done();
                    known.told = now;
                }
                None => {
                    let listed = list.new_toplevel::<State>(&now.title, &now.app_id);
                    let mut known = Known { told: now, handles: Vec::new(), listed };
                    for manager in &all.managers {
                        known.introduce(&self.display_handle, manager, window.id());
                    }
                    all.known.insert(window.id(), known);
                }
            }
        }
        let windows = &self.windows;
        all.known.retain(|id, known| {
            let stays = windows.get(*id).is_some_and(Window::is_mapped);
            if !stays {
                known.handles.iter().for_each(ZwlrForeignToplevelHandleV1::closed);
                list.remove_toplevel(&known.listed);
            }
            stays
        });
    }
}

impl Known {
    fn introduce(
        &mut self,
        display: &DisplayHandle,
        manager: &ZwlrForeignToplevelManagerV1,
        id: WindowId,
    ) {
        let Some(client) = manager.client() else { return };
        let handle = client.create_resource::<ZwlrForeignToplevelHandleV1, WindowId, State>(
            display,
            manager.version(),
            id,
        );
        // There is none for a client that is gone.
        if let Ok(handle) = handle {
            manager.toplevel(&handle);
            self.told.tell(&handle, None);
            self.handles.push(handle);
        }
    }
}

impl GlobalDispatch<ZwlrForeignToplevelManagerV1, ()> for State {
    fn bind(
        state: &mut State,
        display: &DisplayHandle,
        _: &Client,
        manager: New<ZwlrForeignToplevelManagerV1>,
        (): &(),
        data_init: &mut DataInit<'_, State>,
    ) {
        let manager = data_init.init(manager, ());
        for (id, known) in &mut state.foreign_toplevels.known {
            known.introduce(display, &manager, *id);
        }
        state.foreign_toplevels.managers.push(manager);
    }

    fn can_view(client: Client, (): &()) -> bool {
        is_trusted(&client)
    }
}

impl Dispatch<ZwlrForeignToplevelManagerV1, ()> for State {
    fn request(
        state: &mut State,
        _: &Client,
        manager: &ZwlrForeignToplevelManagerV1,
        request: zwlr_foreign_toplevel_manager_v1::Request,
        (): &(),
        _: &DisplayHandle,
        _: &mut DataInit<'_, State>,
    ) {
        if let zwlr_foreign_toplevel_manager_v1::Request::Stop = request {
            state.foreign_toplevels.managers.retain(|other| other != manager);
            manager.finished();
        }
    }

    fn destroyed(state: &mut State, _: ClientId, manager: &ZwlrForeignToplevelManagerV1, (): &()) {
        state.foreign_toplevels.managers.retain(|other| other != manager);
    }
}

impl Dispatch<ZwlrForeignToplevelHandleV1, WindowId> for State {
    fn request(
        state: &mut State,
        _: &Client,
        handle: &ZwlrForeignToplevelHandleV1,
        request: zwlr_foreign_toplevel_handle_v1::Request,
        id: &WindowId,
        _: &DisplayHandle,
        _: &mut DataInit<'_, State>,
    ) {
        use zwlr_foreign_toplevel_handle_v1::{Error, Request};
        let id = *id;
        let Some(window) = state.windows.get(id).filter(|window| window.is_mapped()) else {
            return;
        };
        let (extent, behind) = (window.extent(), window.behind());
        if window.is_minimized()
            && matches!(request, Request::SetMaximized | Request::SetFullscreen { .. })
        {
            state.bring_window(id);
        }
        let Some(window) = state.windows.get(id) else { return };
        match request {
            Request::SetMaximized => state.maximize_window(id, true),
            Request::UnsetMaximized => state.maximize_window(id, false),
            Request::SetFullscreen { output } => {
                state.extend_window(id, Extent::Fullscreen, output.as_ref());
            }
            Request::UnsetFullscreen if extent == Extent::Fullscreen => {
                state.extend_window(id, behind, None);
            }
            Request::SetMinimized => state.minimize_window(id),
            Request::UnsetMinimized if window.is_minimized() => state.bring_window(id),
            Request::Activate { .. } => state.bring_window(id),
            Request::Close => window.close(),
            Request::SetRectangle { width, height, .. } if width < 0 || height < 0 => {
                let message = format!("there is no rectangle of {width}x{height}");
                handle.post_error(Error::InvalidRectangle, message);
            }
            _ => {}
        }
    }

    fn destroyed(
        state: &mut State,
        _: ClientId,
        handle: &ZwlrForeignToplevelHandleV1,
        id: &WindowId,
    ) {
        if let Some(known) = state.foreign_toplevels.known.get_mut(id) {
            known.handles.retain(|other| other != handle);
        }
    }
}
