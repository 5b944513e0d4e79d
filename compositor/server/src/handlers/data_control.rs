//! The clipboard for local tools that have no window (`wl-copy`, clipboard managers): `ext` and `wlr`
//! data control, which are the same but for their names.
//!
//! Such a tool reads every selection, a guest's too: it is as trusted as the display domain. What it
//! sets is a local selection, which no guest is offered.

use smithay::{
    reexports::{
        wayland_protocols::ext::data_control::v1::server::{
            ext_data_control_device_v1::{self, ExtDataControlDeviceV1},
            ext_data_control_manager_v1::ExtDataControlManagerV1,
            ext_data_control_source_v1::ExtDataControlSourceV1,
        },
        wayland_protocols_wlr::data_control::v1::server::{
            zwlr_data_control_device_v1::{self, ZwlrDataControlDeviceV1},
            zwlr_data_control_manager_v1::ZwlrDataControlManagerV1,
            zwlr_data_control_source_v1::ZwlrDataControlSourceV1,
        },
        wayland_server::{
            Client, DataInit, Dispatch, DisplayHandle, backend::ClientId, delegate_dispatch,
            delegate_global_dispatch,
        },
    },
    wayland::selection::{ext_data_control, wlr_data_control},
};

use crate::{client::origin_of, state::State};

impl ext_data_control::DataControlHandler for State {
    fn data_control_state(&self) -> &ext_data_control::DataControlState {
        &self.protocols.ext_data_control
    }
}

impl wlr_data_control::DataControlHandler for State {
    fn data_control_state(&self) -> &wlr_data_control::DataControlState {
        &self.protocols.wlr_data_control
    }
}

/// A device whose requests tell who sets a selection: Smithay does not, and it need not be the
/// client with the keyboard.
macro_rules! device {
    ($($module:ident: $request:ident, $manager:ty, $global:ty, $manager_data:ty, $source:ty,
       $source_data:ty, $device:ty, $device_data:ty;)*) => {$(
        delegate_global_dispatch!(State: [$manager: $global] => $module::DataControlState);
        delegate_dispatch!(State: [$manager: $manager_data] => $module::DataControlState);
        delegate_dispatch!(State: [$source: $source_data] => $module::DataControlState);

        impl Dispatch<$device, $device_data> for State {
            fn request(
                state: &mut State,
                client: &Client,
                device: &$device,
                request: $request::Request,
                data: &$device_data,
                display: &DisplayHandle,
                data_init: &mut DataInit<'_, State>,
            ) {
                state.selections.set_by = Some(origin_of(client));
                <$module::DataControlState as Dispatch<$device, $device_data, State>>::request(
                    state, client, device, request, data, display, data_init,
                );
                state.selections.set_by = None;
            }

            fn destroyed(
                state: &mut State,
                client: ClientId,
                device: &$device,
                data: &$device_data,
            ) {
                <$module::DataControlState as Dispatch<$device, $device_data, State>>::destroyed(
                    state, client, device, data,
                );
            }
        }
    )*};
}

device! {
    ext_data_control: ext_data_control_device_v1, ExtDataControlManagerV1,
        ext_data_control::ExtDataControlManagerGlobalData,
        ext_data_control::ExtDataControlManagerUserData,
        ExtDataControlSourceV1, ext_data_control::ExtDataControlSourceUserData,
        ExtDataControlDeviceV1, ext_data_control::ExtDataControlDeviceUserData;
    wlr_data_control: zwlr_data_control_device_v1, ZwlrDataControlManagerV1,
        wlr_data_control::DataControlManagerGlobalData,
        wlr_data_control::DataControlManagerUserData,
        ZwlrDataControlSourceV1, wlr_data_control::DataControlSourceUserData,
        ZwlrDataControlDeviceV1, wlr_data_control::DataControlDeviceUserData;
}
