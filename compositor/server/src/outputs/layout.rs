//! Outputs as rectangles that lie beside each other, in pixels of windows.

use smithay::utils::{Logical, Physical, Point, Rectangle, Size, Transform};

type Area = Rectangle<i32, Logical>;

/// How much of a window's title bar lies on an output at least, in both directions.
pub const WITHIN_REACH: i32 = 48;

/// The size that an output of so many pixels has for windows.
pub fn logical_size(
    pixels: Size<i32, Physical>,
    transform: Transform,
    scale: f64,
) -> Size<i32, Logical> {
    let size = transform.transform_size(pixels).to_f64().to_logical(scale).to_i32_round::<i32>();
    Size::from((size.w.max(1), size.h.max(1)))
}

/// The smallest rectangle around all.
pub fn bounds(areas: impl IntoIterator<Item = Area>) -> Option<Area> {
    areas.into_iter().reduce(Rectangle::merge)
}

/// Where the next output goes: to the right of all.
pub fn next_position(areas: impl IntoIterator<Item = Area>) -> Point<i32, Logical> {
    let right = areas.into_iter().map(|area| area.loc.x + area.size.w).max();
    Point::from((right.unwrap_or(0), 0))
}

/// Which of `areas` shows most of `what`; the nearest if none shows any of it.
pub fn showing(areas: &[Area], what: Area) -> Option<usize> {
    let shown = |area: &Area| {
        let size = area.intersection(what).map(|common| common.size).unwrap_or_default();
        i64::from(size.w) * i64::from(size.h)
    };
    // The first of equals, so that the answer does not change by itself.
    let most = areas.iter().enumerate().rev().max_by_key(|(_, area)| shown(area));
    match most {
        Some((index, area)) if shown(area) > 0 => Some(index),
        _ => nearest(areas, middle(what).to_f64()),
    }
}

/// Which of `areas` a point lies in, or to which it lies nearest.
pub fn nearest(areas: &[Area], point: Point<f64, Logical>) -> Option<usize> {
    let distance = |area: &Area| {
        let off = point - confined(*area, point);
        off.x * off.x + off.y * off.y
    };
    let all = areas.iter().enumerate();
    all.min_by(|(_, a), (_, b)| distance(a).total_cmp(&distance(b))).map(|(index, _)| index)
}

/// The nearest point to `point` within `area`, whose last pixel belongs to it.
pub fn confined(area: Area, point: Point<f64, Logical>) -> Point<f64, Logical> {
    let within = |value: f64, start: i32, length: i32| {
        let (first, last) = (f64::from(start), f64::from(start + length - 1));
        if value.is_finite() { value.clamp(first, last.max(first)) } else { first }
    };
    Point::from((
        within(point.x, area.loc.x, area.size.w),
        within(point.y, area.loc.y, area.size.h),
    ))
}

/// Whether somebody can take hold of a title bar that lies at `bar`.
pub fn is_reachable(areas: &[Area], bar: Area) -> bool {
    let wanted =
        Size::<i32, Logical>::from((bar.size.w.min(WITHIN_REACH), bar.size.h.min(WITHIN_REACH)));
    areas
        .iter()
        .filter_map(|area| area.intersection(bar))
        .any(|common| common.size.w >= wanted.w && common.size.h >= wanted.h)
}

fn middle(area: Area) -> Point<i32, Logical> {
    area.loc + Point::from((area.size.w / 2, area.size.h / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(x: i32, y: i32, w: i32, h: i32) -> Area {
        Rectangle::new((x, y).into(), (w, h).into())
    }

    #[test]
    fn sizes_follow_scale_and_transform() {
        let pixels = Size::from((1920, 1080));
        assert_eq!(logical_size(pixels, Transform::Normal, 1.5), (1280, 720).into());
        assert_eq!(logical_size(pixels, Transform::_90, 2.0), (540, 960).into());
        assert_eq!(logical_size((1, 1).into(), Transform::Normal, 8.0), (1, 1).into());
    }

    #[test]
    fn an_output_is_where_most_of_a_window_is() {
        let outputs = [area(0, 0, 800, 600), area(800, 0, 800, 600)];
        assert_eq!(showing(&outputs, area(700, 10, 300, 100)), Some(1));
        assert_eq!(showing(&outputs, area(700, 10, 200, 100)), Some(0), "the first of equals");
        assert_eq!(showing(&outputs, area(5000, 10, 10, 10)), Some(1), "the nearest");
        assert_eq!(showing(&[], area(0, 0, 10, 10)), None);
    }

    #[test]
    fn points_are_brought_to_the_nearest_output() {
        let outputs = [area(0, 0, 800, 600), area(800, 100, 640, 480)];
        let confine = |x: f64, y: f64| {
            let index = nearest(&outputs, (x, y).into()).unwrap();
            confined(outputs[index], (x, y).into())
        };
        assert_eq!(confine(-5.0, 700.0), (0.0, 599.0).into());
        assert_eq!(confine(1000.0, 20.0), (1000.0, 100.0).into());
        assert_eq!(confine(900.5, 300.25), (900.5, 300.25).into());
        assert_eq!(confine(f64::NAN, 3.0).x, 0.0);
    }

    #[test]
    fn a_bar_within_reach_is_left_where_it_is() {
        let outputs = [area(0, 0, 800, 600)];
        assert!(is_reachable(&outputs, area(750, 0, 300, 28)));
        assert!(!is_reachable(&outputs, area(770, 0, 300, 28)));
        assert!(!is_reachable(&outputs, area(100, 590, 300, 28)));
        assert!(is_reachable(&outputs, area(10, 10, 20, 20)), "small, but all of it");
    }
}
