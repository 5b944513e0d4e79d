//! The guest's half: a buffer gets an ID, and keeps it until the display domain has let go.
//!
//! ```text
//! export ──▶ Exported ──unexport──▶ Unexported ──released──▶ ID back in the pool
//!                                                  │  still mapped after all
//!                                                  └▶ Quarantined ──reclaim──▶ ID back in the pool
//! ```
//!
//! A buffer whose connection ended waits in quarantine from the beginning, since nobody will say
//! `released`. The link's end is as good as `released` for everything. An ID and the pages behind it go back
//! together and only in these ways, so no two buffers ever share either.

use std::collections::HashMap;
use std::os::fd::BorrowedFd;

use crate::domain::DomainId;
use crate::grant::directory::{BuildError, Directory};
use crate::grant::{
    Access, GrantError, GrantFile, GrantPages, GrantedMemory, PageCount, StillMapped,
};
use crate::id::{AllocateError, AllocatedId, HyperDmabufId, IdPool};
use crate::offer::Offer;

/// Exports buffers of one domain to one display domain.
#[derive(Debug)]
pub struct Exporter<G: GrantPages> {
    grants: G,
    ids: IdPool,
    peer: DomainId,
    metadata_limit: u32,
    buffers: HashMap<HyperDmabufId, Buffer<G::Memory>>,
    quarantine: Vec<Quarantined<G::Memory>>,
}

#[derive(Debug)]
struct Buffer<M> {
    state: State,
    memory: M,
    directory: Directory<M>,
    id: AllocatedId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Exported,
    Unexported,
}

/// Pages that could not be taken back though the display domain said it had let go.
#[derive(Debug)]
struct Quarantined<M> {
    memory: Vec<M>,
    // Last, so that the ID is free only when its pages are.
    id: AllocatedId,
}

/// Why a buffer could not be exported. Nothing stays behind: the pages are freed, the ID is back.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// No ID is free.
    #[error(transparent)]
    Id(#[from] AllocateError),
    /// The directory could not be made.
    #[error("cannot list the buffer's pages")]
    Directory(#[from] BuildError),
    /// The pages could not be granted.
    #[error("cannot grant the buffer's pages")]
    Grant(#[from] GrantError),
    /// A buffer has 1 byte to 4 GiB − 1.
    #[error("a buffer of {bytes} bytes cannot be shared: 1 to 4294967295 can")]
    Length {
        /// What was asked for.
        bytes: usize,
    },
    /// More metadata than the display domain takes.
    #[error("{bytes} bytes of metadata are more than the {limit} that the display domain takes")]
    Metadata {
        /// How many there were.
        bytes: usize,
        /// How many there may be.
        limit: u32,
    },
}

/// The display domain said that it released a buffer which is not exported.
#[derive(Debug, thiserror::Error)]
#[error("there is no exported buffer {0}")]
pub struct UnknownBuffer(pub HyperDmabufId);

/// What an exporter holds, to count in tests and reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// IDs that are out of the pool: the sum of the others.
    pub ids: usize,
    /// Buffers that can be imported.
    pub exported: usize,
    /// Buffers whose release is awaited.
    pub unexported: usize,
    /// Buffers that were released while their pages were still mapped.
    pub quarantined: usize,
}

impl<G: GrantPages> Exporter<G> {
    /// Exports buffers whose pages come from `grants` and whose IDs come from `ids`, to `peer`,
    /// which takes `metadata_limit` bytes of metadata with each.
    pub fn new(grants: G, ids: IdPool, peer: DomainId, metadata_limit: u32) -> Self {
        let (buffers, quarantine) = (HashMap::new(), Vec::new());
        Exporter { grants, ids, peer, metadata_limit, buffers, quarantine }
    }

    /// Shares `bytes` bytes of fresh, zeroed memory. The offer is to be sent as it is.
    pub fn export(
        &mut self,
        bytes: usize,
        access: Access,
        metadata: Vec<u8>,
    ) -> Result<Offer, ExportError> {
        if metadata.len() > self.metadata_limit as usize {
            let (bytes, limit) = (metadata.len(), self.metadata_limit);
            return Err(ExportError::Metadata { bytes, limit });
        }
        let length = u32::try_from(bytes).ok();
        let (Some(length), Some(pages)) = (length, PageCount::for_bytes(bytes)) else {
            return Err(ExportError::Length { bytes });
        };
        if !self.quarantine.is_empty() {
            self.reclaim();
        }
        let id = self.ids.allocate()?;
        let memory = self.grants.grant(pages, self.peer, access)?;
        self.offer(id, memory, length, access, metadata)
    }

    fn offer(
        &mut self,
        id: AllocatedId,
        memory: G::Memory,
        length: u32,
        access: Access,
        metadata: Vec<u8>,
    ) -> Result<Offer, ExportError> {
        let pages = memory.references().len() as u32; // Counted by a `PageCount`.
        let directory = Directory::build(&self.grants, memory.references(), self.peer)?;
        let offer = Offer {
            id: id.id(),
            pages,
            root: directory.root(),
            offset: 0,
            length,
            access,
            metadata,
        };
        let buffer = Buffer { state: State::Exported, memory, directory, id };
        self.buffers.insert(offer.id, buffer);
        Ok(offer)
    }

    /// The pages of an exported buffer, to draw into.
    pub fn memory(&self, id: &HyperDmabufId) -> Option<&G::Memory> {
        self.buffers.get(id).map(|buffer| &buffer.memory)
    }

    /// The buffer is not to be imported any more; its release is awaited.
    pub fn unexport(&mut self, id: &HyperDmabufId) -> Result<(), UnknownBuffer> {
        let buffer = self.buffers.get_mut(id).ok_or(UnknownBuffer(*id))?;
        buffer.state = State::Unexported;
        Ok(())
    }

    /// The display domain has let go: ends the grants and gives the ID back. If the hypervisor
    /// says otherwise, both are kept aside until it agrees.
    pub fn released(&mut self, id: &HyperDmabufId) -> Result<(), UnknownBuffer> {
        let buffer = self.buffers.remove(id).ok_or(UnknownBuffer(*id))?;
        if let Some(quarantined) = buffer.quarantined().end() {
            tracing::warn!(%id, "released, but still mapped: kept aside");
            self.quarantine.push(quarantined);
        }
        Ok(())
    }

    /// Nobody will say when the display domain has let go, since the connection that the buffer was
    /// exported on is gone. Its grants end, and its ID returns, when [`reclaim`](Self::reclaim)
    /// finds it unmapped.
    pub fn abandoned(&mut self, id: &HyperDmabufId) -> Result<(), UnknownBuffer> {
        let buffer = self.buffers.remove(id).ok_or(UnknownBuffer(*id))?;
        self.quarantine.push(buffer.quarantined());
        Ok(())
    }

    /// The link is gone, and with it every mapping of ours.
    pub fn peer_gone(&mut self) {
        self.grants.peer_gone(self.peer);
        let ids: Vec<HyperDmabufId> = self.buffers.keys().copied().collect();
        for id in ids {
            let _ = self.released(&id); // Known: it was just listed.
        }
        self.reclaim();
    }

    /// Tries again to take back what was still mapped. Returns how many buffers still are.
    pub fn reclaim(&mut self) -> usize {
        self.grants.reclaim();
        let held = std::mem::take(&mut self.quarantine);
        self.quarantine = held.into_iter().filter_map(Quarantined::end).collect();
        self.quarantine.len()
    }

    /// What is held now.
    pub fn counts(&self) -> Counts {
        let exported = self.buffers.values().filter(|buffer| buffer.state == State::Exported);
        let exported = exported.count();
        Counts {
            ids: self.ids.in_use(),
            exported,
            unexported: self.buffers.len() - exported,
            quarantined: self.quarantine.len(),
        }
    }
}

impl<G: GrantFile> Exporter<G> {
    /// Shares the first `bytes` bytes of the pages from page `first` of a file on, for reading, as
    /// they are: nothing is copied.
    pub fn export_file(
        &mut self,
        file: BorrowedFd<'_>,
        first: u32,
        bytes: usize,
    ) -> Result<Offer, ExportError> {
        let length = u32::try_from(bytes).ok();
        let (Some(length), Some(pages)) = (length, PageCount::for_bytes(bytes)) else {
            return Err(ExportError::Length { bytes });
        };
        if !self.quarantine.is_empty() {
            self.reclaim();
        }
        let id = self.ids.allocate()?;
        let access = Access::ReadOnly;
        let memory = self.grants.grant_file(file, first, pages, self.peer, access)?;
        self.offer(id, memory, length, access, Vec::new())
    }
}

impl<M: GrantedMemory> Buffer<M> {
    fn quarantined(self) -> Quarantined<M> {
        Quarantined { memory: vec![self.memory, self.directory.into_memory()], id: self.id }
    }
}

impl<M: GrantedMemory> Quarantined<M> {
    /// Frees what can be freed, the ID last; gives back what cannot.
    fn end(self) -> Option<Self> {
        let still = self.memory.into_iter().filter_map(|memory| match memory.end() {
            Ok(()) => None,
            Err(StillMapped(memory)) => Some(memory),
        });
        let memory: Vec<M> = still.collect();
        if memory.is_empty() {
            self.id.release();
            return None;
        }
        Some(Quarantined { memory, id: self.id })
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::grant::{ForeignMemory, Mapping, directory};
    use crate::hypervisor::shm::{DomainMemory, ForeignDomain};

    const GUEST: DomainId = DomainId::new(3).unwrap();

    fn setup(pages: u32, ids: u32) -> (Exporter<DomainMemory>, DomainMemory, ForeignDomain) {
        let memory = DomainMemory::new(PageCount::new(pages).unwrap()).unwrap();
        let file = memory.as_fd().try_clone_to_owned().unwrap();
        let foreign = ForeignDomain::introduce(file, GUEST, DomainId::DISPLAY).unwrap();
        let ids = IdPool::with_limit(GUEST, ids);
        (Exporter::new(memory.clone(), ids, DomainId::DISPLAY, 192), memory, foreign)
    }

    fn map(foreign: &ForeignDomain, offer: &Offer) -> Arc<dyn Mapping> {
        let pages = PageCount::new(offer.pages).unwrap();
        let references = directory::read(foreign, offer.root, pages).unwrap();
        Arc::from(foreign.map(&references, offer.access).unwrap())
    }

    #[test]
    fn released_but_still_mapped_is_quarantined_with_its_id() {
        let (mut exporter, memory, foreign) = setup(64, 1);
        let offer = exporter.export(5000, Access::ReadOnly, Vec::new()).unwrap();
        assert_eq!((offer.pages, offer.length, offer.offset), (2, 5000, 0));
        let mapping = map(&foreign, &offer);
        exporter.unexport(&offer.id).unwrap();
        exporter.released(&offer.id).unwrap();
        assert_eq!(exporter.counts(), Counts { ids: 1, quarantined: 1, ..Counts::default() });
        let error = exporter.export(1, Access::ReadOnly, Vec::new()).unwrap_err();
        assert!(matches!(error, ExportError::Id(_)), "the ID is not back: {error}");
        drop(mapping);
        let again = exporter.export(1, Access::ReadOnly, Vec::new()).unwrap();
        assert_eq!(again.id.index(), offer.id.index());
        assert_ne!(again.id, offer.id, "the key is another");
        exporter.peer_gone();
        assert_eq!((exporter.counts(), memory.granted_pages()), (Counts::default(), 0));
    }

    #[test]
    fn an_abandoned_buffer_returns_when_it_is_unmapped() {
        let (mut exporter, memory, foreign) = setup(64, 2);
        let offer = exporter.export(5000, Access::ReadOnly, Vec::new()).unwrap();
        let mapping = map(&foreign, &offer);
        exporter.abandoned(&offer.id).unwrap();
        assert!(exporter.abandoned(&offer.id).is_err(), "once");
        assert_eq!(exporter.reclaim(), 1);
        drop(mapping);
        assert_eq!(exporter.reclaim(), 0);
        assert_eq!((exporter.counts(), memory.granted_pages()), (Counts::default(), 0));
    }

    #[test]
    fn nothing_stays_behind_a_failed_export() {
        let (mut exporter, memory, _foreign) = setup(4, 10);
        // The pages fit, the directory does not.
        let error = exporter.export(4 * 4096, Access::ReadOnly, Vec::new()).unwrap_err();
        assert!(matches!(error, ExportError::Directory(BuildError::Grant(_))), "{error}");
        let error = exporter.export(1, Access::ReadOnly, vec![0; 193]).unwrap_err();
        assert!(matches!(error, ExportError::Metadata { bytes: 193, limit: 192 }), "{error}");
        let error = exporter.export(0, Access::ReadOnly, Vec::new()).unwrap_err();
        assert!(matches!(error, ExportError::Length { bytes: 0 }), "{error}");
        assert_eq!((exporter.counts(), memory.granted_pages()), (Counts::default(), 0));
    }

    #[derive(Clone, Debug)]
    enum Operation {
        Export(usize),
        Map(usize),
        Unmap(usize),
        Unexport(usize),
        Released(usize),
        PeerGone,
        Reclaim,
    }

    fn operations() -> impl Strategy<Value = Vec<Operation>> {
        let operation = prop_oneof![
            4 => (1usize..40_000).prop_map(Operation::Export),
            3 => any::<usize>().prop_map(Operation::Map),
            3 => any::<usize>().prop_map(Operation::Unmap),
            2 => any::<usize>().prop_map(Operation::Unexport),
            3 => any::<usize>().prop_map(Operation::Released),
            1 => Just(Operation::PeerGone),
            1 => Just(Operation::Reclaim),
        ];
        prop::collection::vec(operation, 0..80)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn mapped_pages_and_their_ids_are_never_reused(operations in operations()) {
            let (mut exporter, memory, foreign) = setup(128, 6);
            let mut offers: Vec<Offer> = Vec::new();
            let mut mapped: Vec<(HyperDmabufId, Arc<dyn Mapping>)> = Vec::new();
            for operation in operations {
                match operation {
                    Operation::Export(bytes) => {
                        if let Ok(offer) = exporter.export(bytes, Access::ReadOnly, Vec::new()) {
                            prop_assert!(mapped.iter().all(|(id, _)| id.index() != offer.id.index()));
                            prop_assert!(offers.iter().all(|o| o.id.index() != offer.id.index()));
                            offers.push(offer);
                        }
                    }
                    Operation::Map(n) if !offers.is_empty() => {
                        let offer = &offers[n % offers.len()];
                        mapped.push((offer.id, map(&foreign, offer)));
                    }
                    Operation::Unmap(n) if !mapped.is_empty() => {
                        mapped.swap_remove(n % mapped.len());
                    }
                    Operation::Unexport(n) if !offers.is_empty() => {
                        exporter.unexport(&offers[n % offers.len()].id).unwrap();
                    }
                    // Also too early: a display domain that lies harms nothing.
                    Operation::Released(n) if !offers.is_empty() => {
                        let offer = offers.swap_remove(n % offers.len());
                        exporter.released(&offer.id).unwrap();
                        prop_assert!(exporter.released(&offer.id).is_err());
                    }
                    Operation::PeerGone => {
                        mapped.clear();
                        offers.clear();
                        exporter.peer_gone();
                    }
                    Operation::Reclaim => {
                        exporter.reclaim();
                    }
                    _ => {}
                }
                let counts = exporter.counts();
                prop_assert_eq!(counts.exported + counts.unexported, offers.len());
                prop_assert_eq!(counts.ids, offers.len() + counts.quarantined);
            }
            drop(mapped);
            exporter.peer_gone();
            prop_assert_eq!((exporter.counts(), memory.granted_pages()), (Counts::default(), 0));
            prop_assert_eq!(foreign.mapped_pages(), 0);
        }
    }
}
