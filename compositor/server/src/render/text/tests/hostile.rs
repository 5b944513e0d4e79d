//! Whatever a guest calls its windows: nothing panics, nothing waits, nothing is drawn elsewhere.

use proptest::prelude::*;

use super::*;
use crate::{
    colour::Colour,
    render::{canvas::Canvas, text::TextPlace},
    title,
};

/// Where something was drawn, of a canvas of 300 by 40 pixels.
fn drawn(told: &Told, line: &Line) -> Vec<(usize, usize)> {
    let mut canvas = Canvas::new(300, 40, Colour::BLACK);
    let place = TextPlace { x: 100, baseline: 28, end: 200 };
    Typeface::new(&told.fonts, 15.0).draw(&mut canvas, place, line, Colour::WHITE);
    let pixels = canvas.pixels().chunks_exact(4).enumerate();
    pixels.filter(|(_, pixel)| pixel[0] != 0).map(|(at, _)| (at % 300, at / 300)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_text_panics_or_leaves_its_place(
        text in "\\PC{0,60}|[\\x00-\\x{10ffff}]{0,60}|[\\u{0600}-\\u{0fff}\\u{1000}-\\u{11fff}]{0,60}|\
            [\\u{5d0}-\\u{5ff}a-z\\u{202a}-\\u{202e}\\u{2066}-\\u{2069}0-9 (\\n]{0,60}",
        width in -5..400,
    ) {
        thread_local! {
            static TOLD: Told = Told::of_debian();
        }
        TOLD.with(|told| {
            for text in [&text, &title::clean(&text)] {
                let line = told.line(text, width);
                prop_assert!(line.width() <= width.max(0));
                for (x, _) in drawn(told, &line) {
                    prop_assert!((100..200).contains(&x));
                }
            }
            Ok(())
        })?;
    }
}

#[test]
fn a_title_waits_for_no_font() {
    let told = Told::of_debian();
    let face = Typeface::new(&told.fonts, 15.0);
    let thai = "ภาษา";
    assert_eq!(boxes(&face.line("Latin, Ελληνικά, العربية", i32::MAX)), 0);
    assert!(!told.fonts.are_awaited(), "the own font is enough");
    // Boxes are drawn until the thread has looked for fonts, then until it has read one.
    assert_eq!(boxes(&face.line(thai, i32::MAX)), 4);
    assert!(told.fonts.are_awaited());
    assert!(told.learn(), "what fonts cover is known");
    assert_eq!(boxes(&face.line(thai, i32::MAX)), 4);
    assert!(told.learn(), "the font is read");
    assert_eq!(boxes(&face.line(thai, i32::MAX)), 0);
    assert!(!told.fonts.are_awaited());
}

#[test]
fn letters_that_no_font_has_are_looked_for_once() {
    let told = Told::of_debian();
    assert_eq!(boxes(&told.whole("\u{10fffd}\u{50000}\u{378}")), 3);
    let face = Typeface::new(&told.fonts, 15.0);
    for unassigned in ('\u{a0000}'..'\u{a0400}').chain('\u{50000}'..'\u{50400}') {
        assert_eq!(boxes(&face.line(&unassigned.to_string(), i32::MAX)), 1);
        assert!(!told.fonts.are_awaited());
    }
}

#[test]
fn without_fonts_there_are_boxes() {
    for told in [Told::of(Vec::new()), Told::of(vec!["/nowhere".into()])] {
        assert_eq!(boxes(&told.whole("ไทย")), 3);
    }
    assert_eq!(boxes(&Typeface::new(&Fonts::own_alone(), 15.0).line("ไทย", i32::MAX)), 3);
    let told = Told::of_debian();
    Typeface::new(&told.fonts, 15.0).line("ไทย", i32::MAX);
    told.fonts.lost();
    assert_eq!(boxes(&told.whole("ไทย")), 3);
}

#[test]
fn characters_that_reach_back_are_cut_off() {
    let told = Told::of_debian();
    // A letter that is wider than what is left, and an accent that sits on what stands before.
    let wide = "\u{301}W".to_owned() + &"W".repeat(40);
    let drawn = drawn(&told, &told.whole(&wide));
    assert!(drawn.iter().any(|(x, _)| *x == 199));
    assert!(drawn.iter().all(|(x, _)| (100..200).contains(x)), "{drawn:?}");
}
