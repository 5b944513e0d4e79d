//! What a peer can do wrong; each closes the whole link.

use std::ops::RangeInclusive;

use thiserror::Error;

use super::frame::FrameError;
use super::number::{PipeId, StreamId};
use super::reason::{Reason, ReasonCode};

/// The peer broke the protocol.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Violation {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("a {0} frame does not belong here")]
    OutOfPlace(&'static str),
    #[error("asked for the time again before the answer")]
    AskedTwice,
    #[error("told the time, which nobody asked for")]
    NotAsked,
    #[error("no version in common: the peer speaks {0:?}, this end {1:?}")]
    Version(RangeInclusive<u16>, RangeInclusive<u16>),
    #[error("the Welcome chose version {0}")]
    WelcomeVersion(u16),
    #[error("stream {0} is not open")]
    UnknownStream(StreamId),
    #[error("stream {0} cannot be opened: it is older than the newest")]
    StreamReused(StreamId),
    #[error("more than {0} streams")]
    TooManyStreams(u32),
    #[error("a {1} frame for stream {0} after its Close")]
    AfterClose(StreamId, &'static str),
    #[error("more bytes than there was credit for")]
    CreditExceeded,
    #[error("more credit than there was use for")]
    CreditOverflow,
    #[error("a file of {0} bytes")]
    FileTooLarge(u32),
    #[error("more content than the file has")]
    ContentBeyondFile,
    #[error("content of no file")]
    ContentWithoutFile,
    #[error("a {0} frame inside a file")]
    InsideFile(&'static str),
    #[error("more attachments than a message can carry")]
    TooManyAttachments,
    #[error("pipe {0:?} is not open")]
    UnknownPipe(PipeId),
    #[error("pipe {0:?} cannot be opened: wrong side, or older than the newest")]
    PipeReused(PipeId),
    #[error("more than {0} pipes")]
    TooManyPipes(u32),
    #[error("a {1} frame against the direction of pipe {0:?}")]
    PipeDirection(PipeId, &'static str),
    #[error("a {1} frame for pipe {0:?} after its end")]
    AfterPipeEnd(PipeId, &'static str),
}

impl From<Violation> for Reason {
    fn from(violation: Violation) -> Reason {
        let code = match violation {
            Violation::Version(..) => ReasonCode::Version,
            _ => ReasonCode::Violation,
        };
        Reason::new(code, violation.to_string())
    }
}
