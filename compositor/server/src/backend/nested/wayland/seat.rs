//! The keyboard, the pointer and the touch screen of the desktop.

use smithay::utils::{Physical, Point};
use wayland_client::{
    Connection, Dispatch, Proxy, QueueHandle, WEnum,
    protocol::{
        wl_keyboard::{self, WlKeyboard},
        wl_pointer::{self, WlPointer},
        wl_seat::{self, WlSeat},
        wl_surface::WlSurface,
        wl_touch::{self, WlTouch},
    },
};

use super::Client;
use crate::{
    backend::nested::{
        host::{Told, WindowId},
        keys::HeldKeys,
        pixels,
    },
    input::Input,
};

/// What a person uses of the desktop.
pub(super) struct Seat {
    pub(super) seat: Option<WlSeat>,
    /// The keys of the desktop's own shortcuts are to come here, too.
    pub(super) holds_shortcuts: bool,
    keyboard: Option<WlKeyboard>,
    pointer: Option<WlPointer>,
    touch: Option<WlTouch>,
    held: HeldKeys,
    /// The window with the pointer.
    pointed: Option<WindowId>,
    /// How far was scrolled since the last frame of the pointer, and in what part of notches.
    scrolled: Scrolled,
    /// The fingers that are down, and the window of each.
    fingers: Vec<(u32, WindowId)>,
}

#[derive(Clone, Copy, Default)]
struct Scrolled {
    horizontal: f64,
    vertical: f64,
    /// It was told in 120ths of a notch, which all hosts count alike.
    by_notches: bool,
}

impl Default for Seat {
    fn default() -> Seat {
        Seat {
            seat: None,
            holds_shortcuts: true,
            keyboard: None,
            pointer: None,
            touch: None,
            held: HeldKeys::default(),
            pointed: None,
            scrolled: Scrolled::default(),
            fingers: Vec::new(),
        }
    }
}

impl Client {
    fn input(&mut self, input: Input, time: Option<u32>) {
        self.told.push(Told::Input { input, time });
    }

    /// Where a place of the host's is in the pixels of a window.
    fn pixel(&self, id: WindowId, x: f64, y: f64) -> Option<Point<f64, Physical>> {
        let window = self.windows.iter().find(|window| window.id == id)?;
        Some(pixels(x, y, window.scale))
    }

    fn pointer_at(&mut self, x: f64, y: f64, time: Option<u32>) {
        if let Some(window) = self.seat.pointed
            && let Some(at) = self.pixel(window, x, y)
        {
            self.told.push(Told::Pointer { window, at, time });
        }
    }

    fn finger_at(&mut self, finger: u32, x: f64, y: f64, down: bool, time: Option<u32>) {
        let on = self.seat.fingers.iter().find(|(known, _)| *known == finger);
        if let Some(window) = on.map(|(_, window)| *window)
            && let Some(at) = self.pixel(window, x, y)
        {
            self.told.push(Told::Touch { window, finger, at, down, time });
        }
    }

    fn lift(&mut self, finger: u32, time: Option<u32>) {
        self.seat.fingers.retain(|(known, _)| *known != finger);
        self.input(Input::TouchUp { finger }, time);
    }
}

/// Which window of ours a surface is.
fn window_of(surface: &WlSurface) -> Option<WindowId> {
    surface.data::<WindowId>().copied()
}

impl Dispatch<WlSeat, ()> for Client {
    fn event(
        client: &mut Client,
        seat: &WlSeat,
        event: wl_seat::Event,
        (): &(),
        _: &Connection,
        handle: &QueueHandle<Client>,
    ) {
        use wl_seat::Capability;
        let wl_seat::Event::Capabilities { capabilities: WEnum::Value(has) } = event else {
            return;
        };
        let ours = &mut client.seat;
        match &ours.keyboard {
            None if has.contains(Capability::Keyboard) => {
                ours.keyboard = Some(seat.get_keyboard(handle, ()));
            }
            Some(keyboard) if !has.contains(Capability::Keyboard) => {
                keyboard.release();
                ours.keyboard = None;
            }
            _ => {}
        }
        match &ours.pointer {
            None if has.contains(Capability::Pointer) => {
                ours.pointer = Some(seat.get_pointer(handle, ()));
            }
            Some(pointer) if !has.contains(Capability::Pointer) => {
                pointer.release();
                ours.pointer = None;
            }
            _ => {}
        }
        match &ours.touch {
            None if has.contains(Capability::Touch) => {
                ours.touch = Some(seat.get_touch(handle, ()));
            }
            Some(touch) if !has.contains(Capability::Touch) => {
                touch.release();
                ours.touch = None;
            }
            _ => {}
        }
    }
}

impl Dispatch<WlKeyboard, ()> for Client {
    fn event(
        client: &mut Client,
        _: &WlKeyboard,
        event: wl_keyboard::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Client>,
    ) {
        match event {
            wl_keyboard::Event::Enter { keys, .. } => {
                let keys = keys.chunks_exact(4).flat_map(TryInto::try_into).map(u32::from_ne_bytes);
                let pressed = client.seat.held.enter(keys);
                pressed.into_iter().for_each(|input| client.input(input, None));
            }
            wl_keyboard::Event::Leave { .. } => {
                let released = client.seat.held.leave();
                released.into_iter().for_each(|input| client.input(input, None));
            }
            wl_keyboard::Event::Key { time, key, state: WEnum::Value(state), .. } => {
                let pressed = state == wl_keyboard::KeyState::Pressed;
                if let Some(input) = client.seat.held.key(key, pressed) {
                    client.input(input, Some(time));
                }
            }
            _ => {}
        }
    }
}

impl Dispatch<WlPointer, ()> for Client {
    fn event(
        client: &mut Client,
        pointer: &WlPointer,
        event: wl_pointer::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Client>,
    ) {
        match event {
            wl_pointer::Event::Enter { serial, surface, surface_x, surface_y } => {
                // Ours is drawn in the picture.
                pointer.set_cursor(serial, None, 0, 0);
                client.seat.pointed = window_of(&surface);
                client.pointer_at(surface_x, surface_y, None);
            }
            wl_pointer::Event::Leave { .. } => {
                client.seat.pointed = None;
                client.told.push(Told::PointerLeft);
            }
            wl_pointer::Event::Motion { time, surface_x, surface_y } => {
                client.pointer_at(surface_x, surface_y, Some(time));
            }
            wl_pointer::Event::Button { time, button, state: WEnum::Value(state), .. } => {
                let pressed = state == wl_pointer::ButtonState::Pressed;
                client.input(Input::PointerButton { button, pressed }, Some(time));
            }
            wl_pointer::Event::Axis { axis: WEnum::Value(axis), value, .. } => {
                client.seat.scrolled.add(axis, value, false);
            }
            wl_pointer::Event::AxisValue120 { axis: WEnum::Value(axis), value120 } => {
                // A notch is 15 pixels here.
                client.seat.scrolled.add(axis, f64::from(value120) / 8.0, true);
            }
            wl_pointer::Event::Frame => {
                let Scrolled { horizontal, vertical, .. } =
                    std::mem::take(&mut client.seat.scrolled);
                if (horizontal, vertical) != (0.0, 0.0) {
                    client.input(Input::PointerAxis { horizontal, vertical }, None);
                }
            }
            _ => {}
        }
    }
}

impl Scrolled {
    fn add(&mut self, axis: wl_pointer::Axis, value: f64, by_notches: bool) {
        if by_notches && !self.by_notches {
            // The same was told in the host's own pixels.
            *self = Scrolled { by_notches, ..Scrolled::default() };
        } else if !by_notches && self.by_notches {
            return;
        }
        match axis {
            wl_pointer::Axis::HorizontalScroll => self.horizontal += value,
            _ => self.vertical += value,
        }
    }
}

impl Dispatch<WlTouch, ()> for Client {
    fn event(
        client: &mut Client,
        _: &WlTouch,
        event: wl_touch::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Client>,
    ) {
        // A finger whose number is negative is none.
        let finger = |id: i32| u32::try_from(id).unwrap_or_default();
        match event {
            wl_touch::Event::Down { time, surface, id, x, y, .. } => {
                if let Some(window) = window_of(&surface) {
                    client.seat.fingers.push((finger(id), window));
                    client.finger_at(finger(id), x, y, true, Some(time));
                }
            }
            wl_touch::Event::Motion { time, id, x, y } => {
                client.finger_at(finger(id), x, y, false, Some(time));
            }
            wl_touch::Event::Up { time, id, .. } => client.lift(finger(id), Some(time)),
            wl_touch::Event::Cancel => {
                for (finger, _) in std::mem::take(&mut client.seat.fingers) {
                    client.lift(finger, None);
                }
            }
            _ => {}
        }
    }
}
