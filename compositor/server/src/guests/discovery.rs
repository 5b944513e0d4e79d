//! Domains of Xen: which of them are shown, and what they offer.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
    time::Duration,
};

use hyper_dmabuf::{
    domain::DomainId,
    hypervisor::xen::{self, Discovery, DiscoveryError, ForeignDomain},
};
use smithay::reexports::calloop::{
    Interest, Mode, PostAction,
    generic::Generic,
    timer::{TimeoutAction, Timer},
};

use super::{arrival::MOST_CONNECTIONS, links::Connection};
use crate::{
    config::{self, DomainName},
    domain::{Domain, DomainAddress, DomainSettings, KnownDomain, LinkState, XenDomain},
    state::State,
};

pub(super) use xen::OfferName;

/// How often a display domain that is not told of deaths asks whether the others are alive.
const CHECK: Duration = Duration::from_secs(1);

/// The hypervisor's domains, as far as they were looked for.
#[derive(Debug)]
pub(super) struct Discovered(pub(super) Discovery);

/// Why domains cannot be looked for.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// No xenstore.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// The descriptor cannot be watched.
    #[error("xenstore cannot be watched: {0}")]
    Watch(#[from] io::Error),
    /// Names were asked for, and this domain may not know them.
    #[error(
        "this is domain {us}, which may not list the other domains, and so cannot show {wanted}: give \
         their numbers (--domain NAME=xen:NUMBER), or in domain 0 run `xenstore-chmod {sight} n0 r{us}` \
         and, for each domain N that is to be shown, `xenstore-chmod {sight}/N/name n0 rN r{us}`"
    )]
    NamesHidden {
        /// This domain.
        us: DomainId,
        /// What cannot be found.
        wanted: String,
        /// What is to be readable.
        sight: &'static str,
    },
}

impl State {
    /// Look for domains, if any of Xen are to be shown.
    pub(super) fn discover_domains(&mut self) -> Result<(), BeginError> {
        let of_xen =
            |address: &Option<DomainAddress>| matches!(address, Some(DomainAddress::Xen(_)));
        let wanted = self.config.domains.iter().any(|domain| of_xen(&domain.address));
        if !wanted && self.config.any_domain.is_none() {
            return Ok(());
        }
        let mut discovery = Discovery::new()?;
        let us = discovery.us();
        if let Some(wanted) = self.known_by_name().filter(|_| !discovery.sees_all()) {
            return Err(BeginError::NamesHidden { us, wanted, sight: xen::SIGHT });
        }
        for domain in &self.config.domains {
            if let Some(DomainAddress::Xen(XenDomain::Number(number))) = domain.address {
                discovery.expect(number)?;
            }
        }
        self.protocols.hyper_dmabuf.set_domain(us);
        if !discovery.is_told_of_deaths() {
            self.check_domains_regularly()?;
        }
        let watched: OwnedFd = discovery.as_fd().try_clone_to_owned()?;
        self.guests.discovery = Some(Discovered(discovery));
        // Edge-triggered: `dispatch` reads and writes all that it can.
        let source = Generic::new(watched, Interest::BOTH, Mode::Edge);
        self.loop_handle
            .insert_source(source, |_, _, state| Ok(state.look_at_domains()))
            .map_err(|error| io::Error::other(error.to_string()))?;
        tracing::info!(%us, "looking for domains of Xen");
        self.look_at_domains();
        Ok(())
    }

    /// What is configured by the toolstack's names, for an error.
    fn known_by_name(&self) -> Option<String> {
        let named = self.config.domains.iter().find_map(|domain| match &domain.address {
            Some(address @ DomainAddress::Xen(XenDomain::Name(_))) => Some(address.to_string()),
            _ => None,
        });
        named.or_else(|| self.config.any_domain.map(|_| "*=xen".to_owned()))
    }

    /// What may be read is also the guest's to say as long as it lives, and so which watches tell.
    fn check_domains_regularly(&mut self) -> Result<(), BeginError> {
        let timer = Timer::from_duration(CHECK);
        let checked = self.loop_handle.insert_source(timer, |_, (), state| {
            let Some(Discovered(discovery)) = &mut state.guests.discovery else {
                return TimeoutAction::Drop;
            };
            if let Err(error) = discovery.check() {
                state.discovery_failed(&error);
                return TimeoutAction::Drop;
            }
            TimeoutAction::ToDuration(CHECK)
        });
        Ok(checked.map(drop).map_err(|error| io::Error::other(error.to_string()))?)
    }

    fn look_at_domains(&mut self) -> PostAction {
        let Some(Discovered(discovery)) = &mut self.guests.discovery else {
            return PostAction::Remove;
        };
        match discovery.dispatch() {
            Ok(events) => {
                events.into_iter().for_each(|event| self.discovered(event));
                PostAction::Continue
            }
            Err(error) => {
                self.discovery_failed(&error);
                PostAction::Remove
            }
        }
    }

    /// What is connected stays so.
    fn discovery_failed(&mut self, error: &DiscoveryError) {
        tracing::error!(%error, "no more domains will be found, and ends of domains not be seen");
        self.guests.discovery = None;
    }

    fn discovered(&mut self, event: xen::Discovered) {
        match event {
            xen::Discovered::Appeared { domain, name } => {
                self.guests.present.insert(domain, name.clone());
                self.domain_appeared(domain, name.as_deref());
            }
            xen::Discovered::Offered { domain, offer, channel } => {
                let known = self.domains.iter().find(|known| known.domain.id == domain);
                let Some(known) = known.map(|known| Arc::clone(&known.domain)) else { return };
                if self.guests.connections(domain) >= MOST_CONNECTIONS {
                    tracing::warn!(domain = %known.name, "too many connections: refused one more");
                    return;
                }
                let us = self.protocols.hyper_dmabuf.domain();
                let memory = Arc::new(ForeignDomain::new(domain, us));
                let connection = Connection { transport: *channel, memory, offer: Some(offer) };
                self.begin_link(&known, connection);
            }
            xen::Discovered::Gone { domain } => {
                self.guests.present.remove(&domain);
                if let Some(known) = self.domains.iter().find(|known| known.domain.id == domain) {
                    tracing::info!(domain = %known.domain.name, number = %domain, "a domain is gone");
                }
                self.end_links(domain);
                // What is configured is still reported, as gone; the others were never asked for.
                let is_configured = |known: &KnownDomain| {
                    let mut configured = self.config.domains.iter();
                    configured.any(|config| *config.name == *known.domain.name)
                };
                let known = self.domains.iter().find(|known| known.domain.id == domain);
                if !known.is_some_and(is_configured) {
                    self.domains.remove(domain);
                }
            }
        }
    }

    pub(super) fn domain_appeared(&mut self, id: DomainId, toolstack_name: Option<&str>) {
        let Some((domain, address)) = self.shown_as(id, toolstack_name) else {
            tracing::debug!(domain = %id, ?toolstack_name, "a domain is not to be shown");
            return;
        };
        tracing::info!(domain = %domain.name, number = %id, "a domain is there");
        // Who had the name before is gone, or will be: its number never comes back to it.
        let before = self.domains.by_name(&domain.name).map(|known| known.domain.id);
        if let Some(before) = before.filter(|before| *before != id) {
            self.end_links(before);
            self.domains.remove(before);
        }
        let (domain, address) = (Arc::new(domain), Some(address));
        self.domains.insert(KnownDomain { domain, address, link: LinkState::Waiting });
        if let Some(Discovered(discovery)) = &mut self.guests.discovery
            && let Err(error) = discovery.admit(id)
        {
            self.discovery_failed(&error);
        }
    }

    /// How a domain is shown, if it is: as configured, or by its own name.
    pub(super) fn shown_as(
        &self,
        id: DomainId,
        toolstack_name: Option<&str>,
    ) -> Option<(Domain, DomainAddress)> {
        let is_it = |address: &Option<DomainAddress>| match address {
            Some(DomainAddress::Xen(XenDomain::Number(number))) => *number == id,
            Some(DomainAddress::Xen(XenDomain::Name(name))) => Some(&**name) == toolstack_name,
            Some(DomainAddress::Shm(_)) | None => false,
        };
        let address = DomainAddress::Xen(XenDomain::Number(id));
        if let Some(config) = self.config.domains.iter().find(|domain| is_it(&domain.address)) {
            let settings = DomainSettings::configured(&self.config, config);
            return Some((Domain::new(id, config.name.to_string(), settings), address));
        }
        self.config.any_domain?;
        // A name that is configured for somebody else must not be worn by this one.
        let name = toolstack_name.and_then(|name| name.parse::<DomainName>().ok());
        let name = name.map(|name| name.to_string());
        let is_taken = |name: &str| {
            self.config.domains.iter().any(|domain| *domain.name == *name)
                || self.domains.iter().any(|known| {
                    known.domain.name == name
                        && known.domain.id != id
                        && known.link != LinkState::Gone
                })
        };
        let names = name.into_iter().chain([format!("xen-{id}")]);
        let name = names.into_iter().find(|name| !is_taken(name))?;
        let configured = self.config.domains.iter().map(|domain| domain.colour);
        let known = self.domains.iter().map(|known| known.domain.colour());
        let colour = config::free_colour(&configured.chain(known).collect::<Vec<_>>());
        Some((Domain::new(id, name, DomainSettings::of_another(&self.config, colour)), address))
    }

    /// The link of an offer has ended.
    pub(super) fn offer_ended(&mut self, domain: DomainId, offer: &OfferName) {
        if let Some(Discovered(discovery)) = &mut self.guests.discovery
            && let Err(error) = discovery.forget_offer(domain, offer)
        {
            self.discovery_failed(&error);
        }
    }

    /// A link is gone, and all that was mapped for it: others may have waited for that.
    pub(super) fn look_again_at_offers(&mut self) {
        if let Some(Discovered(discovery)) = &mut self.guests.discovery
            && let Err(error) = discovery.look_again()
        {
            self.discovery_failed(&error);
        }
    }
}
