//! A domain's own shareable memory: handing out pages and granting them.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use range_alloc::RangeAllocator;
use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags};
use rustix::mm::{MapFlags, ProtFlags};

use super::introduction::{self, FilePages};
use super::table::{self, End, Entry};
use crate::domain::DomainId;
use crate::grant::{
    Access, GrantError, GrantFile, GrantPages, GrantRef, GrantedMemory, PAGE_SIZE, PageCount,
    StillMapped,
};

/// The shareable memory of this domain. Clones are the same memory.
#[derive(Clone, Debug)]
pub struct DomainMemory {
    arena: Arc<Arena>,
}

#[derive(Debug)]
struct Arena {
    file: OwnedFd,
    /// All of the file, mapped once for good.
    start: NonNull<u8>,
    pages: u32,
    /// References are handed out here and nowhere else, so a live range is nobody else's.
    space: Mutex<Space>,
    /// From here on references stand for pages of files, and nothing is behind them here.
    first_of_files: u32,
    /// Where files are introduced, if the memory is.
    introductions: Mutex<Option<OwnedFd>>,
}

#[derive(Debug)]
struct Space {
    free: RangeAllocator<u32>,
    /// References for files.
    files: Option<RangeAllocator<u32>>,
    /// Ranges dropped while they were mapped.
    deferred: Vec<Pages>,
}

type Pages = std::ops::Range<u32>;

const NO_ROOM: GrantError = GrantError::Unsuitable("this memory has no room for files");

// SAFETY: `start` is only an address; what is reached through it are atomics (the table) and pages
// that belong to one `GrantedRange` each.
unsafe impl Send for Arena {}
// SAFETY: as above.
unsafe impl Sync for Arena {}

impl DomainMemory {
    /// Memory with room for `pages` pages beside the table, none of them taken from the machine yet.
    pub fn new(pages: PageCount) -> Result<DomainMemory, GrantError> {
        Self::with_room_for_files(pages, 0)
    }

    /// As [`new`](Self::new), with references for `of_files` pages of files as well.
    pub fn with_room_for_files(
        pages: PageCount,
        of_files: u32,
    ) -> Result<DomainMemory, GrantError> {
        let system = |what| move |cause| GrantError::System { what, cause };
        let own = pages.get();
        let pages = own.saturating_add(of_files);
        let pages = pages.min(table::MAX_PAGES - table::table_pages(table::MAX_PAGES));
        // A little more than needed, since the table has to list itself.
        let pages = pages + table::table_pages(pages + table::table_pages(pages));
        let bytes = pages as usize * PAGE_SIZE;

        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = rustix::fs::memfd_create("hyper-dmabuf", flags)
            .map_err(system("create a memfd for the domain's memory"))?;
        rustix::fs::ftruncate(&file, bytes as u64).map_err(system("size the domain's memory"))?;
        let mut header = [0; 16];
        header[..8].copy_from_slice(&table::MAGIC.to_ne_bytes());
        header[8..12].copy_from_slice(&table::VERSION.to_ne_bytes());
        header[12..].copy_from_slice(&pages.to_ne_bytes());
        rustix::io::pwrite(&file, &header, 0).map_err(system("write the grant table's header"))?;
        rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)
            .map_err(system("seal the domain's memory"))?;
        // SAFETY: a new mapping at an address of the kernel's choice replaces nothing.
        let start = unsafe {
            rustix::mm::mmap(
                std::ptr::null_mut(),
                bytes,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED | MapFlags::NORESERVE,
                &file,
                0,
            )
        }
        .map_err(system("map the domain's memory"))?;
        let start = NonNull::new(start.cast()).ok_or(GrantError::System {
            what: "map the domain's memory",
            cause: rustix::io::Errno::NOMEM,
        })?;
        let first = table::table_pages(pages);
        let first_of_files =
            if of_files == 0 { pages } else { first.saturating_add(own).min(pages) };
        let files = first_of_files..pages;
        let space = Space {
            free: RangeAllocator::new(first..first_of_files),
            files: (!files.is_empty()).then(|| RangeAllocator::new(files)),
            deferred: Vec::new(),
        };
        let (space, introductions) = (Mutex::new(space), Mutex::new(None));
        let arena = Arena { file, start, pages, space, first_of_files, introductions };
        Ok(DomainMemory { arena: Arc::new(arena) })
    }

    /// The end of a socket on which files will be introduced to whom this memory is introduced;
    /// none if it has no room for files.
    pub(super) fn introductions(&self) -> Result<Option<OwnedFd>, rustix::io::Errno> {
        if self.arena.first_of_files == self.arena.pages {
            return Ok(None);
        }
        let (ours, theirs) = introduction::pair()?;
        *self.arena.introductions.lock().unwrap_or_else(PoisonError::into_inner) = Some(ours);
        Ok(Some(theirs))
    }

    /// Whether there is room for pages of files.
    ///
    /// # Errors
    /// There is none.
    pub fn can_grant_files(&self) -> Result<(), GrantError> {
        if self.arena.first_of_files == self.arena.pages { Err(NO_ROOM) } else { Ok(()) }
    }

    /// Pages that are neither free nor merely waiting to be unmapped by others.
    pub fn granted_pages(&self) -> usize {
        let space = self.arena.space();
        let taken: usize = space.allocated().map(|range| range.len()).sum();
        taken - space.deferred.iter().map(ExactSizeIterator::len).sum::<usize>()
    }

    /// Pages that were dropped while they were mapped, and are kept aside.
    pub fn deferred_pages(&self) -> usize {
        self.arena.space().deferred.iter().map(ExactSizeIterator::len).sum()
    }
}

impl AsFd for DomainMemory {
    /// What introduces this memory to another domain.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.arena.file.as_fd()
    }
}

impl GrantPages for DomainMemory {
    type Memory = GrantedRange;

    fn grant(
        &self,
        pages: PageCount,
        to: DomainId,
        access: Access,
    ) -> Result<GrantedRange, GrantError> {
        let mut space = self.arena.space();
        self.arena.reclaim(&mut space);
        let range =
            space.free.allocate_range(pages.get()).map_err(|_| GrantError::OutOfMemory {
                wanted: pages,
                free: space.free.total_available(),
                total: self.arena.pages - table::table_pages(self.arena.pages),
            })?;
        drop(space);
        for page in range.clone() {
            self.arena.entry(page).permit(to, access);
        }
        Ok(GrantedRange {
            references: range.clone().map(GrantRef).collect(),
            pages: range,
            access,
            arena: Arc::clone(&self.arena),
        })
    }

    fn reclaim(&self) -> usize {
        let mut space = self.arena.space();
        self.arena.reclaim(&mut space);
        space.deferred.iter().map(ExactSizeIterator::len).sum()
    }

    fn peer_gone(&self, peer: DomainId) {
        let space = self.arena.space();
        for page in space.allocated().flatten() {
            self.arena.entry(page).forget(peer);
        }
    }
}

impl GrantFile for DomainMemory {
    fn grant_file(
        &self,
        file: BorrowedFd<'_>,
        first: u32,
        pages: PageCount,
        to: DomainId,
        access: Access,
    ) -> Result<GrantedRange, GrantError> {
        let arena = &self.arena;
        let socket = arena.introductions.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(socket) = &*socket else {
            return Err(NO_ROOM);
        };
        let mut space = arena.space();
        arena.reclaim(&mut space);
        let Some(files) = &mut space.files else {
            return Err(NO_ROOM);
        };
        let range = files.allocate_range(pages.get()).map_err(|_| GrantError::OutOfMemory {
            wanted: pages,
            free: files.total_available(),
            total: arena.pages - arena.first_of_files,
        })?;
        let said = FilePages { reference: range.start, pages: pages.get(), page: first };
        if let Err(cause) = introduction::send(socket.as_fd(), said, file) {
            files.free_range(range);
            return Err(GrantError::System { what: "introduce a file", cause });
        }
        drop(space);
        for page in range.clone() {
            arena.entry(page).permit(to, access);
        }
        Ok(GrantedRange {
            references: range.clone().map(GrantRef).collect(),
            pages: range,
            access,
            arena: Arc::clone(arena),
        })
    }
}

impl Space {
    fn allocated(&self) -> impl Iterator<Item = Pages> {
        let files = self.files.iter().flat_map(RangeAllocator::allocated_ranges);
        self.free.allocated_ranges().chain(files)
    }
}

impl Arena {
    fn space(&self) -> MutexGuard<'_, Space> {
        // Consistent at every step, so a panic elsewhere does not spoil it.
        self.space.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn entry(&self, page: u32) -> Entry<'_> {
        debug_assert!(page < self.pages);
        // SAFETY: inside the mapping, which holds an entry for each of its pages, aligned, and
        // only ever used as an atomic, by this process and by those who map the table.
        Entry(unsafe {
            AtomicU32::from_ptr(self.start.add(table::entry_offset(page)).as_ptr().cast())
        })
    }

    /// Ends what can be ended of the ranges that were dropped while they were mapped.
    fn reclaim(&self, space: &mut Space) {
        for range in std::mem::take(&mut space.deferred) {
            if self.end(&range) {
                self.free(space, range);
            } else {
                space.deferred.push(range);
            }
        }
    }

    /// Ends the grants of a range; false while any page of it is in use.
    fn end(&self, range: &Pages) -> bool {
        // Looked at first, so that a buffer in use usually stays granted as a whole.
        if range.clone().any(|page| self.entry(page).in_use()) {
            return false;
        }
        // One taken meanwhile leaves those before it ended: ending them again later is no harm.
        range.clone().all(|page| self.entry(page).end() == End::Ended)
    }

    /// Gives pages whose grants have ended back: to the machine, so that they are zeros next time.
    /// Behind references for files there are none, unless a mapper that refused the file looked.
    fn free(&self, space: &mut Space, range: Pages) {
        let offset = u64::from(range.start) * PAGE_SIZE as u64;
        let bytes = range.len() as u64 * PAGE_SIZE as u64;
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        if let Err(cause) = rustix::fs::fallocate(&self.file, flags, offset, bytes) {
            // The pages stay ours and clean only if they are never used again.
            tracing::error!(%cause, pages = range.len(), "cannot clear shareable pages; not reusing them");
            return;
        }
        match &mut space.files {
            Some(files) if range.start >= self.first_of_files => files.free_range(range),
            _ => space.free.free_range(range),
        }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        let bytes = self.pages as usize * PAGE_SIZE;
        // SAFETY: the mapping is ours, and every `GrantedRange` that points into it holds the arena.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), bytes) };
    }
}

/// A run of granted pages.
#[derive(Debug)]
pub struct GrantedRange {
    pages: Pages,
    references: Vec<GrantRef>,
    access: Access,
    arena: Arc<Arena>,
}

impl GrantedMemory for GrantedRange {
    fn references(&self) -> &[GrantRef] {
        &self.references
    }

    fn bytes(&self) -> NonNull<[u8]> {
        if self.pages.start >= self.arena.first_of_files {
            return NonNull::slice_from_raw_parts(NonNull::dangling(), 0);
        }
        let offset = self.pages.start as usize * PAGE_SIZE;
        // SAFETY: inside the arena's mapping, which `self` keeps.
        let start = unsafe { self.arena.start.add(offset) };
        NonNull::slice_from_raw_parts(start, self.pages.len() * PAGE_SIZE)
    }

    fn access(&self) -> Access {
        self.access
    }

    fn end(mut self) -> Result<(), StillMapped<Self>> {
        let mut space = self.arena.space();
        if !self.arena.end(&self.pages) {
            drop(space);
            return Err(StillMapped(self));
        }
        let pages = std::mem::take(&mut self.pages);
        self.arena.free(&mut space, pages);
        Ok(())
    }
}

impl Drop for GrantedRange {
    fn drop(&mut self) {
        if self.pages.is_empty() {
            return;
        }
        let pages = std::mem::take(&mut self.pages);
        let mut space = self.arena.space();
        if self.arena.end(&pages) {
            self.arena.free(&mut space, pages);
        } else {
            space.deferred.push(pages);
        }
    }
}
