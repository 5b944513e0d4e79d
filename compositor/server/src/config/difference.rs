//! What is different between two configurations, so that the one can follow the other while the
//! compositor runs.

use std::fmt;

use super::{Config, DomainConfig, DomainName};

/// One thing that is not configured as it was.
///
/// What is new in [`Config`] needs a change here, or it is taken over in silence: where nothing is
/// kept of a value but the configuration itself, that is right.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The colour behind all windows.
    Background,
    /// The look of frames, and where the identity bar is.
    Frames,
    /// Where the fonts of titles are.
    Fonts,
    /// Keyboard shortcuts.
    Keys,
    /// What a person may carry from one domain to another.
    Clipboard,
    /// What keys mean.
    KeyboardLayout,
    /// How soon and how fast a held key repeats.
    KeyRepeat,
    /// Whether the cursor is drawn.
    Cursor,
    /// Outputs, or what is said of all headless ones.
    Outputs,
    /// A domain is not shown any more, or is another now.
    DomainRemoved(DomainName),
    /// A domain is shown that was not before.
    DomainAdded(DomainConfig),
    /// A domain is set differently.
    DomainChanged(DomainConfig),
    /// What all domains' programs are offered.
    Protocols,
    /// How much each domain may have.
    Limits,
    /// Which domains are shown that are not configured one by one.
    AnyDomain,
    /// Something that counts only when the compositor starts.
    AtNextStart(&'static str),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Background => f.write_str("background"),
            Change::Frames => f.write_str("frame"),
            Change::Fonts => f.write_str("font_directories"),
            Change::Keys => f.write_str("keys"),
            Change::Clipboard => f.write_str("clipboard"),
            Change::KeyboardLayout => f.write_str("keyboard"),
            Change::KeyRepeat => f.write_str("keyboard repeat"),
            Change::Cursor => f.write_str("cursor"),
            Change::Outputs => f.write_str("outputs"),
            Change::DomainRemoved(name) => write!(f, "domain {name} removed"),
            Change::DomainAdded(domain) => write!(f, "domain {} added", domain.name),
            Change::DomainChanged(domain) => write!(f, "domain {}", domain.name),
            Change::Protocols => f.write_str("protocols"),
            Change::Limits => f.write_str("limits"),
            Change::AnyDomain => f.write_str("any_domain"),
            Change::AtNextStart(what) => f.write_str(what),
        }
    }
}

/// What has to change for `old` to become `new`. What ends comes before what begins, so that names and
/// sockets are free again.
pub fn difference(old: &Config, new: &Config) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut note = |is_different: bool, change: Change| {
        if is_different {
            changes.push(change);
        }
    };
    note(old.renderer != new.renderer, Change::AtNextStart("renderer"));
    note(old.devices != new.devices, Change::AtNextStart("device"));
    let theme = |config: &Config| (config.cursor_theme.clone(), config.cursor_size);
    note(theme(old) != theme(new), Change::AtNextStart("cursor_theme"));
    note(old.font_directories != new.font_directories, Change::Fonts);
    note(old.xwayland != new.xwayland, Change::AtNextStart("xwayland"));
    note(old.socket != new.socket, Change::AtNextStart("socket"));
    note(old.background != new.background, Change::Background);
    note(old.frame != new.frame || old.identity != new.identity, Change::Frames);
    note(old.keys != new.keys, Change::Keys);
    note(old.clipboard != new.clipboard, Change::Clipboard);
    note(!old.keyboard.has_layout_of(&new.keyboard), Change::KeyboardLayout);
    note(!old.keyboard.repeats_as(&new.keyboard), Change::KeyRepeat);
    note(old.cursor != new.cursor, Change::Cursor);
    let outputs = |config: &Config| (config.size, config.refresh, config.outputs.clone());
    note(outputs(old) != outputs(new), Change::Outputs);
    note(old.protocols != new.protocols, Change::Protocols);
    note(old.limits != new.limits, Change::Limits);
    domains(&old.domains, &new.domains, &mut changes);
    if old.any_domain != new.any_domain {
        changes.push(Change::AnyDomain);
    }
    changes
}

fn domains(old: &[DomainConfig], new: &[DomainConfig], changes: &mut Vec<Change>) {
    // Whoever is reached elsewhere is somebody else.
    let is = |one: &DomainConfig, other: &DomainConfig| {
        one.name == other.name && one.address == other.address
    };
    for before in old.iter().filter(|before| !new.iter().any(|now| is(before, now))) {
        changes.push(Change::DomainRemoved(before.name.clone()));
    }
    for now in new {
        match old.iter().find(|before| is(before, now)) {
            None => changes.push(Change::DomainAdded(now.clone())),
            Some(before) if before != now => changes.push(Change::DomainChanged(now.clone())),
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(old: &str, new: &str) -> Vec<String> {
        let read = |text| Config::from_toml(text).unwrap();
        difference(&read(old), &read(new)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn nothing_differs_from_itself() {
        let text = "background = \"#101010\"\n[keys]\n\"Super+x\" = \"close\"\n";
        assert_eq!(changes(text, text), [""; 0]);
    }

    #[test]
    fn each_difference_is_named_once() {
        for (text, expected) in [
            ("renderer = \"gles\"", "renderer"),
            ("socket = \"a\"", "socket"),
            ("font_directories = []", "font_directories"),
            ("background = \"#101010\"", "background"),
            ("[frame]\nborder = 7", "frame"),
            ("identity.bar = \"bottom\"", "frame"),
            ("[keys]\n\"Super+x\" = \"close\"", "keys"),
            ("[clipboard]\nkeep = 5", "clipboard"),
            ("[keyboard]\nlayout = \"de\"", "keyboard"),
            ("[keyboard]\nrepeat_rate = 40", "keyboard repeat"),
            ("cursor = true", "cursor"),
            ("size = \"800x600\"", "outputs"),
            ("[[output]]\nscale = 2", "outputs"),
            ("[[domain]]\nname = \"a\"", "domain a added"),
            ("[protocols]\naccelerated = false", "protocols"),
            ("[limits]\nids = 5", "limits"),
            ("any_domain = \"xen\"", "any_domain"),
        ] {
            assert_eq!(changes("", text), [expected], "{text}");
        }
    }

    #[test]
    fn a_domain_that_is_reached_elsewhere_is_another() {
        let at = |place| format!("[[domain]]\nname = \"a\"\naddress = \"shm:/{place}\"\n");
        assert_eq!(changes(&at("x"), &at("y")), ["domain a removed", "domain a added"]);
        let red = at("x") + "colour = \"#a83f3a\"\n";
        assert_eq!(changes(&at("x"), &red), ["domain a"]);
        assert_eq!(changes(&red, ""), ["domain a removed"]);
    }
}
