//! The display domain's half of meeting guests: which domains there are, and what they offer.
//!
//! Everything is told by watches: no domain number is too large, and nothing is asked twice. What a
//! guest may write into xenstore is read only for domains that were [admitted](Discovery::admit),
//! is bounded, and is believed in nothing but which of its own pages and ports to use.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, BorrowedFd};

use super::rendezvous::{OFFERS, PORT, RING};
use super::vchan::{Offer, Vchan};
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

/// What happened among the domains.
#[derive(Debug)]
pub enum Discovered {
    /// A domain is there. Its offers are looked at once it is admitted.
    Appeared {
        /// Its number.
        domain: DomainId,
        /// What the toolstack calls it.
        name: String,
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
    domains: BTreeMap<DomainId, Known>,
    asked: BTreeMap<RequestId, Asked>,
    domains_listing: Listing,
}

#[derive(Debug, Default)]
struct Known {
    /// What is being found out about a domain that has not been told of yet.
    named: bool,
    admitted: bool,
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
        Self::over(store, us)
    }

    fn over(mut store: Xenstore, us: DomainId) -> Result<Discovery, DiscoveryError> {
        let mut asked = BTreeMap::new();
        for special in ["@introduceDomain", "@releaseDomain"] {
            asked.insert(store.send_watch(&special.parse()?, DOMAINS)?, Asked::Nothing);
        }
        store.flush()?;
        let (domains, domains_listing) = (BTreeMap::new(), Listing::Idle);
        Ok(Discovery { store, us, domains, asked, domains_listing })
    }

    /// The domain that this process is in.
    pub fn us(&self) -> DomainId {
        self.us
    }

    /// Looks at a domain's offers from now on.
    ///
    /// # Errors
    /// xenstore is gone.
    pub fn admit(&mut self, domain: DomainId) -> Result<(), DiscoveryError> {
        let Some(known) = self.domains.get_mut(&domain) else { return Ok(()) };
        if !std::mem::replace(&mut known.admitted, true) {
            let request = self.store.send_watch(&offers(domain)?, &domain.to_string())?;
            self.asked.insert(request, Asked::Nothing);
            self.store.flush()?;
        }
        Ok(())
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
            let request = self.store.send_remove(&offers(domain)?.join(&offer.0)?)?;
            self.asked.insert(request, Asked::Nothing);
            self.store.flush()?;
        }
        Ok(())
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
                    Some(domain) => self.list_offers(domain),
                    None => Ok(()),
                }
            }
            Incoming::Answer(request, result) => match self.asked.remove(&request) {
                Some(asked) => self.answered(asked, result, discovered),
                None => Ok(()),
            },
        }
    }

    fn list_domains(&mut self) -> Result<(), DiscoveryError> {
        if self.domains_listing.due() {
            let request = self.store.send_directory(&"/local/domain".parse()?)?;
            self.asked.insert(request, Asked::Domains);
        }
        Ok(())
    }

    fn list_offers(&mut self, domain: DomainId) -> Result<(), DiscoveryError> {
        let Some(known) = self.domains.get_mut(&domain) else { return Ok(()) };
        if known.listing.due() {
            let request = self.store.send_directory(&offers(domain)?)?;
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
            Asked::Name(domain) => {
                let Some(known) = self.domains.get_mut(&domain) else { return Ok(()) };
                // One without a name is still being made, and is told of again.
                let Ok(name) = result else {
                    self.domains.remove(&domain);
                    return Ok(());
                };
                if !std::mem::replace(&mut known.named, true) {
                    let name = String::from_utf8_lossy(&name).into_owned();
                    discovered.push(Discovered::Appeared { domain, name });
                }
            }
            Asked::Alive(domain) => {
                let alive = matches!(&result, Ok(answer) if answer.starts_with(b"T"));
                if !alive && self.domains.remove(&domain).is_some_and(|known| known.named) {
                    discovered.push(Discovered::Gone { domain });
                }
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
            if self.domains.remove(&domain).is_some_and(|known| known.named) {
                discovered.push(Discovered::Gone { domain });
            }
            let request = self.store.send_unwatch(&offers(domain)?, &domain.to_string())?;
            self.asked.insert(request, Asked::Nothing);
        }
        for domain in listed {
            if domain == self.us {
                continue;
            }
            let (request, asked) = match self.domains.entry(domain) {
                // A domain that has died keeps its nodes until the toolstack removes them.
                Entry::Occupied(_) => {
                    (self.store.send_is_introduced(domain)?, Asked::Alive(domain))
                }
                Entry::Vacant(vacant) => {
                    vacant.insert(Known::default());
                    let name = StorePath::of_domain(domain).join("name")?;
                    (self.store.send_read(&name)?, Asked::Name(domain))
                }
            };
            self.asked.insert(request, asked);
        }
        Ok(())
    }

    fn offers_listed(&mut self, domain: DomainId, names: &[u8]) -> Result<(), DiscoveryError> {
        let Some(known) = self.domains.get_mut(&domain) else { return Ok(()) };
        let base = offers(domain)?;
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

fn offers(domain: DomainId) -> Result<StorePath, BadPath> {
    StorePath::of_domain(domain).join(OFFERS)
}

#[cfg(test)]
mod tests;
