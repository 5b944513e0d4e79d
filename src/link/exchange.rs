//! What an open link carries: its streams and pipes, and what each frame does to them.

use std::collections::{BTreeMap, VecDeque};
use std::os::unix::net::UnixStream;

use rustix::event::epoll::EventFlags;
use tracing::debug;

use super::LinkEvent;
use super::agenda::{Actor, Agenda};
use super::attachment::Waiting;
use super::clock::{ClockOffset, Comparison, MonotonicClock};
use super::credit::Allowance;
use super::download::{Delivered, Download, Fault};
use super::frame::{Frame, PipeSide};
use super::limits::{Announced, Limits, TURN};
use super::local_socket::LocalSocket;
use super::meter::{MakeMeter, Meter};
use super::number::{PipeId, StreamId};
use super::pipes::Pipes;
use super::portion::Left;
use super::readiness::Poller;
use super::reason::{EndedBy, Reason, ReasonCode};
use super::upload::{Supplies, Turn, Upload};
use super::violation::Violation;

/// Everything that exists only while the link is open.
#[derive(Debug)]
pub(super) struct Exchange {
    is_display: bool,
    ours: Limits,
    theirs: Announced,
    streams: BTreeMap<StreamId, Stream>,
    newest: u32,
    pipes: Pipes,
    agenda: Agenda,
    descriptors: Allowance,
    content: Allowance,
    /// None in a version of the link that has no time.
    clocks: Option<Comparison>,
    scratch: Box<[u8]>,
    poller: Poller,
    /// Looks at what each stream brings.
    pub(super) meter: Option<MakeMeter>,
    /// For the owner of the link; at most three a stream.
    pub(super) events: VecDeque<LinkEvent>,
}

/// The life of a stream. Each end sends Close exactly once, as the last frame of the stream, and
/// the stream is gone when both have.
#[derive(Debug)]
enum Stream {
    Open(Box<Bridge>),
    /// The peer has closed; the app is still given what arrived before.
    Draining {
        socket: LocalSocket,
        download: Download,
        reason: Reason,
    },
    /// Closed here; a Close is to be sent.
    Ending {
        reason: Reason,
        peer_closed: bool,
    },
    /// The Close has been sent; what still arrives is on its way since before.
    AwaitingClose,
}

#[derive(Debug)]
struct Bridge {
    socket: LocalSocket,
    upload: Upload,
    download: Download,
    /// Until it has found too much.
    meter: Option<Box<dyn Meter>>,
}

/// Why a guest's stream could not be opened, when it is not the link's state.
#[derive(Debug)]
pub(super) enum NotOpened {
    TooMany(u32),
    Exhausted,
    Io(std::io::Error),
}

impl Exchange {
    pub(super) fn new(
        is_display: bool,
        ours: Limits,
        theirs: Announced,
        clock: Option<MonotonicClock>,
        poller: Poller,
    ) -> Self {
        let mut this = Exchange {
            is_display,
            ours,
            theirs,
            streams: BTreeMap::new(),
            newest: 0,
            pipes: Pipes::new(is_display, ours, theirs, poller.clone()),
            agenda: Agenda::default(),
            descriptors: Allowance::new(ours.waiting_descriptors),
            content: Allowance::new(ours.waiting_content),
            clocks: clock.map(Comparison::new),
            scratch: vec![0; TURN].into_boxed_slice(),
            poller,
            meter: None,
            events: VecDeque::new(),
        };
        this.ask_time();
        this
    }

    /// A guest asks for the time, if it is time to.
    fn ask_time(&mut self) {
        if !self.is_display && self.clocks.as_mut().is_some_and(Comparison::ask) {
            self.agenda.to_send.add(Actor::Clock);
        }
    }

    pub(super) fn clock_offset(&self) -> ClockOffset {
        self.clocks.as_ref().map_or(ClockOffset::NONE, Comparison::offset)
    }

    /// Opens a stream for a guest's app. The Open frame goes straight to `out`: there are never
    /// more of them than streams, and the Close of a stream must not overtake it.
    pub(super) fn open(
        &mut self,
        socket: UnixStream,
        out: &mut Vec<u8>,
    ) -> Result<StreamId, NotOpened> {
        if self.streams.len() >= self.theirs.streams as usize {
            return Err(NotOpened::TooMany(self.theirs.streams));
        }
        let number = self.newest.checked_add(1).ok_or(NotOpened::Exhausted)?;
        let stream = StreamId::new(number).ok_or(NotOpened::Exhausted)?;
        let socket = LocalSocket::new(socket, stream, &self.poller).map_err(NotOpened::Io)?;
        self.newest = number;
        self.insert(stream, socket);
        Frame::Open { stream }.encode(out);
        Ok(stream)
    }

    fn insert(&mut self, stream: StreamId, socket: LocalSocket) {
        debug!(%stream, "stream opened");
        let upload = Upload::new(self.theirs.stream_credit);
        let download = Download::new(self.ours.stream_credit);
        let meter = self.meter.as_ref().map(MakeMeter::make);
        self.streams
            .insert(stream, Stream::Open(Box::new(Bridge { socket, upload, download, meter })));
        self.agenda.to_send.add(Actor::Stream(stream));
    }

    /// Closes a stream from this side; false if there is none to close.
    pub(super) fn close(&mut self, stream: StreamId, reason: Reason) -> bool {
        match self.streams.get(&stream) {
            Some(Stream::Open(_) | Stream::Draining { .. }) => {
                self.end(stream, reason, EndedBy::ThisEnd);
                true
            }
            _ => false,
        }
    }

    /// The app's side of a stream is over: its socket closes, and a Close is owed to the peer.
    fn end(&mut self, stream: StreamId, reason: Reason, by: EndedBy) {
        debug!(%stream, %reason, ?by, "stream closed");
        let peer_closed = matches!(self.streams.get(&stream), Some(Stream::Draining { .. }));
        self.streams.insert(stream, Stream::Ending { reason: reason.clone(), peer_closed });
        self.agenda.to_send.add(Actor::Stream(stream));
        self.events.push_back(LinkEvent::StreamClosed { stream, reason, by });
    }

    /// Does what a frame says.
    pub(super) fn handle(&mut self, frame: Frame<'_>) -> Result<(), Violation> {
        let name = frame.name();
        match frame {
            Frame::Open { stream } if self.is_display => self.opened(stream),
            Frame::Hello(_) | Frame::Welcome { .. } | Frame::Goodbye(_) | Frame::Open { .. } => {
                Err(Violation::OutOfPlace(name))
            }
            Frame::AskTime | Frame::Time { .. } => self.about_time(frame),
            Frame::Close { stream, reason } => self.closed(stream, reason),
            Frame::Data { stream, payload } => {
                // There may be times in it.
                self.ask_time();
                let mut excess = false;
                self.with_bridge(stream, name, |bridge| {
                    let meter = bridge.meter.as_mut();
                    excess = meter.is_some_and(|meter| !meter.more(payload.bytes()));
                    if excess {
                        bridge.meter = None;
                    }
                    Ok(bridge.download.data(payload)?)
                })?;
                if excess {
                    self.events.push_back(LinkEvent::Excess { stream });
                }
                Ok(())
            }
            Frame::Credit { stream, bytes } => {
                self.with_bridge(stream, name, |bridge| Ok(bridge.upload.credit.granted(bytes)?))
            }
            Frame::File { stream, size } => {
                let (descriptors, content) = (self.descriptors.clone(), self.content.clone());
                let largest = self.ours.file_content;
                self.with_bridge(stream, name, |bridge| {
                    bridge.download.file(size, largest, &descriptors, &content)
                })
            }
            Frame::Content { stream, payload } => {
                self.with_bridge(stream, name, |bridge| bridge.download.content(payload))
            }
            Frame::Pipe { stream, pipe, side } => self.attached_pipe(stream, pipe, side),
            Frame::PipeData { pipe, payload } => self.pipes.data(pipe, payload, &mut self.agenda),
            Frame::PipeCredit { pipe, bytes } => self.pipes.granted(pipe, bytes, &mut self.agenda),
            Frame::PipeEnd { pipe } => self.pipes.ended(pipe, &mut self.agenda),
        }
    }

    fn about_time(&mut self, frame: Frame<'_>) -> Result<(), Violation> {
        match (frame, self.is_display, &mut self.clocks) {
            (Frame::AskTime, true, Some(clocks)) => {
                clocks.asked()?;
                self.agenda.to_send.add(Actor::Clock);
            }
            (Frame::Time { there }, false, Some(clocks)) => {
                if clocks.answered(there)? {
                    self.agenda.to_send.add(Actor::Clock);
                }
            }
            (frame, ..) => return Err(Violation::OutOfPlace(frame.name())),
        }
        Ok(())
    }

    /// Applies a frame to an open stream; one that is closed at this end only no longer cares.
    fn with_bridge(
        &mut self,
        id: StreamId,
        frame: &'static str,
        apply: impl FnOnce(&mut Bridge) -> Result<(), Fault>,
    ) -> Result<(), Violation> {
        match self.streams.get_mut(&id).ok_or(Violation::UnknownStream(id))? {
            Stream::Open(bridge) => match apply(bridge) {
                Ok(()) => {
                    // What the frame made possible: bytes for the app, a grant, credit to use.
                    self.agenda.to_deliver.add(Actor::Stream(id));
                    Ok(())
                }
                Err(Fault::Link(violation)) => Err(violation),
                Err(Fault::Stream(reason)) => {
                    self.end(id, reason, EndedBy::ThisEnd);
                    Ok(())
                }
            },
            Stream::Draining { .. } | Stream::Ending { peer_closed: true, .. } => {
                Err(Violation::AfterClose(id, frame))
            }
            Stream::Ending { .. } | Stream::AwaitingClose => Ok(()),
        }
    }

    fn attached_pipe(
        &mut self,
        stream: StreamId,
        pipe: PipeId,
        side: PipeSide,
    ) -> Result<(), Violation> {
        // Checks the stream first; a pipe for an app that is gone still has to be ended.
        self.with_bridge(stream, "Pipe", |bridge| Ok(bridge.download.announce_pipe()?))?;
        let Some(Stream::Open(bridge)) = self.streams.get_mut(&stream) else {
            return self.pipes.turned_away(pipe, &mut self.agenda);
        };
        let opened = self.pipes.opened_by_peer(pipe, side, &mut self.agenda)?;
        match opened.and_then(|end| Waiting::pipe(end, &self.descriptors)) {
            Ok(end) => bridge.download.pipe(end),
            Err(reason) => self.end(stream, reason, EndedBy::ThisEnd),
        }
        Ok(())
    }

    fn opened(&mut self, stream: StreamId) -> Result<(), Violation> {
        if stream.number() <= self.newest {
            return Err(Violation::StreamReused(stream));
        }
        if self.streams.len() >= self.ours.streams as usize {
            return Err(Violation::TooManyStreams(self.ours.streams));
        }
        self.newest = stream.number();
        let pair = UnixStream::pair()
            .and_then(|(ours, apps)| Ok((LocalSocket::new(ours, stream, &self.poller)?, apps)));
        match pair {
            Ok((ours, apps)) => {
                self.insert(stream, ours);
                self.events.push_back(LinkEvent::Opened { stream, socket: apps });
            }
            Err(error) => {
                // The owner has never heard of this stream, so only the peer is told.
                let reason =
                    Reason::new(ReasonCode::Resources, format!("cannot make a socket: {error}"));
                self.streams.insert(stream, Stream::Ending { reason, peer_closed: false });
                self.agenda.to_send.add(Actor::Stream(stream));
            }
        }
        Ok(())
    }

    fn closed(&mut self, id: StreamId, reason: Reason) -> Result<(), Violation> {
        match self.streams.remove(&id) {
            None => Err(Violation::UnknownStream(id)),
            Some(Stream::Open(bridge)) => {
                let Bridge { socket, download, .. } = *bridge;
                self.streams.insert(id, Stream::Draining { socket, download, reason });
                self.agenda.to_deliver.add(Actor::Stream(id));
                Ok(())
            }
            Some(Stream::Draining { .. } | Stream::Ending { peer_closed: true, .. }) => {
                Err(Violation::AfterClose(id, "Close"))
            }
            Some(Stream::Ending { reason, peer_closed: false }) => {
                self.streams.insert(id, Stream::Ending { reason, peer_closed: true });
                Ok(())
            }
            Some(Stream::AwaitingClose) => Ok(()),
        }
    }

    /// A local socket has become ready.
    pub(super) fn socket_ready(&mut self, id: StreamId, flags: EventFlags) {
        match self.streams.get_mut(&id) {
            Some(Stream::Open(bridge)) => {
                if flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR) {
                    bridge.upload.hung_up = true;
                }
                bridge.upload.readable = true;
                self.agenda.to_send.add(Actor::Stream(id));
                if flags.intersects(EventFlags::OUT | EventFlags::HUP | EventFlags::ERR) {
                    self.agenda.to_deliver.add(Actor::Stream(id));
                }
            }
            Some(Stream::Draining { .. }) => self.agenda.to_deliver.add(Actor::Stream(id)),
            Some(Stream::Ending { .. } | Stream::AwaitingClose) | None => {}
        }
    }

    /// The local end of a pipe has become ready.
    pub(super) fn pipe_ready(&mut self, id: PipeId, flags: EventFlags) {
        self.pipes.ready(id, flags, &mut self.agenda);
    }

    /// Gives the apps what they have room for, as much as is left of this dispatch's portion.
    pub(super) fn deliver(&mut self, left: &mut Left) {
        let (mut had_nothing, mut had_a_part) = (Vec::new(), None);
        while let Some(actor) = self.agenda.to_deliver.next() {
            match actor {
                Actor::Stream(id) => {
                    let comes_too_late = left.is_used_up();
                    match self.deliver_to(id, left) {
                        Delivered::AsMuchAsFits => {}
                        Delivered::HeldBack if comes_too_late => had_nothing.push(actor),
                        Delivered::HeldBack => had_a_part = Some(actor),
                    }
                }
                Actor::Pipe(id) => self.pipes.deliver(id, &mut self.agenda),
                Actor::Clock => {} // Has nothing for an app.
            }
        }
        had_nothing.into_iter().chain(had_a_part).for_each(|who| self.agenda.to_deliver.add(who));
    }

    fn deliver_to(&mut self, id: StreamId, left: &mut Left) -> Delivered {
        match self.streams.get_mut(&id) {
            Some(Stream::Open(bridge)) => match bridge.download.deliver(&mut bridge.socket, left) {
                Ok(delivered) => {
                    if bridge.download.deaf && !bridge.upload.hung_up {
                        // What the app said before it closed is still sent on.
                        bridge.upload.hung_up = true;
                        bridge.upload.readable = true;
                    }
                    self.agenda.to_send.add(Actor::Stream(id));
                    return delivered;
                }
                Err(reason) => self.end(id, reason, EndedBy::ThisEnd),
            },
            Some(Stream::Draining { socket, download, reason }) => {
                let delivered = download.deliver(socket, left);
                if delivered.is_err() || download.is_done() {
                    let reason = reason.clone();
                    self.end(id, reason, EndedBy::Peer);
                } else if let Ok(delivered) = delivered {
                    return delivered;
                }
            }
            Some(Stream::Ending { .. } | Stream::AwaitingClose) | None => {}
        }
        Delivered::AsMuchAsFits
    }

    /// Whether something for an app was held back by the last dispatch's portion.
    pub(super) fn has_deliveries(&self) -> bool {
        !self.agenda.to_deliver.is_empty()
    }

    /// Whether somebody may have something to send.
    pub(super) fn has_turns(&self) -> bool {
        !self.agenda.to_send.is_empty()
    }

    /// Lets the next stream or pipe add its frames to `out`; false when nobody has any.
    pub(super) fn take_turn(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(actor) = self.agenda.to_send.next() else { return false };
        match actor {
            Actor::Clock => {
                if let Some(clocks) = &mut self.clocks {
                    clocks.take_turn(out);
                }
            }
            Actor::Stream(id) => self.stream_turn(id, out),
            Actor::Pipe(id) => {
                self.pipes.take_turn(id, out, &mut self.scratch, &mut self.agenda);
            }
        }
        true
    }

    fn stream_turn(&mut self, id: StreamId, out: &mut Vec<u8>) {
        match self.streams.get_mut(&id) {
            Some(Stream::Open(bridge)) => {
                if let Some(bytes) = bridge.download.window.take_grant() {
                    Frame::Credit { stream: id, bytes }.encode(out);
                }
                let mut supplies = Supplies {
                    out,
                    scratch: &mut self.scratch,
                    pipes: &mut self.pipes,
                    agenda: &mut self.agenda,
                    descriptors: &self.descriptors,
                    largest_file: self.theirs.file_content,
                };
                match bridge.upload.take_turn(id, &bridge.socket, &mut supplies) {
                    Ok(Turn::Idle) => {}
                    Ok(Turn::More) => self.agenda.to_send.add(Actor::Stream(id)),
                    Ok(Turn::HungUp) => {
                        let reason = Reason::new(ReasonCode::Finished, "the app hung up");
                        self.end(id, reason, EndedBy::ThisEnd);
                    }
                    Err(reason) => self.end(id, reason, EndedBy::ThisEnd),
                }
            }
            Some(Stream::Ending { reason, peer_closed }) => {
                Frame::Close { stream: id, reason: reason.clone() }.encode(out);
                if *peer_closed {
                    self.streams.remove(&id);
                } else {
                    self.streams.insert(id, Stream::AwaitingClose);
                }
            }
            Some(Stream::Draining { .. } | Stream::AwaitingClose) | None => {}
        }
    }

    /// Bytes held for local apps, and entries in the tables.
    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize, usize) {
        let streams = self.streams.values().map(|stream| match stream {
            Stream::Open(bridge) => bridge.download.buffered(),
            Stream::Draining { download, .. } => download.buffered(),
            Stream::Ending { .. } | Stream::AwaitingClose => 0,
        });
        (streams.sum::<usize>() + self.pipes.buffered(), self.streams.len(), self.pipes.count())
    }
}
