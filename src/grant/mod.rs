//! Letting another domain into one's pages, and being let in.
//!
//! A *grant reference* names one page of one domain and who may map it. The two sides are two
//! traits: [`GrantPages`] for the domain that owns the pages, [`ForeignMemory`] for the one that
//! maps them. What a hypervisor must do behind them is spelled out by the tests in `contract`.

use std::fmt;
use std::num::NonZeroU32;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::ptr::NonNull;

use crate::domain::DomainId;

#[cfg(any(test, feature = "lab"))]
pub mod contract;
pub mod directory;
mod dmabuf;
mod placement;

pub(crate) use dmabuf::size_of_dmabuf;
pub use placement::{Placement, View};

/// Bytes in a granted page: Xen grants pages of 4 KiB on every architecture
/// (`XEN_PAGE_SIZE`, linux/include/xen/page.h).
pub const PAGE_SIZE: usize = 4096;

/// One page that its owner lets another domain map (`grant_ref_t`, xen/include/public/grant_table.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GrantRef(pub u32);

impl fmt::Display for GrantRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What the mapping domain may do with a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Look at it.
    ReadOnly,
    /// Look at it and change it.
    ReadWrite,
}

/// A number of pages, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageCount(NonZeroU32);

impl PageCount {
    /// This many pages, or `None` for zero.
    pub const fn new(pages: u32) -> Option<PageCount> {
        match NonZeroU32::new(pages) {
            Some(pages) => Some(PageCount(pages)),
            None => None,
        }
    }

    /// This many pages.
    pub const fn from_non_zero(pages: NonZeroU32) -> PageCount {
        PageCount(pages)
    }

    /// The pages that `bytes` take, or `None` for no bytes and for more than 2^32 pages.
    pub fn for_bytes(bytes: usize) -> Option<PageCount> {
        Self::new(u32::try_from(bytes.div_ceil(PAGE_SIZE)).ok()?)
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0.get()
    }

    /// How many bytes they hold.
    pub const fn bytes(self) -> usize {
        self.get() as usize * PAGE_SIZE
    }
}

impl fmt::Display for PageCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The owner's side: memory of this domain that another may be let into.
pub trait GrantPages {
    /// Pages that are granted.
    type Memory: GrantedMemory;

    /// Takes `pages` zeroed pages and grants each to domain `to`.
    fn grant(
        &self,
        pages: PageCount,
        to: DomainId,
        access: Access,
    ) -> Result<Self::Memory, GrantError>;

    /// Tries again to end the grants of memory that was dropped while it was still mapped, and
    /// takes back what it can. Returns how many pages are still out.
    fn reclaim(&self) -> usize;

    /// Domain `peer` is gone and maps nothing any more. Xen sees to that itself.
    fn peer_gone(&self, peer: DomainId) {
        let _ = peer;
    }
}

/// Where a back end can: granting pages that lie in a file of another program, as they are. What is
/// behind a Wayland program's `wl_shm_pool` is such a file.
pub trait GrantFile: GrantPages {
    /// Grants `pages` pages of `file` from page `first` on to domain `to`. The file must be one that
    /// cannot shrink: a memfd with `F_SEAL_SHRINK`; or, on Xen, a dma-buf, and then all its pages.
    /// They are not mapped by this domain: [`GrantedMemory::bytes`] is empty.
    fn grant_file(
        &self,
        file: BorrowedFd<'_>,
        first: u32,
        pages: PageCount,
        to: DomainId,
        access: Access,
    ) -> Result<Self::Memory, GrantError>;
}

/// Pages that their owner has granted. Dropped while the other side still maps them, they are kept
/// aside, unused, until [`GrantPages::reclaim`] finds them free.
pub trait GrantedMemory: Send + fmt::Debug {
    /// One reference a page, in order.
    fn references(&self) -> &[GrantRef];

    /// The pages as this domain sees them, in one piece. Valid until `self` is dropped or ended.
    /// Empty for pages of a file ([`GrantFile`]).
    fn bytes(&self) -> NonNull<[u8]>;

    /// What was granted.
    fn access(&self) -> Access;

    /// Takes the grants back, or gives `self` back while the other side still maps any page. Where
    /// the kernel itself keeps such pages aside and tells nobody (Xen), it always succeeds. Either
    /// way nobody gets a page that is mapped.
    fn end(self) -> Result<(), StillMapped<Self>>
    where
        Self: Sized;
}

/// The other domain still maps pages of this memory, so it must not be used for anything else.
#[derive(Debug, thiserror::Error)]
#[error("pages are still mapped by the other domain")]
pub struct StillMapped<M>(pub M);

/// Why pages could not be granted.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// The domain's shareable memory is used up.
    #[error(
        "no room for {wanted} pages in this domain's shareable memory: \
         {free} of {total} pages are free"
    )]
    OutOfMemory {
        /// Pages asked for.
        wanted: PageCount,
        /// Pages free, perhaps not in one piece.
        free: u32,
        /// Pages there are.
        total: u32,
    },
    /// Pages of this file cannot be granted.
    #[error("the file's pages cannot be granted: {0}")]
    Unsuitable(&'static str),
    /// A limit is reached that somebody can raise.
    #[error("cannot grant {wanted} more pages (the limit is {limit} pages): {remedy}")]
    Limit {
        /// Pages asked for.
        wanted: PageCount,
        /// The limit of all grants together, or 0 if it is not known.
        limit: u64,
        /// Who can raise it, and how.
        remedy: &'static str,
    },
    /// Grants cannot be made here at all.
    #[error("{0}")]
    Unavailable(String),
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

/// The other side: the memory of one foreign domain.
pub trait ForeignMemory: Send + Sync + fmt::Debug {
    /// Whose memory it is, as the hypervisor tells.
    fn domain(&self) -> DomainId;

    /// Maps the pages behind `references`, all or none. A page may be mapped many times.
    fn map(&self, references: &[GrantRef], access: Access) -> Result<Box<dyn Mapping>, MapError>;

    /// How many pages are mapped now, each mapping counted.
    fn mapped_pages(&self) -> usize;

    /// Whether [`Mapping::dmabuf`] has something to give.
    fn maps_as_dmabuf(&self) -> bool {
        false
    }
}

/// Pages of a foreign domain that are mapped until this is dropped.
pub trait Mapping: Send + Sync + fmt::Debug {
    /// How many pages.
    fn pages(&self) -> PageCount;

    /// What may be done with them.
    fn access(&self) -> Access;

    /// Makes the pages appear at `at`, in order, in place of what is there. [`Placement`] is the
    /// safe way to call this and to undo it.
    ///
    /// # Safety
    /// `at` is page-aligned; the `pages().bytes()` bytes from there are a mapping that the caller
    /// may replace and that no reference points into. They must be replaced again before `self`
    /// is dropped.
    unsafe fn place(&self, at: NonNull<u8>) -> Result<(), MapError>;

    /// The pages as a dma-buf, where the back end has one.
    fn dmabuf(&self) -> Option<OwnedFd> {
        None
    }
}

/// Why pages of a foreign domain could not be mapped. Page numbers count from 0 in what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// The reference names no page of the domain.
    #[error("page {page}: reference {reference} names no page of domain {domain}")]
    BadReference {
        /// Which page.
        page: usize,
        /// The reference.
        reference: GrantRef,
        /// The owner.
        domain: DomainId,
    },
    /// The page is not granted to us.
    #[error("page {page}: reference {reference} of domain {domain} is not granted to this domain")]
    NotGranted {
        /// Which page.
        page: usize,
        /// The reference.
        reference: GrantRef,
        /// The owner.
        domain: DomainId,
    },
    /// The page is granted for reading only.
    #[error("page {page}: reference {reference} of domain {domain} is granted for reading only")]
    ReadOnly {
        /// Which page.
        page: usize,
        /// The reference.
        reference: GrantRef,
        /// The owner.
        domain: DomainId,
    },
    /// The owner keeps changing the grant under our hands.
    #[error("page {page}: the grant {reference} of domain {domain} does not hold still")]
    Contended {
        /// Which page.
        page: usize,
        /// The reference.
        reference: GrantRef,
        /// The owner.
        domain: DomainId,
    },
    /// The pages lie in more pieces than we map for one buffer.
    #[error(
        "the pages lie in {pieces} pieces, more than the {limit} that are mapped for one buffer"
    )]
    TooScattered {
        /// Runs of neighbouring pages.
        pieces: usize,
        /// The bound.
        limit: usize,
    },
    /// No page was named.
    #[error("no page was named")]
    Empty,
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

impl MapError {
    /// Whether the other domain is to blame, rather than this one's resources.
    pub fn is_peers_fault(&self) -> bool {
        !matches!(self, MapError::System { .. })
    }
}
