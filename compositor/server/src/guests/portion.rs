//! How much of a domain's messages is handled in one turn of the event loop. Handling them is what a
//! guest can keep the compositor busy with; between two turns input, vertical blanks and all other
//! domains are looked after.
//!
//! Bytes are what can be counted out beforehand, and time is what matters: some messages cost a hundred
//! times what others do. So a domain that said much in a turn that took long may say less in the next.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hyper_dmabuf::link::Portion;
use rustix::time::{ClockId, clock_gettime};

use crate::{domain::Domain, state::State};

/// Bytes of all programs of one domain in one turn, over all its links. The shortest message has 8
/// (wayland.freedesktop.org, "Wire Format"), so these are 2048 messages at most, and a commit is one.
/// A busy toolkit sends some hundred bytes for a frame, and a whole new window some thousands.
pub const BYTES_IN_A_TURN: usize = 16 * 1024;
/// What is always handled, whatever it costs: so that a domain goes on.
const FEWEST_BYTES: usize = 512;
/// What a turn's messages may take of the processor. A program's next picture takes several turns from one
/// blank to the next.
const LONG: Duration = Duration::from_micros(300);

/// What a domain is handed in a turn.
#[derive(Debug)]
pub(crate) struct Turn {
    /// Links that are up, which share it.
    links: AtomicUsize,
    bytes: AtomicUsize,
    /// Those that were handed, and are not handled yet.
    handed: AtomicUsize,
}

impl Turn {
    pub(crate) fn new() -> Turn {
        let (links, bytes) = (AtomicUsize::new(0), AtomicUsize::new(BYTES_IN_A_TURN));
        Turn { links, bytes, handed: AtomicUsize::new(0) }
    }

    /// Whether it was handed enough to be measured.
    fn is_much(&self) -> bool {
        self.handed.load(Ordering::Relaxed) > FEWEST_BYTES / 2
    }

    /// The messages that were handed are handled, and if it was measured, this is how long all took. Whoever
    /// was handed little is not why. How much it was counts, not whether there was more: who says as much as
    /// fits, now and then, costs as much.
    fn is_over(&self, took: Option<Duration>) {
        let handed = self.handed.swap(0, Ordering::Relaxed);
        let bytes = self.bytes.load(Ordering::Relaxed);
        let next = match took {
            Some(time) if time > LONG && handed > FEWEST_BYTES => handed.min(bytes) / 2,
            Some(time) if time < LONG / 3 && 2 * handed > bytes => 2 * bytes,
            _ => bytes,
        };
        self.bytes.store(next.clamp(FEWEST_BYTES, BYTES_IN_A_TURN), Ordering::Relaxed);
    }
}

impl State {
    /// Handle what clients ask for in this turn.
    pub(crate) fn handle_requests<R>(&mut self, handle: impl FnOnce(&mut State) -> R) -> R {
        let is_measured = self.domains.iter().any(|known| known.domain.turn.is_much());
        let before = is_measured.then(spent);
        let handled = handle(self);
        let took = before.map(|before| spent().saturating_sub(before));
        self.domains.iter().for_each(|known| known.domain.turn.is_over(took));
        handled
    }
}

/// What this thread has had of the processor. That others had it is nobody's fault.
fn spent() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// One link's part of that. However many links a domain has, together they have no more.
#[derive(Debug)]
pub(super) struct LinkPortion {
    domain: Arc<Domain>,
}

impl LinkPortion {
    pub(super) fn new(domain: Arc<Domain>) -> LinkPortion {
        domain.turn.links.fetch_add(1, Ordering::Relaxed);
        LinkPortion { domain }
    }
}

impl Portion for LinkPortion {
    fn bytes(&self) -> usize {
        let Turn { links, bytes, .. } = &self.domain.turn;
        bytes.load(Ordering::Relaxed) / links.load(Ordering::Relaxed).max(1)
    }

    fn handed_on(&self, bytes: usize) {
        self.domain.turn.handed.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Drop for LinkPortion {
    fn drop(&mut self) {
        self.domain.turn.links.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use hyper_dmabuf::domain::DomainId;

    use super::*;
    use crate::{colour::Colour, config::Config, domain::DomainSettings};

    #[test]
    fn links_of_a_domain_share_its_portion() {
        let settings = DomainSettings::of_another(&Config::default(), Colour::BLACK);
        let id = DomainId::new(1).unwrap();
        let domain = Arc::new(Domain::new(id, "work".to_owned(), settings));
        let first = LinkPortion::new(Arc::clone(&domain));
        assert_eq!(first.bytes(), BYTES_IN_A_TURN);
        let more: Vec<_> = (0..63).map(|_| LinkPortion::new(Arc::clone(&domain))).collect();
        let all = first.bytes() + more.iter().map(Portion::bytes).sum::<usize>();
        assert_eq!(all, BYTES_IN_A_TURN);
        drop(more);
        assert_eq!(first.bytes(), BYTES_IN_A_TURN);
    }

    #[test]
    fn a_domain_that_says_much_in_a_turn_that_takes_long_may_say_less() {
        let turn = Turn::new();
        let bytes = || turn.bytes.load(Ordering::Relaxed);
        let again = |handed, took| {
            turn.handed.store(handed, Ordering::Relaxed);
            turn.is_over(Some(took));
            bytes()
        };
        assert_eq!(again(FEWEST_BYTES, 10 * LONG), BYTES_IN_A_TURN, "it said little");
        assert_eq!(again(BYTES_IN_A_TURN, 10 * LONG), BYTES_IN_A_TURN / 2);
        assert_eq!(again(bytes(), LONG / 2), BYTES_IN_A_TURN / 2);
        assert_eq!(again(3000, 10 * LONG), 1500, "less than it might have, and yet too much");
        for _ in 0..100 {
            again(bytes(), 10 * LONG);
        }
        assert_eq!(bytes(), FEWEST_BYTES);
        assert_eq!(again(8, LONG / 4), FEWEST_BYTES, "that little is quick says nothing");
        for _ in 0..100 {
            again(bytes(), LONG / 4);
        }
        assert_eq!(bytes(), BYTES_IN_A_TURN);
    }
}
