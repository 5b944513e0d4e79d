//! One bad frame closes the link, and both ends say why.

use std::num::NonZeroU32;

use super::*;
use crate::link::frame::{Frame, Payload, PipeSide};
use crate::link::number::PipeId;

/// Lets one end say something that it would not, and tells how both ends closed.
fn reason_for(by_guest: bool, limits: Limits, frames: &[Frame<'_>], bytes: &[u8]) -> String {
    let mut pair = Pair::with_limits(limits);
    let (app, _, socket) = pair.open();
    let said = if by_guest { &mut pair.guest } else { &mut pair.display };
    let mut raw = Vec::new();
    for frame in frames {
        frame.encode(&mut raw);
    }
    raw.extend_from_slice(bytes);
    said.inject(&raw);
    pair.settle();
    let [guest, display] = pair.closed();
    let (culprit, victim) = if by_guest { (guest, display) } else { (display, guest) };
    assert_eq!(culprit.0, victim.0);
    assert_eq!((culprit.1, victim.1), (EndedBy::Peer, EndedBy::ThisEnd));
    assert_eq!(victim.0.code(), ReasonCode::Violation);
    // Nothing is left open for the apps.
    while pull(&app).is_some() {}
    while pull(&socket).is_some() {}
    victim.0.text().to_owned()
}

fn expect(by_guest: bool, frames: &[Frame<'_>], text: &str) {
    let reason = reason_for(by_guest, Limits::default(), frames, &[]);
    assert!(reason.contains(text), "{frames:?} closed with '{reason}', not '{text}'");
}

fn stream(number: u32) -> StreamId {
    StreamId::new(number).unwrap()
}

fn pipe(number: u32) -> PipeId {
    PipeId::new(number).unwrap()
}

const X: &[u8] = b"x";

fn x() -> Payload<'static> {
    Payload::new(X).unwrap()
}

#[test]
fn frames_that_do_not_belong_where_they_come() {
    for frame in codec::every_frame(X) {
        if matches!(frame, Frame::Hello(_) | Frame::Welcome { .. }) {
            expect(true, std::slice::from_ref(&frame), "does not belong here");
            expect(false, std::slice::from_ref(&frame), "does not belong here");
        }
    }
    expect(false, &[Frame::Open { stream: stream(9) }], "does not belong here");
}

#[test]
fn streams_that_are_not_open_or_no_longer() {
    let reason = Reason::new(ReasonCode::Finished, "");
    let nowhere = stream(99);
    let credit = NonZeroU32::MIN;
    for frame in [
        Frame::Close { stream: nowhere, reason: reason.clone() },
        Frame::Data { stream: nowhere, payload: x() },
        Frame::Credit { stream: nowhere, bytes: credit },
        Frame::File { stream: nowhere, size: 0 },
        Frame::Content { stream: nowhere, payload: x() },
        Frame::Pipe { stream: nowhere, pipe: pipe(1), side: PipeSide::Read },
    ] {
        expect(true, std::slice::from_ref(&frame), "stream 99 is not open");
        expect(false, &[frame], "stream 99 is not open");
    }
    let close = Frame::Close { stream: stream(1), reason };
    for after in [Frame::Data { stream: stream(1), payload: x() }, close.clone()] {
        expect(true, &[close.clone(), after.clone()], "after its Close");
        expect(false, &[close.clone(), after], "after its Close");
    }
    expect(true, &[Frame::Open { stream: stream(1) }], "cannot be opened");
    let twice = Frame::Open { stream: stream(5) };
    expect(true, &[twice.clone(), twice.clone()], "cannot be opened");
    expect(true, &[twice, Frame::Open { stream: stream(4) }], "cannot be opened");
}

#[test]
fn more_streams_than_allowed() {
    let limits = Limits { streams: 3, ..Limits::default() };
    let opens: Vec<_> = (2..=4).map(|number| Frame::Open { stream: stream(number) }).collect();
    assert!(reason_for(true, limits, &opens, &[]).contains("more than 3 streams"));
}

#[test]
fn bytes_beyond_credit_and_credit_beyond_use() {
    // An honest guest stops when a stuck compositor grants nothing more; one byte on top is bad.
    let mut pair = Pair::new();
    let (app, id, _stuck) = pair.open();
    while push(&app, &pattern(1 << 16)) > 0 {
        pair.settle();
    }
    assert!(pair.display_events.is_empty());
    let mut raw = Vec::new();
    Frame::Data { stream: id, payload: x() }.encode(&mut raw);
    pair.guest.inject(&raw);
    pair.settle();
    let [(guest, _), (display, _)] = pair.closed();
    assert_eq!(guest, display);
    assert!(guest.text().contains("more bytes than there was credit"), "{guest}");

    let credit = Frame::Credit { stream: stream(1), bytes: NonZeroU32::MIN };
    expect(true, std::slice::from_ref(&credit), "more credit than there was use");
    expect(false, &[credit], "more credit than there was use");
    let much = Frame::Credit { stream: stream(1), bytes: NonZeroU32::MAX };
    expect(true, &[much], "more credit than there was use");
}

#[test]
fn files_that_are_no_files() {
    let one = stream(1);
    let file = Frame::File { stream: one, size: 3 };
    expect(true, &[Frame::File { stream: one, size: u32::MAX }], "a file of 4294967295 bytes");
    expect(true, &[Frame::Content { stream: one, payload: x() }], "content of no file");
    let four = Payload::new(b"four").unwrap();
    let beyond = Frame::Content { stream: one, payload: four };
    expect(false, &[file.clone(), beyond], "more content than the file has");
    let inside = [
        Frame::Data { stream: one, payload: x() },
        file.clone(),
        Frame::Pipe { stream: one, pipe: pipe(1), side: PipeSide::Read },
    ];
    for frame in inside {
        expect(true, &[file.clone(), frame.clone()], "inside a file");
    }
    let whole = Frame::Content { stream: one, payload: Payload::new(b"all").unwrap() };
    expect(true, &[file, whole.clone(), whole], "content of no file");
}

#[test]
fn more_attachments_than_a_message_carries() {
    let empty = Frame::File { stream: stream(1), size: 0 };
    let reason = reason_for(true, Limits::default(), &vec![empty; MAX_ATTACHMENTS + 1], &[]);
    assert!(reason.contains("more attachments"), "{reason}");
}

#[test]
fn pipes_that_are_not_open_or_the_wrong_way_round() {
    let bytes = NonZeroU32::MIN;
    for frame in [
        Frame::PipeData { pipe: pipe(9), payload: x() },
        Frame::PipeCredit { pipe: pipe(9), bytes },
        Frame::PipeEnd { pipe: pipe(9) },
    ] {
        expect(true, std::slice::from_ref(&frame), "is not open");
        expect(false, &[frame], "is not open");
    }
    let open = |number, side| Frame::Pipe { stream: stream(1), pipe: pipe(number), side };
    let display = 1 << 31 | 1;
    expect(true, &[open(display, PipeSide::Read)], "wrong side");
    expect(false, &[open(1, PipeSide::Read)], "wrong side");
    expect(true, &[open(2, PipeSide::Read), open(2, PipeSide::Read)], "older than the newest");
    expect(true, &[open(2, PipeSide::Read), open(1, PipeSide::Read)], "older than the newest");

    let credit = Frame::PipeCredit { pipe: pipe(1), bytes };
    let data = Frame::PipeData { pipe: pipe(1), payload: x() };
    let end = Frame::PipeEnd { pipe: pipe(1) };
    let reads = open(1, PipeSide::Read);
    let writes = open(1, PipeSide::Write);
    expect(true, &[reads.clone(), credit], "against the direction");
    expect(true, &[writes, data.clone()], "against the direction");
    expect(true, &[reads.clone(), end.clone(), data.clone()], "after its end");
    expect(true, &[reads.clone(), end.clone(), end], "after its end");

    let block = pattern(1 << 16);
    let much = Frame::PipeData { pipe: pipe(1), payload: Payload::new(&block).unwrap() };
    expect(true, &[reads.clone(), much, data], "more bytes than there was credit");
    let credit = Frame::PipeCredit { pipe: pipe(1), bytes };
    expect(true, &[open(1, PipeSide::Write), credit], "more credit than there was use");

    let limits = Limits { pipes: 2, ..Limits::default() };
    let opens: Vec<_> = (1..=3).map(|number| open(number, PipeSide::Read)).collect();
    assert!(reason_for(true, limits, &opens, &[]).contains("more than 2 pipes"));
}

#[test]
fn bytes_that_are_no_frames() {
    let header = |length: u32, kind: u16, reserved: u16, subject: u32| {
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend(kind.to_le_bytes());
        bytes.extend(reserved.to_le_bytes());
        bytes.extend(subject.to_le_bytes());
        bytes
    };
    let with = |mut header: Vec<u8>, payload: &[u8]| {
        header.extend_from_slice(payload);
        header
    };
    for (bytes, text) in [
        (header(0, 0x99, 0, 0), "unknown frame kind 0x99"),
        (header(0x1_0001, 0x12, 0, 1), "Data frame cannot be 65537 bytes"),
        (header(0, 0x12, 0, 1), "Data frame cannot be 0 bytes"),
        (header(1, 0x10, 0, 9), "Open frame cannot be 1 bytes"),
        (header(0, 0x10, 0, 0), "Open frame cannot be about number 0x0"),
        (header(2, 0x03, 0, 1), "Goodbye frame cannot be about number 0x1"),
        (header(0, 0x32, 0, 1 << 31), "PipeEnd frame cannot be about"),
        (header(0, 0x10, 7, 9), "reserved bytes"),
        (with(header(4, 0x13, 0, 1), &[0; 4]), "credit of 0 bytes"),
        (with(header(2, 0x11, 0, 1), &[99, 0]), "unknown reason code 99"),
        (with(header(3, 0x11, 0, 1), &[0, 0, 0xff]), "not UTF-8"),
        (with(header(5, 0x22, 0, 1), &[0; 5]), "names no pipe"),
        (with(header(5, 0x22, 0, 1), &[1, 0, 0, 0, 2]), "no side of a pipe"),
        (with(header(6, 0x02, 0, 0), &[1, 0, 0xff, 0xff, 0, 0]), "names no domain"),
        (with(header(32, 0x01, 0, 0), &[0; 32]), "magic"),
    ] {
        for by_guest in [true, false] {
            let reason = reason_for(by_guest, Limits::default(), &[], &bytes);
            assert!(reason.contains(text), "closed with '{reason}', not '{text}'");
        }
    }
}

#[test]
fn a_goodbye_waits_for_a_peer_that_does_not_read_yet() {
    let mut pair = Pair::new();
    let streams: Vec<_> = (0..8).map(|_| pair.open()).collect();
    let bytes = pattern(1 << 17);
    for (_, _, socket) in &streams {
        push(socket, &bytes);
    }
    // Only the display runs: the transport is full.
    let run_display = |pair: &mut Pair| {
        while is_ready(&pair.display) {
            pair.display.dispatch().unwrap();
        }
    };
    run_display(&mut pair);
    pair.display.close(Reason::new(ReasonCode::Refused, "enough"));
    run_display(&mut pair);
    // The apps are free at once, the owner is told when the guest has been.
    assert!(!pair.display.is_closed());
    pair.settle();
    let [(guest, _), (display, _)] = pair.closed();
    assert_eq!((guest.text(), display.text()), ("enough", "enough"));
}

#[test]
fn a_peer_that_never_reads_cannot_hold_the_link_once_it_hangs_up() {
    let mut pair = Pair::new();
    let streams: Vec<_> = (0..8).map(|_| pair.open()).collect();
    let bytes = pattern(1 << 17);
    for (_, _, socket) in &streams {
        push(socket, &bytes);
    }
    while is_ready(&pair.display) {
        pair.display.dispatch().unwrap();
    }
    pair.display.close(Reason::new(ReasonCode::Refused, "enough"));
    pair.guest = Pair::new().guest;
    pair.settle();
    let Some(LinkEvent::Closed { reason, .. }) = pair.display_events.pop() else { panic!() };
    assert_eq!(reason.text(), "enough");
}
