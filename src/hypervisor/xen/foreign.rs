//! Another domain's memory, mapped through gntdev.
//!
//! gntdev looks at a grant only when it is mapped, and says of a whole request that something in it
//! was refused. So [`ForeignDomain::map`] maps the pages at once, at addresses that nobody uses: a
//! *hold*, by which refusals are found early and the owner cannot take the pages back. Placing them
//! is a second request (in a paravirtual domain one cannot be mapped twice, and moving a mapping
//! would end it), made while the first still holds them; then the hold goes, since each mapping
//! costs the hypervisor an entry of its table.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::Errno;
use rustix::mm::{self, MapFlags, ProtFlags};

use super::gntdev::{MOST_PAGES, MapRequest, Mapped};
use crate::domain::DomainId;
use crate::grant::{Access, ForeignMemory, GrantRef, MapError, Mapping, PAGE_SIZE, PageCount};

/// The memory of one other domain.
#[derive(Clone, Debug)]
pub struct ForeignDomain {
    domain: DomainId,
    mapped: Arc<AtomicUsize>,
}

impl ForeignDomain {
    /// The memory of `domain`, whom the hypervisor knows by this number.
    pub fn new(domain: DomainId) -> ForeignDomain {
        ForeignDomain { domain, mapped: Arc::default() }
    }
}

impl ForeignMemory for ForeignDomain {
    fn domain(&self) -> DomainId {
        self.domain
    }

    fn map(&self, references: &[GrantRef], access: Access) -> Result<Box<dyn Mapping>, MapError> {
        let pages = u32::try_from(references.len()).ok().and_then(PageCount::new);
        let pages = pages.ok_or(MapError::Empty)?;
        let hold = hold(self.domain, references, access)
            .map_err(|cause| explain(self.domain, references, access, cause))?;
        self.mapped.fetch_add(references.len(), Ordering::Relaxed);
        Ok(Box::new(MappedPages {
            domain: self.domain,
            references: references.into(),
            pages,
            access,
            hold: Mutex::new(Some(hold)),
            mapped: Arc::clone(&self.mapped),
        }))
    }

    fn mapped_pages(&self) -> usize {
        self.mapped.load(Ordering::Relaxed)
    }
}

/// Pages mapped where nobody looks, one piece for each request.
type Hold = Vec<Mapped>;

fn hold(domain: DomainId, references: &[GrantRef], access: Access) -> Result<Hold, Errno> {
    let pieces = references.chunks(MOST_PAGES);
    pieces
        .map(|piece| {
            let request = MapRequest::new(domain, piece).map_err(|error| error.cause())?;
            request.map(access)
        })
        .collect()
}

/// Which page was refused, and why, as far as it can be found out.
fn explain(domain: DomainId, references: &[GrantRef], access: Access, cause: Errno) -> MapError {
    let system = MapError::System { what: "map a domain's pages through /dev/xen/gntdev", cause };
    // Anything else is about this domain's own resources.
    if cause != Errno::INVAL {
        return system;
    }
    let refused = |references: &[GrantRef], access| {
        matches!(hold(domain, references, access), Err(Errno::INVAL))
    };
    // Halved until one is left: each step maps half as much as the one before.
    let (mut first, mut suspects) = (0, references);
    while suspects.len() > 1 {
        let (left, right) = suspects.split_at(suspects.len() / 2);
        if refused(left, access) {
            suspects = left;
        } else {
            (first, suspects) = (first + left.len(), right);
        }
    }
    let &[reference] = suspects else { return system };
    let page = first;
    if !refused(suspects, access) {
        // What was refused a moment ago no longer is.
        return MapError::Contended { page, reference, domain };
    }
    if access == Access::ReadWrite && !refused(suspects, Access::ReadOnly) {
        return MapError::ReadOnly { page, reference, domain };
    }
    MapError::NotGranted { page, reference, domain }
}

#[derive(Debug)]
struct MappedPages {
    domain: DomainId,
    references: Box<[GrantRef]>,
    pages: PageCount,
    access: Access,
    /// Until the pages are placed.
    hold: Mutex<Option<Hold>>,
    mapped: Arc<AtomicUsize>,
}

impl Mapping for MappedPages {
    fn pages(&self) -> PageCount {
        self.pages
    }

    fn access(&self) -> Access {
        self.access
    }

    unsafe fn place(&self, at: NonNull<u8>) -> Result<(), MapError> {
        let held = self.hold.lock().unwrap_or_else(PoisonError::into_inner).take();
        let held = match held {
            Some(held) => held,
            // Placed once more. What the owner took back meanwhile must not fail below, where it
            // would leave a hole among addresses that somebody looks at.
            None => hold(self.domain, &self.references, self.access)
                .map_err(|cause| explain(self.domain, &self.references, self.access, cause))?,
        };
        let mut offset = 0;
        for piece in self.references.chunks(MOST_PAGES) {
            // SAFETY: the pieces add up to `pages`, a range that the caller lets us replace.
            let placed = MapRequest::new(self.domain, piece)
                .map_err(|error| error.cause())
                .and_then(|request| unsafe { request.map_at(at.add(offset), self.access) });
            if let Err(cause) = placed {
                // SAFETY: as above.
                unsafe { fill(at.add(offset), piece.len() * PAGE_SIZE) };
                return Err(MapError::System { what: "place a domain's pages", cause });
            }
            offset += piece.len() * PAGE_SIZE;
        }
        drop(held);
        Ok(())
    }
}

impl Drop for MappedPages {
    fn drop(&mut self) {
        self.mapped.fetch_sub(self.references.len(), Ordering::Relaxed);
    }
}

/// Puts blank pages where a mapping that failed may have left a hole: another thread must not be
/// given these addresses.
///
/// # Safety
/// The `bytes` bytes from `at` are a mapping, or were until just now, that may be replaced.
unsafe fn fill(at: NonNull<u8>, bytes: usize) {
    let flags = MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE;
    // SAFETY: as the caller promises. If it fails too, whoever looks there faults.
    let filled = unsafe {
        mm::mmap_anonymous(at.as_ptr().cast(), bytes, ProtFlags::READ | ProtFlags::WRITE, flags)
    };
    if let Err(cause) = filled {
        tracing::error!(%cause, "cannot put blank pages in place of foreign ones");
    }
}
