//! `wl_seat`: keyboard, pointer and touch.

use smithay::{
    input::{Seat, SeatHandler, SeatState, pointer::CursorImageStatus},
    reexports::wayland_server::protocol::wl_surface::WlSurface,
};

use super::keyboard_focus::KeyboardFocus;
use crate::state::State;

impl SeatHandler for State {
    type KeyboardFocus = KeyboardFocus;
    type PointerFocus = WlSurface;
    type TouchFocus = WlSurface;

    fn seat_state(&mut self) -> &mut SeatState<State> {
        &mut self.protocols.seat
    }

    fn focus_changed(&mut self, _seat: &Seat<State>, focused: Option<&KeyboardFocus>) {
        let focused = focused.map(KeyboardFocus::wl_surface);
        self.hide_selections(focused);
        self.selection_focus_changed(focused);
        self.shortcuts_focus_changed(focused);
    }

    fn cursor_image(&mut self, _seat: &Seat<State>, image: CursorImageStatus) {
        self.cursor.status = image;
        self.cursor_changed();
    }
}
