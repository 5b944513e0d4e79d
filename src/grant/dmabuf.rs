//! Telling a dma-buf from other files.

use std::os::fd::BorrowedFd;

use rustix::fs::SeekFrom;

/// `DMA_BUF_MAGIC`, the file system that the kernel keeps dma-bufs in
/// (include/uapi/linux/magic.h).
const FILE_SYSTEM: i64 = 0x444d_4142;

/// Bytes in a dma-buf, which never change; `None` for any other file.
pub(crate) fn size_of_dmabuf(file: BorrowedFd<'_>) -> Option<u64> {
    let system = rustix::fs::fstatfs(file).ok()?;
    // There is no other way to ask.
    (system.f_type == FILE_SYSTEM).then(|| rustix::fs::seek(file, SeekFrom::End(0)).ok()).flatten()
}
