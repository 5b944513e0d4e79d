//! The wire format: strict, bounded, and without any input or output of its own.
//!
//! Every frame is a header of 12 bytes and a payload; all numbers are little-endian. The table
//! of frames is in [the module above](super).

use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use thiserror::Error;

use super::clock::There;
use super::limits::{Announced, LimitOutOfRange};
use super::number::{PipeId, StreamId};
use super::reason::{Reason, ReasonCode};
use crate::domain::DomainId;

/// Bytes of a header.
pub const HEADER: usize = 12;
/// Most bytes of payload: one frame is at most 64 KiB and a header, so a reader needs little.
pub const MAX_PAYLOAD: usize = 64 * 1024;
/// First bytes of every link, so that a stray connection is told apart from a bad peer.
pub const MAGIC: [u8; 8] = *b"hydmabuf";

/// Which end of a new pipe the receiver of the frame hands to its app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PipeSide {
    /// The app reads; the sender of the frame sends the bytes.
    Read = 0,
    /// The app writes; the bytes come back to the sender of the frame.
    Write = 1,
}

/// From 1 to [`MAX_PAYLOAD`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload<'a>(&'a [u8]);

impl<'a> Payload<'a> {
    /// The payload, or `None` for too few or too many bytes.
    pub const fn new(bytes: &'a [u8]) -> Option<Payload<'a>> {
        if bytes.is_empty() || bytes.len() > MAX_PAYLOAD { None } else { Some(Payload(bytes)) }
    }

    /// The bytes.
    pub const fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// How many, as credit counts them.
    pub const fn length(self) -> u32 {
        // `new` bounds it by 64 KiB.
        self.0.len() as u32
    }
}

/// The first frame of both ends. Its layout never changes, whatever the version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The versions that the sender speaks.
    pub versions: RangeInclusive<u16>,
    /// What it allows.
    pub limits: Announced,
}

/// One frame; byte payloads stay in the buffer that they were read into. What each says stands
/// in the table of frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// 0x01: first frame of both ends.
    Hello(Hello),
    /// 0x02: the display domain's answer.
    Welcome {
        /// The version of the link.
        version: u16,
        /// The domain of the guest.
        guest: DomainId,
        /// The domain of the display.
        display: DomainId,
    },
    /// 0x03: last frame.
    Goodbye(Reason),
    /// 0x04: what time is it?
    AskTime,
    /// 0x05: the answer.
    Time {
        /// The sender's time.
        there: There,
    },
    /// 0x10: a new stream.
    Open {
        /// Its number.
        stream: StreamId,
    },
    /// 0x11: last frame of a stream from this end.
    Close {
        /// Its number.
        stream: StreamId,
        /// Why.
        reason: Reason,
    },
    /// 0x12: wire bytes.
    Data {
        /// The stream's number.
        stream: StreamId,
        /// The bytes.
        payload: Payload<'a>,
    },
    /// 0x13: more may be sent on a stream.
    Credit {
        /// Its number.
        stream: StreamId,
        /// So many bytes more.
        bytes: NonZeroU32,
    },
    /// 0x20: attachment, a file.
    File {
        /// The stream's number.
        stream: StreamId,
        /// Its content's size, in bytes.
        size: u32,
    },
    /// 0x21: the next bytes of the file.
    Content {
        /// The stream's number.
        stream: StreamId,
        /// The bytes.
        payload: Payload<'a>,
    },
    /// 0x22: attachment, a new pipe.
    Pipe {
        /// The stream's number.
        stream: StreamId,
        /// The pipe's number.
        pipe: PipeId,
        /// The end that the receiver's app gets.
        side: PipeSide,
    },
    /// 0x30: what flows through a pipe.
    PipeData {
        /// The pipe's number.
        pipe: PipeId,
        /// The bytes.
        payload: Payload<'a>,
    },
    /// 0x31: more may be sent through a pipe.
    PipeCredit {
        /// Its number.
        pipe: PipeId,
        /// So many bytes more.
        bytes: NonZeroU32,
    },
    /// 0x32: last frame of a pipe from this end.
    PipeEnd {
        /// Its number.
        pipe: PipeId,
    },
}

/// What makes a frame a bad frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// No frame has this kind.
    #[error("unknown frame kind {0:#x}")]
    Kind(u16),
    /// The length does not match the kind.
    #[error("a {kind} frame cannot be {length} bytes long")]
    Length {
        /// Name of the kind.
        kind: &'static str,
        /// Bytes of payload.
        length: u32,
    },
    /// The header's unused bytes are used.
    #[error("the reserved bytes of a header are {0:#x}, not 0")]
    Reserved(u16),
    /// The stream or pipe has no possible number, or a frame of the link has one.
    #[error("a {kind} frame cannot be about number {subject:#x}")]
    Subject {
        /// Name of the kind.
        kind: &'static str,
        /// The number.
        subject: u32,
    },
    /// Not a peer of ours at all.
    #[error("the magic of the Hello frame is wrong")]
    Magic,
    /// The newest version is older than the oldest, or the oldest is 0.
    #[error("the versions {0}..={1} are no range")]
    Versions(u16, u16),
    /// A limit is outside its range.
    #[error(transparent)]
    Limit(#[from] LimitOutOfRange),
    /// No domain has this number.
    #[error("{0:#x} is reserved and names no domain")]
    Domain(u16),
    /// No reason has this code.
    #[error("unknown reason code {0}")]
    ReasonCode(u16),
    /// The text is not what it has to be.
    #[error("the text of a reason is not UTF-8")]
    ReasonText,
    /// No pipe can have this number.
    #[error("{0:#x} names no pipe")]
    Pipe(u32),
    /// A pipe has two sides, 0 and 1.
    #[error("{0} is no side of a pipe")]
    PipeSide(u8),
    /// A grant of nothing.
    #[error("credit of 0 bytes")]
    NoCredit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
enum Kind {
    Hello = 0x01,
    Welcome = 0x02,
    Goodbye = 0x03,
    AskTime = 0x04,
    Time = 0x05,
    Open = 0x10,
    Close = 0x11,
    Data = 0x12,
    Credit = 0x13,
    File = 0x20,
    Content = 0x21,
    Pipe = 0x22,
    PipeData = 0x30,
    PipeCredit = 0x31,
    PipeEnd = 0x32,
}

/// What the third number of a header names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Link,
    Stream,
    Pipe,
}

const HELLO_PAYLOAD: u32 = 8 + 2 * 2 + 5 * 4;
const REASON_PAYLOAD: RangeInclusive<u32> = 2..=2 + Reason::MAX_TEXT as u32;
const BYTES_PAYLOAD: RangeInclusive<u32> = 1..=MAX_PAYLOAD as u32;

impl Kind {
    fn from_number(number: u16) -> Result<Kind, FrameError> {
        Ok(match number {
            0x01 => Kind::Hello,
            0x02 => Kind::Welcome,
            0x03 => Kind::Goodbye,
            0x04 => Kind::AskTime,
            0x05 => Kind::Time,
            0x10 => Kind::Open,
            0x11 => Kind::Close,
            0x12 => Kind::Data,
            0x13 => Kind::Credit,
            0x20 => Kind::File,
            0x21 => Kind::Content,
            0x22 => Kind::Pipe,
            0x30 => Kind::PipeData,
            0x31 => Kind::PipeCredit,
            0x32 => Kind::PipeEnd,
            _ => return Err(FrameError::Kind(number)),
        })
    }

    /// Name, what it is about, and the lengths its payload can have.
    const fn rule(self) -> (&'static str, Subject, RangeInclusive<u32>) {
        match self {
            Kind::Hello => ("Hello", Subject::Link, HELLO_PAYLOAD..=HELLO_PAYLOAD),
            Kind::Welcome => ("Welcome", Subject::Link, 6..=6),
            Kind::Goodbye => ("Goodbye", Subject::Link, REASON_PAYLOAD),
            Kind::AskTime => ("AskTime", Subject::Link, 0..=0),
            Kind::Time => ("Time", Subject::Link, 8..=8),
            Kind::Open => ("Open", Subject::Stream, 0..=0),
            Kind::Close => ("Close", Subject::Stream, REASON_PAYLOAD),
            Kind::Data => ("Data", Subject::Stream, BYTES_PAYLOAD),
            Kind::Credit => ("Credit", Subject::Stream, 4..=4),
            Kind::File => ("File", Subject::Stream, 4..=4),
            Kind::Content => ("Content", Subject::Stream, BYTES_PAYLOAD),
            Kind::Pipe => ("Pipe", Subject::Stream, 5..=5),
            Kind::PipeData => ("PipeData", Subject::Pipe, BYTES_PAYLOAD),
            Kind::PipeCredit => ("PipeCredit", Subject::Pipe, 4..=4),
            Kind::PipeEnd => ("PipeEnd", Subject::Pipe, 0..=0),
        }
    }
}

/// A header that has passed every check that needs no payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    kind: Kind,
    length: u32,
    subject: u32,
}

impl Header {
    pub(super) fn decode(bytes: &[u8; HEADER]) -> Result<Header, FrameError> {
        let mut fields = Fields { kind: "header", rest: bytes };
        let length = fields.u32()?;
        let kind = Kind::from_number(fields.u16()?)?;
        let reserved = fields.u16()?;
        let subject = fields.u32()?;
        let (name, about, lengths) = kind.rule();
        if reserved != 0 {
            return Err(FrameError::Reserved(reserved));
        }
        if !lengths.contains(&length) {
            return Err(FrameError::Length { kind: name, length });
        }
        let subject_is_good = match about {
            Subject::Link => subject == 0,
            Subject::Stream => StreamId::new(subject).is_some(),
            Subject::Pipe => PipeId::new(subject).is_some(),
        };
        if !subject_is_good {
            return Err(FrameError::Subject { kind: name, subject });
        }
        Ok(Header { kind, length, subject })
    }

    /// Bytes of payload that follow, at most [`MAX_PAYLOAD`].
    pub(super) const fn length(self) -> usize {
        self.length as usize
    }

    fn stream(self) -> Result<StreamId, FrameError> {
        StreamId::new(self.subject)
            .ok_or(FrameError::Subject { kind: self.kind.rule().0, subject: self.subject })
    }

    fn pipe(self) -> Result<PipeId, FrameError> {
        PipeId::new(self.subject)
            .ok_or(FrameError::Subject { kind: self.kind.rule().0, subject: self.subject })
    }
}

/// What is left of a payload; taking more than there is becomes a length error.
struct Fields<'a> {
    kind: &'static str,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        let (field, rest) = self.rest.split_first_chunk().ok_or(self.wrong_length())?;
        self.rest = rest;
        Ok(*field)
    }

    fn u16(&mut self) -> Result<u16, FrameError> {
        self.take().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, FrameError> {
        self.take().map(u32::from_le_bytes)
    }

    fn credit(&mut self) -> Result<NonZeroU32, FrameError> {
        NonZeroU32::new(self.u32()?).ok_or(FrameError::NoCredit)
    }

    fn domain(&mut self) -> Result<DomainId, FrameError> {
        let number = self.u16()?;
        DomainId::new(number).ok_or(FrameError::Domain(number))
    }

    fn reason(&mut self) -> Result<Reason, FrameError> {
        let number = self.u16()?;
        let code = ReasonCode::from_number(number).ok_or(FrameError::ReasonCode(number))?;
        let text = str::from_utf8(self.rest).map_err(|_| FrameError::ReasonText)?;
        Ok(Reason::new(code, text))
    }

    fn payload(&self) -> Result<Payload<'a>, FrameError> {
        Payload::new(self.rest).ok_or(self.wrong_length())
    }

    fn wrong_length(&self) -> FrameError {
        // A payload is cut to a length of 32 bits before it gets here.
        FrameError::Length { kind: self.kind, length: self.rest.len() as u32 }
    }
}

impl<'a> Frame<'a> {
    pub(super) fn decode(header: Header, payload: &'a [u8]) -> Result<Frame<'a>, FrameError> {
        let mut fields = Fields { kind: header.kind.rule().0, rest: payload };
        Ok(match header.kind {
            Kind::Hello => {
                if fields.take()? != MAGIC {
                    return Err(FrameError::Magic);
                }
                let (least, most) = (fields.u16()?, fields.u16()?);
                if least == 0 || least > most {
                    return Err(FrameError::Versions(least, most));
                }
                let mut numbers = [0; 5];
                for number in &mut numbers {
                    *number = fields.u32()?;
                }
                Frame::Hello(Hello { versions: least..=most, limits: Announced::new(numbers)? })
            }
            Kind::Welcome => Frame::Welcome {
                version: fields.u16()?,
                guest: fields.domain()?,
                display: fields.domain()?,
            },
            Kind::Goodbye => Frame::Goodbye(fields.reason()?),
            Kind::AskTime => Frame::AskTime,
            Kind::Time => {
                let nanoseconds = i64::from_le_bytes(fields.take()?);
                Frame::Time { there: There::from_nanoseconds(nanoseconds) }
            }
            Kind::Open => Frame::Open { stream: header.stream()? },
            Kind::Close => Frame::Close { stream: header.stream()?, reason: fields.reason()? },
            Kind::Data => Frame::Data { stream: header.stream()?, payload: fields.payload()? },
            Kind::Credit => Frame::Credit { stream: header.stream()?, bytes: fields.credit()? },
            Kind::File => Frame::File { stream: header.stream()?, size: fields.u32()? },
            Kind::Content => {
                Frame::Content { stream: header.stream()?, payload: fields.payload()? }
            }
            Kind::Pipe => {
                let number = fields.u32()?;
                let [side] = fields.take()?;
                Frame::Pipe {
                    stream: header.stream()?,
                    pipe: PipeId::new(number).ok_or(FrameError::Pipe(number))?,
                    side: match side {
                        0 => PipeSide::Read,
                        1 => PipeSide::Write,
                        _ => return Err(FrameError::PipeSide(side)),
                    },
                }
            }
            Kind::PipeData => Frame::PipeData { pipe: header.pipe()?, payload: fields.payload()? },
            Kind::PipeCredit => Frame::PipeCredit { pipe: header.pipe()?, bytes: fields.credit()? },
            Kind::PipeEnd => Frame::PipeEnd { pipe: header.pipe()? },
        })
    }

    /// The name in the table of frames.
    pub const fn name(&self) -> &'static str {
        self.kind().rule().0
    }

    const fn kind(&self) -> Kind {
        match self {
            Frame::Hello(_) => Kind::Hello,
            Frame::Welcome { .. } => Kind::Welcome,
            Frame::Goodbye(_) => Kind::Goodbye,
            Frame::AskTime => Kind::AskTime,
            Frame::Time { .. } => Kind::Time,
            Frame::Open { .. } => Kind::Open,
            Frame::Close { .. } => Kind::Close,
            Frame::Data { .. } => Kind::Data,
            Frame::Credit { .. } => Kind::Credit,
            Frame::File { .. } => Kind::File,
            Frame::Content { .. } => Kind::Content,
            Frame::Pipe { .. } => Kind::Pipe,
            Frame::PipeData { .. } => Kind::PipeData,
            Frame::PipeCredit { .. } => Kind::PipeCredit,
            Frame::PipeEnd { .. } => Kind::PipeEnd,
        }
    }

    const fn subject(&self) -> u32 {
        match self {
            Frame::Hello(_)
            | Frame::Welcome { .. }
            | Frame::Goodbye(_)
            | Frame::AskTime
            | Frame::Time { .. } => 0,
            Frame::Open { stream }
            | Frame::Close { stream, .. }
            | Frame::Data { stream, .. }
            | Frame::Credit { stream, .. }
            | Frame::File { stream, .. }
            | Frame::Content { stream, .. }
            | Frame::Pipe { stream, .. } => stream.number(),
            Frame::PipeData { pipe, .. }
            | Frame::PipeCredit { pipe, .. }
            | Frame::PipeEnd { pipe } => pipe.number(),
        }
    }

    /// Adds the frame to `out`. Cannot fail: no frame that can be made is too long.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&(self.kind() as u16).to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&self.subject().to_le_bytes());
        match self {
            Frame::Hello(hello) => {
                out.extend_from_slice(&MAGIC);
                out.extend_from_slice(&hello.versions.start().to_le_bytes());
                out.extend_from_slice(&hello.versions.end().to_le_bytes());
                for number in hello.limits.numbers() {
                    out.extend_from_slice(&number.to_le_bytes());
                }
            }
            Frame::Welcome { version, guest, display } => {
                for number in [*version, guest.number(), display.number()] {
                    out.extend_from_slice(&number.to_le_bytes());
                }
            }
            Frame::Goodbye(reason) | Frame::Close { reason, .. } => {
                out.extend_from_slice(&reason.code().number().to_le_bytes());
                out.extend_from_slice(reason.text().as_bytes());
            }
            Frame::AskTime | Frame::Open { .. } | Frame::PipeEnd { .. } => {}
            Frame::Time { there } => {
                out.extend_from_slice(&there.nanoseconds().to_le_bytes());
            }
            Frame::Data { payload, .. }
            | Frame::Content { payload, .. }
            | Frame::PipeData { payload, .. } => out.extend_from_slice(payload.bytes()),
            Frame::Credit { bytes, .. } | Frame::PipeCredit { bytes, .. } => {
                out.extend_from_slice(&bytes.get().to_le_bytes());
            }
            Frame::File { size, .. } => out.extend_from_slice(&size.to_le_bytes()),
            Frame::Pipe { pipe, side, .. } => {
                out.extend_from_slice(&pipe.number().to_le_bytes());
                out.push(*side as u8);
            }
        }
        // At most `MAX_PAYLOAD`, by the types of the fields.
        let length = (out.len() - start - HEADER) as u32;
        if let Some(field) = out.get_mut(start..start + 4) {
            field.copy_from_slice(&length.to_le_bytes());
        }
    }
}
