//! Pools of memory and buffers in them, `wl_shm`'s and those by ID, with a filter in front that counts
//! them.

use hyper_dmabuf_protocol::server::hyper_dmabuf_v1::{self, HyperDmabufV1};
use smithay::{
    reexports::wayland_server::{
        Client, DataInit, Dispatch, DisplayHandle, Resource,
        backend::ClientId,
        protocol::{
            wl_buffer::{self, WlBuffer},
            wl_shm::{self, WlShm},
            wl_shm_pool::{self, WlShmPool},
        },
    },
    wayland::shm::{ShmBufferUserData, ShmPoolUserData, ShmState},
};
use smithay_hyper_dmabuf::{BufferUserData, HyperDmabufState};

use super::limits;
use crate::{client::ClientState, state::State, trust::account::Counted};

/// Count what a client is about to make. If its domain has too many, the client is disconnected.
fn begin(client: &Client, object: &impl Resource, what: Counted) {
    if let Some(data) = client.get_data::<ClientState>()
        && !data.begin(what)
    {
        limits::exceeded(object, what.too_many());
    }
}

/// Count what a client has no more. Where the client is gone, all it had was counted when it went.
fn end(object: &impl Resource, what: Counted) {
    let client = object.client();
    if let Some(data) = client.as_ref().and_then(Client::get_data::<ClientState>) {
        data.end(what);
    }
}

/// A filter in front of Smithay's, or the plug-in's, handling of an interface.
macro_rules! counted {
    ($($interface:ty, $module:ident, $data:ty => $by:ty: makes $made:pat => $what:expr;
       is $is:expr;)*) => {$(
        impl Dispatch<$interface, $data> for State {
            fn request(
                state: &mut State,
                client: &Client,
                object: &$interface,
                request: $module::Request,
                data: &$data,
                display: &DisplayHandle,
                data_init: &mut DataInit<'_, State>,
            ) {
                if matches!(request, $made) {
                    begin(client, object, $what);
                }
                <$by as Dispatch<$interface, $data, State>>::request(
                    state, client, object, request, data, display, data_init,
                );
            }

            fn destroyed(state: &mut State, client: ClientId, object: &$interface, data: &$data) {
                let is: Option<Counted> = $is;
                if let Some(what) = is {
                    end(object, what);
                }
                <$by as Dispatch<$interface, $data, State>>::destroyed(
                    state, client, object, data,
                );
            }
        }
    )*};
}

counted! {
    WlShm, wl_shm, () => ShmState:
        makes wl_shm::Request::CreatePool { .. } => Counted::Pool;
        is None;
    HyperDmabufV1, hyper_dmabuf_v1, BufferUserData => HyperDmabufState:
        makes hyper_dmabuf_v1::Request::CreatePool { .. } => Counted::Pool;
        is None;
    WlShmPool, wl_shm_pool, ShmPoolUserData => HyperDmabufState:
        makes wl_shm_pool::Request::CreateBuffer { .. } => Counted::Buffer;
        is Some(Counted::Pool);
}

impl Dispatch<WlBuffer, ShmBufferUserData> for State {
    fn request(
        state: &mut State,
        client: &Client,
        buffer: &WlBuffer,
        request: wl_buffer::Request,
        data: &ShmBufferUserData,
        display: &DisplayHandle,
        data_init: &mut DataInit<'_, State>,
    ) {
        <HyperDmabufState as Dispatch<WlBuffer, ShmBufferUserData, State>>::request(
            state, client, buffer, request, data, display, data_init,
        );
    }

    fn destroyed(state: &mut State, client: ClientId, buffer: &WlBuffer, data: &ShmBufferUserData) {
        end(buffer, Counted::Buffer);
        <HyperDmabufState as Dispatch<WlBuffer, ShmBufferUserData, State>>::destroyed(
            state, client, buffer, data,
        );
    }
}
