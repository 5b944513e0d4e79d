//! How much of a domain's messages is handled in one turn of the event loop. Handling them is what a
//! guest can keep the compositor busy with; between two turns input, vertical blanks and all other
//! domains are looked after.
//!
//! Bytes are what can be counted out beforehand, and time is what matters: some messages cost a hundred
//! times what others do. So a domain that has more to say than it may has less in the next turn, if this one
//! took long.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
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
    /// There was more.
    is_short: AtomicBool,
}

impl Turn {
    pub(crate) fn new() -> Turn {
        let (links, bytes) = (AtomicUsize::new(0), AtomicUsize::new(BYTES_IN_A_TURN));
        Turn { links, bytes, is_short: AtomicBool::new(false) }
    }

    /// How long the messages took that were handled after this was handed. Nothing changes for a domain that
    /// had no more to say: it is not why.
    fn took(&self, time: Duration) {
        if !self.is_short.swap(false, Ordering::Relaxed) {
            return;
        }
        let bytes = self.bytes.load(Ordering::Relaxed);
        let next = match time {
            _ if time > LONG => bytes / 2,
            _ if time < LONG / 3 => bytes * 2,
            _ => bytes,
        };
        self.bytes.store(next.clamp(FEWEST_BYTES, BYTES_IN_A_TURN), Ordering::Relaxed);
    }
}

impl State {
    /// Handle what clients ask for in this turn.
    pub(crate) fn handle_requests<R>(&mut self, handle: impl FnOnce(&mut State) -> R) -> R {
        let is_short = |domain: &Arc<Domain>| domain.turn.is_short.load(Ordering::Relaxed);
        if !self.domains.iter().any(|known| is_short(&known.domain)) {
            return handle(self);
        }
        let before = spent();
        let handled = handle(self);
        let time = spent().saturating_sub(before);
        self.domains.iter().for_each(|known| known.domain.turn.took(time));
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

    fn held_back(&self) {
        self.domain.turn.is_short.store(true, Ordering::Relaxed);
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
    fn a_domain_that_has_more_to_say_than_fits_into_its_time_says_less() {
        let turn = Turn::new();
        let bytes = || turn.bytes.load(Ordering::Relaxed);
        turn.took(10 * LONG);
        assert_eq!(bytes(), BYTES_IN_A_TURN, "it had no more to say");
        let again = |time| {
            turn.is_short.store(true, Ordering::Relaxed);
            turn.took(time);
        };
        again(10 * LONG);
        assert_eq!(bytes(), BYTES_IN_A_TURN / 2);
        again(LONG / 2);
        assert_eq!(bytes(), BYTES_IN_A_TURN / 2);
        (0..100).for_each(|_| again(10 * LONG));
        assert_eq!(bytes(), FEWEST_BYTES);
        (0..100).for_each(|_| again(LONG / 4));
        assert_eq!(bytes(), BYTES_IN_A_TURN);
    }
}
