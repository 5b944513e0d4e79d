//! All pipes of a link. They outlive the stream that brought them, as a pipe outlives the
//! connection it was passed over.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::os::fd::OwnedFd;

use rustix::event::epoll::EventFlags;
use rustix::pipe::{PipeFlags, pipe_with};

use super::agenda::{Actor, Agenda};
use super::frame::{Payload, PipeSide};
use super::limits::{Announced, Limits};
use super::number::PipeId;
use super::pipe::{AfterTurn, Direction, Pipe, PipeFile};
use super::readiness::Poller;
use super::reason::{Reason, ReasonCode};
use super::violation::Violation;

/// The table of pipes.
#[derive(Debug)]
pub(super) struct Pipes {
    table: BTreeMap<PipeId, Pipe>,
    /// The number of the next pipe that this end opens.
    next: Option<PipeId>,
    newest_of_peer: Option<PipeId>,
    is_display: bool,
    ours: Limits,
    theirs: Announced,
    poller: Poller,
}

impl Pipes {
    pub(super) fn new(is_display: bool, ours: Limits, theirs: Announced, poller: Poller) -> Pipes {
        Pipes {
            table: BTreeMap::new(),
            next: Some(PipeId::first(is_display)),
            newest_of_peer: None,
            is_display,
            ours,
            theirs,
            poller,
        }
    }

    /// Opens a pipe for an end that a local app passed on.
    pub(super) fn open(
        &mut self,
        end: OwnedFd,
        direction: Direction,
        agenda: &mut Agenda,
    ) -> Result<(PipeId, PipeSide), Reason> {
        let too_many = || Reason::new(ReasonCode::Limit, "too many pipes are open");
        if self.opened_by(self.is_display) >= self.theirs.pipes as usize {
            return Err(too_many());
        }
        let id = self.next.ok_or_else(too_many)?;
        let end = PipeFile::new(end, id, direction, &self.poller).map_err(|error| {
            Reason::new(ReasonCode::Resources, format!("cannot carry a pipe: {error}"))
        })?;
        self.next = id.next();
        self.insert(id, direction, end, agenda);
        Ok((
            id,
            match direction {
                Direction::FromHere => PipeSide::Read,
                Direction::ToHere => PipeSide::Write,
            },
        ))
    }

    /// Opens a pipe of the peer, and answers with the end for the local app. Where that fails
    /// the pipe is open all the same and about to end, for the peer counts on it.
    pub(super) fn opened_by_peer(
        &mut self,
        id: PipeId,
        side: PipeSide,
        agenda: &mut Agenda,
    ) -> Result<Result<OwnedFd, Reason>, Violation> {
        self.reserve(id)?;
        let made = pipe_with(PipeFlags::CLOEXEC).map_err(std::io::Error::from).and_then(
            |(reader, writer)| {
                let (direction, ours, apps) = match side {
                    PipeSide::Read => (Direction::ToHere, writer, reader),
                    PipeSide::Write => (Direction::FromHere, reader, writer),
                };
                Ok((direction, PipeFile::new(ours, id, direction, &self.poller)?, apps))
            },
        );
        Ok(match made {
            Ok((direction, end, apps)) => {
                self.insert(id, direction, end, agenda);
                Ok(apps)
            }
            Err(error) => {
                self.insert_ending(id, agenda);
                Err(Reason::new(ReasonCode::Resources, format!("cannot make a pipe: {error}")))
            }
        })
    }

    /// A pipe of the peer that came for a stream that no longer has an app.
    pub(super) fn turned_away(&mut self, id: PipeId, agenda: &mut Agenda) -> Result<(), Violation> {
        self.reserve(id)?;
        self.insert_ending(id, agenda);
        Ok(())
    }

    fn reserve(&mut self, id: PipeId) -> Result<(), Violation> {
        let newer = self.newest_of_peer.is_none_or(|newest| id > newest);
        if id.by_display() == self.is_display || !newer {
            return Err(Violation::PipeReused(id));
        }
        if self.opened_by(!self.is_display) >= self.ours.pipes as usize {
            return Err(Violation::TooManyPipes(self.ours.pipes));
        }
        self.newest_of_peer = Some(id);
        Ok(())
    }

    fn opened_by(&self, display: bool) -> usize {
        self.table.keys().filter(|id| id.by_display() == display).count()
    }

    fn insert(&mut self, id: PipeId, direction: Direction, end: PipeFile, agenda: &mut Agenda) {
        let pipe = Pipe::new(direction, end, self.theirs.pipe_credit, self.ours.pipe_credit);
        self.table.insert(id, pipe);
        agenda.to_send.add(Actor::Pipe(id));
    }

    fn insert_ending(&mut self, id: PipeId, agenda: &mut Agenda) {
        self.table.insert(id, Pipe::Ending { peer_ended: false });
        agenda.to_send.add(Actor::Pipe(id));
    }

    fn get(&mut self, id: PipeId) -> Result<&mut Pipe, Violation> {
        self.table.get_mut(&id).ok_or(Violation::UnknownPipe(id))
    }

    pub(super) fn data(
        &mut self,
        id: PipeId,
        payload: Payload<'_>,
        agenda: &mut Agenda,
    ) -> Result<(), Violation> {
        self.get(id)?.data(id, payload)?;
        agenda.to_deliver.add(Actor::Pipe(id));
        Ok(())
    }

    pub(super) fn granted(
        &mut self,
        id: PipeId,
        bytes: NonZeroU32,
        agenda: &mut Agenda,
    ) -> Result<(), Violation> {
        self.get(id)?.granted(id, bytes)?;
        agenda.to_send.add(Actor::Pipe(id));
        Ok(())
    }

    pub(super) fn ended(&mut self, id: PipeId, agenda: &mut Agenda) -> Result<(), Violation> {
        match self.get(id)?.peer_ended(id)? {
            AfterTurn::Remove => {
                self.table.remove(&id);
            }
            AfterTurn::Again | AfterTurn::Nothing => agenda.to_deliver.add(Actor::Pipe(id)),
        }
        Ok(())
    }

    pub(super) fn ready(&mut self, id: PipeId, flags: EventFlags, agenda: &mut Agenda) {
        if let Some(pipe) = self.table.get_mut(&id) {
            if pipe.ready(flags) {
                agenda.to_send.add(Actor::Pipe(id));
            } else {
                agenda.to_deliver.add(Actor::Pipe(id));
            }
        }
    }

    pub(super) fn deliver(&mut self, id: PipeId, agenda: &mut Agenda) {
        if self.table.get_mut(&id).is_some_and(Pipe::deliver) {
            agenda.to_send.add(Actor::Pipe(id));
        }
    }

    pub(super) fn take_turn(
        &mut self,
        id: PipeId,
        out: &mut Vec<u8>,
        scratch: &mut [u8],
        agenda: &mut Agenda,
    ) {
        let Some(pipe) = self.table.get_mut(&id) else { return };
        match pipe.take_turn(id, out, scratch) {
            AfterTurn::Nothing => {}
            AfterTurn::Again => agenda.to_send.add(Actor::Pipe(id)),
            AfterTurn::Remove => {
                self.table.remove(&id);
            }
        }
    }

    /// Bytes held for local readers.
    #[cfg(test)]
    pub(super) fn buffered(&self) -> usize {
        self.table.values().map(Pipe::buffered).sum()
    }

    /// Pipes in the table, those that are ending too.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.table.len()
    }
}
