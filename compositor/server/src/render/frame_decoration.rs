//! The frame around a window: its domain's colour, its domain's name, its title.
//!
//! The frame lies outside the client's pixels, where a client cannot draw; that, not its look, is
//! what makes it tell the truth.

use smithay::{
    backend::{
        allocator::Fourcc,
        renderer::element::{memory::MemoryRenderBuffer, solid::SolidColorBuffer},
    },
    utils::{Logical, Point, Rectangle, Size, Transform},
};

use crate::{
    colour::{Colour, LEAST_CONTRAST},
    config::FrameConfig,
    render::label::{Canvas, TextPlace, Typeface},
};

/// The least width of what a frame goes round, so that the name of a domain always has room.
const LEAST_INNER_WIDTH: i32 = 160;
/// The greatest width and height of a window that a frame goes round.
const GREATEST_INNER_SIDE: i32 = 16_384;
/// Space between the parts of a title bar.
const GAP: i32 = 8;

/// What all frames have in common.
pub struct FrameTheme {
    typeface: Typeface,
    border: i32,
    bar_height: i32,
    local_colour: Colour,
    background: Colour,
}

impl FrameTheme {
    /// As configured.
    pub fn new(config: &FrameConfig, background: Colour) -> FrameTheme {
        let typeface = Typeface::new(config.font_size.pixels());
        FrameTheme {
            bar_height: (config.font_size.pixels() * 1.9).round() as i32,
            border: config.border.pixels(),
            local_colour: config.local_colour,
            background,
            typeface,
        }
    }

    /// The frame's own colour for a window of this domain, or of none.
    pub fn colour(&self, domain: Option<Colour>) -> Colour {
        domain.unwrap_or(self.local_colour)
    }

    /// Where the frame of a window lies when its client's pixels lie at `client`.
    pub fn outer(&self, client: Rectangle<i32, Logical>) -> Rectangle<i32, Logical> {
        let size = inner_size(client.size);
        Rectangle::new(
            client.loc - Point::from((self.border, self.bar_height)),
            Size::from((size.w + 2 * self.border, size.h + self.bar_height + self.border)),
        )
    }

    /// The client's part of a frame of this size.
    pub fn inner(&self, outer: Rectangle<i32, Logical>) -> Rectangle<i32, Logical> {
        Rectangle::new(
            outer.loc + Point::from((self.border, self.bar_height)),
            Size::from((
                (outer.size.w - 2 * self.border).max(1),
                (outer.size.h - self.bar_height - self.border).max(1),
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
    drawn: Option<(FrameText, i32)>,
    bar: MemoryRenderBuffer,
    /// Left, right, below.
    sides: [SolidColorBuffer; 3],
}

/// Where the parts of a frame lie, with what they show.
pub struct FrameParts<'a> {
    /// The title bar.
    pub bar: (&'a MemoryRenderBuffer, Point<i32, Logical>),
    /// The borders.
    pub sides: [(&'a SolidColorBuffer, Point<i32, Logical>); 3],
}

impl Default for FrameDecoration {
    fn default() -> Self {
        FrameDecoration {
            drawn: None,
            bar: MemoryRenderBuffer::default(),
            sides: std::array::from_fn(|_| SolidColorBuffer::default()),
        }
    }
}

impl FrameDecoration {
    /// Bring the frame up to date for client pixels of this size.
    pub fn update(&mut self, theme: &FrameTheme, client: Size<i32, Logical>, text: FrameText) {
        let frame_colour = theme.colour(text.domain.as_ref().map(|(_, colour)| *colour));
        let inner = inner_size(client);
        let colour = frame_colour.to_renderer();
        let [left, right, below] = &mut self.sides;
        left.update((theme.border, inner.h), colour);
        // What a narrow client leaves free inside its frame is frame, too.
        right.update((theme.border + (inner.w - client.w).max(0), inner.h), colour);
        below.update((inner.w + 2 * theme.border, theme.border), colour);

        let wanted = Some((text, inner.w));
        if self.drawn == wanted {
            return;
        }
        if let Some((text, _)) = &wanted {
            let canvas = draw_bar(theme, inner.w + 2 * theme.border, frame_colour, text);
            let size = (canvas.width(), canvas.height());
            self.bar = MemoryRenderBuffer::from_slice(
                canvas.pixels(),
                Fourcc::Argb8888,
                size,
                1,
                Transform::Normal,
                Some(vec![Rectangle::from_size(size.into())]),
            );
        }
        self.drawn = wanted;
    }

    /// The parts around client pixels at `client`.
    pub fn parts(&self, theme: &FrameTheme, client: Rectangle<i32, Logical>) -> FrameParts<'_> {
        let outer = theme.outer(client);
        let inner_height = outer.size.h - theme.bar_height - theme.border;
        let [left, right, below] = &self.sides;
        let at = |x: i32, y: i32| outer.loc + Point::from((x, y));
        FrameParts {
            bar: (&self.bar, outer.loc),
            sides: [
                (left, at(0, theme.bar_height)),
                (right, at(theme.border + client.size.w, theme.bar_height)),
                (below, at(0, theme.bar_height + inner_height)),
            ],
        }
    }
}

/// Draw a title bar: the domain's name on a tag of its own, then the title, then the button.
fn draw_bar(theme: &FrameTheme, width: i32, frame_colour: Colour, text: &FrameText) -> Canvas {
    let face = &theme.typeface;
    let bar_colour = theme.bar_colour(frame_colour, text.active);
    let text_colour = bar_colour.text_on();
    let mut canvas = Canvas::new(width, theme.bar_height, bar_colour);
    let baseline = (theme.bar_height + face.cap_height()) / 2;
    let button = theme.bar_height;
    let end = width - theme.border - button;
    let mut x = theme.border + GAP / 2;

    if let Some((name, _)) = &text.domain {
        // The tag turns the bar's colours round, so that no title can look like it.
        let name = face.shortened(name, end - x - 2 * GAP);
        let tag_width = face.width(&name) + 2 * GAP;
        let inset = (theme.bar_height / 7).max(2);
        let tag_text = readable_tag_text(frame_colour, text_colour);
        canvas.fill_rounded(x, inset, tag_width, theme.bar_height - 2 * inset, text_colour);
        face.draw(&mut canvas, TextPlace { x: x + GAP, baseline, end }, &name, tag_text);
        x += tag_width + GAP;
    } else {
        x += GAP / 2;
    }

    let title = face.shortened(&text.title, end - x - GAP);
    face.draw(&mut canvas, TextPlace { x, baseline, end }, &title, text_colour);
    let middle = theme.bar_height / 2;
    canvas.cross(
        width - theme.border - button / 2,
        middle,
        (theme.bar_height / 7).max(2),
        text_colour,
    );
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
        let theme = theme();
        for (w, h) in [(1, 1), (200, 100), (160, 30), (20_000, 5)] {
            let client = Rectangle::new((50, 60).into(), (w, h).into());
            let outer = theme.outer(client);
            let mut frame = FrameDecoration::default();
            let text = FrameText { domain: None, title: "t".into(), active: true };
            frame.update(&theme, client.size, text);
            let area = |(width, height): (i32, i32)| i64::from(width) * i64::from(height);
            let inner_width = w.clamp(LEAST_INNER_WIDTH, GREATEST_INNER_SIDE);
            assert_eq!(outer.size.w, inner_width + 2 * theme.border);
            assert!(outer.loc.x < client.loc.x && outer.loc.y < client.loc.y);
            let padding = (inner_width - w).max(0);
            let covered = area((outer.size.w, theme.bar_height))
                + area((theme.border, h))
                + area((theme.border + padding, h))
                + area((outer.size.w, theme.border))
                + area((inner_width - padding, h));
            assert_eq!(covered, area((outer.size.w, outer.size.h)));
        }
    }

    #[test]
    fn inner_undoes_outer() {
        let theme = theme();
        let client = Rectangle::new((5, 6).into(), (300, 200).into());
        assert_eq!(theme.inner(theme.outer(client)), client);
    }

    #[test]
    fn a_long_title_leaves_the_name_as_it_is() {
        let theme = theme();
        let bar = |title: &str, active| {
            let domain = Some(("work".to_owned(), Colour::new(0x2f, 0x6f, 0x9f)));
            let text = FrameText { domain, title: title.into(), active };
            draw_bar(&theme, 240, Colour::new(0x2f, 0x6f, 0x9f), &text)
        };
        let empty = bar("", true);
        let tag_end = (theme.border + GAP / 2 + theme.typeface.width("work") + 2 * GAP) as usize;
        // The second begins with characters that are drawn over the one before.
        for title in [&"work ".repeat(100), &"\u{301}\u{20dd}\u{fe20}".repeat(60)] {
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
