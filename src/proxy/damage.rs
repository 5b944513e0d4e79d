//! Which pixels of a buffer changed: rectangles, and from a surface's coordinates to a buffer's.

/// A rectangle of pixels, never empty. 64 bits, so that nothing that an app says overflows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rectangle {
    pub(super) left: i64,
    pub(super) top: i64,
    pub(super) right: i64,
    pub(super) bottom: i64,
}

/// Rectangles of one region before it becomes their common bounds.
const MOST_RECTANGLES: usize = 64;

impl Rectangle {
    /// From Wayland's x, y, width and height. Nothing if there is nothing in it.
    pub(super) fn new(x: i32, y: i32, width: i32, height: i32) -> Option<Rectangle> {
        let (left, top) = (i64::from(x), i64::from(y));
        let (right, bottom) = (left + i64::from(width), top + i64::from(height));
        Rectangle { left, top, right, bottom }.unless_empty()
    }

    fn unless_empty(self) -> Option<Rectangle> {
        (self.left < self.right && self.top < self.bottom).then_some(self)
    }

    pub(super) fn intersection(self, other: Rectangle) -> Option<Rectangle> {
        let (left, top) = (self.left.max(other.left), self.top.max(other.top));
        let (right, bottom) = (self.right.min(other.right), self.bottom.min(other.bottom));
        Rectangle { left, top, right, bottom }.unless_empty()
    }

    fn bounds(self, other: Rectangle) -> Rectangle {
        Rectangle {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    /// What of this is not in `other`: up to four pieces.
    fn without(self, other: Rectangle) -> impl Iterator<Item = Rectangle> {
        let pieces = match self.intersection(other) {
            None => [Some(self), None, None, None],
            Some(shared) => [
                Rectangle { bottom: shared.top, ..self }.unless_empty(),
                Rectangle { top: shared.bottom, ..self }.unless_empty(),
                Rectangle { top: shared.top, bottom: shared.bottom, right: shared.left, ..self }
                    .unless_empty(),
                Rectangle { top: shared.top, bottom: shared.bottom, left: shared.right, ..self }
                    .unless_empty(),
            ],
        };
        pieces.into_iter().flatten()
    }
}

/// Part of a buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Region {
    All,
    /// These, none of which overlap.
    Some(Vec<Rectangle>),
}

impl Region {
    pub(super) const EMPTY: Region = Region::Some(Vec::new());

    /// These pixels as well.
    pub(super) fn add(&mut self, rectangle: Rectangle) {
        let Region::Some(rectangles) = self else { return };
        let mut new = vec![rectangle];
        for known in rectangles.iter() {
            new = new.into_iter().flat_map(|piece| piece.without(*known)).collect();
        }
        rectangles.extend(new);
        if rectangles.len() > MOST_RECTANGLES
            && let Some(bounds) = rectangles.iter().copied().reduce(Rectangle::bounds)
        {
            *rectangles = vec![bounds];
        }
    }

    /// All of another region as well.
    pub(super) fn add_all(&mut self, other: &Region) {
        match other {
            Region::All => *self = Region::All,
            Region::Some(rectangles) => rectangles.iter().for_each(|one| self.add(*one)),
        }
    }
}

/// How a surface shows its buffer: what is needed to tell which pixels a surface's damage means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Geometry {
    pub(super) scale: i32,
    /// `wl_output.transform`.
    pub(super) transform: u32,
    /// `wp_viewport.set_source`, in 1/256.
    pub(super) source: Option<[i32; 4]>,
    /// `wp_viewport.set_destination`.
    pub(super) destination: Option<[i32; 2]>,
}

impl Default for Geometry {
    fn default() -> Self {
        Geometry { scale: 1, transform: 0, source: None, destination: None }
    }
}

impl Geometry {
    /// The pixels of a buffer of this size that a rectangle of the surface shows. With the pixels
    /// around them where a viewport scales, since those are looked at as well.
    pub(super) fn to_buffer(self, damage: Rectangle, (width, height): (i32, i32)) -> Region {
        let known = (1..=16).contains(&self.scale) && self.transform < 8 && width > 0 && height > 0;
        if !known {
            return Region::All; // An error, which the host will raise.
        }
        let scale = i64::from(self.scale);
        // The buffer after its transform, in pixels.
        let turned = self.transform % 2 == 1;
        let (wide, high) = if turned { (height, width) } else { (width, height) };
        let (wide, high) = (i64::from(wide), i64::from(high));

        let mut seen = damage;
        if self.source.is_some() || self.destination.is_some() {
            let Some(through) = self.through_viewport(damage, wide / scale, high / scale) else {
                return Region::All;
            };
            seen = through;
        }
        let seen = Rectangle {
            left: seen.left.saturating_mul(scale),
            top: seen.top.saturating_mul(scale),
            right: seen.right.saturating_mul(scale),
            bottom: seen.bottom.saturating_mul(scale),
        };
        let whole = Rectangle { left: 0, top: 0, right: wide, bottom: high };
        let Some(seen) = seen.intersection(whole) else { return Region::EMPTY };
        Region::Some(vec![untransform(seen, self.transform, wide, high)])
    }

    /// From the surface's coordinates to those before the viewport; rounded outwards.
    fn through_viewport(self, damage: Rectangle, wide: i64, high: i64) -> Option<Rectangle> {
        let [x, y, w, h] = match self.source {
            Some(source) => source.map(i64::from),
            None => [0, 0, wide * 256, high * 256],
        };
        let [to_w, to_h] = match self.destination {
            Some(destination) => destination.map(i64::from),
            None => [w / 256, h / 256],
        };
        if w <= 0 || h <= 0 || to_w <= 0 || to_h <= 0 {
            return None;
        }
        let all = Rectangle { left: 0, top: 0, right: to_w, bottom: to_h };
        // Outside of the surface nothing is seen: an empty place is as good as none.
        let damage = damage.intersection(all).unwrap_or(Rectangle { right: 1, bottom: 1, ..all });
        // One pixel more on each side, for filters.
        let low =
            |from: i64, at: i64, size: i64, to: i64| (from + at * size / to).div_euclid(256) - 1;
        let high = |from: i64, at: i64, size: i64, to: i64| {
            (from + (at * size + to - 1) / to + 255) / 256 + 1
        };
        Some(Rectangle {
            left: low(x, damage.left, w, to_w),
            top: low(y, damage.top, h, to_h),
            right: high(x, damage.right, w, to_w),
            bottom: high(y, damage.bottom, h, to_h),
        })
    }
}

/// From the coordinates after a buffer's transform (`wide` by `high`) to those of its memory.
fn untransform(seen: Rectangle, transform: u32, wide: i64, high: i64) -> Rectangle {
    let Rectangle { left, top, right, bottom } = seen;
    // Flips come before turns, from the buffer to the surface; turns are counter-clockwise.
    let (x, y) = ((left, right), (top, bottom));
    let back = |(from, to): (i64, i64), size: i64| (size - to, size - from);
    let ((left, right), (top, bottom)) = match transform {
        1 => (back(y, high), x),
        2 => (back(x, wide), back(y, high)),
        3 => (y, back(x, wide)),
        4 => (back(x, wide), y),
        5 => (y, x),
        6 => (x, back(y, high)),
        7 => (back(y, high), back(x, wide)),
        _ => (x, y),
    };
    Rectangle { left, top, right, bottom }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Where a pixel of the memory is seen, straight from the protocol's words: flipped around a
    /// vertical axis first, then turned counter-clockwise.
    fn shown(transform: u32, x: i64, y: i64, (w, h): (i64, i64)) -> (i64, i64) {
        let x = if transform >= 4 { w - 1 - x } else { x };
        match transform % 4 {
            0 => (x, y),
            1 => (y, w - 1 - x),
            2 => (w - 1 - x, h - 1 - y),
            _ => (h - 1 - y, x),
        }
    }

    #[test]
    fn every_transform_is_undone() {
        let (w, h) = (7, 4);
        for transform in 0..8 {
            for (x, y) in (0..w).flat_map(|x| (0..h).map(move |y| (x, y))) {
                let (sx, sy) = shown(transform, x, y, (w, h));
                let seen = Rectangle { left: sx, top: sy, right: sx + 1, bottom: sy + 1 };
                let geometry = Geometry { transform, ..Geometry::default() };
                let pixel = Rectangle { left: x, top: y, right: x + 1, bottom: y + 1 };
                let region = geometry.to_buffer(seen, (w as i32, h as i32));
                assert_eq!(region, Region::Some(vec![pixel]), "transform {transform}");
            }
        }
    }

    #[test]
    fn scales_and_viewports_round_outwards() {
        let twice = Geometry { scale: 2, ..Geometry::default() };
        let damage = Rectangle::new(3, 1, 2, 2).unwrap();
        let expected = Rectangle { left: 6, top: 2, right: 10, bottom: 6 };
        assert_eq!(twice.to_buffer(damage, (20, 20)), Region::Some(vec![expected]));
        let viewport = Geometry {
            source: Some([2 * 256, 0, 10 * 256, 20 * 256]),
            destination: Some([30, 20]),
            ..Geometry::default()
        };
        let damage = Rectangle::new(15, 4, 1, 1).unwrap();
        let expected = Rectangle { left: 6, top: 3, right: 9, bottom: 6 };
        assert_eq!(viewport.to_buffer(damage, (20, 20)), Region::Some(vec![expected]));
    }

    fn rectangle() -> impl Strategy<Value = Rectangle> {
        (-5i32..20, -5i32..20, 1i32..12, 1i32..12)
            .prop_map(|(x, y, w, h)| Rectangle::new(x, y, w, h).unwrap())
    }

    fn covers(rectangles: &[Rectangle], x: i64, y: i64) -> usize {
        let inside =
            |r: &&Rectangle| (r.left..r.right).contains(&x) && (r.top..r.bottom).contains(&y);
        rectangles.iter().filter(inside).count()
    }

    proptest! {
        #[test]
        fn a_region_has_each_of_its_pixels_once(added in prop::collection::vec(rectangle(), 0..8)) {
            let mut region = Region::EMPTY;
            added.iter().for_each(|one| region.add(*one));
            let Region::Some(rectangles) = region else { panic!("not all") };
            for (x, y) in (-6..33).flat_map(|x| (-6..33).map(move |y| (x, y))) {
                let expected = usize::from(covers(&added, x, y) > 0);
                prop_assert_eq!(covers(&rectangles, x, y), expected);
            }
        }

        #[test]
        fn no_numbers_overflow(
            numbers in prop::array::uniform4(any::<i32>()),
            source in prop::array::uniform4(any::<i32>()),
            destination in prop::array::uniform2(any::<i32>()),
            (scale, transform) in (-1i32..40, 0u32..9),
            size in (any::<i32>(), any::<i32>()),
        ) {
            let [x, y, width, height] = numbers;
            let geometry =
                Geometry { scale, transform, source: Some(source), destination: Some(destination) };
            if let Some(damage) = Rectangle::new(x, y, width, height) {
                let _ = geometry.to_buffer(damage, size);
            }
        }
    }
}
