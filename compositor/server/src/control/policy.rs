//! What the control socket tells of what domains may do.

use super::messages::ProtocolReport;
use crate::{
    state::State,
    trust::policy::{Decision, Offer, Policy, ProtocolRules},
};

/// There is no domain of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no domain `{0}`: see hyper-dmabufctl domains")]
pub struct UnknownDomain(String);

impl State {
    /// What a domain's programs are offered, or those of a domain of which nothing is said.
    pub fn policy_reports(&self, name: Option<&str>) -> Result<Vec<ProtocolReport>, UnknownDomain> {
        let report = |decision: &Decision| ProtocolReport {
            interface: decision.protocol.interface.to_owned(),
            version: match decision.offer {
                Offer::Not => None,
                Offer::Whole => Some(decision.protocol.version),
                Offer::UpTo(version) => Some(version),
            },
            class: decision.protocol.class,
            by: decision.by,
            why: decision.protocol.why.to_owned(),
        };
        let reports = |policy: &Policy| policy.decisions().iter().map(report).collect();
        match name {
            None => Ok(reports(&Policy::new(&self.config.protocols, &ProtocolRules::default()))),
            Some(name) => match self.domains.by_name(name) {
                Some(known) => Ok(reports(&known.domain.settings().policy)),
                None => Err(UnknownDomain(name.chars().take(80).collect())),
            },
        }
    }
}
