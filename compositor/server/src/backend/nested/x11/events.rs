//! What an X11 desktop tells.

use smithay::utils::{Point, Size};
use x11rb::protocol::{
    Event,
    xproto::{self, ButtonPressEvent, ConfigureNotifyEvent},
};

use super::{Window, X11};
use crate::{
    backend::nested::host::Told,
    input::{Input, XKB_OFFSET},
};

/// What a notch of a wheel scrolls.
const NOTCH: f64 = 15.0;

impl X11 {
    fn window_named(&mut self, name: xproto::Window) -> Option<&mut Window> {
        self.windows.iter_mut().find(|window| window.name() == name)
    }

    pub(super) fn told(&mut self, event: Event, told: &mut Vec<Told>) {
        match event {
            Event::ConfigureNotify(event) => self.configured(&event, told),
            Event::MapNotify(event) => {
                if let Some(window) = self.window_named(event.window) {
                    window.is_mapped = true;
                }
            }
            Event::UnmapNotify(event) => {
                if let Some(window) = self.window_named(event.window) {
                    window.is_mapped = false;
                }
            }
            Event::Expose(event) if event.count == 0 => {
                if let Some(window) = self.window_named(event.window) {
                    window.is_awaited = false;
                    window.pictures.forget();
                    told.push(Told::Lost(window.id));
                }
            }
            Event::ShmCompletion(event) => {
                let windows = self.windows.iter_mut();
                windows.for_each(|window| window.pictures.give_back(|b| b.is(event.shmseg)));
            }
            Event::ClientMessage(event) => {
                let closes = event.data.as_data32()[0] == self.atoms.WM_DELETE_WINDOW;
                if let Some(window) = self.window_named(event.window).filter(|_| closes) {
                    told.push(Told::Close(window.id));
                }
            }
            Event::FocusIn(event) => self.focused(event.event, true, told),
            Event::FocusOut(event) => self.focused(event.event, false, told),
            Event::KeymapNotify(event) => {
                // It counts keys from 8 on, as xkb does.
                let keys = (1..).zip(event.keys).flat_map(|(byte, bits): (u32, u8)| {
                    (0..8).filter(move |bit| bits & (1 << bit) != 0).map(move |bit| byte * 8 + bit)
                });
                let keys = keys.map(|key| key.saturating_sub(XKB_OFFSET));
                if self.windows.iter().any(|window| window.has_keyboard) {
                    let pressed = self.held.enter(keys).into_iter();
                    told.extend(pressed.map(|input| Told::Input { input, time: None }));
                }
            }
            Event::KeyPress(event) => self.key(event.detail, true, event.time, told),
            Event::KeyRelease(event) => self.key(event.detail, false, event.time, told),
            Event::ButtonPress(event) => button(&event, true, told),
            Event::ButtonRelease(event) => button(&event, false, told),
            Event::MotionNotify(event) => {
                self.pointer(event.event, (event.event_x, event.event_y), event.time, told);
            }
            Event::EnterNotify(event) => {
                self.pointer(event.event, (event.event_x, event.event_y), event.time, told);
            }
            Event::LeaveNotify(_) => told.push(Told::PointerLeft),
            Event::Error(error) => tracing::warn!(?error, "the X11 desktop refuses something"),
            _ => {}
        }
    }

    fn configured(&mut self, event: &ConfigureNotifyEvent, told: &mut Vec<Told>) {
        let Some(window) = self.window_named(event.window) else { return };
        let size = Size::from((i32::from(event.width), i32::from(event.height)));
        if window.size != size {
            window.size = size;
            told.push(Told::Shape(window.id));
        }
    }

    fn focused(&mut self, name: xproto::Window, has_keyboard: bool, told: &mut Vec<Told>) {
        let Some(window) = self.window_named(name) else { return };
        if std::mem::replace(&mut window.has_keyboard, has_keyboard) == has_keyboard {
            return;
        }
        if !has_keyboard {
            let released = self.held.leave().into_iter();
            told.extend(released.map(|input| Told::Input { input, time: None }));
        } else if self.holds_shortcuts {
            self.grab_keyboard();
        }
    }

    fn key(&mut self, key: u8, pressed: bool, time: u32, told: &mut Vec<Told>) {
        let key = u32::from(key).saturating_sub(XKB_OFFSET);
        let input = self.held.key(key, pressed);
        told.extend(input.map(|input| Told::Input { input, time: Some(time) }));
    }

    fn pointer(
        &mut self,
        name: xproto::Window,
        (x, y): (i16, i16),
        time: u32,
        told: &mut Vec<Told>,
    ) {
        if let Some(window) = self.window_named(name) {
            let at = Point::from((f64::from(x), f64::from(y)));
            told.push(Told::Pointer { window: window.id, at, time: Some(time) });
        }
    }
}

/// X11 counts buttons from 1, with the wheel's notches among them.
fn button(event: &ButtonPressEvent, pressed: bool, told: &mut Vec<Told>) {
    // linux/input-event-codes.h: BTN_LEFT, BTN_MIDDLE, BTN_RIGHT, BTN_SIDE and those after it.
    let button = match event.detail {
        1 => 0x110,
        2 => 0x112,
        3 => 0x111,
        wheel @ 4..=7 => {
            let amount = if wheel % 2 == 0 { -NOTCH } else { NOTCH };
            let (horizontal, vertical) = if wheel < 6 { (0.0, amount) } else { (amount, 0.0) };
            if pressed {
                let input = Input::PointerAxis { horizontal, vertical };
                told.push(Told::Input { input, time: Some(event.time) });
            }
            return;
        }
        more => 0x113 + u32::from(more.saturating_sub(8)),
    };
    told.push(Told::Input {
        input: Input::PointerButton { button, pressed },
        time: Some(event.time),
    });
}
