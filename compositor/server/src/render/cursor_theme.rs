//! Cursors of the theme that a person has chosen.

use std::{collections::HashMap, fs, time::Duration};

use smithay::{
    backend::{allocator::Fourcc, renderer::element::memory::MemoryRenderBuffer},
    input::pointer::CursorIcon,
    utils::{Physical, Point, Transform},
};
use xcursor::parser::{Image, parse_xcursor};

/// The size of cursors when nothing else is said, in pixels of windows.
const USUAL_SIZE: u32 = 24;
/// The greatest size that can be asked for.
pub(super) const GREATEST_SIZE: u32 = 64;
/// The shortest that a picture of a moving cursor is seen, and the most of them that are kept.
const SHORTEST: Duration = Duration::from_millis(10);
const MOST_PICTURES: usize = 256;

/// A theme, and what was loaded of it.
pub struct CursorTheme {
    theme: xcursor::CursorTheme,
    size: u32,
    /// What there is of each shape, and at each size in pixels; nothing where the theme has nothing.
    loaded: HashMap<(CursorIcon, u32), Option<ThemeCursor>>,
}

/// A cursor as a theme has it: one picture, or more that follow each other for ever.
#[derive(Debug)]
pub struct ThemeCursor {
    /// Never none.
    pictures: Vec<ThemeImage>,
    /// How long all of them take.
    round: Duration,
}

/// One of its pictures.
#[derive(Debug)]
pub struct ThemeImage {
    /// Its pixels.
    pub buffer: MemoryRenderBuffer,
    /// The point of it that points.
    pub hotspot: Point<i32, Physical>,
    /// How long it is seen.
    delay: Duration,
}

impl ThemeCursor {
    /// What is seen of it when it has been there for so long, and, if it moves, until when.
    pub fn at(&self, age: Duration) -> (&ThemeImage, Option<Duration>) {
        let first = &self.pictures[0];
        if self.pictures.len() == 1 {
            return (first, None);
        }
        // Each takes its time, so a round does, too.
        let in_round = age.as_nanos() % self.round.as_nanos();
        let mut until = Duration::ZERO;
        for picture in &self.pictures {
            until += picture.delay;
            if in_round < until.as_nanos() {
                let left = until.as_nanos() - in_round;
                // No longer than a picture is seen, which is 32 bits of milliseconds.
                return (picture, Some(age + Duration::from_nanos(left as u64)));
            }
        }
        (first, None)
    }
}

impl CursorTheme {
    /// The theme of this name, and the size of its cursors.
    pub fn new(name: &str, size: Option<u32>) -> CursorTheme {
        let size = size.unwrap_or(USUAL_SIZE).clamp(1, GREATEST_SIZE);
        CursorTheme { theme: xcursor::CursorTheme::load(name), size, loaded: HashMap::new() }
    }

    /// The theme and the size that the environment names, as all programs read it.
    pub fn of_environment() -> CursorTheme {
        let name = std::env::var("XCURSOR_THEME").ok().filter(|name| !name.is_empty());
        let size = std::env::var("XCURSOR_SIZE").ok().and_then(|size| size.parse().ok());
        CursorTheme::new(name.as_deref().unwrap_or("default"), size)
    }

    fn pixels(&self, scale: f64) -> u32 {
        (f64::from(self.size) * scale).round() as u32
    }

    /// Load a shape for outputs of these scales, unless that was done before. What was loaded for others is
    /// let go of.
    pub fn prepare(&mut self, icon: CursorIcon, scales: &[f64]) {
        let wanted: Vec<u32> = scales.iter().map(|scale| self.pixels(*scale)).collect();
        self.loaded.retain(|(_, size), _| wanted.contains(size));
        for size in wanted {
            let theme = &self.theme;
            self.loaded.entry((icon, size)).or_insert_with(|| load(theme, icon, size));
        }
    }

    /// A shape at a scale, if the theme has it.
    pub fn cursor(&self, icon: CursorIcon, scale: f64) -> Option<&ThemeCursor> {
        self.loaded.get(&(icon, self.pixels(scale)))?.as_ref()
    }
}

impl std::fmt::Debug for CursorTheme {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CursorTheme").field("size", &self.size).finish_non_exhaustive()
    }
}

/// The nearest to this size that a theme has of a shape.
fn load(theme: &xcursor::CursorTheme, icon: CursorIcon, size: u32) -> Option<ThemeCursor> {
    let names = std::iter::once(&icon.name()).chain(icon.alt_names()).copied().collect::<Vec<_>>();
    let file = names.into_iter().find_map(|name| theme.load_icon(name))?;
    let images = fs::read(&file).ok().and_then(|bytes| parse_xcursor(&bytes));
    let Some(images) = images else {
        tracing::warn!(file = %file.display(), "a cursor cannot be read");
        return None;
    };
    let nearest = images.iter().map(|image| image.size).min_by_key(|it| it.abs_diff(size))?;
    // What is drawn again when the cursor moves reaches no farther.
    let greatest = 2 * GREATEST_SIZE.max(size);
    let pictures = images.into_iter().filter(|image| image.size == nearest);
    let pictures = pictures.take(MOST_PICTURES).map(|image| prepare(image, greatest));
    let mut pictures = pictures.collect::<Option<Vec<_>>>()?;
    // Where no picture takes any time, the first one stays.
    if pictures.iter().all(|picture| picture.delay.is_zero()) {
        pictures.truncate(1);
    }
    pictures.iter_mut().for_each(|picture| picture.delay = picture.delay.max(SHORTEST));
    let round = pictures.iter().map(|picture| picture.delay).sum();
    Some(ThemeCursor { pictures, round })
}

/// A picture that can be drawn, if it is no larger than this.
fn prepare(image: Image, greatest: u32) -> Option<ThemeImage> {
    let Image { width, height, xhot, yhot, delay, pixels_rgba: pixels, .. } = image;
    let whole = pixels.len() == width as usize * height as usize * 4;
    if width == 0 || height == 0 || width > greatest || height > greatest || !whole {
        return None;
    }
    let size = (width as i32, height as i32);
    // The bytes lie as Wayland's ARGB has them, whatever they are called.
    let (format, upright) = (Fourcc::Argb8888, Transform::Normal);
    let buffer = MemoryRenderBuffer::from_slice(&pixels, format, size, 1, upright, None);
    let hotspot = (xhot.min(width - 1) as i32, yhot.min(height - 1) as i32);
    let delay = Duration::from_millis(delay.into());
    Some(ThemeImage { buffer, hotspot: hotspot.into(), delay })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Debian's adwaita-icon-theme.
    fn adwaita() -> CursorTheme {
        CursorTheme::new("Adwaita", None)
    }

    #[test]
    fn a_theme_has_shapes_at_the_sizes_of_outputs() {
        let mut theme = adwaita();
        for icon in [CursorIcon::Default, CursorIcon::Text, CursorIcon::EwResize] {
            theme.prepare(icon, &[1.0, 2.0]);
            let hotspot = |scale| theme.cursor(icon, scale).unwrap().at(Duration::ZERO).0.hotspot;
            let (small, large) = (hotspot(1.0), hotspot(2.0));
            assert!(small.x <= large.x && small.y <= large.y, "{icon:?}: {small:?}, {large:?}");
        }
        let text = theme.cursor(CursorIcon::Text, 2.0).unwrap().at(Duration::ZERO);
        assert!(text.1.is_none(), "it does not move");
        let text = text.0.hotspot;
        assert!(text.x > 10 && text.y > 10, "it points with its middle, not with {text:?}");
        assert_eq!(theme.loaded.len(), 6);
        theme.prepare(CursorIcon::Text, &[1.0]);
        assert_eq!(theme.loaded.len(), 3, "what no output needs is let go of");
    }

    /// A cursor of pictures that are seen for so many milliseconds; the place that points tells which it
    /// is.
    fn moving(delays: &[u64]) -> ThemeCursor {
        let picture = |(index, delay): (usize, &u64)| ThemeImage {
            buffer: MemoryRenderBuffer::new(Fourcc::Argb8888, (1, 1), 1, Transform::Normal, None),
            hotspot: (index as i32, 0).into(),
            delay: Duration::from_millis(*delay),
        };
        let pictures: Vec<_> = delays.iter().enumerate().map(picture).collect();
        let round = pictures.iter().map(|picture| picture.delay).sum();
        ThemeCursor { pictures, round }
    }

    #[test]
    fn each_picture_is_seen_for_its_time() {
        let cursor = moving(&[100, 20, 30]);
        for (age, picture, until) in
            [(0, 0, 100), (99, 0, 100), (100, 1, 120), (125, 2, 150), (150, 0, 250), (271, 2, 300)]
        {
            let (seen, next) = cursor.at(Duration::from_millis(age));
            assert_eq!(seen.hotspot.x, picture, "at {age}");
            assert_eq!(next, Some(Duration::from_millis(until)), "at {age}");
        }
        assert_eq!(moving(&[100]).at(Duration::from_secs(9)).1, None, "one picture stays");
    }
}
