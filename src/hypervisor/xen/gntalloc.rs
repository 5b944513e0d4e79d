//! `/dev/xen/gntalloc`: fresh pages of this domain, granted to another.
//!
//! The driver itself keeps pages aside that are given back while the other domain still maps them,
//! until it does not: nobody gets such a page meanwhile, and it is not counted any more.

use std::os::fd::OwnedFd;
use std::ptr::NonNull;

use rustix::fs::OFlags;
use rustix::io::{self, Errno};
use rustix::ioctl::Opcode;
use rustix::mm::{self, MapFlags, ProtFlags};

use super::device::{self, DeviceError};
use super::gntdev::{CLEAR_BYTE, SEND_EVENT};
use super::ioctl::{from_wide, number, pair, request, wide};
use crate::domain::DomainId;
use crate::grant::{Access, GrantRef, PAGE_SIZE, PageCount};

/// `IOCTL_GNTALLOC_ALLOC_GREF`
pub const ALLOC_GREF: Opcode = number(b'G', 5, 24);
/// `IOCTL_GNTALLOC_SET_UNMAP_NOTIFY`
pub const SET_UNMAP_NOTIFY: Opcode = number(b'G', 7, 16);

/// `GNTALLOC_FLAG_WRITABLE`
const WRITABLE: u16 = 1;

/// Pages of one request: the driver wants its lists in one piece of memory, so not too many.
const PAGES_AT_ONCE: usize = 4096;

/// Where the machine-wide limit is told and set.
pub const LIMIT: &str = "/sys/module/xen_gntalloc/parameters/limit";

/// What to do where there are not enough grants.
pub(super) const REMEDY: &str = "as root, write a larger number of pages into \
     /sys/module/xen_gntalloc/parameters/limit (packaging/modprobe.d/hyper-dmabuf-xen.conf does so \
     at boot); if that is large enough, this domain's grant table is full: raise \
     max_grant_frames in its xl.cfg (512 pages each)";

/// How many pages the driver hands out at most, to all processes of this domain together.
pub fn limit() -> Option<u64> {
    std::fs::read_to_string(LIMIT).ok()?.trim().parse().ok()
}

/// Pages that are granted, and not mapped yet.
#[derive(Debug)]
pub struct Allocation {
    device: OwnedFd,
    references: Vec<GrantRef>,
    pages: PageCount,
}

/// Why no pages were granted.
#[derive(Debug, thiserror::Error)]
pub enum AllocateError {
    /// There is no device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The driver refuses.
    #[error("gntalloc refuses: {0}")]
    System(Errno),
    /// One of two limits is reached.
    #[error("gntalloc has no more pages to grant: {REMEDY}")]
    Limit,
}

impl AllocateError {
    fn refused(cause: Errno) -> AllocateError {
        if cause == Errno::NOSPC { AllocateError::Limit } else { AllocateError::System(cause) }
    }
}

impl Allocation {
    /// Takes `pages` zeroed pages and grants each to `domain`.
    ///
    /// # Errors
    /// There is no device, or a limit is reached.
    pub fn new(
        domain: DomainId,
        pages: PageCount,
        access: Access,
    ) -> Result<Allocation, AllocateError> {
        let device = device::open("/dev/xen/gntalloc", "xen-gntalloc", OFlags::empty())?;
        let flags = if access == Access::ReadWrite { WRITABLE } else { 0 };
        let mut references = Vec::new();
        let mut rest = pages.get() as usize;
        while rest > 0 {
            let count = rest.min(PAGES_AT_ONCE);
            let mut words = vec![0; 4 + count];
            words[0] = pair(domain.number(), flags);
            words[1] = count as u32;
            // SAFETY: the driver reads the first two words, writes the index into the next two
            // and one reference into each of the `count` words after them, which are there.
            unsafe { request(&device, ALLOC_GREF, &mut words) }.map_err(AllocateError::refused)?;
            // Each request goes on where the last one ended, so that they are one piece.
            let index = from_wide([words[2], words[3]]);
            if index != (references.len() * PAGE_SIZE) as u64 {
                return Err(AllocateError::System(Errno::OVERFLOW));
            }
            references.extend(words[4..].iter().copied().map(GrantRef));
            rest -= count;
        }
        Ok(Allocation { device, references, pages })
    }

    /// One reference a page.
    pub fn references(&self) -> &[GrantRef] {
        &self.references
    }

    /// When the page is given back, however that happens, clear the byte at `offset` and raise an
    /// event on `port`, which is a port of this process.
    ///
    /// # Errors
    /// `offset` lies outside, or the port is not known.
    pub fn notify_when_freed(&self, offset: usize, port: u32) -> io::Result<()> {
        if offset >= self.pages.bytes() {
            return Err(Errno::INVAL);
        }
        let [low, high] = wide(offset as u64);
        let mut words = [low, high, CLEAR_BYTE | SEND_EVENT, port];
        // SAFETY: the driver reads these four words and writes nothing.
        unsafe { request(&self.device, SET_UNMAP_NOTIFY, &mut words) }.map(drop)
    }

    /// Maps the pages into this process, in one piece.
    ///
    /// # Errors
    /// The system is out of something.
    pub fn map(self) -> io::Result<Allocated> {
        let (read_write, bytes) = (ProtFlags::READ | ProtFlags::WRITE, self.pages.bytes());
        // SAFETY: a new mapping at an address of the kernel's choice replaces nothing.
        let start = unsafe {
            mm::mmap(std::ptr::null_mut(), bytes, read_write, MapFlags::SHARED, &self.device, 0)?
        };
        let start = NonNull::new(start.cast::<u8>()).ok_or(Errno::NOMEM)?;
        // The descriptor closes here; the mapping keeps the grants.
        Ok(Allocated { references: self.references, start, bytes })
    }
}

/// Granted pages that this process sees. Dropped, they go back to the kernel.
#[derive(Debug)]
pub struct Allocated {
    references: Vec<GrantRef>,
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the mapping is this value's own, and through it only its address can be had.
unsafe impl Send for Allocated {}
// SAFETY: as above.
unsafe impl Sync for Allocated {}

impl Allocated {
    /// One reference a page.
    pub fn references(&self) -> &[GrantRef] {
        &self.references
    }

    /// Where the pages are. The other domain may look there at any time, or write, as granted.
    pub fn bytes(&self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.start, self.bytes)
    }
}

impl Drop for Allocated {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and whoever used its address kept `self`. With it goes the
        // last hold of the driver's file, and with that the grants.
        let _ = unsafe { mm::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}
