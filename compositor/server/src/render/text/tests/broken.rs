//! Fonts that are not as they should be.

use std::fs;

use proptest::prelude::*;

use super::*;
use crate::{
    colour::Colour,
    render::{
        canvas::Canvas,
        text::{TextPlace, library::characters},
    },
};

const HINDI: &str = "/usr/share/fonts/truetype/lohit-devanagari/Lohit-Devanagari.ttf";

fn hindi() -> Vec<u8> {
    fs::read(HINDI).expect("install fonts-lohit-deva")
}

/// Draw Hindi with this as the only font for it. How many pixels were drawn.
fn draw_with(font: &[u8]) -> usize {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("font.ttf"), font).unwrap();
    let told = Told::of(vec![directory.path().to_owned()]);
    let line = told.whole("हिन्दी में दस्तावेज़");
    let place = TextPlace { x: 5, baseline: 28, end: 290 };
    let mut canvas = Canvas::new(300, 40, Colour::BLACK);
    Typeface::new(&told.fonts, 15.0).draw(&mut canvas, place, &line, Colour::WHITE);
    canvas.pixels().chunks_exact(4).filter(|pixel| pixel[0] != 0).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn no_broken_font_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..300),
        length in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let mut font = hindi();
        for (at, byte) in changes {
            let at = at.index(font.len());
            font[at] = byte;
        }
        if is_cut {
            font.truncate(length.index(font.len()));
        }
        draw_with(&font);
    }
}

#[test]
fn letters_of_absurd_size_are_not_drawn() {
    let mut font = hindi();
    assert!(draw_with(&font) > 0);
    // The em has 16 of the units of which letters have thousands.
    let entry = font.windows(4).position(|tag| tag == b"head").unwrap();
    let head = u32::from_be_bytes(font[entry + 8..entry + 12].try_into().unwrap()) as usize;
    font[head + 18..head + 20].copy_from_slice(&16u16.to_be_bytes());
    let spaces_and_boxes = draw_with(b"no font");
    assert!(draw_with(&font) < spaces_and_boxes);
}

/// The font with another table, of which there are fewer than in any real one.
fn with_table(font: &[u8], tag: &[u8; 4], content: &[u8]) -> Vec<u8> {
    const HEAD: usize = 12;
    const ENTRY: usize = 16;
    let count = usize::from(u16::from_be_bytes([font[4], font[5]]));
    let mut made = font[..HEAD].to_vec();
    made[4..6].copy_from_slice(&(count as u16 + 1).to_be_bytes());
    let mut entries: Vec<[u8; ENTRY]> = font[HEAD..HEAD + count * ENTRY]
        .chunks_exact(ENTRY)
        .map(|entry| {
            let mut entry: [u8; ENTRY] = entry.try_into().unwrap();
            let offset = u32::from_be_bytes(entry[8..12].try_into().unwrap()) + ENTRY as u32;
            entry[8..12].copy_from_slice(&offset.to_be_bytes());
            entry
        })
        .collect();
    let mut entry = [0; ENTRY];
    entry[..4].copy_from_slice(tag);
    entry[8..12].copy_from_slice(&((font.len() + ENTRY) as u32).to_be_bytes());
    entry[12..].copy_from_slice(&(content.len() as u32).to_be_bytes());
    entries.push(entry);
    entries.sort();
    made.extend(entries.concat());
    made.extend(&font[HEAD + count * ENTRY..]);
    made.extend(content);
    made
}

#[test]
fn fonts_of_pictures_are_left_to_others() {
    let font = hindi();
    assert!(characters(&font, 0).contains(&0x0915));
    let harmless = with_table(&font, b"Test", &[0; 8]);
    assert_eq!(characters(&harmless, 0), characters(&font, 0));
    let places = with_table(&font, b"CBLC", &[0, 3, 0, 0, 0, 0, 0, 0]);
    let coloured = with_table(&places, b"CBDT", &[0, 3, 0, 0]);
    assert_eq!(characters(&coloured, 0), [0; 0]);
    // Nothing but pictures: there are no outlines at all.
    let mut bare = font;
    let glyf = bare.windows(4).position(|tag| tag == b"glyf").unwrap();
    bare[glyf..glyf + 4].copy_from_slice(b"glyx");
    assert_eq!(characters(&bare, 0), [0; 0]);
    assert_eq!(characters(b"no font", 0), [0; 0]);
}
