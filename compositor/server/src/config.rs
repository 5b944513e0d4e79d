//! The configuration: what can be set, what it is when it is not set, and reading it from a file.

use std::{
    fmt, fs, io,
    ops::Deref,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::{
    colour::Colour,
    devices::DeviceConfig,
    domain::{AnyDomain, DomainAddress},
    keys::Keys,
    outputs::settings::{OutputConfig, OutputName},
};

/// Everything that can be configured. `Config::default()` is a working compositor.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The size of a headless output.
    pub size: OutputSize,
    /// The name of the Wayland socket; the first free `wayland-N` when not set.
    pub socket: Option<SocketName>,
    /// How often a headless output shows a new picture.
    pub refresh: Refresh,
    /// Outputs: the headless ones that there are, and how others are set.
    #[serde(rename = "output")]
    pub outputs: Vec<OutputConfig>,
    /// What draws.
    pub renderer: RendererChoice,
    /// The colour behind all windows.
    pub background: Background,
    /// Whether the cursor is drawn; when not set, where there is a screen to see it on.
    pub cursor: Option<bool>,
    /// The theme of cursors; when not set, that of `XCURSOR_THEME` where there is a screen.
    pub cursor_theme: Option<String>,
    /// The size of its cursors in pixels of windows.
    pub cursor_size: Option<u32>,
    /// Window frames.
    pub frame: FrameConfig,
    /// The keyboard.
    pub keyboard: KeyboardConfig,
    /// How input devices are set.
    #[serde(rename = "device")]
    pub devices: Vec<DeviceConfig>,
    /// Keyboard shortcuts, beside those that are usual or in their place.
    pub keys: Keys,
    /// The domains whose windows are shown.
    #[serde(rename = "domain", deserialize_with = "domains")]
    pub domains: Vec<DomainConfig>,
    /// Which other domains are shown, each by its own name and a free colour.
    pub any_domain: Option<AnyDomain>,
}

/// One domain.
#[derive(Clone, Debug, PartialEq)]
pub struct DomainConfig {
    /// What it is called.
    pub name: DomainName,
    /// The colour of its frames.
    pub colour: Colour,
    /// Where it is reached.
    pub address: Option<DomainAddress>,
    /// Whether copies of its pages are shown, taken at each commit, so that what it writes after
    /// one is not seen before the next. Costs a copy of every frame.
    pub staged: bool,
}

/// Colours for domains that were given none, by their order: far apart in hue, calm, and dark
/// enough for white text.
const DOMAIN_COLOURS: [Colour; 6] = [
    Colour::new(0x2f, 0x6f, 0x9f),
    Colour::new(0xa8, 0x3f, 0x3a),
    Colour::new(0x3c, 0x78, 0x4a),
    Colour::new(0x79, 0x4f, 0x9c),
    Colour::new(0x9a, 0x60, 0x1e),
    Colour::new(0x1f, 0x78, 0x78),
];

/// The colour of the domain that is `index`th in order, when nothing else is said.
pub fn domain_colour(index: usize) -> Colour {
    DOMAIN_COLOURS[index % DOMAIN_COLOURS.len()]
}

/// A colour for one more domain: the first that none of `taken` is, if there is one.
pub fn free_colour(taken: &[Colour]) -> Colour {
    let free = DOMAIN_COLOURS.iter().find(|colour| !taken.contains(colour));
    free.copied().unwrap_or_else(|| domain_colour(taken.len()))
}

/// Read the domains, and give a free colour to each that has none of its own.
fn domains<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<DomainConfig>, D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Written {
        name: DomainName,
        colour: Option<Colour>,
        address: Option<DomainAddress>,
        #[serde(default)]
        staged: bool,
    }
    let written = Vec::<Written>::deserialize(from)?;
    let mut taken: Vec<_> = written.iter().filter_map(|domain| domain.colour).collect();
    let read = |Written { name, colour, address, staged }: Written| {
        let colour = colour.unwrap_or_else(|| {
            let colour = free_colour(&taken);
            taken.push(colour);
            colour
        });
        DomainConfig { name, colour, address, staged }
    };
    Ok(written.into_iter().map(read).collect())
}

/// Window frames.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FrameConfig {
    /// Pixels at the left, right and bottom of a window.
    pub border: BorderWidth,
    /// The height of the title's letters in pixels.
    pub font_size: FontSize,
    /// The colour of local windows' frames.
    pub local_colour: Colour,
}

impl Default for FrameConfig {
    fn default() -> Self {
        FrameConfig {
            border: BorderWidth(4),
            font_size: FontSize(15.0),
            local_colour: Colour::new(0x4b, 0x54, 0x60),
        }
    }
}

/// The keyboard, in xkb's words. An empty word means xkb's own default.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeyboardConfig {
    /// For example `us` or `de`.
    pub layout: String,
    /// For example `nodeadkeys`.
    pub variant: String,
    /// For example `pc105`.
    pub model: String,
    /// For example `ctrl:nocaps`.
    pub options: Option<String>,
    /// Milliseconds until a held key repeats.
    pub repeat_delay: u16,
    /// Repetitions a second.
    pub repeat_rate: u16,
}

impl Default for KeyboardConfig {
    fn default() -> Self {
        KeyboardConfig {
            layout: String::new(),
            variant: String::new(),
            model: String::new(),
            options: None,
            repeat_delay: 400,
            repeat_rate: 25,
        }
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

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {source}. Check the path given to --config", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not a configuration; the message has line and column.
    #[error("the configuration {} is wrong: {source}", path.display())]
    Parse {
        /// Which file.
        path: PathBuf,
        /// What is wrong, and where.
        source: Box<toml::de::Error>,
    },
    /// Two domains cannot be told apart.
    #[error("two domains are called `{0}`: give each its own name")]
    SameName(DomainName),
    /// Two outputs cannot be told apart.
    #[error("two outputs are called `{}`: give each its own name", .0.as_str())]
    SameOutput(OutputName),
    /// Numbers of domains would mean two things.
    #[error(
        "domains of Xen and domains reached by \"shm:\" cannot be shown together: the numbers of the \
         latter would be those of the former"
    )]
    TwoHypervisors,
}

impl Config {
    /// Read a configuration from TOML.
    pub fn from_toml(text: &str) -> Result<Config, toml::de::Error> {
        toml::from_str(text)
    }

    /// Read a configuration file.
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        let path = path.to_path_buf();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(source) => return Err(ConfigError::Read { path, source }),
        };
        Config::from_toml(&text)
            .map_err(|source| ConfigError::Parse { path, source: Box::new(source) })
    }

    /// Check what concerns more than one value.
    pub fn check(&self) -> Result<(), ConfigError> {
        let is_xen = |domain: &&DomainConfig| matches!(domain.address, Some(DomainAddress::Xen(_)));
        let xen = self.domains.iter().filter(is_xen).count();
        if (xen > 0 || self.any_domain.is_some()) && xen < self.domains.len() {
            return Err(ConfigError::TwoHypervisors);
        }
        for (index, domain) in self.domains.iter().enumerate() {
            if self.domains[..index].iter().any(|other| other.name == domain.name) {
                return Err(ConfigError::SameName(domain.name.clone()));
            }
        }
        for (index, output) in self.outputs.iter().enumerate() {
            if let Some(name) = &output.name
                && self.outputs[..index].iter().any(|other| other.name.as_ref() == Some(name))
            {
                return Err(ConfigError::SameOutput(name.clone()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_needed() {
        assert_eq!(Config::from_toml("").unwrap(), Config::default());
    }

    #[test]
    fn everything_can_be_set() {
        let config = Config::from_toml(
            r##"
            size = "800x600"
            socket = "wayland-guests"
            refresh = 0
            renderer = "gles"
            background = "#101010"
            [[output]]
            name = "LEFT"
            size = "640x480"
            scale = 1.5
            transform = "90"
            position = "-320+0"
            off = true
            [frame]
            border = 2
            font_size = 12
            local_colour = "#333333"
            [keyboard]
            layout = "de"
            [[domain]]
            name = "work"
            colour = "#2f6f9f"
            address = "shm:/run/work.sock"
            [[domain]]
            name = "web"
            "##,
        )
        .unwrap();
        assert_eq!(config.size, OutputSize { width: 800, height: 600 });
        assert_eq!(config.refresh.period(), None);
        assert_eq!(config.outputs[0].scale.factor(), 1.5);
        assert!(config.outputs[0].off);
        assert_eq!(config.renderer, RendererChoice::Gles);
        assert_eq!(&*config.domains[0].name, "work");
        assert_eq!(config.domains[0].address, Some(DomainAddress::Shm("/run/work.sock".into())));
        assert_eq!(config.domains[1].address, None);
        config.check().unwrap();
    }

    #[test]
    fn mistakes_are_reported_where_they_stand() {
        for (text, place) in [
            ("size = \"800x600\"\nsise = 3\n", "line 2, column 1"),
            ("size = \"800\"\n", "line 1, column 8"),
            ("\n[frame]\nborder = 0\n", "line 3, column 10"),
            ("[frame]\nfont_size = 500\n", "line 2, column 13"),
            ("[[domain]]\nname = \"work\"\ncolour = \"blue\"\n", "line 3, column 10"),
            ("[[domain]]\nname = \"a b\"\n", "line 2, column 8"),
            ("[[domain]]\nname = \"a\"\naddress = \"tcp:1\"\n", "line 3, column 11"),
            ("socket = \"../x\"\n", "line 1, column 10"),
            ("[keys]\n\"Super+q\" = \"explode\"\n", "line 2, column"),
            ("[keys]\n\"Sooper+q\" = \"close\"\n", "line 2, column"),
            ("refresh = 5000\n", "line 1, column 11"),
            ("size = \n", "line 1, column 8"),
            ("[[output]]\nscale = 0.1\n", "line 2, column 9"),
            ("[[output]]\ntransform = \"45\"\n", "line 2, column 13"),
        ] {
            let message = Config::from_toml(text).unwrap_err().to_string();
            assert!(message.contains(place), "{text:?} gave {message}");
        }
    }

    #[test]
    fn two_domains_of_one_name_are_refused() {
        let config =
            Config::from_toml("[[domain]]\nname = \"a\"\n[[domain]]\nname = \"a\"\n").unwrap();
        assert!(matches!(config.check(), Err(ConfigError::SameName(_))));
    }

    #[test]
    fn two_outputs_of_one_name_are_refused() {
        let config =
            Config::from_toml("[[output]]\nname = \"a\"\n[[output]]\nname = \"a\"\n").unwrap();
        assert!(matches!(config.check(), Err(ConfigError::SameOutput(_))));
    }

    #[test]
    fn domains_without_a_colour_get_free_ones() {
        let text = "[[domain]]\nname = \"a\"\n[[domain]]\nname = \"b\"\ncolour = \"#2f6f9f\"\n[[domain]]\nname = \"c\"\n";
        let domains = Config::from_toml(text).unwrap().domains;
        let colours = domains.iter().map(|domain| domain.colour).collect::<Vec<_>>();
        assert_eq!(colours, [DOMAIN_COLOURS[1], DOMAIN_COLOURS[0], DOMAIN_COLOURS[2]]);
    }
}
