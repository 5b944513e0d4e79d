//! What any back end must do, written once: `contract_tests!(Rig)` makes the tests of one.

use std::sync::Arc;

use super::directory::{self, Directory, ReadError};
use super::{
    Access, ForeignMemory, GrantError, GrantPages, GrantRef, GrantedMemory, MapError, Mapping,
    PAGE_SIZE, PageCount, StillMapped, View,
};
use crate::domain::DomainId;

/// Two domains and a stranger, on one back end.
pub(crate) trait Rig: Sized {
    type Grants: GrantPages;

    /// The granting domain has room for `pages` pages at least.
    fn new(pages: u32) -> Self;
    fn grants(&self) -> &Self::Grants;
    /// The number of the domain that maps.
    fn mapper(&self) -> DomainId;
    /// The granting domain's memory as the mapper reaches it.
    fn foreign(&self) -> Arc<dyn ForeignMemory>;
    /// The same memory as a third domain reaches it.
    fn foreign_to_stranger(&self) -> Arc<dyn ForeignMemory>;
    /// References that name no page that could ever be granted.
    fn nowhere(&self) -> Vec<GrantRef>;
}

type Memory<R> = <<R as Rig>::Grants as GrantPages>::Memory;

fn pages(count: u32) -> PageCount {
    PageCount::new(count).unwrap()
}

fn grant<R: Rig>(rig: &R, count: u32, access: Access) -> Memory<R> {
    rig.grants().grant(pages(count), rig.mapper(), access).unwrap()
}

/// Writes a word at the start of page `page`.
fn write<M: GrantedMemory>(memory: &M, page: usize, word: u32) {
    assert!(page < memory.references().len());
    // SAFETY: inside the memory, page-aligned; volatile, since the other side may look.
    unsafe { memory.bytes().cast::<u8>().add(page * PAGE_SIZE).cast::<u32>().write_volatile(word) };
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

pub(crate) fn mapped_pages_are_the_owners_pages<R: Rig>() {
    let rig = R::new(16);
    let memory = grant(&rig, 3, Access::ReadOnly);
    write(&memory, 0, 10);
    write(&memory, 2, 30);
    let view = view(rig.foreign().map(memory.references(), Access::ReadOnly).unwrap());
    assert_eq!(first_words(&view), [10, 0, 30]);
    write(&memory, 1, 20);
    assert_eq!(first_words(&view), [10, 20, 30], "the same pages, not a copy");
    assert_eq!(view.word(view.words()), None);
}

pub(crate) fn pages_appear_in_the_order_asked_for<R: Rig>() {
    let rig = R::new(16);
    let memory = grant(&rig, 4, Access::ReadOnly);
    (0..4).for_each(|page| write(&memory, page, page as u32));
    let [a, b, c, d] = *memory.references() else { panic!("four references") };
    let order = [d, b, c, a, d];
    let view = view(rig.foreign().map(&order, Access::ReadOnly).unwrap());
    assert_eq!(first_words(&view), [3, 1, 2, 0, 3]);
}

pub(crate) fn writable_grant_can_be_written_by_the_mapper<R: Rig>() {
    let rig = R::new(16);
    let memory = grant(&rig, 1, Access::ReadWrite);
    let mapping = rig.foreign().map(memory.references(), Access::ReadWrite).unwrap();
    assert_eq!(mapping.access(), Access::ReadWrite);
    let view = view(mapping);
    let address = view.placement_address();
    // SAFETY: the view's own first word, mapped for writing.
    unsafe { address.cast::<u32>().write_volatile(77) };
    // SAFETY: the memory's first word.
    assert_eq!(unsafe { memory.bytes().cast::<u32>().read_volatile() }, 77);
}

pub(crate) fn read_only_grant_cannot_be_mapped_for_writing<R: Rig>() {
    let rig = R::new(16);
    let memory = grant(&rig, 2, Access::ReadOnly);
    let error = rig.foreign().map(memory.references(), Access::ReadWrite).unwrap_err();
    assert!(matches!(error, MapError::ReadOnly { page: 0, .. }), "{error}");
    assert_eq!(rig.foreign().mapped_pages(), 0);
    memory.end().unwrap();
}

pub(crate) fn stranger_is_refused<R: Rig>() {
    let rig = R::new(16);
    let memory = grant(&rig, 1, Access::ReadOnly);
    let error = rig.foreign_to_stranger().map(memory.references(), Access::ReadOnly).unwrap_err();
    assert!(matches!(error, MapError::NotGranted { .. }), "{error}");
}

pub(crate) fn what_is_not_granted_is_refused_whole<R: Rig>() {
    let rig = R::new(16);
    let memory = grant(&rig, 2, Access::ReadOnly);
    let ended = grant(&rig, 1, Access::ReadOnly);
    let ended_reference = ended.references()[0];
    ended.end().unwrap();
    let mut bad = rig.nowhere();
    bad.push(ended_reference);
    for reference in bad {
        let references = [memory.references()[0], memory.references()[1], reference];
        let error = rig.foreign().map(&references, Access::ReadOnly).unwrap_err();
        assert!(error.is_peers_fault(), "{error}");
        assert!(error.to_string().contains("page 2"), "says which page: {error}");
        assert_eq!(rig.foreign().mapped_pages(), 0, "nothing stays mapped");
    }
    let nothing = rig.foreign().map(&[], Access::ReadOnly).unwrap_err();
    assert!(matches!(nothing, MapError::Empty));
    memory.end().unwrap();
}

pub(crate) fn grant_cannot_end_while_mapped<R: Rig>() {
    let rig = R::new(16);
    let memory = grant(&rig, 2, Access::ReadOnly);
    let first = rig.foreign().map(memory.references(), Access::ReadOnly).unwrap();
    let second = rig.foreign().map(&memory.references()[1..], Access::ReadOnly).unwrap();
    assert_eq!(rig.foreign().mapped_pages(), 3);
    let StillMapped(memory) = memory.end().unwrap_err();
    drop(first);
    let StillMapped(memory) = memory.end().unwrap_err();
    drop(second);
    assert_eq!(rig.foreign().mapped_pages(), 0);
    memory.end().unwrap();
}

pub(crate) fn memory_dropped_while_mapped_is_kept_aside<R: Rig>() {
    let rig = R::new(8);
    let memory = grant(&rig, 4, Access::ReadOnly);
    write(&memory, 3, 4711);
    let references = memory.references().to_vec();
    let mapping = rig.foreign().map(&references[3..], Access::ReadOnly).unwrap();
    let view = view(mapping);
    drop(memory);
    assert_eq!(rig.grants().reclaim(), 4, "kept aside while one page of it is mapped");
    let other = grant(&rig, 4, Access::ReadOnly);
    write(&other, 0, 1);
    assert!(other.references().iter().all(|reference| !references.contains(reference)));
    assert_eq!(first_words(&view), [4711], "nobody else got the page");
    drop(view);
    assert_eq!(rig.grants().reclaim(), 0);
    other.end().unwrap();
    grant(&rig, 8, Access::ReadOnly).end().unwrap();
}

pub(crate) fn pages_come_zeroed_every_time<R: Rig>() {
    let rig = R::new(4);
    let memory = grant(&rig, 4, Access::ReadWrite);
    (0..4).for_each(|page| write(&memory, page, 1));
    memory.end().unwrap();
    let memory = grant(&rig, 4, Access::ReadOnly);
    let view = view(rig.foreign().map(memory.references(), Access::ReadOnly).unwrap());
    assert_eq!(first_words(&view), [0; 4]);
}

pub(crate) fn exhaustion_is_an_error_that_says_so<R: Rig>() {
    let rig = R::new(4);
    let error = rig.grants().grant(pages(1 << 30), rig.mapper(), Access::ReadOnly).unwrap_err();
    assert!(matches!(error, GrantError::OutOfMemory { .. }), "{error}");
    grant(&rig, 1, Access::ReadOnly).end().unwrap();
}

pub(crate) fn dead_mapper_holds_nothing<R: Rig>() {
    let rig = R::new(4);
    let memory = grant(&rig, 1, Access::ReadOnly);
    // A process that is killed runs no destructor.
    std::mem::forget(rig.foreign().map(memory.references(), Access::ReadOnly).unwrap());
    rig.grants().peer_gone(rig.mapper());
    memory.end().unwrap();
}

pub(crate) fn directory_of_an_8k_frame_is_read_back<R: Rig>() {
    let count = PageCount::for_bytes(7680 * 4320 * 4).unwrap();
    assert_eq!(count.get(), 32_400);
    let rig = R::new(count.get() + 64);
    let memory = rig.grants().grant(count, rig.mapper(), Access::ReadOnly).unwrap();
    write(&memory, 32_399, 8);
    let directory = Directory::build(rig.grants(), memory.references(), rig.mapper()).unwrap();
    let read = directory::read(&*rig.foreign(), directory.root(), count).unwrap();
    assert_eq!(read, memory.references());
    assert_eq!(rig.foreign().mapped_pages(), 0, "the directory is not mapped any more");
    let view = view(rig.foreign().map(&read, Access::ReadOnly).unwrap());
    assert_eq!(first_words(&view).last(), Some(&8));
    drop(view);
    directory.into_memory().end().unwrap();
    memory.end().unwrap();
}

pub(crate) fn directory_that_points_nowhere_is_refused<R: Rig>() {
    let rig = R::new(16);
    let nowhere = rig.nowhere();
    let error = directory::read(&*rig.foreign(), nowhere[0], pages(1)).unwrap_err();
    assert!(matches!(error, ReadError::Root(_)), "{error}");

    // A root whose table is no page of ours.
    let root = grant(&rig, 1, Access::ReadOnly);
    write(&root, 0, nowhere[0].0);
    let error = directory::read(&*rig.foreign(), root.references()[0], pages(1)).unwrap_err();
    assert!(matches!(error, ReadError::Tables(_)), "{error}");

    let error =
        directory::read(&*rig.foreign(), root.references()[0], pages(directory::MAX_PAGES + 1));
    assert!(matches!(error.unwrap_err(), ReadError::TooLarge { .. }));
    assert_eq!(rig.foreign().mapped_pages(), 0);
    root.end().unwrap();
}

/// The tests of one back end.
macro_rules! contract_tests {
    ($rig:ty) => {
        contract_tests!(@each $rig:
            mapped_pages_are_the_owners_pages,
            pages_appear_in_the_order_asked_for,
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
    };
    (@each $rig:ty: $($test:ident,)*) => {
        $(
            #[test]
            fn $test() {
                $crate::grant::contract::$test::<$rig>();
            }
        )*
    };
}
pub(crate) use contract_tests;
