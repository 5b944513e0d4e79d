//! Gestures on a touchpad: for the program under the pointer.

use smithay::{
    backend::{
        input::{
            Event, GestureBeginEvent, GestureEndEvent, GesturePinchUpdateEvent as _,
            GestureSwipeUpdateEvent as _, InputEvent,
        },
        libinput::LibinputInputBackend,
    },
    input::pointer::{
        GestureHoldBeginEvent, GestureHoldEndEvent, GesturePinchBeginEvent, GesturePinchEndEvent,
        GesturePinchUpdateEvent, GestureSwipeBeginEvent, GestureSwipeEndEvent,
        GestureSwipeUpdateEvent,
    },
    utils::SERIAL_COUNTER,
};

use crate::state::State;

impl State {
    /// Hand a gesture on, if that is what it is.
    pub(super) fn gesture(&mut self, event: InputEvent<LibinputInputBackend>) {
        let Some(pointer) = self.seat.get_pointer() else { return };
        let serial = SERIAL_COUNTER.next_serial();
        match event {
            InputEvent::GestureSwipeBegin { event } => {
                let (time, fingers) =
                    (self.as_told_under_pointer(event.time_msec()), event.fingers());
                pointer
                    .gesture_swipe_begin(self, &GestureSwipeBeginEvent { serial, time, fingers });
            }
            InputEvent::GestureSwipeUpdate { event } => {
                let (time, delta) = (self.as_told_under_pointer(event.time_msec()), event.delta());
                pointer.gesture_swipe_update(self, &GestureSwipeUpdateEvent { time, delta });
            }
            InputEvent::GestureSwipeEnd { event } => {
                let (time, cancelled) =
                    (self.as_told_under_pointer(event.time_msec()), event.cancelled());
                pointer.gesture_swipe_end(self, &GestureSwipeEndEvent { serial, time, cancelled });
            }
            InputEvent::GesturePinchBegin { event } => {
                let (time, fingers) =
                    (self.as_told_under_pointer(event.time_msec()), event.fingers());
                pointer
                    .gesture_pinch_begin(self, &GesturePinchBeginEvent { serial, time, fingers });
            }
            InputEvent::GesturePinchUpdate { event } => {
                let event = GesturePinchUpdateEvent {
                    time: self.as_told_under_pointer(event.time_msec()),
                    delta: event.delta(),
                    scale: event.scale(),
                    rotation: event.rotation(),
                };
                pointer.gesture_pinch_update(self, &event);
            }
            InputEvent::GesturePinchEnd { event } => {
                let (time, cancelled) =
                    (self.as_told_under_pointer(event.time_msec()), event.cancelled());
                pointer.gesture_pinch_end(self, &GesturePinchEndEvent { serial, time, cancelled });
            }
            InputEvent::GestureHoldBegin { event } => {
                let (time, fingers) =
                    (self.as_told_under_pointer(event.time_msec()), event.fingers());
                pointer.gesture_hold_begin(self, &GestureHoldBeginEvent { serial, time, fingers });
            }
            InputEvent::GestureHoldEnd { event } => {
                let (time, cancelled) =
                    (self.as_told_under_pointer(event.time_msec()), event.cancelled());
                pointer.gesture_hold_end(self, &GestureHoldEndEvent { serial, time, cancelled });
            }
            _ => {}
        }
    }
}
