//! Who has the keyboard.

use smithay::{reexports::wayland_server::protocol::wl_surface::WlSurface, utils::SERIAL_COUNTER};

use super::window::Window;
use crate::state::State;

impl State {
    /// Give the keyboard to whom it belongs: to the locker of a locked session, to a panel that
    /// insists on it or was clicked, else to the active window.
    pub(crate) fn refresh_keyboard_focus(&mut self) {
        let owner = self.keyboard_owner();
        if let Some(keyboard) = self.seat.get_keyboard()
            && keyboard.current_focus() != owner
        {
            keyboard.set_focus(self, owner, SERIAL_COUNTER.next_serial());
            self.refresh_pointer_constraint();
        }
    }

    /// A panel was clicked: it has the keyboard from now on if it wants it.
    pub(crate) fn focus_panel(&mut self, panel: &WlSurface) {
        let wants = self.panels.by_surface(panel).is_some_and(|panel| panel.wants_keyboard());
        if wants {
            self.panels.clicked(Some(panel));
            self.refresh_keyboard_focus();
        }
    }

    /// Whether a panel has the keyboard.
    pub fn panel_has_keyboard(&self) -> bool {
        self.panels.keyboard_owner().is_some()
    }

    fn keyboard_owner(&self) -> Option<WlSurface> {
        if self.is_locked() {
            return self.lock_keyboard_owner().cloned();
        }
        let window = || self.windows.active().map(Window::wl_surface);
        self.panels.keyboard_owner().or_else(window).cloned()
    }
}
