//! This domain's own memory, granted page by page.

use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::gntalloc::{self, AllocateError, Allocated, Allocation};
use crate::domain::DomainId;
use crate::grant::{
    Access, GrantError, GrantPages, GrantRef, GrantedMemory, PageCount, StillMapped, directory,
};

/// The most pages of one buffer: as many as a directory reaches, 4 GiB.
const MOST_PAGES: u32 = directory::MAX_PAGES;

/// Memory that this domain shares, taken from the kernel as it is granted. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct OwnMemory {
    granted: Arc<AtomicUsize>,
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
        self.granted.fetch_add(memory.references().len(), Ordering::Relaxed);
        Ok(GrantedPages { memory, access, granted: Arc::clone(&self.granted) })
    }

    /// Pages that are still mapped are kept aside by the kernel, which tells nobody.
    fn reclaim(&self) -> usize {
        0
    }
}

/// Granted pages of this domain.
#[derive(Debug)]
pub struct GrantedPages {
    memory: Allocated,
    access: Access,
    granted: Arc<AtomicUsize>,
}

impl GrantedMemory for GrantedPages {
    fn references(&self) -> &[GrantRef] {
        self.memory.references()
    }

    fn bytes(&self) -> NonNull<[u8]> {
        self.memory.bytes()
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
        self.granted.fetch_sub(self.memory.references().len(), Ordering::Relaxed);
    }
}
