//! Text is cut between letters, and never wider than it may be.

use unicode_segmentation::UnicodeSegmentation;

use super::*;

const ELLIPSIS: char = '…';

#[test]
fn text_that_fits_stays_and_other_text_is_shortened() {
    let told = Told::of_debian();
    assert_eq!(told.line("short", 500).text(), "short");
    let letters =
        ["e\u{301}", "Z\u{335}", "ที่", "कि", "한", "👍🏽", "🇩🇪"].map(|l| l.repeat(5)).concat();
    let long = "a rather long title of some window";
    for title in TITLES.map(|(_, title)| title).iter().chain([&long, &letters.as_str()]) {
        for width in -1..told.whole(title).width() {
            let line = told.line(title, width);
            assert!(line.width() <= width.max(0), "{title} in {width}");
            let Some(kept) = line.text().strip_suffix(ELLIPSIS) else {
                assert_eq!(line.text(), "");
                continue;
            };
            let rest = title.strip_prefix(kept).unwrap();
            let whole = kept.graphemes(true).chain(rest.graphemes(true));
            assert!(whole.eq(title.graphemes(true)), "{kept:?} of {title:?} cuts a letter");
        }
        let all_but_one = told.whole(title).width() - 1;
        assert!(told.line(title, all_but_one).text().len() > title.len() / 2);
    }
}

#[test]
fn what_reads_from_right_to_left_has_its_ellipsis_at_the_left() {
    let fonts = Fonts::own_alone();
    let face = Typeface::new(&fonts, 15.0);
    let title = "שלום עולם";
    let line = face.line(title, face.line(title, i32::MAX).width() - 8);
    let order = order(&line);
    assert!(line.text().ends_with(ELLIPSIS));
    assert_eq!(order[0], line.text().len() - ELLIPSIS.len_utf8());
    assert!(order.is_sorted_by(|a, b| a > b), "{order:?}");
}
