//! What a domain's programs are offered, as it was configured: by class, then protocol by protocol.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeSeed, Error, MapAccess, Visitor},
};

use super::protocols::{Class, PROTOCOLS, Protocol, protocol};

/// What the configuration says of protocols: under `[protocols]` for all domains, under
/// `[domain.protocols]` for one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProtocolRules {
    classes: BTreeMap<Class, bool>,
    protocols: BTreeMap<&'static str, Offer>,
}

/// How a protocol is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Not at all.
    Not,
    /// In the newest version that there is.
    Whole,
    /// Up to this version, which is older than the newest.
    UpTo(u32),
}

/// What decided how a protocol is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecidedBy {
    /// Its class, as it is when nothing is said.
    Class,
    /// What the configuration says for all domains.
    AllDomains,
    /// What the configuration says for this domain.
    ThisDomain,
}

/// What one domain is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy(Vec<Decision>);

/// What was decided about one protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Which.
    pub protocol: &'static Protocol,
    /// How it is offered.
    pub offer: Offer,
    /// Why.
    pub by: DecidedBy,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy::new(&ProtocolRules::default(), &ProtocolRules::default())
    }
}

impl Policy {
    /// For a domain, by what is said for all and what is said for this one, which goes first.
    pub fn new(all: &ProtocolRules, this: &ProtocolRules) -> Policy {
        let decide = |protocol: &'static Protocol| {
            let usual = match protocol.class {
                Class::Denied => Offer::Not,
                _ => Offer::Whole,
            };
            let said = [(this, DecidedBy::ThisDomain), (all, DecidedBy::AllDomains)];
            let said = said.into_iter().find_map(|(rules, by)| Some((rules.offer(protocol)?, by)));
            let (offer, by) = said.unwrap_or((usual, DecidedBy::Class));
            Decision { protocol, offer, by }
        };
        Policy(PROTOCOLS.iter().map(decide).collect())
    }

    /// How a protocol is offered; one that is not known, not at all.
    pub fn offer(&self, interface: &str) -> Offer {
        let decision = self.0.iter().find(|decision| decision.protocol.interface == interface);
        decision.map_or(Offer::Not, |decision| decision.offer)
    }

    /// All that was decided.
    pub fn decisions(&self) -> &[Decision] {
        &self.0
    }

    /// Older versions that are offered in place of the newest.
    pub fn capped(&self) -> impl Iterator<Item = (&'static str, u32)> {
        self.0.iter().filter_map(|decision| match decision.offer {
            Offer::UpTo(version) => Some((decision.protocol.interface, version)),
            Offer::Not | Offer::Whole => None,
        })
    }
}

impl ProtocolRules {
    fn offer(&self, protocol: &Protocol) -> Option<Offer> {
        let of_class = || match self.classes.get(&protocol.class)? {
            true => Some(Offer::Whole),
            false => Some(Offer::Not),
        };
        self.protocols.get(protocol.interface).copied().or_else(of_class)
    }
}

/// What a line of the configuration is about.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
enum Subject {
    Class(Class),
    Protocol(&'static Protocol),
}

impl TryFrom<String> for Subject {
    type Error = String;

    fn try_from(name: String) -> Result<Subject, String> {
        for class in [Class::Accelerated, Class::Allowed, Class::Virtualised] {
            if name == class.name() {
                return Ok(Subject::Class(class));
            }
        }
        let name: String = name.chars().take(80).collect();
        let Some(protocol) = protocol(&name) else {
            return Err(format!(
                "`{name}` is neither a protocol of this compositor nor one of the classes \
                 accelerated, allowed and virtualised: `hyper-dmabufctl policy` lists all protocols"
            ));
        };
        match protocol.class {
            Class::Denied => Err(format!(
                "`{name}` cannot be offered to a domain: it {}, and is for the display domain's own \
                 programs",
                protocol.why
            )),
            _ => Ok(Subject::Protocol(protocol)),
        }
    }
}

/// What may be said of a protocol: whether it is offered, or up to which version.
struct OfferOf(&'static Protocol);

impl<'de> DeserializeSeed<'de> for OfferOf {
    type Value = Offer;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Offer, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for OfferOf {
    type Value = Offer;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false, or the newest version to offer")
    }

    fn visit_bool<E: Error>(self, offered: bool) -> Result<Offer, E> {
        match offered {
            true => Ok(Offer::Whole),
            false if self.0.class == Class::Required => Err(E::custom(format!(
                "`{}` cannot be kept from a domain: no program shows a window without it",
                self.0.interface
            ))),
            false => Ok(Offer::Not),
        }
    }

    fn visit_i64<E: Error>(self, version: i64) -> Result<Offer, E> {
        let Protocol { interface, version: newest, can_be_capped, .. } = *self.0;
        match u32::try_from(version) {
            Ok(version) if version == newest => Ok(Offer::Whole),
            Ok(version) if can_be_capped && (1..newest).contains(&version) => {
                Ok(Offer::UpTo(version))
            }
            _ if can_be_capped => Err(E::custom(format!(
                "`{interface}` has no version {version} here: write a number from 1 to {newest}, \
                 true, or false"
            ))),
            _ => Err(E::custom(format!(
                "`{interface}` is offered in version {newest} or not at all: write true or false"
            ))),
        }
    }
}

impl<'de> Deserialize<'de> for ProtocolRules {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ProtocolRules, D::Error> {
        struct Lines;
        impl<'de> Visitor<'de> for Lines {
            type Value = ProtocolRules;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("names of protocols and classes, each with true, false or a version")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ProtocolRules, A::Error> {
                let mut rules = ProtocolRules::default();
                while let Some(subject) = map.next_key::<Subject>()? {
                    match subject {
                        Subject::Class(class) => {
                            rules.classes.insert(class, map.next_value()?);
                        }
                        Subject::Protocol(protocol) => {
                            let offer = map.next_value_seed(OfferOf(protocol))?;
                            rules.protocols.insert(protocol.interface, offer);
                        }
                    }
                }
                Ok(rules)
            }
        }
        deserializer.deserialize_map(Lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> ProtocolRules {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn what_is_said_for_one_domain_goes_before_what_is_said_for_all() {
        let all = rules("accelerated = false\nallowed = false\nwp_viewporter = true\n");
        let this = rules("zwp_linux_dmabuf_v1 = true\nwp_presentation = 1\n");
        let policy = Policy::new(&all, &this);
        assert_eq!(policy.offer("zwp_linux_dmabuf_v1"), Offer::Whole);
        assert_eq!(policy.offer("wp_presentation"), Offer::UpTo(1));
        assert_eq!(policy.offer("wp_viewporter"), Offer::Whole);
        assert_eq!(policy.offer("wp_fifo_manager_v1"), Offer::Not);
        assert_eq!(policy.offer("wl_compositor"), Offer::Whole);
        let other = Policy::new(&all, &ProtocolRules::default());
        assert_eq!(other.offer("zwp_linux_dmabuf_v1"), Offer::Not);
        assert_eq!(policy.capped().collect::<Vec<_>>(), [("wp_presentation", 1)]);
    }

    #[test]
    fn what_is_in_no_table_and_what_is_for_local_tools_is_offered_to_nobody() {
        let policy = Policy::new(&rules("allowed = true\nvirtualised = true\n"), &rules(""));
        assert_eq!(policy.offer("zwlr_screencopy_manager_v1"), Offer::Not);
        assert_eq!(policy.offer("wl_of_next_year"), Offer::Not);
    }

    #[test]
    fn mistakes_say_what_can_be_written() {
        for (text, place, said) in [
            ("wl_shm = false\n", "line 1, column 10", "cannot be kept"),
            ("\nzwlr_layer_shell_v1 = true\n", "line 2, column 1", "above windows"),
            ("wl_magic = true\n", "line 1, column 1", "neither a protocol"),
            ("wp_presentation = 7\n", "line 1, column 19", "from 1 to 2"),
            ("zxdg_decoration_manager_v1 = 3\n", "line 1, column 30", "version 1 or not at all"),
            ("wp_viewporter = \"yes\"\n", "line 1, column 17", "true, false"),
        ] {
            let message = toml::from_str::<ProtocolRules>(text).unwrap_err().to_string();
            assert!(message.contains(place) && message.contains(said), "{text:?} gave {message}");
        }
    }
}
