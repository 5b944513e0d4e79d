//! Names in the tree.

use std::fmt;
use std::str::FromStr;

use crate::domain::DomainId;

/// The longest absolute name (`XENSTORE_ABS_PATH_MAX`), and the longest relative one.
const LONGEST: (usize, usize) = (3072, 2048);

/// A name that xenstore takes: absolute, below the domain's own node, or special (`@…`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StorePath(String);

/// The text is no name in xenstore.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no name in xenstore: letters, digits, - _ @ and single slashes between them")]
pub struct BadPath(String);

impl StorePath {
    /// The node of a domain.
    pub fn of_domain(domain: DomainId) -> StorePath {
        StorePath(format!("/local/domain/{domain}"))
    }

    /// The node `name` below this one.
    ///
    /// # Errors
    /// `name` is no name.
    pub fn join(&self, name: &str) -> Result<StorePath, BadPath> {
        format!("{}/{name}", self.0).parse()
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

impl FromStr for StorePath {
    type Err = BadPath;

    fn from_str(text: &str) -> Result<StorePath, BadPath> {
        let longest = if text.starts_with('/') { LONGEST.0 } else { LONGEST.1 };
        let parts = text.strip_prefix('/').unwrap_or(text);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_@".contains(&byte);
        let good = text.len() < longest
            && parts.split('/').all(|part| !part.is_empty() && part.bytes().all(plain));
        if good { Ok(StorePath(text.to_owned())) } else { Err(BadPath(text.to_owned())) }
    }
}

impl fmt::Display for StorePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_xenstore_are_names() {
        for good in ["/local/domain/0", "data/a-b_c", "@introduceDomain", "domid"] {
            assert_eq!(good.parse::<StorePath>().unwrap().as_str(), good);
        }
        let long = format!("/{}", "a".repeat(3072));
        for bad in ["", "/", "//a", "/a/", "a//b", "a b", "a\0", "ä", "../../x\n", &long] {
            assert!(bad.parse::<StorePath>().is_err(), "{bad:?}");
        }
        let node = StorePath::of_domain(DomainId::DISPLAY);
        assert_eq!(node.join("data/x").unwrap().as_str(), "/local/domain/0/data/x");
        assert_eq!(node.join("data/x").unwrap().name(), "x");
        assert!(node.join("").is_err());
    }
}
