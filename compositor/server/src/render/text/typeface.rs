//! Text at one size: laid out in a width, and drawn.

use ab_glyph::{Glyph, OutlinedGlyph, PxScaleFactor, point};
use unicode_segmentation::UnicodeSegmentation;

use super::{
    fonts::Fonts,
    line::{Line, Placed},
};
use crate::{colour::Colour, render::canvas::Canvas};

/// What stands for text that does not fit.
const ELLIPSIS: char = '…';
/// The greatest area of a glyph, in squares of an em. What is larger is not a letter.
const LARGEST_GLYPH: f32 = 256.0;

/// The fonts at one size.
pub struct Typeface<'a> {
    fonts: &'a Fonts,
    /// Pixels of an em.
    em: f32,
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

impl<'a> Typeface<'a> {
    /// Letters of this height in pixels, from the lowest below the line to the tallest.
    pub fn new(fonts: &'a Fonts, pixels: f32) -> Typeface<'a> {
        Typeface { fonts, em: pixels / fonts.own().height() }
    }

    /// How many pixels the tallest letters rise above the line.
    pub fn cap_height(&self) -> i32 {
        let line = self.line("H", i32::MAX);
        let outlined = line.placed(0.0).filter_map(|placed| self.outlined(&placed, 0));
        outlined.map(|glyph| -glyph.px_bounds().min.y.floor() as i32).max().unwrap_or(0)
    }

    /// As much of the beginning of `text` as fits into `width` pixels, with an ellipsis where
    /// something is missing; empty if not even that fits. It ends between two letters.
    ///
    /// This takes a time that depends on how much text there is, but not on what it says.
    pub fn line(&self, text: &str, width: i32) -> Line {
        let whole = Line::new(text, self.fonts, self.em);
        if whole.width() <= width {
            return whole;
        }
        let ends: Vec<usize> = text.grapheme_indices(true).map(|(at, _)| at).collect();
        let guess = self.guess(&whole, &ends, width);
        let mut guesses = [guess, guess + 1, guess.saturating_sub(1)].into_iter();
        let mut best = Line::empty();
        // More letters are hardly ever less wide, so that a few tries find out how many fit.
        let (mut fit, mut most) = (0, ends.len());
        while most - fit > 1 {
            let guess = guesses.find(|guess| (fit + 1..most).contains(guess));
            let tried = guess.unwrap_or_else(|| fit.midpoint(most));
            let kept = text[..ends[tried]].trim_end();
            let line = Line::new(&format!("{kept}{ELLIPSIS}"), self.fonts, self.em);
            if line.width() > width {
                most = tried;
                continue;
            }
            fit = tried;
            // An ellipsis alone tells nothing.
            if !kept.is_empty() {
                best = line;
            }
        }
        best
    }

    /// How many letters of a line may fit with an ellipsis, if they did not change by it.
    fn guess(&self, whole: &Line, ends: &[usize], width: i32) -> usize {
        let mut widths = vec![0.0; ends.len()];
        let mut x = 0.0;
        for placed in whole.placed(0.0) {
            let letter = ends.partition_point(|at| *at <= placed.cluster);
            if let Some(width) = widths.get_mut(letter.saturating_sub(1)) {
                *width += placed.end - x;
            }
            x = placed.end;
        }
        let mut room =
            width as f32 - Line::new(&ELLIPSIS.to_string(), self.fonts, self.em).width() as f32;
        let fits = |width: &f32| {
            room -= width;
            room >= 0.0
        };
        widths.iter().copied().take_while(fits).count()
    }

    /// Draw a line that this typeface made.
    pub fn draw(&self, canvas: &mut Canvas, place: TextPlace, line: &Line, colour: Colour) {
        for placed in line.placed(place.x as f32) {
            if let Some(glyph) = self.outlined(&placed, place.baseline) {
                draw(&glyph, canvas, place, colour);
            }
        }
    }

    /// A glyph over its baseline.
    fn outlined(&self, placed: &Placed<'_>, baseline: i32) -> Option<OutlinedGlyph> {
        let factor = placed.face.factor(self.em);
        let position = point(placed.x, baseline as f32 - placed.y);
        // Its scale is not looked at again: the factor says it all.
        let glyph = Glyph { id: placed.glyph, scale: self.em.into(), position };
        let factor = PxScaleFactor { horizontal: factor, vertical: factor };
        let outlined = OutlinedGlyph::new(glyph, placed.face.outline(placed.glyph)?, factor);
        let area = outlined.px_bounds().width() * outlined.px_bounds().height();
        (area <= LARGEST_GLYPH * self.em * self.em + 4.0).then_some(outlined)
    }
}

fn draw(glyph: &OutlinedGlyph, canvas: &mut Canvas, place: TextPlace, colour: Colour) {
    let bounds = glyph.px_bounds();
    let (left, top) = (bounds.min.x as i32, bounds.min.y as i32);
    if left >= place.end || bounds.max.x <= place.x as f32 {
        return;
    }
    glyph.draw(|dx, dy, coverage| {
        let part = (coverage.clamp(0.0, 1.0) * 256.0) as u32;
        let x = left.saturating_add_unsigned(dx);
        if (place.x..place.end).contains(&x) {
            canvas.mix(x, top.saturating_add_unsigned(dy), colour, part);
        }
    });
}
