//! The contract of every back end, on this one, and what only this one can get wrong.

use std::sync::Arc;

use rustix::fs::{MemfdFlags, SealFlags};

use super::{DomainMemory, ForeignDomain, IntroductionError, MAX_PIECES};
use crate::domain::DomainId;
use crate::grant::contract::{Rig, contract_tests};
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
    memory: DomainMemory,
    foreign: Arc<ForeignDomain>,
    stranger: Arc<ForeignDomain>,
}

impl Rig for Shm {
    type Grants = DomainMemory;

    fn new(pages: u32) -> Self {
        let memory = DomainMemory::new(PageCount::new(pages).unwrap()).unwrap();
        let foreign = Arc::new(introduce(&memory, domain(300)));
        let stranger = Arc::new(introduce(&memory, domain(301)));
        Shm { memory, foreign, stranger }
    }

    fn grants(&self) -> &DomainMemory {
        &self.memory
    }

    fn mapper(&self) -> DomainId {
        domain(300)
    }

    fn foreign(&self) -> Arc<dyn ForeignMemory> {
        self.foreign.clone()
    }

    fn foreign_to_stranger(&self) -> Arc<dyn ForeignMemory> {
        self.stranger.clone()
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
    let memory = rig.memory.grant(count, rig.mapper(), Access::ReadOnly).unwrap();
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
    assert_eq!(rig.memory.granted_pages(), 0);
    let memory =
        rig.memory.grant(PageCount::new(3).unwrap(), rig.mapper(), Access::ReadOnly).unwrap();
    assert_eq!(rig.memory.granted_pages(), 3);
    let mapping = rig.foreign.map(memory.references(), Access::ReadOnly).unwrap();
    drop(memory);
    assert_eq!((rig.memory.granted_pages(), rig.memory.deferred_pages()), (0, 3));
    drop(mapping);
    rig.memory.reclaim();
    assert_eq!((rig.memory.granted_pages(), rig.memory.deferred_pages()), (0, 0));
}
