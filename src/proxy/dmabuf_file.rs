//! A program's dma-buf: when its writers are done, and what is in it.

use std::cell::OnceCell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::rc::Rc;

use rustix::io::Errno;
use rustix::ioctl::{Opcode, Setter, Updater, opcode};
use rustix::mm::{MapFlags, ProtFlags};

use super::damage::Region;
use super::layout::Layout;
use crate::grant::size_of_dmabuf;

/// `DMA_BUF_IOCTL_SYNC`, `DMA_BUF_IOCTL_EXPORT_SYNC_FILE` (include/uapi/linux/dma-buf.h).
pub(super) const SYNC: Opcode = opcode::write::<u64>(b'b', 0);
pub(super) const EXPORT_SYNC_FILE: Opcode = opcode::read_write::<SyncFile>(b'b', 2);

/// `DMA_BUF_SYNC_READ`, `DMA_BUF_SYNC_START`, `DMA_BUF_SYNC_END`
const READ: u64 = 1;
const START: u64 = 0;
const END: u64 = 4;

/// `struct dma_buf_export_sync_file`
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct SyncFile {
    flags: u32,
    descriptor: i32,
}

/// A dma-buf of one plane.
#[derive(Debug)]
pub(super) struct DmabufFile {
    file: OwnedFd,
    bytes: u64,
    /// Made when something is copied from it first.
    mapped: OnceCell<Mapped>,
    /// Counts the app's open files.
    _open: Rc<()>,
    /// What stands for the writers where there is no real dma-buf.
    #[cfg(test)]
    fence: Option<OwnedFd>,
}

/// Why a descriptor is no dma-buf that can be shown, or cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DmabufError {
    #[error("the plane's descriptor is no dma-buf")]
    NoDmabuf,
    #[error("the processor cannot read this dma-buf: {0}")]
    Unreadable(Errno),
}

impl DmabufFile {
    pub(super) fn new(file: OwnedFd, open: Rc<()>) -> Result<DmabufFile, DmabufError> {
        let bytes = size_of_dmabuf(file.as_fd()).ok_or(DmabufError::NoDmabuf)?;
        Ok(DmabufFile {
            file,
            bytes,
            mapped: OnceCell::new(),
            _open: open,
            #[cfg(test)]
            fence: None,
        })
    }

    /// A stand-in: memory that `fence` says the writers of.
    #[cfg(test)]
    pub(super) fn awaiting(fence: OwnedFd, bytes: u64) -> DmabufFile {
        let flags = rustix::fs::MemfdFlags::CLOEXEC;
        let file = rustix::fs::memfd_create("stand-in", flags).unwrap();
        rustix::fs::ftruncate(&file, bytes).unwrap();
        let (mapped, fence) = (OnceCell::new(), Some(fence));
        DmabufFile { file, bytes, mapped, _open: Rc::default(), fence }
    }

    /// Bytes in it.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What becomes readable when all that is written now has been written. `None` if nobody can
    /// tell, as in a kernel before 6.0.
    pub(super) fn writers(&self) -> Option<OwnedFd> {
        #[cfg(test)]
        if let Some(fence) = &self.fence {
            return fence.try_clone().ok();
        }
        let mut request = SyncFile { flags: READ as u32, descriptor: -1 };
        // SAFETY: the driver reads and writes a structure of this shape.
        let asked = unsafe {
            rustix::ioctl::ioctl(&self.file, Updater::<EXPORT_SYNC_FILE, _>::new(&mut request))
        };
        asked.ok()?;
        if request.descriptor < 0 {
            return None;
        }
        // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
        Some(unsafe { std::os::fd::FromRawFd::from_raw_fd(request.descriptor) })
    }

    /// Copies a region of a buffer to the same place in `to`, which has the buffer's bytes from its
    /// first row on. Returns how many bytes were copied. Waits for writers that are not done yet.
    pub(super) fn copy(
        &self,
        layout: Layout,
        region: &Region,
        to: &mut [u8],
    ) -> Result<u64, DmabufError> {
        let mapped = match self.mapped.get() {
            Some(mapped) => mapped,
            None => {
                let mapped = Mapped::new(self.file.as_fd(), self.bytes as usize)?;
                self.mapped.get_or_init(|| mapped)
            }
        };
        self.sync(READ | START)?;
        let offset = layout.offset as usize;
        let mut copied = 0;
        for span in layout.spans(region) {
            let (from, bytes) = (offset + span.start, span.len());
            if let Some(to) = to.get_mut(span)
                && mapped.copy(from, to)
            {
                copied += bytes as u64;
            }
        }
        self.sync(READ | END)?;
        Ok(copied)
    }

    fn sync(&self, flags: u64) -> Result<(), DmabufError> {
        loop {
            // SAFETY: the driver reads one word of this size.
            let done = unsafe { rustix::ioctl::ioctl(&self.file, Setter::<SYNC, u64>::new(flags)) };
            match done {
                Ok(()) => return Ok(()),
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(error) => return Err(DmabufError::Unreadable(error)),
            }
        }
    }
}

impl AsFd for DmabufFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// A dma-buf where the processor can read it.
#[derive(Debug)]
struct Mapped {
    start: NonNull<u8>,
    bytes: usize,
}

impl Mapped {
    fn new(file: BorrowedFd<'_>, bytes: usize) -> Result<Mapped, DmabufError> {
        // SAFETY: a new mapping at an address of the kernel's choice replaces nothing.
        let start = unsafe {
            rustix::mm::mmap(
                std::ptr::null_mut(),
                bytes,
                ProtFlags::READ,
                MapFlags::SHARED,
                file,
                0,
            )
        };
        let start = start.map_err(DmabufError::Unreadable)?;
        let start = NonNull::new(start.cast()).ok_or(DmabufError::Unreadable(Errno::NOMEM))?;
        Ok(Mapped { start, bytes })
    }

    /// Copies the bytes from `from` on; false, and nothing copied, if there are not so many.
    fn copy(&self, from: usize, to: &mut [u8]) -> bool {
        if from.checked_add(to.len()).is_none_or(|end| end > self.bytes) {
            return false;
        }
        let (start, bytes) = (NonNull::from(&mut *to).cast(), to.len());
        // SAFETY: inside the mapping, which cannot shrink, as was just checked; `to` is memory of
        // ours, so the two are apart. The program may write meanwhile: bytes are only moved, and
        // what they are is of no matter here.
        unsafe { self.start.add(from).copy_to_nonoverlapping(start, bytes) };
        true
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nothing points into it any more.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_the_kernels_numbers() {
        assert_eq!(SYNC, 0x4008_6200);
        assert_eq!(EXPORT_SYNC_FILE, 0xc008_6202);
    }

    #[test]
    fn what_is_no_dmabuf_is_refused() {
        let flags = rustix::fs::MemfdFlags::ALLOW_SEALING;
        let file = rustix::fs::memfd_create("no dma-buf", flags).unwrap();
        let error = DmabufFile::new(file, Rc::default()).unwrap_err();
        assert_eq!(error, DmabufError::NoDmabuf);
    }
}
