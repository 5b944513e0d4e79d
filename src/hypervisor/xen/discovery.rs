//! The display domain's half of meeting guests: which domains there are, and what they offer.
//!
//! Everything is told by watches: no domain number is too large, and nothing is asked twice. What a
//! guest may write into xenstore is read only for domains that were [admitted](Discovery::admit),
//! is bounded, and is believed in nothing but which of its own pages and ports to use.
//!
//! xenstore lets domain 0 see everything. Any other display domain sees what it was given to read:
//!
//! | what | who gives it | without it |
//! |---|---|---|
//! | offers to it | each guest | there are none |
//! | which domains there are | the toolstack, if asked to: [`SIGHT`] | only those that were [expected](Discovery::expect) by number are found |
//! | a domain's name | the same | it has none |
//! | which domains live | it shows in their offers' nodes, which the toolstack removes | |

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, BorrowedFd};

use super::foreign::{FULL, has_room};
use super::rendezvous::{PORT, RING, offers};
use super::vchan::{MOST_PAGES, Offer, Vchan};
use super::xenstore::{
    BadPath, CallError, Incoming, OpenError, RequestId, StorePath, Xenstore, number, strings,
};
use crate::domain::DomainId;
use crate::grant::GrantRef;

/// The most offers of one domain that are looked at.
const MOST_OFFERS: usize = 64;
/// The most lines in the log about what one domain offers.
const MOST_COMPLAINTS: u32 = 100;
/// The longest name of an offer.
const LONGEST_NAME: usize = 32;
/// The token of the watches that tell of domains; those of offers have a domain's number.
const DOMAINS: &str = "domains";
/// The node below which domains are listed, for whoever may read it.
pub const SIGHT: &str = "/local/domain";

/// What happened among the domains.
#[derive(Debug)]
pub enum Discovered {
    /// A domain is there. Its offers are looked at once it is admitted.
    Appeared {
        /// Its number.
        domain: DomainId,
        /// What the toolstack calls it; nothing where this domain may not know.
        name: Option<String>,
    },
    /// A program of an admitted domain wants a link.
    Offered {
        /// The domain.
        domain: DomainId,
        /// The node, for [`Discovery::forget_offer`] when the link has ended.
        offer: OfferName,
        /// The link.
        channel: Box<Vchan>,
    },
    /// A domain is not there any more, and will not come back under this number.
    Gone {
        /// Its number until now.
        domain: DomainId,
    },
}

/// Names one offer of a domain.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OfferName(String);

/// Why domains cannot be discovered.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// There is no xenstore.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// xenstore refuses, or is gone.
    #[error(transparent)]
    Store(#[from] CallError),
    /// Never, for the names that are used here.
    #[error(transparent)]
    Path(#[from] BadPath),
}

/// Watches for domains and their offers. Its descriptor is to be watched edge-triggered, for
/// reading and writing; then [`dispatch`](Self::dispatch) is due.
#[derive(Debug)]
pub struct Discovery {
    store: Xenstore,
    us: DomainId,
    /// Whether domains can be listed.
    sees_all: bool,
    /// Those that are found by their number alone.
    expected: BTreeSet<DomainId>,
    /// Those with offers for which there was no room.
    waiting: BTreeSet<DomainId>,
    domains: BTreeMap<DomainId, Known>,
    asked: BTreeMap<RequestId, Asked>,
    domains_listing: Listing,
}

#[derive(Debug, Default)]
struct Known {
    stage: Stage,
    admitted: bool,
    /// Its name may not be read, and the log says so.
    is_nameless: bool,
    offers: BTreeMap<OfferName, State>,
    listing: Listing,
    /// It offers more than is looked at.
    is_over: bool,
    /// What was logged about it; a guest could make it as long as it likes.
    complaints: u32,
}

impl Known {
    /// Logs what a domain did wrong, up to a bound.
    fn complain(&mut self, domain: DomainId, about: &str) {
        if self.complaints < MOST_COMPLAINTS {
            self.complaints += 1;
            tracing::warn!(%domain, "{about}");
        }
    }
}

/// How far a domain's life has been told.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Not yet.
    #[default]
    New,
    Told,
    /// Its end too. Its nodes are still there.
    Gone,
}

/// A list that is asked for at most once at a time.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Listing {
    #[default]
    Idle,
    Asked,
    /// Something changed since.
    Outdated,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Its nodes are being read.
    Reading { ring: Option<u32>, port: Option<u32> },
    /// There is, or was, a link; or it made no sense. Kept until its node is gone.
    Done,
}

#[derive(Debug)]
enum Asked {
    Domains,
    Name(DomainId),
    Alive(DomainId),
    Offers(DomainId),
    Ring(DomainId, OfferName),
    Port(DomainId, OfferName),
    Nothing,
}

impl Discovery {
    /// Begins to watch.
    ///
    /// # Errors
    /// This is no domain of Xen, or this user may not.
    pub fn new() -> Result<Discovery, DiscoveryError> {
        let mut store = Xenstore::open()?;
        let us = store.own_domain()?;
        let sees_all = match store.directory(&SIGHT.parse()?) {
            Ok(_) => true,
            Err(CallError::Refused { .. }) => false,
            Err(error) => return Err(error.into()),
        };
        Self::over(store, us, sees_all)
    }

    fn over(
        mut store: Xenstore,
        us: DomainId,
        sees_all: bool,
    ) -> Result<Discovery, DiscoveryError> {
        // The special ones are for domain 0, and whom the toolstack gave them to. A domain that may
        // list the others is told of them by the list's own node.
        let watched: &[&str] = match (us, sees_all) {
            (DomainId::DISPLAY, _) => &["@introduceDomain", "@releaseDomain"],
            (_, true) => &["@introduceDomain", "@releaseDomain", SIGHT],
            (_, false) => &[],
        };
        let mut asked = BTreeMap::new();
        for path in watched {
            asked.insert(store.send_watch(&path.parse()?, DOMAINS)?, Asked::Nothing);
        }
        store.flush()?;
        let (domains, expected, waiting) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        let domains_listing = Listing::Idle;
        Ok(Discovery { store, us, sees_all, expected, waiting, domains, asked, domains_listing })
    }

    /// The domain that this process is in.
    pub fn us(&self) -> DomainId {
        self.us
    }

    /// Whether domains are found that nobody [expects](Self::expect), by their names.
    pub fn sees_all(&self) -> bool {
        self.sees_all
    }

    /// Whether deaths are told to this domain by xenstore itself. Elsewhere they show only in what
    /// happens to a guest's nodes, and who is told of that the guest has a hand in as long as it
    /// lives: there, [`check`] is to be called from time to time.
    ///
    /// [`check`]: Self::check
    pub fn is_told_of_deaths(&self) -> bool {
        self.us == DomainId::DISPLAY
    }

    /// Finds this domain whether its name can be read or not, as soon as it is there.
    ///
    /// # Errors
    /// xenstore is gone.
    pub fn expect(&mut self, domain: DomainId) -> Result<(), DiscoveryError> {
        // In domain 0 it is listed as all others are.
        if self.us != DomainId::DISPLAY && domain != self.us && self.expected.insert(domain) {
            self.watch_offers(domain)?;
            self.store.flush()?;
        }
        Ok(())
    }

    /// Asks whether the domains that were told of are still there, and those that are expected.
    ///
    /// # Errors
    /// xenstore is gone.
    pub fn check(&mut self) -> Result<(), DiscoveryError> {
        // What was asked the last time is not answered: xenstore is busy.
        if self.asked.values().any(|asked| matches!(asked, Asked::Alive(_))) {
            return Ok(());
        }
        for domain in self.expected.clone() {
            self.ask_whether_alive(domain)?;
        }
        if self.sees_all {
            self.list_domains()?;
        }
        Ok(self.store.flush()?)
    }

    /// Only domain 0 may ask that. Elsewhere a guest is there as long as its offers' node is: if it
    /// removes that itself, it is gone as far as it concerns us.
    fn ask_whether_alive(&mut self, domain: DomainId) -> Result<(), DiscoveryError> {
        let request = if self.is_told_of_deaths() {
            self.store.send_is_introduced(domain)?
        } else {
            self.store.send_directory(&offers(domain, self.us)?)?
        };
        self.asked.insert(request, Asked::Alive(domain));
        Ok(())
    }

    fn watch_offers(&mut self, domain: DomainId) -> Result<(), DiscoveryError> {
        let node = offers(domain, self.us)?;
        let request = self.store.send_watch(&node, &domain.to_string())?;
        self.asked.insert(request, Asked::Nothing);
        Ok(())
    }

    fn unwatch_offers(&mut self, domain: DomainId) -> Result<(), DiscoveryError> {
        let node = offers(domain, self.us)?;
        let request = self.store.send_unwatch(&node, &domain.to_string())?;
        self.asked.insert(request, Asked::Nothing);
        Ok(())
    }

    /// Looks at a domain's offers from now on.
    ///
    /// # Errors
    /// xenstore is gone.
    pub fn admit(&mut self, domain: DomainId) -> Result<(), DiscoveryError> {
        let Some(known) = self.domains.get_mut(&domain) else { return Ok(()) };
        if std::mem::replace(&mut known.admitted, true) {
            return Ok(());
        }
        if self.expected.contains(&domain) {
            // Watched already, and what was there was passed over.
            self.list_offers(domain)?;
        } else {
            self.watch_offers(domain)?;
        }
        Ok(self.store.flush()?)
    }

    /// The link of an offer has ended, or there will be none: its node goes, if its program has not removed it.
    ///
    /// # Errors
    /// xenstore is gone.
    pub fn forget_offer(
        &mut self,
        domain: DomainId,
        offer: &OfferName,
    ) -> Result<(), DiscoveryError> {
        if self.domains.contains_key(&domain) {
            let request = self.store.send_remove(&offers(domain, self.us)?.join(&offer.0)?)?;
            self.asked.insert(request, Asked::Nothing);
            self.store.flush()?;
        }
        Ok(())
    }

    /// Something has ended: looks again at offers for which there was no room.
    ///
    /// # Errors
    /// xenstore is gone.
    pub fn look_again(&mut self) -> Result<(), DiscoveryError> {
        for waiting in std::mem::take(&mut self.waiting) {
            self.list_offers(waiting)?;
        }
        Ok(self.store.flush()?)
    }

    /// Takes what has come, without waiting.
    ///
    /// # Errors
    /// xenstore is gone.
    pub fn dispatch(&mut self) -> Result<Vec<Discovered>, DiscoveryError> {
        let mut discovered = Vec::new();
        loop {
            self.store.dispatch()?;
            let Some(first) = self.store.next_incoming() else { return Ok(discovered) };
            let mut next = Some(first);
            while let Some(incoming) = next {
                self.take(incoming, &mut discovered)?;
                next = self.store.next_incoming();
            }
        }
    }

    fn take(
        &mut self,
        incoming: Incoming,
        discovered: &mut Vec<Discovered>,
    ) -> Result<(), DiscoveryError> {
        match incoming {
            Incoming::Event(event) if event.token == DOMAINS => self.list_domains(),
            Incoming::Event(event) => {
                match number(event.token.as_bytes()).and_then(DomainId::new) {
                    Some(domain) => self.something_happened(domain),
                    None => Ok(()),
                }
            }
            Incoming::Answer(request, result) => match self.asked.remove(&request) {
                Some(asked) => self.answered(asked, result, discovered),
                None => Ok(()),
            },
        }
    }

    /// At a domain's offers: one more, or one less, or all its nodes are gone and it with them.
    fn something_happened(&mut self, domain: DomainId) -> Result<(), DiscoveryError> {
        // Once at a time, since a guest makes as much happen as it likes.
        let is_asked = |asked: &Asked| matches!(asked, Asked::Alive(other) if *other == domain);
        if self.expected.contains(&domain) && !self.asked.values().any(is_asked) {
            self.ask_whether_alive(domain)?;
        }
        self.list_offers(domain)
    }

    fn list_domains(&mut self) -> Result<(), DiscoveryError> {
        if self.domains_listing.due() {
            let request = self.store.send_directory(&SIGHT.parse()?)?;
            self.asked.insert(request, Asked::Domains);
        }
        Ok(())
    }

    fn list_offers(&mut self, domain: DomainId) -> Result<(), DiscoveryError> {
        let Some(known) = self.domains.get_mut(&domain) else { return Ok(()) };
        if known.admitted && known.stage == Stage::Told && known.listing.due() {
            let request = self.store.send_directory(&offers(domain, self.us)?)?;
            self.asked.insert(request, Asked::Offers(domain));
        }
        Ok(())
    }

    fn answered(
        &mut self,
        asked: Asked,
        result: Result<Vec<u8>, String>,
        discovered: &mut Vec<Discovered>,
    ) -> Result<(), DiscoveryError> {
        match asked {
            Asked::Domains => {
                if let Ok(names) = &result {
                    self.domains_listed(names, discovered)?;
                }
                if self.domains_listing.answered() {
                    self.list_domains()?;
                }
            }
            Asked::Name(domain) => self.named(domain, result, discovered),
            Asked::Alive(domain) => {
                // Busy, or over a quota for a moment, says nothing about the guest.
                if let Err(error) = &result
                    && !["ENOENT", "EACCES"].contains(&&**error)
                {
                    tracing::debug!(%domain, %error, "xenstored does not say whether a domain lives");
                    return Ok(());
                }
                let is_listed = !self.is_told_of_deaths();
                let is_alive =
                    matches!(&result, Ok(answer) if is_listed || answer.starts_with(b"T"));
                self.lives(domain, is_alive, discovered)?;
            }
            Asked::Offers(domain) => {
                self.offers_listed(domain, &result.unwrap_or_default())?;
                let known = self.domains.get_mut(&domain);
                if known.is_some_and(|known| known.listing.answered()) {
                    self.list_offers(domain)?;
                }
            }
            Asked::Ring(domain, name) => {
                self.node_read(domain, name, true, result, discovered)?;
            }
            Asked::Port(domain, name) => {
                self.node_read(domain, name, false, result, discovered)?;
            }
            Asked::Nothing => {}
        }
        Ok(())
    }

    fn named(
        &mut self,
        domain: DomainId,
        result: Result<Vec<u8>, String>,
        discovered: &mut Vec<Discovered>,
    ) {
        let Some(known) = self.domains.get_mut(&domain) else { return };
        match result {
            Ok(name) if known.stage == Stage::New => {
                known.stage = Stage::Told;
                let name = Some(String::from_utf8_lossy(&name).into_owned());
                discovered.push(Discovered::Appeared { domain, name });
            }
            Ok(_) => {}
            // Asked again when something happens there, giving the permission for example.
            Err(error) if error == "EACCES" => {
                if !std::mem::replace(&mut known.is_nameless, true) {
                    let us = self.us;
                    tracing::warn!(
                        "domain {domain} is not shown, because this one, {us}, may not read its name: \
                         in domain 0, run xenstore-chmod {SIGHT}/{domain}/name n0 r{domain} r{us}"
                    );
                }
            }
            // One without a name is still being made, and is told of again.
            Err(_) => drop(self.domains.remove(&domain)),
        }
    }

    /// Whether a domain is alive has been told.
    fn lives(
        &mut self,
        domain: DomainId,
        is_alive: bool,
        discovered: &mut Vec<Discovered>,
    ) -> Result<(), DiscoveryError> {
        let is_expected = self.expected.contains(&domain);
        let stage = self.domains.get(&domain).map(|known| known.stage);
        match (is_alive, stage) {
            (true, None | Some(Stage::Gone)) if is_expected => {
                let known = Known { stage: Stage::Told, ..Known::default() };
                self.domains.insert(domain, known);
                discovered.push(Discovered::Appeared { domain, name: None });
            }
            // The number is another domain's now.
            (true, Some(Stage::Gone)) => self.ask_name(domain)?,
            (false, Some(Stage::Told)) => {
                let gone = Known { stage: Stage::Gone, ..Known::default() };
                self.domains.insert(domain, gone);
                discovered.push(Discovered::Gone { domain });
                if !is_expected {
                    self.unwatch_offers(domain)?;
                }
            }
            (true, None | Some(Stage::New | Stage::Told)) | (false, _) => {}
        }
        Ok(())
    }

    fn ask_name(&mut self, domain: DomainId) -> Result<(), DiscoveryError> {
        let is_nameless = self.domains.get(&domain).is_some_and(|known| known.is_nameless);
        self.domains.insert(domain, Known { is_nameless, ..Known::default() });
        let name = StorePath::of_domain(domain).join("name")?;
        self.asked.insert(self.store.send_read(&name)?, Asked::Name(domain));
        Ok(())
    }

    fn domains_listed(
        &mut self,
        names: &[u8],
        discovered: &mut Vec<Discovered>,
    ) -> Result<(), DiscoveryError> {
        let names = strings(names);
        let listed: BTreeSet<DomainId> = names
            .iter()
            .filter_map(|name| number(name.as_bytes()).and_then(DomainId::new))
            .collect();
        let gone: Vec<DomainId> =
            self.domains.keys().copied().filter(|domain| !listed.contains(domain)).collect();
        for domain in gone {
            // What is expected is not told of by the list.
            if self.expected.contains(&domain) {
                continue;
            }
            let known = self.domains.remove(&domain);
            if known.is_some_and(|known| known.stage == Stage::Told) {
                discovered.push(Discovered::Gone { domain });
                self.unwatch_offers(domain)?;
            }
        }
        for domain in listed {
            if domain == self.us || self.expected.contains(&domain) {
                continue;
            }
            match self.domains.get(&domain).map(|known| known.stage) {
                // A domain that has died keeps its nodes until the toolstack removes them.
                Some(_) if self.is_told_of_deaths() => self.ask_whether_alive(domain)?,
                // Its name may be there now, or this domain be let to know it.
                None | Some(Stage::New) => self.ask_name(domain)?,
                Some(Stage::Told | Stage::Gone) => {}
            }
        }
        Ok(())
    }

    fn offers_listed(&mut self, domain: DomainId, names: &[u8]) -> Result<(), DiscoveryError> {
        let Some(known) = self.domains.get_mut(&domain) else { return Ok(()) };
        let base = offers(domain, self.us)?;
        let listed: BTreeSet<OfferName> = strings(names)
            .into_iter()
            .filter(|name| name.len() <= LONGEST_NAME && base.join(name).is_ok())
            .map(OfferName)
            .collect();
        known.offers.retain(|name, _| listed.contains(name));
        for name in listed {
            if known.offers.contains_key(&name) {
                continue;
            }
            if known.offers.len() >= MOST_OFFERS {
                if !known.is_over {
                    known.complain(domain, "a domain offers too many links: ignored the rest");
                }
                known.is_over = true;
                return Ok(());
            }
            let node = base.join(&name.0)?;
            let ring = self.store.send_read(&node.join(RING)?)?;
            let port = self.store.send_read(&node.join(PORT)?)?;
            self.asked.insert(ring, Asked::Ring(domain, name.clone()));
            self.asked.insert(port, Asked::Port(domain, name.clone()));
            known.offers.insert(name, State::Reading { ring: None, port: None });
        }
        known.is_over = false;
        Ok(())
    }

    fn node_read(
        &mut self,
        domain: DomainId,
        name: OfferName,
        is_ring: bool,
        result: Result<Vec<u8>, String>,
        discovered: &mut Vec<Discovered>,
    ) -> Result<(), DiscoveryError> {
        let Some(known) = self.domains.get_mut(&domain) else { return Ok(()) };
        let Some(state) = known.offers.get_mut(&name) else { return Ok(()) };
        let State::Reading { ring, port } = state else { return Ok(()) };
        let Ok(value) = result else {
            // Half written: the other half comes with an event of its own.
            known.offers.remove(&name);
            return Ok(());
        };
        let Some(value) = number(&value) else {
            *state = State::Done;
            known.complain(domain, &format!("offer {} is no number: ignored", name.0));
            return self.forget_offer(domain, &name);
        };
        *(if is_ring { &mut *ring } else { &mut *port }) = Some(value);
        let (Some(ring), Some(port)) = (*ring, *port) else { return Ok(()) };
        *state = State::Done;
        match Vchan::connect(domain, Offer { ring: GrantRef(ring), port }) {
            Ok(channel) => {
                let channel = Box::new(channel);
                discovered.push(Discovered::Offered { domain, offer: name, channel });
            }
            // Not this offer's fault. It waits until something else has ended.
            Err(error) if error.may_be_ours() && !has_room(self.us, MOST_PAGES) => {
                known.complain(domain, &format!("offer {} has to wait: cannot {FULL}", name.0));
                known.offers.remove(&name);
                self.waiting.insert(domain);
            }
            Err(error) => {
                known.complain(domain, &format!("offer {} is refused: {error}", name.0));
                // Most likely its program was killed while there was nobody here to see it. It must
                // not count against those that live.
                self.forget_offer(domain, &name)?;
            }
        }
        Ok(())
    }
}

impl Listing {
    /// Something changed: whether the list is to be asked for now.
    fn due(&mut self) -> bool {
        let is_idle = *self == Listing::Idle;
        *self = if is_idle { Listing::Asked } else { Listing::Outdated };
        is_idle
    }

    /// The list came: whether it is to be asked for again.
    fn answered(&mut self) -> bool {
        std::mem::take(self) == Listing::Outdated
    }
}

impl AsFd for Discovery {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.store.as_fd()
    }
}

#[cfg(test)]
mod tests;
