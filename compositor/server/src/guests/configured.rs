//! Domains that are configured differently while the compositor runs.

use std::sync::Arc;

use hyper_dmabuf::domain::DomainId;

use super::discovery::Discovered;
use crate::{
    config::{DomainConfig, DomainName},
    domain::{DomainAddress, DomainSettings, XenDomain},
    state::State,
};

impl State {
    /// A domain is not configured any more: its links end, and with them its programs.
    pub(crate) fn domain_removed(&mut self, name: &DomainName) {
        let known = self.domains.by_name(name).map(|known| known.domain.id);
        // On Xen it may be one of all that are shown; then it comes back by its own name.
        if let Some(id) = known {
            self.end_domain(id);
        }
        self.look_at_present_domains();
    }

    /// A domain is configured that was not before.
    pub(crate) fn domain_added(&mut self, config: &DomainConfig) -> Result<(), String> {
        match &config.address {
            Some(DomainAddress::Xen(address)) => self.domain_of_xen_added(address),
            Some(DomainAddress::Shm(_)) | None => {
                let settings = DomainSettings::configured(&self.config, config);
                let added =
                    self.domains.add(config, settings).ok_or("there are too many domains")?;
                let (domain, address) = (Arc::clone(&added.domain), added.address.clone());
                let id = domain.id;
                let Some(address) = address else { return Ok(()) };
                self.await_domain(domain, address).map_err(|error| {
                    self.domains.remove(id);
                    error.to_string()
                })
            }
        }
    }

    /// Something about a domain is configured differently, and it is still the same one.
    pub(crate) fn domain_changed(&mut self, config: &DomainConfig) {
        if let Some(known) = self.domains.by_name(&config.name) {
            known.domain.set(DomainSettings::configured(&self.config, config));
            self.offer_older_versions();
            self.queue_redraw();
        }
    }

    /// What all domains' programs are offered is configured differently. Programs keep what they have
    /// bound; each learns the rest when it connects anew.
    pub(crate) fn protocols_changed(&mut self) {
        for known in self.domains.iter() {
            let configured =
                self.config.domains.iter().find(|config| *config.name == *known.domain.name);
            known.domain.set(match configured {
                Some(this) => DomainSettings::configured(&self.config, this),
                None => DomainSettings::of_another(&self.config, known.domain.colour()),
            });
        }
        self.offer_older_versions();
    }

    /// All domains of Xen are shown, or not any more.
    pub(crate) fn any_domain_changed(&mut self) -> Result<(), String> {
        match &self.guests.discovery {
            Some(Discovered(discovery)) if self.config.any_domain.is_some() => {
                if !discovery.sees_all() {
                    return Err("this domain may not list the others".to_owned());
                }
            }
            Some(_) => {}
            None => return Err(XEN_AT_NEXT_START.to_owned()),
        }
        self.look_at_present_domains();
        Ok(())
    }

    fn domain_of_xen_added(&mut self, address: &XenDomain) -> Result<(), String> {
        let Some(Discovered(discovery)) = &mut self.guests.discovery else {
            return Err(XEN_AT_NEXT_START.to_owned());
        };
        match address {
            XenDomain::Number(number) => {
                discovery.expect(*number).map_err(|error| error.to_string())?;
            }
            XenDomain::Name(_) if !discovery.sees_all() => {
                return Err(
                    "this domain may not know the names of others: give its number".to_owned()
                );
            }
            XenDomain::Name(_) => {}
        }
        self.look_at_present_domains();
        Ok(())
    }

    /// On Xen: show each domain that is there as it is configured now, and end those that are not.
    fn look_at_present_domains(&mut self) {
        let present = self.guests.present.clone();
        for (id, toolstack_name) in present {
            let wanted = self.shown_as(id, toolstack_name.as_deref()).map(|(domain, _)| domain);
            let known = self.domains.iter().find(|known| known.domain.id == id);
            let known = known.map(|known| Arc::clone(&known.domain));
            match (known, wanted) {
                (Some(known), Some(wanted)) if *known == wanted => {
                    let is_configured =
                        self.config.domains.iter().any(|config| *config.name == *known.name);
                    // The others keep the colour that they were given when they came.
                    if is_configured {
                        known.set(wanted.settings());
                    }
                }
                (known, wanted) => {
                    if known.is_some() {
                        self.end_domain(id);
                    }
                    if wanted.is_some() {
                        self.domain_appeared(id, toolstack_name.as_deref());
                    }
                }
            }
        }
        self.queue_redraw();
    }

    fn end_domain(&mut self, id: DomainId) {
        if let Some(listener) = self.guests.listeners.remove(&id) {
            self.loop_handle.remove(listener);
        }
        self.end_links(id);
        self.domains.remove(id);
        self.queue_redraw();
    }
}

const XEN_AT_NEXT_START: &str = "no domain of Xen was configured when the compositor started: it takes effect at the next start";
