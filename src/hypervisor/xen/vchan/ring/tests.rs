//! The index protocol: every order of its steps, random use, and a hostile other side.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

/// A ring in loom's memory, in which loads may be as old as the rules of memory allow.
mod modelled {
    use loom::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
    use loom::sync::atomic::{AtomicU8, AtomicU32, fence};
    use loom::sync::{Arc, Condvar, Mutex};

    use super::super::*;

    const SIZE: Size = Size(2);

    struct Model {
        produced: AtomicU32,
        consumed: AtomicU32,
        bytes: [AtomicU8; 2],
        /// Requests of one side each, as in the shared page.
        readers: AtomicU8,
        writers: AtomicU8,
        /// The event channels of both.
        events: [Event; 2],
    }

    #[derive(Default)]
    struct Event {
        raised: Mutex<bool>,
        changed: Condvar,
    }

    impl Event {
        fn raise(&self) {
            *self.raised.lock().unwrap() = true;
            self.changed.notify_one();
        }

        /// Sleeps until the event comes; loom finds it out if it never does.
        fn wait(&self) {
            let mut raised = self.raised.lock().unwrap();
            while !std::mem::take(&mut *raised) {
                raised = self.changed.wait(raised).unwrap();
            }
        }
    }

    impl Model {
        fn new() -> Arc<Model> {
            Arc::new(Model {
                produced: AtomicU32::new(u32::MAX),
                consumed: AtomicU32::new(u32::MAX),
                bytes: [AtomicU8::new(0), AtomicU8::new(0)],
                readers: AtomicU8::new(0),
                writers: AtomicU8::new(0),
                events: [Event::default(), Event::default()],
            })
        }

        fn requests(&self, notify: Notify) -> &AtomicU8 {
            match notify {
                Notify::Written => &self.readers,
                Notify::Read => &self.writers,
            }
        }
    }

    impl Shared for Model {
        fn produced(&self) -> u32 {
            self.produced.load(Acquire)
        }
        fn consumed(&self) -> u32 {
            self.consumed.load(Acquire)
        }
        fn set_produced(&self, count: u32) {
            self.produced.store(count, Release);
        }
        fn set_consumed(&self, count: u32) {
            self.consumed.store(count, Release);
        }
        fn copy_out(&self, at: usize, to: &mut [u8]) {
            (at..).zip(to).for_each(|(at, byte)| *byte = self.bytes[at].load(Relaxed));
        }
        fn copy_in(&self, at: usize, from: &[u8]) {
            (at..).zip(from).for_each(|(at, byte)| self.bytes[at].store(*byte, Relaxed));
        }
        fn ask(&self, notify: Notify) {
            self.requests(notify).fetch_or(notify as u8, SeqCst);
            fence(SeqCst);
        }
        fn take_request(&self, notify: Notify) -> bool {
            fence(SeqCst);
            self.requests(notify).fetch_and(!(notify as u8), SeqCst) & notify as u8 != 0
        }
    }

    /// Three bytes through a ring of two. Whoever can do nothing sleeps until an event: a lost one
    /// is a deadlock, which loom reports, and a byte read before it was written is a wrong one.
    #[test]
    fn no_event_and_no_byte_is_lost_in_any_order() {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(|| {
            let shared = Model::new();
            let peer = shared.clone();
            let writer = loom::thread::spawn(move || {
                let mut sender = Sender::new(&*peer, SIZE);
                let mut rest: &[u8] = &[1, 2, 3];
                while !rest.is_empty() {
                    let moved = sender.send(&*peer, rest).unwrap();
                    rest = &rest[moved.bytes..];
                    if moved.notify {
                        peer.events[0].raise();
                    }
                    if moved.bytes == 0 {
                        peer.events[1].wait();
                    }
                }
            });
            let mut receiver = Receiver::new(&*shared, SIZE);
            let mut received: Vec<u8> = Vec::new();
            while received.len() < 3 {
                let mut buffer = [0; 2];
                let moved = receiver.receive(&*shared, &mut buffer).unwrap();
                received.extend(&buffer[..moved.bytes]);
                if moved.notify {
                    shared.events[1].raise();
                }
                if moved.bytes == 0 {
                    shared.events[0].wait();
                }
            }
            assert_eq!(received, [1, 2, 3]);
            writer.join().unwrap();
        });
    }
}

/// A ring in one thread.
#[derive(Default)]
struct Plain {
    produced: Cell<u32>,
    consumed: Cell<u32>,
    bytes: RefCell<[u8; 8]>,
    requests: Cell<u8>,
}

impl Shared for Plain {
    fn produced(&self) -> u32 {
        self.produced.get()
    }
    fn consumed(&self) -> u32 {
        self.consumed.get()
    }
    fn set_produced(&self, count: u32) {
        self.produced.set(count);
    }
    fn set_consumed(&self, count: u32) {
        self.consumed.set(count);
    }
    fn copy_out(&self, at: usize, to: &mut [u8]) {
        to.copy_from_slice(&self.bytes.borrow()[at..at + to.len()]);
    }
    fn copy_in(&self, at: usize, from: &[u8]) {
        self.bytes.borrow_mut()[at..at + from.len()].copy_from_slice(from);
    }
    fn ask(&self, notify: Notify) {
        self.requests.set(self.requests.get() | notify as u8);
    }
    fn take_request(&self, notify: Notify) -> bool {
        let before = self.requests.get();
        self.requests.set(before & !(notify as u8));
        before & notify as u8 != 0
    }
}

const SIZE: Size = Size(8);

proptest! {
    #[test]
    fn bytes_come_out_as_they_went_in(
        start in any::<u32>(),
        steps in prop::collection::vec((any::<bool>(), 0usize..12), 1..100),
    ) {
        let shared = Plain::default();
        shared.produced.set(start);
        shared.consumed.set(start);
        let mut sender = Sender::new(&shared, SIZE);
        let mut receiver = Receiver::new(&shared, SIZE);
        let (mut expected, mut next) = (VecDeque::new(), 0u8);
        for (is_send, count) in steps {
            if is_send {
                let bytes: Vec<u8> = (0..count).map(|i| next.wrapping_add(i as u8)).collect();
                let moved = sender.send(&shared, &bytes).unwrap();
                prop_assert_eq!(moved.bytes, count.min(8 - expected.len()));
                expected.extend(&bytes[..moved.bytes]);
                next = next.wrapping_add(moved.bytes as u8);
            } else {
                let mut buffer = vec![0; count];
                let moved = receiver.receive(&shared, &mut buffer).unwrap();
                prop_assert_eq!(moved.bytes, count.min(expected.len()));
                let taken: Vec<u8> = expected.drain(..moved.bytes).collect();
                prop_assert_eq!(&buffer[..moved.bytes], &taken[..]);
            }
        }
    }

    #[test]
    fn impossible_indices_are_refused_and_nothing_is_touched(
        own in any::<u32>(),
        theirs in any::<u32>(),
    ) {
        let shared = Plain::default();
        shared.consumed.set(own);
        shared.produced.set(own);
        let mut receiver = Receiver::new(&shared, SIZE);
        let mut sender = Sender::new(&shared, SIZE);

        shared.produced.set(theirs);
        let mut buffer = [0xaa; 8];
        let received = receiver.receive(&shared, &mut buffer);
        prop_assert_eq!(received.is_err(), theirs.wrapping_sub(own) > 8);
        if received.is_err() {
            prop_assert_eq!((buffer, shared.consumed.get()), ([0xaa; 8], own));
        }

        let shared = Plain::default();
        shared.consumed.set(theirs);
        let sent = sender.send(&shared, b"12345678");
        prop_assert_eq!(sent.is_err(), own.wrapping_sub(theirs) > 8);
        if sent.is_err() {
            prop_assert_eq!((*shared.bytes.borrow(), shared.produced.get()), ([0; 8], 0));
        }
    }
}

#[test]
fn events_are_asked_for_only_by_those_who_wait() {
    let shared = Plain::default();
    let (mut sender, mut receiver) = (Sender::new(&shared, SIZE), Receiver::new(&shared, SIZE));
    assert_eq!(sender.send(&shared, b"1234"), Ok(Moved { bytes: 4, notify: false }));
    assert_eq!(receiver.receive(&shared, &mut [0; 4]), Ok(Moved { bytes: 4, notify: false }));
    assert_eq!(receiver.receive(&shared, &mut [0; 4]), Ok(Moved { bytes: 0, notify: false }));
    assert_eq!(sender.send(&shared, b"12345678"), Ok(Moved { bytes: 8, notify: true }));
    assert_eq!(sender.send(&shared, b"9"), Ok(Moved { bytes: 0, notify: false }));
    assert_eq!(receiver.receive(&shared, &mut [0; 1]), Ok(Moved { bytes: 1, notify: true }));
}
