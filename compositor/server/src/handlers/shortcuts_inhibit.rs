//! `zwp_keyboard_shortcuts_inhibit_manager_v1`: a program that wants all keys for itself, such as a
//! viewer of another machine, gets them while its window has the keyboard. A person takes them back
//! by the shortcut `take-shortcuts`; then whoever had them gets none until somebody else had the keyboard.

use smithay::{
    reexports::wayland_server::protocol::wl_surface::WlSurface,
    wayland::keyboard_shortcuts_inhibit::{
        KeyboardShortcutsInhibitHandler, KeyboardShortcutsInhibitState, KeyboardShortcutsInhibitor,
        KeyboardShortcutsInhibitorSeat,
    },
};

use crate::{
    client::{Party, party_of_surface},
    state::State,
    trust::consent::Consent,
};

impl KeyboardShortcutsInhibitHandler for State {
    fn keyboard_shortcuts_inhibit_state(&mut self) -> &mut KeyboardShortcutsInhibitState {
        &mut self.protocols.shortcuts_inhibit
    }

    fn new_inhibitor(&mut self, inhibitor: KeyboardShortcutsInhibitor) {
        self.consider_inhibitor(&inhibitor);
    }
}

impl State {
    fn inhibitor(&self) -> Option<KeyboardShortcutsInhibitor> {
        let focus = self.keyboard_focus()?;
        self.seat
            .keyboard_shortcuts_inhibitor_for_surface(&focus)
            .filter(KeyboardShortcutsInhibitor::is_active)
    }

    /// Let an inhibitor act if its window may have the shortcuts. A domain's window may ask for a
    /// person's consent only while it has the keyboard.
    fn consider_inhibitor(&mut self, inhibitor: &KeyboardShortcutsInhibitor) {
        let surface = inhibitor.wl_surface();
        let party = party_of_surface(surface);
        if self.shortcuts_taken_from.is_some() && self.shortcuts_taken_from == party {
            return;
        }
        let has_keyboard = self.keyboard_goes_to.as_ref() == Some(surface);
        let is_local = !matches!(party, Some(Party::Domain(_)));
        if is_local || has_keyboard && self.has_consent(surface, Consent::Shortcuts) {
            inhibitor.activate();
            self.queue_redraw();
        }
    }

    /// A window was given what it asked for, or has the keyboard now: its inhibitor is looked at again.
    pub(crate) fn give_shortcuts(&mut self, surface: &WlSurface) {
        let inhibitor = self.seat.keyboard_shortcuts_inhibitor_for_surface(surface);
        if let Some(inhibitor) = inhibitor.filter(|inhibitor| !inhibitor.is_active()) {
            self.consider_inhibitor(&inhibitor);
        }
    }

    /// The surface that has the shortcuts for itself.
    pub(crate) fn shortcuts_inhibitor(&self) -> Option<WlSurface> {
        self.inhibitor().map(|inhibitor| inhibitor.wl_surface().clone())
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
