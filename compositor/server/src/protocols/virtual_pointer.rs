//! `zwlr_virtual_pointer_manager_v1`: a pointer that a local tool moves, such as one that serves a
//! remote desktop. What it does counts as done by a person.

use std::sync::{Mutex, PoisonError};

use smithay::{
    output::Output,
    reexports::{
        wayland_protocols_wlr::virtual_pointer::v1::server::{
            zwlr_virtual_pointer_manager_v1::{self, ZwlrVirtualPointerManagerV1},
            zwlr_virtual_pointer_v1::{self, Error, ZwlrVirtualPointerV1},
        },
        wayland_server::{
            Client, DataInit, Dispatch, DisplayHandle, GlobalDispatch, New, Resource, WEnum,
            backend::ClientId,
            protocol::wl_pointer::{Axis, ButtonState},
        },
    },
    utils::Point,
};

use crate::{
    client::is_trusted, input::Input, outputs::layout, render::present::OutputView, state::State,
};

/// The newest version that is offered.
pub(crate) const VERSION: u32 = 2;
/// The farthest that the pointer or the wheel moves at once.
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
    horizontal: f64,
    vertical: f64,
    held: Vec<u32>,
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
            Request::Axis { axis, value, .. } | Request::AxisDiscrete { axis, value, .. } => {
                match axis {
                    WEnum::Value(Axis::HorizontalScroll) => {
                        pending.horizontal = near(pending.horizontal + value);
                    }
                    WEnum::Value(Axis::VerticalScroll) => {
                        pending.vertical = near(pending.vertical + value);
                    }
                    _ => pointer.post_error(Error::InvalidAxis, "there is no such axis"),
                }
            }
            Request::AxisSource { axis_source: WEnum::Unknown(_) } => {
                pointer.post_error(Error::InvalidAxisSource, "there is no such source");
            }
            Request::Frame => {
                let Pending { horizontal, vertical, .. } = *pending;
                (pending.horizontal, pending.vertical) = (0.0, 0.0);
                let inputs = std::mem::take(&mut pending.inputs);
                drop(pending);
                for input in inputs {
                    state.inject(input);
                }
                if (horizontal, vertical) != (0.0, 0.0) {
                    state.inject(Input::PointerAxis { horizontal, vertical });
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
