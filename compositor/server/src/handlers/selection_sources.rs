//! What programs offer by the clipboard, the primary selection and drags, kept short: whoever gets the
//! keyboard is told all of it, and Smithay takes any number of kinds.

use smithay::{
    reexports::{
        wayland_protocols::wp::primary_selection::zv1::server::zwp_primary_selection_source_v1::{
            self, ZwpPrimarySelectionSourceV1,
        },
        wayland_server::{
            Client, DataInit, Dispatch, DisplayHandle, Resource,
            backend::ClientId,
            protocol::wl_data_source::{self, WlDataSource},
        },
    },
    wayland::selection::{
        data_device::{DataDeviceState, DataSourceUserData},
        primary_selection::{PrimarySelectionState, PrimarySourceUserData},
    },
};

use super::limits;
use crate::state::State;

impl State {
    /// Count one more kind that a source offers. Whether it may.
    fn may_offer(&mut self, source: &impl Resource, kind: &str) -> bool {
        let count = self.selections.kinds.entry(source.id()).or_default();
        *count += 1;
        if *count > limits::MOST_KINDS {
            limits::exceeded(source, "the source offers too many kinds of content");
            return false;
        }
        if kind.len() > limits::LONGEST_KIND {
            limits::exceeded(source, "the name of a kind of content is too long");
            return false;
        }
        true
    }
}

macro_rules! sources {
    ($($source:ty, $data:ty, $request:ident => $smithay:ty;)*) => {$(
        impl Dispatch<$source, $data> for State {
            fn request(
                state: &mut State,
                client: &Client,
                source: &$source,
                request: $request::Request,
                data: &$data,
                display: &DisplayHandle,
                data_init: &mut DataInit<'_, State>,
            ) {
                if let $request::Request::Offer { mime_type } = &request
                    && !state.may_offer(source, mime_type)
                {
                    return;
                }
                <$smithay as Dispatch<$source, $data, State>>::request(
                    state, client, source, request, data, display, data_init,
                );
            }

            fn destroyed(state: &mut State, client: ClientId, source: &$source, data: &$data) {
                state.selections.kinds.remove(&source.id());
                <$smithay as Dispatch<$source, $data, State>>::destroyed(
                    state, client, source, data,
                );
            }
        }
    )*};
}

sources! {
    WlDataSource, DataSourceUserData, wl_data_source => DataDeviceState;
    ZwpPrimarySelectionSourceV1, PrimarySourceUserData, zwp_primary_selection_source_v1
        => PrimarySelectionState;
}
