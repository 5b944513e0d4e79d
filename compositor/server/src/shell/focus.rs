//! Who has the keyboard.

use smithay::{reexports::wayland_server::protocol::wl_surface::WlSurface, utils::SERIAL_COUNTER};

use super::window::Window;
use crate::{handlers::keyboard_focus::KeyboardFocus, state::State};

impl State {
    /// Give the keyboard to whom it belongs: to the locker of a locked session, to a panel that
    /// insists on it or was clicked, to a launcher of X11, else to the active window.
    pub(crate) fn refresh_keyboard_focus(&mut self) {
        let owner = self.keyboard_owner();
        if let Some(keyboard) = self.seat.get_keyboard()
            && keyboard.current_focus() != owner
        {
            keyboard.set_focus(self, owner, SERIAL_COUNTER.next_serial());
            self.refresh_pointer_constraint();
        }
    }

    /// The surface that has the keyboard.
    pub(crate) fn keyboard_focus(&self) -> Option<WlSurface> {
        let focus = self.seat.get_keyboard()?.current_focus()?;
        Some(focus.wl_surface().clone())
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

    fn keyboard_owner(&self) -> Option<KeyboardFocus> {
        if self.is_locked() {
            return self.lock_keyboard_owner().cloned().map(KeyboardFocus::from);
        }
        let panel = self.panels.keyboard_owner().cloned().map(KeyboardFocus::from);
        let window = || self.windows.active().map(focus_of);
        panel.or_else(|| self.unmanaged_keyboard_owner()).or_else(window)
    }
}

fn focus_of(window: &Window) -> KeyboardFocus {
    let surface = window.wl_surface().clone();
    match window.x11() {
        Some(window) => KeyboardFocus::x11(surface, window.x11().clone()),
        None => surface.into(),
    }
}
