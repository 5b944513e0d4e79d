//! What was copied: one representation of it, checked, and wiped from memory when it goes.

use std::fmt;

use zeroize::Zeroizing;

use crate::config::MimeType;

/// What was copied. Its bytes are never shown nor logged.
pub(super) struct Contents {
    kind: MimeType,
    bytes: Zeroizing<Vec<u8>>,
}

/// Why bytes are not contents.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    /// There are none.
    #[error("its program handed over nothing")]
    Empty,
    /// They are said to be text.
    #[error("what its program handed over as text is not text in UTF-8")]
    NotText,
}

impl Contents {
    /// Bytes that a program handed over as content of this kind. But for what it says to be text they
    /// are taken as they are.
    pub(super) fn new(kind: MimeType, mut bytes: Zeroizing<Vec<u8>>) -> Result<Contents, Unfit> {
        if kind.is_text() {
            // Some programs end a text as C does.
            let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            bytes.truncate(end);
            if bytes.contains(&0) || std::str::from_utf8(&bytes).is_err() {
                return Err(Unfit::NotText);
            }
        }
        if bytes.is_empty() { Err(Unfit::Empty) } else { Ok(Contents { kind, bytes }) }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The names by which it is offered, of those that are allowed: all of plain text, since programs
    /// look for one or another.
    pub(super) fn names<'a>(&'a self, allowed: &'a [MimeType]) -> impl Iterator<Item = &'a str> {
        let same = |name: &&MimeType| {
            **name == self.kind || (name.is_plain_text() && self.kind.is_plain_text())
        };
        allowed.iter().filter(same).map(MimeType::as_str)
    }
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.kind.is_plain_text() { "text" } else { self.kind.as_str() };
        let count = self.bytes.len();
        write!(f, "{kind}, {count} {}", if count == 1 { "byte" } else { "bytes" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(kind: &str, bytes: &[u8]) -> Result<Contents, Unfit> {
        Contents::new(kind.to_owned().try_into().unwrap(), Zeroizing::new(bytes.to_vec()))
    }

    #[test]
    fn text_is_text_and_the_rest_is_as_it_is() {
        assert_eq!(
            contents("text/plain", "Größe\0".as_bytes()).unwrap().bytes(),
            "Größe".as_bytes()
        );
        for wrong in [&b"\xff\xfe"[..], b"a\0b"] {
            assert!(matches!(contents("UTF8_STRING", wrong), Err(Unfit::NotText)));
            assert!(matches!(contents("text/html", wrong), Err(Unfit::NotText)));
            assert_eq!(contents("image/png", wrong).unwrap().bytes(), wrong);
        }
        assert!(matches!(contents("text/plain", b"\0"), Err(Unfit::Empty)));
        assert!(matches!(contents("image/png", b""), Err(Unfit::Empty)));
    }

    #[test]
    fn plain_text_has_all_of_its_names_that_are_allowed() {
        let names = ["image/png", "UTF8_STRING", "text/html", "text/plain"];
        let allowed = names.map(|name| MimeType::try_from(name.to_owned()).unwrap());
        let text = contents("text/plain;charset=utf-8", b"a").unwrap();
        assert!(text.names(&allowed).eq(["UTF8_STRING", "text/plain"]));
        let html = contents("text/html", b"a").unwrap();
        assert!(html.names(&allowed).eq(["text/html"]));
        assert_eq!(
            (text.to_string(), html.to_string()),
            ("text, 1 byte".into(), "text/html, 1 byte".into())
        );
    }
}
