//! Input, from wherever it comes: a back end's devices, or a test.

use smithay::{
    backend::input::{Axis, AxisSource, ButtonState, KeyState, TouchSlot},
    input::{
        keyboard::{FilterResult, Keycode},
        pointer::{AxisFrame, ButtonEvent, GrabStartData, MotionEvent, RelativeMotionEvent},
        touch::{DownEvent, MotionEvent as TouchMotionEvent, UpEvent},
    },
    reexports::wayland_server::protocol::wl_surface::WlSurface,
    utils::{Logical, Point, SERIAL_COUNTER},
};

use crate::{
    client::origin_of_surface,
    shell::{
        grabs::Drag,
        hit::{FramePart, Hit, hit_test},
    },
    state::State,
};

/// The left button, in the kernel's numbers (`BTN_LEFT`, linux/input-event-codes.h).
pub const LEFT_BUTTON: u32 = 0x110;
/// From the kernel's key numbers to xkb's.
pub(crate) const XKB_OFFSET: u32 = 8;
/// The keysyms by which xkb's maps switch terminals: Ctrl+Alt+F1 to F12.
const SWITCH_TERMINAL: std::ops::RangeInclusive<u32> = 0x1008_fe01..=0x1008_fe0c;

/// Something that a person did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Input {
    /// The pointer is now here.
    PointerMotion {
        /// From the left, in pixels of windows.
        x: f64,
        /// From above, in pixels of windows.
        y: f64,
    },
    /// A button of the pointer.
    PointerButton {
        /// In the kernel's numbers, such as [`LEFT_BUTTON`].
        button: u32,
        /// Pressed, or let go.
        pressed: bool,
    },
    /// The wheel.
    PointerAxis {
        /// To the right, in pixels.
        horizontal: f64,
        /// Down, in pixels.
        vertical: f64,
    },
    /// A key.
    Key {
        /// In the kernel's numbers: 30 is the key that is A on most keyboards.
        key: u32,
        /// Pressed, or let go.
        pressed: bool,
    },
    /// A finger touches here, or moves to here.
    Touch {
        /// Which finger.
        finger: u32,
        /// From the left, in pixels of windows.
        x: f64,
        /// From above, in pixels of windows.
        y: f64,
        /// It was not down before.
        down: bool,
    },
    /// A finger is lifted.
    TouchUp {
        /// Which finger.
        finger: u32,
    },
}

impl State {
    /// Take input as if it came from a device, now.
    pub fn inject(&mut self, input: Input) {
        let time = self.clock.now().as_millis();
        match input {
            Input::PointerMotion { x, y } => self.pointer_motion(Point::from((x, y)), time),
            Input::PointerButton { button, pressed } => self.pointer_button(button, pressed, time),
            Input::PointerAxis { horizontal, vertical } => {
                self.pointer_axis(horizontal, vertical, time)
            }
            Input::Key { key, pressed } => self.key(key, pressed, time),
            Input::Touch { finger, x, y, down } => {
                self.touch(finger, Point::from((x, y)), down, time)
            }
            Input::TouchUp { finger } => self.touch_up(finger, time),
        }
    }

    fn hit(&self, point: Point<f64, Logical>) -> Option<Hit> {
        hit_test(self.windows.as_slice(), &self.theme, self.outputs.smallest_size(), point)
    }

    /// The surface under a point. While something is dragged, other domains do not notice.
    fn surface_under(
        &self,
        point: Point<f64, Logical>,
    ) -> Option<(WlSurface, Point<f64, Logical>)> {
        match self.hit(point)? {
            Hit::Surface { surface, location, .. } => {
                let dragging = self.selections.drag.as_ref();
                let seen =
                    dragging.is_none_or(|from| Some(from) == origin_of_surface(&surface).as_ref());
                seen.then_some((surface, location))
            }
            Hit::Frame { .. } => None,
        }
    }

    pub(crate) fn pointer_motion(&mut self, location: Point<f64, Logical>, time: u32) {
        let location = self.outputs.confine(location);
        let Some(pointer) = self.seat.get_pointer() else { return };
        let focus = self.surface_under(location);
        self.pointer_focus.clone_from(&focus);
        let event = MotionEvent { location, serial: SERIAL_COUNTER.next_serial(), time };
        let before = std::mem::replace(&mut self.pointer_location, location);
        let delta = location - before;
        let utime = u64::from(time) * 1000;
        pointer.motion(self, focus.clone(), &event);
        let relative = RelativeMotionEvent { delta, delta_unaccel: delta, utime };
        pointer.relative_motion(self, focus, &relative);
        pointer.frame(self);
        self.cursor_moved(before);
    }

    /// What lies under the pointer may have changed though the pointer did not move: tell the
    /// surfaces that it left and came to. Costs nothing while nothing that is seen changes.
    pub(crate) fn refresh_pointer_focus(&mut self) {
        if !std::mem::take(&mut self.scene_changed) {
            return;
        }
        let Some(pointer) = self.seat.get_pointer().filter(|pointer| !pointer.is_grabbed()) else {
            return;
        };
        let location = pointer.current_location();
        let focus = self.surface_under(location);
        if focus == self.pointer_focus {
            return;
        }
        self.pointer_focus.clone_from(&focus);
        let serial = SERIAL_COUNTER.next_serial();
        let time = self.clock.now().as_millis();
        pointer.motion(self, focus, &MotionEvent { location, serial, time });
        pointer.frame(self);
    }

    pub(crate) fn pointer_button(&mut self, button: u32, pressed: bool, time: u32) {
        let Some(pointer) = self.seat.get_pointer() else { return };
        let serial = SERIAL_COUNTER.next_serial();
        if pressed && !pointer.is_grabbed() {
            self.pressed_at(pointer.current_location(), button, serial);
        }
        let state = if pressed { ButtonState::Pressed } else { ButtonState::Released };
        pointer.button(self, &ButtonEvent { button, state, serial, time });
        pointer.frame(self);
    }

    /// A press gives the focus to what is under it, and works the frame.
    fn pressed_at(
        &mut self,
        location: Point<f64, Logical>,
        button: u32,
        serial: smithay::utils::Serial,
    ) {
        match self.hit(location) {
            None => self.focus_window(None),
            Some(Hit::Surface { window, .. }) => self.focus_window(Some(window)),
            Some(Hit::Frame { window, part }) => {
                self.focus_window(Some(window));
                if button != LEFT_BUTTON {
                    return;
                }
                let start = GrabStartData { focus: None, button, location };
                match part {
                    FramePart::Bar => self.start_drag(window, Drag::Move, start, serial),
                    FramePart::Border(edges) => {
                        self.start_drag(window, Drag::Resize(edges), start, serial)
                    }
                    FramePart::Close => {
                        if let Some(window) = self.windows.get(window) {
                            window.toplevel().send_close();
                        }
                    }
                    FramePart::Inside => {}
                }
            }
        }
    }

    pub(crate) fn pointer_axis(&mut self, horizontal: f64, vertical: f64, time: u32) {
        let Some(pointer) = self.seat.get_pointer() else { return };
        let mut frame = AxisFrame::new(time).source(AxisSource::Wheel);
        for (axis, value) in [(Axis::Horizontal, horizontal), (Axis::Vertical, vertical)] {
            if value != 0.0 && value.is_finite() {
                // A notch of a wheel is 15 pixels and 120 parts.
                frame = frame.value(axis, value).v120(axis, (value * 8.0) as i32);
            }
        }
        pointer.axis(self, frame);
        pointer.frame(self);
    }

    pub(crate) fn key(&mut self, key: u32, pressed: bool, time: u32) {
        let Some(keyboard) = self.seat.get_keyboard() else { return };
        let state = if pressed { KeyState::Pressed } else { KeyState::Released };
        let code = Keycode::new(key.saturating_add(XKB_OFFSET));
        let serial = SERIAL_COUNTER.next_serial();
        let terminal = keyboard.input(self, code, state, serial, time, |_, _, key| {
            let symbol = key.modified_sym().raw();
            if pressed && SWITCH_TERMINAL.contains(&symbol) {
                FilterResult::Intercept((symbol - SWITCH_TERMINAL.start()) as i32 + 1)
            } else {
                FilterResult::Forward
            }
        });
        if let Some(number) = terminal {
            self.backend.switch_terminal(number);
        }
    }

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
            match self.hit(location) {
                Some(Hit::Surface { window, .. } | Hit::Frame { window, .. }) => {
                    self.focus_window(Some(window));
                }
                None => self.focus_window(None),
            }
            let serial = SERIAL_COUNTER.next_serial();
            touch.down(self, focus, &DownEvent { slot, location, serial, time });
        } else {
            touch.motion(self, focus, &TouchMotionEvent { slot, location, time });
        }
        touch.frame(self);
    }

    pub(crate) fn touch_up(&mut self, finger: u32, time: u32) {
        let Some(touch) = self.seat.get_touch() else { return };
        let slot = TouchSlot::from(Some(finger));
        touch.up(self, &UpEvent { slot, serial: SERIAL_COUNTER.next_serial(), time });
        touch.frame(self);
    }
}
