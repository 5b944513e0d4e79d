//! How many descriptors the process may have, and each app's share of them.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors of the proxy's own, and some to spare.
const OWN: u64 = 256;

/// Open pools of one app are no more than this, however many there may be.
const MOST: u64 = 512;

/// Raises the bound as far as it goes, and divides what there is by `apps`. How many pools each may
/// have open, besides its connection and what is on its way.
pub(super) fn share(apps: u64) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let each = current.map_or(MOST, |all| all.saturating_sub(OWN) / apps.max(1));
    // Enough for a program or two even where there are few.
    each.clamp(16, MOST) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_some_and_nobody_all() {
        assert!((16..=MOST as usize).contains(&share(64)));
        assert_eq!(share(u64::MAX), 16);
    }
}
