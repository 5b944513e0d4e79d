//! What the apps' buffers are shared with: the IDs and the memory of this domain, for one link.

use super::pool_file::{Layout, PoolFile};
use crate::domain::DomainId;
use crate::export::{ExportError, Exporter};
use crate::grant::{Access, GrantedMemory, PAGE_SIZE};
use crate::hypervisor::shm::DomainMemory;
use crate::id::{HyperDmabufId, IdPool};
use crate::offer::{DEFAULT_METADATA_LIMIT, Offer};

/// Buffers that one app may have shared at a time: a quarter of a domain's IDs, so that no app can
/// take them all.
const MOST_EXPORTS: usize = 250;

/// Bytes in a page, as `wl_shm` counts.
const PAGE: i32 = PAGE_SIZE as i32;

/// Open pools of one app. Each is a descriptor, of which the process has a bounded number.
pub(super) const MOST_FILES: usize = 512;

/// The IDs and the memory of this domain.
#[derive(Debug)]
pub(super) struct Sharing {
    exporter: Exporter<DomainMemory>,
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
    #[error("the buffer cannot be shared: {0}")]
    Export(#[from] ExportError),
}

impl Sharing {
    /// For domain `own`, whose memory has been introduced to `display`.
    pub(super) fn new(memory: DomainMemory, own: DomainId, display: DomainId) -> Sharing {
        let exporter = Exporter::new(memory, IdPool::new(own), display, DEFAULT_METADATA_LIMIT);
        Sharing { exporter }
    }

    /// Shares a buffer of an app that has shared `held` already: its own pages where they can be
    /// granted as they are, else fresh ones to be copied to.
    pub(super) fn export(
        &mut self,
        file: &PoolFile,
        layout: Layout,
        held: usize,
    ) -> Result<Exported, NotShared> {
        if held >= MOST_EXPORTS {
            return Err(NotShared::TooMany);
        }
        if let Some(sealed) = file.sealed(layout) {
            let (first, begin) = (layout.offset / PAGE, layout.offset % PAGE);
            let bytes = begin as usize + layout.bytes();
            match self.exporter.export_file(sealed, first as u32, bytes) {
                Ok(offer) => return Ok(Exported { offer, granted: true, begin }),
                // Nothing is lost but time.
                Err(error) => tracing::debug!(%error, "a sealed pool is copied after all"),
            }
        }
        let offer = self.exporter.export(layout.bytes(), Access::ReadOnly, Vec::new())?;
        Ok(Exported { offer, granted: false, begin: 0 })
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

    /// The display domain said that it let go.
    pub(super) fn released(&mut self, id: &HyperDmabufId) {
        if let Err(error) = self.exporter.released(id) {
            tracing::warn!(%error, "released twice");
        }
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
