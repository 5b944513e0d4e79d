//! The grant table: the first pages of a domain's memory, written by the domain and, for the bits
//! that say "in use", by those who map.
//!
//! ```text
//! page 0          magic (u64), version (u32), pages in all (u32)
//! pages 1 to n    one word a page of the memory: permitted domain << 16 | flags
//! the rest        shareable pages; reference r is page r
//! ```
//!
//! The flags are those of Xen's version 1 entries (`GTF_*`, xen/include/public/grant_table.h), and
//! so is the protocol: the owner may end a grant only while no in-use bit is set, and the mapper
//! sets them in one atomic step with looking at the permission.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::domain::DomainId;
use crate::grant::{Access, PAGE_SIZE};

/// "HDMASHM1" as the machine stores it.
pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"HDMASHM1");
/// The layout described above.
pub(super) const VERSION: u32 = 1;
/// Entries in a page of the table.
const ENTRIES_PER_PAGE: u32 = (PAGE_SIZE / size_of::<u32>()) as u32;
/// The largest memory: 16 GiB, so that a table is at most 16 MiB.
pub(super) const MAX_PAGES: u32 = 4 << 20;

/// `GTF_permit_access`: the domain named may map the page.
const PERMIT: u32 = 1;
/// `GTF_readonly`: but not write it.
const READONLY: u32 = 1 << 2;
/// `GTF_reading`: it maps the page now.
const READING: u32 = 1 << 3;
/// `GTF_writing`: it maps the page for writing now.
const WRITING: u32 = 1 << 4;

/// How often a changing entry is looked at again before its owner is taken for hostile.
const ATTEMPTS: u32 = 16;

/// Pages that the header and the table of a memory of `pages` pages take.
pub(super) const fn table_pages(pages: u32) -> u32 {
    1 + pages.div_ceil(ENTRIES_PER_PAGE)
}

/// Where the entry of page `page` is, in bytes from the memory's start.
pub(super) const fn entry_offset(page: u32) -> usize {
    PAGE_SIZE + page as usize * size_of::<u32>()
}

/// What an owner found when it wanted to end a grant.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    Ended,
    InUse,
}

/// Why a mapper was refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    NotGranted,
    ReadOnly,
    Contended,
}

/// One entry of the table, in memory that the other side writes too.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a>(pub(super) &'a AtomicU32);

impl Entry<'_> {
    /// Owner: lets `domain` in.
    pub(super) fn permit(self, domain: DomainId, access: Access) {
        let readonly = if access == Access::ReadOnly { READONLY } else { 0 };
        let word = u32::from(domain.number()) << 16 | readonly | PERMIT;
        self.0.store(word, Ordering::Release);
    }

    /// Owner: ends the grant, unless the page is in use.
    pub(super) fn end(self) -> End {
        let ended = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
            (word & (READING | WRITING) == 0).then_some(0)
        });
        match ended {
            Ok(_) => End::Ended,
            Err(_) => End::InUse,
        }
    }

    /// Owner: whether somebody maps the page.
    pub(super) fn in_use(self) -> bool {
        self.0.load(Ordering::Acquire) & (READING | WRITING) != 0
    }

    /// Owner: `domain` is gone and maps nothing.
    pub(super) fn forget(self, domain: DomainId) {
        let word = self.0.load(Ordering::Acquire);
        if word >> 16 == u32::from(domain.number()) {
            self.0.fetch_and(!(READING | WRITING), Ordering::AcqRel);
        }
    }

    /// Mapper: marks the page in use, if `domain` may have this access.
    pub(super) fn take(self, domain: DomainId, access: Access) -> Result<(), Refusal> {
        for _ in 0..ATTEMPTS {
            let word = self.0.load(Ordering::Acquire);
            if word & PERMIT == 0 || word >> 16 != u32::from(domain.number()) {
                return Err(Refusal::NotGranted);
            }
            let in_use = match access {
                Access::ReadOnly => READING,
                Access::ReadWrite if word & READONLY != 0 => return Err(Refusal::ReadOnly),
                Access::ReadWrite => READING | WRITING,
            };
            let taken =
                self.0.compare_exchange(word, word | in_use, Ordering::AcqRel, Ordering::Acquire);
            if taken.is_ok() {
                return Ok(());
            }
        }
        Err(Refusal::Contended)
    }

    /// Mapper: nobody maps the page any more, or nobody for writing.
    pub(super) fn leave(self, still_reading: bool, still_writing: bool) {
        let mut left = 0;
        if !still_reading {
            left |= READING;
        }
        if !still_writing {
            left |= WRITING;
        }
        self.0.fetch_and(!left, Ordering::AcqRel);
    }
}
