//! From what a transport delivers to frames.

use super::frame::{Frame, FrameError, HEADER, Header, MAX_PAYLOAD};

/// Cuts what a transport delivers into frames, in a buffer that never grows.
///
/// After an error there is no next frame to find: the link has to close.
#[derive(Debug)]
pub struct Decoder {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Decoder {
    /// Bytes of the buffer: any unfinished frame still leaves half of it to one read.
    pub const CAPACITY: usize = 2 * (HEADER + MAX_PAYLOAD);

    /// An empty decoder.
    pub fn new() -> Decoder {
        Decoder { buffer: vec![0; Self::CAPACITY].into_boxed_slice(), start: 0, end: 0 }
    }

    /// Where the next bytes are to be read to; then tell [`Self::filled`] how many came. Never
    /// empty once [`Self::next_frame`] has answered `None`.
    pub fn space(&mut self) -> &mut [u8] {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// So many bytes of [`Self::space`] are filled; more than its length counts as all of it.
    pub fn filled(&mut self, count: usize) {
        self.end = self.buffer.len().min(self.end.saturating_add(count));
    }

    /// The next whole frame, `None` when it has not all arrived.
    ///
    /// # Errors
    /// A bad header is an error as soon as its 12 bytes are there, before its payload is.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
        let Some((header, rest)) = unread.split_first_chunk() else { return Ok(None) };
        let header = Header::decode(header)?;
        let Some(payload) = rest.get(..header.length()) else { return Ok(None) };
        self.start += HEADER + payload.len();
        Frame::decode(header, payload).map(Some)
    }

    /// Bytes that have arrived and are not yet a frame.
    pub fn buffered(&self) -> usize {
        self.end - self.start
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Decoder::new()
    }
}
