//! What the limits of Xen and its drivers look like from the display domain.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, anyhow, ensure};
use hyper_dmabuf::domain::DomainId;
use hyper_dmabuf::grant::contract::{Peer, Rig};
use hyper_dmabuf::grant::{Access, PAGE_SIZE, PageCount, View, directory};
use hyper_dmabuf::hypervisor::xen::gntdev::{MOST_PAGES, MapRequest, Mapped};

use crate::contract::Owned;

/// A buffer of more pages than one request to gntdev may have.
pub(crate) fn map() -> anyhow::Result<ExitCode> {
    let rig = Owned::new(0);
    let count = PageCount::new(MOST_PAGES as u32 + 10).context("some pages")?;
    let memory = rig.grant(Peer::Mapper, count, Access::ReadOnly);
    let memory = memory.map_err(|error| anyhow!("the owner does not grant: {error:?}"))?;
    // At both sides of the seam, and at the ends.
    let looked_at = [0, MOST_PAGES - 1, MOST_PAGES, MOST_PAGES + 9];
    for page in looked_at {
        rig.write(&memory, page, page as u32 + 1);
    }
    let list = rig.directory(&memory);
    let root = *Owned::references(&list).first().context("a directory has a root")?;
    let foreign = rig.foreign();
    let references = directory::read(&*foreign, root, count)?;
    ensure!(references == Owned::references(&memory), "the directory says something else");
    let view = View::new(Arc::from(foreign.map(&references, Access::ReadOnly)?))?;
    for page in looked_at {
        let word = view.word(page * PAGE_SIZE / size_of::<u32>());
        ensure!(word == Some(page as u32 + 1), "page {page} reads {word:?}");
    }
    drop(view);
    ensure!(foreign.mapped_pages() == 0, "something stays mapped");
    println!("{count} pages are mapped, in the right order");
    Ok(ExitCode::SUCCESS)
}

/// Pages that are mapped again and again: Xen counts up to 255 mappings of a page (`GNTPIN_hstr_mask` and
/// its like), and its table of mappings has many times 255 entries.
const FILLING: u32 = 4096;

/// Maps until about `left` more mappings fit, says so, and waits to be killed.
pub(crate) fn fill(guest: DomainId, left: usize) -> anyhow::Result<ExitCode> {
    let rig = Owned::new(0);
    let count = PageCount::new(FILLING).context("some pages")?;
    let pages = rig.grant(Peer::Mapper, count, Access::ReadOnly);
    let pages = pages.map_err(|error| anyhow!("the owner does not grant: {error:?}"))?;
    let mut references = Owned::references(&pages).to_vec();
    let mut held: Vec<Mapped> = Vec::new();
    let mut mapped = 0;
    while !references.is_empty() {
        match MapRequest::new(guest, &references).map(|request| request.map(Access::ReadOnly)) {
            Ok(Ok(more)) => {
                held.push(more);
                mapped += references.len();
            }
            _ => references.truncate(references.len() / 2),
        }
    }
    // Dropped last to first, so that what is left is about as much as was asked for.
    let mut free = 0;
    while free < left {
        let Some(last) = held.pop() else { break };
        free += last.bytes() / PAGE_SIZE;
    }
    println!("full: {mapped} mappings, {free} are left");
    loop {
        std::thread::park();
    }
}
