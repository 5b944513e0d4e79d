//! Which of the system's fonts draws a character.

use std::ops::RangeInclusive;

/// No font has it.
const NONE: u16 = u16::MAX;
/// How many characters Unicode has room for.
const CHARACTERS: usize = 0x11_0000;

/// The font of each character that one has: ranges in ascending order, apart from each other.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Coverage(Vec<(RangeInclusive<u32>, u16)>);

impl Coverage {
    /// The number of the font that has this character. The answer takes the same short time whether or
    /// not there is one.
    pub(super) fn font(&self, character: char) -> Option<u16> {
        let character = u32::from(character);
        let after = self.0.partition_point(|(range, _)| *range.start() <= character);
        let (range, font) = self.0.get(after.checked_sub(1)?)?;
        range.contains(&character).then_some(*font)
    }
}

/// Finds the coverage of fonts that are told one after the other, the best first.
pub(super) struct Survey {
    fonts: Vec<u16>,
    next: u16,
}

impl Survey {
    pub(super) fn new() -> Survey {
        Survey { fonts: vec![NONE; CHARACTERS], next: 0 }
    }

    /// Tell the characters of the next font. Whether it is the first to have one of them: one that is
    /// not is never used, and has no number.
    pub(super) fn add(&mut self, characters: impl Iterator<Item = u32>) -> bool {
        if self.next == NONE {
            return false;
        }
        let mut is_first = false;
        for character in characters {
            let known = self.fonts.get_mut(character as usize);
            if let Some(font) = known.filter(|font| **font == NONE) {
                *font = self.next;
                is_first = true;
            }
        }
        self.next += u16::from(is_first);
        is_first
    }

    pub(super) fn finish(self) -> Coverage {
        let mut ranges: Vec<(RangeInclusive<u32>, u16)> = Vec::new();
        for (character, font) in (0..).zip(self.fonts).filter(|(_, font)| *font != NONE) {
            match ranges.last_mut() {
                Some((range, of)) if *of == font && range.end() + 1 == character => {
                    *range = *range.start()..=character;
                }
                _ => ranges.push((character..=character, font)),
            }
        }
        Coverage(ranges)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_font_that_has_a_character_draws_it() {
        let mut survey = Survey::new();
        assert!(survey.add([97, 98, 99, 101].into_iter()));
        assert!(!survey.add([98, 101].into_iter()), "it adds nothing");
        assert!(survey.add([98, 100, 0x10_ffff, u32::MAX].into_iter()));
        let coverage = survey.finish();
        let fonts = ['`', 'a', 'b', 'c', 'd', 'e', 'f', '\u{10ffff}'].map(|c| coverage.font(c));
        let (first, second) = (Some(0), Some(1));
        assert_eq!(fonts, [None, first, first, first, second, first, None, second]);
        assert_eq!(coverage.0.len(), 4);
        assert_eq!(Coverage::default().font('a'), None);
    }
}
