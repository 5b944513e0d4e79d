//! The file behind a `wl_shm_pool`: read, never mapped, so that an app which shrinks it under our
//! hands gets an error and nobody a SIGBUS.

use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use rustix::fs::SealFlags;
use rustix::io::Errno;

use super::damage::Region;
use super::layout::Layout;
use crate::grant::PAGE_SIZE;

/// File systems whose reads cannot hang: memory, and local disks. A pool in any other (a network's,
/// or one that a program serves) is refused, since one app could stop the proxy with it.
/// Numbers of include/uapi/linux/magic.h.
const FILE_SYSTEMS: [i64; 7] = [
    0x0102_1994, // tmpfs, and every memfd
    0x8584_58f6, // ramfs
    0xef53,      // ext2 to ext4
    0x5846_5342, // xfs
    0x9123_683e, // btrfs
    0xf2f5_2010, // f2fs
    0x2fc1_2fc1, // zfs
];

/// The file of a pool.
#[derive(Debug)]
pub(super) struct PoolFile {
    file: OwnedFd,
    /// Counts the app's open files.
    _open: Rc<()>,
}

/// Why a file cannot be a pool's, or a buffer not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PoolError {
    /// What came is no file, or cannot be read.
    #[error("the pool's descriptor is no file that can be read")]
    NoFile,
    /// A read might hang.
    #[error(
        "the pool's file is in a file system that may be slow (type {0:#x}): use a memfd, or a file in a tmpfs"
    )]
    FileSystem(i64),
    /// The file ends inside the buffer.
    #[error("the pool's file ends inside the buffer")]
    Short,
    /// The kernel refused.
    #[error("the pool's file cannot be read: {0}")]
    Read(Errno),
}

impl PoolFile {
    pub(super) fn new(file: OwnedFd, open: Rc<()>) -> Result<PoolFile, PoolError> {
        let stat = rustix::fs::fstat(&file).map_err(|_| PoolError::NoFile)?;
        let flags = rustix::fs::fcntl_getfl(&file).map_err(|_| PoolError::NoFile)?;
        let readable = !flags.intersects(rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::PATH);
        let kind = rustix::fs::FileType::from_raw_mode(stat.st_mode);
        if kind != rustix::fs::FileType::RegularFile || !readable {
            return Err(PoolError::NoFile);
        }
        let system = rustix::fs::fstatfs(&file).map_err(PoolError::Read)?;
        if !FILE_SYSTEMS.contains(&system.f_type) {
            return Err(PoolError::FileSystem(system.f_type));
        }
        Ok(PoolFile { file, _open: open })
    }

    /// The file, if the pages that a buffer lies in can be shown as they are: all there, and in a
    /// file that can never shrink.
    pub(super) fn sealed(&self, layout: Layout) -> Option<BorrowedFd<'_>> {
        let seals = rustix::fs::fcntl_get_seals(&self.file).ok()?;
        let stat = rustix::fs::fstat(&self.file).ok()?;
        let end = layout.offset as u64 + layout.bytes() as u64;
        let sound = seals.contains(SealFlags::SHRINK)
            && stat.st_blksize == PAGE_SIZE as i64
            && stat.st_size as u64 >= end;
        sound.then(|| self.file.as_fd())
    }

    /// Copies a region of a buffer to the same place in `to`, which has the buffer's bytes from its
    /// first row on. Returns how many bytes were copied.
    pub(super) fn copy(
        &self,
        layout: Layout,
        region: &Region,
        to: &mut [u8],
    ) -> Result<u64, PoolError> {
        let mut copied = 0;
        for span in layout.spans(region) {
            copied += span.len() as u64;
            self.read(layout, span, to)?;
        }
        Ok(copied)
    }

    fn read(&self, layout: Layout, span: Range<usize>, to: &mut [u8]) -> Result<(), PoolError> {
        let mut offset = layout.offset as u64 + span.start as u64;
        let mut rest = to.get_mut(span).ok_or(PoolError::Short)?;
        while !rest.is_empty() {
            match rustix::io::pread(&self.file, &mut *rest, offset) {
                Ok(0) => return Err(PoolError::Short),
                Ok(count) => {
                    rest = rest.get_mut(count..).unwrap_or_default();
                    offset += count as u64;
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(PoolError::Read(error)),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::MemfdFlags;

    use super::super::damage::Rectangle;
    use super::*;

    const LAYOUT: Layout = Layout { offset: 8, width: 4, height: 3, stride: 20, format: 0 };

    fn file(bytes: usize) -> PoolFile {
        let file = rustix::fs::memfd_create("pool", MemfdFlags::ALLOW_SEALING).unwrap();
        let content: Vec<u8> = (0..bytes).map(|byte| byte as u8).collect();
        rustix::io::pwrite(&file, &content, 0).unwrap();
        PoolFile::new(file, Rc::default()).unwrap()
    }

    #[test]
    fn only_the_region_is_copied() {
        let file = file(100);
        let mut to = [0; 60];
        let region = Region::Some(vec![Rectangle::new(1, 1, 2, 9).unwrap()]);
        assert_eq!(file.copy(LAYOUT, &region, &mut to), Ok(16));
        for (at, byte) in to.iter().enumerate() {
            let (x, y) = (at % 20, at / 20);
            let expected = if y >= 1 && (4..12).contains(&x) { at as u8 + 8 } else { 0 };
            assert_eq!(*byte, expected, "byte {x} of row {y}");
        }
        // What is behind the last pixel of a row need not be there.
        assert_eq!(file.copy(LAYOUT, &Region::All, &mut to), Ok(56));
    }

    #[test]
    fn a_file_that_shrank_is_an_error() {
        let short = file(40);
        assert_eq!(short.copy(LAYOUT, &Region::All, &mut [0; 60]), Err(PoolError::Short));
        assert!(LAYOUT.fits(68) && !LAYOUT.fits(67));
        assert!(!Layout { stride: 15, ..LAYOUT }.fits(68), "a row of 16 bytes");
        assert!(!Layout { height: i32::MAX, stride: i32::MAX, ..LAYOUT }.fits(i32::MAX.into()));
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let (reader, _writer) = rustix::pipe::pipe().unwrap();
        assert_eq!(PoolFile::new(reader, Rc::default()).unwrap_err(), PoolError::NoFile);
        let proc = std::fs::File::open("/proc/self/maps").unwrap();
        assert!(matches!(PoolFile::new(proc.into(), Rc::default()), Err(PoolError::FileSystem(_))));
    }
}
