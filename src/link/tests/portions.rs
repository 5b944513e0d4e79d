//! What apps are given in one dispatch has a bound, and streams take turns within it.

use super::*;

/// Bytes in a dispatch.
const PORTION: usize = 1000;

#[derive(Debug)]
struct Thousand;

impl Portion for Thousand {
    fn bytes(&self) -> usize {
        PORTION
    }
}

/// A link whose display end has a portion, and some streams.
fn portioned(streams: usize) -> (Pair, Vec<(UnixStream, StreamId, UnixStream)>) {
    let mut pair = Pair::new();
    pair.display.set_portion(Thousand);
    let streams = (0..streams).map(|_| pair.open()).collect();
    (pair, streams)
}

#[test]
fn a_portion_bounds_what_apps_are_given_in_one_dispatch() {
    let (mut pair, streams) = portioned(3);
    let bytes = pattern(10_000);
    for (app, ..) in &streams {
        assert_eq!(push(app, &bytes), bytes.len());
    }
    while is_ready(&pair.guest) {
        pair.guest.dispatch().unwrap();
    }
    let mut arrived = vec![Vec::new(); streams.len()];
    let mut dispatches = 0;
    while arrived.iter().any(|arrived| arrived.len() < bytes.len()) {
        assert!(is_ready(&pair.display), "what is held back is not forgotten");
        pair.display.dispatch().unwrap();
        dispatches += 1;
        let mut in_this = 0;
        for ((_, _, socket), arrived) in streams.iter().zip(&mut arrived) {
            let more = pull(socket).unwrap();
            in_this += more.len();
            arrived.extend(more);
        }
        assert!(in_this <= PORTION, "{in_this} bytes in one dispatch");
        let lengths = arrived.iter().map(Vec::len);
        let (most, least) = (lengths.clone().max().unwrap(), lengths.min().unwrap());
        assert!(most - least <= PORTION, "no stream is more than a portion behind");
    }
    assert!(arrived.iter().all(|arrived| *arrived == bytes));
    assert!(dispatches <= streams.len() * bytes.len() / PORTION + 1, "{dispatches}");
    pair.settle();
}

#[test]
fn who_hangs_up_is_heard_to_the_end_by_portions() {
    let (mut pair, mut streams) = portioned(1);
    let (app, id, socket) = streams.pop().unwrap();
    let bytes = pattern(5500);
    assert_eq!(push(&app, &bytes), bytes.len());
    drop(app);
    pair.settle();
    assert_eq!(pull(&socket).unwrap(), bytes);
    assert_eq!(pull(&socket), None, "then it is closed");
    assert_eq!(Pair::stream_closed(&mut pair.display_events).0, id);
}

#[test]
fn a_portion_does_not_hold_up_the_other_direction() {
    let (mut pair, streams) = portioned(2);
    let (bytes, mut sent) = (pattern(1 << 16), 0);
    let (flood, _, ignored) = &streams[0];
    let (app, _, socket) = &streams[1];
    for round in 0..200 {
        sent += push(flood, &bytes);
        if is_ready(&pair.guest) {
            pair.guest.dispatch().unwrap();
        }
        pair.display.dispatch().unwrap();
        pull(ignored).unwrap();
        let word = format!("round {round}");
        push(socket, word.as_bytes());
        pair.display.dispatch().unwrap();
        pair.guest.dispatch().unwrap();
        assert_eq!(pull(app).unwrap(), word.as_bytes());
    }
    assert!(sent > 1 << 17, "only {sent} bytes are no flood");
}
