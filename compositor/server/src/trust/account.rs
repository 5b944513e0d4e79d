//! What a domain's programs have at this moment, counted where it begins and where it ends.

use std::sync::atomic::{AtomicU32, Ordering};

use super::limits::DomainLimits;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// A program that is connected.
    Client,
    /// A surface.
    Surface,
    /// A pool of memory.
    Pool,
    /// A buffer in one.
    Buffer,
}

impl Counted {
    /// All of it.
    pub const ALL: [Counted; 4] =
        [Counted::Client, Counted::Surface, Counted::Pool, Counted::Buffer];

    /// How many of it a domain may have.
    pub(crate) fn limit(self, limits: &DomainLimits) -> u32 {
        match self {
            Counted::Client => limits.clients,
            Counted::Surface => limits.surfaces,
            Counted::Pool => limits.pools,
            Counted::Buffer => limits.buffers,
        }
    }

    /// What a client that asks for one more is told.
    pub fn too_many(self) -> &'static str {
        match self {
            Counted::Client => {
                "the domain has as many programs here as it may have (limits.clients)"
            }
            Counted::Surface => "the domain has as many surfaces as it may have (limits.surfaces)",
            Counted::Pool => "the domain has as many pools as it may have (limits.pools)",
            Counted::Buffer => "the domain has as many buffers as it may have (limits.buffers)",
        }
    }
}

/// How many there are: of a domain, or of one of its programs.
#[derive(Debug, Default)]
pub struct Account([AtomicU32; Counted::ALL.len()]);

impl Account {
    /// How many there are now.
    pub fn count(&self, what: Counted) -> u32 {
        self.0[what as usize].load(Ordering::Relaxed)
    }

    /// One more.
    pub fn add(&self, what: Counted) {
        self.0[what as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// So many fewer.
    pub fn end(&self, what: Counted, count: u32) {
        self.0[what as usize].fetch_sub(count, Ordering::Relaxed);
    }

    /// Take out all of it.
    pub fn take(&self, what: Counted) -> u32 {
        self.0[what as usize].swap(0, Ordering::Relaxed)
    }
}
