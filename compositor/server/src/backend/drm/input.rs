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

use crate::{
    input::{Input, XKB_OFFSET},
    state::State,
};

impl State {
    /// A device of the seat was used.
    pub(super) fn device_input(&mut self, event: InputEvent<LibinputInputBackend>) {
        let (input, time) = match event {
            InputEvent::Keyboard { event } => {
                let key = u32::from(event.key_code()).saturating_sub(XKB_OFFSET);
                let pressed = event.state() == KeyState::Pressed;
                (Input::Key { key, pressed }, event.time_msec())
            }
            InputEvent::PointerMotion { event } => {
                let (dx, dy) = event.delta().into();
                (Input::PointerMotionBy { dx, dy }, event.time_msec())
            }
            InputEvent::PointerMotionAbsolute { event } => {
                let (x, y) = self.on_all_outputs(&event).into();
                (Input::PointerMotion { x, y }, event.time_msec())
            }
            InputEvent::PointerButton { event } => {
                let pressed = event.state() == ButtonState::Pressed;
                let button = event.button_code();
                (Input::PointerButton { button, pressed }, event.time_msec())
            }
            InputEvent::PointerAxis { event } => {
                // A notch of a wheel is 120 parts and 15 pixels.
                let amount = |axis| {
                    let notches = || event.amount_v120(axis).map(|parts| parts / 8.0);
                    event.amount(axis).or_else(notches).unwrap_or_default()
                };
                let (horizontal, vertical) = (amount(Axis::Horizontal), amount(Axis::Vertical));
                (Input::PointerAxis { horizontal, vertical }, event.time_msec())
            }
            InputEvent::TouchDown { event } => {
                let (x, y) = self.on_all_outputs(&event).into();
                let finger = finger(event.slot());
                (Input::Touch { finger, x, y, down: true }, event.time_msec())
            }
            InputEvent::TouchMotion { event } => {
                let (x, y) = self.on_all_outputs(&event).into();
                let finger = finger(event.slot());
                (Input::Touch { finger, x, y, down: false }, event.time_msec())
            }
            InputEvent::TouchUp { event } => {
                (Input::TouchUp { finger: finger(event.slot()) }, event.time_msec())
            }
            _ => return,
        };
        self.take_input(input, time);
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
