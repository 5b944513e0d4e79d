//! `zwlr_virtual_pointer_manager_v1`: a pointer that a local tool moves, such as one that serves a
//! remote desktop. What it does counts as done by a person.

mod scroll;

use std::sync::{Mutex, PoisonError};

use smithay::{
    backend::input::{Axis, AxisSource},
    output::Output,
    reexports::{
        wayland_protocols_wlr::virtual_pointer::v1::server::{
            zwlr_virtual_pointer_manager_v1::{self, ZwlrVirtualPointerManagerV1},
            zwlr_virtual_pointer_v1::{self, Error, ZwlrVirtualPointerV1},
        },
        wayland_server::{
            Client, DataInit, Dispatch, DisplayHandle, GlobalDispatch, New, Resource, WEnum,
            backend::ClientId,
            protocol::wl_pointer::{Axis as WlAxis, AxisSource as WlAxisSource, ButtonState},
        },
    },
    utils::Point,
};

use scroll::Scroll;

use crate::{
    client::is_trusted, input::Input, outputs::layout, render::present::OutputView, state::State,
};

/// The newest version that is offered.
pub(crate) const VERSION: u32 = 2;
/// The farthest that the pointer moves at once.
const FARTHEST: f64 = 100_000.0;
/// What is done in one frame at most.
const MOST_INPUTS: usize = 256;
/// The most buttons that are held at once.
const MOST_BUTTONS: usize = 16;

/// A pointer of a tool's.
#[derive(Debug, Default)]
pub(crate) struct VirtualPointer {
    /// The output that its places are on; all of them if there is none.
    output: Option<Output>,
    pending: Mutex<Pending>,
}

/// What waits for the end of a frame, and what is held.
#[derive(Debug, Default)]
struct Pending {
    inputs: Vec<Input>,
    scroll: Scroll,
    held: Vec<u32>,
}

/// An axis of the protocol's. There being no such one is the client's error.
fn known_axis(pointer: &ZwlrVirtualPointerV1, axis: WEnum<WlAxis>) -> Option<Axis> {
    match axis {
        WEnum::Value(WlAxis::HorizontalScroll) => Some(Axis::Horizontal),
        WEnum::Value(WlAxis::VerticalScroll) => Some(Axis::Vertical),
        _ => {
            pointer.post_error(Error::InvalidAxis, "there is no such axis");
            None
        }
    }
}

fn known_source(source: WEnum<WlAxisSource>) -> Option<AxisSource> {
    match source {
        WEnum::Value(WlAxisSource::Wheel) => Some(AxisSource::Wheel),
        WEnum::Value(WlAxisSource::Finger) => Some(AxisSource::Finger),
        WEnum::Value(WlAxisSource::Continuous) => Some(AxisSource::Continuous),
        WEnum::Value(WlAxisSource::WheelTilt) => Some(AxisSource::WheelTilt),
        _ => None,
    }
}

impl GlobalDispatch<ZwlrVirtualPointerManagerV1, ()> for State {
    fn bind(
        _: &mut State,
        _: &DisplayHandle,
        _: &Client,
        manager: New<ZwlrVirtualPointerManagerV1>,
        (): &(),
        data_init: &mut DataInit<'_, State>,
    ) {
        data_init.init(manager, ());
    }

    fn can_view(client: Client, (): &()) -> bool {
        is_trusted(&client)
    }
}

impl Dispatch<ZwlrVirtualPointerManagerV1, ()> for State {
    fn request(
        _: &mut State,
        _: &Client,
        _: &ZwlrVirtualPointerManagerV1,
        request: zwlr_virtual_pointer_manager_v1::Request,
        (): &(),
        _: &DisplayHandle,
        data_init: &mut DataInit<'_, State>,
    ) {
        use zwlr_virtual_pointer_manager_v1::Request;
        let (id, output) = match request {
            Request::CreateVirtualPointer { id, .. } => (id, None),
            Request::CreateVirtualPointerWithOutput { id, output, .. } => (id, output),
            _ => return,
        };
        let output = output.as_ref().and_then(Output::from_resource);
        data_init.init(id, VirtualPointer { output, pending: Mutex::default() });
    }
}

impl Dispatch<ZwlrVirtualPointerV1, VirtualPointer> for State {
    fn request(
        state: &mut State,
        _: &Client,
        pointer: &ZwlrVirtualPointerV1,
        request: zwlr_virtual_pointer_v1::Request,
        data: &VirtualPointer,
        _: &DisplayHandle,
        _: &mut DataInit<'_, State>,
    ) {
        use zwlr_virtual_pointer_v1::Request;
        let near = |value: f64| value.clamp(-FARTHEST, FARTHEST);
        let mut pending = data.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.inputs.len() >= MOST_INPUTS && !matches!(request, Request::Frame) {
            return;
        }
        match request {
            Request::Motion { dx, dy, .. } => {
                pending.inputs.push(Input::PointerMotionBy { dx: near(dx), dy: near(dy) });
            }
            Request::MotionAbsolute { x, y, x_extent, y_extent, .. } => {
                if x_extent == 0 || y_extent == 0 {
                    return;
                }
                let view = data.output.as_ref().and_then(|output| state.outputs.by_output(output));
                let area = view.map_or_else(|| state.outputs.bounds(), OutputView::area).to_f64();
                let part = |at: u32, of: u32| f64::from(at.min(of)) / f64::from(of);
                let from = (part(x, x_extent) * area.size.w, part(y, y_extent) * area.size.h);
                let Point { x, y, .. } =
                    layout::confined(area.to_i32_round(), area.loc + Point::from(from));
                pending.inputs.push(Input::PointerMotion { x, y });
            }
            Request::Button { button, state: button_state, .. } => {
                let pressed = matches!(button_state, WEnum::Value(ButtonState::Pressed));
                let was_held = pending.held.contains(&button);
                if pressed == was_held || pressed && pending.held.len() >= MOST_BUTTONS {
                    return;
                }
                if pressed {
                    pending.held.push(button);
                } else {
                    pending.held.retain(|other| *other != button);
                }
                pending.inputs.push(Input::PointerButton { button, pressed });
            }
            Request::Axis { axis, value, .. } => {
                if let Some(axis) = known_axis(pointer, axis) {
                    pending.scroll.add(axis, value, None);
                }
            }
            Request::AxisDiscrete { axis, value, discrete, .. } => {
                if let Some(axis) = known_axis(pointer, axis) {
                    pending.scroll.add(axis, value, Some(discrete));
                }
            }
            Request::AxisStop { axis, .. } => {
                if let Some(axis) = known_axis(pointer, axis) {
                    pending.scroll.stop(axis);
                }
            }
            Request::AxisSource { axis_source } => match known_source(axis_source) {
                Some(source) => pending.scroll.set_source(source),
                None => pointer.post_error(Error::InvalidAxisSource, "there is no such source"),
            },
            Request::Frame => {
                let inputs = std::mem::take(&mut pending.inputs);
                let scroll = std::mem::take(&mut pending.scroll);
                drop(pending);
                for input in inputs {
                    state.inject(input);
                }
                let time = state.as_told_under_pointer(state.clock.now().as_millis());
                if let Some(frame) = scroll.frame(time) {
                    state.scroll(frame);
                }
            }
            _ => {}
        }
    }

    fn destroyed(state: &mut State, _: ClientId, _: &ZwlrVirtualPointerV1, data: &VirtualPointer) {
        // Nobody else would let go of them.
        let held = {
            let mut pending = data.pending.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut pending.held)
        };
        for button in held {
            state.inject(Input::PointerButton { button, pressed: false });
        }
    }
}
