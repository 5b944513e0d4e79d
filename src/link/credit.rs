//! Credit: who may send how many bytes before somebody has drained them.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::violation::Violation;

/// What this end may still send.
#[derive(Debug)]
pub(super) struct SendCredit {
    available: u32,
    ceiling: u32,
}

impl SendCredit {
    pub(super) fn new(initial: u32) -> SendCredit {
        SendCredit { available: initial, ceiling: initial }
    }

    pub(super) fn available(&self) -> u32 {
        self.available
    }

    /// Uses up credit, or says that it is not there.
    #[must_use]
    pub(super) fn spend(&mut self, bytes: u32) -> bool {
        let left = self.available.checked_sub(bytes);
        self.available = left.unwrap_or(self.available);
        left.is_some()
    }

    /// More may be sent; never more than the window announced in the handshake.
    pub(super) fn granted(&mut self, bytes: NonZeroU32) -> Result<(), Violation> {
        self.available = self
            .available
            .checked_add(bytes.get())
            .filter(|sum| *sum <= self.ceiling)
            .ok_or(Violation::CreditOverflow)?;
        Ok(())
    }
}

/// What the peer may still send, and what it has not been told that it may send again.
#[derive(Debug)]
pub(super) struct ReceiveWindow {
    available: u32,
    drained: u32,
    size: u32,
}

impl ReceiveWindow {
    pub(super) fn new(size: u32) -> ReceiveWindow {
        ReceiveWindow { available: size, drained: 0, size }
    }

    /// The peer has used credit.
    pub(super) fn received(&mut self, bytes: u32) -> Result<(), Violation> {
        self.available = self.available.checked_sub(bytes).ok_or(Violation::CreditExceeded)?;
        Ok(())
    }

    /// Bytes have left for their reader. They were received first, so the sum fits the window.
    pub(super) fn drained(&mut self, bytes: u32) {
        self.drained = self.drained.saturating_add(bytes).min(self.size - self.available);
    }

    /// Whether enough has gathered to be worth a frame: a quarter of the window.
    pub(super) fn owes_grant(&self) -> bool {
        self.drained >= self.size / 4
    }

    /// What to tell the peer, once.
    pub(super) fn take_grant(&mut self) -> Option<NonZeroU32> {
        if !self.owes_grant() {
            return None;
        }
        let grant = NonZeroU32::new(std::mem::take(&mut self.drained))?;
        self.available += grant.get();
        Some(grant)
    }
}

/// A shared, bounded amount of something that waits at this end, over all streams.
#[derive(Clone, Debug)]
pub(super) struct Allowance {
    left: Arc<AtomicU32>,
}

impl Allowance {
    pub(super) fn new(amount: u32) -> Allowance {
        Allowance { left: Arc::new(AtomicU32::new(amount)) }
    }

    /// Takes a share until the permit is dropped; `None` where less is left.
    pub(super) fn take(&self, amount: u32) -> Option<Permit> {
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(amount))
            .ok()?;
        Some(Permit { allowance: self.clone(), amount })
    }
}

/// A share of an [`Allowance`].
#[derive(Debug)]
pub(super) struct Permit {
    allowance: Allowance,
    amount: u32,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.allowance.left.fetch_add(self.amount, Ordering::Relaxed);
    }
}
