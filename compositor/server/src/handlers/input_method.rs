//! `zwp_text_input_manager_v3` for all programs, and `zwp_input_method_manager_v2` and
//! `zwp_virtual_keyboard_manager_v1` for those local tools that type into them.

use smithay::{
    delegate_virtual_keyboard_manager,
    desktop::{PopupKind, PopupManager},
    reexports::{
        wayland_protocols::wp::text_input::zv3::server::zwp_text_input_v3::{self, ZwpTextInputV3},
        wayland_protocols_misc::zwp_input_method_v2::server::{
            zwp_input_method_keyboard_grab_v2::ZwpInputMethodKeyboardGrabV2,
            zwp_input_method_manager_v2::{self, ZwpInputMethodManagerV2},
            zwp_input_method_v2::ZwpInputMethodV2,
            zwp_input_popup_surface_v2::ZwpInputPopupSurfaceV2,
        },
        wayland_server::{
            Client, DataInit, Dispatch, DisplayHandle, WEnum, backend::ClientId, delegate_dispatch,
            delegate_global_dispatch, protocol::wl_surface::WlSurface,
        },
    },
    utils::{Logical, Rectangle},
    wayland::{
        input_method::{
            InputMethodHandler, InputMethodKeyboardUserData, InputMethodManagerGlobalData,
            InputMethodManagerState, InputMethodPopupSurfaceUserData, InputMethodUserData,
            PopupSurface,
        },
        text_input::{TextInputManagerState, TextInputUserData},
    },
};

use super::{limits, listeners};
use crate::{shell::window::Window, state::State};

impl InputMethodHandler for State {
    fn new_popup(&mut self, surface: PopupSurface) {
        if let Err(error) = self.popups.track_popup(PopupKind::from(surface)) {
            tracing::debug!(%error, "an input method's popup is not shown");
        }
        self.queue_redraw();
    }

    fn popup_repositioned(&mut self, _surface: PopupSurface) {
        self.queue_redraw();
    }

    fn dismiss_popup(&mut self, surface: PopupSurface) {
        if let Some(parent) = surface.get_parent().map(|parent| parent.surface.clone()) {
            // It fails only for a parent that is gone, and its popups with it.
            let _ = PopupManager::dismiss_popup(&parent, &PopupKind::from(surface));
        }
        self.queue_redraw();
    }

    fn parent_geometry(&self, parent: &WlSurface) -> Rectangle<i32, Logical> {
        let window = self.windows.by_surface(parent);
        window.map(Window::geometry).unwrap_or_default()
    }
}

delegate_global_dispatch!(State: [ZwpInputMethodManagerV2: InputMethodManagerGlobalData] =>
    InputMethodManagerState);
delegate_dispatch!(State: [ZwpInputMethodV2: InputMethodUserData<State>] =>
    InputMethodManagerState);
delegate_dispatch!(State: [ZwpInputMethodKeyboardGrabV2: InputMethodKeyboardUserData<State>] =>
    InputMethodManagerState);
delegate_dispatch!(State: [ZwpInputPopupSurfaceV2: InputMethodPopupSurfaceUserData] =>
    InputMethodManagerState);
delegate_virtual_keyboard_manager!(State);

impl Dispatch<ZwpInputMethodManagerV2, ()> for State {
    fn request(
        state: &mut State,
        client: &Client,
        manager: &ZwpInputMethodManagerV2,
        request: zwp_input_method_manager_v2::Request,
        data: &(),
        display: &DisplayHandle,
        data_init: &mut DataInit<'_, State>,
    ) {
        if matches!(request, zwp_input_method_manager_v2::Request::GetInputMethod { .. }) {
            state.text_commits.add_method(client);
        }
        <InputMethodManagerState as Dispatch<ZwpInputMethodManagerV2, (), State>>::request(
            state, client, manager, request, data, display, data_init,
        );
    }
}

impl Dispatch<ZwpTextInputV3, TextInputUserData> for State {
    fn request(
        state: &mut State,
        client: &Client,
        input: &ZwpTextInputV3,
        request: zwp_text_input_v3::Request,
        data: &TextInputUserData,
        display: &DisplayHandle,
        data_init: &mut DataInit<'_, State>,
    ) {
        use zwp_text_input_v3::Request;
        let request = match request {
            // Smithay 0.7 panics at what newer versions of the protocol have here.
            Request::SetTextChangeCause { cause: WEnum::Unknown(_) }
            | Request::SetContentType { purpose: WEnum::Unknown(_), .. }
            | Request::SetContentType { hint: WEnum::Unknown(_), .. } => return,
            Request::Commit if !state.passes_on(client, input) => return,
            Request::SetCursorRectangle { x, y, width, height } => Request::SetCursorRectangle {
                x: limits::position(x),
                y: limits::position(y),
                width: limits::size(width),
                height: limits::size(height),
            },
            other => other,
        };
        <TextInputManagerState as Dispatch<ZwpTextInputV3, TextInputUserData, State>>::request(
            state, client, input, request, data, display, data_init,
        );
    }

    fn destroyed(
        state: &mut State,
        client: ClientId,
        input: &ZwpTextInputV3,
        data: &TextInputUserData,
    ) {
        listeners::end(input);
        state.text_input_gone(&client, input);
        <TextInputManagerState as Dispatch<ZwpTextInputV3, TextInputUserData, State>>::destroyed(
            state, client, input, data,
        );
    }
}
