//! One piece of granted memory, to cut buffers out of: `wl_shm_pool` for guests.

use wayland_client::protocol::wl_buffer::WlBuffer;
use wayland_client::protocol::wl_shm::Format;

use super::exported::Exported;
use super::{ShareError, Sharing};
use crate::id::HyperDmabufId;

/// Memory that is exported under one ID. Unlike a `wl_shm_pool` it cannot grow.
#[derive(Debug)]
pub struct Pool {
    memory: Exported,
}

impl Pool {
    /// Exports `bytes` bytes of zeroed memory.
    ///
    /// # Errors
    /// No ID or no memory is left, or the connection is gone.
    pub fn new(sharing: &Sharing, bytes: usize) -> Result<Pool, ShareError> {
        Ok(Pool { memory: Exported::new(sharing, bytes)? })
    }

    /// The memory. What is written shows when, or even before, a buffer of it is committed.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.memory.bytes_mut()
    }

    /// The ID that the memory is exported under.
    pub fn id(&self) -> HyperDmabufId {
        self.memory.id()
    }

    /// A buffer of `height` rows of `width` pixels, each `stride` bytes after the one before, the
    /// first at `offset`. To be destroyed by the caller.
    ///
    /// # Errors
    /// The rows do not lie in the memory.
    pub fn create_buffer(
        &self,
        offset: u32,
        width: u32,
        height: u32,
        stride: u32,
        format: Format,
    ) -> Result<PoolBuffer, ShareError> {
        let (buffer, key) = self.memory.create_buffer(offset, width, height, stride, format)?;
        Ok(PoolBuffer { buffer, sharing: self.memory.sharing().clone(), key })
    }
}

/// A `wl_buffer` of a [`Pool`]. Destroyed when dropped.
#[derive(Debug)]
pub struct PoolBuffer {
    buffer: WlBuffer,
    sharing: Sharing,
    key: super::sharing::BufferKey,
}

impl PoolBuffer {
    /// Attaches the buffer; it is busy until the display domain releases it.
    pub fn attach(&self, surface: &wayland_client::protocol::wl_surface::WlSurface) {
        surface.attach(Some(&self.buffer), 0, 0);
        self.sharing.lock().state.busy.insert(self.key, true);
    }

    /// Whether the display domain may still be looking at it, as far as is known.
    pub fn is_busy(&self) -> bool {
        let mut inner = self.sharing.lock();
        let _ = inner.dispatch_pending();
        inner.state.busy.get(&self.key).copied().unwrap_or(false)
    }
}

impl Drop for PoolBuffer {
    fn drop(&mut self) {
        self.buffer.destroy();
        self.sharing.lock().state.busy.remove(&self.key);
    }
}
