//! The numbers of streams and pipes.

use std::num::NonZeroU32;

/// The number of a stream: from 1 upwards in the order of opening, never used twice on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(NonZeroU32);

impl StreamId {
    /// The stream with this number; `None` for 0.
    pub const fn new(number: u32) -> Option<StreamId> {
        match NonZeroU32::new(number) {
            Some(number) => Some(StreamId(number)),
            None => None,
        }
    }

    /// The number.
    pub const fn number(self) -> u32 {
        self.0.get()
    }
}

impl std::fmt::Display for StreamId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The number of a pipe: the top bit says that the display domain opened it, the rest counts
/// from 1 upwards, never used twice on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PipeId(u32);

impl PipeId {
    const DISPLAY: u32 = 1 << 31;

    /// The pipe with this number; `None` where the part that counts is 0.
    pub const fn new(number: u32) -> Option<PipeId> {
        if number & !Self::DISPLAY == 0 { None } else { Some(PipeId(number)) }
    }

    /// The first pipe that one side opens.
    pub(super) const fn first(by_display: bool) -> PipeId {
        PipeId(if by_display { Self::DISPLAY | 1 } else { 1 })
    }

    /// The next pipe of the same side; `None` when the side has used them all.
    pub(super) const fn next(self) -> Option<PipeId> {
        match self.0.checked_add(1) {
            Some(number) if number & !Self::DISPLAY != 0 => Some(PipeId(number)),
            _ => None,
        }
    }

    /// Whether the display domain opened it.
    pub const fn by_display(self) -> bool {
        self.0 & Self::DISPLAY != 0
    }

    /// The number.
    pub const fn number(self) -> u32 {
        self.0
    }
}
