//! A text as runs that are shaped at once: of one direction, one script and one font.

use std::{ops::Range, rc::Rc};

use harfrust::Script;
use unicode_bidi::BidiInfo;
use unicode_script::{Script as UnicodeScript, UnicodeScript as _};
use unicode_segmentation::UnicodeSegmentation;

use super::{face::Face, fonts::Fonts};

/// A part of a text.
pub(super) struct Run {
    pub(super) bytes: Range<usize>,
    pub(super) right_to_left: bool,
    pub(super) script: Script,
    pub(super) face: Rc<Face>,
}

/// One letter as people count them.
struct Letter {
    bytes: Range<usize>,
    /// The one script that it belongs to, if it does; digits and signs belong to all.
    own: Option<UnicodeScript>,
    script: UnicodeScript,
    face: Rc<Face>,
}

/// The runs of a text from left to right, as they are seen.
pub(super) fn runs(text: &str, fonts: &Fonts) -> Vec<Run> {
    let bidi = BidiInfo::new(text, None);
    let mut all = Vec::new();
    for paragraph in &bidi.paragraphs {
        let (levels, ranges) = bidi.visual_runs(paragraph, paragraph.range.clone());
        for range in ranges {
            let right_to_left = levels.get(range.start).is_some_and(|level| level.is_rtl());
            let first = all.len();
            split(text, range, right_to_left, fonts, &mut all);
            if right_to_left {
                all[first..].reverse();
            }
        }
    }
    all
}

/// Split what has one direction; the parts are in the order in which they are read.
fn split(text: &str, range: Range<usize>, right_to_left: bool, fonts: &Fonts, all: &mut Vec<Run>) {
    let first = all.len();
    for letter in letters(text, range, fonts) {
        let Letter { bytes, script, face, .. } = letter;
        // Every name of a script is one for shaping, too.
        let script = script.short_name().parse().unwrap_or(Script::UNKNOWN);
        match all.get_mut(first..).and_then(|runs| runs.last_mut()) {
            Some(run) if run.script == script && Rc::ptr_eq(&run.face, &face) => {
                run.bytes.end = bytes.end;
            }
            _ => all.push(Run { bytes, right_to_left, script, face }),
        }
    }
}

fn letters(text: &str, range: Range<usize>, fonts: &Fonts) -> Vec<Letter> {
    let from = range.start;
    let mut letters: Vec<Letter> = text[range]
        .grapheme_indices(true)
        .map(|(at, letter)| {
            let own = letter.chars().map(|character| character.script()).find(is_own);
            let bytes = from + at..from + at + letter.len();
            let script = own.unwrap_or(UnicodeScript::Common);
            Letter { bytes, own, script, face: fonts.own().clone() }
        })
        .collect();
    choose_scripts(&mut letters);
    choose_fonts(text, &mut letters, fonts);
    letters
}

fn is_own(script: &UnicodeScript) -> bool {
    let of_all = [UnicodeScript::Common, UnicodeScript::Inherited, UnicodeScript::Unknown];
    !of_all.contains(script)
}

/// What belongs to all scripts goes with what stands before it, at the beginning with what follows.
fn choose_scripts(letters: &mut [Letter]) {
    let first = letters.iter().find_map(|letter| letter.own);
    let mut script = first.unwrap_or(UnicodeScript::Common);
    for letter in letters {
        script = letter.own.unwrap_or(script);
        letter.script = script;
    }
}

/// A word is in one font, if one has it all: else its letters could not join.
fn choose_fonts(text: &str, letters: &mut [Letter], fonts: &Fonts) {
    for word in letters.chunk_by_mut(|a, b| a.own.is_some() && a.own == b.own) {
        let (Some(first), Some(last)) = (word.first(), word.last()) else { continue };
        let whole = fonts.covering(&text[first.bytes.start..last.bytes.end]);
        for letter in word {
            letter.face = match &whole {
                Some(face) => face.clone(),
                None => fonts.best(&text[letter.bytes.clone()]),
            };
        }
    }
}
