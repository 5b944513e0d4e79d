//! Text that a client chose, made fit to be shown: window titles and application names.
//!
//! A title can lie. It must not be able to do more than that: not reorder the text around it, not
//! hide in zero width, not grow without bound.

use unicode_segmentation::UnicodeSegmentation;

/// The most letters that are kept of a title or an application name, as people count them: extended
/// grapheme clusters (Unicode Standard Annex 29).
pub const LONGEST: usize = 200;
/// The most characters of one letter: a base, and marks on it. More of them only smear over others.
const MOST_MARKED: usize = 4;

/// What remains of `text` when everything that is not plain, visible text is taken out.
///
/// Every run of white space becomes one space; control and format characters vanish.
pub fn clean(text: &str) -> String {
    let visible =
        text.chars().filter(|character| character.is_whitespace() || !is_invisible(*character));
    // No more is looked at than can be kept.
    let visible: String = visible.take(4 * LONGEST * MOST_MARKED).collect();
    let words = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    let letters = words.graphemes(true).take(LONGEST);
    let kept: String = letters.flat_map(|letter| letter.chars().take(MOST_MARKED)).collect();
    kept.trim_end().to_owned()
}

/// Whether a character shows nothing of its own: controls (Cc), format characters (Cf, among them
/// the bidirectional overrides and isolates), zero-width and filler characters, variation
/// selectors, tags, and the line and paragraph separators.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(
            character as u32,
            0x00AD                  // soft hyphen
            | 0x034F                // combining grapheme joiner
            | 0x0600..=0x0605 | 0x061C | 0x06DD | 0x070F | 0x0890..=0x0891 | 0x08E2
            | 0x115F..=0x1160       // Hangul fillers: letters by category, blank by sight
            | 0x17B4..=0x17B5
            | 0x180B..=0x180F       // Mongolian variation selectors and vowel separator
            | 0x200B..=0x200F       // zero-width space and joiners, direction marks
            | 0x2028..=0x202E       // separators, bidirectional embeddings and overrides
            | 0x2060..=0x206F       // word joiner, invisible operators, isolates, deprecated
            | 0x2800                // blank Braille pattern
            | 0x3164                // Hangul filler
            | 0xFE00..=0xFE0F       // variation selectors
            | 0xFEFF                // byte order mark
            | 0xFFA0                // half-width Hangul filler
            | 0xFFF0..=0xFFFB       // unassigned format characters, interlinear annotation
            | 0x110BD | 0x110CD
            | 0x13430..=0x1345F     // Egyptian hieroglyph format controls
            | 0x1BCA0..=0x1BCA3     // shorthand format controls
            | 0x1D173..=0x1D17A     // musical format controls
            | 0xE0000..=0xE0FFF     // tags and variation selectors supplement
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_stays() {
        assert_eq!(clean("Überblick – 文書.txt"), "Überblick – 文書.txt");
        assert_eq!(clean(""), "");
    }

    #[test]
    fn controls_and_escapes_go() {
        assert_eq!(clean("a\u{1b}[31mb\u{7}c\u{9b}d"), "a[31mbcd");
        assert_eq!(clean("line one\nline\ttwo\u{2028}three"), "line one line two three");
    }

    #[test]
    fn nothing_reorders_or_hides() {
        assert_eq!(clean("safe\u{202e}gpj.exe"), "safegpj.exe");
        assert_eq!(clean("\u{2066}a\u{2069}\u{200b}\u{200d}\u{feff}b\u{e0041}"), "ab");
        assert_eq!(clean("\u{3164}\u{115f}\u{ad}x"), "x");
    }

    #[test]
    fn white_space_neither_pads_nor_hides() {
        assert_eq!(clean("  a \u{3000}\u{a0}  b  "), "a b");
        assert_eq!(clean(" \n\t "), "");
    }

    #[test]
    fn length_is_bounded() {
        assert_eq!(clean(&"x".repeat(100_000)).chars().count(), LONGEST);
        assert_eq!(clean(&"é ".repeat(100_000)).chars().count(), LONGEST - 1);
        assert_eq!(clean(&"\u{202e}".repeat(100_000)), "");
        // A letter with marks is one letter, and has few of them.
        assert_eq!(clean(&"e\u{301}".repeat(300)), "e\u{301}".repeat(LONGEST));
        assert_eq!(clean(&format!("Z{}a", "\u{335}".repeat(90))), "Z\u{335}\u{335}\u{335}a");
    }
}
