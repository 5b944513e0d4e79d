use super::*;
use crate::link::decoder::Decoder;
use crate::link::frame::{Frame, Hello};

#[test]
fn both_ends_become_ready_and_the_guest_learns_who_it_is() {
    // `Pair` asserts the events.
    Pair::new();
}

#[test]
fn no_stream_before_the_handshake_and_none_from_the_display() {
    let mut pair = Pair::unconnected(Limits::default(), Limits::default());
    let end = || UnixStream::pair().unwrap().1;
    assert!(matches!(pair.guest.open(end()), Err(OpenError::NotReady)));
    pair.settle();
    assert!(matches!(pair.display.open(end()), Err(OpenError::NotGuest)));
    pair.guest.close(Reason::new(ReasonCode::Finished, "done"));
    assert!(matches!(pair.guest.open(end()), Err(OpenError::Closed)));
}

fn hello(versions: RangeInclusive<u16>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let limits = Limits::default().try_into().unwrap();
    Frame::Hello(Hello { versions, limits }).encode(&mut bytes);
    bytes
}

/// What a link answers to these first bytes: its event, and the reason of its Goodbye.
fn answer(role: Role, bytes: &[u8]) -> (Option<LinkEvent>, Option<Reason>) {
    let (end, mut peer) = UnixStream::pair().unwrap();
    let mut link = Link::new(end, role, Limits::default()).unwrap();
    peer.write_all(bytes).unwrap();
    while is_ready(&link) {
        link.dispatch().unwrap();
    }
    peer.set_nonblocking(true).unwrap();
    let said = pull(&peer).unwrap_or_default();
    let mut decoder = Decoder::new();
    decoder.space()[..said.len()].copy_from_slice(&said);
    decoder.filled(said.len());
    let mut goodbye = None;
    while let Some(frame) = decoder.next_frame().unwrap() {
        if let Frame::Goodbye(reason) = frame {
            goodbye = Some(reason);
        }
    }
    (link.next_event(), goodbye)
}

#[test]
fn a_version_mismatch_closes_with_its_own_code() {
    for role in [Role::Guest, display_role()] {
        let (event, goodbye) = answer(role, &hello(3..=9));
        let Some(LinkEvent::Closed { reason, by: EndedBy::ThisEnd }) = event else {
            panic!("{event:?}");
        };
        assert_eq!(reason.code(), ReasonCode::Version);
        assert_eq!(goodbye, Some(reason));
    }
}

#[test]
fn a_newer_peer_that_still_speaks_version_1_is_welcome() {
    let (event, goodbye) = answer(display_role(), &hello(1..=9));
    assert!(matches!(event, Some(LinkEvent::Ready { .. })), "{event:?}");
    assert_eq!(goodbye, None);
}

#[test]
fn nothing_is_accepted_before_hello() {
    let stream = StreamId::new(1).unwrap();
    let payload = frame::Payload::new(b"x").unwrap();
    let welcome = Frame::Welcome { version: 1, guest: domain(1), display: DomainId::DISPLAY };
    for frame in [Frame::Open { stream }, Frame::Data { stream, payload }, welcome] {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        for role in [Role::Guest, display_role()] {
            let (event, goodbye) = answer(role, &bytes);
            let Some(LinkEvent::Closed { reason, .. }) = event else { panic!("{event:?}") };
            assert_eq!(reason.code(), ReasonCode::Violation);
            assert_eq!(goodbye, Some(reason));
        }
    }
}

#[test]
fn a_guest_takes_nothing_between_hello_and_welcome_and_only_the_agreed_version() {
    let stream = StreamId::new(1).unwrap();
    for (frame, text) in [
        (Frame::Open { stream }, "Open"),
        (Frame::Welcome { version: 3, guest: domain(1), display: DomainId::DISPLAY }, "version 3"),
    ] {
        let mut bytes = hello(1..=1);
        frame.encode(&mut bytes);
        let (event, goodbye) = answer(Role::Guest, &bytes);
        let Some(LinkEvent::Closed { reason, .. }) = event else { panic!("{event:?}") };
        assert!(reason.text().contains(text), "{reason}");
        assert_eq!(goodbye, Some(reason));
    }
}

#[test]
fn a_peer_that_hangs_up_is_lost() {
    let mut pair = Pair::new();
    let (app, _, _socket) = pair.open();
    drop(std::mem::replace(&mut pair.guest, Pair::new().guest));
    pair.settle();
    let Some(LinkEvent::Closed { reason, by }) = pair.display_events.pop() else {
        panic!("{:?}", pair.display_events);
    };
    assert_eq!((reason.code(), by), (ReasonCode::Lost, EndedBy::Peer));
    assert_eq!(pull(&app), None);
}

#[test]
fn limits_outside_their_ranges_are_refused() {
    let bad = [
        Limits { streams: 0, ..Limits::default() },
        Limits { stream_credit: MIN_STREAM_CREDIT - 1, ..Limits::default() },
        Limits { stream_credit: u32::MAX, ..Limits::default() },
        Limits { file_content: u32::MAX, ..Limits::default() },
        Limits { pipes: u32::MAX, ..Limits::default() },
        Limits { pipe_credit: 0, ..Limits::default() },
    ];
    for limits in bad {
        let end = UnixStream::pair().unwrap().0;
        assert!(matches!(Link::new(end, Role::Guest, limits), Err(LinkError::Limits(_))));
    }
}

#[test]
fn closing_tells_both_ends_why_in_clean_words() {
    let mut pair = Pair::new();
    let (app, _, socket) = pair.open();
    let text = "bye\x1b[31m\u{202e}evil\n";
    pair.display.close(Reason::new(ReasonCode::Refused, text));
    pair.settle();
    let [(guest, guest_by), (display, display_by)] = pair.closed();
    assert_eq!(guest, display);
    assert_eq!(guest.text(), "bye[31mevil");
    assert_eq!((guest_by, display_by), (EndedBy::Peer, EndedBy::ThisEnd));
    assert_eq!((pull(&app), pull(&socket)), (None, None));
}
