//! A colour, how it is written, and whether text can be read on it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// An opaque sRGB colour. Written `#rrggbb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Colour {
    /// Red.
    pub red: u8,
    /// Green.
    pub green: u8,
    /// Blue.
    pub blue: u8,
}

/// The text is not a colour.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a colour: write six hexadecimal digits, for example \"#2f6f9f\"")]
pub struct ColourError(String);

/// The least contrast between text and what is behind it (WCAG 2.1, level AA).
pub const LEAST_CONTRAST: f64 = 4.5;

impl Colour {
    /// White.
    pub const WHITE: Colour = Colour::new(255, 255, 255);
    /// Black.
    pub const BLACK: Colour = Colour::new(0, 0, 0);

    /// A colour by its three parts.
    pub const fn new(red: u8, green: u8, blue: u8) -> Colour {
        Colour { red, green, blue }
    }

    /// This colour with `part` of 256 of it replaced by `other`. Whole numbers, so that every
    /// machine draws the same pixels.
    pub fn mixed(self, other: Colour, part: u32) -> Colour {
        let part = part.min(256);
        let one =
            |a: u8, b: u8| ((u32::from(a) * (256 - part) + u32::from(b) * part + 128) >> 8) as u8;
        Colour::new(
            one(self.red, other.red),
            one(self.green, other.green),
            one(self.blue, other.blue),
        )
    }

    /// The relative luminance, from 0 (black) to 1 (white), as WCAG 2.1 defines it.
    pub fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.03928 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(self.red) + 0.7152 * linear(self.green) + 0.0722 * linear(self.blue)
    }

    /// The contrast ratio between two colours, from 1 to 21.
    pub fn contrast(self, other: Colour) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// The colour of text on this one: white where white can be read, else black.
    ///
    /// One of the two always can: the worst background of all still has 4.58 with the better one.
    pub fn text_on(self) -> Colour {
        if self.contrast(Colour::WHITE) >= LEAST_CONTRAST { Colour::WHITE } else { Colour::BLACK }
    }

    /// As the renderer wants it.
    pub fn to_renderer(self) -> [f32; 4] {
        [
            f32::from(self.red) / 255.0,
            f32::from(self.green) / 255.0,
            f32::from(self.blue) / 255.0,
            1.0,
        ]
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}

impl FromStr for Colour {
    type Err = ColourError;

    fn from_str(text: &str) -> Result<Colour, ColourError> {
        let error = || ColourError(text.chars().take(32).collect());
        let digits = text.strip_prefix('#').ok_or_else(error)?;
        // `from_str_radix` would also take a sign.
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(error());
        }
        let number = u32::from_str_radix(digits, 16).map_err(|_| error())?;
        let [_, red, green, blue] = number.to_be_bytes();
        Ok(Colour::new(red, green, blue))
    }
}

impl Serialize for Colour {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Colour {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Colour, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        assert_eq!("#2f6f9f".parse(), Ok(Colour::new(0x2f, 0x6f, 0x9f)));
        assert_eq!(Colour::new(0x2f, 0x6f, 0x9f).to_string(), "#2f6f9f");
        for wrong in ["", "#", "2f6f9f", "#2f6f9", "#2f6f9ff", "#+f6f9f", "#2f6f9é", "red"] {
            assert!(wrong.parse::<Colour>().is_err(), "{wrong:?} was read as a colour");
        }
    }

    #[test]
    fn contrast_ends() {
        assert!((Colour::WHITE.contrast(Colour::BLACK) - 21.0).abs() < 1e-9);
        assert!((Colour::WHITE.contrast(Colour::WHITE) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn text_can_be_read_on_every_colour() {
        for red in (0..=255).step_by(5) {
            for green in (0..=255).step_by(5) {
                for blue in (0..=255).step_by(5) {
                    let colour = Colour::new(red, green, blue);
                    let contrast = colour.contrast(colour.text_on());
                    assert!(contrast >= LEAST_CONTRAST, "{colour}: {contrast}");
                }
            }
        }
    }

    #[test]
    fn mixing_keeps_the_ends() {
        let (a, b) = (Colour::new(10, 200, 30), Colour::new(90, 0, 255));
        assert_eq!(a.mixed(b, 0), a);
        assert_eq!(a.mixed(b, 256), b);
    }
}
