//! `/dev/xen/gntdev`: mapping pages that other domains granted.

use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;

use rustix::fs::OFlags;
use rustix::io::{self, Errno};
use rustix::ioctl::Opcode;
use rustix::mm::{self, MapFlags, ProtFlags};

use super::device::{self, DeviceError};
use super::ioctl::{from_wide, number, request, wide};
use crate::domain::DomainId;
use crate::grant::{Access, GrantRef, PAGE_SIZE};

/// `IOCTL_GNTDEV_MAP_GRANT_REF`
pub const MAP_GRANT_REF: Opcode = number(b'G', 0, 24);
/// `IOCTL_GNTDEV_SET_UNMAP_NOTIFY`
pub const SET_UNMAP_NOTIFY: Opcode = number(b'G', 7, 16);

/// `UNMAP_NOTIFY_CLEAR_BYTE`
pub(super) const CLEAR_BYTE: u32 = 1;
/// `UNMAP_NOTIFY_SEND_EVENT`
pub(super) const SEND_EVENT: u32 = 2;

/// The most pages of one request: the driver's own default limit (`limit`, gntdev.c), 256 MiB.
pub const MOST_PAGES: usize = 64 * 1024;

/// A request to map pages, which the driver has noted down. Nothing is mapped before [`map`]: in a
/// paravirtual domain a mapping request can be mapped only once, so it is used up by that.
///
/// [`map`]: Self::map
#[derive(Debug)]
pub struct MapRequest {
    device: OwnedFd,
    index: u64,
    pages: NonZeroUsize,
}

impl MapRequest {
    /// Notes down the pages of `domain` to be mapped, 1 to [`MOST_PAGES`] of them. The hypervisor
    /// is not asked yet.
    ///
    /// # Errors
    /// There is no such device, or the kernel has no memory for the request. No page, or too many,
    /// is `EINVAL`.
    pub fn new(domain: DomainId, references: &[GrantRef]) -> Result<MapRequest, RequestError> {
        let pages = NonZeroUsize::new(references.len()).filter(|pages| pages.get() <= MOST_PAGES);
        let pages = pages.ok_or(RequestError::System(Errno::INVAL))?;
        let device = device::open("/dev/xen/gntdev", "xen-gntdev", OFlags::empty())?;
        let mut words = Vec::with_capacity(4 + 2 * pages.get());
        words.extend([pages.get() as u32, 0, 0, 0]);
        words.extend(
            references.iter().flat_map(|reference| [u32::from(domain.number()), reference.0]),
        );
        // SAFETY: the driver reads the four words and two for each of `count` pages, which are
        // there, and writes the index into the third and fourth.
        unsafe { request(&device, MAP_GRANT_REF, &mut words) }.map_err(RequestError::System)?;
        Ok(MapRequest { device, index: from_wide([words[2], words[3]]), pages })
    }

    fn bytes(&self) -> usize {
        self.pages.get() * PAGE_SIZE
    }

    /// Maps the pages at addresses of the kernel's choice.
    ///
    /// # Errors
    /// The hypervisor refuses one of the pages, which the kernel calls `EINVAL`, or the system is
    /// out of something.
    pub fn map(self, access: Access) -> io::Result<Mapped> {
        self.map_keeping(access)
    }

    fn map_keeping(&self, access: Access) -> io::Result<Mapped> {
        let (bytes, none) = (self.bytes(), std::ptr::null_mut());
        // SAFETY: a new mapping at an address of the kernel's choice replaces nothing.
        let start = unsafe {
            mm::mmap(none, bytes, protection(access), MapFlags::SHARED, &self.device, self.index)?
        };
        let start = NonNull::new(start.cast::<u8>()).ok_or(Errno::NOMEM)?;
        Ok(Mapped { start, bytes })
    }

    /// Maps the pages for reading and writing. When they are unmapped, however that happens, the byte
    /// at `offset` is cleared and an event raised on the port, one of this process's.
    ///
    /// Asked for earlier, it can kill the kernel: if a paravirtual domain's table of mappings has room
    /// for one of the two entries of a page, the mapping fails, and Linux (`__unmap_grant_pages`, 6.12)
    /// clears the byte at an address that is not mapped.
    ///
    /// # Errors
    /// As [`map`](Self::map); `offset` lies outside, or the port is not known.
    pub fn map_notifying(self, offset: usize, port: u32) -> io::Result<Mapped> {
        if offset >= self.bytes() {
            return Err(Errno::INVAL);
        }
        let mapped = self.map_keeping(Access::ReadWrite)?;
        let [low, high] = wide(self.index + offset as u64);
        let mut words = [low, high, CLEAR_BYTE | SEND_EVENT, port];
        // SAFETY: the driver reads these four words and writes nothing.
        unsafe { request(&self.device, SET_UNMAP_NOTIFY, &mut words) }?;
        Ok(mapped)
    }

    /// Maps the pages at `at`. If that fails, there may be a hole.
    ///
    /// # Safety
    /// The addresses, page-aligned, as many as there are pages, are a mapping that the caller may
    /// replace, and no reference points into it.
    pub(super) unsafe fn map_at(self, at: NonNull<u8>, access: Access) -> io::Result<()> {
        let flags = MapFlags::SHARED | MapFlags::FIXED;
        let (bytes, protection) = (self.bytes(), protection(access));
        // SAFETY: as the caller promises.
        unsafe {
            mm::mmap(at.as_ptr().cast(), bytes, protection, flags, &self.device, self.index)?
        };
        // Its descriptor closes here; the mapping keeps the request alive.
        Ok(())
    }
}

impl AsFd for MapRequest {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}

fn protection(access: Access) -> ProtFlags {
    match access {
        Access::ReadOnly => ProtFlags::READ,
        Access::ReadWrite => ProtFlags::READ | ProtFlags::WRITE,
    }
}

/// Why no mapping can be asked for.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// There is no device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The driver refuses.
    #[error("gntdev refuses the request: {0}")]
    System(Errno),
}

impl RequestError {
    /// What the kernel said.
    pub fn cause(&self) -> Errno {
        match self {
            RequestError::Device(error) => error.cause,
            RequestError::System(cause) => *cause,
        }
    }
}

/// Pages of another domain, mapped until this is dropped.
#[derive(Debug)]
pub struct Mapped {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the mapping is this value's own, and through it only its address can be had.
unsafe impl Send for Mapped {}
// SAFETY: as above.
unsafe impl Sync for Mapped {}

impl Mapped {
    /// Where the first byte is. The other domain may write there at any time.
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// How many bytes there are.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and whoever used its address kept `self`.
        let _ = unsafe { mm::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}
