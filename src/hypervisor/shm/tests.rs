//! The contract of every back end, on this one, and what only this one can get wrong.

use std::sync::Arc;

use rustix::fs::{MemfdFlags, SealFlags};

use super::{DomainMemory, ForeignDomain, GrantedRange, IntroductionError, MAX_PIECES};
use crate::domain::DomainId;
use crate::grant::contract::{NotGranted, Owner, Peer, Rig, contract_tests};
use crate::grant::{
    Access, ForeignMemory, GrantPages, GrantRef, GrantedMemory, MapError, PageCount,
};

fn domain(number: u16) -> DomainId {
    DomainId::new(number).unwrap()
}

fn introduce(memory: &DomainMemory, us: DomainId) -> ForeignDomain {
    use std::os::fd::AsFd;
    let file = memory.as_fd().try_clone_to_owned().unwrap();
    ForeignDomain::introduce(file, domain(5), us).unwrap()
}

struct Shm {
    owner: Owner<DomainMemory>,
    foreign: Arc<ForeignDomain>,
}

impl Rig for Shm {
    type Memory = GrantedRange;

    const OWNER_SEES_MAPPINGS: bool = true;

    fn new(pages: u32) -> Self {
        let memory = DomainMemory::new(PageCount::new(pages).unwrap()).unwrap();
        let (mapper, stranger) = (domain(300), domain(301));
        let foreign = Arc::new(introduce(&memory, mapper));
        Shm { owner: Owner { grants: memory, mapper, stranger }, foreign }
    }

    fn grant(
        &self,
        to: Peer,
        pages: PageCount,
        access: Access,
    ) -> Result<GrantedRange, NotGranted> {
        self.owner.grant(to, pages, access)
    }

    fn references(memory: &GrantedRange) -> &[GrantRef] {
        memory.references()
    }

    fn write(&self, memory: &GrantedRange, page: usize, word: u32) {
        Owner::<DomainMemory>::write(memory, page, word);
    }

    fn first_word(&self, memory: &GrantedRange, page: usize) -> u32 {
        Owner::<DomainMemory>::first_word(memory, page)
    }

    fn end(&self, memory: GrantedRange) -> Result<(), GrantedRange> {
        Owner::<DomainMemory>::end(memory)
    }

    fn abandon(&self, memory: GrantedRange) {
        drop(memory);
    }

    fn reclaim(&self) -> usize {
        self.owner.grants.reclaim()
    }

    fn directory(&self, memory: &GrantedRange) -> GrantedRange {
        self.owner.directory(memory)
    }

    fn foreign(&self) -> Arc<dyn ForeignMemory> {
        self.foreign.clone()
    }

    fn mapper_dies_with(&self, references: &[GrantRef]) {
        // A process that is killed runs no destructor.
        std::mem::forget(self.foreign.map(references, Access::ReadOnly).unwrap());
        self.owner.grants.peer_gone(self.owner.mapper);
    }

    fn nowhere(&self) -> Vec<GrantRef> {
        // The header, the table itself, far outside, and where an index would wrap.
        [0, 1, 1 << 20, u32::MAX].map(GrantRef).to_vec()
    }
}

contract_tests!(Shm);

#[test]
fn file_that_is_no_domains_memory_is_refused() {
    let introduce = |file| ForeignDomain::introduce(file, domain(1), domain(0)).unwrap_err();
    let memfd = || rustix::fs::memfd_create("test", MemfdFlags::ALLOW_SEALING).unwrap();

    let unsealed = introduce(memfd());
    assert!(matches!(unsealed, IntroductionError::NotSealed), "{unsealed}");

    let empty = memfd();
    rustix::fs::fcntl_add_seals(&empty, SealFlags::SHRINK).unwrap();
    let empty = introduce(empty);
    assert!(matches!(empty, IntroductionError::BadLayout(_)), "{empty}");

    for (claimed, actual) in [(u32::MAX, 1u64), (100, 99), (2, 2), (0, 1)] {
        let file = memfd();
        let mut header = Vec::from(super::table::MAGIC.to_ne_bytes());
        header.extend(super::table::VERSION.to_ne_bytes());
        header.extend(claimed.to_ne_bytes());
        rustix::io::pwrite(&file, &header, 0).unwrap();
        rustix::fs::ftruncate(&file, actual * 4096).unwrap();
        rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK).unwrap();
        let error = introduce(file);
        assert!(matches!(error, IntroductionError::BadLayout(_)), "{claimed}: {error}");
    }

    let (pipe, _other) = rustix::pipe::pipe().unwrap();
    let pipe = introduce(pipe);
    assert!(pipe.to_string().contains("memfd"), "{pipe}");
}

#[test]
fn buffer_in_too_many_pieces_is_refused() {
    let rig = Shm::new(2 * MAX_PIECES as u32 + 8);
    let count = PageCount::new(2 * MAX_PIECES as u32 + 2).unwrap();
    let memory = rig.owner.grants.grant(count, rig.owner.mapper, Access::ReadOnly).unwrap();
    let every_other: Vec<GrantRef> = memory.references().iter().copied().step_by(2).collect();
    let error = rig.foreign.map(&every_other, Access::ReadOnly).unwrap_err();
    let pieces = MAX_PIECES + 1;
    assert!(matches!(error, MapError::TooScattered { pieces: p, .. } if p == pieces), "{error}");
    assert_eq!(rig.foreign.mapped_pages(), 0);
    rig.foreign.map(&every_other[1..], Access::ReadOnly).unwrap();
}

#[test]
fn pages_are_counted() {
    let rig = Shm::new(16);
    assert_eq!(rig.owner.grants.granted_pages(), 0);
    let memory = rig
        .owner
        .grants
        .grant(PageCount::new(3).unwrap(), rig.owner.mapper, Access::ReadOnly)
        .unwrap();
    assert_eq!(rig.owner.grants.granted_pages(), 3);
    let mapping = rig.foreign.map(memory.references(), Access::ReadOnly).unwrap();
    drop(memory);
    assert_eq!((rig.owner.grants.granted_pages(), rig.owner.grants.deferred_pages()), (0, 3));
    drop(mapping);
    rig.owner.grants.reclaim();
    assert_eq!((rig.owner.grants.granted_pages(), rig.owner.grants.deferred_pages()), (0, 0));
}
