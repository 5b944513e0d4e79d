//! One font: which glyphs a text has in it, and their outlines.

use std::{cell::RefCell, sync::Arc};

use ab_glyph::{Font as _, FontArc, FontVec, GlyphId, Outline, OutlineCurve, Point};
use harfrust::{
    Buffer, Direction, Feature, Font, Script, ShapeOptions, ShapePlan, ShaperFont, Tag,
};

/// How many ways of shaping are remembered: one for each script and direction.
const MOST_PLANS: usize = 32;

/// A font, for shaping and for drawing.
pub(super) struct Face {
    outlines: FontArc,
    shaping: Font,
    units_per_em: f32,
    features: Vec<Feature>,
    /// Made when they are first needed.
    plans: RefCell<Vec<ShapePlan>>,
}

/// The bytes of a font, which drawing and shaping share.
struct Bytes(FontArc);

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self.0.font_data()
    }
}

/// A part of a text that is shaped at once.
pub(super) struct Piece<'a> {
    /// What stands before it and joins it, perhaps.
    pub(super) before: &'a str,
    pub(super) text: &'a str,
    /// What stands after it.
    pub(super) after: &'a str,
    pub(super) script: Script,
    pub(super) right_to_left: bool,
}

/// A glyph where shaping has put it, in ems.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shaped {
    pub(super) glyph: GlyphId,
    /// The byte of the piece's text where what it shows begins.
    pub(super) cluster: usize,
    /// To the next glyph, before that is moved nearer or further for this one.
    pub(super) advance: f32,
    /// How much further that is moved.
    pub(super) kerning: f32,
    /// To the right and upwards, from where it would stand.
    pub(super) offset: (f32, f32),
}

impl Face {
    /// The font that is part of the program. Its Latin letters are not drawn together, as `fi` could
    /// be: titles had none of that before there was shaping, and nobody missed it.
    pub(super) fn embedded(bytes: &'static [u8]) -> Option<Face> {
        let off = |tag| Feature::new(Tag::new(tag), 0, ..);
        let features = vec![off(b"liga"), off(b"clig")];
        Some(Face { features, ..Face::new(FontArc::try_from_slice(bytes).ok()?, 0)? })
    }

    /// A font of a file; `None` where it cannot be drawn.
    pub(super) fn from_bytes(bytes: Vec<u8>, index: u32) -> Option<Face> {
        let outlines = FontVec::try_from_vec_and_index(bytes, index).ok()?;
        Face::new(FontArc::new(outlines), index)
    }

    fn new(outlines: FontArc, index: u32) -> Option<Face> {
        let bytes: Arc<dyn AsRef<[u8]> + Send + Sync> = Arc::new(Bytes(outlines.clone()));
        let shaping = Font::new(bytes, index)?;
        // The one that shaping counts in.
        let units_per_em = f32::from(shaping.units_per_em());
        if units_per_em < 1.0 {
            return None;
        }
        let (features, plans) = (Vec::new(), RefCell::default());
        Some(Face { outlines, shaping, units_per_em, features, plans })
    }

    /// Whether it has a glyph for each character.
    pub(super) fn covers(&self, text: &str) -> bool {
        text.chars().all(|character| self.outlines.glyph_id(character).0 != 0)
    }

    /// Its whole height in ems: by this the size of letters is configured.
    pub(super) fn height(&self) -> f32 {
        self.outlines.height_unscaled() / self.units_per_em
    }

    /// The outline of a glyph in its own units, if it has one that can be drawn.
    pub(super) fn outline(&self, glyph: GlyphId) -> Option<Outline> {
        self.outlines.outline(glyph).filter(is_finite)
    }

    /// What makes pixels of its own units, where an em has so many.
    pub(super) fn factor(&self, em: f32) -> f32 {
        em / self.units_per_em
    }

    /// The glyphs of a piece from left to right.
    pub(super) fn shape(&self, piece: &Piece<'_>) -> Vec<Shaped> {
        let direction =
            if piece.right_to_left { Direction::RightToLeft } else { Direction::LeftToRight };
        let mut buffer = Buffer::new();
        buffer.push_str(piece.text);
        buffer.set_direction(direction);
        buffer.set_script(Some(piece.script));
        buffer.set_pre_context(piece.before);
        buffer.set_post_context(piece.after);
        let mut plans = self.plans.borrow_mut();
        let known = plans
            .iter()
            .position(|plan| plan.script() == Some(piece.script) && plan.direction() == direction);
        let at = known.unwrap_or_else(|| {
            if plans.len() == MOST_PLANS {
                plans.clear();
            }
            let script = Some(piece.script);
            plans.push(ShapePlan::new(&self.shaping, direction, script, None, &self.features));
            plans.len() - 1
        });
        let options = ShapeOptions::new().features(&self.features).plan(plans.get(at));
        if let Err(error) = harfrust::shape(&ShaperFont::new(&self.shaping), &mut buffer, options) {
            tracing::debug!(?error, "text cannot be shaped");
            return Vec::new();
        }
        let ems = |units: i32| units as f32 / self.units_per_em;
        let placed = buffer.glyph_infos().iter().zip(buffer.glyph_positions());
        placed
            .map(|(info, position)| {
                let glyph = GlyphId(u16::try_from(info.glyph_id).unwrap_or(0));
                let advance = self.outlines.h_advance_unscaled(glyph) / self.units_per_em;
                Shaped {
                    glyph,
                    cluster: info.cluster as usize,
                    advance,
                    kerning: ems(position.x_advance) - advance,
                    offset: (ems(position.x_offset), ems(position.y_offset)),
                }
            })
            .collect()
    }
}

/// Whether all of an outline can be computed with.
fn is_finite(outline: &Outline) -> bool {
    let are_finite = |ends: &[&Point]| ends.iter().all(|end| (end.x + end.y).is_finite());
    outline.curves.iter().all(|curve| match curve {
        OutlineCurve::Line(a, b) => are_finite(&[a, b]),
        OutlineCurve::Quad(a, b, c) => are_finite(&[a, b, c]),
        OutlineCurve::Cubic(a, b, c, d) => are_finite(&[a, b, c, d]),
    })
}
