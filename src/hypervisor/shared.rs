//! A guest's own memory, whichever back end it was chosen from.

use std::os::fd::{AsFd, BorrowedFd};
use std::ptr::NonNull;

use super::{shm, xen};
use crate::domain::DomainId;
use crate::grant::{
    Access, GrantError, GrantFile, GrantPages, GrantRef, GrantedMemory, PageCount, StillMapped,
};

/// Memory of this domain that can be shared. Clones are the same memory.
#[derive(Clone, Debug)]
pub enum SharedMemory {
    /// On one machine without a hypervisor.
    Shm(shm::DomainMemory),
    /// On Xen.
    Xen(xen::OwnMemory),
}

/// Pages of it that are granted.
#[derive(Debug)]
pub enum SharedPages {
    /// On one machine without a hypervisor.
    Shm(shm::GrantedRange),
    /// On Xen.
    Xen(xen::GrantedPages),
}

impl SharedMemory {
    /// Pages that are granted now, those not counted that are only kept aside.
    pub fn granted_pages(&self) -> usize {
        match self {
            SharedMemory::Shm(memory) => memory.granted_pages(),
            SharedMemory::Xen(memory) => memory.granted_pages(),
        }
    }

    /// Whether pages of programs' own files can be granted as they are, to domain `to`.
    ///
    /// # Errors
    /// They cannot; what it would take.
    pub fn can_grant_files(&self, to: DomainId) -> Result<(), GrantError> {
        match self {
            SharedMemory::Shm(memory) => memory.can_grant_files(),
            SharedMemory::Xen(memory) => memory.can_grant_files(to),
        }
    }

    /// What introduces this memory to another process; `None` where the hypervisor does that.
    pub fn introduction(&self) -> Option<BorrowedFd<'_>> {
        match self {
            SharedMemory::Shm(memory) => Some(memory.as_fd()),
            SharedMemory::Xen(_) => None,
        }
    }
}

impl GrantPages for SharedMemory {
    type Memory = SharedPages;

    fn grant(
        &self,
        pages: PageCount,
        to: DomainId,
        access: Access,
    ) -> Result<SharedPages, GrantError> {
        match self {
            SharedMemory::Shm(memory) => memory.grant(pages, to, access).map(SharedPages::Shm),
            SharedMemory::Xen(memory) => memory.grant(pages, to, access).map(SharedPages::Xen),
        }
    }

    fn reclaim(&self) -> usize {
        match self {
            SharedMemory::Shm(memory) => memory.reclaim(),
            SharedMemory::Xen(memory) => memory.reclaim(),
        }
    }

    fn peer_gone(&self, peer: DomainId) {
        match self {
            SharedMemory::Shm(memory) => memory.peer_gone(peer),
            SharedMemory::Xen(memory) => memory.peer_gone(peer),
        }
    }
}

impl GrantFile for SharedMemory {
    fn grant_file(
        &self,
        file: BorrowedFd<'_>,
        first: u32,
        pages: PageCount,
        to: DomainId,
        access: Access,
    ) -> Result<SharedPages, GrantError> {
        match self {
            SharedMemory::Shm(memory) => {
                memory.grant_file(file, first, pages, to, access).map(SharedPages::Shm)
            }
            SharedMemory::Xen(memory) => {
                memory.grant_file(file, first, pages, to, access).map(SharedPages::Xen)
            }
        }
    }
}

impl GrantedMemory for SharedPages {
    fn references(&self) -> &[GrantRef] {
        match self {
            SharedPages::Shm(pages) => pages.references(),
            SharedPages::Xen(pages) => pages.references(),
        }
    }

    fn bytes(&self) -> NonNull<[u8]> {
        match self {
            SharedPages::Shm(pages) => pages.bytes(),
            SharedPages::Xen(pages) => pages.bytes(),
        }
    }

    fn access(&self) -> Access {
        match self {
            SharedPages::Shm(pages) => pages.access(),
            SharedPages::Xen(pages) => pages.access(),
        }
    }

    fn end(self) -> Result<(), StillMapped<Self>> {
        match self {
            SharedPages::Shm(pages) => {
                pages.end().map_err(|StillMapped(pages)| StillMapped(SharedPages::Shm(pages)))
            }
            SharedPages::Xen(pages) => {
                pages.end().map_err(|StillMapped(pages)| StillMapped(SharedPages::Xen(pages)))
            }
        }
    }
}
