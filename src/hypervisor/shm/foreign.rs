//! Another domain's shareable memory, seen from the display domain. Nothing in it is believed:
//! the size is the kernel's, an entry of the table is checked and taken in one atomic step.

use std::os::fd::OwnedFd;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::SealFlags;
use rustix::mm::{MapFlags, ProtFlags};

use super::MAX_PIECES;
use super::files::{Files, Meaning};
use super::table::{self, Entry, Refusal};
use crate::domain::DomainId;
use crate::grant::{Access, ForeignMemory, GrantRef, MapError, Mapping, PAGE_SIZE, PageCount};

/// Why a file was not accepted as a domain's memory.
#[derive(Debug, thiserror::Error)]
pub enum IntroductionError {
    /// It could shrink under a reader.
    #[error("the memory is not sealed against shrinking (F_SEAL_SHRINK)")]
    NotSealed,
    /// It is not laid out as a domain's memory.
    #[error("the memory has no grant table that this version understands: {0}")]
    BadLayout(&'static str),
    /// The system refused.
    #[error("cannot {what}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the kernel said.
        #[source]
        cause: rustix::io::Errno,
    },
}

/// The memory of the domain `domain`, as mapped by the domain `us`.
#[derive(Clone, Debug)]
pub struct ForeignDomain {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    domain: DomainId,
    us: DomainId,
    file: OwnedFd,
    table: Table,
    counts: Mutex<Counts>,
    files: Mutex<Files>,
}

/// How often this domain maps each page: Xen's "maptrack", private to the mapper.
#[derive(Debug)]
struct Counts {
    readers: Vec<u16>,
    writers: Vec<u16>,
    pages: usize,
}

/// The grant table of the other domain, mapped once.
#[derive(Debug)]
struct Table {
    start: NonNull<u8>,
    pages: u32,
}

// SAFETY: what is reached through `start` are atomics.
unsafe impl Send for Table {}
// SAFETY: as above.
unsafe impl Sync for Table {}

impl ForeignDomain {
    /// Accepts `file` as the memory of `domain`. `domain` is known by the way the file came, not by
    /// anything in it.
    pub fn introduce(
        file: OwnedFd,
        domain: DomainId,
        us: DomainId,
    ) -> Result<ForeignDomain, IntroductionError> {
        Self::introduce_with_files(file, None, domain, us)
    }

    /// As [`introduce`](Self::introduce); on `introductions` the domain will say which references
    /// stand for pages of files.
    pub(super) fn introduce_with_files(
        file: OwnedFd,
        introductions: Option<OwnedFd>,
        domain: DomainId,
        us: DomainId,
    ) -> Result<ForeignDomain, IntroductionError> {
        let system = |what| move |cause| IntroductionError::System { what, cause };
        let seals = rustix::fs::fcntl_get_seals(&file)
            .map_err(system("read the seals of the domain's memory: it must be a memfd"))?;
        if !seals.contains(SealFlags::SHRINK) {
            return Err(IntroductionError::NotSealed);
        }
        let stat = rustix::fs::fstat(&file).map_err(system("read the memory's size"))?;
        if stat.st_blksize != PAGE_SIZE as i64 {
            return Err(IntroductionError::BadLayout("its pages are not of 4 KiB"));
        }
        let mut header = [0; 16];
        let read = rustix::io::pread(&file, &mut header, 0).map_err(system("read the header"))?;
        let [magic_low, magic_high, version, pages] = [0, 4, 8, 12].map(|at| {
            u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        });
        let magic = u64::from(magic_high) << 32 | u64::from(magic_low);
        if read < header.len() || magic != table::MAGIC {
            return Err(IntroductionError::BadLayout("there is no header"));
        }
        if version != table::VERSION {
            return Err(IntroductionError::BadLayout("it has another version"));
        }
        // The kernel's size is the truth; the header may only agree with it.
        if pages > table::MAX_PAGES || stat.st_size as u64 != u64::from(pages) * PAGE_SIZE as u64 {
            return Err(IntroductionError::BadLayout("its size is not what the header says"));
        }
        if pages <= table::table_pages(pages) {
            return Err(IntroductionError::BadLayout("there is no room for the grant table"));
        }
        let table = Table::map(&file, pages).map_err(system("map the grant table"))?;
        let counts =
            Counts { readers: vec![0; pages as usize], writers: vec![0; pages as usize], pages: 0 };
        let counts = Mutex::new(counts);
        let files = Mutex::new(introductions.map(Files::told_by).unwrap_or_default());
        let shared = Shared { domain, us, file, table, counts, files };
        Ok(ForeignDomain { shared: Arc::new(shared) })
    }
}

impl ForeignMemory for ForeignDomain {
    fn domain(&self) -> DomainId {
        self.shared.domain
    }

    fn map(&self, references: &[GrantRef], access: Access) -> Result<Box<dyn Mapping>, MapError> {
        let pages = u32::try_from(references.len()).ok().and_then(PageCount::new);
        let pages = pages.ok_or(MapError::Empty)?;
        let pieces = self.shared.with_files(neighbours(references)?)?;
        // Releases on the way out what was taken before a refusal.
        let mut taken = Taken { shared: Arc::clone(&self.shared), access, references: Vec::new() };
        taken.references.reserve_exact(references.len());
        let mut counts = self.shared.counts();
        for (page, &reference) in references.iter().enumerate() {
            let result = self.shared.take(&mut counts, page, reference, access);
            if let Err(error) = result {
                drop(counts);
                return Err(error);
            }
            taken.references.push(reference);
        }
        drop(counts);
        Ok(Box::new(MappedPages { pieces, pages, taken }))
    }

    fn mapped_pages(&self) -> usize {
        self.shared.counts().pages
    }
}

impl Shared {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Consistent at every step, so a panic elsewhere does not spoil it.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks up which pieces lie in files, and divides them where one file ends.
    fn with_files(&self, pieces: Vec<Piece>) -> Result<Vec<PlacedPiece>, MapError> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.listen(self.table.pages);
        let mut placed = Vec::with_capacity(pieces.len());
        let mut page = 0;
        for Piece { mut first, mut count } in pieces {
            while count > 0 {
                let (file, page_of_file, references) = match files.meaning(first) {
                    Meaning::Memory { references } => (None, first, references),
                    Meaning::File { file, page, references } => (Some(file), page, references),
                    Meaning::Gone => {
                        let (reference, domain) = (GrantRef(first), self.domain);
                        return Err(MapError::BadReference { page, reference, domain });
                    }
                };
                // Never 0: a range begins later, or has references left.
                let taken = count.min(references.max(1));
                placed.push(PlacedPiece { file, first: page_of_file, count: taken });
                page += taken as usize;
                // Wraps only after the last of all references, when nothing is left.
                (first, count) = (first.wrapping_add(taken), count - taken);
            }
        }
        if placed.len() > MAX_PIECES {
            return Err(MapError::TooScattered { pieces: placed.len(), limit: MAX_PIECES });
        }
        Ok(placed)
    }

    /// Takes one page, counted.
    fn take(
        &self,
        counts: &mut Counts,
        page: usize,
        reference: GrantRef,
        access: Access,
    ) -> Result<(), MapError> {
        let domain = self.domain;
        let bad = MapError::BadReference { page, reference, domain };
        let (Some(entry), Some(readers), Some(writers)) = (
            self.table.entry(reference),
            counts.readers.get_mut(reference.0 as usize),
            counts.writers.get_mut(reference.0 as usize),
        ) else {
            return Err(bad);
        };
        entry.take(self.us, access).map_err(|refusal| match refusal {
            Refusal::NotGranted => MapError::NotGranted { page, reference, domain },
            Refusal::ReadOnly => MapError::ReadOnly { page, reference, domain },
            Refusal::Contended => MapError::Contended { page, reference, domain },
        })?;
        // 65 535 mappings of one page: nobody honest has them.
        let Some(more_readers) = readers.checked_add(1) else {
            return Err(bad);
        };
        *readers = more_readers;
        if access == Access::ReadWrite {
            *writers += 1; // Never above the readers.
        }
        counts.pages += 1;
        Ok(())
    }

    fn leave(&self, counts: &mut Counts, reference: GrantRef, access: Access) {
        let index = reference.0 as usize;
        // Taken before, so inside the table.
        let Some(entry) = self.table.entry(reference) else { return };
        if access == Access::ReadWrite {
            counts.writers[index] -= 1;
        }
        counts.readers[index] -= 1;
        counts.pages -= 1;
        entry.leave(counts.readers[index] > 0, counts.writers[index] > 0);
    }
}

impl Table {
    fn map(file: &OwnedFd, pages: u32) -> rustix::io::Result<Table> {
        let bytes = table::table_pages(pages) as usize * PAGE_SIZE;
        let (read_write, shared) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: a new mapping at an address of the kernel's choice replaces nothing.
        let start =
            unsafe { rustix::mm::mmap(std::ptr::null_mut(), bytes, read_write, shared, file, 0)? };
        let start = NonNull::new(start.cast()).ok_or(rustix::io::Errno::NOMEM)?;
        Ok(Table { start, pages })
    }

    /// The entry of a shareable page. The table's own pages are none.
    fn entry(&self, reference: GrantRef) -> Option<Entry<'_>> {
        let shareable = table::table_pages(self.pages)..self.pages;
        if !shareable.contains(&reference.0) {
            return None;
        }
        // SAFETY: the table was mapped with an entry for each page below `pages`; the file cannot
        // shrink; aligned, and only ever used as an atomic.
        Some(Entry(unsafe {
            AtomicU32::from_ptr(self.start.add(table::entry_offset(reference.0)).as_ptr().cast())
        }))
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        let bytes = table::table_pages(self.pages) as usize * PAGE_SIZE;
        // SAFETY: the mapping is ours and no entry outlives `self`.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), bytes) };
    }
}

/// Runs of neighbouring pages: each is one `mmap`.
fn neighbours(references: &[GrantRef]) -> Result<Vec<Piece>, MapError> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut total = 0usize;
    for reference in references {
        match pieces.last_mut() {
            Some(piece) if piece.first.checked_add(piece.count) == Some(reference.0) => {
                piece.count += 1;
            }
            _ => {
                total += 1;
                // Counted to the end for the error message, kept only up to the bound.
                if total <= MAX_PIECES {
                    pieces.push(Piece { first: reference.0, count: 1 });
                } else if let Some(last) = pieces.last_mut() {
                    *last = Piece { first: reference.0, count: 1 };
                }
            }
        }
    }
    if total > MAX_PIECES {
        return Err(MapError::TooScattered { pieces: total, limit: MAX_PIECES });
    }
    Ok(pieces)
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    first: u32,
    count: u32,
}

/// A run of pages of the domain's memory, or of a file.
#[derive(Debug)]
struct PlacedPiece {
    file: Option<Arc<OwnedFd>>,
    first: u32,
    count: u32,
}

/// Pages marked in use, until this is dropped.
#[derive(Debug)]
struct Taken {
    shared: Arc<Shared>,
    references: Vec<GrantRef>,
    access: Access,
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut counts = self.shared.counts();
        for &reference in &self.references {
            self.shared.leave(&mut counts, reference, self.access);
        }
    }
}

#[derive(Debug)]
struct MappedPages {
    taken: Taken,
    pieces: Vec<PlacedPiece>,
    pages: PageCount,
}

impl Mapping for MappedPages {
    fn pages(&self) -> PageCount {
        self.pages
    }

    fn access(&self) -> Access {
        self.taken.access
    }

    unsafe fn place(&self, at: NonNull<u8>) -> Result<(), MapError> {
        let protection = match self.taken.access {
            Access::ReadOnly => ProtFlags::READ,
            Access::ReadWrite => ProtFlags::READ | ProtFlags::WRITE,
        };
        let mut offset = 0;
        for piece in &self.pieces {
            let bytes = piece.count as usize * PAGE_SIZE;
            let file = piece.file.as_deref().unwrap_or(&self.taken.shared.file);
            // SAFETY: the pieces add up to `pages`, a range that the caller lets us replace; both
            // kinds of file are sealed, so the pages stay there.
            unsafe {
                rustix::mm::mmap(
                    at.add(offset).as_ptr().cast(),
                    bytes,
                    protection,
                    MapFlags::SHARED | MapFlags::FIXED,
                    file,
                    u64::from(piece.first) * PAGE_SIZE as u64,
                )
            }
            .map_err(|cause| MapError::System { what: "map a domain's pages", cause })?;
            offset += bytes;
        }
        Ok(())
    }
}
