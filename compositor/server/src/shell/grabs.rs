//! Windows dragged by the pointer: moved by the title bar, resized by the border, or either because
//! the client asked while a button was held.

use smithay::{
    input::pointer::{
        AxisFrame, ButtonEvent, GestureHoldBeginEvent, GestureHoldEndEvent, GesturePinchBeginEvent,
        GesturePinchEndEvent, GesturePinchUpdateEvent, GestureSwipeBeginEvent,
        GestureSwipeEndEvent, GestureSwipeUpdateEvent, GrabStartData, MotionEvent, PointerGrab,
        PointerInnerHandle, RelativeMotionEvent,
    },
    reexports::{
        wayland_protocols::xdg::shell::server::xdg_toplevel::ResizeEdge,
        wayland_server::protocol::wl_surface::WlSurface,
    },
    utils::{Logical, Point, Rectangle, Size},
};

use super::window::{GREATEST_SIDE, WindowId};
use crate::state::State;

/// How much of a window stays on the output when it is moved to its edge.
const ALWAYS_ON_OUTPUT: i32 = 48;
/// The least size that a window is asked to take when it does not say one itself.
const LEAST_SIZE: (i32, i32) = (80, 40);

/// Edges of a window that are dragged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResizeEdges {
    /// The left edge.
    pub left: bool,
    /// The right edge.
    pub right: bool,
    /// The upper edge.
    pub top: bool,
    /// The lower edge.
    pub bottom: bool,
}

impl From<ResizeEdge> for ResizeEdges {
    fn from(edge: ResizeEdge) -> ResizeEdges {
        use ResizeEdge::{Bottom, BottomLeft, BottomRight, Left, Right, Top, TopLeft, TopRight};
        ResizeEdges {
            left: matches!(edge, Left | TopLeft | BottomLeft),
            right: matches!(edge, Right | TopRight | BottomRight),
            top: matches!(edge, Top | TopLeft | TopRight),
            bottom: matches!(edge, Bottom | BottomLeft | BottomRight),
        }
    }
}

/// What the drag does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drag {
    /// The window follows the pointer.
    Move,
    /// The edges follow the pointer.
    Resize(ResizeEdges),
}

/// A drag that goes on until the button is let go.
pub struct WindowGrab {
    start: GrabStartData<State>,
    window: WindowId,
    initial: Rectangle<i32, Logical>,
    drag: Drag,
}

impl WindowGrab {
    /// Drag a window whose client's pixels lie at `initial`.
    pub fn new(
        start: GrabStartData<State>,
        window: WindowId,
        initial: Rectangle<i32, Logical>,
        drag: Drag,
    ) -> WindowGrab {
        WindowGrab { start, window, initial, drag }
    }

    fn follow(&self, state: &mut State, pointer: Point<f64, Logical>) {
        let delta = (pointer - self.start.location).to_i32_round::<i32>();
        let area = state.room_at(pointer).output;
        let bar = state.theme.bar_height();
        let Some(window) = state.windows.get_mut(self.window) else { return };
        match self.drag {
            Drag::Move => {
                let wanted = self.initial.loc + delta;
                let size = window.client_area().size;
                // The title bar stays within reach.
                window.move_to(Point::from((
                    wanted.x.clamp(
                        area.loc.x + ALWAYS_ON_OUTPUT - size.w,
                        area.loc.x + (area.size.w - ALWAYS_ON_OUTPUT).max(0),
                    ),
                    wanted.y.clamp(area.loc.y + bar, area.loc.y + (area.size.h - 1).max(bar)),
                )));
                let surface = window.wl_surface().clone();
                state.tell_scale(&surface);
            }
            Drag::Resize(edges) => {
                let (least, greatest) = window.size_limits();
                let size = resized(self.initial.size, edges, delta, least, greatest);
                window.resize(edges, self.initial, size);
            }
        }
        state.queue_redraw();
    }

    fn finish(&self, state: &mut State) {
        let resized = matches!(self.drag, Drag::Resize(_));
        if let Some(window) = state.windows.get_mut(self.window).filter(|_| resized) {
            window.resizing_ends();
        }
    }
}

/// The size that a drag by `delta` asks for, within what the client accepts (zero: anything).
fn resized(
    initial: Size<i32, Logical>,
    edges: ResizeEdges,
    delta: Point<i32, Logical>,
    least: Size<i32, Logical>,
    greatest: Size<i32, Logical>,
) -> Size<i32, Logical> {
    let side = |initial: i32, delta: i32, before: bool, after: bool, limits: (i32, i32, i32)| {
        let (least, greatest, otherwise) = limits;
        let wanted = initial
            + if before {
                -delta
            } else if after {
                delta
            } else {
                0
            };
        let least = if least > 0 { least } else { otherwise }.min(GREATEST_SIDE);
        let greatest = if greatest > 0 { greatest } else { GREATEST_SIDE };
        wanted.clamp(least, greatest.max(least))
    };
    Size::from((
        side(initial.w, delta.x, edges.left, edges.right, (least.w, greatest.w, LEAST_SIZE.0)),
        side(initial.h, delta.y, edges.top, edges.bottom, (least.h, greatest.h, LEAST_SIZE.1)),
    ))
}

type Focus = Option<(WlSurface, Point<f64, Logical>)>;

impl PointerGrab<State> for WindowGrab {
    fn motion(
        &mut self,
        state: &mut State,
        handle: &mut PointerInnerHandle<'_, State>,
        _focus: Focus,
        event: &MotionEvent,
    ) {
        // No client sees the pointer while it drags a window.
        handle.motion(state, None, event);
        if state.windows.get(self.window).is_none() {
            handle.unset_grab(self, state, event.serial, event.time, true);
            return;
        }
        self.follow(state, event.location);
    }

    fn button(
        &mut self,
        state: &mut State,
        handle: &mut PointerInnerHandle<'_, State>,
        event: &ButtonEvent,
    ) {
        handle.button(state, event);
        if handle.current_pressed().is_empty() {
            let location = handle.current_location();
            handle.unset_grab(self, state, event.serial, event.time, true);
            if self.drag == Drag::Move {
                state.dropped_at(self.window, location);
            }
        }
    }

    fn unset(&mut self, state: &mut State) {
        self.finish(state);
    }

    fn start_data(&self) -> &GrabStartData<State> {
        &self.start
    }

    fn relative_motion(
        &mut self,
        state: &mut State,
        handle: &mut PointerInnerHandle<'_, State>,
        focus: Focus,
        event: &RelativeMotionEvent,
    ) {
        handle.relative_motion(state, focus, event);
    }

    fn axis(
        &mut self,
        state: &mut State,
        handle: &mut PointerInnerHandle<'_, State>,
        details: AxisFrame,
    ) {
        handle.axis(state, details);
    }

    fn frame(&mut self, state: &mut State, handle: &mut PointerInnerHandle<'_, State>) {
        handle.frame(state);
    }

    fn gesture_swipe_begin(
        &mut self,
        state: &mut State,
        handle: &mut PointerInnerHandle<'_, State>,
        event: &GestureSwipeBeginEvent,
    ) {
        handle.gesture_swipe_begin(state, event);
    }

    fn gesture_swipe_update(
        &mut self,
        state: &mut State,
        handle: &mut PointerInnerHandle<'_, State>,
        event: &GestureSwipeUpdateEvent,
    ) {
        handle.gesture_swipe_update(state, event);
    }

    fn gesture_swipe_end(
        &mut self,
        state: &mut State,
        handle: &mut PointerInnerHandle<'_, State>,
        event: &GestureSwipeEndEvent,
    ) {
        handle.gesture_swipe_end(state, event);
    }

    fn gesture_pinch_begin(
        &mut self,
        state: &mut State,
        handle: &mut PointerInnerHandle<'_, State>,
        event: &GesturePinchBeginEvent,
    ) {
        handle.gesture_pinch_begin(state, event);
    }

    fn gesture_pinch_update(
        &mut self,
        state: &mut State,
        handle: &mut PointerInnerHandle<'_, State>,
        event: &GesturePinchUpdateEvent,
    ) {
        handle.gesture_pinch_update(state, event);
    }

    fn gesture_pinch_end(
        &mut self,
        state: &mut State,
        handle: &mut PointerInnerHandle<'_, State>,
        event: &GesturePinchEndEvent,
    ) {
        handle.gesture_pinch_end(state, event);
    }

    fn gesture_hold_begin(
        &mut self,
        state: &mut State,
        handle: &mut PointerInnerHandle<'_, State>,
        event: &GestureHoldBeginEvent,
    ) {
        handle.gesture_hold_begin(state, event);
    }

    fn gesture_hold_end(
        &mut self,
        state: &mut State,
        handle: &mut PointerInnerHandle<'_, State>,
        event: &GestureHoldEndEvent,
    ) {
        handle.gesture_hold_end(state, event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_stay_within_what_the_client_accepts() {
        let right_bottom = ResizeEdges { right: true, bottom: true, ..ResizeEdges::default() };
        let resize = |edges, delta: (i32, i32), least: (i32, i32), greatest: (i32, i32)| {
            resized((200, 100).into(), edges, delta.into(), least.into(), greatest.into())
        };
        assert_eq!(resize(right_bottom, (30, -20), (0, 0), (0, 0)), (230, 80).into());
        assert_eq!(resize(right_bottom, (-900, -900), (0, 0), (0, 0)), LEAST_SIZE.into());
        assert_eq!(resize(right_bottom, (-900, -900), (150, 90), (0, 0)), (150, 90).into());
        assert_eq!(resize(right_bottom, (900, 900), (0, 0), (210, 120)), (210, 120).into());
        // Limits that contradict each other: the least size counts.
        assert_eq!(resize(right_bottom, (0, 0), (300, 300), (100, 100)), (300, 300).into());
        let left = ResizeEdges { left: true, ..ResizeEdges::default() };
        assert_eq!(resize(left, (30, 50), (0, 0), (0, 0)), (170, 100).into());
    }
}
