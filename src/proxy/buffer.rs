//! Pools and buffers: from an app's file to an export that the display domain shows.
//!
//! A pool costs nothing but its descriptor. A buffer is shared when it is first attached, and only
//! the pages that it lies in; its pool is never seen by the host.

use std::rc::Rc;

use super::damage::Region;
use super::objects::AppId;
use super::pool_file::{Layout, PoolFile};
use crate::id::HyperDmabufId;

/// A `wl_shm_pool` of the app's.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) file: Rc<PoolFile>,
    pub(super) size: i32,
}

/// A `wl_buffer` of a pool.
#[derive(Debug)]
pub(super) struct Buffer {
    pub(super) file: Rc<PoolFile>,
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
    },
}

impl Way {
    /// A shadow that was never copied to.
    pub(super) const NEW_SHADOW: Way = Way::Shadow { stale: Region::All };
}

impl Buffer {
    pub(super) fn new(file: Rc<PoolFile>, layout: Layout) -> Buffer {
        Buffer { file, layout, shared: None, attached: false, last_surface: None }
    }

    /// These pixels of it changed in the app's memory.
    pub(super) fn changed(&mut self, region: &Region) {
        if let Some(Shared { way: Way::Shadow { stale }, .. }) = &mut self.shared {
            stale.add_all(region);
        }
    }

    pub(super) fn size(&self) -> (i32, i32) {
        (self.layout.width, self.layout.height)
    }
}
