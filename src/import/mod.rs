//! The display domain's half: an ID becomes pages that can be looked at.
//!
//! Everything in an [`Offer`] is checked before anything is allocated for it or mapped; then the
//! pages are mapped once, and stay mapped until the last [`Import`] of them is dropped. What the
//! exporter must be told then is what [`Importer::take_released`] returns.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::domain::DomainId;
use crate::grant::{ForeignMemory, PAGE_SIZE, PageCount, directory};
use crate::id::{DEFAULT_POOL_LIMIT, HyperDmabufId};
use crate::offer::{DEFAULT_METADATA_LIMIT, Offer};

mod buffer;
mod error;
#[cfg(test)]
mod tests;

use buffer::{Buffer, Notice};
pub use buffer::{Import, ImportView, PlacedImport};
pub use error::ImportError;

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
