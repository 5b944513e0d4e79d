//! The seat's keyboards, pointers and touch screens.
//!
//! What a device is set to is in [`devices`](super::devices), pens are in [`pen`](super::pen), and what
//! fingers do on a touchpad is in [`gestures`](super::gestures).

use smithay::{
    backend::{
        input::{
            AbsolutePositionEvent, Axis, AxisSource, ButtonState, Event, InputEvent, KeyState,
            KeyboardKeyEvent, PointerAxisEvent, PointerButtonEvent, PointerMotionEvent, TouchEvent,
        },
        libinput::LibinputInputBackend,
    },
    input::pointer::AxisFrame,
    reexports::input::Device,
    utils::{Logical, Point, Rectangle},
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
                let (x, y) = self.on_outputs_of(&event.device(), &event).into();
                (Input::PointerMotion { x, y }, event.time_msec())
            }
            InputEvent::PointerButton { event } => {
                let pressed = event.state() == ButtonState::Pressed;
                let button = event.button_code();
                (Input::PointerButton { button, pressed }, event.time_msec())
            }
            InputEvent::PointerAxis { event } => {
                return self.scroll(scrolled(&event));
            }
            InputEvent::TouchDown { event } => {
                let (x, y) = self.on_outputs_of(&event.device(), &event).into();
                let finger = finger(event.slot());
                (Input::Touch { finger, x, y, down: true }, event.time_msec())
            }
            InputEvent::TouchMotion { event } => {
                let (x, y) = self.on_outputs_of(&event.device(), &event).into();
                let finger = finger(event.slot());
                (Input::Touch { finger, x, y, down: false }, event.time_msec())
            }
            InputEvent::TouchUp { event } => {
                (Input::TouchUp { finger: finger(event.slot()) }, event.time_msec())
            }
            // The screen takes the fingers for a palm.
            InputEvent::TouchCancel { event } => {
                (Input::TouchUp { finger: finger(event.slot()) }, event.time_msec())
            }
            InputEvent::DeviceAdded { device } => return self.device_added(device),
            InputEvent::DeviceRemoved { device } => return self.device_removed(&device),
            pen @ (InputEvent::TabletToolAxis { .. }
            | InputEvent::TabletToolProximity { .. }
            | InputEvent::TabletToolTip { .. }
            | InputEvent::TabletToolButton { .. }) => return self.pen(pen),
            gesture => {
                self.somebody_is_there();
                return self.gesture(gesture);
            }
        };
        self.take_input(input, time);
    }

    /// Devices that tell a place, not a movement, reach over all outputs, or over their own.
    pub(super) fn on_outputs_of(
        &self,
        device: &Device,
        event: &impl AbsolutePositionEvent<LibinputInputBackend>,
    ) -> Point<f64, Logical> {
        let own = || {
            let name = self.settings_of(device).output?;
            let view = self.outputs.by_name(name.as_str()).filter(|view| view.is_on())?;
            Some(view.area())
        };
        let configured = !self.config.devices.is_empty();
        let own: Option<Rectangle<i32, Logical>> = configured.then(own).flatten();
        let area = own.unwrap_or_else(|| self.outputs.bounds());
        area.loc.to_f64() + event.position_transformed(area.size)
    }
}

/// How far was scrolled, and by what.
fn scrolled(event: &impl PointerAxisEvent<LibinputInputBackend>) -> AxisFrame {
    let source = event.source();
    let mut frame = AxisFrame::new(event.time_msec()).source(source);
    for axis in [Axis::Horizontal, Axis::Vertical] {
        let parts = event.amount_v120(axis);
        // A notch of a wheel is 120 parts and 15 pixels.
        match event.amount(axis).or(parts.map(|parts| parts / 8.0)) {
            Some(0.0) if source == AxisSource::Finger => frame = frame.stop(axis),
            Some(amount) if amount != 0.0 => {
                frame = frame
                    .relative_direction(axis, event.relative_direction(axis))
                    .value(axis, amount);
                if let Some(parts) = parts {
                    frame = frame.v120(axis, parts as i32);
                }
            }
            _ => {}
        }
    }
    frame
}

fn finger(slot: smithay::backend::input::TouchSlot) -> u32 {
    // A slot without a number is that of a device which knows one finger.
    u32::try_from(i32::from(slot)).unwrap_or_default()
}
