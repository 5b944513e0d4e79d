//! How long changes take to be seen: from the first one that a picture shows until that is on the
//! screen.

use std::time::Duration;

use smithay::utils::{Monotonic, Time};

/// The changes on the way to one output, and how long those before them took.
#[derive(Debug, Default)]
pub struct Latency {
    /// The first change that no picture shows yet.
    changed: Option<Time<Monotonic>>,
    /// The first change that is in a picture which is not seen yet.
    drawn: Option<Time<Monotonic>>,
    /// Pictures with a change in them that were seen.
    pub seen: u64,
    /// How long all of these took together.
    pub total: Duration,
}

impl Latency {
    /// Something has changed.
    pub fn changed(&mut self, now: Time<Monotonic>) {
        self.changed.get_or_insert(now);
    }

    /// All that has changed is in a picture now, and so is what was in one that it replaces.
    pub fn drawn(&mut self) {
        let changed = self.changed.take();
        self.drawn = self.drawn.or(changed);
    }

    /// The picture is seen.
    pub fn seen(&mut self, now: Time<Monotonic>) {
        if let Some(changed) = self.drawn.take() {
            self.seen += 1;
            // A screen's own clock may be a little behind.
            self.total += Duration::from(now).saturating_sub(changed.into());
        }
    }

    /// What was on its way is never seen.
    pub fn forget(&mut self) {
        self.changed = None;
        self.drawn = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Time<Monotonic> {
        Time::from(Duration::from_millis(milliseconds))
    }

    #[test]
    fn the_first_change_of_a_picture_counts_until_that_is_seen() {
        let mut latency = Latency::default();
        latency.changed(at(100));
        latency.changed(at(103));
        latency.drawn();
        latency.changed(at(110));
        latency.seen(at(116));
        assert_eq!((latency.seen, latency.total), (1, Duration::from_millis(16)));
        latency.drawn();
        latency.seen(at(130));
        latency.seen(at(140));
        assert_eq!((latency.seen, latency.total), (2, Duration::from_millis(36)));
    }

    #[test]
    fn what_is_never_seen_does_not_count() {
        let mut latency = Latency::default();
        latency.changed(at(100));
        latency.drawn();
        latency.forget();
        latency.seen(at(900));
        assert_eq!(latency.seen, 0);
    }
}
