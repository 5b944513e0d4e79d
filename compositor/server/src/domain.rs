//! The domains whose windows are shown: who they are, and what is known of each.

use std::{
    fmt,
    path::PathBuf,
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hyper_dmabuf::domain::DomainId;
use serde::{Deserialize, Serialize};

use crate::{
    colour::Colour,
    config::{Config, DomainConfig, InputTiming},
    guests::Turn,
    trust::{
        account::Account,
        consent::{Consent, Unasked},
        limits::{DomainLimits, LimitRules},
        policy::{Offer, Policy, ProtocolRules},
    },
};

/// A domain as everything in the compositor knows it. Its name and colour come from the display
/// domain's own configuration, never from the guest.
#[derive(Debug)]
pub struct Domain {
    /// Its number, as the hypervisor tells it.
    pub id: DomainId,
    /// Its name, shown first on every frame.
    pub name: String,
    /// What its programs have.
    pub account: Account,
    /// What is handled of it in one turn of the event loop.
    pub(crate) turn: Turn,
    /// Whoever holds the domain sees a change of the configuration.
    settings: Mutex<DomainSettings>,
}

/// What can be set of a domain while its programs are connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainSettings {
    /// The colour of its frames.
    pub colour: Colour,
    /// Whether copies of its pages are shown, taken at each commit, of what it shares from now on.
    pub staged: bool,
    /// What its programs are offered, when they connect or bind it.
    pub policy: Arc<Policy>,
    /// What its windows have without a person's consent.
    pub unasked: Unasked,
    /// How much it may have.
    pub limits: DomainLimits,
    /// The times of what it hears of input are multiples of this many milliseconds.
    pub input_timing: InputTiming,
    /// Its popups may lie over frames of other domains.
    pub popups_over_frames: bool,
}

impl Domain {
    /// A domain.
    pub fn new(id: DomainId, name: String, settings: DomainSettings) -> Domain {
        let (account, turn) = (Account::default(), Turn::new());
        Domain { id, name, account, turn, settings: Mutex::new(settings) }
    }

    /// How it is set now.
    pub fn settings(&self) -> DomainSettings {
        self.lock().clone()
    }

    /// The colour of its frames.
    pub fn colour(&self) -> Colour {
        self.lock().colour
    }

    /// Whether copies of its pages are shown.
    pub fn is_staged(&self) -> bool {
        self.lock().staged
    }

    /// How much it may have.
    pub fn limits(&self) -> DomainLimits {
        self.lock().limits
    }

    /// How exactly it is told when input happened.
    pub fn input_timing(&self) -> InputTiming {
        self.lock().input_timing
    }

    /// Whether its popups may lie over frames of other domains.
    pub fn popups_over_frames(&self) -> bool {
        self.lock().popups_over_frames
    }

    /// Whether its windows have this without a person's consent.
    pub fn has_unasked(&self, what: Consent) -> bool {
        self.lock().unasked.contains(what)
    }

    /// How a protocol is offered to it.
    pub fn offer(&self, interface: &str) -> Offer {
        self.lock().policy.offer(interface)
    }

    /// Set it differently from now on.
    pub fn set(&self, settings: DomainSettings) {
        *self.lock() = settings;
    }

    fn lock(&self) -> MutexGuard<'_, DomainSettings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DomainSettings {
    /// Of a domain that is configured.
    pub fn configured(all: &Config, this: &DomainConfig) -> DomainSettings {
        DomainSettings {
            colour: this.colour,
            staged: this.staged,
            policy: Arc::new(Policy::new(&all.protocols, &this.protocols)),
            unasked: this.unasked,
            limits: DomainLimits::new(&all.limits, &this.limits),
            input_timing: this.input_timing,
            popups_over_frames: this.popups_over_frames,
        }
    }

    /// Of one of which nothing is said, with this colour.
    pub fn of_another(all: &Config, colour: Colour) -> DomainSettings {
        let policy = Policy::new(&all.protocols, &ProtocolRules::default());
        let limits = DomainLimits::new(&all.limits, &LimitRules::default());
        let (policy, unasked) = (Arc::new(policy), Unasked::default());
        let input_timing = InputTiming::default();
        DomainSettings {
            colour,
            staged: false,
            policy,
            unasked,
            limits,
            input_timing,
            popups_over_frames: false,
        }
    }
}

/// However it is set, it is the same domain.
impl PartialEq for Domain {
    fn eq(&self, other: &Domain) -> bool {
        self.id == other.id && self.name == other.name
    }
}

impl Eq for Domain {}

/// Where a domain is reached. Written `shm:PATH`, `xen:NUMBER` or `xen:NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DomainAddress {
    /// On this machine without a hypervisor: the socket at which the domain is awaited.
    Shm(PathBuf),
    /// On Xen.
    Xen(XenDomain),
}

/// How a domain of Xen is told from the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum XenDomain {
    /// By its number, which it has until it is destroyed.
    Number(DomainId),
    /// By the name that the toolstack gave it, whatever number it has today.
    Name(String),
}

/// Which domains are shown that nobody configured one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnyDomain {
    /// All domains of Xen, by the names that the toolstack gave them.
    Xen,
}

/// The text is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an address of a domain: write \"shm:\" and the path of a socket, for example \"shm:/run/work.sock\", or \"xen:\" and the number or name of a domain, for example \"xen:work\""
)]
pub struct AddressError(String);

impl FromStr for DomainAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<DomainAddress, AddressError> {
        let wrong = || AddressError(text.to_owned());
        match text.split_once(':') {
            Some(("shm", path)) if !path.is_empty() => Ok(DomainAddress::Shm(PathBuf::from(path))),
            // What looks like a number is one: 0 and those that Xen reserves are nobody's.
            Some(("xen", number)) if number.bytes().all(|b| b.is_ascii_digit()) => {
                let domain = number.parse().ok().and_then(DomainId::new).ok_or_else(wrong)?;
                Ok(DomainAddress::Xen(XenDomain::Number(domain)))
            }
            Some(("xen", name)) if !name.contains(char::is_whitespace) => {
                Ok(DomainAddress::Xen(XenDomain::Name(name.to_owned())))
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for DomainAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DomainAddress::Shm(path) => write!(f, "shm:{}", path.display()),
            DomainAddress::Xen(XenDomain::Number(number)) => write!(f, "xen:{number}"),
            DomainAddress::Xen(XenDomain::Name(name)) => write!(f, "xen:{name}"),
        }
    }
}

impl<'de> Deserialize<'de> for DomainAddress {
    fn deserialize<D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<DomainAddress, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// How the link to a domain stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// Nothing has come from the domain yet.
    #[default]
    Waiting,
    /// The link is up.
    Connected,
    /// The link was up and is gone.
    Gone,
}

/// A domain and how the link to it stands.
#[derive(Clone, Debug)]
pub struct KnownDomain {
    /// Who it is.
    pub domain: Arc<Domain>,
    /// Where it is reached; `None` for one that was added by a program, not by the configuration.
    pub address: Option<DomainAddress>,
    /// How the link stands.
    pub link: LinkState,
}

/// All domains that the compositor shows.
#[derive(Debug, Default)]
pub struct Domains {
    known: Vec<KnownDomain>,
    /// How many were numbered here.
    numbered: u16,
}

impl Domains {
    /// The configured domains that need no hypervisor. Those of Xen become known when they are there,
    /// with the number that they have then.
    pub fn from_config(config: &Config) -> Domains {
        let mut domains = Domains::default();
        let without_hypervisor = config
            .domains
            .iter()
            .filter(|config| !matches!(config.address, Some(DomainAddress::Xen(_))));
        for this in without_hypervisor {
            domains.add(this, DomainSettings::configured(config, this));
        }
        domains
    }

    /// Make a domain known that needs no hypervisor, with a number that none had before: the socket a
    /// domain comes by is its identity, and the number only names it. `None` if no number is left.
    pub fn add(&mut self, config: &DomainConfig, settings: DomainSettings) -> Option<&KnownDomain> {
        let id = DomainId::new(self.numbered.checked_add(1)?)?;
        self.numbered = id.number();
        let domain = Domain::new(id, config.name.to_string(), settings);
        let address = config.address.clone();
        self.known.push(KnownDomain {
            domain: Arc::new(domain),
            address,
            link: LinkState::Waiting,
        });
        self.known.last()
    }

    /// Make a domain known, or replace what is known of the one with its number.
    pub fn insert(&mut self, known: KnownDomain) {
        match self.known.iter_mut().find(|other| other.domain.id == known.domain.id) {
            Some(other) => *other = known,
            None => self.known.push(known),
        }
    }

    /// Forget a domain that is not there any more.
    pub fn remove(&mut self, id: DomainId) {
        self.known.retain(|known| known.domain.id != id);
    }

    /// Say how the link to a domain stands. Does nothing for a domain that is not known.
    pub fn set_link(&mut self, id: DomainId, link: LinkState) {
        if let Some(known) = self.known.iter_mut().find(|known| known.domain.id == id) {
            known.link = link;
        }
    }

    /// The domain with this name.
    pub fn by_name(&self, name: &str) -> Option<&KnownDomain> {
        self.known.iter().find(|known| known.domain.name == name)
    }

    /// All of them, in the order in which they became known.
    pub fn iter(&self) -> impl Iterator<Item = &KnownDomain> {
        self.known.iter()
    }
}
