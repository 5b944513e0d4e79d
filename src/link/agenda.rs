//! Whose turn it is.

use std::collections::{HashSet, VecDeque};

use super::number::{PipeId, StreamId};

/// A stream or a pipe that has something to do, or who asks for the time or tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Actor {
    Clock,
    Stream(StreamId),
    Pipe(PipeId),
}

/// First come, first served; an actor stands in the queue once. As long as the tables of streams
/// and pipes at most, and those are bounded.
#[derive(Debug, Default)]
pub(super) struct Turns {
    queue: VecDeque<Actor>,
    waiting: HashSet<Actor>,
}

impl Turns {
    pub(super) fn add(&mut self, actor: Actor) {
        if self.waiting.insert(actor) {
            self.queue.push_back(actor);
        }
    }

    pub(super) fn next(&mut self) -> Option<Actor> {
        let actor = self.queue.pop_front()?;
        self.waiting.remove(&actor);
        Some(actor)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

/// Who may have frames to send, and who has something for a local app.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    pub(super) to_send: Turns,
    pub(super) to_deliver: Turns,
}
