//! Why something ended, in a form that is safe to log whoever wrote it.

use std::fmt;

/// What kind of end it was; sixteen bits on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum ReasonCode {
    /// The normal end: an app hung up, or the owner of the link is done.
    Finished = 0,
    /// The other end broke the protocol.
    Violation = 1,
    /// The two ends share no protocol version.
    Version = 2,
    /// Something is larger, or more, than a limit allows.
    Limit = 3,
    /// A descriptor that the link does not know how to carry.
    Unsupported = 4,
    /// This end ran out of descriptors or memory.
    Resources = 5,
    /// The transport broke without a goodbye.
    Lost = 6,
    /// The owner of the link turned it away, as its policy says.
    Refused = 7,
}

impl ReasonCode {
    /// The code with this number, or `None` for a number this version does not know.
    pub const fn from_number(number: u16) -> Option<ReasonCode> {
        Some(match number {
            0 => ReasonCode::Finished,
            1 => ReasonCode::Violation,
            2 => ReasonCode::Version,
            3 => ReasonCode::Limit,
            4 => ReasonCode::Unsupported,
            5 => ReasonCode::Resources,
            6 => ReasonCode::Lost,
            7 => ReasonCode::Refused,
            _ => return None,
        })
    }

    /// The number on the wire.
    pub const fn number(self) -> u16 {
        self as u16
    }
}

/// Why a stream or a link ended: a code for programs, a text for people.
///
/// The text is bounded and holds no control or invisible formatting characters from the moment
/// it exists, so that a hostile guest can neither forge log lines nor reorder them on screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    code: ReasonCode,
    text: String,
}

impl Reason {
    /// Longest text, in bytes of UTF-8: a line of a log, with room.
    pub const MAX_TEXT: usize = 256;

    /// A reason; the text is cleaned, then cut to [`Self::MAX_TEXT`] bytes.
    pub fn new(code: ReasonCode, text: impl AsRef<str>) -> Reason {
        let mut clean = String::new();
        for character in text.as_ref().chars().filter(|c| is_printable(*c)) {
            if clean.len() + character.len_utf8() > Self::MAX_TEXT {
                break;
            }
            clean.push(character);
        }
        Reason { code, text: clean }
    }

    /// What kind of end it was.
    pub const fn code(&self) -> ReasonCode {
        self.code
    }

    /// What to tell a person.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:?})", self.text, self.code)
    }
}

/// Which end of the link decided that something ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndedBy {
    /// This end, or the app at this end.
    ThisEnd,
    /// The other end; the text of the reason is its own.
    Peer,
}

/// False for Unicode's Cc, and for the Cf, Zl and Zp characters that hide or reorder text
/// (bidi overrides pass `char::is_control`).
fn is_printable(character: char) -> bool {
    !character.is_control()
        && !matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}
