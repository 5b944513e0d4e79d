//! Which of the system's fonts is asked first.

use std::{env, path::PathBuf};

use fontdb::{FaceInfo, Source, Style};

/// Fonts of one family that differ in how they draw Chinese characters end in one of these.
const HAN: [&str; 5] = ["JP", "SC", "TC", "HK", "KR"];

/// Where a font stands among others: the least is asked first. Titles are upright, of normal weight and
/// without serifs, like the program's own font.
pub(super) type Rank = (bool, u16, u16, bool, u8, u8, String, PathBuf, u32);

/// Ranks fonts.
pub(super) struct Ranking {
    /// How Chinese characters are to look.
    han: &'static str,
}

impl Ranking {
    /// As the person's language wants it.
    pub(super) fn of_environment() -> Ranking {
        let mut set = ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(|name| env::var(name).ok());
        let first = set.find(|value| !value.is_empty());
        Ranking::of_locale(&first.unwrap_or_default())
    }

    fn of_locale(locale: &str) -> Ranking {
        let han = match locale.get(..5).unwrap_or(locale) {
            "zh_TW" => "TC",
            "zh_HK" | "zh_MO" => "HK",
            locale if locale.starts_with("zh") => "SC",
            locale if locale.starts_with("ko") => "KR",
            _ => "JP",
        };
        Ranking { han }
    }

    /// The rank of a font; `None` if it is not to be used.
    pub(super) fn rank(&self, face: &FaceInfo) -> Option<Rank> {
        let Source::File(path) = &face.source else { return None };
        let family = face.families.first().map_or("", |(name, _)| name.as_str());
        // Boxes that name what is missing.
        if family.contains("Last") && family.contains("Resort") {
            return None;
        }
        Some((
            face.style != Style::Normal,
            face.weight.0.abs_diff(400),
            face.stretch.to_number().abs_diff(5),
            face.monospaced,
            look(family),
            self.han(family),
            family.to_owned(),
            path.clone(),
            face.index,
        ))
    }

    fn han(&self, family: &str) -> u8 {
        let last = family.rsplit(' ').next().unwrap_or_default();
        match HAN.iter().position(|name| *name == last) {
            Some(_) if last == self.han => 0,
            // Their order is that of the list.
            Some(at) => 1 + at as u8,
            None => 0,
        }
    }
}

/// How far a family's looks are from those of the program's own font, by its name.
fn look(family: &str) -> u8 {
    let has = |words: &[&str]| words.iter().any(|word| family.contains(word));
    if has(&["Unifont"]) {
        4 // Made of squares.
    } else if has(&["Mono"]) {
        3
    } else if has(&["Serif", "Song", "Ming", "Mincho", "Batang"]) {
        2
    } else if has(&["Sans", "Gothic", "Hei"]) {
        0
    } else {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fontdb::{ID, Language, Stretch, Weight};

    fn face(family: &str, weight: u16, style: Style) -> FaceInfo {
        FaceInfo {
            id: ID::dummy(),
            source: Source::File("/font".into()),
            index: 0,
            families: vec![(family.to_owned(), Language::English_UnitedStates)],
            post_script_name: String::new(),
            style,
            weight: Weight(weight),
            stretch: Stretch::Normal,
            monospaced: false,
        }
    }

    fn order(locale: &str) -> Vec<String> {
        let mut faces: Vec<_> = [
            ("Unifont", 400, Style::Normal),
            ("Noto Sans CJK JP", 400, Style::Normal),
            ("Noto Sans CJK KR", 400, Style::Normal),
            ("Noto Sans Mono CJK SC", 400, Style::Normal),
            ("Noto Sans CJK SC", 700, Style::Normal),
            ("Noto Sans CJK SC", 400, Style::Normal),
            ("Noto Serif Thai", 400, Style::Normal),
            ("Lohit", 400, Style::Normal),
            ("A Sans", 400, Style::Italic),
            ("LastResort", 400, Style::Normal),
        ]
        .map(|(family, weight, style)| face(family, weight, style))
        .iter()
        .filter_map(|face| Ranking::of_locale(locale).rank(face))
        .collect();
        faces.sort();
        faces.into_iter().map(|rank| format!("{} {}", rank.6, rank.1)).collect()
    }

    #[test]
    fn upright_plain_letters_of_normal_weight_come_first() {
        assert_eq!(
            order("de_DE.UTF-8"),
            [
                "Noto Sans CJK JP 0",
                "Noto Sans CJK SC 0",
                "Noto Sans CJK KR 0",
                "Lohit 0",
                "Noto Serif Thai 0",
                "Noto Sans Mono CJK SC 0",
                "Unifont 0",
                "Noto Sans CJK SC 300",
                "A Sans 0",
            ]
        );
    }

    #[test]
    fn chinese_characters_look_as_the_persons_language_wants() {
        for (locale, first) in
            [("zh_CN.UTF-8", "SC"), ("ko_KR", "KR"), ("ja", "JP"), ("C", "JP"), ("", "JP")]
        {
            assert_eq!(order(locale)[0], format!("Noto Sans CJK {first} 0"), "{locale}");
        }
    }
}
