//! An imported buffer, for as long as somebody uses it.

use std::os::fd::OwnedFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::{Account, Released, lock};
use crate::domain::DomainId;
use crate::grant::{Access, MapError, Mapping, PageCount, Placement, View};
use crate::id::HyperDmabufId;

/// One use of an imported buffer. Clones are further uses; the last one to go unmaps it.
#[derive(Clone, Debug)]
pub struct Import {
    pub(super) buffer: Arc<Buffer>,
}

#[derive(Debug)]
pub(super) struct Buffer {
    pub(super) offset: u32,
    pub(super) length: u32,
    pub(super) metadata: Mutex<Vec<u8>>,
    /// Where the pages are to be seen now.
    pub(super) placements: AtomicUsize,
    // Dropped in this order: `released` must be true when it is said.
    pub(super) mapping: Arc<dyn Mapping>,
    pub(super) notice: Notice,
}

/// Says, when it is dropped, that a buffer is released.
#[derive(Debug)]
pub(super) struct Notice {
    pub(super) domain: DomainId,
    pub(super) id: HyperDmabufId,
    pub(super) pages: u32,
    pub(super) account: Arc<Mutex<Account>>,
    pub(super) released: Arc<Mutex<Vec<Released>>>,
}

/// An imported buffer's pages over a range of addresses, and the use of the buffer that this is.
#[derive(Debug)]
pub struct PlacedImport {
    // Dropped in this order: the pages are out of sight before the use ends.
    _placement: Placement,
    import: Import,
}

/// An imported buffer's pages, to be copied from, and the use of the buffer that this is.
#[derive(Debug)]
pub struct ImportView {
    // Dropped in this order, as above.
    view: View,
    import: Import,
}

impl Import {
    /// Who exported the buffer.
    pub fn domain(&self) -> DomainId {
        self.buffer.notice.domain
    }

    /// What it is known by.
    pub fn id(&self) -> HyperDmabufId {
        self.buffer.notice.id
    }

    /// Bytes before the buffer in its first page.
    pub fn offset(&self) -> u32 {
        self.buffer.offset
    }

    /// Bytes in the buffer.
    pub fn length(&self) -> u32 {
        self.buffer.length
    }

    /// The exporter's metadata now.
    pub fn metadata(&self) -> Vec<u8> {
        lock(&self.buffer.metadata).clone()
    }

    /// What may be done with the pages.
    pub fn access(&self) -> Access {
        self.buffer.mapping.access()
    }

    /// How many pages the buffer lies in.
    pub fn pages(&self) -> PageCount {
        self.buffer.mapping.pages()
    }

    /// Lays the pages over the addresses from `at`, where they stay until the result is dropped;
    /// then the addresses read as zeros.
    ///
    /// # Safety
    /// As for [`Placement::over`]: `at` is page-aligned, and the `pages().bytes()` bytes from there
    /// are a mapping that stays in place, and is nobody else's to replace, until the result is
    /// dropped. No reference points into them.
    pub unsafe fn place(self, at: NonNull<u8>) -> Result<PlacedImport, MapError> {
        // SAFETY: as the caller promises.
        let placement = unsafe { Placement::over(Arc::clone(&self.buffer.mapping), at)? };
        self.buffer.placements.fetch_add(1, Ordering::Relaxed);
        Ok(PlacedImport { _placement: placement, import: self })
    }

    /// The pages, to be copied from.
    ///
    /// # Errors
    /// There is no room for them in this process.
    pub fn view(self) -> Result<ImportView, MapError> {
        let view = View::new(Arc::clone(&self.buffer.mapping))?;
        self.buffer.placements.fetch_add(1, Ordering::Relaxed);
        Ok(ImportView { view, import: self })
    }

    /// In how many places of this process the pages are to be seen now.
    pub fn placements(&self) -> usize {
        self.buffer.placements.load(Ordering::Relaxed)
    }

    /// The buffer as a dma-buf, where the back end has one.
    pub fn dmabuf(&self) -> Option<OwnedFd> {
        self.buffer.mapping.dmabuf()
    }

    /// How many uses there are, this one included.
    pub fn users(&self) -> usize {
        Arc::strong_count(&self.buffer)
    }
}

impl PlacedImport {
    /// The buffer.
    pub fn import(&self) -> &Import {
        &self.import
    }
}

impl Drop for PlacedImport {
    fn drop(&mut self) {
        self.import.buffer.placements.fetch_sub(1, Ordering::Relaxed);
    }
}

impl ImportView {
    /// The buffer.
    pub fn import(&self) -> &Import {
        &self.import
    }

    /// Copies the bytes from `offset` on, as many as `target` holds; each is read once. False, and
    /// nothing copied, if the buffer has not so many.
    pub fn copy_to(&self, offset: usize, target: &mut [u8]) -> bool {
        let length = self.import.length() as usize;
        if offset.checked_add(target.len()).is_none_or(|end| end > length) {
            return false;
        }
        self.view.copy_to(offset + self.import.offset() as usize, target)
    }
}

impl Drop for ImportView {
    fn drop(&mut self) {
        self.import.buffer.placements.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Notice {
    fn drop(&mut self) {
        {
            let mut account = lock(&self.account);
            account.buffers -= 1;
            account.pages -= self.pages;
        }
        lock(&self.released).push(Released { domain: self.domain, id: self.id });
    }
}
