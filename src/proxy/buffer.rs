//! Pools and buffers: from an app's file to an export that the display domain shows.
//!
//! A pool costs nothing but its descriptor. A buffer is shared when it is first attached, and only
//! the pages that it lies in; its pool is never seen by the host.

use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;

use super::damage::Region;
use super::dmabuf_file::{DmabufError, DmabufFile};
use super::fence;
use super::layout::Layout;
use super::objects::AppId;
use super::pool_file::{PoolError, PoolFile};
use crate::grant::PAGE_SIZE;
use crate::id::HyperDmabufId;

/// Bytes in a page, as `wl_shm` counts.
const PAGE: i32 = PAGE_SIZE as i32;

/// A `wl_shm_pool` of the app's.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) file: Rc<PoolFile>,
    pub(super) size: i32,
}

/// Where a buffer's pixels are.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Pool(Rc<PoolFile>),
    Dmabuf(Rc<DmabufFile>),
}

/// Why pixels cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error(transparent)]
    Pool(#[from] PoolError),
    #[error(transparent)]
    Dmabuf(#[from] DmabufError),
}

/// Pages of a file that a buffer lies in, and that can be granted as they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grantable<'a> {
    pub(super) file: BorrowedFd<'a>,
    /// The first page, and how many bytes count from there.
    pub(super) first: u32,
    pub(super) bytes: usize,
    /// Where in these bytes the buffer begins.
    pub(super) begin: i32,
}

impl Content {
    /// The pages that a buffer lies in, if their file is one that cannot shrink.
    pub(super) fn grantable(&self, layout: Layout) -> Option<Grantable<'_>> {
        match self {
            Content::Pool(file) => {
                let file = file.sealed(layout)?;
                let (first, begin) = (layout.offset / PAGE, layout.offset % PAGE);
                let (first, bytes) = (first as u32, begin as usize + layout.bytes());
                Some(Grantable { file, first, bytes, begin })
            }
            // Of a dma-buf, all pages are granted or none.
            Content::Dmabuf(file) => {
                let bytes = usize::try_from(file.bytes()).ok()?;
                Some(Grantable { file: file.as_fd(), first: 0, bytes, begin: layout.offset })
            }
        }
    }

    /// Whether nobody writes into it any more, as far as can be told: copying does not wait.
    pub(super) fn is_written(&self) -> bool {
        match self {
            Content::Pool(_) => true,
            Content::Dmabuf(file) => file.writers().is_none_or(|fence| fence::has_passed(&fence)),
        }
    }

    /// Copies a region of a buffer to the same place in `to`, which has the buffer's bytes from its
    /// first row on. Returns how many bytes were copied.
    pub(super) fn copy(
        &self,
        layout: Layout,
        region: &Region,
        to: &mut [u8],
    ) -> Result<u64, Unreadable> {
        Ok(match self {
            Content::Pool(file) => file.copy(layout, region, to)?,
            Content::Dmabuf(file) => file.copy(layout, region, to)?,
        })
    }
}

/// A `wl_buffer` of a pool or of a dma-buf.
#[derive(Debug)]
pub(super) struct Buffer {
    pub(super) content: Content,
    pub(super) layout: Layout,
    /// None until it is attached.
    pub(super) shared: Option<Shared>,
    /// Attached, but not committed yet.
    pub(super) attached: bool,
    /// Where it was committed last: a buffer that two surfaces show is copied whole.
    pub(super) last_surface: Option<AppId>,
}

/// What the display domain has of a buffer.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) id: HyperDmabufId,
    pub(super) way: Way,
}

/// How a buffer's pixels get to the display domain.
#[derive(Debug)]
pub(super) enum Way {
    /// It looks at the app's own pages.
    Granted,
    /// It looks at pages of ours, in which this part is older than the app's.
    Shadow {
        /// What has changed since it was copied last.
        stale: Region,
        /// Bytes copied so far.
        copied: u64,
    },
}

impl Way {
    /// A shadow that was never copied to.
    pub(super) const NEW_SHADOW: Way = Way::Shadow { stale: Region::All, copied: 0 };
}

impl Buffer {
    pub(super) fn new(content: Content, layout: Layout) -> Buffer {
        Buffer { content, layout, shared: None, attached: false, last_surface: None }
    }

    /// These pixels of it changed in the app's memory.
    pub(super) fn changed(&mut self, region: &Region) {
        if let Some(Shared { way: Way::Shadow { stale, .. }, .. }) = &mut self.shared {
            stale.add_all(region);
        }
    }

    pub(super) fn size(&self) -> (i32, i32) {
        (self.layout.width, self.layout.height)
    }
}
