//! A guest that offers what no honest guest does. The display domain must refuse each, say so, and
//! go on as if nothing had happened.

use std::process::ExitCode;

use anyhow::Context;
use hyper_dmabuf::domain::DomainId;
use hyper_dmabuf::grant::{Access, PageCount};
use hyper_dmabuf::hypervisor::xen::evtchn::EventChannel;
use hyper_dmabuf::hypervisor::xen::gntalloc::{Allocated, Allocation};
use hyper_dmabuf::hypervisor::xen::xenstore::{Incoming, StorePath, Xenstore};

/// Where offers to domain 0 are; see `hypervisor/xen/rendezvous.rs`.
const OFFERS: &str = "data/hyper-dmabuf/0";

struct Hostile {
    store: Xenstore,
    own: DomainId,
    /// Everything stays granted: what is refused must not depend on who is quicker.
    kept: Vec<(Allocated, EventChannel)>,
}

pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let mut store = Xenstore::open()?;
    let own = store.own_domain()?;
    let mut hostile = Hostile { store, own, kept: Vec::new() };

    // Nodes that make no sense.
    hostile.publish("words", "ring", "port")?;
    hostile.publish("negative", "-1", "-1")?;
    hostile.publish("long", &"9".repeat(1000), "1")?;
    hostile.publish(&"n".repeat(200), "1", "1")?;
    hostile.publish("empty", "", "")?;
    // Numbers of nothing; then of the console's page, which the toolstack granted to itself.
    hostile.publish("nothing", "1000000", "1000000")?;
    hostile.publish("console", "0", "1")?;

    // Pages that are no vchan: all zeros, impossible orders, rings over the list of their pages,
    // references of nothing.
    hostile.offer("zeros", |_| ())?;
    hostile.offer("orders", |page| header(page, u16::MAX, u16::MAX))?;
    hostile.offer("overlap", |page| header(page, 10, 10))?;
    hostile.offer("list", |page| header(page, 20, 10))?;
    hostile.offer("references", |page| {
        header(page, 15, 15);
        (24..4096).step_by(4).for_each(|at| word(page, at, u32::MAX));
    })?;
    // A good page at first sight, with indices out of range: more was written than fits; more was
    // read than was written.
    hostile.offer("produced", |page| {
        header(page, 10, 11);
        word(page, 12, u32::MAX / 2);
    })?;
    hostile.offer("consumed", |page| {
        header(page, 10, 11);
        word(page, 0, 77);
    })?;
    // A vchan with something else than a link on it.
    hostile.offer("noise", |page| {
        header(page, 10, 11);
        (2048..4096).step_by(4).for_each(|at| word(page, at, 0x6666_6666));
        word(page, 12, 2048);
    })?;
    // Far more than anybody needs.
    for number in 0..80 {
        hostile.publish(&format!("many-{number}"), "7777777", "1")?;
    }
    println!("hostile: everything is offered");

    // The display domain says when it has looked at all of that.
    let done = StorePath::of_domain(own).join("data/hyper-dmabuf-lab-kill")?;
    hostile.store.watch(&done, "")?;
    while hostile.store.read(&done).is_err() {
        while !matches!(hostile.store.next_incoming(), Some(Incoming::Event(_))) {
            hostile.store.wait()?;
            hostile.store.dispatch()?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Hostile {
    fn publish(&mut self, name: &str, ring: &str, port: &str) -> anyhow::Result<()> {
        let node = StorePath::of_domain(self.own).join(&format!("{OFFERS}/{name}"))?;
        let nodes = [("ring-ref", ring.to_owned()), ("event-channel", port.to_owned())];
        Ok(self.store.publish(&node, self.own, DomainId::DISPLAY, &nodes)?)
    }

    /// Offers a real page and a real port.
    fn offer(&mut self, name: &str, spoil: impl Fn(&Allocated)) -> anyhow::Result<()> {
        let one = PageCount::new(1).context("one page")?;
        let page = Allocation::new(DomainId::DISPLAY, one, Access::ReadWrite)?.map()?;
        let channel = EventChannel::offer(DomainId::DISPLAY)?;
        spoil(&page);
        let ring = page.references().first().context("a reference")?.to_string();
        self.publish(name, &ring, &channel.port().to_string())?;
        self.kept.push((page, channel));
        Ok(())
    }
}

/// Orders of the rings, a client that is awaited and a server that is alive.
fn header(page: &Allocated, left: u16, right: u16) {
    word(page, 16, u32::from(left) | u32::from(right) << 16);
    word(page, 20, 2 | 1 << 8 | 1 << 16);
}

fn word(page: &Allocated, at: usize, value: u32) {
    assert!(at + 4 <= page.bytes().len());
    // SAFETY: inside the page, aligned; volatile, since the other domain may look.
    unsafe { page.bytes().cast::<u8>().add(at).cast::<u32>().write_volatile(value) };
}
