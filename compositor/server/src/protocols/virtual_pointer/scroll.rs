//! How a virtual pointer scrolls within a frame.

use smithay::{
    backend::input::{Axis, AxisSource},
    input::pointer::AxisFrame,
};

/// The farthest that is scrolled at once, in pixels.
const FARTHEST: f64 = 100_000.0;
/// The same in notches.
const MOST_NOTCHES: i32 = 10_000;

/// What is to be scrolled at the end of the frame.
#[derive(Debug, Default)]
pub(super) struct Scroll {
    horizontal: Way,
    vertical: Way,
    source: Option<AxisSource>,
}

/// The same along one axis.
#[derive(Debug, Default)]
struct Way {
    pixels: f64,
    notches: Option<i32>,
    stops: bool,
}

impl Scroll {
    /// So many pixels more, and notches, where the tool counts them.
    pub(super) fn add(&mut self, axis: Axis, pixels: f64, notches: Option<i32>) {
        let way = self.along(axis);
        way.pixels = (way.pixels + pixels).clamp(-FARTHEST, FARTHEST);
        if let Some(notches) = notches {
            let sum = way.notches.unwrap_or(0).saturating_add(notches);
            way.notches = Some(sum.clamp(-MOST_NOTCHES, MOST_NOTCHES));
        }
    }

    /// The fingers are lifted.
    pub(super) fn stop(&mut self, axis: Axis) {
        self.along(axis).stops = true;
    }

    /// What scrolls. A wheel, unless it is said.
    pub(super) fn set_source(&mut self, source: AxisSource) {
        self.source = Some(source);
    }

    fn along(&mut self, axis: Axis) -> &mut Way {
        match axis {
            Axis::Horizontal => &mut self.horizontal,
            Axis::Vertical => &mut self.vertical,
        }
    }

    /// As programs are told it, if there is anything to tell.
    pub(super) fn frame(&self, time: u32) -> Option<AxisFrame> {
        let source = self.source.unwrap_or(AxisSource::Wheel);
        let is_wheel = matches!(source, AxisSource::Wheel | AxisSource::WheelTilt);
        let mut frame = AxisFrame::new(time).source(source);
        let mut is_empty = true;
        let ways = [(Axis::Horizontal, &self.horizontal), (Axis::Vertical, &self.vertical)];
        for (axis, way) in ways {
            if way.pixels != 0.0 {
                frame = frame.value(axis, way.pixels);
                if is_wheel {
                    // A notch of a wheel is 15 pixels and 120 parts.
                    let parts =
                        way.notches.map_or(way.pixels * 8.0, |notches| f64::from(notches) * 120.0);
                    frame = frame.v120(axis, parts as i32);
                }
            }
            if way.stops {
                frame = frame.stop(axis);
            }
            is_empty &= way.pixels == 0.0 && !way.stops;
        }
        (!is_empty).then_some(frame)
    }
}
