//! A guest's half of meeting the display domain: it offers a vchan in xenstore, below its own node.
//!
//! ```text
//! /local/domain/GUEST/data/hyper-dmabuf/DISPLAY/OFFER/ring-ref, event-channel
//! ```
//!
//! A program makes one such node for each of its connections, with a name that nobody else has,
//! which the domain DISPLAY alone may read. What waits there is taken up as soon as that domain sees
//! it, so either may be there first.
//!
//! A domain that was saved and is restored finds none of its event channels and grants again: its
//! links have ended, and nothing says so but its kernel, which tells of every watched node anew.
//!
//! The node DISPLAY stays. A display domain that is not domain 0 can list only what it may read, and
//! is told of offers, and of the end of the guest, by what happens to this node.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::epoll;
use rustix::rand::GetRandomFlags;

use super::vchan::{OfferError, Vchan};
use super::xenstore::{BadPath, CallError, Incoming, OpenError, StorePath, Xenstore, number};
use crate::domain::DomainId;
use crate::link::Transport;

/// Where a domain offers, below its own node.
const OFFERS: &str = "data/hyper-dmabuf";
/// What an offer consists of.
pub(super) const RING: &str = "ring-ref";
pub(super) const PORT: &str = "event-channel";
/// A node that nobody writes while this domain lives, for its kernel to tell of after it was restored.
const OWN: &str = "domid";
/// Where the toolstack may say which domain is the display domain, for guests to read.
const DISPLAY: &str = "/tool/hyper-dmabuf/display";

/// Where `guest` has what it offers to the domain `display`.
pub(super) fn offers(guest: DomainId, display: DomainId) -> Result<StorePath, BadPath> {
    StorePath::of_domain(guest).join(&format!("{OFFERS}/{display}"))
}

/// Why the display domain cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum RendezvousError {
    /// There is no xenstore.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// xenstore refuses, or is gone.
    #[error(transparent)]
    Store(#[from] CallError),
    /// No vchan can be offered.
    #[error(transparent)]
    Offer(#[from] OfferError),
    /// Never, for the names that are used here.
    #[error(transparent)]
    Path(#[from] BadPath),
    /// The system has no random numbers.
    #[error("cannot draw a name for the offer: {0}")]
    Random(rustix::io::Errno),
    /// The system refuses to watch two things as one.
    #[error("cannot watch a link and xenstore: {0}")]
    Watch(rustix::io::Errno),
}

/// A guest's end of a link: a vchan that is offered until the display domain has taken it up, or
/// this is dropped.
#[derive(Debug)]
pub struct GuestChannel {
    vchan: Vchan,
    store: Xenstore,
    node: StorePath,
    is_offered: bool,
    /// What is readable when the event channel or xenstore is.
    either: OwnedFd,
    /// This domain is another one than when the link began.
    is_restored: bool,
}

/// Offers a link to domain `to`; to the one that xenstore names if that is `None`, or domain 0 if it
/// names none. What is written waits until the display domain takes the offer up.
///
/// # Errors
/// This is no domain of Xen, or this user may not, or something is used up.
pub fn connect(to: Option<DomainId>) -> Result<GuestChannel, RendezvousError> {
    let mut store = Xenstore::open()?;
    let own = store.own_domain()?;
    let peer = match to {
        Some(peer) => peer,
        None => named_display(&mut store)?,
    };
    let (vchan, offer) = Vchan::offer(peer)?;
    let mut name = [0; 8];
    rustix::rand::getrandom(&mut name, GetRandomFlags::empty()).map_err(RendezvousError::Random)?;
    let all = offers(own, peer)?;
    store.share_directory(&all, own, peer)?;
    let node = all.join(&format!("{:016x}", u64::from_ne_bytes(name)))?;
    store.publish(
        &node,
        own,
        peer,
        &[(RING, offer.ring.to_string()), (PORT, offer.port.to_string())],
    )?;
    tracing::debug!(%node, %peer, "offered a link");
    watch_own_life(&mut store)?;
    let either = either(vchan.as_fd(), store.as_fd()).map_err(RendezvousError::Watch)?;
    Ok(GuestChannel { vchan, store, node, is_offered: true, either, is_restored: false })
}

/// Has xenstore tell of this domain's own node when it is restored, and only then.
fn watch_own_life(store: &mut Xenstore) -> Result<(), RendezvousError> {
    store.watch(&OWN.parse()?, OWN)?;
    // Every watch begins with an event.
    loop {
        while let Some(incoming) = store.next_incoming() {
            if matches!(incoming, Incoming::Event(_)) {
                return Ok(());
            }
        }
        store.wait()?;
        store.dispatch()?;
    }
}

fn either(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> rustix::io::Result<OwnedFd> {
    let both = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for file in [one, other] {
        epoll::add(&both, file, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
    }
    Ok(both)
}

impl GuestChannel {
    /// Takes what xenstore has told.
    fn look_at_store(&mut self) -> io::Result<()> {
        self.store.dispatch().map_err(io::Error::other)?;
        while let Some(incoming) = self.store.next_incoming() {
            self.is_restored |= matches!(incoming, Incoming::Event(_));
        }
        Ok(())
    }
}

fn restored() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "this domain was saved and is restored")
}

fn named_display(store: &mut Xenstore) -> Result<DomainId, RendezvousError> {
    let path: StorePath = DISPLAY.parse()?;
    match store.read(&path) {
        Ok(value) => Ok(number(&value)
            .and_then(DomainId::new)
            .ok_or_else(|| CallError::Nonsense(DISPLAY.to_owned()))?),
        Err(CallError::Refused { .. }) => Ok(DomainId::DISPLAY),
        Err(error) => Err(error.into()),
    }
}

impl AsFd for GuestChannel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.either.as_fd()
    }
}

impl Transport for GuestChannel {
    fn is_readable_when_writable(&self) -> bool {
        true
    }

    fn acknowledge(&mut self) -> io::Result<()> {
        // A link that was busy has been alive.
        if self.vchan.take_event()? {
            return Ok(());
        }
        self.look_at_store()?;
        if self.is_restored { Err(restored()) } else { Ok(()) }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.vchan.read(buffer);
        // Somebody answers. So nothing is left behind however this program ends.
        if matches!(read, Ok(count) if count > 0) && std::mem::take(&mut self.is_offered) {
            let sent = self.store.send_remove(&self.node).and_then(|_| self.store.flush());
            if let Err(error) = sent {
                tracing::warn!(%error, "an offer stays in xenstore");
            }
        }
        read
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.vchan.write(bytes)
    }
}

impl Drop for GuestChannel {
    fn drop(&mut self) {
        // Under another number there is no such node.
        if !self.is_offered || self.is_restored {
            return;
        }
        match self.store.remove(&self.node) {
            Ok(()) => {}
            // The display domain has removed it.
            Err(error) if error.is_missing() => {}
            Err(error) => tracing::warn!(%error, "an offer stays in xenstore"),
        }
    }
}
