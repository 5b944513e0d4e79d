//! The transport with its two buffers: frames that have arrived in part, frames to be written.

use std::io;

use rustix::event::epoll::EventFlags;

use super::decoder::Decoder;
use super::frame::Frame;
use super::limits::OUTGOING_TARGET;
use super::readiness::{Key, Poller, Watched};
use super::transport::Transport;

/// The transport of an open link.
#[derive(Debug)]
pub(super) struct Wire<T: Transport> {
    transport: Watched<T>,
    pub(super) decoder: Decoder,
    /// Frames to be written; the first `written` bytes of it already are.
    out: Vec<u8>,
    written: usize,
    /// There may be something to read.
    pub(super) readable: bool,
    pub(super) room: Room,
    reading: bool,
    /// See [`Transport::is_readable_when_writable`].
    readable_when_writable: bool,
}

/// Whether the transport takes bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// As far as is known.
    Some,
    /// Not before it says so.
    None,
    /// Never again.
    Broken,
}

/// What reading led to.
#[derive(Debug)]
pub(super) enum Read {
    /// New bytes are in the decoder.
    Bytes,
    Nothing,
    HungUp,
}

impl<T: Transport> Wire<T> {
    pub(super) fn new(transport: T, poller: &Poller) -> io::Result<Wire<T>> {
        Ok(Wire {
            readable_when_writable: transport.is_readable_when_writable(),
            transport: poller.watch(transport, Key::Transport, EventFlags::IN)?,
            decoder: Decoder::new(),
            out: Vec::new(),
            written: 0,
            readable: true,
            room: Room::Some,
            reading: true,
        })
    }

    /// The transport has become ready.
    pub(super) fn ready(&mut self, flags: EventFlags) -> io::Result<()> {
        self.transport.file_mut().acknowledge()?;
        self.readable = self.reading;
        let writable = EventFlags::OUT | EventFlags::HUP | EventFlags::ERR;
        if self.room == Room::None && (self.readable_when_writable || flags.intersects(writable)) {
            self.room = Room::Some;
        }
        Ok(())
    }

    /// Reads once, as much as the decoder has room for.
    pub(super) fn read(&mut self) -> io::Result<Read> {
        let space = self.decoder.space();
        let most = space.len();
        match self.transport.file_mut().read(space) {
            Ok(0) => Ok(Read::HungUp),
            Ok(count) => {
                self.readable = count == most;
                self.decoder.filled(count);
                Ok(Read::Bytes)
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => {
                    self.readable = false;
                    Ok(Read::Nothing)
                }
                io::ErrorKind::Interrupted => Ok(Read::Nothing),
                io::ErrorKind::ConnectionReset => Ok(Read::HungUp),
                _ => Err(error),
            },
        }
    }

    /// Nothing that still arrives is of interest.
    pub(super) fn stop_reading(&mut self) -> io::Result<()> {
        self.reading = false;
        self.readable = false;
        self.update_flags()
    }

    /// Adds a frame of the link itself.
    pub(super) fn send(&mut self, frame: &Frame<'_>) {
        frame.encode(&mut self.out);
    }

    /// Where frames go, while they are fewer than a good batch.
    pub(super) fn filling(&mut self) -> Option<&mut Vec<u8>> {
        (self.room == Room::Some && self.pending() < OUTGOING_TARGET).then_some(&mut self.out)
    }

    /// Where the frames that cannot wait go; their number is bounded by the caller.
    pub(super) fn urgent(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Bytes to be written.
    pub(super) fn pending(&self) -> usize {
        self.out.len() - self.written
    }

    /// Writes once; says how much was written.
    pub(super) fn write(&mut self) -> io::Result<usize> {
        if self.room != Room::Some || self.pending() == 0 {
            return Ok(0);
        }
        let bytes = self.out.get(self.written..).unwrap_or_default();
        let count = match self.transport.file_mut().write(bytes) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.room = Room::None;
                0
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(_) => {
                // The peer may have said why before it went: reading tells how this ends.
                self.room = Room::Broken;
                self.readable = self.reading;
                self.out.clear();
                self.written = 0;
                0
            }
        };
        self.written += count;
        if self.pending() == 0 {
            self.out.clear();
            self.written = 0;
        } else if self.written > OUTGOING_TARGET {
            self.out.drain(..self.written);
            self.written = 0;
        }
        self.update_flags()?;
        Ok(count)
    }

    fn update_flags(&mut self) -> io::Result<()> {
        let mut flags = EventFlags::empty();
        if self.reading || self.readable_when_writable {
            flags |= EventFlags::IN;
        }
        if self.room == Room::None && !self.readable_when_writable {
            flags |= EventFlags::OUT;
        }
        self.transport.set_flags(flags)
    }
}
