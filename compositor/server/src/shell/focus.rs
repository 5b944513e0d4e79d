//! Who has the keyboard.

use smithay::{
    backend::input::KeyState, desktop::PopupUngrabStrategy, input::keyboard::KeyboardHandle,
    reexports::wayland_server::protocol::wl_surface::WlSurface, utils::SERIAL_COUNTER,
};

use super::window::Window;
use crate::{
    client::party_of_surface, handlers::keyboard_focus::KeyboardFocus, input::XKB_OFFSET,
    state::State,
};

impl State {
    /// Give the keyboard to whom it belongs: to the locker of a locked session, to a panel that
    /// insists on it or was clicked, to a launcher of X11, else to the active window.
    pub(crate) fn refresh_keyboard_focus(&mut self) {
        let owner = self.keyboard_owner();
        let Some(keyboard) = self.seat.get_keyboard() else { return };
        let surface = owner.as_ref().map(|owner| owner.wl_surface().clone());
        if keyboard.current_focus() == owner {
            self.keyboard_goes_to = surface;
            return;
        }
        if self.keyboard_goes_to != surface {
            self.end_popup_grab(&keyboard);
            self.let_go_of_keys(&keyboard, surface.as_ref());
            self.keyboard_goes_to.clone_from(&surface);
        }
        // A menu that has grabbed the keyboard keeps it, as long as its owner would have it.
        keyboard.set_focus(self, owner, SERIAL_COUNTER.next_serial());
        self.refresh_pointer_constraint();
        if let Some(surface) = surface {
            self.give_shortcuts(&surface);
        }
    }

    /// A menu may not keep keyboard and pointer from who has them now. Smithay would let it until its
    /// client takes notice.
    fn end_popup_grab(&mut self, keyboard: &KeyboardHandle<State>) {
        let Some(mut grab) = self.popup_grab.take().filter(|grab| !grab.has_ended()) else {
            return;
        };
        grab.ungrab(PopupUngrabStrategy::All);
        if keyboard.has_grab(grab.serial()) {
            keyboard.unset_grab(self);
        }
        if let Some(pointer) = self.seat.get_pointer()
            && pointer.has_grab(grab.serial())
        {
            let time = self.clock.now().as_millis();
            pointer.unset_grab(self, SERIAL_COUNTER.next_serial(), time);
        }
    }

    /// The keyboard goes to somebody else, who is not to hear which keys are held: whoever had it
    /// hears that they are let go, and nobody hears when they are.
    fn let_go_of_keys(&mut self, keyboard: &KeyboardHandle<State>, to: Option<&WlSurface>) {
        let from = self.keyboard_focus().as_ref().and_then(party_of_surface);
        if from.is_some() && from == to.and_then(party_of_surface) {
            return;
        }
        let time = self.clock.now().as_millis();
        for code in keyboard.pressed_keys() {
            let key = code.raw().saturating_sub(XKB_OFFSET);
            if self.shortcut_keys.contains(&key) || self.keys_let_go.contains(&key) {
                continue;
            }
            self.keys_let_go.push(key);
            let serial = SERIAL_COUNTER.next_serial();
            keyboard.input_forward(self, code, KeyState::Released, serial, time, false);
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
