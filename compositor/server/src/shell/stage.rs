//! What happens to windows: they appear, get the focus, are moved, and go.

use smithay::{
    desktop::PopupKind,
    input::pointer::{Focus, GrabStartData},
    reexports::wayland_server::protocol::wl_surface::WlSurface,
    utils::{IsAlive, Logical, Point, Rectangle, SERIAL_COUNTER, Serial, Size},
};

use super::{
    grabs::{Drag, WindowGrab},
    placement, popups,
    window::{Extent, Mapping, Window, WindowId},
};
use crate::state::State;

impl State {
    /// A toplevel's surface, or one below it, was committed.
    pub(crate) fn toplevel_committed(&mut self, root: &WlSurface) {
        let output = self.output_area();
        let bounds = self.theme.inner(output).size;
        let Some(window) = self.windows.by_surface_mut(root) else { return };
        let mapping = window.committed();
        let id = window.id();
        match mapping {
            Some(Mapping::Mapped) => self.window_mapped(id),
            Some(Mapping::Unmapped) => self.focus_topmost(),
            None => {
                // After an unmapping, too, the client begins again with a commit without a buffer.
                if !window.is_mapped() && !window.toplevel().is_initial_configure_sent() {
                    window.send_first_configure(Size::from((bounds.w, bounds.h)));
                }
            }
        }
    }

    /// Where a toplevel or a popup with this surface is drawn, with all that belongs to its window.
    pub(crate) fn area_of(&self, root: &WlSurface) -> Option<Rectangle<i32, Logical>> {
        let toplevel = match self.popups.find_popup(root) {
            Some(PopupKind::Xdg(popup)) => popups::chain(&popup)?.root,
            _ => root.clone(),
        };
        let window = self.windows.by_surface(&toplevel).filter(|window| window.is_visible())?;
        let border = Point::from((popups::BORDER, popups::BORDER));
        let popups =
            popups::placed(window, self.outputs.smallest_size()).into_iter().map(|popup| {
                Rectangle::new(
                    popup.area.loc - border,
                    popup.area.size + (border + border).to_size(),
                )
            });
        Some(popups.fold(window.outer_area(&self.theme), Rectangle::merge))
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
        let area = self.output_area();
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
        let place = placement::place(area, &obstacles, outer.size, self.placed_windows);
        self.placed_windows += 1;
        if let Some(window) = self.windows.get_mut(id) {
            window.move_to(place + inset);
        }
    }

    /// A toplevel is gone.
    pub(crate) fn window_destroyed(&mut self, surface: &WlSurface) {
        let Some(window) = self.windows.remove(surface) else { return };
        if surface.alive() {
            self.outputs.iter().for_each(|view| view.output.leave(surface));
        }
        if window.is_active() {
            self.focus_topmost();
        }
        self.queue_redraw();
    }

    fn focus_topmost(&mut self) {
        let topmost = self.windows.topmost().map(Window::id);
        self.focus_window(topmost);
    }

    /// Give the focus to a window, or take it from all, and raise it.
    pub fn focus_window(&mut self, id: Option<WindowId>) {
        let mut changed = false;
        let mut surface = None;
        if let Some(id) = id {
            self.windows.raise(id);
        }
        for window in self.windows.iter_mut() {
            let active = Some(window.id()) == id;
            changed |= window.set_active(active);
            if active {
                surface = Some(window.wl_surface().clone());
            }
        }
        if let Some(keyboard) = self.seat.get_keyboard()
            && keyboard.current_focus() != surface
        {
            keyboard.set_focus(self, surface, SERIAL_COUNTER.next_serial());
        }
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
        let scales = self.outputs.scales();
        for window in self.windows.iter_mut() {
            window.refresh_frame(&self.theme, &scales);
        }
    }
}
