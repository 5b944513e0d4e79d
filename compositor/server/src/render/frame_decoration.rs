//! The frame around a window: its domain's colour, its domain's name, its title.
//!
//! The frame lies outside the client's pixels, where a client cannot draw; that, not its look, is
//! what makes it tell the truth.

use smithay::{
    backend::{
        allocator::Fourcc,
        renderer::{
            Color32F,
            element::{Id, memory::MemoryRenderBuffer},
            utils::CommitCounter,
        },
    },
    utils::{Logical, Physical, Point, Rectangle, Size, Transform},
};

use crate::{
    colour::{Colour, LEAST_CONTRAST},
    config::{BarSide, FrameConfig},
    render::{
        canvas::Canvas,
        text::{Fonts, TextPlace, Typeface},
    },
};

/// The least width of what a frame goes round, so that the name of a domain always has room.
const LEAST_INNER_WIDTH: i32 = 160;
/// The greatest width and height of a window that a frame goes round.
const GREATEST_INNER_SIDE: i32 = 16_384;
/// Space between the parts of a title bar.
const GAP: i32 = 8;

/// How much of a frame there is around a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameStyle {
    /// Nothing.
    None,
    /// A border on all four sides, where something else tells what the title bar would.
    Edge,
    /// A title bar, and a border on the other sides.
    Whole,
}

/// What all frames have in common.
pub struct FrameTheme {
    /// The height of letters at scale one.
    font_size: f32,
    border: i32,
    bar_height: i32,
    local_colour: Colour,
    background: Colour,
    /// At which side of an output the identity bar is, if there is one.
    identity_bar: Option<BarSide>,
}

impl FrameTheme {
    /// As configured.
    pub fn new(config: &FrameConfig, background: Colour) -> FrameTheme {
        FrameTheme {
            bar_height: (config.font_size.pixels() * 1.9).round() as i32,
            border: config.border.pixels(),
            local_colour: config.local_colour,
            background,
            font_size: config.font_size.pixels(),
            identity_bar: None,
        }
    }

    /// The same with an identity bar at this side of each output.
    pub fn with_identity_bar(self, side: Option<BarSide>) -> FrameTheme {
        FrameTheme { identity_bar: side, ..self }
    }

    /// At which side of an output the identity bar is, if there is one.
    pub fn identity_bar(&self) -> Option<BarSide> {
        self.identity_bar
    }

    /// Lengths in pixels of an output of this scale.
    fn at(&self, scale: f64) -> Metrics {
        let scaled = |length: i32| ((f64::from(length) * scale).round() as i32).max(1);
        Metrics {
            scale,
            border: scaled(self.border),
            bar_height: scaled(self.bar_height),
            gap: scaled(GAP),
        }
    }

    /// The frame's own colour for a window of this domain, or of none.
    pub fn colour(&self, domain: Option<Colour>) -> Colour {
        domain.unwrap_or(self.local_colour)
    }

    /// How much a frame adds at each of three sides, and above.
    fn borders(&self, style: FrameStyle) -> (i32, i32) {
        match style {
            FrameStyle::None => (0, 0),
            FrameStyle::Edge => (self.border, self.border),
            FrameStyle::Whole => (self.border, self.bar_height),
        }
    }

    /// Where the frame of a window lies when its client's pixels lie at `client`.
    pub fn outer(
        &self,
        client: Rectangle<i32, Logical>,
        style: FrameStyle,
    ) -> Rectangle<i32, Logical> {
        let (border, above) = self.borders(style);
        let size = if style == FrameStyle::None { client.size } else { inner_size(client.size) };
        Rectangle::new(
            client.loc - Point::from((border, above)),
            Size::from((size.w + 2 * border, size.h + above + border)),
        )
    }

    /// The client's part of a frame of this size.
    pub fn inner(
        &self,
        outer: Rectangle<i32, Logical>,
        style: FrameStyle,
    ) -> Rectangle<i32, Logical> {
        let (border, above) = self.borders(style);
        Rectangle::new(
            outer.loc + Point::from((border, above)),
            Size::from((
                (outer.size.w - 2 * border).max(1),
                (outer.size.h - above - border).max(1),
            )),
        )
    }

    /// The square of the button that closes a window, in the frame at `outer`.
    pub fn close_button(&self, outer: Rectangle<i32, Logical>) -> Rectangle<i32, Logical> {
        Rectangle::new(
            outer.loc + Point::from((outer.size.w - self.bar_height - self.border, 0)),
            Size::from((self.bar_height, self.bar_height)),
        )
    }

    /// The height of letters at scale one.
    pub fn font_size(&self) -> f32 {
        self.font_size
    }

    /// The height of the title bar.
    pub fn bar_height(&self) -> i32 {
        self.bar_height
    }

    /// The width of the border.
    pub fn border(&self) -> i32 {
        self.border
    }

    /// The colour of the title bar: that of the frame, nearer to the background when the window
    /// has no focus. The border never changes: it tells the domain.
    fn bar_colour(&self, frame: Colour, active: bool) -> Colour {
        if active { frame } else { frame.mixed(self.background, 112) }
    }
}

fn inner_size(client: Size<i32, Logical>) -> Size<i32, Logical> {
    Size::from((
        client.w.clamp(LEAST_INNER_WIDTH, GREATEST_INNER_SIDE),
        client.h.clamp(1, GREATEST_INNER_SIDE),
    ))
}

/// What a frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameText {
    /// The name and colour of the domain; `None` for a local window.
    pub domain: Option<(String, Colour)>,
    /// The cleaned title.
    pub title: String,
    /// Whether the window has the focus.
    pub active: bool,
}

/// The frame of one window. Its text is drawn when it changes, never a frame at a time.
#[derive(Debug)]
pub struct FrameDecoration {
    /// The title bar at each scale of an output.
    bars: Vec<Bar>,
    /// Names of the borders: left, right, below, above.
    sides: [Id; 4],
    colour: Color32F,
    /// Counts the colours that it had.
    commit: CommitCounter,
}

/// A title bar as it was drawn.
#[derive(Debug)]
struct Bar {
    scale: f64,
    width: i32,
    text: FrameText,
    pixels: MemoryRenderBuffer,
}

/// Where the parts of a frame lie among an output's pixels, with what they show.
pub struct FrameParts<'a> {
    /// All of them together, and what is inside.
    pub outer: Rectangle<i32, Physical>,
    /// The title bar, once it is drawn, if there is one.
    pub bar: Option<(&'a MemoryRenderBuffer, Point<i32, Physical>)>,
    /// The borders; that above is empty where there is a title bar.
    pub sides: [(Id, Rectangle<i32, Physical>); 4],
    /// Their colour, and how often it has changed.
    pub colour: (Color32F, CommitCounter),
}

impl Default for FrameDecoration {
    fn default() -> Self {
        FrameDecoration {
            bars: Vec::new(),
            sides: std::array::from_fn(|_| Id::new()),
            colour: Color32F::TRANSPARENT,
            commit: CommitCounter::default(),
        }
    }
}

impl FrameDecoration {
    /// Bring the frame up to date for client pixels of this size, for outputs of these scales.
    pub fn update(
        &mut self,
        theme: &FrameTheme,
        fonts: &Fonts,
        client: Size<i32, Logical>,
        text: &FrameText,
        scales: &[f64],
    ) {
        let frame_colour = theme.colour(text.domain.as_ref().map(|(_, colour)| *colour));
        let colour = Color32F::from(frame_colour.to_renderer());
        if self.colour != colour {
            self.colour = colour;
            self.commit.increment();
        }
        self.bars.retain(|bar| scales.contains(&bar.scale));
        for scale in scales {
            let metrics = theme.at(*scale);
            let client = client.to_f64().to_physical(*scale).to_i32_round();
            let width = metrics.inner_size(client).w + 2 * metrics.border;
            let drawn = self.bars.iter().position(|bar| bar.scale == *scale);
            if drawn.is_some_and(|at| self.bars[at].width == width && self.bars[at].text == *text) {
                continue;
            }
            let canvas = draw_bar(theme, fonts, &metrics, width, frame_colour, text);
            let size = (canvas.width(), canvas.height());
            let pixels = MemoryRenderBuffer::from_slice(
                canvas.pixels(),
                Fourcc::Argb8888,
                size,
                1,
                Transform::Normal,
                Some(vec![Rectangle::from_size(size.into())]),
            );
            let bar = Bar { scale: *scale, width, text: text.clone(), pixels };
            match drawn {
                Some(at) => self.bars[at] = bar,
                None => self.bars.push(bar),
            }
        }
    }

    /// The parts around client pixels at `client` on an output of this scale.
    pub fn parts(
        &self,
        theme: &FrameTheme,
        style: FrameStyle,
        scale: f64,
        client: Rectangle<i32, Physical>,
    ) -> FrameParts<'_> {
        let metrics = theme.at(scale);
        let (border, inner) = (metrics.border, metrics.inner_size(client.size));
        let at = |x: i32, y: i32, w: i32, h: i32| {
            Rectangle::new(client.loc + Point::from((x, y)), Size::from((w, h)))
        };
        let has_bar = style == FrameStyle::Whole;
        let bar = self.bars.iter().find(|bar| has_bar && bar.scale == scale);
        let bar_location = client.loc - Point::from((border, metrics.bar_height));
        let [left, right, below, above] = self.sides.clone();
        let above_height = if has_bar { 0 } else { border };
        // What a narrow client leaves free inside its frame is frame, too.
        let free = (inner.w - client.size.w).max(0);
        let top = if has_bar { metrics.bar_height } else { border };
        FrameParts {
            outer: at(-border, -top, inner.w + 2 * border, top + inner.h + border),
            bar: bar.map(|bar| (&bar.pixels, bar_location)),
            sides: [
                (left, at(-border, 0, border, inner.h)),
                (right, at(client.size.w, 0, border + free, inner.h)),
                (below, at(-border, inner.h, inner.w + 2 * border, border)),
                (above, at(-border, -above_height, inner.w + 2 * border, above_height)),
            ],
            colour: (self.colour, self.commit),
        }
    }
}

/// Lengths of a frame in pixels of an output.
struct Metrics {
    scale: f64,
    border: i32,
    bar_height: i32,
    gap: i32,
}

impl Metrics {
    /// What the frame goes round when the client's pixels are of this size.
    fn inner_size(&self, client: Size<i32, Physical>) -> Size<i32, Physical> {
        let scaled = |length: i32| (f64::from(length) * self.scale).round() as i32;
        let greatest = scaled(GREATEST_INNER_SIDE);
        Size::from((
            client.w.clamp(scaled(LEAST_INNER_WIDTH), greatest),
            client.h.clamp(1, greatest),
        ))
    }
}

/// Draw a title bar: the domain's name on a tag of its own, then the title, then the button.
fn draw_bar(
    theme: &FrameTheme,
    fonts: &Fonts,
    metrics: &Metrics,
    width: i32,
    frame_colour: Colour,
    text: &FrameText,
) -> Canvas {
    let face = &Typeface::new(fonts, theme.font_size * metrics.scale as f32);
    let Metrics { border, bar_height, gap, .. } = *metrics;
    let bar_colour = theme.bar_colour(frame_colour, text.active);
    let text_colour = bar_colour.text_on();
    let mut canvas = Canvas::new(width, bar_height, bar_colour);
    let baseline = (bar_height + face.cap_height()) / 2;
    let button = bar_height;
    let end = width - border - button;
    let mut x = border + gap / 2;

    if let Some((name, _)) = &text.domain {
        // The tag turns the bar's colours round, so that no title can look like it.
        let name = face.line(name, end - x - 2 * gap);
        let tag_width = name.width() + 2 * gap;
        let inset = (bar_height / 7).max(2);
        let tag_text = readable_tag_text(frame_colour, text_colour);
        canvas.fill_rounded(x, inset, tag_width, bar_height - 2 * inset, text_colour);
        face.draw(&mut canvas, TextPlace { x: x + gap, baseline, end }, &name, tag_text);
        x += tag_width + gap;
    } else {
        x += gap / 2;
    }

    let title = face.line(&text.title, end - x - gap);
    face.draw(&mut canvas, TextPlace { x, baseline, end }, &title, text_colour);
    let middle = bar_height / 2;
    canvas.cross(width - border - button / 2, middle, (bar_height / 7).max(2), text_colour);
    canvas
}

/// The domain's colour on the tag where it can be read there, else what can.
fn readable_tag_text(frame_colour: Colour, tag: Colour) -> Colour {
    if frame_colour.contrast(tag) >= LEAST_CONTRAST { frame_colour } else { tag.text_on() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn theme() -> FrameTheme {
        FrameTheme::new(&FrameConfig::default(), Colour::BLACK)
    }

    #[test]
    fn the_frame_lies_outside_and_leaves_no_gap() {
        let (theme, fonts) = (theme(), Fonts::own_alone());
        for scale in [1.0, 1.25, 1.5, 2.0] {
            let metrics = theme.at(scale);
            for (w, h) in [(1, 1), (200, 100), (160, 30), (16_000, 5)] {
                let client = Rectangle::<i32, Physical>::new((50, 60).into(), (w, h).into());
                let mut frame = FrameDecoration::default();
                let text = FrameText { domain: None, title: "t".into(), active: true };
                let logical = client.size.to_f64().to_logical(scale).to_i32_round();
                frame.update(&theme, &fonts, logical, &text, &[scale]);
                let inner = metrics.inner_size(client.size);
                let parts = frame.parts(&theme, FrameStyle::Whole, scale, client);
                let (_, bar) = parts.bar.unwrap();
                let bar =
                    Rectangle::new(bar, (inner.w + 2 * metrics.border, metrics.bar_height).into());
                let all: Vec<_> = parts.sides.iter().map(|(_, side)| *side).chain([bar]).collect();
                let area = |size: Size<i32, Physical>| i64::from(size.w) * i64::from(size.h);
                let outer = all.iter().copied().reduce(Rectangle::merge).unwrap();
                let seen = client.intersection(Rectangle::new(client.loc, inner)).unwrap();
                let covered: i64 = all.iter().map(|part| area(part.size)).sum();
                assert_eq!(covered + area(seen.size), area(outer.size), "{w}x{h} at {scale}");
                assert!(all.iter().all(|part| !part.overlaps(seen)));
            }
        }
    }

    #[test]
    fn inner_undoes_outer() {
        let theme = theme();
        let client = Rectangle::new((5, 6).into(), (300, 200).into());
        for style in [FrameStyle::None, FrameStyle::Edge, FrameStyle::Whole] {
            assert_eq!(theme.inner(theme.outer(client, style), style), client);
        }
    }

    #[test]
    fn a_long_title_leaves_the_name_as_it_is() {
        let (theme, fonts) = (theme(), Fonts::own_alone());
        let bar = |title: &str, active| {
            let domain = Some(("work".to_owned(), Colour::new(0x2f, 0x6f, 0x9f)));
            let text = FrameText { domain, title: title.into(), active };
            draw_bar(&theme, &fonts, &theme.at(1.0), 240, Colour::new(0x2f, 0x6f, 0x9f), &text)
        };
        let empty = bar("", true);
        let name = Typeface::new(&fonts, theme.font_size).line("work", i32::MAX);
        let tag_end = (theme.border + GAP / 2 + name.width() + 2 * GAP) as usize;
        // The second begins with characters that are drawn over the one before.
        for title in [&"work ".repeat(100), &"\u{301}\u{20dd}\u{fe20} W".repeat(60)] {
            let titled = bar(title, true);
            for row in 0..theme.bar_height as usize {
                let start = row * 240 * 4;
                let tag = start..start + tag_end * 4;
                assert_eq!(empty.pixels()[tag.clone()], titled.pixels()[tag], "{title}");
            }
            assert_ne!(empty.pixels(), titled.pixels());
        }
        assert_ne!(bar("", false).pixels(), empty.pixels());
    }

    #[test]
    fn the_tag_can_be_read_in_every_colour() {
        let theme = theme();
        for step in 0..4096u32 {
            let part = |shift: u32| ((step >> shift & 15) * 17) as u8;
            let frame = Colour::new(part(0), part(4), part(8));
            for active in [true, false] {
                let tag = theme.bar_colour(frame, active).text_on();
                assert!(tag.contrast(readable_tag_text(frame, tag)) >= LEAST_CONTRAST);
            }
        }
    }
}
