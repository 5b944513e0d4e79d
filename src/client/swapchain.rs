//! A few buffers of one size, to draw frames into in turn.

use wayland_client::protocol::wl_buffer::WlBuffer;
use wayland_client::protocol::wl_shm::Format;
use wayland_client::protocol::wl_surface::WlSurface;

use super::exported::Exported;
use super::sharing::BufferKey;
use super::{ShareError, Sharing};
use crate::id::HyperDmabufId;

/// The most buffers at a time: one that is shown, one that is about to be, one to draw into.
const MAX_BUFFERS: usize = 3;

/// Buffers of one size and format, each exported under an ID of its own, made as they are needed:
/// two, or three if the display domain keeps two.
#[derive(Debug)]
pub struct Swapchain {
    sharing: Sharing,
    width: u32,
    height: u32,
    stride: u32,
    format: Format,
    buffers: Vec<Buffer>,
    /// Frames attached so far.
    frames: u64,
}

#[derive(Debug)]
struct Buffer {
    // Dropped in this order: Wayland wants buffers destroyed no later than their pool.
    object: WlBuffer,
    key: BufferKey,
    memory: Exported,
    /// Which frame it was attached as last.
    shown: Option<u64>,
}

/// A buffer to draw the next frame into. Dropped without [`attach`](Self::attach), it is as if it had
/// not been taken.
#[derive(Debug)]
pub struct Frame<'a> {
    swapchain: &'a mut Swapchain,
    index: usize,
}

impl Swapchain {
    /// A swapchain for frames of `width` by `height` pixels of 4 bytes.
    ///
    /// # Errors
    /// The format has not 4 bytes a pixel, or the size is 0 or more than Wayland can say.
    pub fn new(
        sharing: &Sharing,
        width: u32,
        height: u32,
        format: Format,
    ) -> Result<Swapchain, ShareError> {
        let four_bytes = [
            Format::Argb8888,
            Format::Xrgb8888,
            Format::Abgr8888,
            Format::Xbgr8888,
            Format::Argb2101010,
            Format::Xrgb2101010,
        ];
        if !four_bytes.contains(&format) {
            return Err(ShareError::Format(format));
        }
        let stride = width.checked_mul(4);
        let bytes = stride.and_then(|stride| stride.checked_mul(height));
        match (stride, bytes) {
            (Some(stride), Some(1..=0x7fff_ffff)) => Ok(Swapchain {
                sharing: sharing.clone(),
                width,
                height,
                stride,
                format,
                buffers: Vec::new(),
                frames: 0,
            }),
            _ => Err(ShareError::Shape { width, height, stride: stride.unwrap_or(0), offset: 0 }),
        }
    }

    /// Pixels in a row, and rows.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Makes frames of another size from now on. The buffers of the old size are unexported; they
    /// are released when no surface shows them any more.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn resize(&mut self, width: u32, height: u32) -> Result<(), ShareError> {
        if self.size() != (width, height) {
            *self = Swapchain::new(&self.sharing, width, height, self.format)?;
        }
        Ok(())
    }

    /// The IDs of the buffers there are now.
    pub fn ids(&self) -> impl Iterator<Item = HyperDmabufId> + '_ {
        self.buffers.iter().map(|buffer| buffer.memory.id())
    }

    /// An error if the display domain has refused a buffer, as far as is known by now. What
    /// [`acquire`](Self::acquire) finds as well; for a program that draws no more frames.
    ///
    /// # Errors
    /// A buffer was refused, or the connection is gone.
    pub fn check(&self) -> Result<(), ShareError> {
        self.sharing.dispatch_pending()?;
        self.buffers.iter().try_for_each(|buffer| buffer.memory.check())
    }

    /// A buffer that the display domain does not look at, or `None` while it keeps all of them:
    /// then wait for events, a frame callback for instance, and try again.
    ///
    /// # Errors
    /// A buffer was refused, could not be made, or the connection is gone.
    pub fn acquire(&mut self) -> Result<Option<Frame<'_>>, ShareError> {
        self.check()?;
        let free = {
            let inner = self.sharing.lock();
            let busy = |buffer: &Buffer| inner.state.busy.get(&buffer.key) == Some(&true);
            // The one shown latest has the least to be drawn anew.
            let free = self.buffers.iter().enumerate().filter(|(_, buffer)| !busy(buffer));
            free.max_by_key(|(_, buffer)| buffer.shown).map(|(index, _)| index)
        };
        let index = match free {
            Some(index) => index,
            None if self.buffers.len() < MAX_BUFFERS => {
                self.add_buffer()?;
                self.buffers.len() - 1
            }
            None => return Ok(None),
        };
        Ok(Some(Frame { swapchain: self, index }))
    }

    fn add_buffer(&mut self) -> Result<(), ShareError> {
        // The product was checked in `new`.
        let bytes = self.stride as usize * self.height as usize;
        let memory = Exported::new(&self.sharing, bytes)?;
        let (object, key) =
            memory.create_buffer(0, self.width, self.height, self.stride, self.format)?;
        self.buffers.push(Buffer { object, key, memory, shown: None });
        Ok(())
    }
}

impl Frame<'_> {
    /// Pixels in a row, and rows.
    pub fn size(&self) -> (u32, u32) {
        self.swapchain.size()
    }

    /// Bytes from a row to the next.
    pub fn stride(&self) -> usize {
        self.swapchain.stride as usize
    }

    /// How many frames ago the buffer was attached: 1 means that it has the frame before this one.
    /// `None` means that it has zeros. What was damaged in the frames since must be drawn.
    pub fn age(&self) -> Option<u64> {
        let shown = self.swapchain.buffers[self.index].shown?;
        Some(self.swapchain.frames - shown)
    }

    /// The pixels: the memory that the display domain will look at.
    pub fn pixels(&mut self) -> &mut [u8] {
        self.swapchain.buffers[self.index].memory.bytes_mut()
    }

    /// Copies the frame before this one into the buffer, for programs that draw only what changes
    /// and keep no track of it. Returns whether there is one. It is counted by
    /// [`Sharing::bytes_copied`].
    pub fn repeat_last(&mut self) -> bool {
        let last = self.swapchain.frames.checked_sub(1);
        let buffers = &mut self.swapchain.buffers;
        let Some(source) = buffers.iter().position(|buffer| last.is_some() && buffer.shown == last)
        else {
            return false;
        };
        if source != self.index {
            // Two different buffers: `get_disjoint_mut` cannot fail.
            if let Ok([source, target]) = buffers.get_disjoint_mut([source, self.index]) {
                target.memory.bytes_mut().copy_from_slice(source.memory.bytes());
                let copied = source.memory.bytes().len() as u64;
                self.swapchain.sharing.lock().state.bytes_copied += copied;
            }
        }
        true
    }

    /// Attaches the frame to a surface. The caller damages and commits.
    pub fn attach(self, surface: &WlSurface) {
        let frame = self.swapchain.frames;
        let buffer = &mut self.swapchain.buffers[self.index];
        surface.attach(Some(&buffer.object), 0, 0);
        buffer.shown = Some(frame);
        self.swapchain.sharing.lock().state.busy.insert(buffer.key, true);
        self.swapchain.frames += 1;
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.object.destroy();
        self.memory.sharing().lock().state.busy.remove(&self.key);
    }
}
