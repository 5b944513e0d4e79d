//! Single values of the configuration, each of a type that holds only what can be used.

use std::{fmt, ops::Deref, str::FromStr};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::colour::Colour;

/// A value that cannot be used, and what can.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not {wanted}")]
pub struct ValueError {
    value: String,
    wanted: &'static str,
}

impl ValueError {
    pub(crate) fn new(value: impl fmt::Display, wanted: &'static str) -> ValueError {
        ValueError { value: value.to_string().chars().take(80).collect(), wanted }
    }
}
/// The width and height of an output. Written `WIDTHxHEIGHT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct OutputSize {
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
}

/// The smallest and largest side of an output.
const OUTPUT_SIDE: std::ops::RangeInclusive<u16> = 64..=16_384;

impl OutputSize {
    /// A size, if it lies between 64x64 and 16384x16384.
    pub fn new(width: u16, height: u16) -> Option<OutputSize> {
        (OUTPUT_SIDE.contains(&width) && OUTPUT_SIDE.contains(&height))
            .then_some(OutputSize { width, height })
    }
}

impl Default for OutputSize {
    fn default() -> Self {
        OutputSize { width: 1280, height: 800 }
    }
}

impl FromStr for OutputSize {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<OutputSize, ValueError> {
        text.split_once('x')
            .and_then(|(width, height)| OutputSize::new(width.parse().ok()?, height.parse().ok()?))
            .ok_or_else(|| {
                ValueError::new(
                    text,
                    "a size: write WIDTHxHEIGHT, each from 64 to 16384, for example \"1280x800\"",
                )
            })
    }
}

/// The name of a Wayland socket in `$XDG_RUNTIME_DIR`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct SocketName(String);

impl FromStr for SocketName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<SocketName, ValueError> {
        let allowed =
            |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
        // 64 leaves room for the directory in a socket address, which ends at 108 bytes.
        if (1..=64).contains(&text.len()) && text.chars().all(allowed) && !text.starts_with('.') {
            Ok(SocketName(text.to_owned()))
        } else {
            Err(ValueError::new(
                text,
                "a socket name: write 1 to 64 letters, digits, `-`, `_` or `.`, not a path",
            ))
        }
    }
}

/// What a domain is called: short, plain and visible, because it stands first on every frame.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct DomainName(String);

impl FromStr for DomainName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<DomainName, ValueError> {
        let allowed =
            |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
        if (1..=31).contains(&text.len()) && text.chars().all(allowed) {
            Ok(DomainName(text.to_owned()))
        } else {
            Err(ValueError::new(
                text,
                "a name for a domain: write 1 to 31 letters, digits, `-`, `_` or `.`",
            ))
        }
    }
}

macro_rules! a_checked_text {
    ($($name:ident)*) => {$(
        impl Deref for $name {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl TryFrom<String> for $name {
            type Error = ValueError;
            fn try_from(text: String) -> Result<Self, ValueError> {
                text.parse()
            }
        }
    )*};
}
a_checked_text!(SocketName DomainName);

impl From<OutputSize> for String {
    fn from(size: OutputSize) -> String {
        format!("{}x{}", size.width, size.height)
    }
}

impl TryFrom<String> for OutputSize {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        text.parse()
    }
}

/// The width of a window's border in pixels, from 1 to 32: a frame that cannot be seen tells nobody
/// whose window it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub struct BorderWidth(i32);

impl Default for BorderWidth {
    fn default() -> Self {
        BorderWidth(4)
    }
}

impl BorderWidth {
    /// In pixels.
    pub fn pixels(self) -> i32 {
        self.0
    }
}

impl TryFrom<u32> for BorderWidth {
    type Error = ValueError;
    fn try_from(pixels: u32) -> Result<Self, ValueError> {
        match i32::try_from(pixels) {
            Ok(pixels @ 1..=32) => Ok(BorderWidth(pixels)),
            _ => Err(ValueError::new(
                pixels,
                "a border's width: write a number of pixels from 1 to 32",
            )),
        }
    }
}

/// The height of letters in pixels, from 8 to 48.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "f32")]
pub struct FontSize(f32);

impl Default for FontSize {
    fn default() -> Self {
        FontSize(15.0)
    }
}

impl FontSize {
    /// In pixels.
    pub fn pixels(self) -> f32 {
        self.0
    }
}

impl TryFrom<f32> for FontSize {
    type Error = ValueError;
    fn try_from(pixels: f32) -> Result<Self, ValueError> {
        if (8.0..=48.0).contains(&pixels) {
            Ok(FontSize(pixels))
        } else {
            Err(ValueError::new(pixels, "a font size: write a number of pixels from 8 to 48"))
        }
    }
}

/// How exactly a domain is told when input happened. Written as milliseconds, from 0 (as exactly as it
/// is known) to 1000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub struct InputTiming(u32);

impl InputTiming {
    /// The last of its multiples that is not after this time in milliseconds.
    pub fn coarsen(self, time: u32) -> u32 {
        if self.0 > 1 { time - time % self.0 } else { time }
    }
}

impl TryFrom<u32> for InputTiming {
    type Error = ValueError;
    fn try_from(milliseconds: u32) -> Result<Self, ValueError> {
        if milliseconds <= 1000 {
            Ok(InputTiming(milliseconds))
        } else {
            Err(ValueError::new(
                milliseconds,
                "a coarseness of times: write milliseconds from 0 to 1000",
            ))
        }
    }
}

/// The colour behind all windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Background(pub Colour);

impl Default for Background {
    fn default() -> Self {
        Background(Colour::new(0x20, 0x28, 0x32))
    }
}

/// What draws.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum RendererChoice {
    /// OpenGL ES where there is a GPU and a screen, else Pixman
    #[default]
    Auto,
    /// Pixman: the processor. The same pixels on every machine
    Pixman,
    /// OpenGL ES
    Gles,
}

/// How often a headless output shows a new picture. Written as pictures a second; 0 means as soon
/// as there is something new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub struct Refresh(u16);

impl Refresh {
    /// As soon as there is something new.
    pub const AS_SOON_AS_POSSIBLE: Refresh = Refresh(0);

    /// The time between two pictures, or `None` for as soon as possible.
    pub fn period(self) -> Option<std::time::Duration> {
        (self.0 > 0).then(|| std::time::Duration::from_secs(1) / u32::from(self.0))
    }

    /// Thousandths of pictures a second, as `wl_output` tells them; 60 000 for as soon as possible.
    pub fn millihertz(self) -> i32 {
        if self.0 == 0 { 60_000 } else { i32::from(self.0) * 1000 }
    }
}

impl Default for Refresh {
    fn default() -> Self {
        Refresh(60)
    }
}

impl TryFrom<u32> for Refresh {
    type Error = ValueError;
    fn try_from(rate: u32) -> Result<Self, ValueError> {
        match u16::try_from(rate) {
            Ok(rate) if rate <= 1000 => Ok(Refresh(rate)),
            _ => Err(ValueError::new(
                rate,
                "a refresh rate: write pictures a second, from 0 to 1000",
            )),
        }
    }
}
