//! The filter in front of Smithay's `wl_shm_pool` and `wl_buffer`: what a client may not do to a
//! pool of ours, or to any pool of Smithay 0.7.

use smithay::reexports::wayland_server::backend::ClientId;
use smithay::reexports::wayland_server::protocol::wl_buffer::{self, WlBuffer};
use smithay::reexports::wayland_server::protocol::wl_shm::Error;
use smithay::reexports::wayland_server::protocol::wl_shm_pool::{self, WlShmPool};
use smithay::reexports::wayland_server::{
    Client, DataInit, Dispatch, DisplayHandle, Resource, WEnum,
};
use smithay::wayland::buffer::BufferHandler;
use smithay::wayland::shm::{ShmBufferUserData, ShmHandler, ShmPoolUserData, ShmState};

use crate::pool::PoolBuffer;
use crate::unfinished::Unfinished;
use crate::{HyperDmabufHandler, HyperDmabufState};

impl<D> Dispatch<WlShmPool, ShmPoolUserData, D> for HyperDmabufState
where
    D: Dispatch<WlShmPool, ShmPoolUserData>
        + Dispatch<WlBuffer, ShmBufferUserData>
        + BufferHandler
        + ShmHandler
        + HyperDmabufHandler,
{
    fn request(
        state: &mut D,
        client: &Client,
        pool: &WlShmPool,
        request: wl_shm_pool::Request,
        data: &ShmPoolUserData,
        display: &DisplayHandle,
        data_init: &mut DataInit<'_, D>,
    ) {
        let ours = state.hyper_dmabuf_state().pools.key(pool);
        let request = match (request, ours) {
            // Smithay 0.7 posts the error and then panics on it.
            (wl_shm_pool::Request::Resize { size }, None) if size <= 0 => {
                pool.post_error(Error::InvalidFd, format!("a pool of {size} bytes cannot be"));
                return;
            }
            // Mapping the file anew would lose the guest's pages.
            (wl_shm_pool::Request::Resize { .. }, Some(_)) => {
                let message = "a pool of a hyper_dmabuf buffer has the buffer's size for good";
                pool.post_error(Error::InvalidFd, message);
                return;
            }
            (
                wl_shm_pool::Request::CreateBuffer { id, offset, width, height, stride, format },
                Some(key),
            ) => {
                let shape = match format {
                    WEnum::Value(format) => Some(PoolBuffer { width, height, format }),
                    WEnum::Unknown(_) => None,
                };
                let (id, buffer) = Unfinished::name(id, data_init);
                state.hyper_dmabuf_state().pools.add_buffer(key, buffer, shape);
                wl_shm_pool::Request::CreateBuffer { id, offset, width, height, stride, format }
            }
            (request, _) => request,
        };
        <ShmState as Dispatch<WlShmPool, ShmPoolUserData, D>>::request(
            state, client, pool, request, data, display, data_init,
        );
    }

    fn destroyed(state: &mut D, client: ClientId, pool: &WlShmPool, data: &ShmPoolUserData) {
        <ShmState as Dispatch<WlShmPool, ShmPoolUserData, D>>::destroyed(state, client, pool, data);
        state.hyper_dmabuf_state().pools.object_gone(&pool.id(), None);
    }
}

impl<D> Dispatch<WlBuffer, ShmBufferUserData, D> for HyperDmabufState
where
    D: Dispatch<WlBuffer, ShmBufferUserData> + BufferHandler + HyperDmabufHandler,
{
    fn request(
        state: &mut D,
        client: &Client,
        buffer: &WlBuffer,
        request: wl_buffer::Request,
        data: &ShmBufferUserData,
        display: &DisplayHandle,
        data_init: &mut DataInit<'_, D>,
    ) {
        <ShmState as Dispatch<WlBuffer, ShmBufferUserData, D>>::request(
            state, client, buffer, request, data, display, data_init,
        );
    }

    fn destroyed(state: &mut D, client: ClientId, buffer: &WlBuffer, data: &ShmBufferUserData) {
        <ShmState as Dispatch<WlBuffer, ShmBufferUserData, D>>::destroyed(
            state, client, buffer, data,
        );
        let held = buffer.object_data().cloned();
        state.hyper_dmabuf_state().pools.object_gone(&buffer.id(), held);
    }
}
