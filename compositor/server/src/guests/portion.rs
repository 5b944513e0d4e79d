//! How much of a domain's messages is handled in one turn of the event loop. Handling them is what a
//! guest can keep the compositor busy with; between two turns input, vertical blanks and all other
//! domains are looked after.

use std::sync::{Arc, atomic::Ordering};

use hyper_dmabuf::link::Portion;

use crate::domain::Domain;

/// Bytes of all programs of one domain in one turn, over all its links. The shortest message has 8
/// (wayland.freedesktop.org, "Wire Format"), so these are 2048 messages at most, and a commit is one.
/// A busy toolkit sends some hundred bytes for a frame, and a whole new window some thousands.
pub const BYTES_IN_A_TURN: usize = 16 * 1024;

/// One link's part of that. However many links a domain has, together they have no more.
#[derive(Debug)]
pub(super) struct LinkPortion {
    domain: Arc<Domain>,
}

impl LinkPortion {
    pub(super) fn new(domain: Arc<Domain>) -> LinkPortion {
        domain.links.fetch_add(1, Ordering::Relaxed);
        LinkPortion { domain }
    }
}

impl Portion for LinkPortion {
    fn bytes(&self) -> usize {
        BYTES_IN_A_TURN / self.domain.links.load(Ordering::Relaxed).max(1)
    }
}

impl Drop for LinkPortion {
    fn drop(&mut self) {
        self.domain.links.fetch_sub(1, Ordering::Relaxed);
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
}
