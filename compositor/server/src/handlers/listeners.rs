//! Objects by which a client hears of a seat's devices: pointers, keyboards, gestures, text inputs and
//! their like. Smithay tells each of them of each event, so that no client may have very many.

use std::sync::atomic::Ordering;

use smithay::{
    input::SeatState,
    reexports::{
        wayland_protocols::wp::{
            pointer_gestures::zv1::server::{
                zwp_pointer_gesture_hold_v1::ZwpPointerGestureHoldV1,
                zwp_pointer_gesture_pinch_v1::ZwpPointerGesturePinchV1,
                zwp_pointer_gesture_swipe_v1::ZwpPointerGestureSwipeV1,
                zwp_pointer_gestures_v1::{self, ZwpPointerGesturesV1},
            },
            tablet::zv2::server::{
                zwp_tablet_manager_v2::{self, ZwpTabletManagerV2},
                zwp_tablet_seat_v2::ZwpTabletSeatV2,
            },
            text_input::zv3::server::zwp_text_input_manager_v3::{self, ZwpTextInputManagerV3},
        },
        wayland_server::{
            Client, DataInit, Dispatch, DisplayHandle, Resource,
            backend::ClientId,
            protocol::{
                wl_keyboard::WlKeyboard,
                wl_pointer::WlPointer,
                wl_seat::{self, WlSeat},
                wl_touch::WlTouch,
            },
        },
    },
    wayland::{
        pointer_gestures::{PointerGestureUserData, PointerGesturesState},
        seat::{KeyboardUserData, PointerUserData, SeatUserData, TouchUserData},
        tablet_manager::{TabletManagerState, TabletSeatUserData},
        text_input::TextInputManagerState,
    },
};

use super::limits;
use crate::{client::ClientState, state::State};

/// The client makes one more. Whether it may have so many.
fn begin(client: &Client) -> bool {
    client
        .get_data::<ClientState>()
        .is_none_or(|data| data.listeners.fetch_add(1, Ordering::Relaxed) < limits::MOST_LISTENERS)
}

/// One is gone.
pub(super) fn end(listener: &impl Resource) {
    if let Some(client) = listener.client()
        && let Some(data) = client.get_data::<ClientState>()
    {
        data.listeners.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Which requests of a manager make listeners, and which those are.
macro_rules! listeners {
    ($($by:ty: $manager:ty: $manager_data:ty,
        $($making:pat_param)|+ => { $($listener:ty: $data:ty),* };)*) => {$(
        impl Dispatch<$manager, $manager_data> for State {
            fn request(
                state: &mut State,
                client: &Client,
                manager: &$manager,
                request: <$manager as Resource>::Request,
                data: &$manager_data,
                display: &DisplayHandle,
                data_init: &mut DataInit<'_, State>,
            ) {
                if matches!(&request, $($making)|+) && !begin(client) {
                    limits::exceeded(manager, "too many objects that hear of a seat");
                    return;
                }
                <$by as Dispatch<$manager, $manager_data, State>>::request(
                    state, client, manager, request, data, display, data_init,
                );
            }

            fn destroyed(
                state: &mut State,
                client: ClientId,
                manager: &$manager,
                data: &$manager_data,
            ) {
                <$by as Dispatch<$manager, $manager_data, State>>::destroyed(
                    state, client, manager, data,
                );
            }
        }

        $(impl Dispatch<$listener, $data> for State {
            fn request(
                state: &mut State,
                client: &Client,
                listener: &$listener,
                request: <$listener as Resource>::Request,
                data: &$data,
                display: &DisplayHandle,
                data_init: &mut DataInit<'_, State>,
            ) {
                <$by as Dispatch<$listener, $data, State>>::request(
                    state, client, listener, request, data, display, data_init,
                );
            }

            fn destroyed(
                state: &mut State,
                client: ClientId,
                listener: &$listener,
                data: &$data,
            ) {
                end(listener);
                <$by as Dispatch<$listener, $data, State>>::destroyed(
                    state, client, listener, data,
                );
            }
        })*
    )*};
}

listeners! {
    SeatState<State>: WlSeat: SeatUserData<State>,
        wl_seat::Request::GetPointer { .. }
        | wl_seat::Request::GetKeyboard { .. }
        | wl_seat::Request::GetTouch { .. } => {
            WlPointer: PointerUserData<State>,
            WlKeyboard: KeyboardUserData<State>,
            WlTouch: TouchUserData<State>
        };
    PointerGesturesState: ZwpPointerGesturesV1: (),
        zwp_pointer_gestures_v1::Request::GetSwipeGesture { .. }
        | zwp_pointer_gestures_v1::Request::GetPinchGesture { .. }
        | zwp_pointer_gestures_v1::Request::GetHoldGesture { .. } => {
            ZwpPointerGestureSwipeV1: PointerGestureUserData<State>,
            ZwpPointerGesturePinchV1: PointerGestureUserData<State>,
            ZwpPointerGestureHoldV1: PointerGestureUserData<State>
        };
    TabletManagerState: ZwpTabletManagerV2: (),
        zwp_tablet_manager_v2::Request::GetTabletSeat { .. } => {
            ZwpTabletSeatV2: TabletSeatUserData
        };
    // The inputs themselves are filtered in `input_method`.
    TextInputManagerState: ZwpTextInputManagerV3: (),
        zwp_text_input_manager_v3::Request::GetTextInput { .. } => {};
}
