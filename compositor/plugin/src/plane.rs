//! Planes of linux-dmabuf params, by ID.

use std::os::fd::{AsFd, AsRawFd, RawFd};

use hyper_dmabuf::import::Import;
use hyper_dmabuf_protocol::server::hyper_dmabuf_v1::{Error, HyperDmabufV1};
use smithay::backend::allocator::dmabuf::{Dmabuf, WeakDmabuf};
use smithay::reexports::wayland_protocols::wp::linux_dmabuf::zv1::server::zwp_linux_buffer_params_v1::{
    self, ZwpLinuxBufferParamsV1,
};
use smithay::reexports::wayland_server::protocol::wl_buffer::WlBuffer;
use smithay::reexports::wayland_server::{Client, DataInit, Dispatch, DisplayHandle, Resource};
use smithay::wayland::buffer::BufferHandler;
use smithay::wayland::dmabuf::{DmabufHandler, DmabufParamsData, DmabufState};

use crate::{HyperDmabufHandler, HyperDmabufState};

/// The arguments of `zwp_linux_buffer_params_v1.add` beside the descriptor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) plane_idx: u32,
    pub(crate) offset: u32,
    pub(crate) stride: u32,
    pub(crate) modifier_hi: u32,
    pub(crate) modifier_lo: u32,
}

/// The imports that dma-bufs of the compositor are made of.
#[derive(Debug, Default)]
pub(crate) struct Planes {
    /// Added to params of which no dma-buf was made yet.
    pending: Vec<Pending>,
    /// In use by a dma-buf.
    used: Vec<(WeakDmabuf, Import)>,
}

#[derive(Debug)]
struct Pending {
    params: ZwpLinuxBufferParamsV1,
    /// The descriptor that Smithay holds: while it is open, no other has its number.
    descriptor: RawFd,
    import: Import,
}

#[allow(clippy::too_many_arguments)]
pub(crate) fn add<D>(
    state: &mut D,
    client: &Client,
    object: &HyperDmabufV1,
    import: Option<Import>,
    params: &ZwpLinuxBufferParamsV1,
    layout: Layout,
    display: &DisplayHandle,
    data_init: &mut DataInit<'_, D>,
) where
    D: Dispatch<ZwpLinuxBufferParamsV1, DmabufParamsData>
        + Dispatch<WlBuffer, Dmabuf>
        + BufferHandler
        + DmabufHandler
        + HyperDmabufHandler,
{
    let Some(import) = import else {
        object.post_error(Error::NotADmabuf, "there is no buffer: wait for ready");
        return;
    };
    if u64::from(layout.offset) + u64::from(layout.stride) > import.length().into()
        || layout.stride == 0
    {
        object.post_error(
            Error::InvalidPlane,
            format!(
                "a row of {} bytes at {} is not inside a buffer of {} bytes",
                layout.stride,
                layout.offset,
                import.length()
            ),
        );
        return;
    }
    let Some(descriptor) = import.dmabuf() else {
        object.post_error(
            Error::NotADmabuf,
            "the display domain cannot map this buffer as a dma-buf: use create_pool",
        );
        return;
    };
    let Some(data) = params.data::<DmabufParamsData>() else { return };
    // Below 4096 + 2^32 only if the client says so; Smithay checks it against the file's size.
    let Some(offset) = layout.offset.checked_add(import.offset()) else {
        object.post_error(Error::InvalidPlane, "the plane's offset is too large");
        return;
    };
    let raw = descriptor.as_fd().as_raw_fd();
    let pending = Pending { params: params.clone(), descriptor: raw, import };
    state.hyper_dmabuf_state().planes.pending.push(pending);
    <DmabufState as Dispatch<ZwpLinuxBufferParamsV1, DmabufParamsData, D>>::request(
        state,
        client,
        params,
        zwp_linux_buffer_params_v1::Request::Add {
            fd: descriptor,
            plane_idx: layout.plane_idx,
            offset,
            stride: layout.stride,
            modifier_hi: layout.modifier_hi,
            modifier_lo: layout.modifier_lo,
        },
        data,
        display,
        data_init,
    );
}

impl HyperDmabufState {
    /// To be called first in `DmabufHandler::dmabuf_imported`: the buffers that `dmabuf` is made of
    /// are in use for as long as it lives.
    pub fn dmabuf_imported(&mut self, dmabuf: &Dmabuf) {
        let planes = &mut self.planes;
        for handle in dmabuf.handles() {
            let raw = handle.as_raw_fd();
            // The number may be that of a descriptor of params that are gone by now.
            let found = planes
                .pending
                .iter()
                .position(|pending| pending.descriptor == raw && pending.params.is_alive());
            if let Some(index) = found {
                let pending = planes.pending.swap_remove(index);
                planes.used.push((dmabuf.weak(), pending.import));
            }
        }
    }
}

impl Planes {
    /// Ends the uses of dma-bufs, and of params, that are gone.
    pub(crate) fn refresh(&mut self) {
        self.pending.retain(|pending| pending.params.is_alive());
        self.used.retain(|(dmabuf, _)| !dmabuf.is_gone());
    }
}
