//! How many messages a guest's program sends: counted as its bytes come, before anything is made of
//! them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hyper_dmabuf::link::Meter;

use crate::domain::Domain;

/// A Wayland message begins with the number of its object and, in the upper half of the next 32 bits,
/// its own size in bytes, these eight among them (wayland.freedesktop.org, "Wire Format").
const HEADER: usize = 8;
/// What is counted is counted for so long.
const PERIOD: Duration = Duration::from_secs(1);

/// Counts the messages of one program.
#[derive(Debug)]
pub(super) struct MessageMeter {
    domain: Arc<Domain>,
    /// As much of a header as has come.
    header: [u8; HEADER],
    come: usize,
    /// How much of the message after its header is still to come.
    to_come: usize,
    since: Instant,
    messages: u32,
}

impl MessageMeter {
    pub(super) fn new(domain: Arc<Domain>) -> MessageMeter {
        MessageMeter {
            domain,
            header: [0; HEADER],
            come: 0,
            to_come: 0,
            since: Instant::now(),
            messages: 0,
        }
    }

    /// How many messages begin in these bytes.
    fn count(&mut self, mut bytes: &[u8]) -> u32 {
        let mut messages = 0;
        while !bytes.is_empty() {
            let passed = self.to_come.min(bytes.len());
            self.to_come -= passed;
            bytes = &bytes[passed..];
            let taken = (HEADER - self.come).min(bytes.len());
            self.header[self.come..self.come + taken].copy_from_slice(&bytes[..taken]);
            self.come += taken;
            bytes = &bytes[taken..];
            if self.come == HEADER {
                messages += 1;
                self.come = 0;
                let [.., a, b, c, d] = self.header;
                let size = u32::from_ne_bytes([a, b, c, d]) >> 16;
                // One that is too small is an error for who parses it.
                self.to_come = (size as usize).saturating_sub(HEADER);
            }
        }
        messages
    }
}

impl Meter for MessageMeter {
    fn more(&mut self, bytes: &[u8]) -> bool {
        let now = Instant::now();
        if now.duration_since(self.since) >= PERIOD {
            (self.since, self.messages) = (now, 0);
        }
        self.messages = self.messages.saturating_add(self.count(bytes));
        self.messages <= self.domain.limits().messages_per_second
    }
}

#[cfg(test)]
mod tests {
    use hyper_dmabuf::domain::DomainId;

    use super::*;
    use crate::{colour::Colour, config::Config, domain::DomainSettings};

    fn meter(config: &str) -> MessageMeter {
        let config = Config::from_toml(config).unwrap();
        let settings = DomainSettings::of_another(&config, Colour::BLACK);
        let domain = Domain::new(DomainId::new(1).unwrap(), "work".to_owned(), settings);
        MessageMeter::new(Arc::new(domain))
    }

    fn message(size: u32) -> Vec<u8> {
        let mut bytes: Vec<u8> = [7, size << 16].into_iter().flat_map(u32::to_ne_bytes).collect();
        bytes.resize(size as usize, 0xff);
        bytes
    }

    #[test]
    fn messages_are_counted_however_they_come() {
        let bytes: Vec<u8> = [8, 12, 4092, 8, 64].into_iter().flat_map(message).collect();
        for step in [1, 3, 8, 11, 1000, bytes.len()] {
            let mut meter = meter("");
            let counted: u32 = bytes.chunks(step).map(|chunk| meter.count(chunk)).sum();
            assert_eq!(counted, 5, "in steps of {step}");
        }
        // Sizes that cannot be count as what they need at least.
        let zeros = [0; 80];
        assert_eq!(meter("").count(&zeros), 10);
    }

    #[test]
    fn too_many_in_a_second_are_too_many() {
        let mut meter = meter("[limits]\nmessages_per_second = 100\n");
        let fifty = message(8).repeat(50);
        assert!(meter.more(&fifty) && meter.more(&fifty));
        assert!(!meter.more(&message(8)));
        meter.since = meter.since.checked_sub(PERIOD).unwrap();
        assert!(meter.more(&fifty));
    }
}
