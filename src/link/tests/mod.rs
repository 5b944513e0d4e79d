//! Both ends of a link in one thread; nothing sleeps, everything is driven to rest.

use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

use super::*;

mod batches;
mod chaos;
mod clocks;
mod codec;
mod files;
mod handshake;
mod hostile;
mod loops;
mod pipes;
mod portions;
mod random;
mod resources;
mod streams;

const GUEST: u16 = 7;

fn domain(number: u16) -> DomainId {
    DomainId::new(number).unwrap()
}

fn display_role() -> Role {
    Role::Display { guest: domain(GUEST), display: DomainId::DISPLAY }
}

/// Whether the link asks for a dispatch.
fn is_ready(link: &Link) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::new(link, PollFlags::IN)], Some(&now)).unwrap() > 0
}

struct Pair {
    guest: Link,
    display: Link,
    guest_events: Vec<LinkEvent>,
    display_events: Vec<LinkEvent>,
}

impl Pair {
    fn unconnected(guest_limits: Limits, display_limits: Limits) -> Pair {
        let (a, b) = UnixStream::pair().unwrap();
        Pair {
            guest: Link::new(a, Role::Guest, guest_limits).unwrap(),
            display: Link::new(b, display_role(), display_limits).unwrap(),
            guest_events: Vec::new(),
            display_events: Vec::new(),
        }
    }

    fn with_limits(limits: Limits) -> Pair {
        let mut pair = Pair::unconnected(limits, limits);
        pair.settle();
        for events in [&mut pair.guest_events, &mut pair.display_events] {
            let events = std::mem::take(events);
            assert!(
                matches!(
                    events.as_slice(),
                    [LinkEvent::Ready { guest, display }]
                        if guest.number() == GUEST && *display == DomainId::DISPLAY
                ),
                "{events:?}"
            );
        }
        pair
    }

    fn new() -> Pair {
        Pair::with_limits(Limits::default())
    }

    /// Dispatches until neither end has anything to do; a link that never rests fails here.
    fn settle(&mut self) {
        for _ in 0..100_000 {
            let mut rested = true;
            let ends = [
                (&mut self.guest, &mut self.guest_events),
                (&mut self.display, &mut self.display_events),
            ];
            for (link, events) in ends {
                if is_ready(link) {
                    rested = false;
                    link.dispatch().unwrap();
                    events.extend(std::iter::from_fn(|| link.next_event()));
                }
            }
            if rested {
                return;
            }
        }
        panic!("the link never rests");
    }

    /// The guest's app, the stream, the compositor's client socket.
    fn open(&mut self) -> (UnixStream, StreamId, UnixStream) {
        let (app, end) = UnixStream::pair().unwrap();
        let id = self.guest.open(end).unwrap();
        self.settle();
        let Some(LinkEvent::Opened { stream, socket }) = self.display_events.pop() else {
            panic!("not opened: {:?}", self.display_events);
        };
        assert_eq!(stream, id);
        app.set_nonblocking(true).unwrap();
        socket.set_nonblocking(true).unwrap();
        (app, id, socket)
    }

    fn closed(&mut self) -> [(Reason, EndedBy); 2] {
        [&mut self.guest_events, &mut self.display_events].map(|events| match events.pop() {
            Some(LinkEvent::Closed { reason, by }) => (reason, by),
            other => panic!("not closed: {other:?} after {events:?}"),
        })
    }

    fn stream_closed(events: &mut Vec<LinkEvent>) -> (StreamId, Reason, EndedBy) {
        assert_eq!(events.len(), 1, "{events:?}");
        match events.pop() {
            Some(LinkEvent::StreamClosed { stream, reason, by }) => (stream, reason, by),
            other => panic!("no stream closed: {other:?}"),
        }
    }
}

/// Writes what there is room for.
fn push(mut file: impl Write, bytes: &[u8]) -> usize {
    match file.write(bytes) {
        Ok(count) => count,
        Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
        Err(error) => panic!("{error}"),
    }
}

/// Reads what there is; `None` at the end of the file.
fn pull(mut file: impl Read) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return if bytes.is_empty() { None } else { Some(bytes) },
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Some(bytes),
            Err(error) => panic!("{error}"),
        }
    }
}

fn send_with(socket: &UnixStream, bytes: &[u8], descriptors: &[impl AsFd]) {
    let borrowed: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_ATTACHMENTS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&borrowed)));
    let flags = SendFlags::NOSIGNAL;
    let sent = rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut control, flags).unwrap();
    assert_eq!(sent, bytes.len());
}

fn receive_with(socket: &UnixStream) -> (Vec<u8>, Vec<OwnedFd>) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_ATTACHMENTS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut buffer = vec![0; 1 << 16];
    let mut slices = [IoSliceMut::new(&mut buffer)];
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let message = rustix::net::recvmsg(socket, &mut slices, &mut control, flags).unwrap();
    let mut descriptors = Vec::new();
    for ancillary in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = ancillary {
            descriptors.extend(rights);
        }
    }
    buffer.truncate(message.bytes);
    (buffer, descriptors)
}

/// Bytes that repeat only after a while, so that a lost or doubled piece is seen.
fn pattern(length: usize) -> Vec<u8> {
    (0..length as u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}
