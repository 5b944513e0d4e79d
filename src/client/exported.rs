//! One exported piece of memory, with its pool: what swapchains and pools are made of.

use std::ptr::NonNull;

use hyper_dmabuf_protocol::client::hyper_dmabuf_manager_v1::Flag;
use hyper_dmabuf_protocol::client::hyper_dmabuf_v1::HyperDmabufV1;
use wayland_client::DispatchError;
use wayland_client::protocol::wl_buffer::WlBuffer;
use wayland_client::protocol::wl_shm::Format;
use wayland_client::protocol::wl_shm_pool::WlShmPool;

use super::Sharing;
use super::sharing::{Answer, BufferKey};
use crate::export::ExportError;
use crate::grant::{Access, GrantedMemory};
use crate::id::HyperDmabufId;

/// Why memory could not be shared, or is not shown.
#[derive(Debug, thiserror::Error)]
pub enum ShareError {
    /// There is no ID or no memory left.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The display domain refused.
    #[error("the display domain does not show the buffer: {0}")]
    Refused(String),
    /// A buffer does not fit, or is larger than Wayland can say.
    #[error("a buffer of {width}×{height} with rows of {stride} bytes at {offset} does not fit")]
    Shape {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
        /// Bytes from a row to the next.
        stride: u32,
        /// Bytes before the first row.
        offset: u32,
    },
    /// A format whose pixels have no fixed number of bytes.
    #[error("{0:?} is no format that a swapchain can have: use one of 4 bytes a pixel")]
    Format(Format),
    /// The connection is gone.
    #[error("the connection to the compositor is gone")]
    Connection(#[from] DispatchError),
}

/// Exported memory. Unexported when dropped; ID and pages return when the display domain releases
/// them.
#[derive(Debug)]
pub(super) struct Exported {
    sharing: Sharing,
    id: HyperDmabufId,
    object: HyperDmabufV1,
    pool: WlShmPool,
    bytes: NonNull<[u8]>,
}

// SAFETY: `bytes` is memory that belongs to this value alone, see `Exported::bytes_mut`.
unsafe impl Send for Exported {}

impl Exported {
    pub(super) fn new(sharing: &Sharing, bytes: usize) -> Result<Exported, ShareError> {
        let mut inner = sharing.lock();
        inner.dispatch_pending()?;
        let Some(exporter) = inner.state.exporter() else {
            // Made by `bind` before anybody has a `Sharing`.
            return Err(ShareError::Refused("the connection is not set up".into()));
        };
        let offer = exporter.export(bytes, Access::ReadOnly, Vec::new())?;
        let id = offer.id;
        let memory = exporter.memory(&id).map(GrantedMemory::bytes);
        let memory = memory.unwrap_or_else(|| unreachable!("it was just exported"));
        // Whole pages were granted; what was asked for is the program's.
        let memory = NonNull::slice_from_raw_parts(memory.cast::<u8>(), bytes);
        inner.state.exports.insert(id, Answer::Awaited);

        let handle = inner.handle();
        let [word, a, b, c] = id.to_words();
        let object = inner.manager.export(
            word,
            a,
            b,
            c,
            offer.pages,
            offer.root.0,
            offer.offset,
            offer.length,
            Flag::empty(),
            offer.metadata,
            &handle,
            id,
        );
        let pool = object.create_pool(&handle, ());
        drop(inner);
        Ok(Exported { sharing: sharing.clone(), id, object, pool, bytes: memory })
    }

    pub(super) fn sharing(&self) -> &Sharing {
        &self.sharing
    }

    pub(super) fn id(&self) -> HyperDmabufId {
        self.id
    }

    /// An error if the display domain has refused the buffer.
    pub(super) fn check(&self) -> Result<(), ShareError> {
        match self.sharing.lock().state.exports.get(&self.id) {
            Some(Answer::Failed(message)) => Err(ShareError::Refused(message.clone())),
            Some(Answer::Awaited | Answer::Ready) | None => Ok(()),
        }
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the memory is mapped for as long as the exporter has the buffer, which is until
        // `drop` asks for its end and longer. It is this value's alone in this process, and the
        // display domain, which has it granted for reading only, never writes it.
        unsafe { self.bytes.as_mut() }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: as in `bytes_mut`.
        unsafe { self.bytes.as_ref() }
    }

    /// A `wl_buffer` of a part of the memory, and what its release is known by.
    pub(super) fn create_buffer(
        &self,
        offset: u32,
        width: u32,
        height: u32,
        stride: u32,
        format: Format,
    ) -> Result<(WlBuffer, BufferKey), ShareError> {
        let misfit = ShareError::Shape { width, height, stride, offset };
        let end = u64::from(offset) + u64::from(stride) * u64::from(height);
        if width == 0 || height == 0 || end > self.bytes.len() as u64 {
            return Err(misfit);
        }
        let [Ok(x), Ok(w), Ok(h), Ok(s)] = [offset, width, height, stride].map(i32::try_from)
        else {
            return Err(misfit);
        };
        let mut inner = self.sharing.lock();
        let key = inner.state.new_buffer();
        let buffer = self.pool.create_buffer(x, w, h, s, format, &inner.handle(), key);
        Ok((buffer, key))
    }
}

impl Drop for Exported {
    fn drop(&mut self) {
        self.pool.destroy();
        self.object.unexport(0);
        let mut inner = self.sharing.lock();
        if let Some(exporter) = inner.state.exporter() {
            // Unknown if the link went meanwhile.
            let _ = exporter.unexport(&self.id);
        }
        // So that the display domain lets go even if the program has nothing more to say.
        let _ = inner.connection.flush();
    }
}
