//! What it takes to import a buffer, next to the two system calls that any importer must make.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use hyper_dmabuf::domain::DomainId;
use hyper_dmabuf::grant::contract::{Peer, Rig};
use hyper_dmabuf::grant::{Access, PageCount};
use hyper_dmabuf::hypervisor::xen::gntdev::MapRequest;
use hyper_dmabuf::id::IdPool;
use hyper_dmabuf::import::{Importer, Limits};
use hyper_dmabuf::offer::Offer;

use crate::contract::Owned;

const FRAMES: [(&str, u32, u32); 3] =
    [("1080p", 1920, 1080), ("4K", 3840, 2160), ("8K", 7680, 4320)];

/// Of so many measurements the middle one counts.
const ROUNDS: usize = 5;

/// In the display domain, with a connected owner.
pub(crate) fn run(guest: DomainId) -> anyhow::Result<ExitCode> {
    let rig = Owned::new(0);
    let ids = IdPool::new(guest);
    for (name, width, height) in FRAMES {
        let length = width * height * 4;
        let pages = PageCount::for_bytes(length as usize).context("a frame has pages")?;
        let memory = rig.grant(Peer::Mapper, pages, Access::ReadWrite);
        let memory = memory.map_err(|error| anyhow!("the owner does not grant: {error:?}"))?;
        let directory = rig.directory(&memory);
        let root = *Owned::references(&directory).first().context("a directory has a root")?;
        let (mut bare, mut import, mut shown) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            // All begin without the address of any page mapped, so by turns.
            let begun = Instant::now();
            let mapped =
                MapRequest::new(guest, Owned::references(&memory))?.map(Access::ReadWrite)?;
            bare.push(begun.elapsed());
            drop(mapped);

            let id = ids.allocate()?;
            let (metadata, access) = (Vec::new(), Access::ReadWrite);
            let pages = pages.get();
            let offer = Offer { id: id.id(), pages, root, offset: 0, length, access, metadata };
            let mut importer = Importer::new();
            importer.allow(guest, Limits::default());
            let begun = Instant::now();
            let imported = importer.import(&*rig.foreign(), offer)?;
            import.push(begun.elapsed());
            let view = imported.view()?;
            shown.push(begun.elapsed());
            drop(view);
        }
        let (bare, import, shown) = (middle(bare), middle(import), middle(shown));
        let ratio = |time: Duration| time.as_secs_f64() / bare.as_secs_f64();
        println!(
            "import of {name} ({pages} pages): {:.2} of the bare ioctl and mmap ({:.1} ms), {:.2} with \
             the pages placed",
            ratio(import),
            bare.as_secs_f64() * 1e3,
            ratio(shown),
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
