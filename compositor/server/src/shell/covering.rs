//! What the popups of a domain may cover: no frame of another domain. A popup that would lie over one is cut
//! off there, so that whose a window is can neither be hidden nor be told otherwise from outside of it.

use smithay::utils::{Logical, Point, Rectangle};

use super::window::Window;
use crate::render::frame_decoration::{FrameStyle, FrameTheme};

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

/// What of others' frames would be seen where popups are, were it not for the popups.
#[derive(Debug)]
pub struct FramesBelow<Kind>(Vec<Rectangle<i32, Kind>>);

impl<Kind> FramesBelow<Kind> {
    /// None.
    pub fn none() -> FramesBelow<Kind> {
        FramesBelow(Vec::new())
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
        }
        FramesBelow(frames)
    }

    /// The parts of an area that are not one of them.
    pub fn leave(&self, area: Rectangle<i32, Kind>) -> Vec<Rectangle<i32, Kind>> {
        area.subtract_rects(self.0.iter().copied())
    }
}

/// Whether a window's popups keep off others' frames: those of domains do, unless it is configured
/// otherwise.
pub fn keeps_off(window: &Window) -> bool {
    window.origin().domain().is_some_and(|domain| !domain.popups_over_frames())
}

/// Whether what is seen at a point is another domain's frame, though a popup of the window lies there.
/// `below` are the windows below it, lowest first.
pub fn frame_is_seen(
    window: &Window,
    below: &[Window],
    theme: &FrameTheme,
    point: Point<f64, Logical>,
) -> bool {
    if !keeps_off(window) || window.outer_area(theme).to_f64().contains(point) {
        return false;
    }
    let mut below = below.iter().rev().filter(|other| other.is_visible());
    let seen = below.find(|other| other.outer_area(theme).to_f64().contains(point));
    seen.is_some_and(|other| {
        other.origin() != window.origin()
            && other.frame_style(theme) != FrameStyle::None
            && !other.client_area().to_f64().contains(point)
    })
}

#[cfg(test)]
mod tests {
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
}
