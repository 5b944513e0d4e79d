//! The links to guests: each stream of one is an ordinary Wayland client.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use hyper_dmabuf::{
    domain::DomainId,
    grant::ForeignMemory,
    link::{Link, LinkEvent, Role, StreamId, Transport},
};
use smithay::reexports::{calloop::RegistrationToken, wayland_server::Client};

use super::{
    discovery::{Discovered, OfferName},
    meter::MessageMeter,
    portion::LinkPortion,
};
use crate::{
    client::ClientOrigin,
    domain::{Domain, LinkState},
    handlers::limits,
    state::State,
};

/// The connections of all domains.
#[derive(Debug, Default)]
pub struct Guests {
    arriving: HashMap<DomainId, usize>,
    links: HashMap<DomainId, HashMap<LinkNumber, RegistrationToken>>,
    next_link: u64,
    /// The program at the end of each stream.
    programs: HashMap<(LinkNumber, StreamId), Client>,
    /// On Xen: who tells which domains there are.
    pub(super) discovery: Option<Discovered>,
    /// On Xen: which domains there are, shown or not, and what the toolstack calls them.
    pub(super) present: BTreeMap<DomainId, Option<String>>,
    /// Without a hypervisor: where each domain is awaited.
    pub(super) listeners: HashMap<DomainId, RegistrationToken>,
}

/// Tells a link from all others that there ever were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct LinkNumber(u64);

impl Guests {
    /// Connections of a domain, whatever has come of them so far.
    pub(super) fn connections(&self, domain: DomainId) -> usize {
        self.arriving.get(&domain).copied().unwrap_or(0)
            + self.links.get(&domain).map_or(0, HashMap::len)
    }

    pub(super) fn arrival_begun(&mut self, domain: DomainId) {
        *self.arriving.entry(domain).or_default() += 1;
    }

    pub(super) fn arrival_ended(&mut self, domain: DomainId) {
        if let Some(count) = self.arriving.get_mut(&domain) {
            *count -= 1;
            if *count == 0 {
                self.arriving.remove(&domain);
            }
        }
    }

    /// A link is gone. Whether it was the domain's last one.
    fn link_ended(&mut self, domain: DomainId, link: LinkNumber) -> bool {
        let Some(links) = self.links.get_mut(&domain) else { return false };
        links.remove(&link);
        let was_last = links.is_empty();
        if was_last {
            self.links.remove(&domain);
        }
        was_last
    }
}

/// What a link is over, and what has to be done when it is gone.
pub(super) struct Connection<T> {
    pub(super) transport: T,
    pub(super) memory: Arc<dyn ForeignMemory>,
    /// On Xen: what the guest offered.
    pub(super) offer: Option<OfferName>,
}

impl State {
    /// The domain's memory is known; what follows on the connection is a link.
    pub(super) fn begin_link<T: Transport + 'static>(
        &mut self,
        domain: &Arc<Domain>,
        connection: Connection<T>,
    ) {
        let Connection { transport, memory, offer } = connection;
        // It may have been taken out of the configuration while it introduced itself.
        if !self.domains.iter().any(|known| Arc::ptr_eq(&known.domain, domain)) {
            return;
        }
        let display = self.protocols.hyper_dmabuf.domain();
        let role = Role::Display { guest: domain.id, display };
        let mut link = match Link::new(transport, role, domain.limits().link()) {
            Ok(link) => link,
            Err(error) => {
                tracing::warn!(domain = %domain.name, %error, "cannot begin a link");
                return;
            }
        };
        let metered = Arc::clone(domain);
        link.set_meter(move || Box::new(MessageMeter::new(Arc::clone(&metered))));
        link.set_portion(LinkPortion::new(Arc::clone(domain)));
        self.guests.next_link += 1;
        let number = LinkNumber(self.guests.next_link);
        let from = Arc::clone(domain);
        let inserted = self.loop_handle.insert_source(link, move |event, _, state| {
            if let LinkEvent::Closed { .. } = event
                && let Some(offer) = &offer
            {
                state.offer_ended(from.id, offer);
            }
            state.link_event(&from, number, &memory, event);
        });
        match inserted {
            Ok(token) => {
                self.guests.links.entry(domain.id).or_default().insert(number, token);
                self.domains.set_link(domain.id, LinkState::Connected);
            }
            Err(error) => tracing::warn!(domain = %domain.name, %error, "cannot watch a link"),
        }
    }

    /// A domain is gone: its links end at once, and with them its clients and windows.
    pub(super) fn end_links(&mut self, domain: DomainId) {
        for (link, token) in self.guests.links.remove(&domain).unwrap_or_default() {
            self.loop_handle.remove(token);
            self.guests.programs.retain(|(of, _), _| *of != link);
        }
        self.domains.set_link(domain, LinkState::Gone);
        self.look_again_at_offers();
    }

    fn link_event(
        &mut self,
        domain: &Arc<Domain>,
        link: LinkNumber,
        memory: &Arc<dyn ForeignMemory>,
        event: LinkEvent,
    ) {
        match event {
            LinkEvent::Ready { .. } => tracing::info!(domain = %domain.name, "the link is open"),
            LinkEvent::Opened { stream, socket } => {
                let origin = ClientOrigin::Domain(Arc::clone(domain));
                match self.insert_guest(socket, origin, Arc::clone(memory)) {
                    Ok(client) => drop(self.guests.programs.insert((link, stream), client)),
                    // It finds its stream closed.
                    Err(error) => {
                        tracing::warn!(domain = %domain.name, ?stream, %error, "refused a client");
                    }
                }
            }
            LinkEvent::Excess { stream } => {
                if let Some(client) = self.guests.programs.get(&(link, stream)) {
                    let most = domain.limits().messages_per_second;
                    let message = format!(
                        "more than {most} messages in a second (limits.messages_per_second)"
                    );
                    limits::expel(&self.display_handle, client, &message);
                }
            }
            LinkEvent::StreamClosed { stream, reason, by } => {
                tracing::debug!(domain = %domain.name, ?stream, %reason, ?by, "a stream is closed");
                self.guests.programs.remove(&(link, stream));
            }
            LinkEvent::Closed { reason, by } => {
                tracing::info!(domain = %domain.name, %reason, ?by, "the link is closed");
                self.guests.programs.retain(|(of, _), _| *of != link);
                if self.guests.link_ended(domain.id, link) {
                    self.domains.set_link(domain.id, LinkState::Gone);
                }
                self.look_again_at_offers();
            }
        }
    }
}
