//! One pipe that crosses the link: each end has a real pipe, the link carries what flows.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::OwnedFd;

use rustix::event::epoll::EventFlags;
use rustix::fs::OFlags;
use rustix::io::{Errno, ReadWriteFlags, preadv2, pwritev2};

use super::credit::{ReceiveWindow, SendCredit};
use super::frame::{Frame, HEADER, Payload};
use super::limits::TURN;
use super::number::PipeId;
use super::readiness::{Key, Poller, Watched};
use super::violation::Violation;

/// Which way the bytes of a pipe go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// Read here, written at the other end.
    FromHere,
    /// Read at the other end, written here.
    ToHere,
}

/// A pipe of the link. Each end says PipeEnd exactly once, and the number is free when both have.
#[derive(Debug)]
pub(super) enum Pipe {
    Source {
        end: PipeFile,
        credit: SendCredit,
        readable: bool,
    },
    Sink {
        end: PipeFile,
        window: ReceiveWindow,
        queue: VecDeque<u8>,
        ended: bool,
    },
    /// The local end is closed; a PipeEnd is to be sent.
    Ending {
        peer_ended: bool,
    },
    /// The PipeEnd has been sent; what still arrives is on its way since before.
    AwaitingEnd,
}

/// What is to be done with a pipe after a turn.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum AfterTurn {
    Nothing,
    Again,
    Remove,
}

impl Pipe {
    pub(super) fn new(
        direction: Direction,
        end: PipeFile,
        send_credit: u32,
        receive_credit: u32,
    ) -> Pipe {
        match direction {
            Direction::FromHere => {
                Pipe::Source { end, credit: SendCredit::new(send_credit), readable: true }
            }
            Direction::ToHere => Pipe::Sink {
                end,
                window: ReceiveWindow::new(receive_credit),
                queue: VecDeque::new(),
                ended: false,
            },
        }
    }

    /// A PipeData frame has arrived.
    pub(super) fn data(&mut self, id: PipeId, payload: Payload<'_>) -> Result<(), Violation> {
        match self {
            Pipe::Sink { ended: true, .. } | Pipe::Ending { peer_ended: true } => {
                Err(Violation::AfterPipeEnd(id, "PipeData"))
            }
            Pipe::Sink { window, queue, .. } => {
                window.received(payload.length())?;
                queue.extend(payload.bytes());
                Ok(())
            }
            Pipe::Source { .. } => Err(Violation::PipeDirection(id, "PipeData")),
            Pipe::Ending { .. } | Pipe::AwaitingEnd => Ok(()),
        }
    }

    /// A PipeCredit frame has arrived.
    pub(super) fn granted(
        &mut self,
        id: PipeId,
        bytes: std::num::NonZeroU32,
    ) -> Result<(), Violation> {
        match self {
            Pipe::Source { credit, .. } => credit.granted(bytes),
            Pipe::Sink { .. } => Err(Violation::PipeDirection(id, "PipeCredit")),
            Pipe::Ending { peer_ended: true } => Err(Violation::AfterPipeEnd(id, "PipeCredit")),
            Pipe::Ending { .. } | Pipe::AwaitingEnd => Ok(()),
        }
    }

    /// A PipeEnd frame has arrived.
    pub(super) fn peer_ended(&mut self, id: PipeId) -> Result<AfterTurn, Violation> {
        match self {
            Pipe::Source { .. } | Pipe::Ending { peer_ended: false } => {
                *self = Pipe::Ending { peer_ended: true };
                Ok(AfterTurn::Again)
            }
            Pipe::Sink { ended: true, .. } | Pipe::Ending { peer_ended: true } => {
                Err(Violation::AfterPipeEnd(id, "PipeEnd"))
            }
            Pipe::Sink { ended, .. } => {
                *ended = true;
                Ok(AfterTurn::Again)
            }
            Pipe::AwaitingEnd => Ok(AfterTurn::Remove),
        }
    }

    /// The local end has become ready; says whether there may be something to send, or to
    /// deliver.
    pub(super) fn ready(&mut self, flags: EventFlags) -> bool {
        match self {
            Pipe::Source { readable, .. } => {
                *readable = true;
                true
            }
            Pipe::Sink { ended, .. } if flags.intersects(EventFlags::ERR) => {
                // The reader is gone, with or without something on its way to it.
                *self = Pipe::Ending { peer_ended: *ended };
                true
            }
            Pipe::Sink { .. } | Pipe::Ending { .. } | Pipe::AwaitingEnd => false,
        }
    }

    /// Writes what has arrived to the local end; says whether there is something to send.
    pub(super) fn deliver(&mut self) -> bool {
        let Pipe::Sink { end, window, queue, ended } = self else { return true };
        while !queue.is_empty() {
            let (front, back) = queue.as_slices();
            match end.write(&[IoSlice::new(front), IoSlice::new(back)]) {
                Ok(count) => {
                    queue.drain(..count.min(queue.len()));
                    window.drained(count as u32);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) if end.watch_for_room(true).is_ok() => {
                    return window.owes_grant();
                }
                Err(_) => {
                    *self = Pipe::Ending { peer_ended: *ended };
                    return true;
                }
            }
        }
        if *ended || end.watch_for_room(false).is_err() {
            *self = Pipe::Ending { peer_ended: *ended };
            return true;
        }
        window.owes_grant()
    }

    /// Sends what there is to send, a turn's worth at most.
    pub(super) fn take_turn(
        &mut self,
        id: PipeId,
        out: &mut Vec<u8>,
        scratch: &mut [u8],
    ) -> AfterTurn {
        match self {
            Pipe::Source { end, credit, readable } => {
                let mut left = TURN;
                while *readable {
                    let most = left.min(credit.available() as usize).min(scratch.len());
                    if left == 0 {
                        return AfterTurn::Again;
                    }
                    let Some(buffer) = scratch.get_mut(..most).filter(|b| !b.is_empty()) else {
                        return AfterTurn::Nothing;
                    };
                    match end.read(buffer) {
                        Ok(count) => match buffer.get(..count).and_then(Payload::new) {
                            Some(payload) if credit.spend(payload.length()) => {
                                Frame::PipeData { pipe: id, payload }.encode(out);
                                left = left.saturating_sub(count + HEADER);
                            }
                            _ => return Self::end(self, id, out),
                        },
                        Err(Errno::INTR) => {}
                        Err(Errno::AGAIN) => *readable = false,
                        Err(_) => return Self::end(self, id, out),
                    }
                }
                AfterTurn::Nothing
            }
            Pipe::Sink { window, .. } => {
                if let Some(bytes) = window.take_grant() {
                    Frame::PipeCredit { pipe: id, bytes }.encode(out);
                }
                AfterTurn::Nothing
            }
            Pipe::Ending { .. } => Self::end(self, id, out),
            Pipe::AwaitingEnd => AfterTurn::Nothing,
        }
    }

    fn end(&mut self, id: PipeId, out: &mut Vec<u8>) -> AfterTurn {
        Frame::PipeEnd { pipe: id }.encode(out);
        if matches!(self, Pipe::Ending { peer_ended: true }) {
            return AfterTurn::Remove;
        }
        *self = Pipe::AwaitingEnd;
        AfterTurn::Nothing
    }

    /// Bytes held for the local reader.
    #[cfg(test)]
    pub(super) fn buffered(&self) -> usize {
        match self {
            Pipe::Sink { queue, .. } => queue.len(),
            _ => 0,
        }
    }
}

/// The link's end of a local pipe.
///
/// O_NONBLOCK belongs to everybody who holds the same end, and an app could take it away to make
/// the link wait. So each call says for itself that it must not wait (`nowait`); only where the
/// kernel cannot be told that for pipes (Linux before 6.4) the shared flag has to do.
#[derive(Debug)]
pub(super) struct PipeFile {
    file: Watched<OwnedFd>,
    watched: EventFlags,
    nowait: bool,
}

/// What `preadv2` and `pwritev2` take for "the current position", all that a pipe has.
const CURRENT_POSITION: u64 = u64::MAX;

impl PipeFile {
    pub(super) fn new(
        file: OwnedFd,
        id: PipeId,
        direction: Direction,
        poller: &Poller,
    ) -> io::Result<PipeFile> {
        let flags = rustix::fs::fcntl_getfl(&file)?;
        rustix::fs::fcntl_setfl(&file, flags | OFlags::NONBLOCK)?;
        // EPOLLERR, a reader that has gone, is always reported.
        let watched = match direction {
            Direction::FromHere => EventFlags::IN | EventFlags::ET,
            Direction::ToHere => EventFlags::ET,
        };
        let file = poller.watch(file, Key::Pipe(id), watched)?;
        Ok(PipeFile { file, watched, nowait: true })
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Errno> {
        if self.nowait {
            let slices = &mut [IoSliceMut::new(buffer)];
            match preadv2(self.file.file(), slices, CURRENT_POSITION, ReadWriteFlags::NOWAIT) {
                Err(Errno::OPNOTSUPP) => self.nowait = false,
                result => return result,
            }
        }
        rustix::io::read(self.file.file(), buffer)
    }

    /// SIGPIPE is ignored in every Rust program, unless it asks for it.
    fn write(&mut self, slices: &[IoSlice<'_>]) -> Result<usize, Errno> {
        if self.nowait {
            match pwritev2(self.file.file(), slices, CURRENT_POSITION, ReadWriteFlags::NOWAIT) {
                Err(Errno::OPNOTSUPP) => self.nowait = false,
                result => return result,
            }
        }
        rustix::io::writev(self.file.file(), slices)
    }

    fn watch_for_room(&mut self, wanted: bool) -> io::Result<()> {
        self.file.set_flags(if wanted { self.watched | EventFlags::OUT } else { self.watched })
    }
}
