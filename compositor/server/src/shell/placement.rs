//! Where a new window goes: into free space if there is some, so that windows do not hide each
//! other. The same windows in the same order always go to the same places.

use smithay::utils::{Logical, Point, Rectangle, Size};

/// Free space kept between windows, and between windows and the edges.
pub const GAP: i32 = 16;
/// How far a window without free space is set off from the one before.
const CASCADE_STEP: i32 = 36;
/// More windows than this are not searched for gaps between them.
const MOST_OBSTACLES: usize = 64;

/// The top left corner for something of `size` within `area`, beside `obstacles` if it fits, else
/// over them in a cascade, of which this is the `index`th.
pub fn place(
    area: Rectangle<i32, Logical>,
    obstacles: &[Rectangle<i32, Logical>],
    size: Size<i32, Logical>,
    index: usize,
) -> Point<i32, Logical> {
    let room = shrunk(area, GAP);
    if obstacles.len() <= MOST_OBSTACLES
        && let Some(free) = first_free(room, obstacles, size)
    {
        return free;
    }
    let step = |space: i32| {
        // As many steps as the space takes, then from the start again.
        let steps = (space / CASCADE_STEP).max(0) + 1;
        (index as i32 % steps) * CASCADE_STEP
    };
    let free =
        Size::<i32, Logical>::from(((room.size.w - size.w).max(0), (room.size.h - size.h).max(0)));
    clamp(room, size, room.loc + Point::from((step(free.w), step(free.h))))
}

/// The top left corner for something of `size` in the middle of `parent`, within `area`.
pub fn place_over(
    area: Rectangle<i32, Logical>,
    parent: Rectangle<i32, Logical>,
    size: Size<i32, Logical>,
) -> Point<i32, Logical> {
    let half = |room: i32, own: i32| (room - own) / 2;
    let wanted =
        parent.loc + Point::from((half(parent.size.w, size.w), half(parent.size.h, size.h)));
    clamp(area, size, wanted)
}

/// The nearest place to `wanted` where something of `size` lies within `area`; its top left corner
/// stays within when it does not fit.
pub fn clamp(
    area: Rectangle<i32, Logical>,
    size: Size<i32, Logical>,
    wanted: Point<i32, Logical>,
) -> Point<i32, Logical> {
    let last = |start: i32, length: i32, own: i32| start + (length - own).max(0);
    Point::from((
        wanted.x.clamp(area.loc.x, last(area.loc.x, area.size.w, size.w)),
        wanted.y.clamp(area.loc.y, last(area.loc.y, area.size.h, size.h)),
    ))
}

/// The first free place in reading order: from the top, and at one height from the left. Such a
/// place always touches, to the left and above, an edge of the area or of an obstacle.
fn first_free(
    room: Rectangle<i32, Logical>,
    obstacles: &[Rectangle<i32, Logical>],
    size: Size<i32, Logical>,
) -> Option<Point<i32, Logical>> {
    let mut lefts = vec![room.loc.x];
    let mut tops = vec![room.loc.y];
    for obstacle in obstacles {
        lefts.push(obstacle.loc.x + obstacle.size.w + GAP);
        tops.push(obstacle.loc.y + obstacle.size.h + GAP);
    }
    for edges in [&mut lefts, &mut tops] {
        edges.sort_unstable();
        edges.dedup();
    }
    let places = tops.iter().flat_map(|y| lefts.iter().map(|x| Point::from((*x, *y))));
    places.into_iter().find(|place| {
        let spot = Rectangle::new(*place, size);
        let with_gap =
            Rectangle::new(*place - Point::from((GAP, GAP)), size + Size::from((2 * GAP, 2 * GAP)));
        room.contains_rect(spot) && !obstacles.iter().any(|obstacle| obstacle.overlaps(with_gap))
    })
}

fn shrunk(area: Rectangle<i32, Logical>, by: i32) -> Rectangle<i32, Logical> {
    Rectangle::new(
        area.loc + Point::from((by, by)),
        Size::from(((area.size.w - 2 * by).max(1), (area.size.h - 2 * by).max(1))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const AREA: (i32, i32) = (800, 600);

    fn area() -> Rectangle<i32, Logical> {
        Rectangle::from_size(AREA.into())
    }

    fn fill(sizes: &[(i32, i32)]) -> Vec<Rectangle<i32, Logical>> {
        let mut placed: Vec<Rectangle<i32, Logical>> = Vec::new();
        for (index, size) in sizes.iter().enumerate() {
            let size = Size::from(*size);
            placed.push(Rectangle::new(place(area(), &placed, size, index), size));
        }
        placed
    }

    #[test]
    fn the_first_goes_to_the_corner() {
        assert_eq!(fill(&[(200, 100)])[0].loc, (GAP, GAP).into());
    }

    #[test]
    fn windows_that_fit_do_not_overlap() {
        let placed = fill(&[(300, 200), (300, 200), (300, 200), (300, 200), (100, 100), (80, 400)]);
        for (index, window) in placed.iter().enumerate() {
            assert!(area().contains_rect(*window), "{window:?}");
            for other in &placed[..index] {
                assert!(!window.overlaps(*other), "{window:?} {other:?}");
            }
        }
        assert_eq!(placed[1].loc, (GAP + 300 + GAP, GAP).into());
        assert_eq!(placed[2].loc, (GAP, GAP + 200 + GAP).into());
    }

    #[test]
    fn windows_without_room_cascade_on_the_output() {
        let placed = fill(&[(700, 500); 30]);
        assert_ne!(placed[0].loc, placed[1].loc);
        for window in &placed {
            assert!(area().contains_rect(*window), "{window:?}");
        }
    }

    #[test]
    fn a_window_larger_than_the_output_starts_on_it() {
        let placed = fill(&[(5000, 4000), (5000, 4000)]);
        for window in placed {
            assert!(area().contains(window.loc));
        }
    }

    #[test]
    fn dialogues_lie_over_their_windows() {
        let parent = Rectangle::new((100, 100).into(), (300, 200).into());
        assert_eq!(place_over(area(), parent, (100, 50).into()), (200, 175).into());
        assert_eq!(place_over(area(), parent, (700, 590).into()), (0, 0).into());
    }

    #[test]
    fn clamping_keeps_what_fits_inside() {
        assert_eq!(clamp(area(), (100, 100).into(), (790, -20).into()), (700, 0).into());
        assert_eq!(clamp(area(), (900, 700).into(), (40, 40).into()), (0, 0).into());
    }
}
