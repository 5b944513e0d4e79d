//! Two ends whose clocks differ.

use super::*;
use crate::link::decoder::Decoder;
use crate::link::frame::{Frame, Hello};

/// As between a guest that has just been started and a machine that has been up for a year.
const YEAR: i64 = 31_536_000_000_000_000;

fn unconnected(ahead: i64) -> Pair {
    let mut pair = Pair::unconnected(Limits::default(), Limits::default());
    pair.display.clock.ahead = YEAR;
    pair.guest.clock.ahead = YEAR + ahead;
    pair
}

#[test]
fn two_ends_with_different_clocks_agree() {
    for ahead in [-YEAR, -1_000_000_000, 60_000_000_000, YEAR] {
        let mut pair = unconnected(ahead);
        let before = std::time::Instant::now();
        pair.settle();
        // A question and its answer took no longer than all of it.
        let most = before.elapsed().as_nanos() as i64;
        let wrong = pair.guest.clock_offset().nanoseconds() - ahead;
        assert!(wrong.abs() <= most, "wrong by {wrong} ns, where {most} ns are excusable");
        assert_eq!(pair.display.clock_offset(), ClockOffset::NONE, "only the guest asks");
    }
}

#[test]
fn ends_with_one_clock_find_no_difference() {
    let mut pair = unconnected(0);
    pair.settle();
    assert_eq!(pair.guest.clock_offset(), ClockOffset::NONE);
}

#[test]
fn the_offset_is_known_before_a_stream_brings_anything() {
    let mut pair = unconnected(YEAR);
    let (app, end) = UnixStream::pair().unwrap();
    let mut end = Some(end);
    let mut compositor = None;
    app.set_nonblocking(true).unwrap();
    loop {
        pair.guest.dispatch().unwrap();
        while let Some(event) = pair.guest.next_event() {
            if let (LinkEvent::Ready { .. }, Some(end)) = (event, end.take()) {
                pair.guest.open(end).unwrap();
            }
        }
        if let Ok(said) = rustix::net::recv(&app, &mut [0; 8][..], rustix::net::RecvFlags::PEEK) {
            assert!(said.1 > 0);
            assert_ne!(pair.guest.clock_offset(), ClockOffset::NONE);
            return;
        }
        pair.display.dispatch().unwrap();
        while let Some(event) = pair.display.next_event() {
            if let LinkEvent::Opened { socket, .. } = event {
                push(&socket, b"an event");
                compositor = Some(socket);
            }
        }
        let _ = &compositor;
    }
}

#[test]
fn an_idle_link_asks_nothing() {
    // `settle` panics over a link that never rests.
    let mut pair = unconnected(YEAR);
    pair.settle();
    let (app, _, socket) = pair.open();
    pair.settle();
    assert!(!is_ready(&pair.guest) && !is_ready(&pair.display));
    push(&socket, b"an event");
    pair.settle();
    assert_eq!(pull(&app).unwrap(), b"an event");
}

#[test]
fn version_1_has_no_time() {
    let (end, mut peer) = UnixStream::pair().unwrap();
    let mut link = Link::new(end, Role::Guest, Limits::default()).unwrap();
    let mut bytes = Vec::new();
    let limits = Limits::default().try_into().unwrap();
    Frame::Hello(Hello { versions: 1..=1, limits }).encode(&mut bytes);
    Frame::Welcome { version: 1, guest: domain(GUEST), display: DomainId::DISPLAY }
        .encode(&mut bytes);
    peer.write_all(&bytes).unwrap();
    while is_ready(&link) {
        link.dispatch().unwrap();
    }
    peer.set_nonblocking(true).unwrap();
    let said = pull(&peer).unwrap();
    let mut decoder = Decoder::new();
    decoder.space()[..said.len()].copy_from_slice(&said);
    decoder.filled(said.len());
    assert!(matches!(decoder.next_frame(), Ok(Some(Frame::Hello(_)))));
    assert_eq!(decoder.next_frame(), Ok(None));
}

/// What an open display's link says of these frames.
fn refused(role: Role, frames: &[Frame<'_>]) -> Reason {
    let (end, mut peer) = UnixStream::pair().unwrap();
    let mut link = Link::new(end, role, Limits::default()).unwrap();
    let mut bytes = Vec::new();
    let limits = Limits::default().try_into().unwrap();
    Frame::Hello(Hello { versions: VERSIONS, limits }).encode(&mut bytes);
    frames.iter().for_each(|frame| frame.encode(&mut bytes));
    peer.write_all(&bytes).unwrap();
    while is_ready(&link) {
        link.dispatch().unwrap();
    }
    loop {
        match link.next_event() {
            Some(LinkEvent::Closed { reason, .. }) => return reason,
            Some(_) => {}
            None => panic!("the link is not closed"),
        }
    }
}

#[test]
fn who_asks_faster_than_it_is_answered_or_answers_unasked_is_refused() {
    let twice = refused(display_role(), &[Frame::AskTime, Frame::AskTime]);
    assert!(twice.text().contains("asked for the time again"), "{twice}");
    let time = Frame::Time { there: There::from_nanoseconds(5) };
    let told = refused(display_role(), std::slice::from_ref(&time));
    assert!(told.text().contains("Time frame does not belong here"), "{told}");
    let version = *VERSIONS.end();
    let welcome = Frame::Welcome { version, guest: domain(GUEST), display: DomainId::DISPLAY };
    let asks = refused(Role::Guest, &[welcome.clone(), Frame::AskTime]);
    assert!(asks.text().contains("AskTime frame does not belong here"), "{asks}");
    // The first question is not sent yet when this is read.
    let told = refused(Role::Guest, &[welcome, time]);
    assert!(told.text().contains("nobody asked for"), "{told}");
}
