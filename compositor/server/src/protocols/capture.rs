//! What both protocols that copy the screen have in common: taking a picture, waiting until there is
//! another one, and putting it into a client's buffer.
//!
//! What changed between two pictures is found by comparing them. That is exact whatever draws them,
//! and costs less than fetching the picture did.

use std::{collections::HashMap, sync::Arc, time::Duration};

use smithay::{
    output::Output,
    reexports::wayland_server::protocol::{wl_buffer::WlBuffer, wl_shm::Format},
    utils::{Logical, Physical, Rectangle, Size},
    wayland::shm::{BufferData, with_buffer_contents, with_buffer_contents_mut},
};

use super::{image_copy_capture, screencopy};
use crate::{
    image::Image,
    outputs::OutputId,
    render::{present::OutputView, screenshot::ScreenshotError},
    state::State,
};

/// The format that buffers must have.
pub(super) const FORMAT: Format = Format::Xrgb8888;
/// Bytes of one pixel of it.
pub(super) const PIXEL: i32 = 4;
/// Copies that may wait for the screen to change, all clients together.
const MOST_WAITING: usize = 256;

/// A part of a picture.
pub(super) type Area = Rectangle<i32, Physical>;

/// Copies that wait for the screen to change.
#[derive(Debug, Default)]
pub(crate) struct Captures {
    waiting: Vec<(Output, Waiting)>,
    /// How many pictures of each output had been drawn when those that wait for it were last looked
    /// at.
    looked_at: HashMap<OutputId, u64>,
}

/// One that waits.
#[derive(Debug)]
pub(super) enum Waiting {
    Screencopy(screencopy::Copy),
    Session(image_copy_capture::Copy),
}

/// A buffer is of no use for a picture.
#[derive(Debug)]
pub(super) struct Unfit;

/// A time as both protocols tell it: seconds in two halves, and nanoseconds.
pub(super) fn time_parts(time: Duration) -> (u32, u32, u32) {
    let seconds = time.as_secs();
    ((seconds >> 32) as u32, seconds as u32, time.subsec_nanos())
}

/// Whether a buffer has the size and format of a picture of this size.
pub(super) fn fits(state: &State, buffer: &WlBuffer, size: Size<i32, Physical>) -> bool {
    let fits = |data: BufferData| {
        data.format == FORMAT
            && (data.width, data.height) == (size.w, size.h)
            && data.stride >= data.width.saturating_mul(PIXEL)
    };
    // Pages that were granted for reading only would fault.
    !state.protocols.hyper_dmabuf.is_read_only(buffer)
        && with_buffer_contents(buffer, |_, _, data| fits(data)).unwrap_or(false)
}

/// Put a part of a picture into a client's buffer.
pub(super) fn put(
    state: &State,
    buffer: &WlBuffer,
    picture: &Image,
    area: Area,
) -> Result<(), Unfit> {
    if !fits(state, buffer, area.size) || !whole(picture).contains_rect(area) {
        return Err(Unfit);
    }
    let copy = |memory: *mut u8, length: usize, data: BufferData| {
        let row_length = area.size.w as usize * PIXEL as usize;
        let mut row = Vec::with_capacity(row_length);
        for y in 0..area.size.h {
            let start = (area.loc.y + y) as usize * picture.width() as usize + area.loc.x as usize;
            let pixels = &picture.pixels()[start * 3..(start + area.size.w as usize) * 3];
            row.clear();
            row.extend(pixels.chunks_exact(3).flat_map(|p| [p[2], p[1], p[0], 0xff]));
            let target = i64::from(data.offset) + i64::from(y) * i64::from(data.stride);
            let Ok(target) = usize::try_from(target) else { return Err(Unfit) };
            if target.checked_add(row_length).is_none_or(|end| end > length) {
                return Err(Unfit);
            }
            // SAFETY: Smithay promises that `memory` is mapped for writing for `length` bytes while
            // this runs (and catches the fault if the client's file is shorter); that the row ends
            // within was just checked. Pages granted for reading only were refused above. Nothing
            // here ever makes a reference to that memory, which the client may write meanwhile.
            unsafe { memory.add(target).copy_from_nonoverlapping(row.as_ptr(), row_length) };
        }
        Ok(())
    };
    with_buffer_contents_mut(buffer, copy).map_err(|_| Unfit)?
}

/// All of a picture.
pub(super) fn whole(picture: &Image) -> Area {
    // Sides of pictures are at most 32768.
    Area::from_size((picture.width() as i32, picture.height() as i32).into())
}

/// The smallest rectangle within `area` that holds all that differs between two pictures; all of it
/// if there is no picture before, or one of another size.
pub(super) fn changed(before: Option<&Image>, now: &Image, area: Area) -> Option<Area> {
    let Some(before) = before.filter(|before| whole(before) == whole(now)) else {
        return Some(area);
    };
    let row = |picture: &Image, y: i32| {
        let start = y as usize * picture.width() as usize + area.loc.x as usize;
        start * 3..(start + area.size.w as usize) * 3
    };
    let (mut top, mut bottom, mut left, mut right) = (None, 0, area.size.w, 0);
    for y in area.loc.y..area.loc.y + area.size.h {
        let old = &before.pixels()[row(before, y)];
        let new = &now.pixels()[row(now, y)];
        if old == new {
            continue;
        }
        top.get_or_insert(y);
        bottom = y + 1;
        let mut differs = old.chunks_exact(3).zip(new.chunks_exact(3)).map(|(a, b)| a != b);
        let first = differs.clone().position(|differs| differs).unwrap_or(0);
        let last = differs.rposition(|differs| differs).unwrap_or(0);
        (left, right) = (left.min(first as i32), right.max(last as i32 + 1));
    }
    let top = top?;
    Some(Area::new((area.loc.x + left, top).into(), (right - left, bottom - top).into()))
}

impl State {
    /// The size of a picture of an output, if it is one that is on. As in all that is told of it, a
    /// picture lies as the output is mounted.
    pub(super) fn picture_size(&self, output: &Output) -> Option<Size<i32, Physical>> {
        self.outputs.by_output(output)?.output.current_mode().map(|mode| mode.size)
    }

    /// The part of the picture at a place in the output's own coordinates, cut off at its edges.
    pub(super) fn picture_area(
        &self,
        output: &Output,
        place: Rectangle<i32, Logical>,
    ) -> Option<Area> {
        let view = self.outputs.by_output(output)?;
        let size = self.picture_size(output)?;
        let transform = output.current_transform();
        let upright = transform.transform_size(size);
        let area = place.to_f64().to_physical(view.scale()).to_i32_round();
        let area: Area = area.intersection(Area::from_size(upright))?;
        // A transform says how the output is turned; what is drawn is turned back.
        let area = transform.invert().transform_rect_in(area, &upright);
        Some(area).filter(|area| !area.is_empty())
    }

    /// The pixels of an output, with the cursor or without.
    pub(super) fn capture(
        &mut self,
        output: &Output,
        with_cursor: bool,
    ) -> Result<Arc<Image>, ScreenshotError> {
        let view = self.outputs.by_output(output).ok_or(ScreenshotError::NoOutput)?;
        let id = view.id;
        if with_cursor || !self.cursor.shown {
            return self.pixels_of(id).map(Arc::new);
        }
        self.cursor.shown = false;
        let drawn = self.render_output(id);
        let picture = drawn.map_err(ScreenshotError::from).and_then(|()| self.pixels_of(id));
        self.cursor.shown = true;
        // At once, so that no picture is due that would look like news to those who wait.
        self.render_output(id)?;
        picture.map(Arc::new)
    }

    /// Let a copy wait until an output shows something else. It fails if too many wait.
    pub(super) fn await_change(&mut self, output: Output, copy: Waiting) {
        let captures = &mut self.captures;
        captures.waiting.retain(|(_, copy)| match copy {
            Waiting::Screencopy(copy) => copy.is_alive(),
            Waiting::Session(copy) => copy.is_alive(),
        });
        if captures.waiting.len() >= MOST_WAITING {
            match copy {
                Waiting::Screencopy(copy) => copy.fail(),
                Waiting::Session(copy) => copy.fail(),
            }
            return;
        }
        // What changed before this one began to wait counts for it, too.
        if let Some(view) = self.outputs.by_output(&output) {
            captures.looked_at.remove(&view.id);
        }
        captures.waiting.push((output, copy));
    }

    /// Answer those who wait for an output to change that has, or that is gone.
    pub(crate) fn answer_captures(&mut self) {
        if self.captures.waiting.is_empty() {
            return;
        }
        let rests = |view: &OutputView| {
            self.captures.looked_at.get(&view.id) == Some(&view.pictures_since_start)
        };
        let resting: Vec<_> = self.outputs.shown().filter(|view| rests(view)).collect();
        let resting: Vec<_> = resting.into_iter().map(|view| view.output.clone()).collect();
        for (output, copy) in std::mem::take(&mut self.captures.waiting) {
            if resting.contains(&output) {
                self.captures.waiting.push((output, copy));
                continue;
            }
            let waits_on = match copy {
                Waiting::Screencopy(copy) => copy.finish_if_changed(self).map(Waiting::Screencopy),
                Waiting::Session(copy) => copy.finish_if_changed(self).map(Waiting::Session),
            };
            self.captures.waiting.extend(waits_on.map(|copy| (output, copy)));
        }
        // Leaving out the cursor takes pictures of its own, which are nothing new.
        let drawn = self.outputs.shown().map(|view| (view.id, view.pictures_since_start));
        self.captures.looked_at = drawn.collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(changes: &[(usize, usize)]) -> Image {
        let mut pixels = vec![7; 20 * 10 * 3];
        for (x, y) in changes {
            pixels[(y * 20 + x) * 3 + 2] = 8;
        }
        Image::from_rgb(20, 10, pixels).unwrap()
    }

    #[test]
    fn what_differs_is_found_exactly() {
        let (plain, all) = (picture(&[]), Area::from_size((20, 10).into()));
        assert_eq!(changed(None, &plain, all), Some(all));
        assert_eq!(changed(Some(&plain), &plain, all), None);
        let one = picture(&[(19, 9)]);
        let area = |x, y, w, h| Area::new((x, y).into(), (w, h).into());
        assert_eq!(changed(Some(&plain), &one, all), Some(area(19, 9, 1, 1)));
        let two = picture(&[(3, 2), (11, 6)]);
        assert_eq!(changed(Some(&plain), &two, all), Some(area(3, 2, 9, 5)));
        assert_eq!(changed(Some(&plain), &two, area(5, 0, 15, 10)), Some(area(11, 6, 1, 1)));
        assert_eq!(changed(Some(&plain), &two, area(0, 7, 20, 3)), None);
        let other_size = Image::from_rgb(10, 10, vec![7; 300]).unwrap();
        assert_eq!(changed(Some(&other_size), &plain, all), Some(all));
    }
}
