//! What was done with an app's buffers: counted, to be reported and to be tested.

use std::fmt;
use std::ops::AddAssign;

/// Counters of one app, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Statistics {
    /// Commits of a buffer of a pool.
    pub(super) frames: u64,
    /// Buffers shown from the app's own pages.
    pub(super) granted: u64,
    /// Buffers shown from a copy.
    pub(super) shadowed: u64,
    pub(super) bytes_copied: u64,
    /// Bytes of the most that was copied for one frame.
    pub(super) most_bytes: u64,
}

impl Statistics {
    pub(super) fn copied(&mut self, bytes: u64) {
        self.bytes_copied += bytes;
        self.most_bytes = self.most_bytes.max(bytes);
    }
}

impl AddAssign for Statistics {
    fn add_assign(&mut self, other: Statistics) {
        self.frames += other.frames;
        self.granted += other.granted;
        self.shadowed += other.shadowed;
        self.bytes_copied += other.bytes_copied;
        self.most_bytes = self.most_bytes.max(other.most_bytes);
    }
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Statistics { frames, granted, shadowed, bytes_copied, most_bytes } = self;
        write!(f, "{frames} frames, {granted} buffers granted, {shadowed} shadowed, ")?;
        write!(f, "{bytes_copied} bytes copied, {most_bytes} at most for a frame")
    }
}
