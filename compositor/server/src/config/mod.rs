//! The configuration: what can be set, and what it is when it is not set.

mod clipboard;
mod difference;
mod domains;
mod file;
mod values;

use std::path::PathBuf;

use serde::Deserialize;

use crate::{
    colour::Colour,
    devices::DeviceConfig,
    domain::AnyDomain,
    keys::Keys,
    outputs::settings::OutputConfig,
    render::frame_decoration::FrameTheme,
    trust::{limits::LimitRules, policy::ProtocolRules},
};

pub use clipboard::{ClipboardConfig, DomainClipboard, LargestCopy, MimeType, Seconds};
pub use difference::{Change, difference};
pub use domains::{DomainConfig, domain_colour, free_colour};
pub use file::ConfigError;
pub use values::{
    Background, BorderWidth, DomainName, FontSize, InputTiming, OutputSize, Refresh,
    RendererChoice, SocketName, ValueError,
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
    /// Where fonts are looked for; when not set, where the system has them.
    pub font_directories: Option<Vec<PathBuf>>,
    /// Whether X11 programs of the display domain can run.
    pub xwayland: XwaylandWanted,
    /// Window frames.
    pub frame: FrameConfig,
    /// Where it is told whose window has the focus.
    pub identity: IdentityConfig,
    /// The keyboard.
    pub keyboard: KeyboardConfig,
    /// How input devices are set.
    #[serde(rename = "device")]
    pub devices: Vec<DeviceConfig>,
    /// Keyboard shortcuts, beside those that are usual or in their place.
    pub keys: Keys,
    /// What a person may carry from one domain to another.
    pub clipboard: ClipboardConfig,
    /// The domains whose windows are shown.
    #[serde(rename = "domain", deserialize_with = "domains::read")]
    pub domains: Vec<DomainConfig>,
    /// What all domains' programs are offered.
    pub protocols: ProtocolRules,
    /// How much each domain may have.
    pub limits: LimitRules,
    /// Which other domains are shown, each by its own name and a free colour.
    pub any_domain: Option<AnyDomain>,
}
/// Whether X11 programs of the display domain can run: they can if nothing is said, since that costs
/// nothing before the first one comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct XwaylandWanted(pub bool);

impl Default for XwaylandWanted {
    fn default() -> Self {
        XwaylandWanted(true)
    }
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
            border: BorderWidth::default(),
            font_size: FontSize::default(),
            local_colour: Colour::new(0x4b, 0x54, 0x60),
        }
    }
}

/// Where it is told whose window has the focus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IdentityConfig {
    /// Where the identity bar is; where not said, at the top if there are domains, else nowhere.
    pub bar: Option<BarPlace>,
}

/// Where the identity bar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BarPlace {
    /// At the top of each output.
    Top,
    /// At the bottom of each output.
    Bottom,
    /// Nowhere: only frames tell whose a window is.
    None,
}

/// A side of an output that has an identity bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarSide {
    /// The upper one.
    Top,
    /// The lower one.
    Bottom,
}

impl Config {
    /// At which side of an output the identity bar is, if there is one.
    pub fn identity_bar(&self) -> Option<BarSide> {
        let has_domains = !self.domains.is_empty() || self.any_domain.is_some();
        match self.identity.bar {
            Some(BarPlace::Top) => Some(BarSide::Top),
            Some(BarPlace::Bottom) => Some(BarSide::Bottom),
            Some(BarPlace::None) => None,
            None => has_domains.then_some(BarSide::Top),
        }
    }

    /// The look of frames.
    pub fn frame_theme(&self) -> FrameTheme {
        FrameTheme::new(&self.frame, self.background.0).with_identity_bar(self.identity_bar())
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

impl KeyboardConfig {
    /// Whether keys mean the same.
    fn has_layout_of(&self, other: &KeyboardConfig) -> bool {
        let words = |of: &KeyboardConfig| [of.layout.clone(), of.variant.clone(), of.model.clone()];
        words(self) == words(other) && self.options == other.options
    }

    /// Whether held keys repeat the same.
    fn repeats_as(&self, other: &KeyboardConfig) -> bool {
        (self.repeat_delay, self.repeat_rate) == (other.repeat_delay, other.repeat_rate)
    }
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
