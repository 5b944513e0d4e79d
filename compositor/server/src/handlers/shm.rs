//! `wl_shm`, with a filter in front: Smithay 0.7 panics when a pool is resized to nothing.

use smithay::{
    reexports::wayland_server::{
        Client, DataInit, Dispatch, DisplayHandle, Resource,
        backend::ClientId,
        delegate_dispatch, delegate_global_dispatch,
        protocol::{
            wl_buffer::WlBuffer,
            wl_shm::{self, WlShm},
            wl_shm_pool::{self, WlShmPool},
        },
    },
    wayland::shm::{ShmBufferUserData, ShmHandler, ShmPoolUserData, ShmState},
};

use crate::state::State;

impl ShmHandler for State {
    fn shm_state(&self) -> &ShmState {
        &self.protocols.shm
    }
}

delegate_global_dispatch!(State: [WlShm: ()] => ShmState);
delegate_dispatch!(State: [WlShm: ()] => ShmState);
delegate_dispatch!(State: [WlBuffer: ShmBufferUserData] => ShmState);

impl Dispatch<WlShmPool, ShmPoolUserData> for State {
    fn request(
        state: &mut State,
        client: &Client,
        pool: &WlShmPool,
        request: wl_shm_pool::Request,
        data: &ShmPoolUserData,
        display: &DisplayHandle,
        data_init: &mut DataInit<'_, State>,
    ) {
        if let wl_shm_pool::Request::Resize { size } = request
            && size <= 0
        {
            pool.post_error(wl_shm::Error::InvalidFd, format!("a pool cannot have {size} bytes"));
            return;
        }
        <ShmState as Dispatch<WlShmPool, ShmPoolUserData, State>>::request(
            state, client, pool, request, data, display, data_init,
        );
    }

    fn destroyed(state: &mut State, client: ClientId, pool: &WlShmPool, data: &ShmPoolUserData) {
        <ShmState as Dispatch<WlShmPool, ShmPoolUserData, State>>::destroyed(
            state, client, pool, data,
        );
    }
}
