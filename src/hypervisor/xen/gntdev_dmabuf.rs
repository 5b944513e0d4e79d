//! The dma-buf half of `/dev/xen/gntdev` (`CONFIG_XEN_GNTDEV_DMABUF`): grants of another domain as a
//! dma-buf, and this domain's dma-bufs as grants. Kernels without it say `ENOTTY`.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::fs::OFlags;
use rustix::io::{self, Errno};
use rustix::ioctl::Opcode;

use super::device::{self, DeviceError};
use super::gntdev::RequestError;
use super::ioctl::{number, request};
use crate::domain::DomainId;
use crate::grant::GrantRef;

/// `IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS`
pub const EXP_FROM_REFS: Opcode = number(b'G', 9, 20);
/// `IOCTL_GNTDEV_DMABUF_IMP_TO_REFS`
pub const IMP_TO_REFS: Opcode = number(b'G', 11, 20);

/// The most pages of one request (`limit`, gntdev.c).
pub const MOST_PAGES: usize = super::gntdev::MOST_PAGES;

/// Words before the references, in both structures.
const HEADER: usize = 4;

/// The device, for grants of other domains as dma-bufs.
#[derive(Debug)]
pub struct DmabufDevice {
    device: OwnedFd,
}

impl DmabufDevice {
    /// Opens it.
    ///
    /// # Errors
    /// There is no such device.
    pub fn open() -> Result<DmabufDevice, DeviceError> {
        Ok(DmabufDevice { device: open()? })
    }

    /// The pages of `domain` behind `references` as one dma-buf. They have to be granted for
    /// writing, and no process can map the dma-buf: it is for devices.
    ///
    /// # Errors
    /// `EINVAL` in every paravirtual domain, and where a grant is refused; `ENOTTY` where the
    /// kernel cannot do it.
    pub fn export(&self, domain: DomainId, references: &[GrantRef]) -> io::Result<OwnedFd> {
        let count = count(references.len())?;
        let mut words = vec![0, count, 0, u32::from(domain.number())];
        words.extend(references.iter().map(|reference| reference.0));
        // SAFETY: the driver reads the four words and `count` references, which are there, and
        // writes the new descriptor into the third.
        unsafe { request(&self.device, EXP_FROM_REFS, &mut words) }?;
        let descriptor = i32::try_from(words[2]).map_err(|_| Errno::BADF)?;
        // SAFETY: the driver has just made this descriptor for us, and nobody else knows it.
        Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
    }
}

/// The pages of a dma-buf of this domain, granted for writing until this is dropped. Nothing is
/// copied.
///
/// The driver finds such grants again by the number that the dma-buf's descriptor had, in a list that
/// each open file of its has for itself, and ends them when that file is closed. So each is made
/// through a file of its own: then no number can be mistaken, and none has to stay taken.
#[derive(Debug)]
pub struct GrantedDmabuf {
    references: Vec<GrantRef>,
    /// With it go the grants, and the driver's hold of the dma-buf. Pages that the other domain still
    /// maps then are kept aside by the kernel.
    _device: OwnedFd,
}

impl GrantedDmabuf {
    /// Grants the `pages` pages of `dmabuf`, all that it has, to `domain`.
    ///
    /// # Errors
    /// `EINVAL` for a wrong size; `ENOSPC` where the grant table is full; `ENOTTY` where the kernel
    /// cannot do it. In a paravirtual domain the kernel reports success, but nobody can map the
    /// pages, or others would be: do not call it there.
    pub fn new(
        dmabuf: BorrowedFd<'_>,
        pages: usize,
        domain: DomainId,
    ) -> Result<GrantedDmabuf, RequestError> {
        let count = count(pages).map_err(RequestError::System)?;
        let device = open()?;
        let descriptor = dmabuf.as_raw_fd().cast_unsigned();
        let mut words = vec![0; HEADER + pages];
        words[..3].copy_from_slice(&[descriptor, count, u32::from(domain.number())]);
        // SAFETY: the driver reads the four words and writes `count` references after them, for
        // which there is room.
        unsafe { request(&device, IMP_TO_REFS, &mut words) }.map_err(RequestError::System)?;
        let references = words[HEADER..].iter().copied().map(GrantRef).collect();
        Ok(GrantedDmabuf { references, _device: device })
    }

    /// One reference a page.
    pub fn references(&self) -> &[GrantRef] {
        &self.references
    }
}

fn open() -> Result<OwnedFd, DeviceError> {
    device::open("/dev/xen/gntdev", "xen-gntdev", OFlags::empty())
}

fn count(pages: usize) -> io::Result<u32> {
    match u32::try_from(pages) {
        Ok(count) if (1..=MOST_PAGES).contains(&pages) => Ok(count),
        _ => Err(Errno::INVAL),
    }
}
