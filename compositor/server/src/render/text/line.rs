//! One line of text, ready to be drawn.

use std::rc::Rc;

use ab_glyph::GlyphId;

use super::{
    face::{Face, Piece, Shaped},
    fonts::Fonts,
    runs::runs,
};

/// A line of text whose glyphs have their order.
pub struct Line {
    text: String,
    parts: Vec<Part>,
    em: f32,
    /// In pixels.
    advance: f32,
}

/// Glyphs of one font.
struct Part {
    face: Rc<Face>,
    glyphs: Vec<Shaped>,
}

/// A glyph and its place, in pixels.
pub(super) struct Placed<'a> {
    pub(super) face: &'a Rc<Face>,
    pub(super) glyph: GlyphId,
    /// The byte of the text where what it shows begins.
    pub(super) cluster: usize,
    /// From the left.
    pub(super) x: f32,
    /// Upwards from the line.
    pub(super) y: f32,
    /// Where the next one stands.
    pub(super) end: f32,
}

impl Line {
    /// Text in letters of so many pixels an em.
    pub(super) fn new(text: &str, fonts: &Fonts, em: f32) -> Line {
        let mut parts = Vec::new();
        for run in runs(text, fonts) {
            let piece = Piece {
                before: &text[..run.bytes.start],
                text: &text[run.bytes.clone()],
                after: &text[run.bytes.end..],
                script: run.script,
                right_to_left: run.right_to_left,
            };
            let mut glyphs = run.face.shape(&piece);
            glyphs.iter_mut().for_each(|shaped| shaped.cluster += run.bytes.start);
            parts.push(Part { face: run.face, glyphs });
        }
        let mut line = Line { text: text.to_owned(), parts, em, advance: 0.0 };
        line.advance = line.placed(0.0).last().map_or(0.0, |placed| placed.end);
        line
    }

    /// A line of nothing.
    pub(super) fn empty() -> Line {
        Line { text: String::new(), parts: Vec::new(), em: 0.0, advance: 0.0 }
    }

    /// Its glyphs from left to right, when it begins at `x`.
    pub(super) fn placed(&self, mut x: f32) -> impl Iterator<Item = Placed<'_>> {
        let glyphs =
            self.parts.iter().flat_map(|part| part.glyphs.iter().map(|glyph| (&part.face, glyph)));
        glyphs.map(move |(face, shaped)| {
            let (right, up) = shaped.offset;
            let at = x;
            x += shaped.advance * self.em;
            x += shaped.kerning * self.em;
            Placed {
                face,
                glyph: shaped.glyph,
                cluster: shaped.cluster,
                x: at + right * self.em,
                y: up * self.em,
                end: x,
            }
        })
    }

    /// How many pixels wide it is.
    pub fn width(&self) -> i32 {
        self.advance.ceil() as i32
    }

    /// What it says, as it was shortened.
    pub fn text(&self) -> &str {
        &self.text
    }
}
