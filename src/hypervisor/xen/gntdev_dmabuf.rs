//! The dma-buf half of `/dev/xen/gntdev` (`CONFIG_XEN_GNTDEV_DMABUF`): grants of another domain as a
//! dma-buf, and this domain's dma-bufs as grants. Kernels without it say `ENOTTY`.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::fs::OFlags;
use rustix::io::{self, Errno};
use rustix::ioctl::Opcode;

use super::device::{self, DeviceError};
use super::ioctl::{number, request};
use crate::domain::DomainId;
use crate::grant::GrantRef;

/// `IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS`
pub const EXP_FROM_REFS: Opcode = number(b'G', 9, 20);
/// `IOCTL_GNTDEV_DMABUF_IMP_TO_REFS`
pub const IMP_TO_REFS: Opcode = number(b'G', 11, 20);
/// `IOCTL_GNTDEV_DMABUF_IMP_RELEASE`
pub const IMP_RELEASE: Opcode = number(b'G', 12, 8);

/// The most pages of one request (`limit`, gntdev.c).
pub const MOST_PAGES: usize = super::gntdev::MOST_PAGES;

/// Words before the references, in both structures.
const HEADER: usize = 4;

/// The device, for dma-bufs.
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
        let device = device::open("/dev/xen/gntdev", "xen-gntdev", OFlags::empty())?;
        Ok(DmabufDevice { device })
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

    /// Grants the `pages` pages of `dmabuf`, all of it, to `domain` for writing. Nothing is copied.
    /// They stay granted until the result is dropped, or this device.
    ///
    /// # Errors
    /// `EINVAL` for a wrong size; `ENOTTY` where the kernel cannot do it. In a paravirtual domain
    /// the kernel reports success, but nobody can map the pages: do not call it there.
    pub fn import<'a>(
        &'a self,
        dmabuf: BorrowedFd<'a>,
        pages: usize,
        domain: DomainId,
    ) -> io::Result<GrantedDmabuf<'a>> {
        let count = count(pages)?;
        // The driver finds the grants again by this number.
        let descriptor = dmabuf.as_raw_fd().cast_unsigned();
        let mut words = vec![0; HEADER + pages];
        words[..3].copy_from_slice(&[descriptor, count, u32::from(domain.number())]);
        // SAFETY: the driver reads the four words and writes `count` references after them, for
        // which there is room.
        unsafe { request(&self.device, IMP_TO_REFS, &mut words) }?;
        let references = words[HEADER..].iter().copied().map(GrantRef).collect();
        Ok(GrantedDmabuf { device: self.device.as_fd(), dmabuf, references })
    }
}

fn count(pages: usize) -> io::Result<u32> {
    match u32::try_from(pages) {
        Ok(count) if (1..=MOST_PAGES).contains(&pages) => Ok(count),
        _ => Err(Errno::INVAL),
    }
}

/// The pages of a dma-buf of this domain, granted until this is dropped.
#[derive(Debug)]
pub struct GrantedDmabuf<'a> {
    device: BorrowedFd<'a>,
    dmabuf: BorrowedFd<'a>,
    references: Vec<GrantRef>,
}

impl GrantedDmabuf<'_> {
    /// One reference a page.
    pub fn references(&self) -> &[GrantRef] {
        &self.references
    }
}

impl Drop for GrantedDmabuf<'_> {
    fn drop(&mut self) {
        let mut words = [self.dmabuf.as_raw_fd().cast_unsigned(), 0];
        // SAFETY: the driver reads two words; the grants it ends were made by `import` for us.
        let _ = unsafe { request(self.device, IMP_RELEASE, &mut words) };
    }
}
