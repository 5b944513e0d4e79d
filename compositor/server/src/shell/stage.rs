//! What happens to windows: they appear, get the focus, are moved, and go.

use smithay::{
    input::pointer::{Focus, GrabStartData},
    reexports::wayland_server::protocol::wl_surface::WlSurface,
    utils::{IsAlive, Serial, Size},
};

use super::{
    grabs::{Drag, WindowGrab},
    placement,
    window::{Extent, Mapping, Room, Window, WindowId},
};
use crate::state::State;

impl State {
    /// A toplevel's surface, or one below it, was committed.
    pub(crate) fn toplevel_committed(&mut self, root: &WlSurface) {
        let bounds = self.theme.inner(self.room().free).size;
        let Some(window) = self.windows.by_surface_mut(root) else { return };
        let mapping = window.committed();
        let id = window.id();
        match mapping {
            Some(Mapping::Mapped) => {
                // Only one whose early buffer was forgiven was not told yet.
                if !window.toplevel().is_initial_configure_sent() {
                    window.send_first_configure(Size::from((bounds.w, bounds.h)));
                }
                self.window_mapped(id);
            }
            Some(Mapping::Unmapped) => self.focus_topmost(),
            None => {
                // After an unmapping, too, the client begins again with a commit without a buffer.
                if !window.is_mapped() && !window.toplevel().is_initial_configure_sent() {
                    window.send_first_configure(Size::from((bounds.w, bounds.h)));
                }
            }
        }
    }

    fn window_mapped(&mut self, id: WindowId) {
        self.place_window(id);
        self.windows.raise(id);
        // A new window takes the keyboard only from its own domain: what is being typed for one
        // domain must not end in another because a window opened there.
        let takes_focus = match (self.windows.active(), self.windows.get(id)) {
            (Some(active), Some(new)) => active.origin() == new.origin(),
            (None, Some(_)) => true,
            (_, None) => false,
        };
        if takes_focus {
            self.focus_window(Some(id));
        }
        self.queue_redraw();
    }

    fn place_window(&mut self, id: WindowId) {
        let area = self.room().free;
        let Some(window) = self.windows.get(id) else { return };
        if window.extent() != Extent::Floating || window.was_placed() {
            return;
        }
        let outer = window.outer_area(&self.theme);
        let inset = window.client_area().loc - outer.loc;
        let obstacles: Vec<_> = self
            .windows
            .iter()
            .filter(|other| other.id() != id && other.is_visible())
            .map(|other| other.outer_area(&self.theme))
            .collect();
        let parent = window.parent().and_then(|parent| self.windows.by_surface(&parent));
        let parent = parent.filter(|parent| parent.is_visible());
        let place = match parent.map(|parent| parent.outer_area(&self.theme)) {
            Some(parent) => placement::place_over(area, parent, outer.size),
            None => {
                self.placed_windows += 1;
                placement::place(area, &obstacles, outer.size, self.placed_windows - 1)
            }
        };
        if let Some(window) = self.windows.get_mut(id) {
            window.move_to(place + inset);
        }
    }

    /// The room that there is for windows.
    pub(crate) fn room(&self) -> Room {
        let output = self.output_area();
        Room { output, free: self.panels.free(output) }
    }

    /// Fit windows that fill the room to what it has become.
    pub(crate) fn refit_windows(&mut self) {
        if !self.panels.take_change() {
            return;
        }
        let room = self.room();
        for window in self.windows.iter_mut() {
            if window.extent() != Extent::Floating {
                window.set_extent(window.extent(), room, &self.theme);
            }
        }
    }

    /// A toplevel is gone.
    pub(crate) fn window_destroyed(&mut self, surface: &WlSurface) {
        let Some(window) = self.windows.remove(surface) else { return };
        if surface.alive() {
            self.output.output.leave(surface);
        }
        if window.is_active() {
            self.focus_topmost();
        }
        self.queue_redraw();
    }

    pub(super) fn focus_topmost(&mut self) {
        let topmost = self.windows.topmost().map(Window::id);
        self.focus_window(topmost);
    }

    /// Give the focus to a window, or take it from all, and raise it.
    pub fn focus_window(&mut self, id: Option<WindowId>) {
        let mut changed = false;
        self.panels.clicked(None);
        if let Some(id) = id {
            self.windows.raise(id);
        }
        for window in self.windows.iter_mut() {
            let active = Some(window.id()) == id;
            changed |= window.set_active(active);
        }
        self.refresh_keyboard_focus();
        if changed || id.is_some() {
            self.queue_redraw();
        }
    }

    /// Let the pointer drag a window.
    pub(crate) fn start_drag(
        &mut self,
        id: WindowId,
        drag: Drag,
        start: GrabStartData<State>,
        serial: Serial,
    ) {
        let Some(window) = self.windows.get(id) else { return };
        if window.extent() != Extent::Floating {
            return;
        }
        let grab = WindowGrab::new(start, id, window.client_area(), drag);
        if let Some(pointer) = self.seat.get_pointer() {
            pointer.set_grab(self, grab, serial, Focus::Clear);
        }
    }

    /// Bring all frames up to date before a picture.
    pub(crate) fn refresh_frames(&mut self) {
        for window in self.windows.iter_mut() {
            window.refresh_frame(&self.theme);
        }
    }
}
