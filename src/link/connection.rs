//! [`Link`]: handshake, open, parting, closed.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use calloop::generic::Generic;
use rustix::event::epoll::EventFlags;
use thiserror::Error;
use tracing::{debug, info, warn};

use super::clock::{ClockOffset, MonotonicClock};
use super::exchange::{Exchange, NotOpened};
use super::frame::{Frame, Hello};
use super::limits::{Announced, LimitOutOfRange, Limits};
use super::meter::{MakeMeter, Meter};
use super::number::StreamId;
use super::portion::{Left, Portion};
use super::readiness::{Key, Poller, Wake};
use super::reason::{EndedBy, Reason, ReasonCode};
use super::transport::Transport;
use super::violation::Violation;
use super::wire::{Read, Room, Wire};
use super::{LinkEvent, Role, TIME, VERSIONS};

/// Reads of the transport in one dispatch, and writes: a MiB at most each way, so that a busy
/// guest leaves the loop to others.
const ROUNDS: usize = 8;

/// One end of the link between a guest domain and the display domain.
///
/// Everything it waits for is behind one descriptor, [`AsFd`]. It is a [`calloop::EventSource`];
/// without calloop, call [`run`](Self::run), or [`dispatch`](Self::dispatch) whenever the
/// descriptor is readable and [`next_event`](Self::next_event) until there is none.
///
/// Dropping it closes everything at once and says no goodbye; see [`close`](Self::close).
#[derive(Debug)]
pub struct Link<T: Transport = UnixStream> {
    role: Role,
    limits: Limits,
    phase: Phase,
    wire: Option<Wire<T>>,
    wake: Wake,
    poller: Poller,
    events: VecDeque<LinkEvent>,
    meter: Option<MakeMeter>,
    portion: Option<Box<dyn Portion>>,
    pub(super) clock: MonotonicClock,
    /// The epoll descriptor once more, as calloop wants it.
    pub(super) source: Generic<Arc<OwnedFd>>,
}

#[derive(Debug)]
enum Phase {
    AwaitingHello,
    /// A guest has heard the Hello, with these limits.
    AwaitingWelcome {
        theirs: Announced,
        version: u16,
    },
    Open(Box<Exchange>),
    /// Everything is closed but the transport, which still has the Goodbye to take.
    Parting {
        reason: Reason,
        by: EndedBy,
    },
    Closed,
}

/// Why there is no link.
#[derive(Debug, Error)]
pub enum LinkError {
    /// A limit is outside its range.
    #[error(transparent)]
    Limits(#[from] LimitOutOfRange),
    /// No descriptor for what the link waits with, or an unsuitable transport.
    #[error("cannot set up the link: {0}")]
    Io(#[from] io::Error),
}

/// Why a stream could not be opened. The socket is closed.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Only guests open streams.
    #[error("only a guest opens streams")]
    NotGuest,
    /// [`LinkEvent::Ready`] has not come yet.
    #[error("the handshake is not over")]
    NotReady,
    /// The link is closed or closing.
    #[error("the link is closed")]
    Closed,
    /// The display domain takes no more streams now; one has to close first.
    #[error("the display domain takes {0} streams at once")]
    TooMany(u32),
    /// All 2^32 - 1 numbers have been used: the link has to be made anew.
    #[error("the link has used all its stream numbers")]
    Exhausted,
    /// The socket cannot be watched.
    #[error("cannot watch the socket: {0}")]
    Io(#[from] io::Error),
}

impl<T: Transport> Link<T> {
    /// Begins the handshake over a connected transport.
    ///
    /// # Errors
    /// A limit is out of range, or the process is out of descriptors.
    pub fn new(transport: T, role: Role, limits: Limits) -> Result<Link<T>, LinkError> {
        let announced = Announced::try_from(limits)?;
        let poller = Poller::new()?;
        let mut wire = Wire::new(transport, &poller)?;
        wire.send(&Frame::Hello(Hello { versions: VERSIONS, limits: announced }));
        let wake = Wake::new(&poller)?;
        // The Hello is written by the first dispatch.
        wake.set();
        let source =
            Generic::new(poller.shared_fd(), calloop::Interest::READ, calloop::Mode::Level);
        Ok(Link {
            role,
            limits,
            phase: Phase::AwaitingHello,
            wire: Some(wire),
            wake,
            poller,
            events: VecDeque::new(),
            meter: None,
            portion: None,
            clock: MonotonicClock::default(),
            source,
        })
    }

    /// Lets a meter look at what each stream brings that is opened from now on. To be said before the
    /// handshake is over.
    pub fn set_meter(&mut self, make: impl Fn() -> Box<dyn Meter> + Send + 'static) {
        self.meter = Some(MakeMeter::new(make));
    }

    /// Bounds what the apps are given in one dispatch, and what is read in it: the rest follows in the
    /// next, and until then the peer has no credit for more. Streams take turns.
    pub fn set_portion(&mut self, portion: impl Portion + 'static) {
        self.portion = Some(Box::new(portion));
    }

    /// Carries one more connection of a guest's app; `socket` is the compositor's end of it.
    ///
    /// # Errors
    /// See [`OpenError`]; the link goes on as before.
    pub fn open(&mut self, socket: UnixStream) -> Result<StreamId, OpenError> {
        if self.role != Role::Guest {
            return Err(OpenError::NotGuest);
        }
        match (&mut self.phase, &mut self.wire) {
            (Phase::Open(exchange), Some(wire)) => {
                self.wake.set();
                exchange.open(socket, wire.urgent()).map_err(|error| match error {
                    NotOpened::TooMany(most) => OpenError::TooMany(most),
                    NotOpened::Exhausted => OpenError::Exhausted,
                    NotOpened::Io(error) => OpenError::Io(error),
                })
            }
            (Phase::AwaitingHello | Phase::AwaitingWelcome { .. }, _) => Err(OpenError::NotReady),
            _ => Err(OpenError::Closed),
        }
    }

    /// Closes one stream: the app sees a closed connection now, the peer hears the reason. False
    /// when it is closed already.
    pub fn close_stream(&mut self, stream: StreamId, reason: Reason) -> bool {
        self.wake.set();
        match &mut self.phase {
            Phase::Open(exchange) => exchange.close(stream, reason),
            _ => false,
        }
    }

    /// Closes the link: every app sees a closed connection now. [`LinkEvent::Closed`] follows
    /// when the peer has been told, or has hung up.
    pub fn close(&mut self, reason: Reason) {
        self.part(reason);
        self.wake.set();
    }

    /// Whether [`LinkEvent::Closed`] has been given or is the last event to come.
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// How far this end's monotonic clock is ahead of the other end's; [`ClockOffset::NONE`] as long
    /// as that is not known to be wrong. Only a guest finds out, and does so before the first stream
    /// brings anything.
    pub fn clock_offset(&self) -> ClockOffset {
        match &self.phase {
            Phase::Open(exchange) => exchange.clock_offset(),
            _ => ClockOffset::NONE,
        }
    }

    /// Moves what can be moved, without waiting; then ask for [`next_event`](Self::next_event).
    ///
    /// # Errors
    /// Only if the kernel refuses to tell what is ready, which is a bug. The link is of no use
    /// after that.
    pub fn dispatch(&mut self) -> io::Result<()> {
        self.turn(false)
    }

    /// What has happened since, in order.
    pub fn next_event(&mut self) -> Option<LinkEvent> {
        self.events.pop_front()
    }

    /// Runs the link in this thread until it is closed, and tells what happens. The callback may
    /// use the link.
    ///
    /// # Errors
    /// As [`dispatch`](Self::dispatch).
    pub fn run(&mut self, mut on_event: impl FnMut(LinkEvent, &mut Self)) -> io::Result<()> {
        loop {
            while let Some(event) = self.next_event() {
                on_event(event, self);
            }
            if self.is_closed() && self.events.is_empty() {
                return Ok(());
            }
            self.turn(true)?;
        }
    }

    fn turn(&mut self, blocking: bool) -> io::Result<()> {
        for (key, flags) in self.poller.ready(blocking)? {
            match (key, &mut self.phase) {
                (Key::Wake, _) => self.wake.clear(),
                (Key::Transport, _) => self.transport_ready(flags),
                (Key::Stream(stream), Phase::Open(exchange)) => {
                    exchange.socket_ready(stream, flags)
                }
                (Key::Pipe(pipe), Phase::Open(exchange)) => exchange.pipe_ready(pipe, flags),
                (Key::Stream(_) | Key::Pipe(_), _) => {}
            }
        }
        self.read();
        if let Phase::Open(exchange) = &mut self.phase {
            let mut left = Left::new(self.portion.as_deref());
            exchange.deliver(&mut left);
            if let Some(portion) = &self.portion {
                portion.handed_on(left.handed_on());
            }
        }
        self.write();
        if let Phase::Open(exchange) = &mut self.phase {
            self.events.append(&mut exchange.events);
        }
        if self.has_more() {
            self.wake.set();
        }
        Ok(())
    }

    /// Work that was left for the next dispatch, so that this one ends.
    fn has_more(&self) -> bool {
        let Some(wire) = &self.wire else { return false };
        let unsent = match &self.phase {
            Phase::Open(exchange) => wire.pending() > 0 || exchange.has_turns(),
            _ => wire.pending() > 0,
        };
        let undelivered = matches!(&self.phase, Phase::Open(exchange) if exchange.has_deliveries());
        wire.readable || undelivered || (wire.room == Room::Some && unsent)
    }

    fn transport_ready(&mut self, flags: EventFlags) {
        let Some(wire) = &mut self.wire else { return };
        let acknowledged = wire.ready(flags);
        if let Err(error) = acknowledged {
            self.lost(&format!("the transport failed: {error}"));
        } else if let Phase::Parting { reason, by } = &self.phase
            && flags.intersects(EventFlags::HUP | EventFlags::ERR)
        {
            let (reason, by) = (reason.clone(), *by);
            self.closed(reason, by);
        }
    }

    fn read(&mut self) {
        let rounds = if self.portion.is_some() { 1 } else { ROUNDS };
        for _ in 0..rounds {
            let Some(wire) = self.wire.as_mut().filter(|wire| wire.readable) else { return };
            match wire.read() {
                Ok(Read::Nothing) => {}
                Ok(Read::Bytes) => self.handle_frames(),
                Ok(Read::HungUp) => self.lost("the peer hung up without a goodbye"),
                Err(error) => self.lost(&format!("the transport failed: {error}")),
            }
        }
    }

    fn handle_frames(&mut self) {
        loop {
            let Some(wire) = &mut self.wire else { return };
            let outcome = match (wire.decoder.next_frame(), &mut self.phase) {
                (Ok(None), _) | (_, Phase::Parting { .. } | Phase::Closed) => return,
                (Err(error), _) => Err(Violation::Frame(error)),
                (Ok(Some(Frame::Goodbye(reason))), _) => {
                    return self.closed(reason, EndedBy::Peer);
                }
                (Ok(Some(frame)), Phase::Open(exchange)) => exchange.handle(frame),
                (Ok(Some(Frame::Hello(hello))), Phase::AwaitingHello) => self.greeted(&hello),
                (
                    Ok(Some(Frame::Welcome { version, guest, display })),
                    Phase::AwaitingWelcome { theirs, version: ours },
                ) => {
                    if version == *ours {
                        let theirs = *theirs;
                        self.established(version, theirs, LinkEvent::Ready { guest, display });
                        Ok(())
                    } else {
                        Err(Violation::WelcomeVersion(version))
                    }
                }
                (Ok(Some(frame)), _) => Err(Violation::OutOfPlace(frame.name())),
            };
            if let Err(violation) = outcome {
                return self.part(violation.into());
            }
        }
    }

    /// The peer's Hello: the newest version that both speak is the link's.
    fn greeted(&mut self, hello: &Hello) -> Result<(), Violation> {
        let version = *hello.versions.end().min(VERSIONS.end());
        if version < *hello.versions.start().max(VERSIONS.start()) {
            return Err(Violation::Version(hello.versions.clone(), VERSIONS));
        }
        debug!(version, limits = ?hello.limits, "the peer of the link said hello");
        match self.role {
            Role::Guest => {
                self.phase = Phase::AwaitingWelcome { theirs: hello.limits, version };
            }
            Role::Display { guest, display } => {
                if let Some(wire) = &mut self.wire {
                    wire.send(&Frame::Welcome { version, guest, display });
                }
                self.established(version, hello.limits, LinkEvent::Ready { guest, display });
            }
        }
        Ok(())
    }

    fn established(&mut self, version: u16, theirs: Announced, event: LinkEvent) {
        let is_display = self.role != Role::Guest;
        let clock = (version >= TIME).then_some(self.clock);
        let mut exchange =
            Exchange::new(is_display, self.limits, theirs, clock, self.poller.clone());
        exchange.meter = self.meter.take();
        exchange.events.push_back(event);
        self.phase = Phase::Open(Box::new(exchange));
    }

    fn write(&mut self) {
        for _ in 0..ROUNDS {
            let Some(wire) = &mut self.wire else { return };
            if let Phase::Open(exchange) = &mut self.phase {
                while let Some(out) = wire.filling() {
                    if !exchange.take_turn(out) {
                        break;
                    }
                }
            }
            match wire.write() {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => return self.lost(&format!("the transport failed: {error}")),
            }
        }
        if let (Phase::Parting { reason, by }, Some(wire)) = (&self.phase, &self.wire)
            && (wire.pending() == 0 || wire.room == Room::Broken)
        {
            let (reason, by) = (reason.clone(), *by);
            self.closed(reason, by);
        }
    }

    /// Closes everything but the transport, and leaves the Goodbye for it.
    fn part(&mut self, reason: Reason) {
        if matches!(self.phase, Phase::Parting { .. } | Phase::Closed) {
            return;
        }
        let Some(wire) = &mut self.wire else { return };
        wire.send(&Frame::Goodbye(reason.clone()));
        let stopped = wire.stop_reading();
        self.leave(Phase::Parting { reason, by: EndedBy::ThisEnd });
        if let Err(error) = stopped {
            self.lost(&format!("the transport failed: {error}"));
        }
    }

    fn lost(&mut self, text: &str) {
        match &self.phase {
            // What the link is parting for matters more than how the transport went.
            Phase::Parting { reason, by } => {
                let (reason, by) = (reason.clone(), *by);
                self.closed(reason, by);
            }
            Phase::Closed => {}
            _ => self.closed(Reason::new(ReasonCode::Lost, text), EndedBy::Peer),
        }
    }

    fn closed(&mut self, reason: Reason, by: EndedBy) {
        if reason.code() == ReasonCode::Finished {
            info!(%reason, ?by, "the link is closed");
        } else {
            warn!(%reason, ?by, "the link is closed");
        }
        self.leave(Phase::Closed);
        self.wire = None;
        self.events.push_back(LinkEvent::Closed { reason, by });
    }

    /// Goes to a phase without streams; what happened before stays told.
    fn leave(&mut self, next: Phase) {
        if let Phase::Open(mut exchange) = std::mem::replace(&mut self.phase, next) {
            self.events.append(&mut exchange.events);
        }
    }

    /// Says these bytes to the peer.
    #[cfg(test)]
    pub(super) fn inject(&mut self, bytes: &[u8]) {
        if let Some(wire) = &mut self.wire {
            wire.urgent().extend_from_slice(bytes);
        }
        self.wake.set();
    }

    /// Bytes held by the link for anybody, then streams and pipes in its tables.
    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize, usize) {
        let (bytes, streams, pipes) = match &self.phase {
            Phase::Open(exchange) => exchange.held(),
            _ => (0, 0, 0),
        };
        let wire = self.wire.as_ref().map_or(0, |wire| wire.pending() + wire.decoder.buffered());
        (bytes + wire, streams, pipes)
    }
}

impl<T: Transport> AsFd for Link<T> {
    /// Readable when [`Link::dispatch`] has something to do; never to be read from.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.get_ref().as_fd()
    }
}
