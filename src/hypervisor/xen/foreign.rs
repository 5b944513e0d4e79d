//! Another domain's memory, mapped through gntdev.
//!
//! gntdev looks at a grant only when it is mapped, and says of a whole request that something in it
//! was refused. So [`ForeignDomain::map`] maps the pages at once, at addresses that nobody uses: a
//! *hold*, by which refusals are found early and the owner cannot take the pages back. Placing them
//! is a second request (in a paravirtual domain one cannot be mapped twice, and moving a mapping
//! would end it), made while the first still holds them; then the hold goes, since each mapping
//! costs the hypervisor an entry of its table.
//!
//! gntdev calls it the same, `EINVAL`, if that table of ours is full. So before an owner is blamed,
//! as many mappings are tried of a page that is certainly granted: one of our own.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::Errno;
use rustix::mm::{self, MapFlags, ProtFlags};

use super::gntalloc::Allocation;
use super::gntdev::{MOST_PAGES, MapRequest, Mapped};
use crate::domain::DomainId;
use crate::grant::{Access, ForeignMemory, GrantRef, MapError, Mapping, PAGE_SIZE, PageCount};

/// The memory of one other domain.
#[derive(Clone, Debug)]
pub struct ForeignDomain {
    domain: DomainId,
    us: DomainId,
    mapped: Arc<AtomicUsize>,
}

impl ForeignDomain {
    /// The memory of `domain`, whom the hypervisor knows by this number, for this domain, `us`.
    pub fn new(domain: DomainId, us: DomainId) -> ForeignDomain {
        ForeignDomain { domain, us, mapped: Arc::default() }
    }

    /// Why the hypervisor refuses these pages.
    fn explain(&self, references: &[GrantRef], access: Access, cause: Errno) -> MapError {
        let explained = explain(self.domain, references, access, cause);
        if explained.is_peers_fault() && !has_room(self.us, references.len()) {
            return MapError::System { what: FULL, cause: Errno::NOSPC };
        }
        explained
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
            .map_err(|cause| self.explain(references, access, cause))?;
        self.mapped.fetch_add(references.len(), Ordering::Relaxed);
        Ok(Box::new(MappedPages {
            foreign: self.clone(),
            references: references.into(),
            pages,
            access,
            hold: Mutex::new(Some(hold)),
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

/// What cannot be done where this domain's table of mappings is full.
pub(super) const FULL: &str = "map more pages of other domains, because this domain's table of mappings is full: \
     raise gnttab_max_maptrack_frames on Xen's command line, or max_maptrack_frames in the xl.cfg of \
     this domain (each of its frames is for 256 pages, or 128 if the domain is paravirtual), or show less";

/// Whether so many more pages can be mapped, as far as it can be found out. Only asked when a mapping
/// failed, since it costs as much as one.
pub(super) fn has_room(us: DomainId, pages: usize) -> bool {
    let Some(own) = PageCount::new(1)
        .and_then(|one| Allocation::new(us, one, Access::ReadOnly).ok()?.map().ok())
    else {
        // Without xen-gntalloc in this domain there is no telling.
        return true;
    };
    let copies: Vec<GrantRef> = own.references().iter().copied().cycle().take(pages).collect();
    let tried = hold(us, &copies, Access::ReadOnly);
    !matches!(tried, Err(Errno::INVAL))
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
    foreign: ForeignDomain,
    references: Box<[GrantRef]>,
    pages: PageCount,
    access: Access,
    /// Until the pages are placed.
    hold: Mutex<Option<Hold>>,
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
            None => hold(self.foreign.domain, &self.references, self.access)
                .map_err(|cause| self.foreign.explain(&self.references, self.access, cause))?,
        };
        let mut offset = 0;
        for piece in self.references.chunks(MOST_PAGES) {
            // SAFETY: the pieces add up to `pages`, a range that the caller lets us replace.
            let placed = MapRequest::new(self.foreign.domain, piece)
                .map_err(|error| error.cause())
                .and_then(|request| unsafe { request.map_at(at.add(offset), self.access) });
            if let Err(cause) = placed {
                // SAFETY: as above.
                unsafe { fill(at.add(offset), piece.len() * PAGE_SIZE) };
                return Err(match has_room(self.foreign.us, piece.len()) {
                    true => MapError::System { what: "place a domain's pages", cause },
                    false => MapError::System { what: FULL, cause: Errno::NOSPC },
                });
            }
            offset += piece.len() * PAGE_SIZE;
        }
        drop(held);
        Ok(())
    }
}

impl Drop for MappedPages {
    fn drop(&mut self) {
        self.foreign.mapped.fetch_sub(self.references.len(), Ordering::Relaxed);
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
