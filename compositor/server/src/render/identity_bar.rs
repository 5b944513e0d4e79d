//! The identity bar: one fixed place on every output that always tells whose window has the focus,
//! and where the compositor itself speaks. No program draws there.

use smithay::{
    backend::{allocator::Fourcc, renderer::element::memory::MemoryRenderBuffer},
    utils::{Logical, Physical, Rectangle, Size, Transform},
};

use crate::{
    colour::{Colour, LEAST_CONTRAST},
    config::BarSide,
    render::{
        canvas::Canvas,
        frame_decoration::FrameTheme,
        text::{Fonts, Line, TextPlace, Typeface},
    },
    trust::notes::Note,
};

/// What stands for the display domain's own programs. No domain can be called so: see
/// [`DomainName`](crate::config::DomainName).
pub const LOCAL: &str = "(local)";
/// The colour behind notes.
const NOTE: Colour = Colour::new(0xf2, 0xe6, 0xb8);
/// Space between the parts of the bar, in pixels of windows.
const GAP: i32 = 8;

/// What the bar says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BarText {
    /// Who has the focus.
    pub who: Who,
    /// The cleaned title of the window that has it.
    pub title: String,
    /// What a person should know now.
    pub note: Option<Note>,
}

/// Who has the focus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// No window.
    Nobody,
    /// A program of the display domain.
    Local,
    /// One of this domain.
    Domain(String, Colour),
}

/// Where the bar lies on an output that lies here.
pub fn area(
    theme: &FrameTheme,
    output: Rectangle<i32, Logical>,
) -> Option<Rectangle<i32, Logical>> {
    let height = theme.bar_height().min(output.size.h);
    let y = match theme.identity_bar()? {
        BarSide::Top => output.loc.y,
        BarSide::Bottom => output.loc.y + output.size.h - height,
    };
    Some(Rectangle::new((output.loc.x, y).into(), (output.size.w, height).into()))
}

/// What it leaves of an output.
pub fn rest(theme: &FrameTheme, output: Rectangle<i32, Logical>) -> Rectangle<i32, Logical> {
    let Some(bar) = area(theme, output) else { return output };
    let mut rest = output;
    rest.size.h = (output.size.h - bar.size.h).max(1);
    if bar.loc.y == output.loc.y {
        rest.loc.y += bar.size.h;
    }
    rest
}

/// The bar as it was drawn, for each width and scale of an output. It is drawn when what it says
/// changes, never a picture at a time.
#[derive(Debug, Default)]
pub struct IdentityBar(Vec<Drawn>);

#[derive(Debug)]
struct Drawn {
    size: Size<i32, Physical>,
    scale: f64,
    text: BarText,
    pixels: MemoryRenderBuffer,
}

impl IdentityBar {
    /// Draw it anew from now on, whatever was drawn before.
    pub fn forget(&mut self) {
        self.0.clear();
    }

    /// Bring it up to date for outputs whose bars have these sizes at these scales.
    pub fn update(
        &mut self,
        theme: &FrameTheme,
        fonts: &Fonts,
        text: &BarText,
        sizes: &[(Size<i32, Physical>, f64)],
    ) {
        self.0.retain(|drawn| sizes.contains(&(drawn.size, drawn.scale)));
        for &(size, scale) in sizes {
            let known = self.0.iter().position(|drawn| (drawn.size, drawn.scale) == (size, scale));
            if known.is_some_and(|at| self.0[at].text == *text) {
                continue;
            }
            let canvas = draw(theme, fonts, text, size, scale);
            let size_of_pixels = (canvas.width(), canvas.height());
            let pixels = MemoryRenderBuffer::from_slice(
                canvas.pixels(),
                Fourcc::Argb8888,
                size_of_pixels,
                1,
                Transform::Normal,
                Some(vec![Rectangle::from_size(size_of_pixels.into())]),
            );
            let drawn = Drawn { size, scale, text: text.clone(), pixels };
            match known {
                Some(at) => self.0[at] = drawn,
                None => self.0.push(drawn),
            }
        }
    }

    /// Its pixels on an output where it has this size and scale.
    pub fn pixels(&self, size: Size<i32, Physical>, scale: f64) -> Option<&MemoryRenderBuffer> {
        let drawn = self.0.iter().find(|drawn| (drawn.size, drawn.scale) == (size, scale));
        drawn.map(|drawn| &drawn.pixels)
    }
}

/// The name of who has the focus, the title of the window, and at the far end the note: in the colour
/// of who has the focus, as the frame of the window is.
fn draw(
    theme: &FrameTheme,
    fonts: &Fonts,
    text: &BarText,
    size: Size<i32, Physical>,
    scale: f64,
) -> Canvas {
    let colour = match &text.who {
        Who::Nobody => Colour::BLACK,
        Who::Local => theme.colour(None),
        Who::Domain(_, colour) => *colour,
    };
    let face = Typeface::new(fonts, theme.font_size() * scale as f32);
    let gap = ((f64::from(GAP) * scale).round() as i32).max(1);
    let mut pen = Pen {
        canvas: Canvas::new(size.w, size.h, colour),
        baseline: (size.h + face.cap_height()) / 2,
        face,
        gap,
        inset: (size.h / 7).max(2),
        x: gap,
        end: size.w - gap,
    };
    if let Some(note) = &text.note {
        let left = pen.note(note, size);
        pen.x = gap;
        pen.end = left - gap;
    }
    let on_bar = colour.text_on();
    match &text.who {
        Who::Nobody => {}
        Who::Local => pen.words(LOCAL, on_bar),
        Who::Domain(name, _) => pen.tag(name, on_bar, readable(colour, on_bar)),
    }
    pen.words(&text.title, on_bar);
    pen.canvas
}

/// The domain's colour on its tag where it can be read there, else what can.
fn readable(colour: Colour, tag: Colour) -> Colour {
    if colour.contrast(tag) >= LEAST_CONTRAST { colour } else { tag.text_on() }
}

/// Draws from the left to the right.
struct Pen<'a> {
    canvas: Canvas,
    face: Typeface<'a>,
    baseline: i32,
    gap: i32,
    inset: i32,
    /// Where the next thing begins.
    x: i32,
    /// Where all ends.
    end: i32,
}

impl Pen<'_> {
    fn words(&mut self, text: &str, colour: Colour) {
        let line = self.face.line(text, self.end - self.x);
        self.line(&line, colour);
    }

    fn line(&mut self, line: &Line, colour: Colour) {
        let place = TextPlace { x: self.x, baseline: self.baseline, end: self.end };
        self.face.draw(&mut self.canvas, place, line, colour);
        self.x += line.width() + self.gap;
    }

    fn tag(&mut self, name: &str, tag: Colour, letters: Colour) {
        let name = self.face.line(name, self.end - self.x - 2 * self.gap);
        let width = name.width() + 2 * self.gap;
        let height = self.canvas.height() - 2 * self.inset;
        self.canvas.fill_rounded(self.x, self.inset, width, height, tag);
        let (x, end) = (self.x + self.gap, self.x + width);
        let place = TextPlace { x, baseline: self.baseline, end };
        self.face.draw(&mut self.canvas, place, &name, letters);
        self.x = end + self.gap;
    }

    /// At the right end, over at most two thirds of the bar, so that who has the focus is always told.
    /// Where it begins.
    fn note(&mut self, note: &Note, size: Size<i32, Physical>) -> i32 {
        let gap = self.gap;
        let most = size.w * 2 / 3;
        let tag_width = |name: &str| self.face.line(name, i32::MAX).width() + 3 * gap;
        let name_width = note.domain.as_ref().map_or(0, |(name, _)| tag_width(name));
        let words = self.face.line(&note.text, most - name_width - 2 * gap);
        let left = self.end - (name_width + words.width() + 2 * gap).min(most);
        let height = size.h - 2 * self.inset;
        self.canvas.fill_rounded(left, self.inset, self.end - left, height, NOTE);
        self.x = left;
        if let Some((name, colour)) = &note.domain {
            self.tag(name, *colour, colour.text_on());
        } else {
            self.x += gap;
        }
        self.line(&words, NOTE.text_on());
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::FrameConfig;

    fn theme(side: BarSide) -> FrameTheme {
        FrameTheme::new(&FrameConfig::default(), Colour::BLACK).with_identity_bar(Some(side))
    }

    #[test]
    fn bar_and_rest_fill_the_output_and_share_nothing() {
        for side in [BarSide::Top, BarSide::Bottom] {
            for (w, h) in [(1280, 800), (64, 64), (64, 10)] {
                let output = Rectangle::new((-30, 20).into(), (w, h).into());
                let theme = theme(side);
                let (bar, rest) = (area(&theme, output).unwrap(), rest(&theme, output));
                assert!(output.contains_rect(bar));
                assert!(h <= bar.size.h || !bar.overlaps(rest), "{side:?} {w}x{h}");
                assert!(h <= bar.size.h || bar.merge(rest) == output);
            }
        }
        let output = Rectangle::from_size((100, 100).into());
        let without = FrameTheme::new(&FrameConfig::default(), Colour::BLACK);
        assert_eq!((area(&without, output), rest(&without, output)), (None, output));
    }

    #[test]
    fn no_title_and_no_note_hides_who_has_the_focus() {
        let domain = || Who::Domain("work".to_owned(), Colour::new(0x2f, 0x6f, 0x9f));
        let bar = |title: &str, note: &str| {
            let note = (!note.is_empty()).then(|| Note {
                domain: Some(("a-domain-with-a-long-name-of-31-x".to_owned(), Colour::WHITE)),
                text: note.to_owned(),
            });
            let text = BarText { who: domain(), title: title.to_owned(), note };
            draw(&theme(BarSide::Top), &Fonts::own_alone(), &text, (600, 28).into(), 1.0)
        };
        let empty = bar("", "");
        for (title, note) in [("work ".repeat(90), String::new()), (String::new(), "W".repeat(90))]
        {
            let full = bar(&title, &note);
            assert_ne!(empty.pixels(), full.pixels());
            // The tag of `work` ends before 70 pixels.
            for row in 0..28 {
                let tag = row * 600 * 4..(row * 600 + 62) * 4;
                assert_eq!(empty.pixels()[tag.clone()], full.pixels()[tag]);
            }
        }
    }
}
