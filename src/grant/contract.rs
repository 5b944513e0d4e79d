//! What any back end must do, written once: `contract_tests!(Rig)` makes the tests of one, and
//! [`tests`] are the same for a program that runs them where the hypervisor is. A back end that
//! grants pages of files does the same for those: [`Files`].

use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::Arc;

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::mm::{MapFlags, ProtFlags};

use super::directory::{self, Directory, ReadError};
use super::{
    Access, ForeignMemory, GrantError, GrantFile, GrantPages, GrantRef, GrantedMemory, MapError,
    Mapping, PAGE_SIZE, PageCount, StillMapped, View,
};
use crate::domain::DomainId;

/// Two domains on one back end: this one maps, the other one owns, in this process or elsewhere.
pub trait Rig: Sized {
    /// Granted pages of the owner. Dropped, they are what a program that ends leaves behind.
    type Memory;

    /// Whether the owner can tell that its pages are mapped. Where it cannot, its kernel keeps them
    /// aside by itself.
    const OWNER_SEES_MAPPINGS: bool;

    /// Whether pages can be granted for reading only.
    const GRANTS_READ_ONLY: bool = true;

    /// Whether pages that nobody maps any more can be mapped again, while they are granted.
    const MAPS_AGAIN: bool = true;

    /// The owner has room for `pages` pages at least.
    fn new(pages: u32) -> Self;
    /// The owner grants pages.
    fn grant(&self, to: Peer, pages: PageCount, access: Access)
    -> Result<Self::Memory, NotGranted>;
    /// Their references.
    fn references(memory: &Self::Memory) -> &[GrantRef];
    /// The owner writes a word at the start of a page.
    fn write(&self, memory: &Self::Memory, page: usize, word: u32);
    /// The owner reads the word at the start of a page.
    fn first_word(&self, memory: &Self::Memory, page: usize) -> u32;
    /// The owner ends the grants, or cannot.
    fn end(&self, memory: Self::Memory) -> Result<(), Self::Memory>;
    /// The owner loses its pages without ending anything.
    fn abandon(&self, memory: Self::Memory);
    /// The owner takes back what it can; how many pages are still out.
    fn reclaim(&self) -> usize;
    /// The owner lists the pages in a directory; its first page is the root.
    fn directory(&self, memory: &Self::Memory) -> Self::Memory;
    /// The owner's memory as the mapper reaches it.
    fn foreign(&self) -> Arc<dyn ForeignMemory>;
    /// A mapper maps pages, is killed, and the owner hears of it.
    fn mapper_dies_with(&self, references: &[GrantRef]);
    /// References that name no page that could ever be granted.
    fn nowhere(&self) -> Vec<GrantRef>;
}

/// Who is to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// The domain that maps.
    Mapper,
    /// A domain that it is not.
    Stranger,
}

/// Why the owner did not grant.
#[derive(Debug)]
pub enum NotGranted {
    /// There is not enough.
    NoRoom(String),
    /// Anything else.
    Other(String),
}

impl From<GrantError> for NotGranted {
    fn from(error: GrantError) -> NotGranted {
        match error {
            GrantError::OutOfMemory { .. } | GrantError::Limit { .. } => {
                NotGranted::NoRoom(error.to_string())
            }
            other => NotGranted::Other(format!("{other:?}")),
        }
    }
}

/// The owner's half of a rig, over any back end.
#[derive(Debug)]
pub struct Owner<G> {
    /// The back end.
    pub grants: G,
    /// Who maps.
    pub mapper: DomainId,
    /// Who does not.
    pub stranger: DomainId,
}

impl<G: GrantPages> Owner<G> {
    /// See [`Rig::grant`].
    pub fn grant(
        &self,
        to: Peer,
        pages: PageCount,
        access: Access,
    ) -> Result<G::Memory, NotGranted> {
        let to = match to {
            Peer::Mapper => self.mapper,
            Peer::Stranger => self.stranger,
        };
        Ok(self.grants.grant(pages, to, access)?)
    }

    /// See [`Rig::write`].
    pub fn write(memory: &G::Memory, page: usize, word: u32) {
        // SAFETY: the address is inside; volatile, since the other side may look.
        unsafe { Self::address(memory, page).write_volatile(word) };
    }

    /// See [`Rig::first_word`].
    pub fn first_word(memory: &G::Memory, page: usize) -> u32 {
        // SAFETY: the address is inside; volatile, since the other side may write.
        unsafe { Self::address(memory, page).read_volatile() }
    }

    fn address(memory: &G::Memory, page: usize) -> *mut u32 {
        assert!(page < memory.references().len());
        // SAFETY: inside the memory, page-aligned.
        unsafe { memory.bytes().cast::<u8>().add(page * PAGE_SIZE).cast::<u32>().as_ptr() }
    }

    /// See [`Rig::directory`].
    pub fn directory(&self, memory: &G::Memory) -> G::Memory {
        let directory = Directory::build(&self.grants, memory.references(), self.mapper);
        directory.unwrap().into_memory()
    }

    /// See [`Rig::end`].
    pub fn end(memory: G::Memory) -> Result<(), G::Memory> {
        memory.end().map_err(|StillMapped(memory)| memory)
    }
}

/// Pages of files, as a back end grants them ([`GrantFile`]): each memory is a sealed file of its
/// own, which the owner also maps, as the program that draws into it does.
#[derive(Clone, Debug)]
pub struct Files<G>(pub G);

/// A file whose pages are granted.
#[derive(Debug)]
pub struct FileMemory<M> {
    granted: M,
    mapped: MappedFile,
}

/// The file as its program sees it.
#[derive(Debug)]
struct MappedFile {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the mapping is this value's own, and through it only its address can be had.
unsafe impl Send for MappedFile {}

impl Drop for MappedFile {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and whoever used its address kept `self`.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

/// Pages of the file before those that are granted, so that the first one is not the file's.
const BEFORE: u32 = 3;

impl<G: GrantFile> GrantPages for Files<G> {
    type Memory = FileMemory<G::Memory>;

    fn grant(
        &self,
        pages: PageCount,
        to: DomainId,
        access: Access,
    ) -> Result<Self::Memory, GrantError> {
        let system = |cause| GrantError::System { what: "make a file", cause };
        let before = BEFORE as usize * PAGE_SIZE;
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = rustix::fs::memfd_create("contract", flags).map_err(system)?;
        rustix::fs::ftruncate(&file, (before + pages.bytes()) as u64).map_err(system)?;
        rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK).map_err(system)?;
        let granted = self.0.grant_file(file.as_fd(), BEFORE, pages, to, access)?;
        let (protection, bytes) = (ProtFlags::READ | ProtFlags::WRITE, pages.bytes());
        // SAFETY: a new mapping at an address of the kernel's choice replaces nothing.
        let start = unsafe {
            let at = std::ptr::null_mut();
            rustix::mm::mmap(at, bytes, protection, MapFlags::SHARED, &file, before as u64)
        };
        let start = NonNull::new(start.map_err(system)?.cast::<u8>());
        let start = start.ok_or_else(|| system(rustix::io::Errno::NOMEM))?;
        assert_eq!(granted.bytes().len(), 0, "the pages are not the granting side's");
        Ok(FileMemory { granted, mapped: MappedFile { start, bytes } })
    }

    fn reclaim(&self) -> usize {
        self.0.reclaim()
    }

    fn peer_gone(&self, peer: DomainId) {
        self.0.peer_gone(peer);
    }
}

impl<M: GrantedMemory> GrantedMemory for FileMemory<M> {
    fn references(&self) -> &[GrantRef] {
        self.granted.references()
    }

    fn bytes(&self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.mapped.start, self.mapped.bytes)
    }

    fn access(&self) -> Access {
        self.granted.access()
    }

    fn end(self) -> Result<(), StillMapped<Self>> {
        let FileMemory { granted, mapped } = self;
        granted.end().map_err(|StillMapped(granted)| StillMapped(FileMemory { granted, mapped }))
    }
}

fn pages(count: u32) -> PageCount {
    PageCount::new(count).unwrap()
}

fn grant<R: Rig>(rig: &R, count: u32, access: Access) -> R::Memory {
    rig.grant(Peer::Mapper, pages(count), access).unwrap()
}

fn end<R: Rig>(rig: &R, memory: R::Memory) {
    assert!(rig.end(memory).is_ok(), "still mapped");
}

fn map<R: Rig>(rig: &R, references: &[GrantRef], access: Access) -> Box<dyn Mapping> {
    rig.foreign().map(references, access).unwrap()
}

/// A mapping to be kept meanwhile, where pages could not be mapped again; and how many it maps.
fn keep<R: Rig>(rig: &R, memory: &R::Memory) -> (Option<Box<dyn Mapping>>, usize) {
    let references = R::references(memory);
    if R::MAPS_AGAIN {
        return (None, 0);
    }
    (Some(map(rig, references, Access::ReadOnly)), references.len())
}

fn view(mapping: Box<dyn Mapping>) -> View {
    View::new(Arc::from(mapping)).unwrap()
}

/// The words at the start of each page.
fn first_words(view: &View) -> Vec<u32> {
    let words_per_page = PAGE_SIZE / size_of::<u32>();
    (0..view.words() / words_per_page)
        .map(|page| view.word(page * words_per_page).unwrap())
        .collect()
}

fn mapped_pages_are_the_owners_pages<R: Rig>() {
    let rig = R::new(16);
    let memory = grant(&rig, 3, Access::ReadOnly);
    rig.write(&memory, 0, 10);
    rig.write(&memory, 2, 30);
    let view = view(map(&rig, R::references(&memory), Access::ReadOnly));
    assert_eq!(first_words(&view), [10, 0, 30]);
    rig.write(&memory, 1, 20);
    assert_eq!(first_words(&view), [10, 20, 30], "the same pages, not a copy");
    assert_eq!(view.word(view.words()), None);
}

fn pages_appear_in_the_order_asked_for<R: Rig>() {
    let rig = R::new(16);
    let memory = grant(&rig, 4, Access::ReadOnly);
    (0..4).for_each(|page| rig.write(&memory, page, page as u32));
    let [a, b, c, d] = *R::references(&memory) else { panic!("four references") };
    let order = [d, b, c, a, d];
    let view = view(map(&rig, &order, Access::ReadOnly));
    assert_eq!(first_words(&view), [3, 1, 2, 0, 3]);
}

fn pages_are_placed_more_than_once<R: Rig>() {
    let rig = R::new(16);
    let memory = grant(&rig, 2, Access::ReadOnly);
    rig.write(&memory, 1, 5);
    let mapping: Arc<dyn Mapping> = map(&rig, R::references(&memory), Access::ReadOnly).into();
    let first = View::new(Arc::clone(&mapping)).unwrap();
    let second = View::new(Arc::clone(&mapping)).unwrap();
    assert_eq!((first_words(&first), first_words(&second)), (vec![0, 5], vec![0, 5]));
    drop(first);
    rig.write(&memory, 0, 6);
    assert_eq!(first_words(&second), [6, 5], "one place does not depend on another");
    drop(second);
    assert_eq!(first_words(&View::new(Arc::clone(&mapping)).unwrap()), [6, 5]);
    assert_eq!(rig.foreign().mapped_pages(), 2);
    drop(mapping);
    assert_eq!(rig.foreign().mapped_pages(), 0);
    end(&rig, memory);
}

fn writable_grant_can_be_written_by_the_mapper<R: Rig>() {
    let rig = R::new(16);
    let memory = grant(&rig, 1, Access::ReadWrite);
    let mapping = map(&rig, R::references(&memory), Access::ReadWrite);
    assert_eq!(mapping.access(), Access::ReadWrite);
    let view = view(mapping);
    // SAFETY: the view's own first word, mapped for writing.
    unsafe { view.placement_address().cast::<u32>().write_volatile(77) };
    assert_eq!(rig.first_word(&memory, 0), 77);
}

fn read_only_grant_cannot_be_mapped_for_writing<R: Rig>() {
    let rig = R::new(16);
    let memory = grant(&rig, 2, Access::ReadOnly);
    let mapped = rig.foreign().map(R::references(&memory), Access::ReadWrite);
    assert_eq!(mapped.is_ok(), !R::GRANTS_READ_ONLY);
    match mapped {
        Ok(mapping) => drop(mapping),
        Err(error) => assert!(matches!(error, MapError::ReadOnly { page: 0, .. }), "{error}"),
    }
    assert_eq!(rig.foreign().mapped_pages(), 0);
    end(&rig, memory);
}

fn stranger_is_refused<R: Rig>() {
    let rig = R::new(16);
    let memory = rig.grant(Peer::Stranger, pages(1), Access::ReadOnly).unwrap();
    let error = rig.foreign().map(R::references(&memory), Access::ReadOnly).unwrap_err();
    assert!(matches!(error, MapError::NotGranted { .. }), "{error}");
}

fn what_is_not_granted_is_refused_whole<R: Rig>() {
    let rig = R::new(16);
    let memory = grant(&rig, 2, Access::ReadOnly);
    let ended = grant(&rig, 1, Access::ReadOnly);
    let ended_reference = R::references(&ended)[0];
    end(&rig, ended);
    let (kept, kept_pages) = keep(&rig, &memory);
    let mut bad = rig.nowhere();
    bad.push(ended_reference);
    for reference in bad {
        let references = [R::references(&memory)[0], R::references(&memory)[1], reference];
        let error = rig.foreign().map(&references, Access::ReadOnly).unwrap_err();
        assert!(error.is_peers_fault(), "{error}");
        assert!(error.to_string().contains("page 2"), "says which page: {error}");
        assert_eq!(rig.foreign().mapped_pages(), kept_pages, "nothing stays mapped");
    }
    drop(kept);
    let nothing = rig.foreign().map(&[], Access::ReadOnly).unwrap_err();
    assert!(matches!(nothing, MapError::Empty));
    end(&rig, memory);
}

/// Ends what is mapped; the owner sees that, or its kernel keeps the pages aside.
fn end_while_mapped<R: Rig>(rig: &R, memory: R::Memory) -> Option<R::Memory> {
    let ended = rig.end(memory);
    assert_eq!(ended.is_err(), R::OWNER_SEES_MAPPINGS);
    ended.err()
}

fn grant_cannot_end_while_mapped<R: Rig>() {
    let rig = R::new(16);
    let memory = grant(&rig, 2, Access::ReadOnly);
    rig.write(&memory, 1, 4711);
    let references = R::references(&memory).to_vec();
    let first = map(&rig, &references, Access::ReadOnly);
    let second = map(&rig, &references[1..], Access::ReadOnly);
    assert_eq!(rig.foreign().mapped_pages(), 3);
    let memory = end_while_mapped(&rig, memory);
    drop(first);
    let memory = memory.map(|memory| rig.end(memory).expect_err("it is mapped"));
    let other = grant(&rig, 4, Access::ReadOnly);
    (0..4).for_each(|page| rig.write(&other, page, 1));
    assert!(R::references(&other).iter().all(|reference| *reference != references[1]));
    let second = view(second);
    assert_eq!(first_words(&second), [4711], "nobody else got the page");
    drop(second);
    assert_eq!(rig.foreign().mapped_pages(), 0);
    if let Some(memory) = memory {
        end(&rig, memory);
    }
    end(&rig, other);
}

fn memory_dropped_while_mapped_is_kept_aside<R: Rig>() {
    let rig = R::new(8);
    let memory = grant(&rig, 4, Access::ReadOnly);
    rig.write(&memory, 3, 4711);
    let references = R::references(&memory).to_vec();
    let view = view(map(&rig, &references[3..], Access::ReadOnly));
    rig.abandon(memory);
    let kept = rig.reclaim();
    // Which of the four a kernel keeps aside by itself is its own affair, but the mapped one it does.
    let (aside, expected) = if R::OWNER_SEES_MAPPINGS { (0, 4) } else { (3, 0) };
    assert_eq!(kept, expected, "kept aside while one page of it is mapped");
    let other = grant(&rig, 4, Access::ReadOnly);
    (0..4).for_each(|page| rig.write(&other, page, 1));
    assert!(R::references(&other).iter().all(|new| !references[aside..].contains(new)));
    assert_eq!(first_words(&view), [4711], "nobody else got the page");
    drop(view);
    assert_eq!(rig.reclaim(), 0);
    end(&rig, other);
    let all = grant(&rig, 8, Access::ReadOnly);
    end(&rig, all);
}

fn pages_come_zeroed_every_time<R: Rig>() {
    let rig = R::new(4);
    let memory = grant(&rig, 4, Access::ReadWrite);
    (0..4).for_each(|page| rig.write(&memory, page, 1));
    end(&rig, memory);
    let memory = grant(&rig, 4, Access::ReadOnly);
    let view = view(map(&rig, R::references(&memory), Access::ReadOnly));
    assert_eq!(first_words(&view), [0; 4]);
}

fn exhaustion_is_an_error_that_says_so<R: Rig>() {
    let rig = R::new(4);
    let error = rig.grant(Peer::Mapper, pages(1 << 30), Access::ReadOnly).err().unwrap();
    assert!(matches!(error, NotGranted::NoRoom(_)), "{error:?}");
    let memory = grant(&rig, 1, Access::ReadOnly);
    end(&rig, memory);
}

fn dead_mapper_holds_nothing<R: Rig>() {
    let rig = R::new(4);
    let memory = grant(&rig, 1, Access::ReadOnly);
    rig.mapper_dies_with(R::references(&memory));
    end(&rig, memory);
}

fn directory_of_an_8k_frame_is_read_back<R: Rig>() {
    let count = PageCount::for_bytes(7680 * 4320 * 4).unwrap();
    assert_eq!(count.get(), 32_400);
    let rig = R::new(count.get() + 64);
    let memory = rig.grant(Peer::Mapper, count, Access::ReadOnly).unwrap();
    rig.write(&memory, 32_399, 8);
    let directory = rig.directory(&memory);
    let (kept, kept_pages) = keep(&rig, &directory);
    let root = R::references(&directory)[0];
    let read = directory::read(&*rig.foreign(), root, count).unwrap();
    assert_eq!(read, R::references(&memory));
    let mapped = rig.foreign().mapped_pages();
    assert_eq!(mapped, kept_pages, "the directory is not mapped any more");
    drop(kept);
    let view = view(map(&rig, &read, Access::ReadOnly));
    assert_eq!(first_words(&view).last(), Some(&8));
    // What the owner writes into its directory from now on is nobody's concern any more.
    (0..R::references(&directory).len()).for_each(|page| rig.write(&directory, page, 1));
    assert_eq!(first_words(&view).last(), Some(&8), "the directory was read once");
    drop(view);
    end(&rig, directory);
    end(&rig, memory);
}

fn directory_that_points_nowhere_is_refused<R: Rig>() {
    let rig = R::new(16);
    let nowhere = rig.nowhere();
    let error = directory::read(&*rig.foreign(), nowhere[0], pages(1)).unwrap_err();
    assert!(matches!(error, ReadError::Root(_)), "{error}");

    // A root whose table is no page of ours.
    let root = grant(&rig, 1, Access::ReadOnly);
    rig.write(&root, 0, nowhere[0].0);
    let reference = R::references(&root)[0];
    let error = directory::read(&*rig.foreign(), reference, pages(1)).unwrap_err();
    assert!(matches!(error, ReadError::Tables(_)), "{error}");

    let error = directory::read(&*rig.foreign(), reference, pages(directory::MAX_PAGES + 1));
    assert!(matches!(error.unwrap_err(), ReadError::TooLarge { .. }));
    assert_eq!(rig.foreign().mapped_pages(), 0);
    end(&rig, root);
}

macro_rules! list {
    ($($test:ident,)*) => {
        /// All of the contract, by name, for one back end.
        pub fn tests<R: Rig>() -> Vec<(&'static str, fn())> {
            vec![$((stringify!($test), $test::<R>),)*]
        }

        /// Makes a `#[test]` of each for a rig.
        #[cfg(test)]
        macro_rules! contract_tests {
            ($rig:ty) => {
                $(
                    #[test]
                    fn $test() {
                        $crate::grant::contract::run::<$rig>(stringify!($test));
                    }
                )*
            };
        }
    };
}

list!(
    mapped_pages_are_the_owners_pages,
    pages_appear_in_the_order_asked_for,
    pages_are_placed_more_than_once,
    writable_grant_can_be_written_by_the_mapper,
    read_only_grant_cannot_be_mapped_for_writing,
    stranger_is_refused,
    what_is_not_granted_is_refused_whole,
    grant_cannot_end_while_mapped,
    memory_dropped_while_mapped_is_kept_aside,
    pages_come_zeroed_every_time,
    exhaustion_is_an_error_that_says_so,
    dead_mapper_holds_nothing,
    directory_of_an_8k_frame_is_read_back,
    directory_that_points_nowhere_is_refused,
);

/// Runs the test of this name.
#[cfg(test)]
pub(crate) fn run<R: Rig>(name: &str) {
    let found = tests::<R>().into_iter().find(|(test, _)| *test == name);
    found.expect("listed").1();
}

#[cfg(test)]
pub(crate) use contract_tests;
