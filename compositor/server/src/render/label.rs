//! Text as pixels, and a small canvas to put it on.
//!
//! The font is part of the program, so that a title looks the same on every machine. Letters are
//! placed one after the other with kerning; scripts that need shaping are shown unshaped.

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};

use crate::colour::Colour;

/// DejaVu Sans 2.37; its licence is beside it.
static FONT: &[u8] = include_bytes!("../../fonts/DejaVuSans.ttf");

/// What stands for text that does not fit.
const ELLIPSIS: char = '…';

/// A font at one size.
pub struct Typeface {
    font: FontRef<'static>,
    scale: PxScale,
}

/// Where text goes on a [`Canvas`].
#[derive(Clone, Copy, Debug)]
pub struct TextPlace {
    /// The left end. Nothing is drawn to the left of it: some characters reach back over what
    /// stands before them, and what stands before a title is not the client's to draw on.
    pub x: i32,
    /// The line that the letters stand on.
    pub baseline: i32,
    /// Nothing is drawn from here on to the right.
    pub end: i32,
}

impl Typeface {
    /// The built-in font with letters of this height in pixels.
    pub fn new(pixels: f32) -> Typeface {
        // Proven by every test that draws text: the bytes are a constant of this program.
        let font = FontRef::try_from_slice(FONT).expect("the built-in font is a font");
        Typeface { font, scale: PxScale::from(pixels) }
    }

    /// How many pixels the tallest letters rise above the line.
    pub fn cap_height(&self) -> i32 {
        let glyph = self.font.glyph_id('H').with_scale(self.scale);
        self.font
            .outline_glyph(glyph)
            .map_or(0, |outline| -outline.px_bounds().min.y.floor() as i32)
    }

    /// How wide text is.
    pub fn width(&self, text: &str) -> i32 {
        self.advance(text).ceil() as i32
    }

    fn advance(&self, text: &str) -> f32 {
        let font = self.font.as_scaled(self.scale);
        let mut width = 0.0;
        let mut previous = None;
        for character in text.chars() {
            let glyph = font.glyph_id(character);
            if let Some(previous) = previous {
                width += font.kern(previous, glyph);
            }
            width += font.h_advance(glyph);
            previous = Some(glyph);
        }
        width
    }

    /// As much of the beginning of `text` as fits into `width` pixels, with an ellipsis where
    /// something is missing; empty if not even that fits.
    pub fn shortened(&self, text: &str, width: i32) -> String {
        if self.width(text) <= width {
            return text.to_owned();
        }
        let mut shortened: String = text.to_owned();
        while shortened.pop().is_some() {
            let kept = shortened.trim_end().len();
            shortened.truncate(kept);
            shortened.push(ELLIPSIS);
            if self.width(&shortened) <= width {
                // An ellipsis alone tells nothing.
                return if kept == 0 { String::new() } else { shortened };
            }
            shortened.pop();
        }
        String::new()
    }

    /// Draw text.
    pub fn draw(&self, canvas: &mut Canvas, place: TextPlace, text: &str, colour: Colour) {
        let font = self.font.as_scaled(self.scale);
        let mut x = place.x as f32;
        let mut previous = None;
        for character in text.chars() {
            let glyph = font.glyph_id(character);
            if let Some(previous) = previous {
                x += font.kern(previous, glyph);
            }
            let placed = glyph.with_scale_and_position(self.scale, point(x, place.baseline as f32));
            if let Some(outline) = self.font.outline_glyph(placed) {
                let bounds = outline.px_bounds();
                let (left, top) = (bounds.min.x as i32, bounds.min.y as i32);
                outline.draw(|dx, dy, coverage| {
                    let part = (coverage.clamp(0.0, 1.0) * 256.0) as u32;
                    let x = left + dx as i32;
                    if (place.x..place.end).contains(&x) {
                        canvas.mix(x, top + dy as i32, colour, part);
                    }
                });
            }
            x += font.h_advance(glyph);
            previous = Some(glyph);
        }
    }
}

/// Opaque pixels to draw on, as the renderer takes them: blue, green, red, 255.
pub struct Canvas {
    width: i32,
    height: i32,
    pixels: Vec<u8>,
}

impl Canvas {
    /// A canvas of one colour. Sides are at least one pixel.
    pub fn new(width: i32, height: i32, colour: Colour) -> Canvas {
        let (width, height) = (width.max(1), height.max(1));
        let pixel = [colour.blue, colour.green, colour.red, 255];
        Canvas { width, height, pixels: pixel.repeat(width as usize * height as usize) }
    }

    /// Width in pixels.
    pub fn width(&self) -> i32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> i32 {
        self.height
    }

    /// The rows, without padding.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    fn mix(&mut self, x: i32, y: i32, colour: Colour, part: u32) {
        if x < 0 || y < 0 || x >= self.width || y >= self.height {
            return;
        }
        let start = (y as usize * self.width as usize + x as usize) * 4;
        let pixel = &mut self.pixels[start..start + 4];
        let mixed = Colour::new(pixel[2], pixel[1], pixel[0]).mixed(colour, part);
        pixel[..3].copy_from_slice(&[mixed.blue, mixed.green, mixed.red]);
    }

    /// Fill a rectangle whose corners are a little rounded.
    pub fn fill_rounded(&mut self, left: i32, top: i32, width: i32, height: i32, colour: Colour) {
        // How much of the pixels next to a corner of radius 3 the circle covers, of 256.
        const CORNER: [[u32; 3]; 3] = [[0, 112, 232], [112, 256, 256], [232, 256, 256]];
        for y in 0..height {
            for x in 0..width {
                let from_side = x.min(width - 1 - x).min(2) as usize;
                let from_edge = y.min(height - 1 - y).min(2) as usize;
                self.mix(left + x, top + y, colour, CORNER[from_edge][from_side]);
            }
        }
    }

    /// Draw a cross whose arms reach `reach` pixels from the middle.
    pub fn cross(&mut self, middle_x: i32, middle_y: i32, reach: i32, colour: Colour) {
        for step in -reach..=reach {
            for (x, y) in [(step, step), (step, -step)] {
                self.mix(middle_x + x, middle_y + y, colour, 256);
                // Half a pixel on both sides softens the stairs.
                self.mix(middle_x + x + 1, middle_y + y, colour, 104);
                self.mix(middle_x + x - 1, middle_y + y, colour, 104);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_fits_stays_and_other_text_is_shortened() {
        let face = Typeface::new(15.0);
        assert_eq!(face.shortened("short", 500), "short");
        let long = "a rather long title of some window";
        for width in 0..face.width(long) {
            let shortened = face.shortened(long, width);
            assert!(face.width(&shortened) <= width.max(0), "{shortened:?} in {width}");
            assert!(shortened.is_empty() || shortened.ends_with(ELLIPSIS));
        }
    }

    #[test]
    fn drawing_stays_on_the_canvas() {
        let face = Typeface::new(20.0);
        let mut canvas = Canvas::new(10, 6, Colour::BLACK);
        face.draw(
            &mut canvas,
            TextPlace { x: -5, baseline: 3, end: 99 },
            "WWWW\u{10ffff}",
            Colour::WHITE,
        );
        canvas.cross(0, 0, 40, Colour::WHITE);
        canvas.fill_rounded(-3, -3, 40, 40, Colour::WHITE);
        assert_eq!(canvas.pixels().len(), 10 * 6 * 4);
    }

    #[test]
    fn characters_that_reach_back_are_cut_off() {
        let face = Typeface::new(40.0);
        let mut canvas = Canvas::new(200, 60, Colour::BLACK);
        let place = TextPlace { x: 100, baseline: 45, end: 110 };
        // A letter that is wider than what is left, and an accent that sits on what stands before.
        face.draw(&mut canvas, place, "\u{301}W", Colour::WHITE);
        let drawn: Vec<usize> = canvas
            .pixels()
            .chunks_exact(4)
            .enumerate()
            .filter(|(_, pixel)| pixel[0] != 0)
            .map(|(index, _)| index % 200)
            .collect();
        assert!(!drawn.is_empty());
        assert!(drawn.iter().all(|x| (100..110).contains(x)), "{drawn:?}");
    }
}
