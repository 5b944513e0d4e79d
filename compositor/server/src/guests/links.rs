//! The links to guests: each stream of one is an ordinary Wayland client.

use std::{collections::HashMap, os::unix::net::UnixStream, sync::Arc};

use hyper_dmabuf::{
    domain::DomainId,
    grant::ForeignMemory,
    link::{Limits, Link, LinkEvent, Role},
};

use crate::{
    client::ClientOrigin,
    domain::{Domain, LinkState},
    state::State,
};

/// How many connections each domain has.
#[derive(Debug, Default)]
pub struct Guests {
    arriving: HashMap<DomainId, usize>,
    links: HashMap<DomainId, usize>,
}

impl Guests {
    /// Connections of a domain, whatever has come of them so far.
    pub(super) fn connections(&self, domain: DomainId) -> usize {
        let count = |counts: &HashMap<DomainId, usize>| counts.get(&domain).copied().unwrap_or(0);
        count(&self.arriving) + count(&self.links)
    }

    pub(super) fn arrival_begun(&mut self, domain: DomainId) {
        *self.arriving.entry(domain).or_default() += 1;
    }

    pub(super) fn arrival_ended(&mut self, domain: DomainId) {
        less(&mut self.arriving, domain);
    }
}

fn less(counts: &mut HashMap<DomainId, usize>, domain: DomainId) {
    if let Some(count) = counts.get_mut(&domain) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&domain);
        }
    }
}

impl State {
    /// The domain has brought its memory; what follows on the connection is a link.
    pub(super) fn begin_link(
        &mut self,
        domain: &Arc<Domain>,
        memory: Arc<dyn ForeignMemory>,
        socket: UnixStream,
    ) {
        let role = Role::Display { guest: domain.id, display: DomainId::DISPLAY };
        let link = match Link::new(socket, role, Limits::default()) {
            Ok(link) => link,
            Err(error) => {
                tracing::warn!(domain = %domain.name, %error, "cannot begin a link");
                return;
            }
        };
        let from = Arc::clone(domain);
        let inserted = self.loop_handle.insert_source(link, move |event, _, state| {
            state.link_event(&from, &memory, event);
        });
        match inserted {
            Ok(_) => {
                *self.guests.links.entry(domain.id).or_default() += 1;
                self.domains.set_link(domain.id, LinkState::Connected);
            }
            Err(error) => tracing::warn!(domain = %domain.name, %error, "cannot watch a link"),
        }
    }

    fn link_event(
        &mut self,
        domain: &Arc<Domain>,
        memory: &Arc<dyn ForeignMemory>,
        event: LinkEvent,
    ) {
        match event {
            LinkEvent::Ready { .. } => tracing::info!(domain = %domain.name, "the link is open"),
            LinkEvent::Opened { stream, socket } => {
                let origin = ClientOrigin::Domain(Arc::clone(domain));
                // A client that is not let in finds its stream closed.
                if let Err(error) = self.insert_guest(socket, origin, Arc::clone(memory)) {
                    tracing::warn!(domain = %domain.name, ?stream, %error, "refused a client");
                }
            }
            LinkEvent::StreamClosed { stream, reason, by } => {
                tracing::debug!(domain = %domain.name, ?stream, %reason, ?by, "a stream is closed");
            }
            LinkEvent::Closed { reason, by } => {
                tracing::info!(domain = %domain.name, %reason, ?by, "the link is closed");
                less(&mut self.guests.links, domain.id);
                if !self.guests.links.contains_key(&domain.id) {
                    self.domains.set_link(domain.id, LinkState::Gone);
                }
            }
        }
    }
}
