//! Which references of another domain stand for pages of files, as the display domain was told.
//! Nothing in it is believed: the file must be one that can never shrink, the size is the kernel's.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Weak};

use rustix::fs::SealFlags;

use super::introduction::{self, FilePages, Received};
use crate::grant::PAGE_SIZE;

/// Files of one domain that are mapped or wait to be: as many as a domain has buffers. One more is
/// not looked at.
const MOST_FILES: usize = 1024;

/// Messages that are handled at one time. A domain that sends faster than that is up to no good.
const MOST_MESSAGES: usize = 4096;

/// The files of one domain.
#[derive(Debug, Default)]
pub(super) struct Files {
    socket: Option<OwnedFd>,
    /// By their first reference; they do not overlap.
    ranges: BTreeMap<u32, Range>,
}

#[derive(Debug)]
struct Range {
    said: FilePages,
    file: Held,
}

/// A file is held until it is mapped, and then by those who map it.
#[derive(Debug)]
enum Held {
    Waiting(Arc<OwnedFd>),
    Mapped(Weak<OwnedFd>),
}

/// What a run of references stands for.
#[derive(Debug)]
pub(super) enum Meaning {
    /// Pages of the domain's own memory; for so many references from the one asked for.
    Memory { references: u32 },
    /// Pages of a file, from this one on.
    File { file: Arc<OwnedFd>, page: u32, references: u32 },
    /// Of a file that was let go of.
    Gone,
}

impl Files {
    /// Told of by this socket.
    pub(super) fn told_by(socket: OwnedFd) -> Files {
        Files { socket: Some(socket), ranges: BTreeMap::new() }
    }

    /// Handles what has been said. `references` is the number of references that the domain has.
    pub(super) fn listen(&mut self, references: u32) {
        let Some(socket) = self.socket.take() else { return };
        for _ in 0..MOST_MESSAGES {
            match introduction::receive(socket.as_fd()) {
                Received::Nothing => break,
                Received::Nonsense => tracing::warn!("a domain introduced a file that is none"),
                Received::Pages(said, file) => {
                    if let Err(why) = self.insert(said, file, references) {
                        tracing::warn!(?said, "refused a file: {why}");
                    }
                }
            }
        }
        self.socket = Some(socket);
    }

    fn insert(
        &mut self,
        said: FilePages,
        file: OwnedFd,
        references: u32,
    ) -> Result<(), &'static str> {
        let end = said.reference.checked_add(said.pages).filter(|end| *end <= references);
        let Some(end) = end.filter(|_| said.pages > 0) else {
            return Err("its references are none of the domain's");
        };
        check(&file, said)?;
        // References are used again: what they stood for is over.
        self.ranges.retain(|first, range| {
            let gone = matches!(&range.file, Held::Mapped(file) if file.strong_count() == 0);
            let apart = *first >= end || first + range.said.pages <= said.reference;
            apart && !gone
        });
        if self.ranges.len() >= MOST_FILES {
            return Err("there are too many");
        }
        let file = Held::Waiting(Arc::new(file));
        self.ranges.insert(said.reference, Range { said, file });
        Ok(())
    }

    /// What the references from `reference` on stand for.
    pub(super) fn meaning(&mut self, reference: u32) -> Meaning {
        let known = self.ranges.range_mut(..=reference).next_back();
        if let Some((first, range)) = known
            && reference - first < range.said.pages
        {
            let file = match &range.file {
                Held::Waiting(file) => Some(Arc::clone(file)),
                Held::Mapped(file) => file.upgrade(),
            };
            let Some(file) = file else { return Meaning::Gone };
            range.file = Held::Mapped(Arc::downgrade(&file));
            let from = reference - first;
            // Checked not to overflow when it was introduced.
            let (page, references) = (range.said.page + from, range.said.pages - from);
            return Meaning::File { file, page, references };
        }
        let next = self.ranges.range(reference..).next();
        Meaning::Memory { references: next.map_or(u32::MAX, |(first, _)| first - reference) }
    }
}

/// Whether these pages of the file are there, and always will be.
fn check(file: &OwnedFd, said: FilePages) -> Result<(), &'static str> {
    let seals = rustix::fs::fcntl_get_seals(file).map_err(|_| "it is no memfd")?;
    if !seals.contains(SealFlags::SHRINK) {
        return Err("it is not sealed against shrinking (F_SEAL_SHRINK)");
    }
    let stat = rustix::fs::fstat(file).map_err(|_| "it has no size")?;
    if stat.st_blksize != PAGE_SIZE as i64 {
        return Err("its pages are not of 4 KiB");
    }
    let last = said.page.checked_add(said.pages - 1).ok_or("it has no such pages")?;
    // The last page may be there in part: the rest of it reads as zeros.
    if u64::from(last) * PAGE_SIZE as u64 >= stat.st_size as u64 {
        return Err("it ends before its pages do");
    }
    Ok(())
}
