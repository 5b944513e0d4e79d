//! The shared page (`struct vchan_interface`, xen/include/public/io/libxenvchan.h).
//!
//! ```text
//!  0  left: consumed, produced (u32)      the client writes, the server reads
//!  8  right: consumed, produced (u32)     the server writes, the client reads
//! 16  order of left, of right (u16)       a ring has 2^order bytes
//! 20  client, server alive (u8)           0 gone, 1 connected, 2 not connected yet
//! 22  what the client, the server is to raise events for (u8)
//! 24  references of the rings' pages (u32 each), left first, for orders from 12
//! ```
//!
//! A ring of order 10 is in this page from byte 1024, one of order 11 from byte 2048.

use std::ptr::NonNull;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, fence};

use super::ring::{Notify, Shared, Size};
use crate::grant::{GrantRef, PAGE_SIZE};

const LEFT: usize = 0;
const RIGHT: usize = 8;
const ORDERS: usize = 16;
const CLIENT_ALIVE: usize = 20;
const SERVER_ALIVE: usize = 21;
const CLIENT_NOTIFIES: usize = 22;
const SERVER_NOTIFIES: usize = 23;
const REFERENCES: usize = 24;

/// The smallest ring, and where it is; then the next one; then those with pages of their own.
const SMALL: (u16, usize) = (10, 1024);
const LARGE: (u16, usize) = (11, 2048);
const OWN_PAGES: u16 = 12;
/// `MAX_RING_SHIFT`, libxenvchan: a ring has at most 1 MiB.
const LARGEST: u16 = 20;

/// Which end of a vchan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Server,
    Client,
}

impl End {
    /// Where this end says that it is alive.
    pub(super) const fn alive(self) -> usize {
        match self {
            End::Server => SERVER_ALIVE,
            End::Client => CLIENT_ALIVE,
        }
    }

    pub(super) const fn other(self) -> End {
        match self {
            End::Server => End::Client,
            End::Client => End::Server,
        }
    }
}

/// What an end says of itself.
pub(super) const GONE: u8 = 0;
pub(super) const CONNECTED: u8 = 1;
pub(super) const AWAITED: u8 = 2;

/// The size of a ring, as the page has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order(u16);

impl Order {
    /// 32 KiB, in eight pages: a Wayland client's burst.
    pub(super) const USUAL: Order = Order(15);

    pub(super) fn new(order: u16) -> Result<Order, BadLayout> {
        if (SMALL.0..=LARGEST).contains(&order) {
            Ok(Order(order))
        } else {
            Err(BadLayout::Order(order))
        }
    }

    pub(super) const fn size(self) -> Size {
        Size::from_order(self.0)
    }

    /// Pages beside the shared one.
    pub(super) const fn pages(self) -> usize {
        if self.0 < OWN_PAGES { 0 } else { 1 << (self.0 - OWN_PAGES) }
    }

    /// Where the ring begins in the shared page, if it is there.
    pub(super) const fn offset(self) -> Option<usize> {
        if self.0 == SMALL.0 {
            Some(SMALL.1)
        } else if self.0 == LARGE.0 {
            Some(LARGE.1)
        } else {
            None
        }
    }
}

/// Why a page of another domain is no vchan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLayout {
    /// A ring has an impossible size.
    #[error("a ring of order {0}: orders are 10 to 20")]
    Order(u16),
    /// Two rings, or a ring and the list of references, in one place.
    #[error("the rings overlap each other or the list of their pages")]
    Overlap,
    /// More pages than are mapped for a stranger's stream of bytes.
    #[error("rings of {0} pages, more than are mapped for one vchan")]
    TooLarge(usize),
}

/// Two orders that go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Orders {
    pub(super) left: Order,
    pub(super) right: Order,
}

impl Orders {
    pub(super) fn new(left: Order, right: Order) -> Result<Orders, BadLayout> {
        let in_page = [left.offset(), right.offset()];
        let list_end = REFERENCES + (left.pages() + right.pages()) * size_of::<u32>();
        let room = in_page.into_iter().flatten().min().unwrap_or(PAGE_SIZE);
        if (in_page[0].is_some() && in_page[0] == in_page[1]) || list_end > room {
            return Err(BadLayout::Overlap);
        }
        Ok(Orders { left, right })
    }
}

/// The shared page, as long as it is mapped. Everything in it is an atomic.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page(NonNull<u8>);

impl Page {
    /// # Safety
    /// `start` is the first byte of a page that stays mapped, for reading and writing, as long as
    /// this value and its copies are used, and that this process uses in no other way.
    pub(super) unsafe fn new(start: NonNull<u8>) -> Page {
        Page(start)
    }

    pub(super) fn start(self) -> NonNull<u8> {
        self.0
    }

    fn byte(&self, offset: usize) -> &AtomicU8 {
        assert!(offset < PAGE_SIZE);
        // SAFETY: inside the page (`new`); the other domain, too, can only be seen atomically.
        unsafe { AtomicU8::from_ptr(self.0.add(offset).as_ptr()) }
    }

    fn half(&self, offset: usize) -> &AtomicU16 {
        assert!(offset.is_multiple_of(2) && offset < PAGE_SIZE);
        // SAFETY: as above, and aligned, as the page is.
        unsafe { AtomicU16::from_ptr(self.0.add(offset).as_ptr().cast()) }
    }

    fn word(&self, offset: usize) -> &AtomicU32 {
        assert!(offset.is_multiple_of(4) && offset < PAGE_SIZE);
        // SAFETY: as above, and aligned, as the page is.
        unsafe { AtomicU32::from_ptr(self.0.add(offset).as_ptr().cast()) }
    }

    pub(super) fn alive(&self, end: End) -> u8 {
        self.byte(end.alive()).load(Acquire)
    }

    pub(super) fn set_alive(&self, end: End, state: u8) {
        self.byte(end.alive()).store(state, Release);
    }

    /// The orders, each read once.
    pub(super) fn orders(&self) -> Result<Orders, BadLayout> {
        let [left, right] = [ORDERS, ORDERS + 2].map(|at| self.half(at).load(Acquire));
        Orders::new(Order::new(left)?, Order::new(right)?)
    }

    /// The references of the rings' pages, each read once: those of left, then those of right.
    pub(super) fn references(&self, orders: Orders) -> (Vec<GrantRef>, Vec<GrantRef>) {
        let at =
            |index: usize| GrantRef(self.word(REFERENCES + index * size_of::<u32>()).load(Relaxed));
        let (left, right) = (orders.left.pages(), orders.right.pages());
        ((0..left).map(at).collect(), (left..left + right).map(at).collect())
    }

    /// As a server fills a zeroed page before anybody knows of it.
    pub(super) fn fill(&self, orders: Orders, references: impl Iterator<Item = GrantRef>) {
        self.half(ORDERS).store(orders.left.0, Relaxed);
        self.half(ORDERS + 2).store(orders.right.0, Relaxed);
        for (index, reference) in references.enumerate() {
            self.word(REFERENCES + index * size_of::<u32>()).store(reference.0, Relaxed);
        }
        self.byte(CLIENT_NOTIFIES).store(Notify::Written as u8, Relaxed);
        self.set_alive(End::Client, AWAITED);
        self.set_alive(End::Server, CONNECTED);
    }

    /// As a client says that it is there.
    pub(super) fn join(&self) {
        self.byte(SERVER_NOTIFIES).fetch_or(Notify::Written as u8, SeqCst);
        self.set_alive(End::Client, CONNECTED);
    }
}

/// One direction: its indices and requests in the shared page, and its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Direction {
    page: Page,
    indices: usize,
    /// Where this end leaves its requests for the other, and where it finds the other's.
    asks: usize,
    asked: usize,
    data: NonNull<u8>,
    size: Size,
}

impl Direction {
    /// The direction that `from` writes, as seen by `end`.
    ///
    /// # Safety
    /// From `data` on, `size` bytes stay mapped, for reading and writing, as long as this value is
    /// used, and this process uses them in no other way.
    pub(super) unsafe fn new(
        page: Page,
        from: End,
        end: End,
        data: NonNull<u8>,
        size: Size,
    ) -> Direction {
        let indices = match from {
            End::Client => LEFT,
            End::Server => RIGHT,
        };
        // What the client is to tell the server is where the server asks.
        let (asks, asked) = match end {
            End::Server => (CLIENT_NOTIFIES, SERVER_NOTIFIES),
            End::Client => (SERVER_NOTIFIES, CLIENT_NOTIFIES),
        };
        Direction { page, indices, asks, asked, data, size }
    }

    fn at(&self, index: usize) -> &AtomicU8 {
        assert!(index < self.size.bytes());
        // SAFETY: inside the ring (`new`); the other domain, too, can only be seen atomically.
        unsafe { AtomicU8::from_ptr(self.data.add(index).as_ptr()) }
    }
}

impl Shared for Direction {
    fn produced(&self) -> u32 {
        self.page.word(self.indices + 4).load(Acquire)
    }

    fn consumed(&self) -> u32 {
        self.page.word(self.indices).load(Acquire)
    }

    fn set_produced(&self, count: u32) {
        self.page.word(self.indices + 4).store(count, Release);
    }

    fn set_consumed(&self, count: u32) {
        self.page.word(self.indices).store(count, Release);
    }

    fn copy_out(&self, at: usize, to: &mut [u8]) {
        (at..).zip(to).for_each(|(at, byte)| *byte = self.at(at).load(Relaxed));
    }

    fn copy_in(&self, at: usize, from: &[u8]) {
        (at..).zip(from).for_each(|(at, byte)| self.at(at).store(*byte, Relaxed));
    }

    fn ask(&self, notify: Notify) {
        self.page.byte(self.asks).fetch_or(notify as u8, SeqCst);
        fence(SeqCst);
    }

    fn take_request(&self, notify: Notify) -> bool {
        fence(SeqCst);
        self.page.byte(self.asked).fetch_and(!(notify as u8), SeqCst) & notify as u8 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders(left: u16, right: u16) -> Result<Orders, BadLayout> {
        Orders::new(Order::new(left)?, Order::new(right)?)
    }

    #[test]
    fn only_rings_that_fit_are_accepted() {
        for (left, right) in [(10, 11), (11, 10), (10, 12), (12, 12), (15, 15), (20, 20)] {
            orders(left, right).unwrap();
        }
        assert_eq!(orders(9, 12), Err(BadLayout::Order(9)));
        assert_eq!(orders(12, 21), Err(BadLayout::Order(21)));
        assert_eq!(orders(u16::MAX, 12), Err(BadLayout::Order(u16::MAX)));
        for (left, right) in [(10, 10), (11, 11), (20, 10), (10, 20)] {
            assert_eq!(orders(left, right), Err(BadLayout::Overlap), "{left} {right}");
        }
        // 256 references end at byte 1048, before a ring at byte 2048.
        orders(20, 11).unwrap();
    }

    #[test]
    fn the_page_is_laid_out_as_in_the_header() {
        #[repr(align(4096))]
        struct Memory([u8; PAGE_SIZE]);
        let mut memory = Box::new(Memory([0; PAGE_SIZE]));
        let start = NonNull::new(memory.0.as_mut_ptr()).unwrap();
        // SAFETY: the memory lives to the end, and is used through the page only.
        let page = unsafe { Page::new(start) };
        page.fill(orders(12, 13).unwrap(), [7, 8, 9].map(GrantRef).into_iter());
        assert_eq!(page.orders(), orders(12, 13));
        let (left, right) = page.references(page.orders().unwrap());
        assert_eq!((left, right), (vec![GrantRef(7)], vec![GrantRef(8), GrantRef(9)]));
        assert_eq!(page.alive(End::Client), AWAITED);
        page.join();
        let bytes: Vec<u8> = (16..36).map(|at| page.byte(at).load(Relaxed)).collect();
        let expected = [12, 0, 13, 0, 1, 1, 1, 1, 7, 0, 0, 0, 8, 0, 0, 0, 9, 0, 0, 0];
        assert_eq!(bytes, expected);
    }
}
