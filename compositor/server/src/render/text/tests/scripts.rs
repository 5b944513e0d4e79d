//! Each script is read as its readers write it.

use std::rc::Rc;

use harfrust::Script;

use super::*;
use crate::render::text::face::Piece;

fn ids(line: &Line) -> Vec<u16> {
    glyphs(line).iter().map(|placed| placed.glyph.0).collect()
}

#[test]
fn titles_of_many_scripts_are_drawn_in_fonts_that_have_them() {
    let told = Told::of_debian();
    for (name, title) in TITLES {
        let line = told.whole(title);
        assert_eq!(boxes(&line), 0, "{name}");
        assert!(line.width() > 0 && line.text() == title);
    }
}

#[test]
fn latin_letters_stay_apart() {
    let fonts = Fonts::own_alone();
    let line = Typeface::new(&fonts, 15.0).line("office flow", i32::MAX);
    assert_eq!(order(&line), (0.."office flow".len()).collect::<Vec<_>>());
}

#[test]
fn arabic_runs_from_right_to_left_and_its_letters_join() {
    let fonts = Fonts::own_alone();
    let face = Typeface::new(&fonts, 15.0);
    let line = |text| face.line(text, i32::MAX);
    let word = line("سسس");
    assert_eq!(order(&word), [4, 2, 0]);
    let forms = ids(&word);
    let alone = ids(&line("س"))[0];
    assert!(forms.iter().all(|form| *form != alone));
    assert!(forms[0] != forms[1] && forms[1] != forms[2] && forms[0] != forms[2], "{forms:?}");
    // Lam and alef are drawn as one.
    assert_eq!(ids(&line("لا")).len(), 1);
}

#[test]
fn arabic_joins_across_a_letter_that_another_font_has() {
    let fonts = Fonts::own_alone();
    let joined = Piece { before: "س", text: "س", after: "س", ..arabic() };
    let alone = Piece { text: "س", ..arabic() };
    let glyph = |piece| fonts.own().shape(&piece)[0].glyph;
    assert_ne!(glyph(joined), glyph(alone));
}

fn arabic() -> Piece<'static> {
    Piece { before: "", text: "", after: "", script: Script::ARABIC, right_to_left: true }
}

#[test]
fn devanagari_vowels_stand_before_their_letters_and_letters_become_one() {
    let told = Told::of_debian();
    let (i, ii, ka) = (ids(&told.whole("कि")), ids(&told.whole("की")), ids(&told.whole("क")));
    assert_eq!((i.len(), ii.len(), ka.len()), (2, 2, 1));
    assert_eq!(i[1], ka[0], "the short i is written after the letter and stands before it");
    assert_eq!(ii[0], ka[0]);
    assert_eq!(ids(&told.whole("क्ष")).len(), 1);
}

#[test]
fn thai_marks_stand_over_their_letters() {
    let told = Told::of_debian();
    let line = told.whole("ที่ก");
    let places = glyphs(&line);
    let (letter, next) = (&places[0], &places[places.len() - 1]);
    assert_eq!(places.len(), 4);
    assert_eq!(order(&line), [0, 0, 0, 9], "a letter with its marks is one");
    assert!(next.x - letter.x < 15.0, "marks take no room");
    // The tone is lifted over the vowel, by its place or by another form.
    let alone = told.whole("ท่");
    let alone = &glyphs(&alone)[1];
    assert_ne!((places[2].glyph, places[2].y), (alone.glyph, alone.y));
}

#[test]
fn each_direction_is_read_its_own_way_in_one_title() {
    let fonts = Fonts::own_alone();
    let face = Typeface::new(&fonts, 15.0);
    // Two bytes a Hebrew letter.
    let left = face.line("ab אב 12", i32::MAX);
    assert_eq!(order(&left), [0, 1, 2, 8, 9, 7, 5, 3]);
    let right = face.line("אב ab", i32::MAX);
    assert_eq!(order(&right), [5, 6, 4, 2, 0]);
}

#[test]
fn a_word_is_in_one_font_if_one_has_all_of_it() {
    let told = Told::of_debian();
    let line = told.whole("中 Ω 12");
    let own = |line: &Line| -> Vec<bool> {
        line.placed(0.0).map(|placed| Rc::ptr_eq(placed.face, told.fonts.own())).collect()
    };
    assert_eq!(own(&line), [false, true, true, true, true, true], "the own font draws what it has");
    // A letter that the own font lacks takes its word with it, but not the words around.
    let cyrillic = told.whole("да а\u{527}а да");
    assert_eq!(own(&cyrillic), [true, true, true, false, false, false, true, true, true]);
}
