//! How a buffer's pixels lie in its memory, and which bytes a region of it is.

use std::ops::Range;

use super::damage::{Rectangle, Region};

/// How a buffer's pixels lie in its file, checked against its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) offset: i32,
    pub(super) width: i32,
    pub(super) height: i32,
    pub(super) stride: i32,
    pub(super) format: u32,
}

impl Layout {
    /// Whether the buffer is inside so many bytes, and each row inside its stride. A pixel of a format
    /// that is not known has a byte at least.
    pub(super) fn fits(self, bytes: i64) -> bool {
        let Layout { offset, width, height, stride, .. } = self;
        let row = i64::from(width) * self.bytes_per_pixel().unwrap_or(1);
        let end = i64::from(offset) + i64::from(stride) * i64::from(height);
        offset >= 0 && width > 0 && height > 0 && i64::from(stride) >= row && end <= bytes
    }

    /// Bytes from its first to its last; positive if it fits.
    pub(super) fn bytes(self) -> usize {
        self.stride as usize * self.height as usize
    }

    /// Bytes of one pixel, if the format has whole bytes and one plane. That is so for all formats
    /// whose code is below 2, and for those four-letter codes that are listed.
    fn bytes_per_pixel(self) -> Option<i64> {
        match &self.format.to_le_bytes() {
            [0 | 1, 0, 0, 0] => Some(4), // Argb8888, Xrgb8888
            b"AB24" | b"XB24" | b"RA24" | b"RX24" | b"BA24" | b"BX24" | b"AR30" | b"XR30"
            | b"AB30" | b"XB30" | b"RA30" | b"RX30" | b"BA30" | b"BX30" => Some(4),
            b"RG16" | b"BG16" => Some(2),
            b"AR4H" | b"XR4H" | b"AB4H" | b"XB4H" | b"AR48" | b"XR48" | b"AB48" | b"XB48" => {
                Some(8)
            }
            _ => None,
        }
    }

    /// The bytes of a region, counted from the buffer's first. Rows whose bytes are all wanted are
    /// one span.
    pub(super) fn spans(self, region: &Region) -> impl Iterator<Item = Range<usize>> {
        let all = Rectangle::new(0, 0, self.width, self.height);
        let (everything, pixels) = match (all, self.bytes_per_pixel()) {
            (Some(all), Some(size)) => (None, Some((all, size))),
            _ => (Some(0..self.bytes()), None),
        };
        let rectangles = pixels.into_iter().flat_map(move |(all, size)| {
            let (whole, some) = match region {
                Region::All => (Some(all), &[][..]),
                Region::Some(rectangles) => (None, &rectangles[..]),
            };
            let inside = some.iter().filter_map(move |rectangle| rectangle.intersection(all));
            whole.into_iter().chain(inside).flat_map(move |one| self.rows(one, size))
        });
        everything.into_iter().chain(rectangles)
    }

    /// The bytes of a rectangle inside the buffer, whose pixels have `size` bytes.
    fn rows(self, rectangle: Rectangle, size: i64) -> impl Iterator<Item = Range<usize>> {
        let Rectangle { left, top, right, bottom } = rectangle;
        let stride = i64::from(self.stride);
        let (first, end) = ((left * size).min(stride), (right * size).min(stride));
        let together = left == 0 && right == i64::from(self.width);
        let (spans, rows) = if together { (1, bottom - top) } else { (bottom - top, 1) };
        (0..spans).map(move |span| {
            let row = top + span;
            // Neither is negative, nor behind the buffer's last byte.
            (row * stride + first) as usize..((row + rows - 1) * stride + end) as usize
        })
    }
}
