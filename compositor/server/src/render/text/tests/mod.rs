//! Text in fonts of Debian, which `cargo xtask setup` installs.

mod broken;
mod hostile;
mod scripts;
mod width;

use std::{
    path::PathBuf,
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use super::{FontNews, Fonts, Line, Places, Typeface, line::Placed};

/// Titles as there are, by what they show.
const TITLES: [(&str, &str); 9] = [
    ("Arabic", "مرحبا بالعالم"),
    ("Hebrew", "שלום עולם"),
    ("Hindi", "हिन्दी में दस्तावेज़"),
    ("Thai", "ภาษาไทยที่นี่"),
    ("Chinese", "中文文件"),
    ("Japanese", "日本語のファイル"),
    ("Korean", "한국어 문서"),
    ("emoji", "🚀 🐧 😀"),
    ("mixed", "abc שלום 123 ภาษา def"),
];

/// Of the packages fonts-lohit-deva, fonts-tlwg-loma-ttf, fonts-wqy-microhei and fonts-symbola.
fn directories() -> Vec<PathBuf> {
    ["lohit-devanagari", "tlwg", "wqy", "ancient-scripts"]
        .map(|name| PathBuf::from("/usr/share/fonts/truetype").join(name))
        .to_vec()
}

/// Fonts, and what their thread tells.
struct Told {
    fonts: Fonts,
    news: Receiver<FontNews>,
}

impl Told {
    fn of(directories: Vec<PathBuf>) -> Told {
        let (sender, news) = channel();
        let tell = move |news| drop(sender.send(news));
        Told { fonts: Fonts::new(Places::Directories(directories), tell), news }
    }

    fn of_debian() -> Told {
        Told::of(directories())
    }

    /// Await one thing that the thread has to tell. Whether labels are to be drawn anew.
    fn learn(&self) -> bool {
        self.fonts.learn(self.news.recv_timeout(Duration::from_secs(60)).expect("the thread tells"))
    }

    /// The line as it is when all fonts for it were read.
    fn line(&self, text: &str, width: i32) -> Line {
        loop {
            let line = Typeface::new(&self.fonts, 15.0).line(text, width);
            if !self.fonts.are_awaited() {
                return line;
            }
            self.learn();
        }
    }

    fn whole(&self, text: &str) -> Line {
        self.line(text, i32::MAX)
    }
}

/// The glyphs of a line from left to right.
fn glyphs(line: &Line) -> Vec<Placed<'_>> {
    line.placed(0.0).collect()
}

/// How many letters show a box.
fn boxes(line: &Line) -> usize {
    glyphs(line).iter().filter(|placed| placed.glyph.0 == 0).count()
}

/// The bytes of the text that is seen from left to right.
fn order(line: &Line) -> Vec<usize> {
    glyphs(line).iter().map(|placed| placed.cluster).collect()
}
