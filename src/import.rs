//! The display domain's half: an ID becomes pages that can be looked at.
//!
//! Everything in an [`Offer`] is checked before anything is allocated for it or mapped; then the
//! pages are mapped once, and stay mapped until the last [`Import`] of them is dropped. What the
//! exporter must be told then is what [`Importer::take_released`] returns.

use std::collections::{HashMap, VecDeque};
use std::os::fd::OwnedFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::domain::DomainId;
use crate::grant::directory::{self, ReadError};
use crate::grant::{
    Access, ForeignMemory, MapError, Mapping, PAGE_SIZE, PageCount, Placement, View,
};
use crate::id::{DEFAULT_POOL_LIMIT, HyperDmabufId};
use crate::offer::{DEFAULT_METADATA_LIMIT, Offer};

/// How many IDs that are not exported any more are remembered, for each domain: as many as an
/// exporter has, so that an import which lost a race is told from a guess.
const REMEMBERED: usize = DEFAULT_POOL_LIMIT as usize;

/// What one domain may have imported at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Buffers.
    pub buffers: u32,
    /// Pages of all buffers together.
    pub pages: u32,
    /// Pages of one buffer.
    pub pages_per_buffer: u32,
    /// Bytes of metadata of one buffer.
    pub metadata: u32,
}

impl Default for Limits {
    /// The seed's 1000 buffers and 192 bytes of metadata; 4 GiB in all; 256 MiB for one, which is
    /// an 8K frame of 8 bytes a pixel.
    fn default() -> Self {
        Limits {
            buffers: DEFAULT_POOL_LIMIT,
            pages: 1 << 20,
            pages_per_buffer: 1 << 16,
            metadata: DEFAULT_METADATA_LIMIT,
        }
    }
}

/// Why a buffer was not imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The ID has the eight bits of another domain.
    #[error("ID {id} is not one of domain {domain}")]
    ForeignDomain {
        /// The ID.
        id: HyperDmabufId,
        /// Who offered it.
        domain: DomainId,
    },
    /// The domain has a buffer of this ID that is exported, or not released.
    #[error("ID {0} is in use: wait for released before using it again")]
    Duplicate(HyperDmabufId),
    /// No buffer is known by this ID.
    #[error("there is no buffer {0}: its handle or its key is wrong")]
    Unknown(HyperDmabufId),
    /// There was one, but the exporter took it back.
    #[error("buffer {0} is not exported any more")]
    Unexported(HyperDmabufId),
    /// Pages, offset and length contradict each other.
    #[error(
        "{length} bytes from offset {offset} do not lie in {pages} pages: offset must be below \
         4096, length not 0, and pages just enough"
    )]
    Size {
        /// Pages offered.
        pages: u32,
        /// Bytes before the buffer.
        offset: u32,
        /// Bytes of it.
        length: u32,
    },
    /// One buffer is larger than is allowed.
    #[error("{pages} pages are more than the {limit} that one buffer may have")]
    TooManyPages {
        /// Pages offered.
        pages: u32,
        /// How many there may be.
        limit: u32,
    },
    /// There is too much metadata.
    #[error("{bytes} bytes of metadata are more than {limit}")]
    Metadata {
        /// Bytes offered.
        bytes: usize,
        /// How many there may be.
        limit: u32,
    },
    /// The domain has all the buffers or pages that it may have.
    #[error("domain {domain} may share {limit} {what} at a time: raise its limit or use fewer")]
    Limit {
        /// The domain.
        domain: DomainId,
        /// Which limit.
        what: &'static str,
        /// The limit.
        limit: u32,
    },
    /// The directory cannot be followed.
    #[error("{}", chain(.0))]
    Directory(#[source] ReadError),
    /// A page of the buffer cannot be mapped.
    #[error("the buffer cannot be mapped: {0}")]
    Map(#[source] MapError),
}

impl ImportError {
    /// Whether the exporter did what it must not, rather than asked for more than there is or lost
    /// a race.
    pub fn is_exporters_fault(&self) -> bool {
        match self {
            ImportError::ForeignDomain { .. }
            | ImportError::Duplicate(_)
            | ImportError::Unknown(_)
            | ImportError::Size { .. }
            | ImportError::TooManyPages { .. }
            | ImportError::Metadata { .. } => true,
            ImportError::Directory(ReadError::Root(cause) | ReadError::Tables(cause))
            | ImportError::Map(cause) => cause.is_peers_fault(),
            ImportError::Directory(ReadError::TooLarge { .. }) => true,
            ImportError::Unexported(_) | ImportError::Limit { .. } => false,
        }
    }
}

/// An error with its causes, in one line: it goes to another domain as a string.
fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}

/// The buffers that the display domain has imported, from every domain.
#[derive(Debug, Default)]
pub struct Importer {
    domains: HashMap<DomainId, Domain>,
    released: Arc<Mutex<Vec<Released>>>,
}

#[derive(Debug)]
struct Domain {
    limits: Limits,
    account: Arc<Mutex<Account>>,
    buffers: HashMap<HyperDmabufId, Entry>,
    /// IDs that were exported once, the latest last.
    past: VecDeque<HyperDmabufId>,
}

/// A buffer that is not released: exported, or unexported and still in use.
#[derive(Debug)]
struct Entry {
    buffer: Weak<Buffer>,
    exported: bool,
}

/// What a domain holds of the display domain's resources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Buffers that are mapped.
    pub buffers: u32,
    /// Their pages.
    pub pages: u32,
}

/// A buffer whose last user is gone and whose pages are unmapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Released {
    /// Who exported it.
    pub domain: DomainId,
    /// What it was known by.
    pub id: HyperDmabufId,
}

/// One use of an imported buffer. Clones are further uses; the last one to go unmaps it.
#[derive(Clone, Debug)]
pub struct Import {
    buffer: Arc<Buffer>,
}

#[derive(Debug)]
struct Buffer {
    offset: u32,
    length: u32,
    metadata: Mutex<Vec<u8>>,
    /// Where the pages are to be seen now.
    placements: AtomicUsize,
    // Dropped in this order: `released` must be true when it is said.
    mapping: Arc<dyn Mapping>,
    notice: Notice,
}

/// Says, when it is dropped, that a buffer is released.
#[derive(Debug)]
struct Notice {
    domain: DomainId,
    id: HyperDmabufId,
    pages: u32,
    account: Arc<Mutex<Account>>,
    released: Arc<Mutex<Vec<Released>>>,
}

/// An imported buffer's pages over a range of addresses, and the use of the buffer that this is.
#[derive(Debug)]
pub struct PlacedImport {
    // Dropped in this order: the pages are out of sight before the use ends.
    _placement: Placement,
    import: Import,
}

/// An imported buffer's pages, to be copied from, and the use of the buffer that this is.
#[derive(Debug)]
pub struct ImportView {
    // Dropped in this order, as above.
    view: View,
    import: Import,
}

impl Importer {
    /// An importer that knows no domain yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets `domain` export buffers within `limits`; for one that may already, sets new limits.
    pub fn allow(&mut self, domain: DomainId, limits: Limits) {
        self.domains.entry(domain).and_modify(|known| known.limits = limits).or_insert_with(|| {
            Domain {
                limits,
                account: Arc::default(),
                buffers: HashMap::new(),
                past: VecDeque::new(),
            }
        });
    }

    /// What `domain` may have.
    pub fn limits(&self, domain: DomainId) -> Limits {
        self.domains.get(&domain).map_or_else(Limits::default, |domain| domain.limits)
    }

    /// What `domain` has.
    pub fn account(&self, domain: DomainId) -> Account {
        self.domains.get(&domain).map_or_else(Account::default, |domain| *lock(&domain.account))
    }

    /// Imports what the owner of `memory` offers: checks, maps once.
    pub fn import(
        &mut self,
        memory: &dyn ForeignMemory,
        offer: Offer,
    ) -> Result<Import, ImportError> {
        let number = memory.domain();
        self.take_past_releases(number);
        let Offer { id, pages, root, offset, length, access, metadata } = offer;
        let Some(domain) = self.domains.get_mut(&number) else {
            return Err(ImportError::Limit { domain: number, what: "buffers", limit: 0 });
        };
        let limits = domain.limits;
        if !id.claims(number) {
            return Err(ImportError::ForeignDomain { id, domain: number });
        }
        if domain.buffers.contains_key(&id) {
            return Err(ImportError::Duplicate(id));
        }
        check_metadata(&metadata, limits)?;
        let count = check_size(pages, offset, length, limits)?;
        {
            let account = lock(&domain.account);
            let over = |what, limit| Err(ImportError::Limit { domain: number, what, limit });
            if account.buffers >= limits.buffers {
                return over("buffers", limits.buffers);
            }
            if pages > limits.pages.saturating_sub(account.pages) {
                return over("pages", limits.pages);
            }
        }

        let references = directory::read(memory, root, count).map_err(ImportError::Directory)?;
        let mapping = memory.map(&references, access).map_err(ImportError::Map)?;
        {
            let mut account = lock(&domain.account);
            account.buffers += 1;
            account.pages += pages;
        }
        let notice = Notice {
            domain: number,
            id,
            pages,
            account: Arc::clone(&domain.account),
            released: Arc::clone(&self.released),
        };
        let metadata = Mutex::new(metadata);
        let mapping = Arc::from(mapping);
        let placements = AtomicUsize::new(0);
        let buffer = Buffer { offset, length, metadata, placements, mapping, notice };
        let buffer = Arc::new(buffer);
        domain.past.retain(|past| *past != id);
        domain.buffers.insert(id, Entry { buffer: Arc::downgrade(&buffer), exported: true });
        Ok(Import { buffer })
    }

    /// One more use of a buffer of `domain` that is exported already.
    pub fn open(&self, domain: DomainId, id: HyperDmabufId) -> Result<Import, ImportError> {
        let Some(known) = self.domains.get(&domain) else {
            return Err(ImportError::Unknown(id));
        };
        match known.buffers.get(&id) {
            Some(Entry { buffer, exported: true }) => {
                let buffer = buffer.upgrade().ok_or(ImportError::Unexported(id))?;
                Ok(Import { buffer })
            }
            Some(_) => Err(ImportError::Unexported(id)),
            None if known.past.contains(&id) => Err(ImportError::Unexported(id)),
            None => Err(ImportError::Unknown(id)),
        }
    }

    /// The buffer cannot be opened any more; uses that have begun go on.
    pub fn unexport(&mut self, import: &Import) {
        let Some(domain) = self.domains.get_mut(&import.buffer.notice.domain) else { return };
        if let Some(entry) = domain.buffers.get_mut(&import.buffer.notice.id) {
            entry.exported = false;
        }
    }

    /// Replaces a buffer's metadata.
    pub fn set_metadata(&self, import: &Import, metadata: Vec<u8>) -> Result<(), ImportError> {
        check_metadata(&metadata, self.limits(import.buffer.notice.domain))?;
        *lock(&import.buffer.metadata) = metadata;
        Ok(())
    }

    /// The buffers that were released since the last call. Their exporters are to be told.
    pub fn take_released(&mut self) -> Vec<Released> {
        let released = std::mem::take(&mut *lock(&self.released));
        for Released { domain, id } in &released {
            self.forget(*domain, *id);
        }
        released
    }

    /// The buffers there are, in no order.
    pub fn imports(&self) -> impl Iterator<Item = Import> + '_ {
        let entries = self.domains.values().flat_map(|domain| domain.buffers.values());
        entries.filter_map(|entry| Some(Import { buffer: entry.buffer.upgrade()? }))
    }

    /// Whether a buffer can be opened by others.
    pub fn is_exported(&self, import: &Import) -> bool {
        let domain = self.domains.get(&import.buffer.notice.domain);
        let entry = domain.and_then(|domain| domain.buffers.get(&import.buffer.notice.id));
        entry.is_some_and(|entry| entry.exported)
    }

    /// A buffer may have been released and its ID be offered anew before `take_released` is called.
    fn take_past_releases(&mut self, domain: DomainId) {
        let past: Vec<HyperDmabufId> = {
            let released = lock(&self.released);
            let of_domain = released.iter().filter(|released| released.domain == domain);
            of_domain.map(|released| released.id).collect()
        };
        past.into_iter().for_each(|id| self.forget(domain, id));
    }

    fn forget(&mut self, domain: DomainId, id: HyperDmabufId) {
        let Some(domain) = self.domains.get_mut(&domain) else { return };
        // Not if the ID has been offered anew since.
        if domain.buffers.get(&id).is_some_and(|entry| entry.buffer.strong_count() == 0) {
            domain.buffers.remove(&id);
            if domain.past.len() == REMEMBERED {
                domain.past.pop_front();
            }
            domain.past.push_back(id);
        }
    }
}

impl Import {
    /// Who exported the buffer.
    pub fn domain(&self) -> DomainId {
        self.buffer.notice.domain
    }

    /// What it is known by.
    pub fn id(&self) -> HyperDmabufId {
        self.buffer.notice.id
    }

    /// Bytes before the buffer in its first page.
    pub fn offset(&self) -> u32 {
        self.buffer.offset
    }

    /// Bytes in the buffer.
    pub fn length(&self) -> u32 {
        self.buffer.length
    }

    /// The exporter's metadata now.
    pub fn metadata(&self) -> Vec<u8> {
        lock(&self.buffer.metadata).clone()
    }

    /// What may be done with the pages.
    pub fn access(&self) -> Access {
        self.buffer.mapping.access()
    }

    /// How many pages the buffer lies in.
    pub fn pages(&self) -> PageCount {
        self.buffer.mapping.pages()
    }

    /// Lays the pages over the addresses from `at`, where they stay until the result is dropped;
    /// then the addresses read as zeros.
    ///
    /// # Safety
    /// As for [`Placement::over`]: `at` is page-aligned, and the `pages().bytes()` bytes from there
    /// are a mapping that stays in place, and is nobody else's to replace, until the result is
    /// dropped. No reference points into them.
    pub unsafe fn place(self, at: NonNull<u8>) -> Result<PlacedImport, MapError> {
        // SAFETY: as the caller promises.
        let placement = unsafe { Placement::over(Arc::clone(&self.buffer.mapping), at)? };
        self.buffer.placements.fetch_add(1, Ordering::Relaxed);
        Ok(PlacedImport { _placement: placement, import: self })
    }

    /// The pages, to be copied from.
    ///
    /// # Errors
    /// There is no room for them in this process.
    pub fn view(self) -> Result<ImportView, MapError> {
        let view = View::new(Arc::clone(&self.buffer.mapping))?;
        self.buffer.placements.fetch_add(1, Ordering::Relaxed);
        Ok(ImportView { view, import: self })
    }

    /// In how many places of this process the pages are to be seen now.
    pub fn placements(&self) -> usize {
        self.buffer.placements.load(Ordering::Relaxed)
    }

    /// The buffer as a dma-buf, where the back end has one.
    pub fn dmabuf(&self) -> Option<OwnedFd> {
        self.buffer.mapping.dmabuf()
    }

    /// How many uses there are, this one included.
    pub fn users(&self) -> usize {
        Arc::strong_count(&self.buffer)
    }
}

impl PlacedImport {
    /// The buffer.
    pub fn import(&self) -> &Import {
        &self.import
    }
}

impl Drop for PlacedImport {
    fn drop(&mut self) {
        self.import.buffer.placements.fetch_sub(1, Ordering::Relaxed);
    }
}

impl ImportView {
    /// The buffer.
    pub fn import(&self) -> &Import {
        &self.import
    }

    /// Copies the bytes from `offset` on, as many as `target` holds; each is read once. False, and
    /// nothing copied, if the buffer has not so many.
    pub fn copy_to(&self, offset: usize, target: &mut [u8]) -> bool {
        let length = self.import.length() as usize;
        if offset.checked_add(target.len()).is_none_or(|end| end > length) {
            return false;
        }
        self.view.copy_to(offset + self.import.offset() as usize, target)
    }
}

impl Drop for ImportView {
    fn drop(&mut self) {
        self.import.buffer.placements.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Notice {
    fn drop(&mut self) {
        {
            let mut account = lock(&self.account);
            account.buffers -= 1;
            account.pages -= self.pages;
        }
        lock(&self.released).push(Released { domain: self.domain, id: self.id });
    }
}

fn check_metadata(metadata: &[u8], limits: Limits) -> Result<(), ImportError> {
    if metadata.len() > limits.metadata as usize {
        return Err(ImportError::Metadata { bytes: metadata.len(), limit: limits.metadata });
    }
    Ok(())
}

fn check_size(
    pages: u32,
    offset: u32,
    length: u32,
    limits: Limits,
) -> Result<PageCount, ImportError> {
    let contradiction = ImportError::Size { pages, offset, length };
    // Neither sum nor product can wrap in 64 bits.
    let end = u64::from(offset) + u64::from(length);
    if length == 0 || offset as usize >= PAGE_SIZE || end.div_ceil(PAGE_SIZE as u64) != pages.into()
    {
        return Err(contradiction);
    }
    if pages > limits.pages_per_buffer {
        return Err(ImportError::TooManyPages { pages, limit: limits.pages_per_buffer });
    }
    PageCount::new(pages).ok_or(contradiction)
}

/// What is behind these locks is consistent at every step, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::export::{Counts, Exporter};
    use crate::grant::{GrantPages, GrantRef, GrantedMemory};
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
            assert!(
                matches!(error, ImportError::Size { .. }),
                "{pages} {offset} {length}: {error}"
            );
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
}
