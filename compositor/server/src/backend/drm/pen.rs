//! Pens of tablets: for programs that know tablets as what they are, for others as the pointer.

use smithay::{
    backend::{
        input::{
            ButtonState, Event, InputEvent, ProximityState, TabletToolButtonEvent, TabletToolEvent,
            TabletToolProximityEvent as _, TabletToolTipEvent, TabletToolTipState,
        },
        libinput::LibinputInputBackend,
    },
    reexports::{
        input::Device,
        wayland_server::{Resource, protocol::wl_surface::WlSurface},
    },
    utils::{Logical, Point, SERIAL_COUNTER},
    wayland::tablet_manager::{TabletDescriptor, TabletSeatTrait, TabletToolHandle},
};

use crate::{
    input::{Input, LEFT_BUTTON},
    state::State,
};

/// The buttons of a pen, and those of the pointer that they are for programs that know no tablets
/// (linux/input-event-codes.h: `BTN_STYLUS`, `BTN_STYLUS2`; `BTN_RIGHT`, `BTN_MIDDLE`).
const BUTTONS: [(u32, u32); 2] = [(0x14b, 0x111), (0x14c, 0x112)];

/// What programs call a pen that they know.
const TOOL: &str = "zwp_tablet_tool_v2";

impl State {
    /// Hand on what a pen does, if that is what it is.
    pub(super) fn pen(&mut self, event: InputEvent<LibinputInputBackend>) {
        match event {
            InputEvent::TabletToolProximity { event } => {
                let (tool, _) = self.pen_moved(&event);
                if event.state() == ProximityState::Out {
                    tool.proximity_out(self.as_told_under_pointer(event.time_msec()));
                    self.pen_buttons_up(self.as_told_under_pointer(event.time_msec()));
                }
            }
            InputEvent::TabletToolAxis { event } => {
                self.pen_moved(&event);
            }
            InputEvent::TabletToolTip { event } => {
                let (tool, at) = self.pen_moved(&event);
                let (time, down) = (
                    self.as_told_under_pointer(event.time_msec()),
                    TabletToolTipEvent::tip_state(&event) == TabletToolTipState::Down,
                );
                let known = self.knows_tablets(at);
                match (down, known) {
                    (true, true) => {
                        self.focus_at(at);
                        tool.tip_down(SERIAL_COUNTER.next_serial(), time);
                    }
                    (true, false) => self.pen_button(LEFT_BUTTON, true, time),
                    (false, _) => {
                        tool.tip_up(time);
                        self.pen_button(LEFT_BUTTON, false, time);
                    }
                }
            }
            InputEvent::TabletToolButton { event } => {
                let (tool, at) = self.pen_moved(&event);
                let (time, state) = (
                    self.as_told_under_pointer(event.time_msec()),
                    TabletToolButtonEvent::button_state(&event),
                );
                let pressed = state == ButtonState::Pressed;
                let as_pointer = BUTTONS.into_iter().find(|(button, _)| *button == event.button());
                if self.knows_tablets(at) {
                    let serial = SERIAL_COUNTER.next_serial();
                    tool.button(event.button(), state, serial, time);
                } else if let Some((_, button)) = as_pointer.filter(|_| pressed) {
                    self.pen_button(button, true, time);
                }
                if let Some((_, button)) = as_pointer.filter(|_| !pressed) {
                    self.pen_button(button, false, time);
                }
            }
            _ => {}
        }
    }

    /// A pen is somewhere, and held in some way. The pointer goes with it.
    fn pen_moved<E>(&mut self, event: &E) -> (TabletToolHandle, Point<f64, Logical>)
    where
        E: TabletToolEvent<LibinputInputBackend> + Event<LibinputInputBackend>,
    {
        let (device, time): (Device, u32) =
            (event.device(), self.as_told_under_pointer(event.time_msec()));
        let at = self.on_outputs_of(&device, event);
        self.take_input(Input::PointerMotion { x: at.x, y: at.y }, time);
        let seat = self.seat.tablet_seat();
        let display = self.display_handle.clone();
        let tablet = seat.add_tablet::<State>(&display, &TabletDescriptor::from(&device));
        let tool = seat.add_tool::<State>(self, &display, &event.tool());
        if event.pressure_has_changed() {
            tool.pressure(event.pressure());
        }
        if event.distance_has_changed() {
            tool.distance(event.distance());
        }
        if event.tilt_has_changed() {
            tool.tilt(event.tilt());
        }
        if event.rotation_has_changed() {
            tool.rotation(event.rotation());
        }
        if event.slider_has_changed() {
            tool.slider_position(event.slider_position());
        }
        if event.wheel_has_changed() {
            tool.wheel(event.wheel_delta(), event.wheel_delta_discrete());
        }
        let under = self.surface_under(at);
        tool.motion(at, under, &tablet, SERIAL_COUNTER.next_serial(), time);
        (tool, at)
    }

    /// Whether the program there knows tablets. Only asked when a pen is pressed.
    fn knows_tablets(&self, at: Point<f64, Logical>) -> bool {
        let client =
            self.surface_under(at).and_then(|(surface, _): (WlSurface, _)| surface.client());
        let mut knows = false;
        if let Some(client) = client {
            let look = |id: smithay::reexports::wayland_server::backend::ObjectId| {
                knows |= id.interface().name == TOOL;
            };
            // Of a client that is gone there is nothing to know.
            let _ = self.display_handle.backend_handle().with_all_objects_for(client.id(), look);
        }
        knows
    }

    /// The pen presses a button of the pointer, or lets it go if it has pressed it.
    fn pen_button(&mut self, button: u32, pressed: bool, time: u32) {
        let Some(drm) = self.drm() else { return };
        let held = drm.pen_holds.iter().position(|held| *held == button);
        match (held, pressed) {
            (None, true) => drm.pen_holds.push(button),
            (Some(index), false) => {
                drm.pen_holds.swap_remove(index);
            }
            _ => return,
        }
        self.take_input(Input::PointerButton { button, pressed }, time);
    }

    /// A pen that is lifted presses nothing.
    fn pen_buttons_up(&mut self, time: u32) {
        let held = self.drm().map(|drm| drm.pen_holds.clone()).unwrap_or_default();
        held.into_iter().for_each(|button| self.pen_button(button, false, time));
    }
}
