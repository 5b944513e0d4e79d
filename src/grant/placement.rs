//! Foreign pages in this process's address space, for exactly as long as somebody looks at them.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

use rustix::mm::{self, MapFlags, ProtFlags};

use super::{MapError, Mapping, PAGE_SIZE};

/// A mapping's pages laid over a range of addresses. When it is dropped, the range reads as zeros
/// and no page of the other domain is reachable through it.
#[derive(Debug)]
pub struct Placement {
    at: NonNull<u8>,
    mapping: Arc<dyn Mapping>,
}

// SAFETY: the range is this value's own (`Placement::over`), so it may go along to another thread;
// through a shared reference only the address can be had.
unsafe impl Send for Placement {}
// SAFETY: as above.
unsafe impl Sync for Placement {}

impl Placement {
    /// Lays the pages of `mapping` over the addresses from `at`.
    ///
    /// # Safety
    /// `at` is page-aligned. The `mapping.pages().bytes()` bytes from there are a mapping that
    /// stays in place, and is nobody else's to replace, until the placement is dropped. No
    /// reference points into them: from now on the other domain may change them at any time.
    pub unsafe fn over(mapping: Arc<dyn Mapping>, at: NonNull<u8>) -> Result<Placement, MapError> {
        // SAFETY: as the caller promises; `drop` replaces the pages before `mapping` goes.
        let placed = unsafe { mapping.place(at) };
        // Made even after a failure, which may have replaced a part.
        let placement = Placement { at, mapping };
        placed.map(|()| placement)
    }

    /// Where the first byte is.
    pub fn address(&self) -> NonNull<u8> {
        self.at
    }
}

impl Drop for Placement {
    fn drop(&mut self) {
        // SAFETY: the range is ours to replace (`Placement::over`). Zeros, not a hole: somebody
        // who still looks there, as Smithay's renderer may, must not fault.
        let replaced = unsafe {
            mm::mmap_anonymous(
                self.at.as_ptr().cast::<c_void>(),
                self.mapping.pages().bytes(),
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE,
            )
        };
        if let Err(cause) = replaced {
            // Replacing a whole mapping needs no new address range, so this is a kernel out of
            // memory. The pages must not be reachable; not being there at all is the safe end.
            tracing::error!(%cause, "cannot replace a foreign mapping; removing it");
            // SAFETY: as above; whoever still looks there now faults.
            let _ = unsafe { mm::munmap(self.at.as_ptr().cast(), self.mapping.pages().bytes()) };
        }
    }
}

/// Foreign pages to read in this process. Words are copied out, each read once: the other domain
/// may change them at any time.
#[derive(Debug)]
pub struct View {
    // Dropped in this order: first the pages go, then the range they were laid over.
    placement: Placement,
    range: Range,
}

impl View {
    /// Lays `mapping` over a range of addresses of its own.
    pub fn new(mapping: Arc<dyn Mapping>) -> Result<View, MapError> {
        let range = Range::reserve(mapping.pages().bytes())?;
        // SAFETY: the range was just reserved, nothing points into it, and it outlives the
        // placement by the order of the fields.
        let placement = unsafe { Placement::over(mapping, range.start)? };
        Ok(View { placement, range })
    }

    /// How many 32-bit words there are.
    pub fn words(&self) -> usize {
        self.range.bytes / size_of::<u32>()
    }

    /// Reads word `index` once, or `None` past the end.
    pub fn word(&self, index: usize) -> Option<u32> {
        if index >= self.words() {
            return None;
        }
        let start = self.placement.address().cast::<u32>();
        // SAFETY: inside the range, aligned since the range is page-aligned; volatile because the
        // other domain may write at the same time, and no reference is made.
        Some(unsafe { start.add(index).read_volatile() })
    }

    /// Copies the bytes from `offset` on, as many as `target` holds, each read once. False, and
    /// nothing copied, if there are not so many.
    pub fn copy_to(&self, offset: usize, target: &mut [u8]) -> bool {
        if offset.checked_add(target.len()).is_none_or(|end| end > self.range.bytes) {
            return false;
        }
        let start = self.placement.address();
        let mut at = offset;
        let mut chunks = target.chunks_exact_mut(size_of::<u64>());
        for chunk in &mut chunks {
            // SAFETY: inside the range, as was checked; volatile because the other domain may write
            // at the same time, and no reference is made.
            let word = unsafe { start.add(at).cast::<Unaligned>().read_volatile() };
            chunk.copy_from_slice(&{ word.0 }.to_ne_bytes());
            at += size_of::<u64>();
        }
        for byte in chunks.into_remainder() {
            // SAFETY: as above.
            *byte = unsafe { start.add(at).read_volatile() };
            at += 1;
        }
        true
    }
}

/// Eight bytes at any address.
#[derive(Clone, Copy)]
#[repr(C, packed)]
struct Unaligned(u64);

#[cfg(any(test, feature = "lab"))]
impl View {
    /// For tests that write through a writable mapping.
    pub(crate) fn placement_address(&self) -> NonNull<u8> {
        self.placement.address()
    }
}

/// A reserved range of addresses.
#[derive(Debug)]
struct Range {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the range belongs to this value alone.
unsafe impl Send for Range {}
// SAFETY: nothing can be reached through a shared reference.
unsafe impl Sync for Range {}

impl Range {
    fn reserve(bytes: usize) -> Result<Range, MapError> {
        debug_assert!(bytes.is_multiple_of(PAGE_SIZE));
        // SAFETY: a new range at an address of the kernel's choice replaces nothing.
        let start = unsafe {
            mm::mmap_anonymous(
                std::ptr::null_mut(),
                bytes,
                ProtFlags::empty(),
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )
        }
        .map_err(|cause| MapError::System { what: "reserve addresses for a mapping", cause })?;
        let start = NonNull::new(start.cast::<u8>()).ok_or(MapError::System {
            what: "reserve addresses",
            cause: rustix::io::Errno::NOMEM,
        })?;
        Ok(Range { start, bytes })
    }
}

impl Drop for Range {
    fn drop(&mut self) {
        // SAFETY: the range is ours and nothing points into it any more.
        let _ = unsafe { mm::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}
