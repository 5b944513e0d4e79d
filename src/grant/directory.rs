//! The directory of references: how one grant reference stands for a whole buffer.
//!
//! ```text
//! root page ── 1024 references ──▶ table pages ── 1024 references each ──▶ data pages
//! ```
//!
//! The layout is the seed driver's (`xen_shm.c`, "level 3" to "level 2" to data): references are
//! 32-bit words in the machine's byte order, packed; words past the last one needed mean nothing.
//! It reaches 1024 × 1024 pages, 4 GiB. The seed lost its way above about 40 MiB, because it passed
//! a number of pages where the kernel wanted an order; here an 8K frame (132 MB) is a test.

use std::sync::Arc;

use super::{
    Access, ForeignMemory, GrantError, GrantPages, GrantRef, GrantedMemory, MapError, Mapping,
    PAGE_SIZE, PageCount, View,
};
use crate::domain::DomainId;

/// References in one page.
pub const REFERENCES_PER_PAGE: usize = PAGE_SIZE / size_of::<u32>();

/// The most data pages that one directory reaches.
pub const MAX_PAGES: u32 = (REFERENCES_PER_PAGE * REFERENCES_PER_PAGE) as u32;

/// The granted pages of a directory: the root first, then the tables.
#[derive(Debug)]
pub struct Directory<M> {
    memory: M,
}

/// Why a directory could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// More data pages than a directory reaches.
    #[error("{pages} pages are more than the {MAX_PAGES} (4 GiB) that one buffer can have")]
    TooLarge {
        /// How many were to be listed.
        pages: usize,
    },
    /// There is nothing to list.
    #[error("a buffer has at least one page")]
    Empty,
    /// The directory's own pages could not be granted.
    #[error("cannot grant the pages of the directory")]
    Grant(#[from] GrantError),
}

impl<M: GrantedMemory> Directory<M> {
    /// Writes the directory of `references` into fresh pages, granted to domain `to` read-only.
    pub fn build<G>(grants: &G, references: &[GrantRef], to: DomainId) -> Result<Self, BuildError>
    where
        G: GrantPages<Memory = M>,
    {
        let tables = references.len().div_ceil(REFERENCES_PER_PAGE);
        if tables > REFERENCES_PER_PAGE {
            return Err(BuildError::TooLarge { pages: references.len() });
        }
        // At most 1025, so it fits.
        let pages = match PageCount::new(tables as u32 + 1) {
            Some(pages) if tables > 0 => pages,
            _ => return Err(BuildError::Empty),
        };
        let memory = grants.grant(pages, to, Access::ReadOnly)?;
        let (_root, table_references) = memory.references().split_at(1);
        let words = memory.bytes().cast::<u32>();
        let write = |index: usize, reference: &GrantRef| {
            // SAFETY: below (1 + tables) × 1024 words, the memory's length; page-aligned, so
            // aligned. The peer may read it already, hence no reference and a volatile write.
            unsafe { words.add(index).write_volatile(reference.0) };
        };
        for (index, reference) in table_references.iter().enumerate() {
            write(index, reference);
        }
        for (index, reference) in references.iter().enumerate() {
            write(REFERENCES_PER_PAGE + index, reference);
        }
        Ok(Directory { memory })
    }

    /// The reference of the root page: it stands for the buffer.
    pub fn root(&self) -> GrantRef {
        self.memory.references()[0] // `build` asked for at least two pages.
    }

    /// The pages, to end their grants.
    pub fn into_memory(self) -> M {
        self.memory
    }
}

/// Why a foreign domain's directory could not be followed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The root page could not be mapped.
    #[error("the directory's root page cannot be mapped")]
    Root(#[source] MapError),
    /// A page of references could not be mapped.
    #[error("the directory's pages of references cannot be mapped")]
    Tables(#[source] MapError),
    /// More pages than a directory reaches.
    #[error("{pages} pages are more than the {MAX_PAGES} that one directory reaches")]
    TooLarge {
        /// How many were announced.
        pages: u32,
    },
}

/// Reads the references of `pages` data pages from the directory at `root`. Each word is read once
/// and copied; what the other domain writes there later changes nothing. The directory is not
/// mapped any more when this returns.
pub fn read(
    memory: &dyn ForeignMemory,
    root: GrantRef,
    pages: PageCount,
) -> Result<Vec<GrantRef>, ReadError> {
    if pages.get() > MAX_PAGES {
        return Err(ReadError::TooLarge { pages: pages.get() });
    }
    let pages = pages.get() as usize;
    let tables = read_words(memory, &[root], pages.div_ceil(REFERENCES_PER_PAGE))
        .map_err(ReadError::Root)?;
    read_words(memory, &tables, pages).map_err(ReadError::Tables)
}

/// The first `count` words of the pages behind `references`, as references.
fn read_words(
    memory: &dyn ForeignMemory,
    references: &[GrantRef],
    count: usize,
) -> Result<Vec<GrantRef>, MapError> {
    let mapping: Arc<dyn Mapping> = Arc::from(memory.map(references, Access::ReadOnly)?);
    let view = View::new(mapping)?;
    Ok((0..count).map_while(|index| view.word(index).map(GrantRef)).collect())
}
