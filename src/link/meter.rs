//! Looking at how much an app of the other end says, by the owner of the link, who alone knows what it
//! means.

use std::fmt;

/// Sees all that one stream brings, in order, before it is handed on.
pub trait Meter: fmt::Debug + Send {
    /// More has come. False if it is more than there may be; the owner of the link is told so once,
    /// by [`LinkEvent::Excess`](super::LinkEvent::Excess), and everything is handed on until it closes
    /// the stream.
    fn more(&mut self, bytes: &[u8]) -> bool;
}

/// Makes one for each stream.
pub(super) struct MakeMeter(Box<dyn Fn() -> Box<dyn Meter> + Send>);

impl MakeMeter {
    pub(super) fn new(make: impl Fn() -> Box<dyn Meter> + Send + 'static) -> MakeMeter {
        MakeMeter(Box::new(make))
    }

    pub(super) fn make(&self) -> Box<dyn Meter> {
        (self.0)()
    }
}

impl fmt::Debug for MakeMeter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MakeMeter")
    }
}
