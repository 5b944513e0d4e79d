//! Fingers on a touch screen.

use smithay::{
    backend::input::TouchSlot,
    input::touch::{DownEvent, MotionEvent, UpEvent},
    utils::{Logical, Point, SERIAL_COUNTER},
};

use crate::state::State;

impl State {
    /// A finger touches here, or moves to here.
    pub(crate) fn touch(
        &mut self,
        finger: u32,
        location: Point<f64, Logical>,
        down: bool,
        time: u32,
    ) {
        let location = self.outputs.confine(location);
        let Some(touch) = self.seat.get_touch() else { return };
        let focus = self.surface_under(location);
        let slot = TouchSlot::from(Some(finger));
        if down {
            self.fingers.insert(finger);
            self.focus_at(location);
            let serial = SERIAL_COUNTER.next_serial();
            touch.down(self, focus, &DownEvent { slot, location, serial, time });
        } else {
            touch.motion(self, focus, &MotionEvent { slot, location, time });
        }
        touch.frame(self);
    }

    /// A finger is lifted.
    pub(crate) fn touch_up(&mut self, finger: u32, time: u32) {
        let Some(touch) = self.seat.get_touch() else { return };
        self.fingers.remove(&finger);
        let slot = TouchSlot::from(Some(finger));
        touch.up(self, &UpEvent { slot, serial: SERIAL_COUNTER.next_serial(), time });
        touch.frame(self);
    }
}
