//! Programs that speak `hyper_dmabuf_v1` themselves, behind the proxy.
//!
//! Such a program has shareable memory of its own, which it attaches as it would at a compositor on
//! its own machine. Its references mean nothing in the display domain, so each of its exports becomes
//! one of the proxy's: of the same pages, under an ID of the proxy's, with nothing copied. Everything
//! after that is forwarded as it is.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::domain::DomainId;
use crate::grant::directory::{self, ReadError};
use crate::grant::{Access, ForeignMemory, GrantRef, MapError, Mapping, PageCount};
use crate::hypervisor::shm::{ForeignDomain, IntroductionError};
use crate::id::HyperDmabufId;

/// Pages of one buffer, as the display domain has it at most.
const MOST_PAGES: u32 = 1 << 16;

/// A program's own memory, and what it has exported.
#[derive(Debug, Default)]
pub(super) struct Natives {
    memory: Option<Memory>,
    /// By the IDs that the display domain knows them by.
    exports: HashMap<HyperDmabufId, Native>,
}

#[derive(Debug)]
struct Memory {
    file: OwnedFd,
    foreign: ForeignDomain,
}

/// An export of a program's own.
#[derive(Debug)]
struct Native {
    /// What the program calls it.
    theirs: HyperDmabufId,
    /// Marks the pages in use, so that the program cannot take them back while they are shown.
    _mapping: Box<dyn Mapping>,
}

/// Pages of a program's own memory that may be shown.
#[derive(Debug)]
pub(super) struct Pages {
    pub(super) first: u32,
    pub(super) mapping: Box<dyn Mapping>,
}

/// Why a program's export cannot be handed on.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotExported {
    #[error("attach_memory first: there is no memory that grant references refer to")]
    NoMemory,
    #[error("pages, offset and length do not fit each other, or are too many")]
    Size,
    #[error("the directory cannot be read: {0}")]
    Directory(#[from] ReadError),
    #[error("the pages cannot be mapped: {0}")]
    Map(#[from] MapError),
    #[error("the pages of a buffer have to lie together to be shown through the proxy")]
    Scattered,
}

impl Natives {
    /// The program attaches its memory: its grants are to `display`, as it was told.
    pub(super) fn attach(
        &mut self,
        file: OwnedFd,
        own: DomainId,
        display: DomainId,
    ) -> Result<(), IntroductionError> {
        let system = |cause| IntroductionError::System { what: "keep the memory", cause };
        let kept = rustix::io::fcntl_dupfd_cloexec(&file, 0).map_err(system)?;
        let foreign = ForeignDomain::introduce(file, own, display)?;
        self.memory = Some(Memory { file: kept, foreign });
        Ok(())
    }

    /// The pages that an export names, in use from now on.
    pub(super) fn pages(&self, root: u32, pages: u32, bytes: u64) -> Result<Pages, NotExported> {
        let memory = self.memory.as_ref().ok_or(NotExported::NoMemory)?;
        let count = PageCount::new(pages).filter(|_| pages <= MOST_PAGES);
        let count = count.ok_or(NotExported::Size)?;
        if bytes.div_ceil(crate::grant::PAGE_SIZE as u64) != u64::from(pages) {
            return Err(NotExported::Size);
        }
        let references = directory::read(&memory.foreign, GrantRef(root), count)?;
        let first = references.first().map_or(0, |first| first.0);
        let together = (first..).zip(&references).all(|(page, reference)| page == reference.0);
        if !together {
            return Err(NotExported::Scattered);
        }
        let mapping = memory.foreign.map(&references, Access::ReadOnly)?;
        Ok(Pages { first, mapping })
    }

    /// The program's memory, to grant pages of.
    pub(super) fn file(&self) -> Option<BorrowedFd<'_>> {
        self.memory.as_ref().map(|memory| memory.file.as_fd())
    }

    pub(super) fn exported(&mut self, id: HyperDmabufId, theirs: HyperDmabufId, pages: Pages) {
        self.exports.insert(id, Native { theirs, _mapping: pages.mapping });
    }

    /// What the display domain calls an export of the program's.
    pub(super) fn find(&self, theirs: HyperDmabufId) -> Option<HyperDmabufId> {
        self.exports.iter().find(|(_, native)| native.theirs == theirs).map(|(id, _)| *id)
    }

    /// The display domain let go: the program may have its pages back.
    pub(super) fn released(&mut self, id: &HyperDmabufId) -> bool {
        self.exports.remove(id).is_some()
    }

    /// The program is gone. The exports that it leaves.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = HyperDmabufId> {
        self.exports.drain().map(|(id, _)| id)
    }
}
