//! System calls of the transport are shared, and no work is left lying.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use super::*;
use crate::link::decoder::Decoder;
use crate::link::frame::{Frame, Hello};

/// Reads from a socket, writes to memory without end, and counts.
struct Tap {
    socket: UnixStream,
    seen: Rc<RefCell<Seen>>,
}

#[derive(Default)]
struct Seen {
    reads: usize,
    writes: usize,
    written: Vec<u8>,
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Transport for Tap {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.seen.borrow_mut().reads += 1;
        Transport::read(&mut self.socket, buffer)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut seen = self.seen.borrow_mut();
        seen.writes += 1;
        seen.written.extend_from_slice(bytes);
        Ok(bytes.len())
    }
}

fn run(link: &mut Link<Tap>) {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    while poll(&mut [PollFd::new(&*link, PollFlags::IN)], Some(&now)).unwrap() > 0 {
        link.dispatch().unwrap();
    }
}

/// An open guest's link, what it does, and the other end of what it reads.
fn tapped() -> (Link<Tap>, Rc<RefCell<Seen>>, UnixStream) {
    let limits = Limits { stream_credit: 1 << 20, ..Limits::default() };
    let (socket, peer) = UnixStream::pair().unwrap();
    let seen = Rc::new(RefCell::new(Seen::default()));
    let tap = Tap { socket, seen: Rc::clone(&seen) };
    let mut link = Link::new(tap, Role::Guest, limits).unwrap();
    let mut bytes = Vec::new();
    Frame::Hello(Hello { versions: 1..=1, limits: limits.try_into().unwrap() }).encode(&mut bytes);
    Frame::Welcome { version: 1, guest: domain(GUEST), display: DomainId::DISPLAY }
        .encode(&mut bytes);
    push(&peer, &bytes);
    run(&mut link);
    assert!(matches!(link.next_event(), Some(LinkEvent::Ready { .. })));
    (link, seen, peer)
}

#[test]
fn many_messages_of_many_apps_share_one_read_and_one_write() {
    let (mut link, seen, peer) = tapped();
    let apps: Vec<_> = (0..20)
        .map(|_| {
            let (app, end) = UnixStream::pair().unwrap();
            link.open(end).unwrap();
            app
        })
        .collect();
    run(&mut link);
    *seen.borrow_mut() = Seen::default();
    let mut bytes = Vec::new();
    for (number, app) in (1..).zip(&apps) {
        for _ in 0..5 {
            push(app, b"a message to the compositor");
            let payload = frame::Payload::new(b"a message to an app").unwrap();
            Frame::Data { stream: StreamId::new(number).unwrap(), payload }.encode(&mut bytes);
        }
    }
    push(&peer, &bytes);
    run(&mut link);
    for app in &apps {
        app.set_nonblocking(true).unwrap();
        assert_eq!(pull(app).unwrap().len(), 5 * b"a message to an app".len());
    }
    let seen = seen.borrow();
    assert_eq!((seen.reads, seen.writes), (1, 1));
}

#[test]
fn a_transport_that_always_takes_more_gets_everything() {
    let (mut link, seen, _peer) = tapped();
    let mut sent = 0;
    let _apps: Vec<_> = (0..12)
        .map(|_| {
            let (app, end) = UnixStream::pair().unwrap();
            sent += push(&app, &pattern(100_000));
            link.open(end).unwrap();
            app
        })
        .collect();
    run(&mut link);
    let seen = seen.borrow();
    let (mut decoder, mut carried) = (Decoder::new(), 0);
    let mut bytes = seen.written.as_slice();
    while !bytes.is_empty() {
        let space = decoder.space();
        let count = space.len().min(bytes.len());
        space[..count].copy_from_slice(&bytes[..count]);
        decoder.filled(count);
        bytes = &bytes[count..];
        while let Some(frame) = decoder.next_frame().unwrap() {
            if let Frame::Data { payload, .. } = frame {
                carried += payload.bytes().len();
            }
        }
    }
    assert_eq!(carried, sent);
}
