//! Input, from wherever it comes: a back end's devices, or a test.

use smithay::{
    backend::input::{Axis, AxisSource, ButtonState, KeyState},
    input::{
        keyboard::{FilterResult, Keycode, Keysym},
        pointer::{AxisFrame, ButtonEvent, GrabStartData, MotionEvent, RelativeMotionEvent},
    },
    reexports::wayland_server::protocol::wl_surface::WlSurface,
    utils::{Logical, Point, SERIAL_COUNTER},
    wayland::compositor::RegionAttributes,
};

use crate::{
    client::{ClientOrigin, origin_of_surface},
    handlers::Held,
    keys::Action,
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

/// What a key does here, so that no program hears of it.
enum Asked {
    /// Another of the system's terminals, counted from 1.
    Terminal(i32),
    Action(Action),
}

fn terminal(symbol: Keysym) -> Option<i32> {
    let symbol = symbol.raw();
    SWITCH_TERMINAL.contains(&symbol).then(|| (symbol - SWITCH_TERMINAL.start()) as i32 + 1)
}

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
    /// The pointer is moved by so much from where it is.
    PointerMotionBy {
        /// To the right, in pixels.
        dx: f64,
        /// Down, in pixels.
        dy: f64,
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

/// A time as the client of a surface is told it.
pub(crate) fn told_to(surface: Option<&WlSurface>, time: u32) -> u32 {
    let origin = surface.and_then(origin_of_surface);
    let domain = origin.as_ref().and_then(ClientOrigin::domain);
    domain.map_or(time, |domain| domain.input_timing().coarsen(time))
}

impl State {
    /// Take input as if it came from a device, now.
    pub fn inject(&mut self, input: Input) {
        self.take_input(input, self.clock.now().as_millis());
    }

    /// Take input of a time in milliseconds.
    pub(crate) fn take_input(&mut self, input: Input, time: u32) {
        self.somebody_is_there();
        let time = self.as_told_of(&input, time);
        match input {
            Input::PointerMotion { x, y } => {
                let location = self.outputs.confine(Point::from((x, y)));
                let delta = location - std::mem::replace(&mut self.pointer_at, location);
                self.pointer_motion(location, delta, time);
            }
            Input::PointerMotionBy { dx, dy } => {
                let Some(pointer) = self.seat.get_pointer() else { return };
                let delta = Point::from((dx, dy));
                self.pointer_motion(pointer.current_location() + delta, delta, time);
                self.pointer_at = pointer.current_location();
            }
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

    /// Somebody uses a device.
    pub(crate) fn somebody_is_there(&mut self) {
        let seat = self.seat.clone();
        self.protocols.idle_notifier.notify_activity(&seat);
    }

    /// The time that those are told who hear of input: not as exactly as it is known, where that is
    /// configured for their domain.
    fn as_told_of(&self, input: &Input, time: u32) -> u32 {
        match input {
            Input::Key { .. } | Input::TouchUp { .. } => {
                told_to(self.keyboard_goes_to.as_ref(), time)
            }
            Input::Touch { x, y, .. } => {
                let under = self.surface_under((*x, *y).into());
                told_to(under.as_ref().map(|(surface, _)| surface), time)
            }
            _ => self.as_told_under_pointer(time),
        }
    }

    /// The same for what is done over the surface under the pointer.
    pub(crate) fn as_told_under_pointer(&self, time: u32) -> u32 {
        told_to(self.pointer_focus.as_ref().map(|(surface, _)| surface), time)
    }

    fn hit(&self, point: Point<f64, Logical>) -> Option<Hit> {
        let smallest = self.outputs.smallest_size();
        let windows = self.windows.as_slice();
        let unmanaged = self.xwayland.unmanaged();
        hit_test(windows, unmanaged, &self.panels, &self.theme, &self.outputs, smallest, point)
    }

    /// The surface under a point. While something is dragged, other domains do not notice.
    pub(crate) fn surface_under(
        &self,
        point: Point<f64, Logical>,
    ) -> Option<(WlSurface, Point<f64, Logical>)> {
        if self.is_locked() {
            return self.lock_under(point);
        }
        match self.hit(point)? {
            Hit::Surface { surface, location, .. }
            | Hit::Panel { surface, location, .. }
            | Hit::Unmanaged { surface, location } => {
                let dragging = self.selections.drag.as_ref();
                let seen =
                    dragging.is_none_or(|from| Some(from) == origin_of_surface(&surface).as_ref());
                seen.then_some((surface, location))
            }
            Hit::Frame { .. } => None,
        }
    }

    /// The pointer is moved to `location` by `delta`. Where it is held it is not there then.
    pub(crate) fn pointer_motion(
        &mut self,
        location: Point<f64, Logical>,
        delta: Point<f64, Logical>,
        time: u32,
    ) {
        let Some(pointer) = self.seat.get_pointer() else { return };
        let utime = u64::from(time) * 1000;
        let relative = RelativeMotionEvent { delta, delta_unaccel: delta, utime };
        let location = self.outputs.confine(location);
        let held = if pointer.is_grabbed() { None } else { self.pointer_held() };
        let location = match held {
            Some(Held::Still) => {
                pointer.relative_motion(self, self.pointer_focus.clone(), &relative);
                pointer.frame(self);
                return;
            }
            Some(Held::Within(region)) => {
                self.confined(pointer.current_location(), location, region.as_ref())
            }
            None => location,
        };
        // To whom the pointer is with. Xwayland would add it to where the pointer enters.
        pointer.relative_motion(self, self.pointer_focus.clone(), &relative);
        let focus = self.surface_under(location);
        self.pointer_focus.clone_from(&focus);
        let event = MotionEvent { location, serial: SERIAL_COUNTER.next_serial(), time };
        let before = std::mem::replace(&mut self.pointer_location, location);
        pointer.motion(self, focus, &event);
        pointer.frame(self);
        self.refresh_pointer_constraint();
        if self.is_locked() {
            // It goes with the pointer from output to output.
            self.refresh_keyboard_focus();
        }
        self.cursor_moved(before);
    }

    /// As near to `to` as a pointer at `from` gets that stays on its surface, and in a region of it.
    fn confined(
        &self,
        from: Point<f64, Logical>,
        to: Point<f64, Logical>,
        region: Option<&RegionAttributes>,
    ) -> Point<f64, Logical> {
        let Some((surface, origin)) = &self.pointer_focus else { return to };
        let inside = |point: Point<f64, Logical>| {
            self.surface_under(point).is_some_and(|(under, _)| under == *surface)
                && region.is_none_or(|region| region.contains((point - *origin).to_i32_floor()))
                && self.outputs.contains(point)
        };
        if inside(to) {
            return to;
        }
        // The last place inside on the way, first along one side and then along the other.
        let nearest = |from: Point<f64, Logical>, to: Point<f64, Logical>| {
            let (mut inner, mut outer) = (0.0, 1.0);
            let at = |part: f64| {
                Point::from((from.x + (to.x - from.x) * part, from.y + (to.y - from.y) * part))
            };
            if inside(to) {
                return to;
            }
            for _ in 0..20 {
                let middle = (inner + outer) / 2.0;
                if inside(at(middle)) { inner = middle } else { outer = middle }
            }
            // Whole pixels, as the region's are, if those are inside.
            let whole = at(inner).to_i32_floor::<i32>().to_f64();
            if inside(whole) { whole } else { at(inner) }
        };
        let sideways = nearest(from, Point::from((to.x, from.y)));
        nearest(sideways, Point::from((sideways.x, to.y)))
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

    fn pointer_button(&mut self, button: u32, pressed: bool, time: u32) {
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
        if self.is_locked() {
            return;
        }
        match self.hit(location) {
            None => self.focus_window(None),
            Some(Hit::Panel { panel, .. }) => self.focus_panel(&panel),
            Some(Hit::Surface { window, .. }) => self.focus_window(Some(window)),
            // The menu's own window keeps the focus.
            Some(Hit::Unmanaged { .. }) => {}
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
                            window.close();
                        }
                    }
                    FramePart::Inside => {}
                }
            }
        }
    }

    fn pointer_axis(&mut self, horizontal: f64, vertical: f64, time: u32) {
        let mut frame = AxisFrame::new(time).source(AxisSource::Wheel);
        for (axis, value) in [(Axis::Horizontal, horizontal), (Axis::Vertical, vertical)] {
            if value != 0.0 && value.is_finite() {
                // A notch of a wheel is 15 pixels and 120 parts.
                frame = frame.value(axis, value).v120(axis, (value * 8.0) as i32);
            }
        }
        self.scroll(frame);
    }

    /// What is under the pointer is scrolled.
    pub(crate) fn scroll(&mut self, frame: AxisFrame) {
        self.somebody_is_there();
        let Some(pointer) = self.seat.get_pointer() else { return };
        pointer.axis(self, frame);
        pointer.frame(self);
    }

    fn key(&mut self, key: u32, pressed: bool, time: u32) {
        let Some(keyboard) = self.seat.get_keyboard() else { return };
        let state = if pressed { KeyState::Pressed } else { KeyState::Released };
        let code = Keycode::new(key.saturating_add(XKB_OFFSET));
        let serial = SERIAL_COUNTER.next_serial();
        let inhibited = self.shortcuts_are_inhibited();
        let asked = keyboard.input(self, code, state, serial, time, |state, held, keysym| {
            let before = state.shortcut_keys.len() + state.keys_let_go.len();
            state.shortcut_keys.retain(|other| *other != key);
            state.keys_let_go.retain(|other| *other != key);
            if !pressed {
                let unheard = state.shortcut_keys.len() + state.keys_let_go.len() != before;
                return if unheard { FilterResult::Intercept(None) } else { FilterResult::Forward };
            }
            let action = || {
                let action = keysym
                    .raw_latin_sym_or_raw_current_sym()
                    .and_then(|keysym| state.config.keys.action(held, keysym))
                    .filter(|action| {
                        !state.is_locked() && (!inhibited || action.is_never_inhibited())
                    });
                action.map(Asked::Action)
            };
            match terminal(keysym.modified_sym()).map(Asked::Terminal).or_else(action) {
                Some(asked) => {
                    state.shortcut_keys.push(key);
                    FilterResult::Intercept(Some(asked))
                }
                None => FilterResult::Forward,
            }
        });
        match asked.flatten() {
            Some(Asked::Terminal(number)) => self.backend.switch_terminal(number),
            Some(Asked::Action(action)) => self.act(action),
            None => {}
        }
    }

    /// Give the focus to what is touched there.
    pub(crate) fn focus_at(&mut self, location: Point<f64, Logical>) {
        match self.hit(location) {
            _ if self.is_locked() => {}
            Some(Hit::Surface { window, .. } | Hit::Frame { window, .. }) => {
                self.focus_window(Some(window));
            }
            Some(Hit::Panel { panel, .. }) => self.focus_panel(&panel),
            Some(Hit::Unmanaged { .. }) => {}
            None => self.focus_window(None),
        }
    }
}
