//! How much one domain may have at once, all its programs together. Beyond, the program that asks for
//! more is disconnected, and the domain's others go on.

use hyper_dmabuf::{import, link};
use serde::{Deserialize, Deserializer, Serialize, de::Error};

/// How much one domain may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainLimits {
    /// Programs that are connected.
    pub clients: u32,
    /// Windows.
    pub windows: u32,
    /// Surfaces.
    pub surfaces: u32,
    /// Pools of memory.
    pub pools: u32,
    /// Buffers in those.
    pub buffers: u32,
    /// Buffers that it shares by ID.
    pub ids: u32,
    /// Pages of those, of 4096 bytes.
    pub pages: u32,
    /// Bytes of metadata of one of them.
    pub metadata: u32,
    /// Bytes that are held here for one of its programs that does not take them.
    pub bytes_in_flight: u32,
    /// Messages that one of its programs sends in a second.
    pub messages_per_second: u32,
}

impl Default for DomainLimits {
    /// Windows as Qubes OS allows a domain (guid.conf, `windows_count_limit`); what is shared and
    /// what is in flight as [`import::Limits`] and [`link::Limits`] have it. A busy toolkit sends some
    /// thousands of messages a second.
    fn default() -> DomainLimits {
        let (import, link) = (import::Limits::default(), link::Limits::default());
        DomainLimits {
            clients: link.streams,
            windows: 500,
            surfaces: 16_384,
            pools: 8192,
            buffers: 16_384,
            ids: import.buffers,
            pages: import.pages,
            metadata: import.metadata,
            bytes_in_flight: link.stream_credit,
            messages_per_second: 500_000,
        }
    }
}

impl DomainLimits {
    /// What it may share.
    pub fn import(&self) -> import::Limits {
        import::Limits {
            buffers: self.ids,
            pages: self.pages,
            metadata: self.metadata,
            ..import::Limits::default()
        }
    }

    /// What its links may carry.
    pub fn link(&self) -> link::Limits {
        link::Limits {
            streams: self.clients,
            stream_credit: self.bytes_in_flight,
            ..link::Limits::default()
        }
    }
}

macro_rules! limit_rules {
    ($($name:ident: $least:literal..=$most:literal),* $(,)?) => {
        /// What the configuration says of limits: under `[limits]` for all domains, under
        /// `[domain.limits]` for one.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct LimitRules {
            $($name: Option<Within<$least, $most>>,)*
        }

        impl DomainLimits {
            /// By what is said for all domains and what is said for this one, which goes first.
            pub fn new(all: &LimitRules, this: &LimitRules) -> DomainLimits {
                let mut limits = DomainLimits::default();
                $(if let Some(said) = this.$name.or(all.$name) {
                    limits.$name = said.0;
                })*
                limits
            }
        }
    };
}

limit_rules! {
    clients: 1..=4096,
    windows: 1..=10_000,
    surfaces: 1..=1_000_000,
    pools: 1..=1_000_000,
    buffers: 1..=1_000_000,
    ids: 1..=1000,
    pages: 1..=16_777_216,
    metadata: 0..=192,
    bytes_in_flight: 196_608..=16_777_216,
    messages_per_second: 100..=100_000_000,
}

/// A number within these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Within<const LEAST: u32, const MOST: u32>(u32);

impl<'de, const LEAST: u32, const MOST: u32> Deserialize<'de> for Within<LEAST, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::try_from(i64::deserialize(deserializer)?) {
            Ok(number) if (LEAST..=MOST).contains(&number) => Ok(Within(number)),
            _ => Err(D::Error::custom(format_args!("write a number from {LEAST} to {MOST}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_for_one_domain_goes_first() {
        let read = |text| toml::from_str::<LimitRules>(text).unwrap();
        let limits = DomainLimits::new(&read("ids = 10\npages = 20\n"), &read("ids = 3\n"));
        assert_eq!((limits.ids, limits.pages), (3, 20));
        assert_eq!(limits.windows, DomainLimits::default().windows);
        assert_eq!(limits.import().buffers, 3);
    }

    #[test]
    fn mistakes_say_what_can_be_written() {
        for (text, place) in
            [("ids = 1001\n", "line 1, column 7"), ("\nclients = 0\n", "line 2, column 11")]
        {
            let message = toml::from_str::<LimitRules>(text).unwrap_err().to_string();
            assert!(message.contains(place) && message.contains("from 1 to"), "{message}");
        }
        assert!(toml::from_str::<LimitRules>("wishes = 3\n").is_err());
    }
}
