//! Cursors of the theme that a person has chosen.

use std::{collections::HashMap, fs};

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

/// A theme, and what was loaded of it.
pub struct CursorTheme {
    theme: xcursor::CursorTheme,
    size: u32,
    /// What there is of each shape, and at each size in pixels; nothing where the theme has nothing.
    loaded: HashMap<(CursorIcon, u32), Option<ThemeImage>>,
}

/// A cursor as a theme has it.
#[derive(Debug)]
pub struct ThemeImage {
    /// Its pixels.
    pub buffer: MemoryRenderBuffer,
    /// The point of it that points.
    pub hotspot: Point<i32, Physical>,
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
    pub fn image(&self, icon: CursorIcon, scale: f64) -> Option<&ThemeImage> {
        self.loaded.get(&(icon, self.pixels(scale)))?.as_ref()
    }
}

impl std::fmt::Debug for CursorTheme {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CursorTheme").field("size", &self.size).finish_non_exhaustive()
    }
}

/// The nearest to this size that a theme has of a shape. Of a moving one, its first picture: a cursor that
/// moves would let nothing rest.
fn load(theme: &xcursor::CursorTheme, icon: CursorIcon, size: u32) -> Option<ThemeImage> {
    let names = std::iter::once(&icon.name()).chain(icon.alt_names()).copied().collect::<Vec<_>>();
    let file = names.into_iter().find_map(|name| theme.load_icon(name))?;
    let images = fs::read(&file).ok().and_then(|bytes| parse_xcursor(&bytes));
    let Some(images) = images else {
        tracing::warn!(file = %file.display(), "a cursor cannot be read");
        return None;
    };
    let image = images.into_iter().min_by_key(|image| image.size.abs_diff(size))?;
    // What is drawn again when the cursor moves reaches no farther.
    let greatest = 2 * GREATEST_SIZE.max(size);
    let Image { width, height, xhot, yhot, pixels_rgba: pixels, .. } = image;
    let whole = pixels.len() == width as usize * height as usize * 4;
    if width == 0 || height == 0 || width > greatest || height > greatest || !whole {
        return None;
    }
    let size = (width as i32, height as i32);
    // The bytes lie as Wayland's ARGB has them, whatever they are called.
    let (format, upright) = (Fourcc::Argb8888, Transform::Normal);
    let buffer = MemoryRenderBuffer::from_slice(&pixels, format, size, 1, upright, None);
    let hotspot = (xhot.min(width - 1) as i32, yhot.min(height - 1) as i32);
    Some(ThemeImage { buffer, hotspot: hotspot.into() })
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
            let (small, large) = (theme.image(icon, 1.0), theme.image(icon, 2.0));
            let (small, large) = (small.unwrap().hotspot, large.unwrap().hotspot);
            assert!(small.x <= large.x && small.y <= large.y, "{icon:?}: {small:?}, {large:?}");
        }
        let text = theme.image(CursorIcon::Text, 2.0).unwrap().hotspot;
        assert!(text.x > 10 && text.y > 10, "it points with its middle, not with {text:?}");
        assert_eq!(theme.loaded.len(), 6);
        theme.prepare(CursorIcon::Text, &[1.0]);
        assert_eq!(theme.loaded.len(), 3, "what no output needs is let go of");
    }
}
