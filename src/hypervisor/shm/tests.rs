//! The contract of every back end, on this one, and what only this one can get wrong.

use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::fs::{MemfdFlags, SealFlags};

use super::{
    DomainMemory, ForeignDomain, GrantedRange, Introduction, IntroductionError, Listener,
    MAX_PIECES, connect,
};
use crate::domain::DomainId;
use crate::grant::contract::{Files, NotGranted, Owner, Peer, Rig, contract_tests};
use crate::grant::{
    Access, ForeignMemory, GrantError, GrantFile, GrantPages, GrantRef, GrantedMemory, MapError,
    Mapping, PAGE_SIZE, PageCount, StillMapped, View,
};

fn domain(number: u16) -> DomainId {
    DomainId::new(number).unwrap()
}

fn introduce(memory: &DomainMemory, us: DomainId) -> ForeignDomain {
    let file = memory.as_fd().try_clone_to_owned().unwrap();
    ForeignDomain::introduce(file, domain(5), us).unwrap()
}

/// Two domains, of which one grants pages of its own, or of files.
struct Rigged<G> {
    owner: Owner<G>,
    foreign: Arc<ForeignDomain>,
}

type Shm = Rigged<DomainMemory>;

trait Memory: GrantPages + Sized {
    /// See [`Rig::MAPS_AGAIN`].
    const MAPS_AGAIN: bool;

    /// This memory, and how domain 300 reaches it.
    fn with_room(pages: u32) -> (Self, ForeignDomain);
}

impl Memory for DomainMemory {
    const MAPS_AGAIN: bool = true;

    fn with_room(pages: u32) -> (DomainMemory, ForeignDomain) {
        let memory = DomainMemory::new(PageCount::new(pages).unwrap()).unwrap();
        let foreign = introduce(&memory, domain(300));
        (memory, foreign)
    }
}

impl Memory for Files<DomainMemory> {
    /// A file is let go of with its last mapping: a buffer is mapped once.
    const MAPS_AGAIN: bool = false;

    fn with_room(pages: u32) -> (Files<DomainMemory>, ForeignDomain) {
        let (memory, foreign) = meet(1, pages);
        (Files(memory), foreign)
    }
}

impl<G: Memory> Rig for Rigged<G> {
    type Memory = G::Memory;

    const OWNER_SEES_MAPPINGS: bool = true;

    const MAPS_AGAIN: bool = G::MAPS_AGAIN;

    fn new(pages: u32) -> Self {
        let (grants, foreign) = G::with_room(pages);
        let owner = Owner { grants, mapper: domain(300), stranger: domain(301) };
        Rigged { owner, foreign: Arc::new(foreign) }
    }

    fn grant(&self, to: Peer, pages: PageCount, access: Access) -> Result<G::Memory, NotGranted> {
        self.owner.grant(to, pages, access)
    }

    fn references(memory: &G::Memory) -> &[GrantRef] {
        memory.references()
    }

    fn write(&self, memory: &G::Memory, page: usize, word: u32) {
        Owner::<G>::write(memory, page, word);
    }

    fn first_word(&self, memory: &G::Memory, page: usize) -> u32 {
        Owner::<G>::first_word(memory, page)
    }

    fn end(&self, memory: G::Memory) -> Result<(), G::Memory> {
        Owner::<G>::end(memory)
    }

    fn abandon(&self, memory: G::Memory) {
        drop(memory);
    }

    fn reclaim(&self) -> usize {
        self.owner.grants.reclaim()
    }

    fn directory(&self, memory: &G::Memory) -> G::Memory {
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

mod of_files {
    use super::*;

    contract_tests!(Rigged<Files<DomainMemory>>);
}

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

/// The two ends of a meeting: the memory, and what became of it at the other side.
fn meet(pages: u32, of_files: u32) -> (DomainMemory, ForeignDomain) {
    let memory = DomainMemory::with_room_for_files(PageCount::new(pages).unwrap(), of_files);
    let memory = memory.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("domain");
    let listener = Listener::bind(&path).unwrap();
    let _link = connect(&path, &memory).unwrap();
    let arrival = listener.accept().unwrap().unwrap();
    match arrival.introduction(domain(5), domain(300)).unwrap() {
        Introduction::Done(foreign, _) => (memory, foreign),
        Introduction::Pending => panic!("it has been sent"),
    }
}

/// A file of so many pages, each of which begins with its number.
fn file(pages: u32, seals: SealFlags) -> std::os::fd::OwnedFd {
    let flags = MemfdFlags::ALLOW_SEALING;
    let file = rustix::fs::memfd_create("a program's", flags).unwrap();
    rustix::fs::ftruncate(&file, u64::from(pages) * PAGE_SIZE as u64).unwrap();
    for page in 0..pages {
        let offset = u64::from(page) * PAGE_SIZE as u64;
        rustix::io::pwrite(&file, &page.to_ne_bytes(), offset).unwrap();
    }
    rustix::fs::fcntl_add_seals(&file, seals).unwrap();
    file
}

fn grant_file(
    memory: &DomainMemory,
    file: &std::os::fd::OwnedFd,
    first: u32,
    pages: u32,
) -> GrantedRange {
    let pages = PageCount::new(pages).unwrap();
    memory.grant_file(file.as_fd(), first, pages, domain(300), Access::ReadOnly).unwrap()
}

fn words(mapping: Box<dyn Mapping>) -> Vec<u32> {
    let pages = mapping.pages().get() as usize;
    let view = View::new(Arc::from(mapping)).unwrap();
    (0..pages).map(|page| view.word(page * PAGE_SIZE / 4).unwrap()).collect()
}

#[test]
fn pages_of_files_are_mapped_as_they_are() {
    let (memory, foreign) = meet(16, 16);
    let (one, other) = (file(8, SealFlags::SHRINK), file(4, SealFlags::SHRINK));
    let (first, second) = (grant_file(&memory, &one, 5, 3), grant_file(&memory, &other, 0, 4));
    assert!(first.bytes().is_empty());
    let own = memory.grant(PageCount::new(1).unwrap(), domain(300), Access::ReadOnly).unwrap();
    // Neighbours by number, but of different files; and among pages of the domain's own.
    let references: Vec<GrantRef> =
        [own.references(), first.references(), second.references(), own.references()].concat();
    let mapping = foreign.map(&references, Access::ReadOnly).unwrap();
    assert_eq!(words(mapping), [0, 5, 6, 7, 0, 1, 2, 3, 0]);
    assert!(foreign.map(first.references(), Access::ReadWrite).is_err(), "granted for reading");
    assert_eq!(foreign.mapped_pages(), 0);
    first.end().unwrap();
    second.end().unwrap();
    assert_eq!(memory.granted_pages(), 1);
    assert!(foreign.map(&references[1..2], Access::ReadOnly).is_err(), "the grant has ended");
}

#[test]
fn a_file_stays_granted_while_it_is_mapped_and_its_references_are_used_again() {
    let (memory, foreign) = meet(16, 4);
    let granted = grant_file(&memory, &file(4, SealFlags::SHRINK), 0, 4);
    let mapping = foreign.map(granted.references(), Access::ReadOnly).unwrap();
    let StillMapped(granted) = granted.end().unwrap_err();
    assert_eq!(words(mapping), [0, 1, 2, 3]);
    // The file was let go of with its last mapping.
    let gone = foreign.map(granted.references(), Access::ReadOnly);
    assert!(matches!(gone, Err(MapError::BadReference { .. })), "{gone:?}");
    granted.end().unwrap();
    let again = grant_file(&memory, &file(9, SealFlags::SHRINK), 5, 4);
    let mapping = foreign.map(again.references(), Access::ReadOnly).unwrap();
    assert_eq!(words(mapping), [5, 6, 7, 8]);
}

#[test]
fn files_that_may_shrink_or_end_too_early_are_not_mapped() {
    let (memory, foreign) = meet(16, 64);
    let seen = |granted: &GrantedRange| {
        words(foreign.map(granted.references(), Access::ReadOnly).unwrap())
    };
    // What was refused stands for nothing but empty pages.
    let may_shrink = grant_file(&memory, &file(4, SealFlags::GROW), 1, 2);
    assert_eq!(seen(&may_shrink), [0, 0]);
    let short = grant_file(&memory, &file(4, SealFlags::SHRINK), 3, 2);
    assert_eq!(seen(&short), [0, 0]);
    let far = grant_file(&memory, &file(4, SealFlags::SHRINK), u32::MAX, 2);
    assert_eq!(seen(&far), [0, 0]);
    let (reader, _writer) = rustix::pipe::pipe().unwrap();
    assert_eq!(seen(&grant_file(&memory, &reader, 0, 2)), [0, 0]);
    // A last page that is there in part is there.
    let part = file(1, SealFlags::empty());
    rustix::fs::ftruncate(&part, 100).unwrap();
    rustix::fs::fcntl_add_seals(&part, SealFlags::SHRINK).unwrap();
    rustix::io::pwrite(&part, &77u32.to_ne_bytes(), 0).unwrap();
    assert_eq!(seen(&grant_file(&memory, &part, 0, 1)), [77]);
}

#[test]
fn whoever_does_not_look_is_not_waited_for() {
    let (memory, foreign) = meet(16, 100_000);
    let one = file(1, SealFlags::SHRINK);
    let pages = PageCount::new(1).unwrap();
    let mut granted = Vec::new();
    let refused = loop {
        match memory.grant_file(one.as_fd(), 0, pages, domain(300), Access::ReadOnly) {
            Ok(range) => granted.push(range),
            Err(error) => break error,
        }
        assert!(granted.len() < 50_000, "the queue is bounded");
    };
    assert!(matches!(refused, GrantError::System { .. }), "{refused}");
    assert_eq!(memory.granted_pages(), granted.len());
    // One look takes them all, up to the bound.
    drop(foreign.map(granted[0].references(), Access::ReadOnly).unwrap());
    let again = memory.grant_file(one.as_fd(), 0, pages, domain(300), Access::ReadOnly);
    assert!(again.is_ok());
}

#[test]
fn memory_without_room_for_files_grants_none() {
    let (memory, _foreign) = meet(16, 0);
    let pages = PageCount::new(1).unwrap();
    let one = file(1, SealFlags::SHRINK);
    let refused = memory.grant_file(one.as_fd(), 0, pages, domain(300), Access::ReadOnly);
    assert!(matches!(refused, Err(GrantError::Unsuitable(_))), "{refused:?}");
}
