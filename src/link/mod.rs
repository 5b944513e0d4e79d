//! The link between one guest domain and the display domain: many Wayland connections over one
//! byte stream.
//!
//! Each **stream** carries one Wayland client: its wire bytes, and what stands in for the
//! descriptors among them (a Wayland descriptor of shared memory never gets here: it crosses as
//! a hyper_dmabuf ID). The link does the bridging itself: at both ends of a stream there is an
//! ordinary Unix socket, one end the link's, the other the app's or the compositor's.
//!
//! ```text
//! app ═ socket ═ Link (Role::Guest) ── transport ── Link (Role::Display) ═ socket ═ compositor
//! ```
//!
//! A [`Link`] never waits, has no timers, and makes no system call per message that a batch can
//! share. All it waits for is behind its one descriptor.
//!
//! # Frames
//! A header of 12 bytes, then `length` bytes of payload; numbers are little-endian.
//!
//! | offset | bytes | |
//! |---|---|---|
//! | 0 | 4 | length of the payload; each kind has its own bound, none above 64 KiB |
//! | 4 | 2 | kind |
//! | 6 | 2 | 0 |
//! | 8 | 4 | the stream or pipe that it is about; 0 for the link itself |
//!
//! | kind | | about | payload | says |
//! |---|---|---|---|---|
//! | 0x01 | Hello | link | magic `hydmabuf`, oldest and newest version (u16), limits (5 × u32: streams, stream credit, file content, pipes, pipe credit) | first frame of both ends; its layout is the same in every version |
//! | 0x02 | Welcome | link | version, domain of the guest, domain of the display (u16) | the display domain's answer; the link is open |
//! | 0x03 | Goodbye | link | reason: code (u16), text (0–256 bytes of UTF-8) | last frame; the link is closed |
//! | 0x04 | AskTime | link | – | the guest asks for the time; from version 2 on, and not again before the answer |
//! | 0x05 | Time | link | nanoseconds (i64) of the display domain's monotonic clock | the answer |
//! | 0x10 | Open | stream | – | the guest opens the stream; numbers only rise |
//! | 0x11 | Close | stream | reason | last frame of this stream from this end; the stream is gone when both ends have sent it |
//! | 0x12 | Data | stream | 1–65536 bytes | wire bytes; all attachments since the last Data go with the first of them |
//! | 0x13 | Credit | stream | bytes (u32, not 0) | so many bytes more may be sent |
//! | 0x20 | File | stream | size (u32) | attachment: a file's content follows |
//! | 0x21 | Content | stream | 1–65536 bytes | the next bytes of that file; nothing else comes on the stream until it is complete |
//! | 0x22 | Pipe | stream | pipe (u32), side (u8: 0 your app reads, 1 your app writes) | attachment: a new pipe; numbers only rise, the top bit says that the display domain opened it |
//! | 0x30 | PipeData | pipe | 1–65536 bytes | what flows, from the end that reads locally |
//! | 0x31 | PipeCredit | pipe | bytes (u32, not 0) | so many bytes more may be sent |
//! | 0x32 | PipeEnd | pipe | – | end of file, or nobody reads any more; the pipe is gone when both ends have sent it |
//!
//! # Handshake
//! Both ends send Hello at once. The newest common version is taken; without one the link closes.
//! The display domain then sends Welcome. Nothing else is accepted before that, except Goodbye.
//! Who a guest is, the display domain knows from the hypervisor (or from the socket it was
//! reached by): the Welcome only tells the guest, it never asks.
//!
//! # Credit, and why memory is bounded
//! A stream begins with the credit that the receiver announced. Data and Content cost their
//! bytes, File and Pipe cost 512 each ([`ATTACHMENT_COST`]). The receiver returns credit when its
//! app has taken the bytes (for Content: when it is in the file), by the quarter window. Without
//! credit a sender does not even read its app's socket, so a stuck app blocks only itself, and
//! back to its own peer. Pipes have credit of their own.
//!
//! Nothing is queued for sending: streams and pipes take turns of 16 KiB to add frames to one
//! buffer of 64 KiB, and none has a turn while that is full. Control frames are made from state
//! at the same turns (a grant is a counter, a Close a state), so they cannot pile up; Open goes
//! straight to the buffer, at most once per stream. Received frames are read once, into a buffer
//! that never grows; a header is checked before its payload is waited for. Descriptors and file
//! content that wait for stuck apps have an allowance over all streams; the stream that exceeds
//! it closes.
//!
//! # Attachments
//! | descriptor | crosses as |
//! |---|---|
//! | regular file or memfd, readable | its content, from offset 0: the other end gets a sealed, read-only memfd |
//! | FIFO, read end or write end | a pipe: the other end's app gets a real one, the bytes are relayed, end of file and broken pipe too |
//! | anything else | not at all: the stream closes with a reason, the link goes on |
//!
//! Descriptors arrive with the same first byte that they were sent with, or with an earlier one,
//! never later. A pipe outlives the stream that brought it. A file in a slow file system is read
//! where it is sent: pass memory.
//!
//! # Time
//! The two ends have clocks of their own. The guest asks for the display domain's time when the link
//! opens and now and then while it is used, and finds out how far its own clock is ahead:
//! [`Link::clock_offset`]. Version 1 has no such frames.
//!
//! # Ends
//! An app that hangs up ends its stream: everything it sent is delivered, then the other socket
//! closes. One bad frame ends the link: the end that sees it sends a Goodbye with the reason,
//! both log it, and every socket and pipe of the link closes.
//!
//! # In calloop, and without
//! ```no_run
//! # use hyper_dmabuf::{domain::DomainId, link::{Limits, Link, LinkEvent, Role}};
//! # use std::os::unix::net::UnixStream;
//! # fn display(handle: calloop::LoopHandle<'static, ()>, connection: UnixStream, guest: DomainId)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! let role = Role::Display { guest, display: DomainId::DISPLAY };
//! let link = Link::new(connection, role, Limits::default())?;
//! handle.insert_source(link, |event, _link, _state| match event {
//!     LinkEvent::Opened { socket, .. } => drop(socket), // insert it as a Wayland client
//!     LinkEvent::Closed { reason, .. } => eprintln!("the guest is gone: {reason}"),
//!     LinkEvent::Ready { .. } | LinkEvent::StreamClosed { .. } | LinkEvent::Excess { .. } => {}
//! })?;
//! # Ok(()) }
//! # fn guest(connection: UnixStream) -> Result<(), Box<dyn std::error::Error>> {
//! let mut link = Link::new(connection, Role::Guest, Limits::default())?;
//! link.run(|event, link| {
//!     if let LinkEvent::Ready { guest, .. } = event {
//!         eprintln!("this is domain {guest}");
//!         let (app, compositor) = UnixStream::pair().expect("two descriptors");
//!         link.open(compositor).expect("an open link");
//!         drop(app); // hand it to a Wayland client
//!     }
//! })?;
//! # Ok(()) }
//! ```

use std::ops::RangeInclusive;
use std::os::unix::net::UnixStream;

use crate::domain::DomainId;

mod agenda;
mod attachment;
mod clock;
mod connection;
mod credit;
pub mod decoder;
mod download;
mod event_source;
mod exchange;
pub mod frame;
mod limits;
mod local_socket;
mod meter;
mod number;
mod pipe;
mod pipes;
mod portion;
mod readiness;
mod reason;
#[cfg(test)]
mod tests;
mod transport;
mod upload;
mod violation;
mod wire;

pub use clock::{ClockOffset, There};
pub use connection::{Link, LinkError, OpenError};
pub use limits::{
    ATTACHMENT_COST, Announced, LimitOutOfRange, Limits, MAX_ATTACHMENTS, MIN_STREAM_CREDIT,
};
pub use meter::Meter;
pub use number::{PipeId, StreamId};
pub use portion::Portion;
pub use reason::{EndedBy, Reason, ReasonCode};
pub use transport::Transport;

/// Versions of the protocol that this crate speaks, oldest and newest.
pub const VERSIONS: RangeInclusive<u16> = 1..=2;

/// The first version in which the guest asks for the time.
const TIME: u16 = 2;

/// Which end of the link this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The end with the apps. Only it opens streams.
    Guest,
    /// The end with the compositor.
    Display {
        /// The domain at the other end, as the hypervisor tells it.
        guest: DomainId,
        /// The domain of this end.
        display: DomainId,
    },
}

/// What a link tells its owner.
#[derive(Debug)]
pub enum LinkEvent {
    /// The handshake is over; streams may be opened.
    Ready {
        /// The domain of the guest.
        guest: DomainId,
        /// The domain of the display.
        display: DomainId,
    },
    /// An app of the guest connects. Only the display domain gets this.
    Opened {
        /// The stream's number.
        stream: StreamId,
        /// The connection, to be used as if the app had made it; closing it closes the stream.
        socket: UnixStream,
    },
    /// The stream brings more than its [`Meter`] lets it; told once for each stream. Only who has set a
    /// meter gets this.
    Excess {
        /// The stream's number.
        stream: StreamId,
    },
    /// The stream is closed, and so is its socket. Not given for the streams that are open when
    /// the link closes.
    StreamClosed {
        /// The stream's number.
        stream: StreamId,
        /// Why.
        reason: Reason,
        /// Who decided it.
        by: EndedBy,
    },
    /// The link is closed, with all its streams; the last event.
    Closed {
        /// Why.
        reason: Reason,
        /// Who decided it.
        by: EndedBy,
    },
}
