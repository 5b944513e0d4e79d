//! How much of everything; both ends announce theirs in the handshake.

use thiserror::Error;

use super::frame::MAX_PAYLOAD;

/// Descriptors that one message of a local socket may carry: the kernel's `SCM_MAX_FD`
/// (include/net/scm.h).
pub const MAX_ATTACHMENTS: usize = 253;

/// Credit, in bytes, that announcing one attachment costs on its stream. It is given back when
/// the descriptor has left for the app, so a stream's credit also bounds the descriptors that
/// wait for a stuck app.
pub const ATTACHMENT_COST: u32 = 512;

/// Smallest credit of a stream, in bytes: see the assertion below.
pub const MIN_STREAM_CREDIT: u32 = 192 * 1024;

// A full burst of attachments and the first byte after them must fit into what a receiver never
// holds back (it returns credit by the quarter window), or the two ends would wait for each other.
const _: () =
    assert!(MAX_ATTACHMENTS as u32 * ATTACHMENT_COST < MIN_STREAM_CREDIT - MIN_STREAM_CREDIT / 4);

/// Largest credit of a stream or pipe, in bytes: what one stuck app may hold in memory.
const MAX_CREDIT: u32 = 16 * 1024 * 1024;
/// Smallest credit of a pipe, in bytes: `PIPE_BUF`, a write that apps expect to be one piece.
const MIN_PIPE_CREDIT: u32 = 4096;
/// Most streams, and most pipes, of one link: more than a session's apps need.
const MAX_COUNT: u32 = 4096;
/// Largest content of a file, in bytes.
const MAX_FILE_CONTENT: u32 = 64 * 1024 * 1024;

/// What this end of a link allows the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Streams open at once, 1 to 4096. The display domain's number counts.
    pub streams: u32,
    /// Bytes of one stream that this end holds for its app, 192 KiB to 16 MiB.
    pub stream_credit: u32,
    /// Largest content of one file that is passed on, in bytes, up to 64 MiB.
    pub file_content: u32,
    /// Pipes that the other end may have open at once, up to 4096.
    pub pipes: u32,
    /// Bytes of one pipe that this end holds for its reader, 4 KiB to 16 MiB.
    pub pipe_credit: u32,
    /// Descriptors that may wait at this end, over all streams; the stream that asks for more
    /// is closed. Not announced.
    pub waiting_descriptors: u32,
    /// Bytes of file content that may wait at this end for their app, over all streams; the
    /// stream that asks for more is closed. Not announced.
    pub waiting_content: u32,
}

impl Default for Limits {
    /// 64 apps; a quarter MiB a stream (a Wayland burst is a few KiB); 1 MiB of file content
    /// (the largest xkb keymaps are about 100 KiB); 128 pipes of 64 KiB (Linux's default pipe
    /// size); 1024 descriptors and 32 MiB of content waiting.
    fn default() -> Self {
        Limits {
            streams: 64,
            stream_credit: 256 * 1024,
            file_content: 1024 * 1024,
            pipes: 128,
            pipe_credit: 64 * 1024,
            waiting_descriptors: 1024,
            waiting_content: 32 * 1024 * 1024,
        }
    }
}

/// The part of [`Limits`] that the other end is told in its Hello, checked against the ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced {
    pub(super) streams: u32,
    pub(super) stream_credit: u32,
    pub(super) file_content: u32,
    pub(super) pipes: u32,
    pub(super) pipe_credit: u32,
}

/// A limit outside its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the limit '{name}' is {value}, not in {least}..={most}")]
pub struct LimitOutOfRange {
    name: &'static str,
    value: u32,
    least: u32,
    most: u32,
}

impl Announced {
    /// Checks the numbers in the order of the Hello frame.
    ///
    /// # Errors
    /// Names the first number outside its range.
    pub fn new(
        [streams, stream_credit, file_content, pipes, pipe_credit]: [u32; 5],
    ) -> Result<Announced, LimitOutOfRange> {
        let check = |name, value, least, most| {
            if (least..=most).contains(&value) {
                Ok(value)
            } else {
                Err(LimitOutOfRange { name, value, least, most })
            }
        };
        Ok(Announced {
            streams: check("streams", streams, 1, MAX_COUNT)?,
            stream_credit: check("stream credit", stream_credit, MIN_STREAM_CREDIT, MAX_CREDIT)?,
            file_content: check("file content", file_content, 0, MAX_FILE_CONTENT)?,
            pipes: check("pipes", pipes, 0, MAX_COUNT)?,
            pipe_credit: check("pipe credit", pipe_credit, MIN_PIPE_CREDIT, MAX_CREDIT)?,
        })
    }

    pub(super) const fn numbers(&self) -> [u32; 5] {
        [self.streams, self.stream_credit, self.file_content, self.pipes, self.pipe_credit]
    }
}

impl TryFrom<Limits> for Announced {
    type Error = LimitOutOfRange;

    fn try_from(limits: Limits) -> Result<Self, LimitOutOfRange> {
        Announced::new([
            limits.streams,
            limits.stream_credit,
            limits.file_content,
            limits.pipes,
            limits.pipe_credit,
        ])
    }
}

/// Bytes that one stream or pipe may add before the next has its turn: small enough that an
/// input event waits behind little, large enough that a copy of a clipboard needs few frames.
pub(super) const TURN: usize = 16 * 1024;

/// Bytes of frames gathered before they are written, and the most that waits for the transport
/// (plus one turn and the control frames of one actor).
pub(super) const OUTGOING_TARGET: usize = 4 * TURN;

// One turn must always fit into one frame.
const _: () = assert!(TURN <= MAX_PAYLOAD);
