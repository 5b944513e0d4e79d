//! The cursor: the client's while the pointer is over it, else one of the theme, and where that has none
//! an arrow of our own.

use std::time::Instant;

use smithay::{
    backend::{allocator::Fourcc, renderer::element::memory::MemoryRenderBuffer},
    input::pointer::{CursorIcon, CursorImageStatus, CursorImageSurfaceData},
    reexports::wayland_server::protocol::wl_surface::WlSurface,
    utils::{IsAlive, Logical, Physical, Point, Rectangle, Size, Transform},
    wayland::compositor::with_states,
};

use super::{cursor_theme::CursorTheme, moving_cursor::Movement};
use crate::state::State;

/// The greatest width and height of a cursor that is drawn.
const GREATEST_CURSOR: i32 = 64;
/// The greatest width and height of what is dragged with it.
const GREATEST_ICON: i32 = 256;

/// The arrow: `#` is black, `.` is white, and a space is nothing.
const ARROW: [&str; 17] = [
    "#           ",
    "##          ",
    "#.#         ",
    "#..#        ",
    "#...#       ",
    "#....#      ",
    "#.....#     ",
    "#......#    ",
    "#.......#   ",
    "#........#  ",
    "#.........# ",
    "#......#####",
    "#...#..#    ",
    "#..# #..#   ",
    "#.#  #..#   ",
    "##    #..#  ",
    "       ##   ",
];

/// What there is of the pointer to draw.
#[derive(Debug)]
pub struct Cursor {
    /// What the client under the pointer wants it to look like.
    pub status: CursorImageStatus,
    /// What is dragged with it.
    pub icon: Option<WlSurface>,
    /// Whether it is drawn at all.
    pub shown: bool,
    pub(super) movement: Movement,
    theme: Option<CursorTheme>,
    /// The arrow at each scale of an output.
    arrows: Vec<(f64, MemoryRenderBuffer)>,
}

impl Cursor {
    /// An arrow, drawn or not.
    pub fn new(shown: bool, theme: Option<CursorTheme>) -> Cursor {
        let status = CursorImageStatus::default_named();
        let movement = Movement::default();
        Cursor { status, icon: None, shown, movement, theme, arrows: Vec::new() }
    }

    /// Draw the arrow for outputs of these scales, unless that was done before.
    pub fn prepare(&mut self, scales: &[f64]) {
        let icon = named(&self.status).filter(|_| self.shown);
        self.movement.follow(icon, Instant::now());
        if !self.shown {
            return;
        }
        if let (Some(theme), Some(icon)) = (&mut self.theme, icon) {
            theme.prepare(icon, scales);
        }
        self.arrows.retain(|(scale, _)| scales.contains(scale));
        for scale in scales {
            if self.arrow(*scale).is_none() {
                self.arrows.push((*scale, draw_arrow(*scale)));
            }
        }
    }

    fn arrow(&self, wanted: f64) -> Option<&MemoryRenderBuffer> {
        self.arrows.iter().find(|(scale, _)| *scale == wanted).map(|(_, arrow)| arrow)
    }

    /// When the look that was prepared last gives way to another by itself, at this scale.
    pub(super) fn next_look(&self, scale: f64) -> Option<Instant> {
        let icon = named(&self.status).filter(|_| self.shown)?;
        let cursor = self.theme.as_ref()?.cursor(icon, scale)?;
        self.movement.at(cursor.at(self.movement.age()).1?)
    }

    /// The surfaces that clients have lent to the cursor.
    pub fn surfaces(&self) -> impl Iterator<Item = &WlSurface> {
        let image = match &self.status {
            CursorImageStatus::Surface(surface) => Some(surface),
            _ => None,
        };
        image.into_iter().chain(&self.icon).filter(|surface| surface.alive())
    }

    /// The cursor at `location`, if it is drawn.
    pub fn view(&self, location: Point<f64, Logical>) -> Option<CursorView<'_>> {
        self.shown.then_some(CursorView { cursor: self, location })
    }
}

/// A cursor at its place.
pub struct CursorView<'a> {
    cursor: &'a Cursor,
    /// Where it points.
    pub location: Point<f64, Logical>,
}

/// What a cursor looks like.
pub enum CursorLook<'a> {
    /// Like nothing.
    Hidden,
    /// Like this picture.
    Image {
        /// Its pixels, which are the output's.
        image: &'a MemoryRenderBuffer,
        /// Which of them points.
        hotspot: Point<i32, Physical>,
    },
    /// As a client has drawn it.
    Surface {
        /// By this surface.
        surface: &'a WlSurface,
        /// Which point of it points.
        hotspot: Point<i32, Logical>,
        /// As much of it as is shown.
        size: Size<i32, Logical>,
    },
}

impl CursorView<'_> {
    /// What it looks like on an output of this scale.
    pub fn look(&self, scale: f64) -> CursorLook<'_> {
        match &self.cursor.status {
            CursorImageStatus::Hidden => CursorLook::Hidden,
            CursorImageStatus::Surface(surface) if surface.alive() => {
                let size = Size::from((GREATEST_CURSOR, GREATEST_CURSOR));
                CursorLook::Surface { surface, hotspot: hotspot(surface), size }
            }
            status @ (CursorImageStatus::Surface(_) | CursorImageStatus::Named(_)) => {
                let theme = self.cursor.theme.as_ref().zip(named(status));
                let of_theme = theme.and_then(|(theme, icon)| theme.cursor(icon, scale));
                if let Some(cursor) = of_theme {
                    let (image, _) = cursor.at(self.cursor.movement.age());
                    return CursorLook::Image { image: &image.buffer, hotspot: image.hotspot };
                }
                let arrow = |image| CursorLook::Image { image, hotspot: Point::default() };
                self.cursor.arrow(scale).map_or(CursorLook::Hidden, arrow)
            }
        }
    }

    /// What is dragged with it, and as much of that as is shown.
    pub fn dragged(&self) -> Option<(&WlSurface, Size<i32, Logical>)> {
        let icon = self.cursor.icon.as_ref().filter(|icon| icon.alive())?;
        Some((icon, Size::from((GREATEST_ICON, GREATEST_ICON))))
    }
}

/// The shape that is shown where no client draws the cursor.
fn named(status: &CursorImageStatus) -> Option<CursorIcon> {
    match status {
        CursorImageStatus::Named(icon) => Some(*icon),
        CursorImageStatus::Surface(surface) if !surface.alive() => Some(CursorIcon::Default),
        _ => None,
    }
}

/// The arrow at a scale, its pixels repeated.
fn draw_arrow(scale: f64) -> MemoryRenderBuffer {
    let scaled = |length: usize| ((length as f64 * scale).round() as usize).max(1);
    let (width, height) = (scaled(ARROW[0].len()), scaled(ARROW.len()));
    let pixel = |x: usize, y: usize| {
        let row = ARROW[y * ARROW.len() / height].as_bytes();
        match row[x * row.len() / width] {
            b'#' => [0, 0, 0, 255],
            b'.' => [255, 255, 255, 255],
            _ => [0; 4],
        }
    };
    let pixels: Vec<u8> =
        (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(x, y))).collect();
    // Scales are at most 8.
    let size = (width as i32, height as i32);
    MemoryRenderBuffer::from_slice(&pixels, Fourcc::Argb8888, size, 1, Transform::Normal, None)
}

/// Where in a client's cursor the point is that points, within what is shown of it.
fn hotspot(surface: &WlSurface) -> Point<i32, Logical> {
    let hotspot = with_states(surface, |states| {
        let data = states.data_map.get::<CursorImageSurfaceData>()?;
        data.lock().ok().map(|data| data.hotspot)
    });
    let hotspot = hotspot.unwrap_or_default();
    Point::from((hotspot.x.clamp(0, GREATEST_CURSOR - 1), hotspot.y.clamp(0, GREATEST_CURSOR - 1)))
}

impl State {
    /// The cursor looks otherwise.
    pub(crate) fn cursor_changed(&mut self) {
        self.cursor_moved(self.pointer_location);
    }

    /// The cursor has moved from here to where it is now.
    pub(crate) fn cursor_moved(&mut self, from: Point<f64, Logical>) {
        if !self.cursor.shown {
            return;
        }
        for tip in [from, self.pointer_location] {
            self.queue_redraw_in(self.reach_of_cursor(tip));
        }
    }

    /// All that it may be seen on when it points there.
    pub(super) fn reach_of_cursor(&self, tip: Point<f64, Logical>) -> Rectangle<i32, Logical> {
        let reach = if self.cursor.icon.is_some() { GREATEST_ICON } else { GREATEST_CURSOR };
        let reach = Point::from((reach, reach));
        Rectangle::new(tip.to_i32_round() - reach, (reach + reach).to_size())
    }
}
