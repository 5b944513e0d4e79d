//! Both ends of a vchan.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::Errno;

use super::super::evtchn::{BindError, EventChannel};
use super::super::gntalloc::{AllocateError, Allocated, Allocation};
use super::super::gntdev::{MapRequest, Mapped, RequestError};
use super::layout::{BadLayout, Direction, End, GONE, Order, Orders, Page};
use super::ring::{BadIndex, Moved, Receiver, Sender};
use crate::domain::DomainId;
use crate::grant::{Access, GrantRef, PageCount};
use crate::link::Transport;

/// The most pages of rings that a client maps: libxenvchan would take 512, but each is an entry in a
/// table of the hypervisor that all guests share.
pub(in crate::hypervisor::xen) const MOST_PAGES: usize = 64;

/// One end of a byte stream each way. Dropped, the other end sees that it has hung up.
#[derive(Debug)]
pub struct Vchan {
    end: End,
    page: Page,
    incoming: Direction,
    outgoing: Direction,
    receiver: Receiver,
    sender: Sender,
    // Dropped in this order: the memory's end raises an event.
    _memory: Memory,
    channel: EventChannel,
}

// SAFETY: what its addresses lead to is this value's own, and moves with it.
unsafe impl Send for Vchan {}

/// What the addresses lead to.
#[derive(Debug)]
#[expect(dead_code, reason = "kept for as long as their addresses are used")]
enum Memory {
    Own(Vec<Allocated>),
    Foreign(Vec<Mapped>),
}

/// What a client needs to know of a vchan that is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The shared page.
    pub ring: GrantRef,
    /// The server's end of the event channel.
    pub port: u32,
}

/// Why no vchan can be offered.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
    /// No event channel.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// No pages.
    #[error("cannot grant the pages of a vchan: {0}")]
    Grant(#[from] AllocateError),
    /// The system refused.
    #[error("cannot set a vchan up: {0}")]
    System(#[from] Errno),
    /// Never, for the sizes that are used here.
    #[error(transparent)]
    Layout(#[from] BadLayout),
}

/// Why a vchan that was offered cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No event channel.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The pages cannot be mapped.
    #[error("cannot map the pages of a vchan: {0}")]
    Map(#[from] RequestError),
    /// Refused by the hypervisor, most likely: the pages are not granted to this domain.
    #[error("cannot map the pages of a vchan: {0}")]
    Refused(#[from] Errno),
    /// The shared page is none.
    #[error("what is offered is no vchan: {0}")]
    Layout(#[from] BadLayout),
    /// Its server is gone already.
    #[error("who offered the vchan is gone")]
    Gone,
}

impl ConnectError {
    /// Whether this end may be short of something, rather than the other one up to no good.
    pub fn may_be_ours(&self) -> bool {
        matches!(self, ConnectError::Refused(_) | ConnectError::Map(_))
    }
}

impl Vchan {
    /// Offers a vchan to `peer`: the server's end, which may be used at once.
    ///
    /// # Errors
    /// See [`OfferError`].
    pub fn offer(peer: DomainId) -> Result<(Vchan, Offer), OfferError> {
        let orders = Orders::new(Order::USUAL, Order::USUAL)?;
        let channel = EventChannel::offer(peer)?;
        let allocate = |pages: usize| {
            let pages = u32::try_from(pages).ok().and_then(PageCount::new).ok_or(Errno::INVAL)?;
            Ok::<_, OfferError>(Allocation::new(peer, pages, Access::ReadWrite)?)
        };
        let page = allocate(1)?;
        page.notify_when_freed(End::Server.alive(), channel.port())?;
        // One piece for each ring: the usual orders have pages of their own.
        let page = page.map()?;
        let left = allocate(orders.left.pages())?.map()?;
        let right = allocate(orders.right.pages())?.map()?;

        let ring = *page.references().first().ok_or(Errno::INVAL)?;
        // SAFETY: the page is in `Memory`, which goes with the vchan and not before it.
        let shared = unsafe { Page::new(page.bytes().cast()) };
        let references = left.references().iter().chain(right.references());
        shared.fill(orders, references.copied());
        let (left_data, right_data) = (left.bytes().cast(), right.bytes().cast());
        // SAFETY: as above; `left` has the pages of this order.
        let incoming = unsafe {
            let size = orders.left.size();
            Direction::new(shared, End::Client, End::Server, left_data, size)
        };
        // SAFETY: as above; `right` has the pages of this order.
        let outgoing = unsafe {
            let size = orders.right.size();
            Direction::new(shared, End::Server, End::Server, right_data, size)
        };
        let vchan = Vchan {
            end: End::Server,
            page: shared,
            incoming,
            outgoing,
            receiver: Receiver::new(&incoming, orders.left.size()),
            sender: Sender::new(&outgoing, orders.right.size()),
            _memory: Memory::Own(vec![page, left, right]),
            channel,
        };
        let offer = Offer { ring, port: vchan.channel.port() };
        Ok((vchan, offer))
    }

    /// The client's end of what `domain` offers.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub fn connect(domain: DomainId, offer: Offer) -> Result<Vchan, ConnectError> {
        let channel = EventChannel::connect(domain, offer.port)?;
        let request = MapRequest::new(domain, &[offer.ring])?;
        let page = request.map_notifying(End::Client.alive(), channel.port())?;
        // SAFETY: the page is in `Memory`, which goes with the vchan and not before it.
        let shared = unsafe { Page::new(page.start()) };
        if shared.alive(End::Server) == GONE {
            return Err(ConnectError::Gone);
        }
        // Read once and checked; what the server writes there later changes nothing.
        let orders = shared.orders()?;
        let pages = orders.left.pages() + orders.right.pages();
        if pages > MOST_PAGES {
            return Err(BadLayout::TooLarge(pages).into());
        }
        let (left_references, right_references) = shared.references(orders);
        let mut memory = vec![page];
        let mut data = |order: Order, references: &[GrantRef]| match order.offset() {
            // SAFETY: rings in the page begin and end inside it.
            Some(offset) => Ok(unsafe { shared.start().add(offset) }),
            None => {
                let mapped = MapRequest::new(domain, references)?.map(Access::ReadWrite)?;
                let start = mapped.start();
                memory.push(mapped);
                Ok::<_, ConnectError>(start)
            }
        };
        let left = data(orders.left, &left_references)?;
        let right = data(orders.right, &right_references)?;
        // SAFETY: as many pages as the order says were mapped, or the ring is in the page.
        let incoming =
            unsafe { Direction::new(shared, End::Server, End::Client, right, orders.right.size()) };
        // SAFETY: as above.
        let outgoing =
            unsafe { Direction::new(shared, End::Client, End::Client, left, orders.left.size()) };
        let vchan = Vchan {
            end: End::Client,
            page: shared,
            incoming,
            outgoing,
            receiver: Receiver::new(&incoming, orders.right.size()),
            sender: Sender::new(&outgoing, orders.left.size()),
            _memory: Memory::Foreign(memory),
            channel,
        };
        shared.join();
        vchan.channel.notify()?;
        Ok(vchan)
    }

    /// Takes an event, so that the next one is told; false if there was none.
    ///
    /// # Errors
    /// As [`EventChannel::acknowledge`].
    pub fn take_event(&self) -> io::Result<bool> {
        Ok(self.channel.acknowledge()?)
    }

    fn peer_is_gone(&self) -> bool {
        self.page.alive(self.end.other()) == GONE
    }

    /// Raises an event if the other end wants one.
    fn moved(&self, moved: Moved) -> io::Result<usize> {
        if moved.notify {
            self.channel.notify()?;
        }
        if moved.bytes == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(moved.bytes) }
    }
}

fn hostile(error: BadIndex) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl AsFd for Vchan {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }
}

impl Transport for Vchan {
    fn is_readable_when_writable(&self) -> bool {
        true
    }

    fn acknowledge(&mut self) -> io::Result<()> {
        self.take_event().map(drop)
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Looked at first, so that what was said before hanging up is still heard.
        let gone = self.peer_is_gone();
        let moved = self.receiver.receive(&self.incoming, buffer).map_err(hostile)?;
        if moved.bytes == 0 && gone {
            return Ok(0);
        }
        self.moved(moved)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.peer_is_gone() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let moved = self.sender.send(&self.outgoing, bytes).map_err(hostile)?;
        self.moved(moved)
    }
}

impl Drop for Vchan {
    fn drop(&mut self) {
        self.page.set_alive(self.end, GONE);
        // If it fails, the end of the memory raises the same event.
        let _ = self.channel.notify();
    }
}
