//! A small canvas for what the compositor itself draws: frames and the identity bar.

use crate::colour::Colour;

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

    /// Mix `part` of 256 of a colour into a pixel, if it is on the canvas.
    pub(super) fn mix(&mut self, x: i32, y: i32, colour: Colour, part: u32) {
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
    fn drawing_stays_on_the_canvas() {
        let mut canvas = Canvas::new(10, 6, Colour::BLACK);
        canvas.mix(-1, 6, Colour::WHITE, 256);
        canvas.cross(0, 0, 40, Colour::WHITE);
        canvas.fill_rounded(-3, -3, 40, 40, Colour::WHITE);
        assert_eq!(canvas.pixels().len(), 10 * 6 * 4);
    }
}
