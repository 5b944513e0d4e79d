//! Where a hyper_dmabuf ID is born and where it dies.
//!
//! An ID stands for one exported buffer. Its 32-bit handle has the layout of the seed driver
//! (`HYPER_DMABUF_ID_CREATE`, hyper_dmabuf_id.h): the exporter's domain in the top byte, a number
//! below. The handle is reused, so 96 random bits, drawn afresh each time, tell one life of a
//! handle from the next and keep other domains from guessing it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::DomainId;

/// How many IDs one exporter has at a time unless it is told otherwise
/// (`HYPER_DMABUF_ID_MAX`, hyper_dmabuf_id.h).
pub const DEFAULT_POOL_LIMIT: u32 = 1000;

/// Bits of the handle that number the buffer; the domain's low byte stands above them.
const INDEX_BITS: u32 = 24;

/// One exported buffer, for as long as it is exported.
///
/// All 128 bits are the identity. Every value is legal: "no buffer" is `Option::None`, never a number.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HyperDmabufId {
    handle: u32,
    key: [u32; 3],
}

impl HyperDmabufId {
    /// The ID with these four words, as they come out of a message: the handle, then the key.
    pub const fn from_words(words: [u32; 4]) -> Self {
        let [handle, a, b, c] = words;
        HyperDmabufId { handle, key: [a, b, c] }
    }

    /// The four words to put in a message: the handle, then the key. The key is a secret between
    /// the exporter and the display domain; do not log it.
    pub const fn to_words(self) -> [u32; 4] {
        [self.handle, self.key[0], self.key[1], self.key[2]]
    }

    /// The handle without the key: what may be shown to people.
    pub const fn handle(self) -> u32 {
        self.handle
    }

    /// The low eight bits of the exporting domain's number, as the exporter wrote them.
    pub const fn domain_byte(self) -> u8 {
        (self.handle >> INDEX_BITS) as u8
    }

    /// The number of the buffer in its exporter's pool, below 2^24.
    pub const fn index(self) -> u32 {
        self.handle & ((1 << INDEX_BITS) - 1)
    }

    /// Whether `domain` may have exported this ID, as far as its eight bits tell.
    pub const fn claims(self, domain: DomainId) -> bool {
        self.domain_byte() == domain.number() as u8
    }
}

impl fmt::Display for HyperDmabufId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.handle)
    }
}

impl fmt::Debug for HyperDmabufId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HyperDmabufId({self})")
    }
}

/// Why no ID could be had.
#[derive(Debug, thiserror::Error)]
pub enum AllocateError {
    /// Every ID of the pool stands for a buffer.
    #[error(
        "all {limit} hyper_dmabuf IDs of domain {domain} are in use; \
         destroy surfaces, or raise the exporter's limit"
    )]
    Exhausted {
        /// The exporter's domain.
        domain: DomainId,
        /// The pool's bound.
        limit: u32,
    },
    /// The kernel gave no random bytes for the key.
    #[error("the kernel gave no random bytes for a hyper_dmabuf key")]
    Random(#[from] rustix::io::Errno),
}

/// The IDs of one exporter: at most a fixed number at a time, the last one freed reused first.
#[derive(Debug)]
pub struct IdPool {
    domain: DomainId,
    limit: u32,
    numbers: Arc<Mutex<Numbers>>,
}

#[derive(Debug, Default)]
struct Numbers {
    /// Numbers below this have been handed out at least once.
    fresh: u32,
    /// Those of them that came back, the latest on top.
    free: Vec<u32>,
}

impl IdPool {
    /// A pool of [`DEFAULT_POOL_LIMIT`] IDs for buffers of `domain`.
    pub fn new(domain: DomainId) -> Self {
        Self::with_limit(domain, DEFAULT_POOL_LIMIT)
    }

    /// A pool of at most `limit` IDs, itself bounded by the 24 bits that a handle has for them.
    pub fn with_limit(domain: DomainId, limit: u32) -> Self {
        IdPool { domain, limit: limit.min(1 << INDEX_BITS), numbers: Arc::default() }
    }

    /// Takes an ID out of the pool, with a fresh key.
    pub fn allocate(&self) -> Result<AllocatedId, AllocateError> {
        // Drawn first, so that a failure takes no number.
        let key = random_key()?;
        let mut numbers = lock(&self.numbers);
        let index = match numbers.free.pop() {
            Some(index) => index,
            None if numbers.fresh < self.limit => {
                numbers.fresh += 1;
                numbers.fresh - 1
            }
            None => {
                return Err(AllocateError::Exhausted { domain: self.domain, limit: self.limit });
            }
        };
        let handle = u32::from(self.domain.number() as u8) << INDEX_BITS | index;
        Ok(AllocatedId { id: HyperDmabufId { handle, key }, numbers: Arc::clone(&self.numbers) })
    }

    /// How many IDs are out.
    pub fn in_use(&self) -> usize {
        let numbers = lock(&self.numbers);
        numbers.fresh as usize - numbers.free.len()
    }

    /// How many IDs may be out at a time.
    pub fn limit(&self) -> u32 {
        self.limit
    }
}

/// An ID that is out of its pool. It goes back when this value goes, so exactly once:
///
/// ```compile_fail,E0382
/// # use hyper_dmabuf::{domain::DomainId, id::IdPool};
/// let pool = IdPool::new(DomainId::DISPLAY);
/// let id = pool.allocate().unwrap();
/// id.release();
/// id.release();
/// ```
#[derive(Debug)]
#[must_use = "the ID goes back to the pool at once when this is dropped"]
pub struct AllocatedId {
    id: HyperDmabufId,
    numbers: Arc<Mutex<Numbers>>,
}

impl AllocatedId {
    /// The ID.
    pub fn id(&self) -> HyperDmabufId {
        self.id
    }

    /// Gives the ID back: its number is the next to be handed out, under another key.
    pub fn release(self) {}
}

impl Drop for AllocatedId {
    fn drop(&mut self) {
        lock(&self.numbers).free.push(self.id.index());
    }
}

/// The numbers stay consistent at every step, so a panic elsewhere does not spoil them.
fn lock(numbers: &Mutex<Numbers>) -> MutexGuard<'_, Numbers> {
    numbers.lock().unwrap_or_else(PoisonError::into_inner)
}

fn random_key() -> Result<[u32; 3], rustix::io::Errno> {
    let mut bytes = [0; 12];
    // getrandom(2) never returns less than was asked for up to 256 bytes.
    rustix::io::retry_on_intr(|| {
        rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
    })?;
    let [a, b, c, d, e, f, g, h, i, j, k, l] = bytes;
    Ok([[a, b, c, d], [e, f, g, h], [i, j, k, l]].map(u32::from_ne_bytes))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn domain(number: u16) -> DomainId {
        DomainId::new(number).unwrap()
    }

    #[test]
    fn handle_has_the_seeds_layout() {
        let pool = IdPool::new(domain(0x1ab));
        let first = pool.allocate().unwrap();
        let second = pool.allocate().unwrap();
        assert_eq!(first.id().handle(), 0xab00_0000);
        assert_eq!(second.id().handle(), 0xab00_0001);
        assert_eq!(second.id().index(), 1);
        assert!(second.id().claims(domain(0x1ab)));
        assert!(!second.id().claims(domain(0x1ac)));
    }

    #[test]
    fn key_is_never_printed() {
        let id = HyperDmabufId::from_words([0x0100_0003, 0xdead_beef, 0x1234_5678, 0x0bad_cafe]);
        assert_eq!(id.to_string(), "0x01000003");
        assert_eq!(format!("{id:?}"), "HyperDmabufId(0x01000003)");
    }

    #[test]
    fn exhaustion_is_an_error_that_says_so() {
        let pool = IdPool::with_limit(domain(1), 2);
        let _held = (pool.allocate().unwrap(), pool.allocate().unwrap());
        let error = pool.allocate().unwrap_err();
        assert!(matches!(error, AllocateError::Exhausted { limit: 2, .. }), "{error}");
    }

    #[derive(Clone, Debug)]
    enum Operation {
        Allocate,
        /// Releases the n-th of the IDs that are out, counted modulo their number.
        Release(usize),
    }

    fn operations() -> impl Strategy<Value = Vec<Operation>> {
        let operation = prop_oneof![
            3 => Just(Operation::Allocate),
            2 => any::<usize>().prop_map(Operation::Release),
        ];
        prop::collection::vec(operation, 0..200)
    }

    proptest! {
        #[test]
        fn pool_keeps_its_promises(limit in 0u32..20, operations in operations()) {
            let pool = IdPool::with_limit(domain(7), limit);
            let mut out: Vec<AllocatedId> = Vec::new();
            let mut last_released = None;
            let mut seen = HashSet::new();
            for operation in operations {
                match operation {
                    Operation::Allocate => match pool.allocate() {
                        Ok(id) => {
                            if let Some(index) = last_released.take() {
                                prop_assert_eq!(id.id().index(), index, "the last freed goes first");
                            }
                            prop_assert!(seen.insert(id.id()), "a key came twice");
                            out.push(id);
                        }
                        Err(AllocateError::Exhausted { .. }) => {
                            prop_assert_eq!(out.len(), limit as usize);
                        }
                        Err(error) => return Err(TestCaseError::fail(error.to_string())),
                    },
                    Operation::Release(_) if out.is_empty() => {}
                    Operation::Release(n) => {
                        let id = out.swap_remove(n % out.len());
                        last_released = Some(id.id().index());
                        id.release();
                    }
                }
                let numbers: HashSet<u32> = out.iter().map(|id| id.id().index()).collect();
                prop_assert_eq!(numbers.len(), out.len(), "two live buffers share a number");
                prop_assert!(numbers.iter().all(|&n| n < limit));
                prop_assert_eq!(pool.in_use(), out.len());
            }
        }
    }
}
