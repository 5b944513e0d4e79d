//! The importer against an exporter, over shared memory.

use std::os::fd::AsFd;

use super::*;
use crate::export::{Counts, Exporter};
use crate::grant::directory::ReadError;
use crate::grant::{Access, GrantPages, GrantRef, GrantedMemory, MapError};
use crate::hypervisor::shm::{DomainMemory, ForeignDomain};
use crate::id::IdPool;

const GUEST: DomainId = DomainId::new(3).unwrap();

struct Rig {
    exporter: Exporter<DomainMemory>,
    memory: DomainMemory,
    foreign: ForeignDomain,
    importer: Importer,
}

fn rig(limits: Limits) -> Rig {
    let memory = DomainMemory::new(PageCount::new(4096).unwrap()).unwrap();
    let file = memory.as_fd().try_clone_to_owned().unwrap();
    let foreign = ForeignDomain::introduce(file, GUEST, DomainId::DISPLAY).unwrap();
    let exporter = Exporter::new(memory.clone(), IdPool::new(GUEST), DomainId::DISPLAY, 192);
    let mut importer = Importer::new();
    importer.allow(GUEST, limits);
    Rig { exporter, memory, foreign, importer }
}

impl Rig {
    fn offer(&mut self) -> Offer {
        self.exporter.export(10_000, Access::ReadOnly, b"meta".to_vec()).unwrap()
    }

    fn import(&mut self, offer: &Offer) -> Result<Import, ImportError> {
        self.importer.import(&self.foreign, offer.clone())
    }

    fn refuse(&mut self, offer: &Offer) -> ImportError {
        let before = self.importer.account(GUEST);
        let error = self.import(offer).unwrap_err();
        assert_eq!(self.importer.account(GUEST), before, "nothing stays behind");
        error
    }
}

#[test]
fn buffer_lives_until_its_last_user_is_gone() {
    let mut rig = rig(Limits::default());
    let offer = rig.offer();
    let first = rig.import(&offer).unwrap();
    assert_eq!((first.length(), first.metadata()), (10_000, b"meta".to_vec()));
    assert_eq!(rig.importer.account(GUEST), Account { buffers: 1, pages: 3 });
    let second = rig.importer.open(GUEST, offer.id).unwrap();
    assert_eq!(second.users(), 2);
    assert_eq!(rig.foreign.mapped_pages(), 3, "mapped once");

    rig.importer.unexport(&first);
    drop(first);
    assert!(matches!(
        rig.importer.open(GUEST, offer.id),
        Err(ImportError::Unexported(id)) if id == offer.id
    ));
    assert!(matches!(rig.refuse(&offer), ImportError::Duplicate(_)), "not released yet");
    assert_eq!(rig.importer.take_released(), []);

    drop(second);
    assert_eq!(rig.foreign.mapped_pages(), 0);
    let released = Released { domain: GUEST, id: offer.id };
    assert_eq!(rig.importer.take_released(), [released]);
    assert_eq!(rig.importer.take_released(), [], "said once");
    assert_eq!(rig.importer.account(GUEST), Account::default());
    assert!(matches!(rig.importer.open(GUEST, offer.id), Err(ImportError::Unexported(_))));
    rig.exporter.released(&offer.id).unwrap();
    assert_eq!(rig.exporter.counts(), Counts::default());
    assert_eq!(rig.memory.granted_pages(), 0);
}

#[test]
fn id_can_be_offered_anew_before_the_release_was_read() {
    let mut rig = rig(Limits::default());
    let offer = rig.offer();
    drop(rig.import(&offer).unwrap());
    let again = rig.import(&offer).unwrap();
    assert_eq!(rig.importer.take_released().len(), 1);
    assert!(rig.importer.open(GUEST, offer.id).is_ok(), "the new one is not forgotten");
    drop(again);
}

#[test]
fn nonsense_is_refused_before_anything_is_mapped() {
    let mut rig = rig(Limits { pages_per_buffer: 100, ..Limits::default() });
    let good = rig.offer();

    let [_, a, b, c] = good.id.to_words();
    let id = HyperDmabufId::from_words([0x0400_0000, a, b, c]);
    let error = rig.refuse(&Offer { id, ..good.clone() });
    assert!(matches!(error, ImportError::ForeignDomain { .. }), "{error}");

    for (pages, offset, length) in [
        (3, 4096, 1),
        (3, 0, 0),
        (0, 0, 0),
        (0, 0, 1),
        (3, 0, 3 * 4096 + 1),
        (4, 0, 3 * 4096),
        (3, 4095, 2 * 4096 + 2),
        (3, 0, u32::MAX),
        (u32::MAX, 0, u32::MAX),
        (1 << 31, 0, 1 << 31),
        (u32::MAX, u32::MAX, u32::MAX),
    ] {
        let error = rig.refuse(&Offer { pages, offset, length, ..good.clone() });
        assert!(matches!(error, ImportError::Size { .. }), "{pages} {offset} {length}: {error}");
    }
    let large = Offer { pages: 1 << 20, length: u32::MAX, ..good.clone() };
    assert!(matches!(rig.refuse(&large), ImportError::TooManyPages { limit: 100, .. }));

    let wordy = Offer { metadata: vec![0; 193], ..good.clone() };
    assert!(matches!(rig.refuse(&wordy), ImportError::Metadata { bytes: 193, limit: 192 }));

    let rootless = Offer { root: GrantRef(u32::MAX), ..good.clone() };
    let error = rig.refuse(&rootless);
    assert!(matches!(error, ImportError::Directory(ReadError::Root(_))), "{error}");
    assert!(error.to_string().contains("4294967295"), "the cause is told: {error}");

    // A table that names a page which is not granted: one page more than the buffer has.
    let longer = Offer { pages: 4, length: 4 * 4096, ..good.clone() };
    let error = rig.refuse(&longer);
    assert!(matches!(error, ImportError::Map(_)), "{error}");

    let greedy = Offer { access: Access::ReadWrite, ..good.clone() };
    assert!(matches!(rig.refuse(&greedy), ImportError::Map(MapError::ReadOnly { .. })));

    assert_eq!(rig.foreign.mapped_pages(), 0);
    let import = rig.import(&good).unwrap();
    assert!(matches!(rig.refuse(&good), ImportError::Duplicate(_)));
    let wordy = rig.importer.set_metadata(&import, vec![0; 193]).unwrap_err();
    assert!(matches!(wordy, ImportError::Metadata { .. }));
}

#[test]
fn forged_key_finds_nothing() {
    let mut rig = rig(Limits::default());
    let offer = rig.offer();
    let _import = rig.import(&offer).unwrap();
    let [handle, a, b, c] = offer.id.to_words();
    for words in [[handle, a ^ 1, b, c], [handle, a, b ^ 1, c], [handle, a, b, c ^ 1]] {
        let error = rig.importer.open(GUEST, HyperDmabufId::from_words(words)).unwrap_err();
        assert!(matches!(error, ImportError::Unknown(_)), "{error}");
    }
    let other = DomainId::new(4).unwrap();
    rig.importer.allow(other, Limits::default());
    let error = rig.importer.open(other, offer.id).unwrap_err();
    assert!(matches!(error, ImportError::Unknown(_)), "another domain: {error}");
}

#[test]
fn domain_over_its_limits_waits_until_it_has_given_back() {
    let mut rig = rig(Limits { buffers: 2, pages: 7, ..Limits::default() });
    let offers: Vec<Offer> = (0..3).map(|_| rig.offer()).collect();
    let first = rig.import(&offers[0]).unwrap();
    let _second = rig.import(&offers[1]).unwrap();
    let error = rig.refuse(&offers[2]);
    assert!(matches!(error, ImportError::Limit { what: "buffers", limit: 2, .. }), "{error}");
    rig.importer.allow(GUEST, Limits { pages: 7, ..Limits::default() });
    let error = rig.refuse(&offers[2]);
    assert!(matches!(error, ImportError::Limit { what: "pages", limit: 7, .. }), "{error}");
    drop(first);
    let _third = rig.import(&offers[2]).unwrap();
}

#[test]
fn domain_that_was_not_allowed_imports_nothing() {
    let mut rig = rig(Limits::default());
    rig.importer = Importer::new();
    let offer = rig.offer();
    assert!(matches!(rig.refuse(&offer), ImportError::Limit { limit: 0, .. }));
    assert!(rig.memory.grant(PageCount::new(1).unwrap(), GUEST, Access::ReadOnly).is_ok());
}

#[test]
fn domain_255_above_aliases_nobody() {
    let mut rig = rig(Limits::default());
    let alias = DomainId::new(GUEST.number() + 256).unwrap();
    rig.importer.allow(alias, Limits::default());
    let offer = rig.offer();
    let _import = rig.import(&offer).unwrap();
    let error = rig.importer.open(alias, offer.id).unwrap_err();
    assert!(matches!(error, ImportError::Unknown(_)), "{error}");
}

#[test]
fn pages_are_out_of_sight_before_the_release_is_said() {
    let mut rig = rig(Limits::default());
    let offer = rig.offer();
    let pixels = rig.exporter.memory(&offer.id).unwrap().bytes();
    // SAFETY: the first byte of memory that nobody else in this process looks at.
    unsafe { pixels.cast::<u8>().write_volatile(42) };
    let import = rig.import(&offer).unwrap();
    let bytes = import.pages().bytes();
    // SAFETY: a new mapping, as a compositor's pool is one.
    let pool = unsafe {
        let (flags, none) = (rustix::mm::MapFlags::PRIVATE, std::ptr::null_mut());
        rustix::mm::mmap_anonymous(none, bytes, rustix::mm::ProtFlags::READ, flags).unwrap()
    };
    let pool = std::ptr::NonNull::new(pool.cast::<u8>()).unwrap();
    // SAFETY: the pool's first byte.
    let seen = || unsafe { pool.read_volatile() };
    // SAFETY: the pool stays in place until the end of the test.
    let placed = unsafe { import.place(pool).unwrap() };
    assert_eq!((seen(), placed.import().placements()), (42, 1));
    drop(placed);
    assert_eq!(rig.importer.take_released().len(), 1);
    assert_eq!(seen(), 0, "the pool is still there, the guest's page is not");
    // SAFETY: nothing refers to the pool any more.
    unsafe { rustix::mm::munmap(pool.as_ptr().cast(), bytes).unwrap() };
}

#[test]
fn memory_reads_what_the_exporter_wrote() {
    let mut rig = rig(Limits::default());
    let offer = rig.offer();
    let pixels = rig.exporter.memory(&offer.id).unwrap().bytes();
    // SAFETY: the first byte of memory that nobody else in this process looks at.
    unsafe { pixels.cast::<u8>().write_volatile(42) };
    let import = rig.import(&offer).unwrap();
    assert_eq!(import.placements(), 0);
    let view = import.clone().view().unwrap();
    assert_eq!(import.placements(), 1);
    let mut copy = [7; 11];
    assert!(view.copy_to(0, &mut copy));
    assert_eq!(copy, [42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert!(view.copy_to(9_989, &mut copy));
    assert!(!view.copy_to(9_990, &mut copy), "past the end of the buffer, if not of its page");
    assert!(!view.copy_to(usize::MAX, &mut copy));
    drop(view);
    assert_eq!(import.placements(), 0);
}
