//! A surface goes: the pointer leaves it and the fingers on it are lifted while its client can still be
//! told. Smithay 0.7 tells nothing of a surface that is gone.

use smithay::{
    input::pointer::MotionEvent, reexports::wayland_server::protocol::wl_surface::WlSurface,
    utils::SERIAL_COUNTER,
};

use crate::{input::told_to, state::State};

impl State {
    /// This surface is about to be destroyed.
    pub(crate) fn take_devices_off(&mut self, surface: &WlSurface) {
        let time = told_to(Some(surface), self.clock.now().as_millis());
        self.take_pointer_off(surface, time);
        self.take_fingers_off(surface, time);
    }

    fn take_pointer_off(&mut self, surface: &WlSurface, time: u32) {
        if self.pointer_focus.as_ref().is_none_or(|(under, _)| under != surface) {
            return;
        }
        // A grab decides itself who has the pointer.
        let Some(pointer) = self.seat.get_pointer().filter(|pointer| !pointer.is_grabbed()) else {
            return;
        };
        let location = pointer.current_location();
        let serial = SERIAL_COUNTER.next_serial();
        self.pointer_focus = None;
        pointer.motion(self, None, &MotionEvent { location, serial, time });
        pointer.frame(self);
        // What lies below is entered when the surface is gone.
        self.scene_changed = true;
    }

    /// All fingers are where the first one came down.
    fn take_fingers_off(&mut self, surface: &WlSurface, time: u32) {
        let start = self.seat.get_touch().and_then(|touch| touch.grab_start_data());
        let touched = start.and_then(|start| start.focus);
        // A drag goes on without the surface that it came from.
        if self.is_dragging() || touched.is_none_or(|(touched, _)| touched != *surface) {
            return;
        }
        for finger in self.fingers.clone() {
            self.touch_up(finger, time);
        }
    }
}
