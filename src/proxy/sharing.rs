//! What the apps' buffers are shared with: the IDs and the memory of this domain, for one link.

use std::os::fd::BorrowedFd;

use super::buffer::{Content, Grantable};
use super::causes::with_causes;
use super::layout::Layout;
use crate::domain::DomainId;
use crate::export::{ExportError, Exporter};
use crate::grant::{Access, GrantedMemory, PAGE_SIZE};
use crate::hypervisor::SharedMemory;
use crate::id::{HyperDmabufId, IdPool};
use crate::offer::{DEFAULT_METADATA_LIMIT, Offer};

/// Buffers that one app may have shared at a time: a quarter of a domain's IDs, so that no app can
/// take them all.
const MOST_EXPORTS: usize = 250;

/// Pages that one app may have shared at a time: 512 MiB. On one machine that is half of what the
/// domain has for copies; on Xen the kernel's limit may come first.
const MOST_PAGES: u64 = 1 << 17;

/// The IDs and the memory of this domain.
#[derive(Debug)]
pub(super) struct Sharing {
    exporter: Exporter<SharedMemory>,
    own: DomainId,
    display: DomainId,
    grants_files: bool,
}

/// What an app has shared already.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Held {
    pub(super) buffers: usize,
    pub(super) pages: u64,
}

impl Held {
    pub(super) fn add(&mut self, pages: u32) {
        self.buffers += 1;
        self.pages += u64::from(pages);
    }

    pub(super) fn remove(&mut self, pages: u32) {
        self.buffers = self.buffers.saturating_sub(1);
        self.pages = self.pages.saturating_sub(pages.into());
    }

    /// Whether so many bytes more are not too many.
    fn check(self, bytes: usize) -> Result<(), NotShared> {
        if self.buffers >= MOST_EXPORTS {
            return Err(NotShared::TooMany);
        }
        // One more, for a buffer that does not begin at a page.
        let pages = bytes.div_ceil(PAGE_SIZE) as u64 + 1;
        if self.pages + pages > MOST_PAGES { Err(NotShared::TooLarge) } else { Ok(()) }
    }
}

/// A buffer that was exported.
#[derive(Debug)]
pub(super) struct Exported {
    /// For the display domain.
    pub(super) offer: Offer,
    /// Whether the pages are the app's own.
    pub(super) granted: bool,
    /// Where in the exported memory the buffer begins.
    pub(super) begin: i32,
}

/// Why a buffer is not shared.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotShared {
    #[error("one program has at most {MOST_EXPORTS} buffers shown or waiting to be released")]
    TooMany,
    #[error("one program has at most {MOST_PAGES} pages shown or waiting to be released")]
    TooLarge,
    #[error("the buffer cannot be shared")]
    Export(#[from] ExportError),
}

impl Sharing {
    /// For domain `own`, whose memory has been introduced to `display`.
    pub(super) fn new(memory: SharedMemory, own: DomainId, display: DomainId) -> Sharing {
        let grants_files = match memory.can_grant_files(display) {
            Ok(()) => {
                tracing::info!("sealed pools of programs are shown as they are");
                true
            }
            Err(error) => {
                tracing::info!("what programs draw is copied: {error}");
                false
            }
        };
        let exporter = Exporter::new(memory, IdPool::new(own), display, DEFAULT_METADATA_LIMIT);
        Sharing { exporter, own, display, grants_files }
    }

    /// Shares a buffer of an app that has shared `held` already: its own pages where they can be
    /// granted as they are, else fresh ones to be copied to.
    pub(super) fn export(
        &mut self,
        content: &Content,
        layout: Layout,
        held: Held,
    ) -> Result<Exported, NotShared> {
        held.check(layout.bytes())?;
        if self.grants_files
            && let Some(Grantable { file, first, bytes, begin }) = content.grantable(layout)
            && held.check(bytes).is_ok()
        {
            match self.exporter.export_file(file, first, bytes) {
                Ok(offer) => return Ok(Exported { offer, granted: true, begin }),
                // Nothing is lost but time.
                Err(error) => {
                    let error = with_causes(&error);
                    tracing::debug!(%error, "what could be granted is copied after all");
                }
            }
        }
        let offer = self.exporter.export(layout.bytes(), Access::ReadOnly, Vec::new())?;
        Ok(Exported { offer, granted: false, begin: 0 })
    }

    /// Shares pages of an app's own memory, which it exported itself.
    pub(super) fn export_file(
        &mut self,
        file: BorrowedFd<'_>,
        first: u32,
        bytes: usize,
        held: Held,
    ) -> Result<Offer, NotShared> {
        held.check(bytes)?;
        Ok(self.exporter.export_file(file, first, bytes)?)
    }

    /// Whether pages of programs' own can be shared at all.
    pub(super) fn grants_files(&self) -> bool {
        self.grants_files
    }

    /// This domain, and the display domain.
    pub(super) fn domains(&self) -> (DomainId, DomainId) {
        (self.own, self.display)
    }

    /// The pages of a shadow, to copy to.
    pub(super) fn memory_mut(&mut self, id: &HyperDmabufId) -> Option<&mut [u8]> {
        let mut bytes = self.exporter.memory(id)?.bytes();
        // SAFETY: mapped for as long as the exporter has the buffer, and the slice borrows the
        // exporter. In this process nobody else has these pages; the display domain, to which they
        // are granted for reading only, never writes them.
        Some(unsafe { bytes.as_mut() })
    }

    pub(super) fn unexport(&mut self, id: &HyperDmabufId) {
        // Unknown only if the link is gone, and everything with it.
        let _ = self.exporter.unexport(id);
    }

    /// The display domain said that it let go. How many pages they were.
    pub(super) fn released(&mut self, id: &HyperDmabufId) -> u32 {
        let memory = self.exporter.memory(id);
        // Counted by a `PageCount`.
        let pages = memory.map_or(0, |memory| memory.references().len() as u32);
        if let Err(error) = self.exporter.released(id) {
            tracing::warn!(%error, "released twice");
        }
        pages
    }

    /// The stream that the buffer was exported on is gone. What is still mapped comes back later:
    /// see [`reclaim`](Self::reclaim).
    pub(super) fn stream_ended(&mut self, id: &HyperDmabufId) {
        let _ = self.exporter.abandoned(id); // Known: it was the app's.
    }

    /// Takes back what the display domain has let go of without a word. How many buffers are out.
    pub(super) fn reclaim(&mut self) -> usize {
        self.exporter.reclaim()
    }

    /// The link is gone.
    pub(super) fn peer_gone(&mut self) {
        self.exporter.peer_gone();
    }
}
