//! `/dev/udmabuf`: pages of a memfd as a dma-buf, by which other drivers can get at them. No driver
//! of Xen's, but the only way to one for memory that a program has made itself.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::fs::OFlags;
use rustix::io::{self, Errno};
use rustix::ioctl::{Direction, Opcode, opcode};

use super::device::{self, DeviceError};
use super::ioctl::{request, wide};
use crate::grant::{PAGE_SIZE, PageCount};

/// `UDMABUF_CREATE`
pub const CREATE: Opcode = opcode::from_components(Direction::Write, b'u', 0x42, 24);

/// `UDMABUF_FLAGS_CLOEXEC`
const CLOEXEC: u32 = 1;

/// Where the largest size of one udmabuf is told and set, in MiB.
pub const SIZE_LIMIT: &str = "/sys/module/udmabuf/parameters/size_limit_mb";

/// The most pages of one udmabuf: what the driver allows if nobody lowers [`SIZE_LIMIT`], 64 MiB.
pub const MOST_PAGES: u32 = 16 * 1024;

/// The device.
#[derive(Debug)]
pub struct UdmabufDevice {
    device: OwnedFd,
}

impl UdmabufDevice {
    /// Opens it.
    ///
    /// # Errors
    /// There is no such device, or this user may not.
    pub fn open() -> Result<UdmabufDevice, DeviceError> {
        Ok(UdmabufDevice { device: device::open("/dev/udmabuf", "udmabuf", OFlags::empty())? })
    }

    /// `pages` pages of `file` from page `first` on, as a dma-buf. They stay in memory for as long as
    /// it lives.
    ///
    /// # Errors
    /// `EINVAL` if the file may shrink or may not be written to (its seals), and for more pages than
    /// [`SIZE_LIMIT`]; `EBADFD` if it is no memfd.
    pub fn create(
        &self,
        file: BorrowedFd<'_>,
        first: u32,
        pages: PageCount,
    ) -> io::Result<OwnedFd> {
        let offset = wide(u64::from(first) * PAGE_SIZE as u64);
        let size = wide(pages.bytes() as u64);
        let descriptor = file.as_raw_fd().cast_unsigned();
        let mut words = [descriptor, CLOEXEC, offset[0], offset[1], size[0], size[1]];
        // SAFETY: the driver reads these six words and writes nothing.
        let descriptor = unsafe { request(&self.device, CREATE, &mut words) }?;
        if descriptor < 0 {
            return Err(Errno::BADF);
        }
        // SAFETY: the driver has just made this descriptor for us, and nobody else knows it.
        Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
    }
}
