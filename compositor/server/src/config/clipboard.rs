//! What a person may carry from one domain to another: which kinds, how much, and for how long.

use std::time::Duration;

use serde::Deserialize;

use super::{Config, ValueError};
use crate::client::ClientOrigin;

/// What crosses between domains by the shortcuts `copy-out` and `paste-in`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClipboardConfig {
    /// How much, at most.
    pub largest: LargestCopy,
    /// How long it waits to be pasted.
    pub keep: Seconds,
    /// How long a program may take to hand it over, or to take it.
    pub wait: Seconds,
    /// Which kinds, the best first. What a program offers beside them does not cross.
    pub types: Vec<MimeType>,
}

impl Default for ClipboardConfig {
    fn default() -> Self {
        let text = ["text/plain;charset=utf-8", "text/plain", "UTF8_STRING"];
        ClipboardConfig {
            largest: LargestCopy(1 << 20),
            keep: Seconds(60),
            wait: Seconds(10),
            types: text.map(|name| MimeType(name.to_owned())).into(),
        }
    }
}

/// Which way a domain takes part in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DomainClipboard {
    /// What the domain has in its clipboard may be copied out of it.
    #[serde(rename = "out")]
    pub copy_out: bool,
    /// What was copied out of another may be pasted into it.
    #[serde(rename = "in")]
    pub paste_in: bool,
}

impl Default for DomainClipboard {
    fn default() -> Self {
        DomainClipboard { copy_out: true, paste_in: true }
    }
}

impl Config {
    /// Which way a domain takes part. Local programs do both ways, and so do domains that nobody
    /// configured one by one.
    pub fn clipboard_of(&self, origin: &ClientOrigin) -> DomainClipboard {
        let configured = origin.domain().and_then(|domain| {
            self.domains.iter().find(|configured| *configured.name == *domain.name)
        });
        configured.map_or_else(DomainClipboard::default, |configured| configured.clipboard)
    }
}

/// A number of bytes, from 1 to 64 MiB: all of it is kept in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u64")]
pub struct LargestCopy(usize);

impl LargestCopy {
    const MOST: usize = 64 << 20;

    /// In bytes.
    pub fn bytes(self) -> usize {
        self.0
    }
}

impl TryFrom<u64> for LargestCopy {
    type Error = ValueError;
    fn try_from(bytes: u64) -> Result<Self, ValueError> {
        match usize::try_from(bytes) {
            Ok(bytes @ 1..=LargestCopy::MOST) => Ok(LargestCopy(bytes)),
            _ => Err(ValueError::new(
                bytes,
                "a size for what is copied: write a number of bytes from 1 to 67108864",
            )),
        }
    }
}

/// A time, from a second to an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u64")]
pub struct Seconds(u16);

impl Seconds {
    /// As the standard library has it.
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.0.into())
    }
}

impl TryFrom<u64> for Seconds {
    type Error = ValueError;
    fn try_from(seconds: u64) -> Result<Self, ValueError> {
        match u16::try_from(seconds) {
            Ok(seconds @ 1..=3600) => Ok(Seconds(seconds)),
            _ => Err(ValueError::new(seconds, "a time: write a number of seconds from 1 to 3600")),
        }
    }
}

/// The name of a kind of content, as programs offer it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct MimeType(String);

impl MimeType {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is one of the names of plain text in UTF-8, which all mean the same.
    pub fn is_plain_text(&self) -> bool {
        ["text/plain", "text/plain;charset=utf-8", "UTF8_STRING"]
            .iter()
            .any(|name| self.0.eq_ignore_ascii_case(name))
    }

    /// Whether it is text, which has to be UTF-8 here.
    pub fn is_text(&self) -> bool {
        self.is_plain_text() || self.0.starts_with("text/")
    }
}

impl TryFrom<String> for MimeType {
    type Error = ValueError;
    fn try_from(name: String) -> Result<Self, ValueError> {
        let visible = name.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        if visible && (1..=255).contains(&name.trim().len()) {
            Ok(MimeType(name))
        } else {
            Err(ValueError::new(
                name,
                "the name of a kind of content: write one as programs offer it, for example \
                 \"text/plain;charset=utf-8\" or \"image/png\"",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn a_domain_may_be_left_out_in_each_direction() {
        let text = "[[domain]]\nname = \"work\"\n[domain.clipboard]\nout = false\n\
                    [[domain]]\nname = \"web\"\n[domain.clipboard]\nin = false\n";
        let domains = Config::from_toml(text).unwrap().domains;
        let [work, web] = [&domains[0], &domains[1]].map(|domain| domain.clipboard);
        assert_eq!((work.copy_out, work.paste_in), (false, true));
        assert_eq!((web.copy_out, web.paste_in), (true, false));
    }

    #[test]
    fn mistakes_are_reported_where_they_stand() {
        for (text, place) in [
            ("[clipboard]\nlargest = 0\n", "line 2, column 11"),
            ("[clipboard]\nlargest = 100000000\n", "line 2, column 11"),
            ("[clipboard]\nkeep = 0\n", "line 2, column 8"),
            ("[clipboard]\nwait = 5000\n", "line 2, column 8"),
            ("[clipboard]\ntypes = [\"text/plain\", \"\"]\n", "line 2, column"),
            ("[clipboard]\nsize = 3\n", "line 2, column 1"),
            ("[[domain]]\nname = \"a\"\n[domain.clipboard]\nout = 1\n", "line 4, column 7"),
            ("[[domain]]\nname = \"a\"\n[domain.clipboard]\nboth = true\n", "line 4, column 1"),
        ] {
            let message = Config::from_toml(text).unwrap_err().to_string();
            assert!(message.contains(place), "{text:?} gave {message}");
        }
    }
}
