//! What the compositor has done since it started, in numbers that only grow: who asks twice knows what
//! happened between. Nothing is done for it while nobody asks but counting.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::state::State;

/// All that is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// When this was, in microseconds of the monotonic clock.
    pub time: u64,
    /// The outputs.
    pub outputs: Vec<OutputStatistics>,
    /// The domains, and local programs as if they were one.
    pub domains: Vec<DomainStatistics>,
    /// Bytes that have changed in buffers which the renderer has to copy to draw them: those of
    /// `wl_shm`, by OpenGL ES.
    pub bytes_uploaded: u64,
}

/// What an output has shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputStatistics {
    /// What it is called.
    pub name: String,
    /// Pictures drawn.
    pub pictures: u64,
    /// Pictures seen that showed a change.
    pub seen: u64,
    /// From the first change of each of these until it was seen, all together, in microseconds.
    pub latency: u64,
}

/// What a domain shares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainStatistics {
    /// The domain, or nothing for local programs.
    pub name: Option<String>,
    /// Buffers that are imported now.
    pub imports: u32,
    /// Their pages.
    pub pages: u32,
    /// Bytes that were copied out of its buffers, since it is configured as `staged`.
    pub bytes_staged: u64,
}

/// As many as there are in a number of 64 bits; more would be half a million years.
fn microseconds(duration: Duration) -> u64 {
    duration.as_micros() as u64
}

impl State {
    /// All that is counted, up to now.
    pub fn statistics(&self) -> Statistics {
        let outputs = self.outputs.iter().map(|view| OutputStatistics {
            name: view.output.name(),
            pictures: view.pictures_since_start,
            seen: view.latency.seen,
            latency: microseconds(view.latency.total),
        });
        let hyper_dmabuf = self.hyper_dmabuf();
        let local = (None, hyper_dmabuf.domain());
        let known = self.domains.iter().map(|known| &known.domain);
        let domains = known.map(|domain| (Some(domain.name.clone()), domain.id));
        let domains = std::iter::once(local).chain(domains).map(|(name, id)| {
            let account = hyper_dmabuf.importer().account(id);
            DomainStatistics {
                name,
                imports: account.buffers,
                pages: account.pages,
                bytes_staged: hyper_dmabuf.bytes_staged(id),
            }
        });
        Statistics {
            time: microseconds(self.clock.now().into()),
            outputs: outputs.collect(),
            domains: domains.collect(),
            bytes_uploaded: self.bytes_uploaded,
        }
    }
}
