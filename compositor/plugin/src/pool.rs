//! `wl_shm` pools whose pages are a guest's.
//!
//! Smithay can only make a pool over a file that it maps itself, for writing, from offset 0. So it is
//! given an empty file, and when a buffer of the pool is committed for the first time the guest's
//! pages are laid over Smithay's mapping, read-only where they were granted so. Smithay then draws
//! the guest's memory itself: there is nothing to copy. When the last buffer of the pool is out of
//! use the pages are taken away again, while the mapping still stands, and only then does the
//! exporter hear `released`. Smithay unmaps pools in a thread of its own, at a time that it does not
//! tell; that is why the pages do not wait for it.

use std::any::Any;
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::ptr::NonNull;
use std::sync::Arc;

use hyper_dmabuf::domain::DomainId;
use hyper_dmabuf::grant::PAGE_SIZE;
use hyper_dmabuf::import::{Import, ImportView, PlacedImport};
use hyper_dmabuf_protocol::server::hyper_dmabuf_v1::{Error, Failure, HyperDmabufV1};
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::mm::{MapFlags, ProtFlags};
use smithay::reexports::wayland_server::backend::ObjectId;
use smithay::reexports::wayland_server::protocol::wl_buffer::WlBuffer;
use smithay::reexports::wayland_server::protocol::wl_shm::{self, Format, WlShm};
use smithay::reexports::wayland_server::protocol::wl_shm_pool::WlShmPool;
use smithay::reexports::wayland_server::protocol::wl_surface::WlSurface;
use smithay::reexports::wayland_server::{
    Client, DataInit, Dispatch, DisplayHandle, New, Resource,
};
use smithay::wayland::compositor::{
    BufferAssignment, SurfaceAttributes, add_pre_commit_hook, with_states,
};
use smithay::wayland::shm::{
    ShmHandler, ShmPoolUserData, ShmState, with_buffer_contents, with_buffer_contents_mut,
};

use crate::unfinished::Unfinished;
use crate::{HyperDmabufHandler, HyperDmabufState, Show};

/// The largest pool: `wl_shm` counts in signed 32 bits.
const MAX_POOL: i32 = i32::MAX - i32::MAX % PAGE_SIZE as i32;

/// Names a pool of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PoolKey(u64);

/// The pools that were made of imports.
#[derive(Debug, Default)]
pub(crate) struct Pools {
    next: u64,
    pools: HashMap<PoolKey, Pool>,
    /// Their `wl_shm_pool`s and `wl_buffer`s.
    objects: HashMap<ObjectId, PoolKey>,
    buffers: HashMap<ObjectId, PoolKey>,
    /// Bytes that were copied out of each domain's buffers.
    staged: HashMap<DomainId, u64>,
    /// Those without either, which wait for surfaces to let go of their last buffer.
    ending: Vec<PoolKey>,
}

/// Smithay's data of a `wl_buffer`, which keeps the pool mapped.
type BufferData = Arc<dyn Any + Send + Sync>;

#[derive(Debug)]
struct Pool {
    has_object: bool,
    buffers: usize,
    /// Destroyed by the client while a surface may still show them.
    lingering: Vec<BufferData>,
    pages: Pages,
    last: Option<PoolBuffer>,
    frames: u64,
    bytes_copied: u64,
}

/// What is in the pool's mapping.
#[derive(Debug)]
enum Pages {
    /// Nothing: no buffer of it was committed yet.
    Waiting(Import, Show),
    /// The guest's pages. In this order: they go before the mapping may.
    Placed(PlacedImport, BufferData),
    /// Copies of them, each buffer's as of its last commit.
    Staged(ImportView),
    /// Zeros, since there is no import.
    Blank,
    /// As above, before the zeros are there.
    ToBlank,
}

/// The shape of a `wl_buffer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolBuffer {
    /// Pixels in a row.
    pub width: i32,
    /// Rows.
    pub height: i32,
    /// Their format.
    pub format: Format,
}

/// What is shown of an import.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub(crate) buffer: Option<PoolBuffer>,
    pub(crate) frames: u64,
    pub(crate) bytes_copied: u64,
}

/// The file that every pool begins as: room for the largest, taken from the machine never.
pub(crate) fn blank_file() -> std::io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = rustix::fs::memfd_create("hyper-dmabuf-blank", flags)?;
    rustix::fs::ftruncate(&file, MAX_POOL as u64)?;
    rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(file)
}

/// A file of a pool's own, for copies.
fn private_file(length: i32) -> std::io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = rustix::fs::memfd_create("hyper-dmabuf-staged", flags)?;
    rustix::fs::ftruncate(&file, length as u64)?;
    rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(file)
}

/// Makes a genuine Smithay pool for an import; for a failed one (`None`), a pool that shows nothing.
pub(crate) fn create<D>(
    state: &mut D,
    client: &Client,
    object: &HyperDmabufV1,
    content: Option<(Import, Show)>,
    id: New<WlShmPool>,
    display: &DisplayHandle,
    data_init: &mut DataInit<'_, D>,
) -> Option<PoolKey>
where
    D: Dispatch<WlShm, ()> + Dispatch<WlShmPool, ShmPoolUserData> + ShmHandler + HyperDmabufHandler,
{
    let length = match &content {
        // Whoever shows a failed buffer does not know its length; anything goes.
        None => MAX_POOL,
        Some((import, _)) => match i32::try_from(import.length()) {
            Ok(length) if import.offset() == 0 && length <= MAX_POOL => length,
            _ => {
                let message = "a pool begins at a page and is shorter than 2^31 bytes";
                object.post_error(Error::NotPoolable, message);
                return None;
            }
        },
    };
    let this = state.hyper_dmabuf_state();
    // Smithay wants a wl_shm for its errors. The client cannot name this one.
    let file = match &content {
        Some((_, Show::Staged)) => private_file(length),
        _ => this.blank.try_clone(),
    };
    let made = file.map_err(|error| error.to_string()).and_then(|file| {
        let shm = client.create_resource::<WlShm, (), D>(display, 1, ());
        shm.map(|shm| (file, shm)).map_err(|error| error.to_string())
    });
    let (file, shm) = match made {
        Ok(made) => made,
        Err(error) => {
            tracing::error!(%error, "cannot make a pool");
            object.post_error(Error::NotPoolable, "the display domain is out of descriptors");
            return None;
        }
    };
    let (id, pool_id) = Unfinished::name(id, data_init);
    let key = this.pools.insert(pool_id, content);
    let request = wl_shm::Request::CreatePool { id, fd: file, size: length };
    <ShmState as Dispatch<WlShm, (), D>>::request(
        state,
        client,
        &shm,
        request,
        &(),
        display,
        data_init,
    );
    if let Err(error) = display.backend_handle().destroy_object::<D>(&shm.id()) {
        tracing::error!(%error, "cannot remove a wl_shm that no client knows");
    }
    Some(key)
}

/// Shows pools' pages from the first commit on.
pub(crate) fn watch_commits<D: HyperDmabufHandler>(surface: &WlSurface) {
    add_pre_commit_hook::<D, _>(surface, |state, _display, surface| {
        let buffer = with_states(surface, |states| {
            let mut attributes = states.cached_state.get::<SurfaceAttributes>();
            match &attributes.pending().buffer {
                Some(BufferAssignment::NewBuffer(buffer)) => Some(buffer.clone()),
                _ => None,
            }
        });
        if let Some(buffer) = buffer {
            state.hyper_dmabuf_state().show(&buffer);
        }
    });
}

impl HyperDmabufState {
    /// Whether writing to this `wl_shm` buffer would fault, since its pages were granted for reading
    /// only. To be asked before a screen is copied into a client's buffer.
    pub fn is_read_only(&self, buffer: &WlBuffer) -> bool {
        let pool = self.pools.buffers.get(&buffer.id()).and_then(|key| self.pools.pools.get(key));
        pool.is_some_and(|pool| match &pool.pages {
            Pages::Waiting(_, Show::Staged) | Pages::Staged(_) => false,
            Pages::Waiting(import, Show::Direct) => is_read_only(import),
            Pages::Placed(placed, _) => is_read_only(placed.import()),
            Pages::Blank | Pages::ToBlank => true,
        })
    }

    /// A buffer is about to be committed.
    fn show(&mut self, buffer: &WlBuffer) {
        let Some(key) = self.pools.buffers.get(&buffer.id()) else { return };
        let Some(pool) = self.pools.pools.get_mut(key) else { return };
        pool.frames += 1;
        let import = match &pool.pages {
            Pages::Placed(..) | Pages::Blank => return,
            Pages::ToBlank => None,
            Pages::Waiting(import, Show::Direct) => Some(import.clone()),
            Pages::Waiting(import, Show::Staged) => {
                match import.clone().view() {
                    Ok(view) => {
                        let bytes = stage(buffer, &view);
                        pool.bytes_copied += bytes;
                        *self.pools.staged.entry(view.import().domain()).or_default() += bytes;
                        pool.pages = Pages::Staged(view);
                    }
                    // The private pages are zeros.
                    Err(error) => tracing::error!(id = %import.id(), %error, "cannot stage"),
                }
                return;
            }
            Pages::Staged(view) => {
                let bytes = stage(buffer, view);
                pool.bytes_copied += bytes;
                *self.pools.staged.entry(view.import().domain()).or_default() += bytes;
                return;
            }
        };
        let Some(anchor) = buffer.object_data().cloned() else { return };
        let mapping = with_buffer_contents(buffer, |start, length, _| {
            (NonNull::new(start.cast_mut()), length)
        });
        let Ok((Some(start), length)) = mapping else { return };
        let Some(import) = import else {
            pool.pages = Pages::Blank;
            blank(start, length);
            return;
        };
        // Never true: the pool was made with the import's length.
        if length.next_multiple_of(PAGE_SIZE) != import.pages().bytes() {
            tracing::error!(id = %import.id(), length, "a pool has another length than its import");
            return;
        }
        let name = (import.domain(), import.id());
        // SAFETY: Smithay's mapping, page-aligned and of this length. It stands while `anchor`
        // lives, which goes after the placement, and stays in place because `resize` of our pools
        // is refused. Smithay reads it by raw pointers only.
        match unsafe { import.place(start) } {
            Ok(placed) => pool.pages = Pages::Placed(placed, anchor),
            Err(error) => {
                tracing::error!(id = %name.1, %error, "cannot show a buffer");
                pool.pages = Pages::Blank;
                blank(start, length);
                for object in self.objects.get(&name).into_iter().flat_map(HashMap::values) {
                    object.failed(Failure::Mapping, error.to_string());
                }
            }
        }
    }
}

fn is_read_only(import: &Import) -> bool {
    import.access() == hyper_dmabuf::grant::Access::ReadOnly
}

/// Copies what a buffer shows from the guest's pages to the pool's own. All of it: its damage says
/// what changed since the last commit of the surface, not since this buffer's.
fn stage(buffer: &WlBuffer, view: &ImportView) -> u64 {
    let copied = with_buffer_contents_mut(buffer, |start, length, shape| {
        // Smithay has checked that none is negative and that the rows lie in the pool.
        let offset = shape.offset as usize;
        let bytes = shape.stride as usize * shape.height as usize;
        if offset.checked_add(bytes).is_none_or(|end| end > length) {
            return 0;
        }
        // SAFETY: inside the pool's mapping, as was just checked; its file is this pool's alone,
        // and Smithay holds the pool's lock meanwhile.
        let target = unsafe { std::slice::from_raw_parts_mut(start.add(offset), bytes) };
        if view.copy_to(offset, target) { bytes as u64 } else { 0 }
    });
    copied.unwrap_or(0)
}

/// Puts zeros that cost no memory in place of the blank file, whose pages would be taken from the
/// machine as they are read.
fn blank(start: NonNull<u8>, length: usize) {
    let flags = MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE;
    let start = start.as_ptr().cast();
    // SAFETY: Smithay's mapping of a pool of ours, as in `show`; it is in use by the caller.
    if let Err(error) = unsafe { rustix::mm::mmap_anonymous(start, length, ProtFlags::READ, flags) }
    {
        tracing::error!(%error, "cannot blank a pool");
    }
}

impl Pools {
    /// Bytes that were copied out of a domain's buffers.
    pub(crate) fn staged(&self, domain: DomainId) -> u64 {
        self.staged.get(&domain).copied().unwrap_or(0)
    }

    fn insert(&mut self, object: ObjectId, content: Option<(Import, Show)>) -> PoolKey {
        let key = PoolKey(self.next);
        self.next += 1;
        self.objects.insert(object, key);
        let pool = Pool {
            has_object: true,
            buffers: 0,
            lingering: Vec::new(),
            pages: content.map_or(Pages::ToBlank, |(import, show)| Pages::Waiting(import, show)),
            last: None,
            frames: 0,
            bytes_copied: 0,
        };
        self.pools.insert(key, pool);
        key
    }

    /// Whether the pool has a `wl_shm_pool`.
    pub(crate) fn has_object(&self, key: PoolKey) -> bool {
        self.pools.get(&key).is_some_and(|pool| pool.has_object)
    }

    /// The pool of ours that a `wl_shm_pool` is.
    pub(crate) fn key(&self, object: &WlShmPool) -> Option<PoolKey> {
        self.objects.get(&object.id()).copied()
    }

    /// A `wl_buffer` is made of a pool.
    pub(crate) fn add_buffer(&mut self, key: PoolKey, buffer: ObjectId, shape: Option<PoolBuffer>) {
        let Some(pool) = self.pools.get_mut(&key) else { return };
        pool.buffers += 1;
        pool.last = shape.or(pool.last);
        self.buffers.insert(buffer, key);
    }

    /// A `wl_shm_pool` or `wl_buffer` is gone. `data` is what a surface may still hold of it.
    pub(crate) fn object_gone(&mut self, object: &ObjectId, data: Option<BufferData>) {
        let key = if let Some(key) = self.objects.remove(object) {
            let Some(pool) = self.pools.get_mut(&key) else { return };
            pool.has_object = false;
            key
        } else if let Some(key) = self.buffers.remove(object) {
            let Some(pool) = self.pools.get_mut(&key) else { return };
            pool.buffers -= 1;
            pool.lingering.extend(data);
            key
        } else {
            return;
        };
        if self.pools.get(&key).is_some_and(|pool| !pool.has_object && pool.buffers == 0) {
            self.ending.push(key);
        }
    }

    /// Ends the pools that nobody shows any more.
    pub(crate) fn refresh(&mut self) {
        self.ending.retain(|key| {
            let Some(pool) = self.pools.get_mut(key) else { return false };
            let anchor = match &pool.pages {
                Pages::Placed(_, anchor) => Some(anchor),
                Pages::Waiting(..) | Pages::Staged(_) | Pages::Blank | Pages::ToBlank => None,
            };
            pool.lingering.retain(|data| {
                let anchored = anchor.is_some_and(|anchor| Arc::ptr_eq(anchor, data));
                Arc::strong_count(data) > 1 + usize::from(anchored)
            });
            let shown = !pool.lingering.is_empty();
            if !shown {
                self.pools.remove(key);
            }
            shown
        });
    }

    /// What is shown of an import.
    pub(crate) fn shown(&self, import: &Import) -> Shown {
        let mut shown = Shown::default();
        for pool in self.pools.values() {
            let of = match &pool.pages {
                Pages::Waiting(import, _) => import,
                Pages::Placed(placed, _) => placed.import(),
                Pages::Staged(view) => view.import(),
                Pages::Blank | Pages::ToBlank => continue,
            };
            if (of.domain(), of.id()) == (import.domain(), import.id()) {
                shown.buffer = pool.last.or(shown.buffer);
                shown.frames += pool.frames;
                shown.bytes_copied += pool.bytes_copied;
            }
        }
        shown
    }
}
