//! How much of what the peer sends is handed on in one dispatch, by the owner of the link, who alone
//! knows what it costs.

use std::fmt;

/// Bounds the bytes that the apps of all streams are given in one dispatch.
pub trait Portion: fmt::Debug + Send {
    /// How many bytes there may be in the dispatch that begins. At least one is handed on, so that the
    /// link never stands still.
    fn bytes(&self) -> usize;

    /// So many were handed on in the dispatch that ends.
    fn handed_on(&self, _bytes: usize) {}
}

/// What is left of it in this dispatch.
#[derive(Debug)]
pub(super) struct Left {
    bytes: usize,
    of: usize,
}

impl Left {
    pub(super) fn new(portion: Option<&dyn Portion>) -> Left {
        let of = portion.map_or(usize::MAX, |portion| portion.bytes().max(1));
        Left { bytes: of, of }
    }

    pub(super) fn handed_on(&self) -> usize {
        self.of - self.bytes
    }

    pub(super) fn is_used_up(&self) -> bool {
        self.bytes == 0
    }

    /// As many of these as may still be handed on.
    pub(super) fn of<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(..self.bytes).unwrap_or(bytes)
    }

    /// So many were.
    pub(super) fn used(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}
