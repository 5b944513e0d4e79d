//! What the popups of a domain may cover: no frame of another domain. A popup that would lie over one is cut
//! off there, so that whose a window is can neither be hidden nor be told otherwise from outside of it.

use smithay::utils::{Point, Rectangle};

use super::window::Window;

/// A window, its frame around what its client draws.
#[derive(Clone, Copy, Debug)]
pub struct Framed<Kind> {
    /// With its frame.
    pub outer: Rectangle<i32, Kind>,
    /// What its client draws.
    pub client: Rectangle<i32, Kind>,
    /// It belongs to another domain than the popups.
    pub is_anothers: bool,
}

/// Windows below the popups that are looked at. Under more than these, popups end at their own window.
const MOST_WINDOWS: usize = 64;
/// Pieces of frames that are left out, and parts that a popup falls into for it: with more it ends at its
/// window. A person's windows cut a menu into some few; a guest could have it in thousands.
const MOST_PIECES: usize = 128;

/// What of others' frames would be seen where popups are, were it not for the popups.
#[derive(Debug)]
pub struct FramesBelow<Kind> {
    frames: Vec<Rectangle<i32, Kind>>,
    /// The window of the popups.
    own: Rectangle<i32, Kind>,
}

impl<Kind> FramesBelow<Kind> {
    /// None.
    pub fn none() -> FramesBelow<Kind> {
        FramesBelow { frames: Vec::new(), own: Rectangle::default() }
    }

    /// Those in `area`, where the popups are, that `own`, the popups' window, and the other windows leave.
    /// The windows below it are given topmost first.
    pub fn new(
        area: Rectangle<i32, Kind>,
        own: Rectangle<i32, Kind>,
        below: impl Iterator<Item = Framed<Kind>>,
    ) -> FramesBelow<Kind> {
        let mut above = vec![own];
        let mut frames = Vec::new();
        for window in below {
            let Some(here) = window.outer.intersection(area) else { continue };
            if window.is_anothers {
                let frame = here.subtract_rect(window.client);
                frames.extend(Rectangle::subtract_rects_many(frame, above.iter().copied()));
            }
            above.push(here);
            if above.len() > MOST_WINDOWS || frames.len() > MOST_PIECES {
                return FramesBelow { frames: area.subtract_rect(own), own };
            }
        }
        FramesBelow { frames, own }
    }

    /// The parts of an area that are not one of them.
    pub fn leave(&self, area: Rectangle<i32, Kind>) -> Vec<Rectangle<i32, Kind>> {
        let left = area.subtract_rects(self.frames.iter().copied());
        if left.len() > MOST_PIECES {
            return area.intersection(self.own).into_iter().collect();
        }
        left
    }
}

/// Whether a window's popups keep off others' frames: those of domains do, unless it is configured
/// otherwise.
fn keeps_off(window: &Window) -> bool {
    window.origin().domain().is_some_and(|domain| !domain.popups_over_frames())
}

/// What a window's popups are to keep off, where they and their borders of this width are. `below` are the
/// windows below it, lowest first, and `framed` tells where each lies.
pub fn frames_below<Kind>(
    window: &Window,
    below: &[Window],
    popups: impl Iterator<Item = Rectangle<i32, Kind>>,
    border: i32,
    framed: impl Fn(&Window) -> (Rectangle<i32, Kind>, Rectangle<i32, Kind>),
) -> FramesBelow<Kind> {
    let Some(area) = popups.reduce(Rectangle::merge).filter(|_| keeps_off(window)) else {
        return FramesBelow::none();
    };
    let corner = area.loc - Point::from((border, border));
    let area = Rectangle::new(corner, area.size + (2 * border, 2 * border).into());
    let visible = below.iter().rev().filter(|other| other.is_visible());
    let below = visible.map(|other| {
        let (outer, client) = framed(other);
        Framed { outer, client, is_anothers: other.origin() != window.origin() }
    });
    FramesBelow::new(area, framed(window).0, below)
}

#[cfg(test)]
mod tests {
    use smithay::utils::Logical;

    use super::*;

    fn rectangle(x: i32, y: i32, width: i32, height: i32) -> Rectangle<i32, Logical> {
        Rectangle::new((x, y).into(), (width, height).into())
    }

    #[test]
    fn only_frames_of_others_that_would_be_seen_are_left() {
        let framed = |outer, client, is_anothers| Framed { outer, client, is_anothers };
        let below = [
            // One of the popups' own domain, over the left half of the frame.
            framed(rectangle(0, 90, 50, 100), rectangle(0, 100, 50, 90), false),
            framed(rectangle(0, 100, 100, 100), rectangle(0, 110, 100, 90), true),
            // Below all that.
            framed(rectangle(0, 100, 100, 40), rectangle(0, 120, 100, 20), true),
        ];
        let area = rectangle(0, 0, 200, 200);
        let frames = FramesBelow::new(area, rectangle(80, 0, 10, 200), below.into_iter());
        let left = frames.leave(rectangle(40, 95, 60, 10));
        let covered: i32 = left.iter().map(|part| part.size.w * part.size.h).sum();
        // Without 50 to 80 and 90 to 100 from 100 to 105.
        assert_eq!(covered, 60 * 10 - (30 + 10) * 5);
        assert!(left.iter().all(|part| !part.overlaps(rectangle(50, 100, 30, 5))));
    }

    #[test]
    fn popups_over_too_much_end_at_their_window() {
        let area = rectangle(0, 0, 400, 400);
        let own = rectangle(0, 0, 100, 400);
        let tiny = |number: i32| {
            let outer = rectangle(100 + number % 30 * 10, number / 30 * 10, 8, 8);
            let client = rectangle(outer.loc.x + 1, outer.loc.y + 1, 6, 6);
            Framed { outer, client, is_anothers: true }
        };
        let popup = rectangle(50, 0, 300, 300);
        for count in [40, 1000] {
            let frames = FramesBelow::new(area, own, (0..count).map(tiny));
            assert_eq!(frames.leave(popup), [rectangle(50, 0, 50, 300)], "over {count} windows");
        }
        let frames = FramesBelow::new(area, own, (0..3).map(tiny));
        let left = frames.leave(popup);
        let seen: i32 = left.iter().map(|part| part.size.w * part.size.h).sum();
        assert_eq!(seen, 300 * 300 - 3 * (64 - 36));
    }
}
