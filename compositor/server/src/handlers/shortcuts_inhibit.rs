//! `zwp_keyboard_shortcuts_inhibit_manager_v1`: a program that wants all keys for itself, such as a
//! viewer of another machine, gets them while its window has the keyboard. A person takes them back
//! by the shortcut `take-shortcuts`; then whoever had them gets none until somebody else had the keyboard.

use smithay::{
    delegate_keyboard_shortcuts_inhibit,
    reexports::wayland_server::protocol::wl_surface::WlSurface,
    wayland::keyboard_shortcuts_inhibit::{
        KeyboardShortcutsInhibitHandler, KeyboardShortcutsInhibitState, KeyboardShortcutsInhibitor,
        KeyboardShortcutsInhibitorSeat,
    },
};

use crate::{client::party_of_surface, state::State};

impl KeyboardShortcutsInhibitHandler for State {
    fn keyboard_shortcuts_inhibit_state(&mut self) -> &mut KeyboardShortcutsInhibitState {
        &mut self.protocols.shortcuts_inhibit
    }

    fn new_inhibitor(&mut self, inhibitor: KeyboardShortcutsInhibitor) {
        if self.shortcuts_taken_from.is_none()
            || self.shortcuts_taken_from != party_of_surface(inhibitor.wl_surface())
        {
            inhibitor.activate();
        }
    }
}

delegate_keyboard_shortcuts_inhibit!(State);

impl State {
    fn inhibitor(&self) -> Option<KeyboardShortcutsInhibitor> {
        let focus = self.keyboard_focus()?;
        self.seat
            .keyboard_shortcuts_inhibitor_for_surface(&focus)
            .filter(KeyboardShortcutsInhibitor::is_active)
    }

    /// Whether the window with the keyboard has the shortcuts for itself.
    pub(crate) fn shortcuts_are_inhibited(&self) -> bool {
        self.inhibitor().is_some()
    }

    /// Take the shortcuts back from the window with the keyboard.
    pub(crate) fn take_shortcuts(&mut self) {
        if let Some(inhibitor) = self.inhibitor() {
            inhibitor.inactivate();
            self.shortcuts_taken_from = party_of_surface(inhibitor.wl_surface());
        }
    }

    /// The keyboard is somebody's now: who is not that may ask for shortcuts again.
    pub(crate) fn shortcuts_focus_changed(&mut self, focused: Option<&WlSurface>) {
        if focused.is_some_and(|surface| party_of_surface(surface) != self.shortcuts_taken_from) {
            self.shortcuts_taken_from = None;
        }
    }
}
