//! What can be set of an output, and how it is written on the command line and in the configuration.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use smithay::utils::{Logical, Point, Transform};

use crate::config::{OutputSize, Refresh, ValueError};

/// One output as it is configured. What is left out is chosen.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutputConfig {
    /// What it is called, such as `HEADLESS-1`; headless outputs without a name are numbered.
    pub name: Option<OutputName>,
    /// Its pixels.
    pub size: Option<OutputSize>,
    /// How often it shows a new picture.
    pub refresh: Option<Refresh>,
    /// How many of its pixels there are to one of a window's.
    pub scale: OutputScale,
    /// How it is mounted.
    pub transform: OutputTransform,
    /// Where its upper left corner lies; to the right of the outputs before it if not set.
    pub position: Option<OutputPosition>,
    /// It shows nothing until it is switched on.
    pub off: bool,
}

impl FromStr for OutputConfig {
    type Err = String;

    fn from_str(text: &str) -> Result<OutputConfig, String> {
        let mut config = OutputConfig::default();
        let say = |error: ValueError| error.to_string();
        for part in text.split(',') {
            match part.split_once('=') {
                Some(("name", name)) => config.name = Some(name.parse().map_err(say)?),
                Some(("scale", scale)) => config.scale = scale.parse().map_err(say)?,
                Some(("transform", how)) => config.transform = how.parse().map_err(say)?,
                Some(("position", place)) => config.position = Some(place.parse().map_err(say)?),
                None if part == "off" => config.off = true,
                None => config.size = Some(part.parse().map_err(say)?),
                Some((unknown, _)) => {
                    return Err(format!(
                        "an output has no `{unknown}`: write WIDTHxHEIGHT, name=, scale=, transform=, \
                         position= and off, with commas between them"
                    ));
                }
            }
        }
        Ok(config)
    }
}

/// The name of an output.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct OutputName(String);

impl OutputName {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OutputName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for OutputName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<OutputName, ValueError> {
        let allowed =
            |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
        if (1..=31).contains(&text.len()) && text.chars().all(allowed) {
            Ok(OutputName(text.to_owned()))
        } else {
            Err(ValueError::new(
                text,
                "a name for an output: write 1 to 31 letters, digits, `-`, `_` or `.`",
            ))
        }
    }
}

impl TryFrom<String> for OutputName {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        text.parse()
    }
}

/// How many pixels of an output there are to one of a window's, in 120ths, as Wayland counts them:
/// from a half to eight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct OutputScale(u32);

/// The least and the greatest scale.
const SCALES: std::ops::RangeInclusive<f64> = 0.5..=8.0;

impl OutputScale {
    /// The nearest scale that Wayland can tell.
    pub fn new(factor: f64) -> Option<OutputScale> {
        SCALES.contains(&factor).then(|| OutputScale((factor * 120.0).round() as u32))
    }

    /// As a factor.
    pub fn factor(self) -> f64 {
        f64::from(self.0) / 120.0
    }
}

impl Default for OutputScale {
    fn default() -> Self {
        OutputScale(120)
    }
}

impl From<OutputScale> for f64 {
    fn from(scale: OutputScale) -> f64 {
        scale.factor()
    }
}

impl TryFrom<f64> for OutputScale {
    type Error = ValueError;
    fn try_from(factor: f64) -> Result<Self, ValueError> {
        OutputScale::new(factor)
            .ok_or_else(|| ValueError::new(factor, "a scale: write a number from 0.5 to 8"))
    }
}

impl FromStr for OutputScale {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<OutputScale, ValueError> {
        // What is no number lies outside of the scales, too.
        OutputScale::try_from(text.parse::<f64>().unwrap_or_default())
            .map_err(|_| ValueError::new(text, "a scale: write a number from 0.5 to 8"))
    }
}

/// How an output is mounted: by how many degrees what is drawn is turned, counter-clockwise, and
/// whether it was mirrored before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct OutputTransform(pub Transform);

/// All of them, by their names.
const TRANSFORMS: [(&str, Transform); 8] = [
    ("normal", Transform::Normal),
    ("90", Transform::_90),
    ("180", Transform::_180),
    ("270", Transform::_270),
    ("flipped", Transform::Flipped),
    ("flipped-90", Transform::Flipped90),
    ("flipped-180", Transform::Flipped180),
    ("flipped-270", Transform::Flipped270),
];

impl Default for OutputTransform {
    fn default() -> Self {
        OutputTransform(Transform::Normal)
    }
}

impl FromStr for OutputTransform {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<OutputTransform, ValueError> {
        let known = TRANSFORMS.iter().find(|(name, _)| *name == text);
        known.map(|(_, transform)| OutputTransform(*transform)).ok_or_else(|| {
            ValueError::new(
                text,
                "a transform: write normal, 90, 180, 270, flipped, flipped-90, flipped-180 or \
                 flipped-270",
            )
        })
    }
}

impl TryFrom<String> for OutputTransform {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        text.parse()
    }
}

impl fmt::Display for OutputTransform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = TRANSFORMS.iter().find(|(_, transform)| *transform == self.0);
        f.write_str(known.map_or("normal", |(name, _)| name))
    }
}

impl From<OutputTransform> for String {
    fn from(transform: OutputTransform) -> String {
        transform.to_string()
    }
}

/// Where the upper left corner of an output lies among the others, in pixels of windows. Written
/// `X+Y`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct OutputPosition(pub Point<i32, Logical>);

/// How far an output may lie from the middle of all.
const FARTHEST: i32 = 100_000;

impl OutputPosition {
    /// A position, if it is not too far off.
    pub fn new(x: i32, y: i32) -> Option<OutputPosition> {
        let near = -FARTHEST..=FARTHEST;
        (near.contains(&x) && near.contains(&y)).then(|| OutputPosition(Point::from((x, y))))
    }
}

impl FromStr for OutputPosition {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<OutputPosition, ValueError> {
        text.split_once('+')
            .and_then(|(x, y)| OutputPosition::new(x.parse().ok()?, y.parse().ok()?))
            .ok_or_else(|| {
                ValueError::new(text, "a position: write X+Y in pixels, for example \"1280+0\"")
            })
    }
}

impl TryFrom<String> for OutputPosition {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        text.parse()
    }
}

impl fmt::Display for OutputPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.0.x, self.0.y)
    }
}

impl From<OutputPosition> for String {
    fn from(position: OutputPosition) -> String {
        position.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_is_read_from_the_command_line() {
        let output: OutputConfig =
            "800x600,name=LEFT,scale=1.5,transform=flipped-90,position=-800+20".parse().unwrap();
        assert_eq!(output.size, OutputSize::new(800, 600));
        assert_eq!(output.name.unwrap().as_str(), "LEFT");
        assert_eq!(output.scale.factor(), 1.5);
        assert_eq!(output.transform.0, Transform::Flipped90);
        assert_eq!(output.position.unwrap().0, Point::from((-800, 20)));
        assert!(!output.off);
        assert!("off".parse::<OutputConfig>().unwrap().off);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (wrong, expected) in [
            ("800", "a size"),
            ("800x600,scale=0", "a scale"),
            ("800x600,scale=NaN", "a scale"),
            ("800x600,scale=9", "a scale"),
            ("800x600,transform=45", "a transform"),
            ("800x600,position=1,2", "a position"),
            ("800x600,position=1+999999", "a position"),
            ("800x600,name=", "a name"),
            ("800x600,colour=red", "no `colour`"),
        ] {
            let error = wrong.parse::<OutputConfig>().unwrap_err();
            assert!(error.contains(expected), "{wrong}: {error}");
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        for (name, transform) in TRANSFORMS {
            assert_eq!(name.parse(), Ok(OutputTransform(transform)));
            assert_eq!(OutputTransform(transform).to_string(), name);
        }
        let place = OutputPosition::new(-5, 7).unwrap();
        assert_eq!(place.to_string().parse(), Ok(place));
    }
}
