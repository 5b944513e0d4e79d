//! The system's fonts as files: found, looked through once, and read when they are needed.
//!
//! All of this takes long, and none of it happens where pictures are drawn.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use ab_glyph::{Font as _, FontRef};
use fontdb::Database;
use harfrust::font::{Font, glyph::bitmap::BitmapSource};

use super::{
    coverage::{Coverage, Survey},
    face::Face,
    rank::{Rank, Ranking},
};

/// The largest file that is read: 64 MiB. Fonts of all Chinese characters have 20.
const LARGEST_FILE: u64 = 64 << 20;
/// How much of fonts is kept in memory: 256 MiB. Those that would be more stay unread.
const MOST_KEPT: u64 = 256 << 20;
/// How many characters of a font are looked at to see whether it can be drawn at all.
const TRIED: usize = 256;
/// No font has more; one that says so is broken.
const MOST_CHARACTERS: usize = 0x11_0000;

/// Where fonts are looked for.
#[derive(Clone, Debug)]
pub enum Places {
    /// Where fontconfig looks, or where fonts usually are.
    System,
    /// In these directories, and those within.
    Directories(Vec<PathBuf>),
}

/// The fonts that are used for something.
pub(super) struct Library {
    fonts: Vec<(PathBuf, u32)>,
    /// How many bytes may still be kept.
    room: u64,
}

impl Library {
    /// Look through all fonts. What they cover names them by numbers.
    pub(super) fn find(places: &Places) -> (Library, Coverage) {
        let mut database = Database::new();
        match places {
            Places::System => database.load_system_fonts(),
            Places::Directories(all) => all.iter().for_each(|one| database.load_fonts_dir(one)),
        }
        let ranking = Ranking::of_environment();
        let mut ranks: Vec<Rank> = database.faces().filter_map(|face| ranking.rank(face)).collect();
        drop(database);
        ranks.sort();
        let mut survey = Survey::new();
        let mut fonts = Vec::new();
        let mut file = File::default();
        for (.., path, index) in ranks {
            match file.open(&path) {
                Ok(bytes) => {
                    if survey.add(characters(bytes, index).into_iter()) {
                        fonts.push((path, index));
                    }
                }
                Err(error) => tracing::debug!(%error, path = %path.display(), "no font"),
            }
        }
        tracing::debug!(fonts = fonts.len(), "the system's fonts were looked through");
        (Library { fonts, room: MOST_KEPT }, survey.finish())
    }

    /// How many fonts there are.
    pub(super) fn len(&self) -> usize {
        self.fonts.len()
    }

    /// Read a font; `None` if it cannot be, any more.
    pub(super) fn load(&mut self, number: u16) -> Option<Face> {
        let (path, index) = self.fonts.get(usize::from(number))?;
        let bytes = match read(path, self.room.min(LARGEST_FILE)) {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "a font cannot be read");
                return None;
            }
        };
        self.room -= bytes.len() as u64;
        Face::from_bytes(bytes, *index)
    }
}

/// The file that was read last: collections have several fonts.
#[derive(Default)]
struct File {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl File {
    fn open(&mut self, path: &Path) -> io::Result<&[u8]> {
        if self.path != path {
            self.bytes = read(path, LARGEST_FILE)?;
            self.path = path.to_owned();
        }
        Ok(&self.bytes)
    }
}

fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = fs::File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if read as u64 > most {
        return Err(io::Error::other(format!("it has more than {most} bytes")));
    }
    Ok(bytes)
}

/// The characters that a font can draw: none if its letters are pictures, as those of colour are.
pub(super) fn characters(bytes: &[u8], index: u32) -> Vec<u32> {
    let Some(font) = Font::new(bytes.to_vec(), index) else { return Vec::new() };
    let pictures = font.bitmap_strikes().source();
    if matches!(pictures, Some(BitmapSource::Cbdt | BitmapSource::Sbix))
        || !font.color_glyphs().is_empty()
    {
        return Vec::new();
    }
    let Ok(outlines) = FontRef::try_from_slice_and_index(bytes, index) else { return Vec::new() };
    let all: Vec<u32> =
        font.charmap().unicodes().map(|(character, _)| character).take(MOST_CHARACTERS).collect();
    let mut tried = all.iter().take(TRIED).filter_map(|character| char::from_u32(*character));
    if tried.any(|character| outlines.outline(outlines.glyph_id(character)).is_some()) {
        all
    } else {
        Vec::new()
    }
}
