//! This domain's own memory, granted page by page.

use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use super::files::{CannotGrantFiles, FileGrants, FilePages};
use super::gntalloc::{self, AllocateError, Allocated, Allocation};
use crate::domain::DomainId;
use crate::grant::{
    Access, GrantError, GrantFile, GrantPages, GrantRef, GrantedMemory, PageCount, StillMapped,
    directory,
};

/// The most pages of one buffer: as many as a directory reaches, 4 GiB.
const MOST_PAGES: u32 = directory::MAX_PAGES;

/// Memory that this domain shares, taken from the kernel as it is granted. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct OwnMemory {
    granted: Arc<AtomicUsize>,
    /// What granting files takes, or why it cannot be, once somebody has asked.
    files: Arc<OnceLock<Result<FileGrants, CannotGrantFiles>>>,
}

impl OwnMemory {
    /// Memory of which nothing is granted yet.
    pub fn new() -> OwnMemory {
        OwnMemory::default()
    }

    /// Pages that are granted now.
    pub fn granted_pages(&self) -> usize {
        self.granted.load(Ordering::Relaxed)
    }

    /// Whether [`GrantFile::grant_file`] can work in this domain, with `to` as the other one. Tried
    /// once.
    ///
    /// # Errors
    /// It cannot, and what it would take.
    pub fn can_grant_files(&self, to: DomainId) -> Result<(), GrantError> {
        self.files(to).map(drop)
    }

    fn files(&self, to: DomainId) -> Result<&FileGrants, GrantError> {
        let files = self.files.get_or_init(|| FileGrants::probe(to));
        files.as_ref().map_err(|error| GrantError::Unavailable(error.to_string()))
    }

    fn granted(&self, pages: Pages, access: Access) -> GrantedPages {
        self.granted.fetch_add(pages.references().len(), Ordering::Relaxed);
        GrantedPages { pages, access, granted: Arc::clone(&self.granted) }
    }
}

impl GrantPages for OwnMemory {
    type Memory = GrantedPages;

    fn grant(
        &self,
        pages: PageCount,
        to: DomainId,
        access: Access,
    ) -> Result<GrantedPages, GrantError> {
        let limited = || GrantError::Limit {
            wanted: pages,
            limit: gntalloc::limit().unwrap_or_default(),
            remedy: gntalloc::REMEDY,
        };
        // Nothing is allocated for what cannot be.
        if pages.get() > MOST_PAGES {
            return Err(limited());
        }
        let allocation = Allocation::new(to, pages, access).map_err(|error| match error {
            AllocateError::Limit => limited(),
            AllocateError::System(cause) => {
                GrantError::System { what: "grant pages through /dev/xen/gntalloc", cause }
            }
            AllocateError::Device(error) => GrantError::Unavailable(error.to_string()),
        })?;
        let memory = allocation.map().map_err(|cause| GrantError::System {
            what: "map this domain's granted pages",
            cause,
        })?;
        Ok(self.granted(Pages::Own(memory), access))
    }

    /// Pages that are still mapped are kept aside by the kernel, which tells nobody.
    fn reclaim(&self) -> usize {
        0
    }
}

impl GrantFile for OwnMemory {
    /// The driver grants for writing, whatever `access` says: what the display domain does with the
    /// pages is up to it. The file must be a memfd that may be written to.
    fn grant_file(
        &self,
        file: BorrowedFd<'_>,
        first: u32,
        pages: PageCount,
        to: DomainId,
        _: Access,
    ) -> Result<GrantedPages, GrantError> {
        let files = self.files(to)?;
        if pages.get() > MOST_PAGES {
            let (limit, remedy) = (MOST_PAGES.into(), "a buffer cannot be larger");
            return Err(GrantError::Limit { wanted: pages, limit, remedy });
        }
        let granted = files.grant(file, first, pages, to)?;
        Ok(self.granted(Pages::File(granted), Access::ReadWrite))
    }
}

/// Granted pages of this domain.
#[derive(Debug)]
pub struct GrantedPages {
    pages: Pages,
    access: Access,
    granted: Arc<AtomicUsize>,
}

#[derive(Debug)]
enum Pages {
    /// Of the kernel's, which this process sees.
    Own(Allocated),
    /// Of a file's.
    File(FilePages),
}

impl Pages {
    fn references(&self) -> &[GrantRef] {
        match self {
            Pages::Own(memory) => memory.references(),
            Pages::File(pages) => &pages.references,
        }
    }
}

impl GrantedMemory for GrantedPages {
    fn references(&self) -> &[GrantRef] {
        self.pages.references()
    }

    fn bytes(&self) -> NonNull<[u8]> {
        match &self.pages {
            Pages::Own(memory) => memory.bytes(),
            Pages::File(_) => NonNull::slice_from_raw_parts(NonNull::dangling(), 0),
        }
    }

    fn access(&self) -> Access {
        self.access
    }

    /// Always succeeds: the kernel keeps pages aside that the other domain still maps.
    fn end(self) -> Result<(), StillMapped<Self>> {
        Ok(())
    }
}

impl Drop for GrantedPages {
    fn drop(&mut self) {
        self.granted.fetch_sub(self.pages.references().len(), Ordering::Relaxed);
    }
}
