//! The seat's keyboards, pointers and touch screens.

use smithay::{
    backend::{
        input::{
            AbsolutePositionEvent, Axis, ButtonState, Event, InputEvent, KeyState,
            KeyboardKeyEvent, PointerAxisEvent, PointerButtonEvent, PointerMotionEvent, TouchEvent,
        },
        libinput::LibinputInputBackend,
    },
    utils::{Logical, Point},
};

use crate::{input::XKB_OFFSET, state::State};

impl State {
    /// A device of the seat was used.
    pub(super) fn device_input(&mut self, event: InputEvent<LibinputInputBackend>) {
        match event {
            InputEvent::Keyboard { event } => {
                let key = u32::from(event.key_code()).saturating_sub(XKB_OFFSET);
                self.key(key, event.state() == KeyState::Pressed, event.time_msec());
            }
            InputEvent::PointerMotion { event } => {
                let Some(pointer) = self.seat.get_pointer() else { return };
                let location = pointer.current_location() + event.delta();
                self.pointer_motion(location, event.time_msec());
            }
            InputEvent::PointerMotionAbsolute { event } => {
                let location = self.on_all_outputs(&event);
                self.pointer_motion(location, event.time_msec());
            }
            InputEvent::PointerButton { event } => {
                let pressed = event.state() == ButtonState::Pressed;
                self.pointer_button(event.button_code(), pressed, event.time_msec());
            }
            InputEvent::PointerAxis { event } => {
                // A notch of a wheel is 120 parts and 15 pixels.
                let amount = |axis| {
                    let notches = || event.amount_v120(axis).map(|parts| parts / 8.0);
                    event.amount(axis).or_else(notches).unwrap_or_default()
                };
                let (horizontal, vertical) = (amount(Axis::Horizontal), amount(Axis::Vertical));
                self.pointer_axis(horizontal, vertical, event.time_msec());
            }
            InputEvent::TouchDown { event } => {
                let location = self.on_all_outputs(&event);
                self.touch(finger(event.slot()), location, true, event.time_msec());
            }
            InputEvent::TouchMotion { event } => {
                let location = self.on_all_outputs(&event);
                self.touch(finger(event.slot()), location, false, event.time_msec());
            }
            InputEvent::TouchUp { event } => {
                self.touch_up(finger(event.slot()), event.time_msec());
            }
            _ => {}
        }
    }

    /// Devices that tell a place, not a movement, reach over all outputs.
    fn on_all_outputs(
        &self,
        event: &impl AbsolutePositionEvent<LibinputInputBackend>,
    ) -> Point<f64, Logical> {
        let bounds = self.outputs.bounds();
        bounds.loc.to_f64() + event.position_transformed(bounds.size)
    }
}

fn finger(slot: smithay::backend::input::TouchSlot) -> u32 {
    // A slot without a number is that of a device which knows one finger.
    u32::try_from(i32::from(slot)).unwrap_or_default()
}
