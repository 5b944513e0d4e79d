//! How much of what the peer sends is handed on in one dispatch, by the owner of the link, who alone
//! knows what it costs.

use std::fmt;

/// Bounds the bytes that the apps of all streams are given in one dispatch.
pub trait Portion: fmt::Debug + Send {
    /// How many bytes there may be in the dispatch that begins. At least one is handed on, so that the
    /// link never stands still.
    fn bytes(&self) -> usize;

    /// There was more in the dispatch that ends, which is left for the next ones.
    fn held_back(&self) {}
}

/// What is left of it in this dispatch.
#[derive(Debug)]
pub(super) struct Left(usize);

impl Left {
    pub(super) fn new(portion: Option<&dyn Portion>) -> Left {
        Left(portion.map_or(usize::MAX, |portion| portion.bytes().max(1)))
    }

    pub(super) fn is_used_up(&self) -> bool {
        self.0 == 0
    }

    /// As many of these as may still be handed on.
    pub(super) fn of<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(..self.0).unwrap_or(bytes)
    }

    /// So many were.
    pub(super) fn used(&mut self, bytes: usize) {
        self.0 = self.0.saturating_sub(bytes);
    }
}
