use super::*;
use crate::link::limits::{OUTGOING_TARGET, TURN};

#[test]
fn bytes_go_both_ways() {
    let mut pair = Pair::new();
    let (app, _, socket) = pair.open();
    push(&app, b"hello compositor");
    push(&socket, b"hello app");
    pair.settle();
    assert_eq!(pull(&socket).unwrap(), b"hello compositor");
    assert_eq!(pull(&app).unwrap(), b"hello app");
}

#[test]
fn eight_mebibytes_keep_their_order_both_ways() {
    let mut pair = Pair::new();
    let (app, _, socket) = pair.open();
    let bytes = pattern(8 << 20);
    for (from, to) in [(&app, &socket), (&socket, &app)] {
        let (mut sent, mut arrived) = (0, Vec::new());
        while arrived.len() < bytes.len() {
            sent += push(from, &bytes[sent..]);
            pair.settle();
            let piece = pull(to).unwrap();
            assert!(!piece.is_empty() || sent < bytes.len(), "stalled at {}", arrived.len());
            arrived.extend(piece);
        }
        assert!(arrived == bytes);
    }
}

#[test]
fn a_stuck_app_stops_only_itself_and_in_bounded_memory() {
    let mut pair = Pair::new();
    let (stuck, _, never_read) = pair.open();
    let bytes = pattern(1 << 20);
    let mut sent = 0;
    loop {
        let more = push(&stuck, &bytes[..1 << 16]);
        pair.settle();
        if more == 0 {
            break;
        }
        sent += more;
        assert!(sent < 4 << 20, "nothing holds the sender back");
    }
    let limits = Limits::default();
    assert!(pair.display.held().0 <= limits.stream_credit as usize);
    assert!(pair.guest.held().0 == 0);

    let mut others: Vec<_> = (0..20).map(|_| pair.open()).collect();
    for round in 0..10 {
        for (app, id, _) in &others {
            push(app, format!("round {round} of {id}").as_bytes());
        }
        pair.settle();
        for (_, id, socket) in &others {
            assert_eq!(pull(socket).unwrap(), format!("round {round} of {id}").as_bytes());
        }
    }
    // The other direction of the stuck stream flows too.
    push(&never_read, b"ping");
    pair.settle();
    assert_eq!(pull(&stuck).unwrap(), b"ping");
    others.clear();

    // And nothing was lost.
    let mut arrived = 0;
    while arrived < sent {
        arrived += pull(&never_read).unwrap().len();
        pair.settle();
    }
    assert_eq!(arrived, sent);
}

#[test]
fn streams_take_turns() {
    let mut pair = Pair::new();
    let streams: Vec<_> = (0..4).map(|_| pair.open()).collect();
    let bytes = pattern(1 << 17);
    for (app, ..) in &streams {
        assert!(push(app, &bytes) > 4 * TURN);
    }
    // One buffer of frames has something of each.
    pair.guest.dispatch().unwrap();
    pair.display.dispatch().unwrap();
    for (_, id, socket) in &streams {
        assert!(!pull(socket).unwrap().is_empty(), "stream {id} had no turn");
    }
}

#[test]
fn the_outgoing_buffer_is_bounded_when_the_transport_is_not_read() {
    let mut pair = Pair::new();
    let streams: Vec<_> = (0..32).map(|_| pair.open()).collect();
    let bytes = pattern(1 << 17);
    for (app, ..) in &streams {
        push(app, &bytes);
    }
    // Only the guest runs.
    while is_ready(&pair.guest) {
        pair.guest.dispatch().unwrap();
    }
    assert!(pair.guest.held().0 <= OUTGOING_TARGET + 2 * TURN, "{:?}", pair.guest.held());
    pair.settle();
    for (_, _, socket) in &streams {
        assert!(!pull(socket).unwrap().is_empty());
    }
}

#[test]
fn an_idle_link_does_not_wake() {
    let mut pair = Pair::new();
    let (app, _, socket) = pair.open();
    push(&app, b"x");
    pair.settle();
    // The app that reads does not concern the link,
    pull(&socket).unwrap();
    assert!(!is_ready(&pair.guest) && !is_ready(&pair.display));
    // unless the link waits for it; but not for ever after.
    while push(&app, &pattern(1 << 16)) > 0 {
        pair.settle();
    }
    while !pull(&socket).unwrap().is_empty() {
        pair.settle();
    }
    push(&app, &pattern(1 << 15));
    pair.settle();
    pull(&socket).unwrap();
    assert!(!is_ready(&pair.guest) && !is_ready(&pair.display));
}

#[test]
fn what_an_app_said_before_it_hung_up_arrives_and_then_the_end() {
    let mut pair = Pair::new();
    let (app, id, socket) = pair.open();
    push(&app, b"last words");
    drop(app);
    pair.settle();
    assert_eq!(pull(&socket).unwrap(), b"last words");
    assert_eq!(pull(&socket), None);
    for (events, ended_by) in
        [(&mut pair.guest_events, EndedBy::ThisEnd), (&mut pair.display_events, EndedBy::Peer)]
    {
        let (stream, reason, by) = Pair::stream_closed(events);
        assert_eq!((stream, reason.code(), by), (id, ReasonCode::Finished, ended_by));
    }
    assert_eq!((pair.guest.held(), pair.display.held()), ((0, 0, 0), (0, 0, 0)));
}

#[test]
fn an_end_waits_for_a_slow_reader() {
    let mut pair = Pair::new();
    let (app, _, socket) = pair.open();
    let bytes = pattern(1 << 20);
    let (mut sent, mut arrived) = (0, Vec::new());
    while sent < bytes.len() {
        let count = push(&app, &bytes[sent..]);
        sent += count;
        pair.settle();
        if count == 0 {
            arrived.extend(pull(&socket).unwrap());
        }
    }
    drop(app);
    while let Some(piece) = {
        pair.settle();
        pull(&socket)
    } {
        arrived.extend(piece);
    }
    assert!(arrived == bytes, "{} of {}", arrived.len(), bytes.len());
    pair.settle();
    assert_eq!(pair.display.held().1, 0);
}

#[test]
fn a_compositor_that_reports_an_error_and_closes_is_heard() {
    let mut pair = Pair::new();
    let (app, _, socket) = pair.open();
    // Unread input makes the close a reset for whoever reads later.
    push(&app, b"request");
    pair.settle();
    push(&socket, b"wl_display.error");
    drop(socket);
    push(&app, b"more requests, to a dead socket");
    pair.settle();
    assert_eq!(pull(&app).unwrap(), b"wl_display.error");
    assert_eq!(pull(&app), None);
    assert_eq!((pair.guest.held().1, pair.display.held().1), (0, 0));
}

#[test]
fn both_ends_may_close_at_once() {
    let mut pair = Pair::new();
    let (app, id, socket) = pair.open();
    push(&app, b"crossing");
    push(&socket, b"crossing");
    drop((app, socket));
    assert!(pair.guest.close_stream(id, Reason::new(ReasonCode::Refused, "no")));
    assert!(!pair.guest.close_stream(id, Reason::new(ReasonCode::Refused, "no")));
    pair.settle();
    assert_eq!((pair.guest.held(), pair.display.held()), ((0, 0, 0), (0, 0, 0)));
    pair.open();
}

#[test]
fn a_stream_that_is_closed_at_once_leaves_nothing() {
    let mut pair = Pair::new();
    let id = pair.guest.open(UnixStream::pair().unwrap().1).unwrap();
    pair.guest.close_stream(id, Reason::new(ReasonCode::Finished, "changed my mind"));
    pair.settle();
    assert_eq!((pair.guest.held(), pair.display.held()), ((0, 0, 0), (0, 0, 0)));
    pair.open();
}

#[test]
fn one_stream_too_many_is_refused_and_a_closed_one_makes_room() {
    let mut pair = Pair::with_limits(Limits { streams: 2, ..Limits::default() });
    let (first, _, _first_socket) = pair.open();
    let _second = pair.open();
    let end = UnixStream::pair().unwrap().1;
    assert!(matches!(pair.guest.open(end), Err(OpenError::TooMany(2))));
    drop(first);
    pair.settle();
    pair.display_events.clear();
    pair.open();
}

#[test]
fn two_apps_that_hang_up_with_all_credit_used_leave_nothing() {
    let credit = MIN_STREAM_CREDIT as usize;
    let limits = Limits { stream_credit: MIN_STREAM_CREDIT, ..Limits::default() };
    let mut pair = Pair::with_limits(limits);
    let (app, _, socket) = pair.open();
    assert_eq!(push(&app, &pattern(credit)), credit);
    assert_eq!(push(&socket, &pattern(credit)), credit);
    drop((app, socket));
    pair.settle();
    assert_eq!((pair.guest.held(), pair.display.held()), ((0, 0, 0), (0, 0, 0)));
}

#[test]
fn a_closed_stream_is_closed_for_the_app_even_if_somebody_else_holds_the_socket() {
    let mut pair = Pair::new();
    let (app, end) = UnixStream::pair().unwrap();
    let _held = end.try_clone().unwrap();
    let id = pair.guest.open(end).unwrap();
    pair.settle();
    pair.guest.close_stream(id, Reason::new(ReasonCode::Finished, "done"));
    app.set_nonblocking(true).unwrap();
    assert_eq!(pull(&app), None);
}

/// Lets a stream bring so many bytes.
#[derive(Debug)]
struct AtMost(usize);

impl Meter for AtMost {
    fn more(&mut self, bytes: &[u8]) -> bool {
        let left = self.0.checked_sub(bytes.len());
        self.0 = left.unwrap_or_default();
        left.is_some()
    }
}

#[test]
fn who_brings_too_much_is_told_of_once_and_still_heard() {
    let mut pair = Pair::unconnected(Limits::default(), Limits::default());
    pair.display.set_meter(|| Box::new(AtMost(10)));
    pair.settle();
    pair.display_events.clear();
    let (quiet, _, _quiet_end) = pair.open();
    let (loud, id, end) = pair.open();
    push(&quiet, b"ten bytes.");
    for _ in 0..3 {
        push(&loud, b"more than ten");
        pair.settle();
    }
    assert!(matches!(pair.display_events[..], [LinkEvent::Excess { stream }] if stream == id));
    assert_eq!(pull(&end).unwrap().len(), 39);
}
