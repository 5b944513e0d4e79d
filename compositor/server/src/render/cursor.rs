//! The cursor: the client's while the pointer is over it, else an arrow of our own.

use smithay::{
    backend::{allocator::Fourcc, renderer::element::memory::MemoryRenderBuffer},
    input::pointer::{CursorImageStatus, CursorImageSurfaceData},
    reexports::wayland_server::protocol::wl_surface::WlSurface,
    utils::{IsAlive, Logical, Point, Rectangle, Size, Transform},
    wayland::compositor::with_states,
};

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
    arrow: MemoryRenderBuffer,
}

impl Cursor {
    /// An arrow, drawn or not.
    pub fn new(shown: bool) -> Cursor {
        let size = (ARROW[0].len() as i32, ARROW.len() as i32);
        let pixels: Vec<u8> = ARROW
            .iter()
            .flat_map(|row| row.bytes())
            .flat_map(|pixel| match pixel {
                b'#' => [0, 0, 0, 255],
                b'.' => [255, 255, 255, 255],
                _ => [0; 4],
            })
            .collect();
        let arrow = MemoryRenderBuffer::from_slice(
            &pixels,
            Fourcc::Argb8888,
            size,
            1,
            Transform::Normal,
            None,
        );
        Cursor { status: CursorImageStatus::default_named(), icon: None, shown, arrow }
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
        self.shown.then(|| CursorView { cursor: self, location: location.to_i32_round() })
    }
}

/// A cursor at its place.
pub struct CursorView<'a> {
    cursor: &'a Cursor,
    /// Where it points.
    pub location: Point<i32, Logical>,
}

/// What a cursor looks like.
pub enum CursorLook<'a> {
    /// Like nothing.
    Hidden,
    /// Our own arrow, which points with its upper left corner.
    Arrow(&'a MemoryRenderBuffer),
    /// As a client has drawn it.
    Surface {
        /// By this surface.
        surface: &'a WlSurface,
        /// As much of it as is shown.
        area: Rectangle<i32, Logical>,
    },
}

impl CursorView<'_> {
    /// What it looks like.
    pub fn look(&self) -> CursorLook<'_> {
        match &self.cursor.status {
            CursorImageStatus::Hidden => CursorLook::Hidden,
            CursorImageStatus::Surface(surface) if surface.alive() => {
                let area = Rectangle::new(
                    self.location - hotspot(surface),
                    Size::from((GREATEST_CURSOR, GREATEST_CURSOR)),
                );
                CursorLook::Surface { surface, area }
            }
            // Without a theme, all shapes are the arrow.
            CursorImageStatus::Surface(_) | CursorImageStatus::Named(_) => {
                CursorLook::Arrow(&self.cursor.arrow)
            }
        }
    }

    /// What is dragged with it, and as much of that as is shown.
    pub fn dragged(&self) -> Option<(&WlSurface, Rectangle<i32, Logical>)> {
        let icon = self.cursor.icon.as_ref().filter(|icon| icon.alive())?;
        Some((icon, Rectangle::new(self.location, Size::from((GREATEST_ICON, GREATEST_ICON)))))
    }
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
    /// The cursor has moved or changed.
    pub(crate) fn cursor_changed(&mut self) {
        if self.cursor.shown {
            self.queue_redraw();
        }
    }
}
