//! One direction of a vchan: a ring of bytes, one domain at each end.
//!
//! Each side keeps its own index in private memory and only ever stores it for the other to see; the
//! other's index is loaded once for each decision, and checked (the lesson of XSA-155). Who finds
//! too little asks to be told, and then looks again: whoever changes an index looks for requests
//! after that, so one of the two always sees the other. The model checker's test below goes through
//! all orders in which that can happen.

/// Who asks for an event: those who wait for the other's bytes, and those who wait for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notify {
    /// When bytes are written (`VCHAN_NOTIFY_WRITE`).
    Written = 1,
    /// When bytes are read (`VCHAN_NOTIFY_READ`).
    Read = 2,
}

/// What both domains see of one direction. The other one may do anything to it at any time.
pub(super) trait Shared {
    /// How many bytes were written so far; what was written before is visible.
    fn produced(&self) -> u32;
    /// How many bytes were read so far.
    fn consumed(&self) -> u32;
    /// Says how many were written, after the bytes themselves.
    fn set_produced(&self, count: u32);
    /// Says how many were read, after they were.
    fn set_consumed(&self, count: u32);
    /// Copies out of the ring; `at` and all that follows lie inside.
    fn copy_out(&self, at: usize, to: &mut [u8]);
    /// Copies into the ring; `at` and all that follows lie inside.
    fn copy_in(&self, at: usize, from: &[u8]);
    /// Asks the other side for an event. What is looked at afterwards is newer than the request.
    fn ask(&self, notify: Notify);
    /// Takes the other side's request, if there is one. It is newer than what was set before.
    fn take_request(&self, notify: Notify) -> bool;
}

/// The other side's index is impossible: it has produced more than fits, or consumed what was not
/// there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the other domain's ring index is out of range: {held} bytes in a ring of {size}")]
pub(super) struct BadIndex {
    held: u32,
    size: u32,
}

/// Bytes in a ring: a power of two, at most 2^31.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size(u32);

impl Size {
    /// 2^`order` bytes. Panics for an order that no layout has; see `layout::Order`.
    pub(super) const fn from_order(order: u16) -> Size {
        assert!(order < 32);
        Size(1 << order)
    }

    pub(super) const fn bytes(self) -> usize {
        self.0 as usize
    }

    /// Bytes held between two counts, if the ring can hold so many.
    fn held(self, produced: u32, consumed: u32) -> Result<u32, BadIndex> {
        let held = produced.wrapping_sub(consumed);
        if held > self.0 { Err(BadIndex { held, size: self.0 }) } else { Ok(held) }
    }

    /// The parts of a ring for `count` bytes from `from`: where they begin, and how many lie before
    /// the ring's end.
    fn split(self, from: u32, count: usize) -> (usize, usize) {
        let at = (from & (self.0 - 1)) as usize;
        (at, count.min(self.bytes() - at))
    }
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moved {
    /// Bytes. Fewer than asked for: an event will come when there are more, or is more room.
    pub(super) bytes: usize,
    /// Whether the other side wants an event.
    pub(super) notify: bool,
}

/// The reading end.
#[derive(Debug)]
pub(super) struct Receiver {
    size: Size,
    consumed: u32,
}

impl Receiver {
    /// An end that goes on where `shared` says that the last one stopped.
    pub(super) fn new(shared: &impl Shared, size: Size) -> Receiver {
        Receiver { size, consumed: shared.consumed() }
    }

    pub(super) fn receive(
        &mut self,
        shared: &impl Shared,
        buffer: &mut [u8],
    ) -> Result<Moved, BadIndex> {
        let mut ready = self.size.held(shared.produced(), self.consumed)? as usize;
        if ready < buffer.len() {
            shared.ask(Notify::Written);
            ready = self.size.held(shared.produced(), self.consumed)? as usize;
        }
        let bytes = ready.min(buffer.len());
        if bytes == 0 {
            return Ok(Moved { bytes, notify: false });
        }
        let (at, first) = self.size.split(self.consumed, bytes);
        let (head, tail) = buffer[..bytes].split_at_mut(first);
        shared.copy_out(at, head);
        shared.copy_out(0, tail);
        // Below the ring's size, which fits.
        self.consumed = self.consumed.wrapping_add(bytes as u32);
        shared.set_consumed(self.consumed);
        Ok(Moved { bytes, notify: shared.take_request(Notify::Read) })
    }
}

/// The writing end.
#[derive(Debug)]
pub(super) struct Sender {
    size: Size,
    produced: u32,
}

impl Sender {
    /// An end that goes on where `shared` says that the last one stopped.
    pub(super) fn new(shared: &impl Shared, size: Size) -> Sender {
        Sender { size, produced: shared.produced() }
    }

    pub(super) fn send(&mut self, shared: &impl Shared, bytes: &[u8]) -> Result<Moved, BadIndex> {
        let mut room = self.room(shared)?;
        if room < bytes.len() {
            shared.ask(Notify::Read);
            room = self.room(shared)?;
        }
        let count = room.min(bytes.len());
        if count == 0 {
            return Ok(Moved { bytes: 0, notify: false });
        }
        let (at, first) = self.size.split(self.produced, count);
        let (head, tail) = bytes[..count].split_at(first);
        shared.copy_in(at, head);
        shared.copy_in(0, tail);
        self.produced = self.produced.wrapping_add(count as u32);
        shared.set_produced(self.produced);
        Ok(Moved { bytes: count, notify: shared.take_request(Notify::Written) })
    }

    fn room(&self, shared: &impl Shared) -> Result<usize, BadIndex> {
        let held = self.size.held(self.produced, shared.consumed())?;
        Ok((self.size.0 - held) as usize)
    }
}

#[cfg(test)]
mod tests;
