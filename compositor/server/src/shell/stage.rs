//! What happens to windows: they appear, get the focus, are moved, and go.

use smithay::{
    desktop::PopupKind,
    input::pointer::{Focus, GrabStartData},
    reexports::wayland_server::protocol::wl_surface::WlSurface,
    utils::{IsAlive, Logical, Point, Rectangle, Serial, Size},
    wayland::compositor::get_parent,
};

use super::{
    grabs::{Drag, WindowGrab},
    placement, popups,
    window::{Extent, Mapping, Room, Window, WindowId},
};
use crate::{
    render::{frame_decoration::FrameStyle, present::OutputView},
    state::State,
};

/// The surface that a subsurface belongs to in the end; any other surface itself.
pub(crate) fn root_of(surface: &WlSurface) -> WlSurface {
    let mut root = surface.clone();
    while let Some(parent) = get_parent(&root) {
        root = parent;
    }
    root
}

impl State {
    /// A toplevel's surface, or one below it, was committed.
    pub(crate) fn toplevel_committed(&mut self, root: &WlSurface) {
        let bounds = self.theme.inner(self.room().free, FrameStyle::Whole).size;
        let Some(window) = self.windows.by_surface_mut(root) else { return };
        let mapping = window.committed();
        let id = window.id();
        match mapping {
            Some(Mapping::Mapped) => {
                // Only one whose early buffer was forgiven was not told yet.
                if window.awaits_first_configure() {
                    window.send_first_configure(Size::from((bounds.w, bounds.h)));
                }
                self.window_mapped(id);
            }
            Some(Mapping::Unmapped) => self.focus_topmost(),
            None => {
                // After an unmapping, too, the client begins again with a commit without a buffer.
                if !window.is_mapped() && window.awaits_first_configure() {
                    window.send_first_configure(Size::from((bounds.w, bounds.h)));
                }
            }
        }
    }

    /// The toplevel or panel on which a popup with this surface hangs; any other surface itself.
    pub(crate) fn owner_of(&self, root: &WlSurface) -> WlSurface {
        let owner = match self.popups.find_popup(root) {
            Some(PopupKind::Xdg(popup)) => popups::chain(&popup).map(|chain| chain.root),
            _ => None,
        };
        owner.unwrap_or_else(|| root.clone())
    }

    /// Where a toplevel, a panel or a popup with this surface is drawn, with all that belongs to its
    /// window.
    pub(crate) fn area_of(&self, root: &WlSurface) -> Option<Rectangle<i32, Logical>> {
        let owner = self.owner_of(root);
        let of_output = |id| self.outputs.get(id).map(OutputView::area);
        if let Some(area) = self.unmanaged_area(&owner) {
            return Some(area);
        }
        if let Some(output) = self.lock.as_ref().and_then(|lock| lock.output_of(&owner)) {
            return of_output(output);
        }
        if let Some(panel) = self.panels.by_surface(&owner).filter(|panel| panel.is_mapped()) {
            // Its surface may be larger than its place; it is cut off at the output.
            return of_output(panel.output());
        }
        let window = self.windows.by_surface(&owner).filter(|window| window.is_visible())?;
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
        let wanted = self.windows.get(id).and_then(Window::wanted_place);
        let place = match (wanted, parent.map(|parent| parent.outer_area(&self.theme))) {
            (Some(wanted), _) => placement::clamp(area, outer.size, wanted),
            (None, Some(parent)) => placement::place_over(area, parent, outer.size),
            (None, None) => {
                self.placed_windows += 1;
                placement::place(area, &obstacles, outer.size, self.placed_windows - 1)
            }
        };
        if let Some(window) = self.windows.get_mut(id) {
            window.move_to(place + inset);
        }
    }

    /// The room that there is for new windows: where the pointer is.
    pub(crate) fn room(&self) -> Room {
        self.room_at(self.pointer_location)
    }

    /// The room on the output of a point.
    pub(crate) fn room_at(&self, point: Point<f64, Logical>) -> Room {
        match self.outputs.at(point) {
            Some(view) => self.room_on(view),
            None => {
                let bounds = self.outputs.bounds();
                Room { whole: bounds, output: bounds, free: bounds }
            }
        }
    }

    /// The room on an output.
    pub(crate) fn room_on(&self, view: &OutputView) -> Room {
        let output = self.open_area(view);
        Room { whole: view.area(), output, free: self.panels.free(view.id).unwrap_or(output) }
    }

    /// The room where a window is, or will be.
    pub(crate) fn room_of(&self, window: &Window) -> Room {
        let area = window.outer_area(&self.theme);
        match self.outputs.showing(area).filter(|_| window.has_place()) {
            Some(view) => self.room_on(view),
            None => self.room(),
        }
    }

    /// Fit windows that fill the room to what it has become.
    pub(crate) fn refit_windows(&mut self) {
        if !self.panels.take_change() {
            return;
        }
        self.refit_all_windows();
        self.queue_redraw();
    }

    /// Fit all windows that fill the room, each on the output where it is.
    pub(crate) fn refit_all_windows(&mut self) {
        let filling = self.windows.iter().filter(|window| window.extent() != Extent::Floating);
        let rooms: Vec<_> = filling.map(|window| (window.id(), self.room_of(window))).collect();
        for (id, room) in rooms {
            if let Some(window) = self.windows.get_mut(id) {
                window.set_extent(window.extent(), room, &self.theme);
            }
        }
    }

    /// A toplevel is gone.
    pub(crate) fn window_destroyed(&mut self, surface: &WlSurface) {
        let Some(window) = self.windows.remove(surface) else { return };
        if surface.alive() {
            self.outputs.iter().for_each(|view| view.output.leave(surface));
        }
        self.forget_consents(window.id());
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
        self.unmanaged_lose_keyboard();
        if let Some(id) = id {
            self.windows.raise(id);
            self.raise_in_x11(id);
        }
        for window in self.windows.iter_mut() {
            let active = Some(window.id()) == id;
            changed |= window.set_active(active);
        }
        if changed {
            self.drop_questions();
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
        let scales = self.outputs.scales();
        for window in self.windows.iter_mut() {
            window.refresh_frame(&self.theme, &self.fonts, &scales);
        }
    }
}
