//! One end of a Wayland connection: bytes and descriptors in, bytes and descriptors out, never
//! waiting for either.

use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

use super::wire::Header;

/// Descriptors that may wait for the messages that they belong to: as many as one `sendmsg` can
/// carry (`SCM_MAX_FD`, include/net/scm.h).
pub(super) const MOST_DESCRIPTORS: usize = 253;

/// Descriptors sent at once: libwayland has room for so many (`MAX_FDS_OUT`), and would lose more.
const DESCRIPTORS_AT_ONCE: usize = 28;

/// Bytes that wait to be sent before no more are made: the other side is then not read from.
const HIGH_WATER: usize = 64 * 1024;

/// Room for what one read brings. A message has at most 64 KiB.
const READ: usize = 64 * 1024;

/// Room for the control data of the largest burst.
const CONTROL: usize = rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS));

/// One end.
#[derive(Debug)]
pub(super) struct Endpoint {
    socket: Rc<UnixStream>,
    incoming: Vec<u8>,
    /// Bytes of `incoming` that are dealt with.
    taken: usize,
    descriptors: VecDeque<OwnedFd>,
    outgoing: Vec<u8>,
    sent: usize,
    outgoing_descriptors: VecDeque<OwnedFd>,
    /// May have something to read: only a read that finds nothing tells otherwise.
    readable: bool,
    writable: bool,
    /// It takes nothing any more.
    deaf: bool,
    ended: bool,
}

/// Why an end cannot be used any more.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Broken {
    /// The kernel dropped descriptors, so nobody can tell which message has which.
    #[error("descriptors were lost on the way: too many are open in this process")]
    DescriptorsLost,
    /// More descriptors than messages for them.
    #[error("more than {MOST_DESCRIPTORS} descriptors came without their messages")]
    TooManyDescriptors,
    /// The kernel refused.
    #[error("the socket failed: {0}")]
    System(Errno),
}

impl Endpoint {
    /// An end that has not been looked at yet. The socket is non-blocking by the flags of each call.
    pub(super) fn new(socket: UnixStream) -> Endpoint {
        Endpoint {
            socket: Rc::new(socket),
            incoming: Vec::new(),
            taken: 0,
            descriptors: VecDeque::new(),
            outgoing: Vec::new(),
            sent: 0,
            outgoing_descriptors: VecDeque::new(),
            readable: true,
            writable: true,
            deaf: false,
            ended: false,
        }
    }

    pub(super) fn socket(&self) -> Rc<UnixStream> {
        Rc::clone(&self.socket)
    }

    /// Something may have changed, says the kernel.
    pub(super) fn woke(&mut self, readable: bool, writable: bool) {
        self.readable |= readable;
        self.writable |= writable;
    }

    /// Whether reading may bring something.
    pub(super) fn is_readable(&self) -> bool {
        self.readable && !self.ended
    }

    /// Whether the peer has said its last.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Reads once. False when there was nothing.
    pub(super) fn read(&mut self) -> Result<bool, Broken> {
        if !self.is_readable() {
            return Ok(false);
        }
        self.incoming.drain(..self.taken);
        self.taken = 0;
        let filled = self.incoming.len();
        self.incoming.resize(filled + READ, 0);
        let mut space = [MaybeUninit::uninit(); CONTROL];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let mut slices = [IoSliceMut::new(&mut self.incoming[filled..])];
        let result = rustix::net::recvmsg(&*self.socket, &mut slices, &mut control, flags);
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                self.descriptors.extend(rights);
            }
        }
        let count = result.as_ref().map_or(0, |message| message.bytes);
        self.incoming.truncate(filled + count);
        match result {
            Ok(message) if message.flags.contains(ReturnFlags::CTRUNC) => {
                Err(Broken::DescriptorsLost)
            }
            Ok(message) => {
                self.ended = message.bytes == 0;
                Ok(!self.ended)
            }
            Err(Errno::AGAIN) => {
                self.readable = false;
                Ok(false)
            }
            Err(Errno::INTR) => Ok(true),
            Err(Errno::CONNRESET) => {
                self.ended = true;
                Ok(false)
            }
            Err(error) => Err(Broken::System(error)),
        }
    }

    /// The next whole message that has come, left where it is.
    pub(super) fn peek(&self) -> Result<Option<(Header, &[u8])>, Header> {
        let waiting = self.incoming.get(self.taken..).unwrap_or_default();
        let Some(header) = Header::read(waiting) else { return Ok(None) };
        if !header.is_sound() {
            return Err(header);
        }
        Ok(waiting.get(..usize::from(header.size)).map(|message| (header, message)))
    }

    /// The message of this size has been dealt with.
    pub(super) fn consume(&mut self, size: u16) {
        self.taken = (self.taken + usize::from(size)).min(self.incoming.len());
    }

    /// The next `count` descriptors; none if they have not all come.
    pub(super) fn take_descriptors(&mut self, count: usize) -> Option<Vec<OwnedFd>> {
        (count <= self.descriptors.len()).then(|| self.descriptors.drain(..count).collect())
    }

    /// To be asked when all whole messages are dealt with.
    pub(super) fn check_descriptors(&self) -> Result<(), Broken> {
        if self.descriptors.len() > MOST_DESCRIPTORS {
            return Err(Broken::TooManyDescriptors);
        }
        Ok(())
    }

    /// A message to be sent.
    pub(super) fn send(&mut self, bytes: &[u8], descriptors: Vec<OwnedFd>) {
        if self.deaf {
            return;
        }
        self.outgoing.extend_from_slice(bytes);
        self.outgoing_descriptors.extend(descriptors);
    }

    /// Whether more may be made for this end now.
    pub(super) fn has_room(&self) -> bool {
        self.waiting() < HIGH_WATER && self.outgoing_descriptors.len() < MOST_DESCRIPTORS
    }

    /// Bytes that wait to be sent.
    pub(super) fn waiting(&self) -> usize {
        self.outgoing.len() - self.sent
    }

    /// Whether a wake-up is needed when there is room again.
    pub(super) fn is_blocked(&self) -> bool {
        self.waiting() > 0 && !self.writable
    }

    /// Sends what the peer has room for.
    pub(super) fn flush(&mut self) -> Result<(), Broken> {
        while self.writable && self.waiting() > 0 {
            let count = self.outgoing_descriptors.len().min(DESCRIPTORS_AT_ONCE);
            let more = self.outgoing_descriptors.len() > count;
            let bytes = &self.outgoing[self.sent..];
            // A descriptor may come before its message, never after it.
            let bytes = if more { &bytes[..1] } else { bytes };
            match send(&self.socket, bytes, &self.outgoing_descriptors, count) {
                Ok(bytes) => {
                    self.sent += bytes;
                    self.outgoing_descriptors.drain(..count);
                }
                Err(Errno::AGAIN) => self.writable = false,
                Err(Errno::INTR) => {}
                // What it said before it hung up is still to be read: perhaps why.
                Err(Errno::PIPE | Errno::CONNRESET) => {
                    self.deaf = true;
                    self.outgoing.truncate(self.sent);
                    self.outgoing_descriptors.clear();
                }
                Err(error) => return Err(Broken::System(error)),
            }
        }
        if self.waiting() == 0 {
            self.outgoing.clear();
            self.sent = 0;
        } else if self.sent >= HIGH_WATER {
            self.outgoing.drain(..self.sent);
            self.sent = 0;
        }
        Ok(())
    }
}

impl AsFd for Endpoint {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn send(
    socket: &UnixStream,
    bytes: &[u8],
    descriptors: &VecDeque<OwnedFd>,
    count: usize,
) -> Result<usize, Errno> {
    let borrowed: Vec<BorrowedFd<'_>> = descriptors.iter().take(count).map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_AT_ONCE))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !borrowed.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(&borrowed)); // Fits: the space is made for it.
    }
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut control, flags)
}

#[cfg(test)]
mod tests {
    use super::super::wire::Message;
    use super::*;

    fn pair() -> (Endpoint, Endpoint) {
        let (one, other) = UnixStream::pair().unwrap();
        (Endpoint::new(one), Endpoint::new(other))
    }

    fn descriptors(count: usize) -> Vec<OwnedFd> {
        (0..count).map(|_| rustix::pipe::pipe().unwrap().0).collect()
    }

    #[test]
    fn more_descriptors_than_libwayland_takes_at_once_arrive_with_their_messages() {
        let (mut sender, mut receiver) = pair();
        for number in 0..100 {
            sender.send(&Message::new(number, 0).finish(), descriptors(1));
        }
        sender.flush().unwrap();
        let mut next = 0;
        while next < 100 {
            assert!(receiver.read().unwrap());
            while let Some((header, _)) = receiver.peek().unwrap() {
                assert_eq!(header.object, next);
                assert!(receiver.take_descriptors(1).is_some(), "message {next} has its own");
                receiver.consume(header.size);
                next += 1;
            }
        }
        assert!(!receiver.read().unwrap());
    }

    #[test]
    fn a_peer_that_does_not_read_fills_its_queue_and_no_more() {
        let (mut sender, mut receiver) = pair();
        let message = Message::new(1, 0).array(&[7; 4000]).finish();
        let mut count = 0;
        while sender.has_room() {
            sender.send(&message, Vec::new());
            sender.flush().unwrap();
            count += 1;
        }
        assert!(sender.is_blocked());
        assert!(sender.waiting() < HIGH_WATER + message.len());
        let mut received = 0;
        while received < count {
            sender.woke(true, true);
            sender.flush().unwrap();
            receiver.woke(true, false);
            receiver.read().unwrap();
            while let Some((header, _)) = receiver.peek().unwrap() {
                receiver.consume(header.size);
                received += 1;
            }
        }
        assert!(sender.has_room());
    }

    #[test]
    fn descriptors_without_messages_are_too_many_at_254() {
        let (mut sender, mut receiver) = pair();
        for _ in 0..2 {
            sender.send(&[0], descriptors(127));
        }
        sender.send(&[0; 12], Vec::new());
        sender.flush().unwrap();
        while receiver.read().unwrap() {}
        assert_eq!(receiver.check_descriptors(), Err(Broken::TooManyDescriptors));
    }
}
