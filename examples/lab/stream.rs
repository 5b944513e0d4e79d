//! Lines of text over a vchan, between the two halves of a test.

use std::io;

use anyhow::{Context, bail};
use hyper_dmabuf::domain::DomainId;
use hyper_dmabuf::hypervisor::xen::vchan::{Offer, Vchan};
use hyper_dmabuf::hypervisor::xen::xenstore::{Incoming, StorePath, Xenstore};
use hyper_dmabuf::link::Transport;
use rustix::event::{PollFd, PollFlags, poll};

/// Where a guest offers its vchan, below its own node.
const NODE: &str = "data/hyper-dmabuf-lab";

/// The domain that this program is in.
pub(crate) fn own_domain() -> anyhow::Result<DomainId> {
    Ok(Xenstore::open()?.own_domain()?)
}

pub(crate) struct Lines {
    vchan: Vchan,
    received: Vec<u8>,
}

impl Lines {
    /// In a guest.
    pub(crate) fn offer(peer: DomainId) -> anyhow::Result<Lines> {
        let mut store = Xenstore::open()?;
        let own = store.own_domain()?;
        let (vchan, offer) = Vchan::offer(peer)?;
        let nodes =
            [("ring-ref", offer.ring.to_string()), ("event-channel", offer.port.to_string())];
        store.publish(&StorePath::of_domain(own).join(NODE)?, own, peer, &nodes)?;
        Ok(Lines { vchan, received: Vec::new() })
    }

    /// In the display domain, as soon as the guest offers.
    pub(crate) fn connect(guest: DomainId) -> anyhow::Result<Lines> {
        let mut store = Xenstore::open()?;
        let base = StorePath::of_domain(guest).join(NODE)?;
        store.watch(&base, "")?;
        let number = |store: &mut Xenstore, name: &str| -> anyhow::Result<u32> {
            Ok(String::from_utf8(store.read(&base.join(name)?)?)?.parse()?)
        };
        loop {
            while !matches!(store.next_incoming(), Some(Incoming::Event(_))) {
                store.wait()?;
                store.dispatch()?;
            }
            // The first of them may be there before the second one is.
            let nodes = (number(&mut store, "ring-ref"), number(&mut store, "event-channel"));
            if let (Ok(ring), Ok(port)) = nodes {
                let ring = hyper_dmabuf::grant::GrantRef(ring);
                let vchan = Vchan::connect(guest, Offer { ring, port })?;
                // A guest may not, in the display domain.
                let _ = store.remove(&base);
                return Ok(Lines { vchan, received: Vec::new() });
            }
        }
    }

    fn wait(&mut self) -> anyhow::Result<()> {
        poll(&mut [PollFd::new(&self.vchan, PollFlags::IN)], None)?;
        Ok(self.vchan.acknowledge()?)
    }

    pub(crate) fn send(&mut self, line: &str) -> anyhow::Result<()> {
        let line = format!("{line}\n");
        let mut rest = line.as_bytes();
        while !rest.is_empty() {
            match self.vchan.write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait()?,
                Err(error) => return Err(error).context("cannot write to the other half"),
            }
        }
        Ok(())
    }

    /// The next line, or `None` when the other half has ended.
    pub(crate) fn receive(&mut self) -> anyhow::Result<Option<String>> {
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                return Ok(Some(String::from_utf8(line)?.trim_end().to_owned()));
            }
            let mut buffer = [0; 65536];
            match self.vchan.read(&mut buffer) {
                Ok(0) if self.received.is_empty() => return Ok(None),
                Ok(0) => bail!("the other half ended in the middle of a line"),
                Ok(count) => self.received.extend(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait()?,
                Err(error) => return Err(error).context("cannot read from the other half"),
            }
        }
    }
}
