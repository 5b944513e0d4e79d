//! Keyboard shortcuts: which keys do what.

use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer};
use smithay::input::keyboard::{Keysym, ModifiersState, keysyms, xkb};

use crate::config::ValueError;

/// How many workspaces there are.
pub const WORKSPACES: u8 = 9;

/// A key with those that are held beside it. Written such as `Super+Shift+Left`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Chord {
    control: bool,
    alt: bool,
    shift: bool,
    logo: bool,
    key: u32,
}

/// What a shortcut does, to the window that has the focus if it is about one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Action {
    /// Nothing: a shortcut that there would be is left to programs.
    Nothing,
    /// Ask the window to close.
    Close,
    /// Let it fill the room, or return from there.
    Maximize,
    /// Let it fill the screen, or return from there.
    Fullscreen,
    /// Take it out of sight.
    Minimize,
    /// Bring back the window that was minimised last.
    Restore,
    /// Let it fill the left half of the room, or return from there.
    TileLeft,
    /// Let it fill the right half of the room, or return from there.
    TileRight,
    /// Give the focus to the window that has waited longest for it.
    NextWindow,
    /// Give the focus to the window that had it before.
    PreviousWindow,
    /// Show a workspace, counted from 0.
    Workspace(u8),
    /// Move the window to a workspace, counted from 0.
    MoveToWorkspace(u8),
    /// Take back what a program has for itself: shortcuts, pointer, the whole screen.
    TakeShortcuts,
    /// Let the window have what it asks for: the pointer, or the shortcuts.
    Allow,
    /// Let the window of a domain fill the whole screen, without a frame, while it fills it; or no
    /// longer.
    WholeScreen,
    /// Take what is in the clipboard of its domain, to be pasted into another one.
    CopyOut,
    /// Let its domain paste what was taken, once.
    PasteIn,
    /// In a window: have the host's shortcuts, too, or leave them to it.
    HostShortcuts,
    /// Start a program, by a line for the shell.
    Run(Arc<str>),
}

/// All shortcuts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys(BTreeMap<Chord, Action>);

/// Those that there are when nothing else is said.
const USUAL: [(&str, &str); 17] = [
    ("Super+q", "close"),
    ("Super+Up", "maximize"),
    ("Super+f", "fullscreen"),
    ("Super+Down", "minimize"),
    ("Super+Shift+Down", "restore"),
    ("Super+Left", "tile-left"),
    ("Super+Right", "tile-right"),
    ("Alt+Tab", "next-window"),
    ("Super+Tab", "next-window"),
    ("Alt+Shift+Tab", "previous-window"),
    ("Super+Shift+Tab", "previous-window"),
    ("Super+Escape", "take-shortcuts"),
    ("Super+Shift+Return", "allow"),
    ("Super+Shift+f", "whole-screen"),
    ("Super+Shift+c", "copy-out"),
    ("Super+Shift+v", "paste-in"),
    ("Super+Shift+Escape", "host-shortcuts"),
];

impl Default for Keys {
    fn default() -> Keys {
        let mut keys = Keys(BTreeMap::new());
        let workspaces = (1..=WORKSPACES).flat_map(|number| {
            [
                (format!("Super+{number}"), format!("workspace {number}")),
                (format!("Super+Shift+{number}"), format!("move-to-workspace {number}")),
            ]
        });
        let usual = USUAL.map(|(chord, action)| (chord.to_owned(), action.to_owned()));
        for (chord, action) in workspaces.chain(usual) {
            if let (Ok(chord), Ok(action)) = (chord.parse(), action.parse()) {
                keys.0.insert(chord, action);
            }
        }
        keys
    }
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Keys, D::Error> {
        let mut keys = Keys::default();
        keys.0.extend(BTreeMap::<Chord, Action>::deserialize(from)?);
        Ok(keys)
    }
}

impl Keys {
    /// What a key does while these are held. `key` is the one without what is held.
    pub fn action(&self, held: &ModifiersState, key: Keysym) -> Option<Action> {
        let chord = Chord {
            control: held.ctrl,
            alt: held.alt,
            shift: held.shift,
            logo: held.logo,
            key: key.raw(),
        };
        self.0.get(&chord).cloned().filter(|action| *action != Action::Nothing)
    }

    /// The first shortcut that does this.
    pub fn chord(&self, action: &Action) -> Option<Chord> {
        self.0.iter().find(|(_, other)| *other == action).map(|(chord, _)| *chord)
    }
}

impl Action {
    /// Whether it works even while a program has all shortcuts for itself, because it is a person's
    /// own word on what a program gets.
    pub fn is_never_inhibited(&self) -> bool {
        use Action::{Allow, CopyOut, PasteIn, TakeShortcuts, WholeScreen};
        matches!(self, TakeShortcuts | Allow | WholeScreen | CopyOut | PasteIn)
    }
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = [
            (self.logo, "Super+"),
            (self.control, "Ctrl+"),
            (self.alt, "Alt+"),
            (self.shift, "Shift+"),
        ];
        held.iter().filter(|(is_held, _)| *is_held).try_for_each(|(_, name)| f.write_str(name))?;
        f.write_str(&xkb::keysym_get_name(Keysym::from(self.key)))
    }
}

impl FromStr for Chord {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Chord, ValueError> {
        let wrong = || {
            ValueError::new(
                text,
                "a shortcut: write `Super`, `Ctrl`, `Alt` or `Shift`, as many as there are, and the \
                 key as xkb calls it, with `+` between them, for example \"Super+Shift+Left\"",
            )
        };
        let mut words: Vec<&str> = text.split('+').collect();
        let name = words.pop().unwrap_or_default();
        let mut chord = Chord { control: false, alt: false, shift: false, logo: false, key: 0 };
        for word in words {
            let held = match word.to_ascii_lowercase().as_str() {
                "super" | "logo" => &mut chord.logo,
                "ctrl" | "control" => &mut chord.control,
                "alt" => &mut chord.alt,
                "shift" => &mut chord.shift,
                _ => return Err(wrong()),
            };
            *held = true;
        }
        let plain = name.is_empty() || name.bytes().any(|byte| byte == 0);
        let key = if plain { Keysym::from(keysyms::KEY_NoSymbol) } else { named(name) };
        if key.raw() == keysyms::KEY_NoSymbol {
            return Err(wrong());
        }
        chord.key = key.raw();
        Ok(chord)
    }
}

/// The key of this name; small letters where it is one of a letter.
fn named(name: &str) -> Keysym {
    let exact = xkb::keysym_from_name(&name.to_ascii_lowercase(), xkb::KEYSYM_NO_FLAGS);
    if name.chars().count() == 1 && exact.raw() != keysyms::KEY_NoSymbol {
        return exact;
    }
    xkb::keysym_from_name(name, xkb::KEYSYM_CASE_INSENSITIVE)
}

impl FromStr for Action {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Action, ValueError> {
        let wrong = || {
            ValueError::new(
                text,
                "something that a shortcut does: write close, maximize, fullscreen, minimize, \
                 restore, tile-left, tile-right, next-window, previous-window, workspace N, \
                 move-to-workspace N (1 to 9), take-shortcuts, host-shortcuts, allow, whole-screen, \
                 copy-out, paste-in, run PROGRAM, or nothing",
            )
        };
        let workspace = |number: &str| match number.trim().parse() {
            Ok(number @ 1..=WORKSPACES) => Ok(number - 1),
            _ => Err(wrong()),
        };
        Ok(match text.split_once(' ') {
            Some(("workspace", number)) => Action::Workspace(workspace(number)?),
            Some(("move-to-workspace", number)) => Action::MoveToWorkspace(workspace(number)?),
            Some(("run", line)) if !line.trim().is_empty() => Action::Run(line.trim().into()),
            Some(_) => return Err(wrong()),
            None => match text {
                "nothing" => Action::Nothing,
                "close" => Action::Close,
                "maximize" => Action::Maximize,
                "fullscreen" => Action::Fullscreen,
                "minimize" => Action::Minimize,
                "restore" => Action::Restore,
                "tile-left" => Action::TileLeft,
                "tile-right" => Action::TileRight,
                "next-window" => Action::NextWindow,
                "previous-window" => Action::PreviousWindow,
                "take-shortcuts" => Action::TakeShortcuts,
                "allow" => Action::Allow,
                "whole-screen" => Action::WholeScreen,
                "copy-out" => Action::CopyOut,
                "paste-in" => Action::PasteIn,
                "host-shortcuts" => Action::HostShortcuts,
                _ => return Err(wrong()),
            },
        })
    }
}

impl TryFrom<String> for Chord {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        text.parse()
    }
}

impl TryFrom<String> for Action {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chords_are_read_however_they_are_written() {
        let chord = |text: &str| text.parse::<Chord>().unwrap();
        assert_eq!(chord("Super+Shift+Left"), chord("shift+SUPER+left"));
        assert_eq!(chord("Super+Q"), chord("Super+q"));
        assert_ne!(chord("Super+q"), chord("Ctrl+q"));
        for text in ["Super+Shift+v", "Ctrl+Alt+Delete", "Super+Left"] {
            assert_eq!(chord(text).to_string(), text);
        }
        for wrong in ["", "Super+", "Hyper+q", "Super+no-such-key", "Super"] {
            assert!(wrong.parse::<Chord>().is_err(), "{wrong}");
        }
        assert!("workspace 10".parse::<Action>().is_err());
        assert!("workspace 0".parse::<Action>().is_err());
        assert!("run ".parse::<Action>().is_err());
        assert_eq!("run foot -e top".parse(), Ok(Action::Run("foot -e top".into())));
    }

    #[test]
    fn what_is_usual_can_be_changed_and_left_out() {
        let keys: Keys =
            toml::from_str("\"Super+q\" = \"minimize\"\n\"Alt+Tab\" = \"nothing\"\n").unwrap();
        let logo = ModifiersState { logo: true, ..ModifiersState::default() };
        let alt = ModifiersState { alt: true, ..ModifiersState::default() };
        assert_eq!(Keys::default().0.len(), USUAL.len() + 2 * usize::from(WORKSPACES));
        assert_eq!(Keys::default().action(&logo, Keysym::q), Some(Action::Close));
        assert_eq!(keys.action(&logo, Keysym::q), Some(Action::Minimize));
        assert_eq!(keys.action(&alt, Keysym::Tab), None);
        assert_eq!(keys.action(&logo, Keysym::Tab), Some(Action::NextWindow));
    }
}
