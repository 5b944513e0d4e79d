//! Discovery against a daemon that is written by hand: what is told, what is refused, what is bounded.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::os::unix::net::UnixStream;

use super::super::xenstore::wire::{Decoder, Kind, Message};
use super::*;

/// A xenstore in this thread.
struct Daemon {
    socket: UnixStream,
    decoder: Decoder,
    tree: BTreeMap<String, String>,
    /// Asked so far, by kind and node.
    asked: Vec<(Kind, String)>,
}

impl Daemon {
    fn new() -> (Daemon, Discovery) {
        let (ours, daemon) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        daemon.set_nonblocking(true).unwrap();
        let store = Xenstore::on(ours.into());
        let discovery = Discovery::over(store, DomainId::DISPLAY).unwrap();
        let (decoder, tree, asked) = (Decoder::default(), BTreeMap::new(), Vec::new());
        (Daemon { socket: daemon, decoder, tree, asked }, discovery)
    }

    fn write(&mut self, path: &str, value: &str) {
        self.tree.insert(path.to_owned(), value.to_owned());
    }

    fn say(&self, kind: Kind, request: u32, payload: Vec<u8>) {
        use std::io::Write;
        let mut bytes = Vec::new();
        Message { kind, request, transaction: 0, payload }.encode(&mut bytes).unwrap();
        (&self.socket).write_all(&bytes).unwrap();
    }

    fn changed(&self, token: &str) {
        self.say(Kind::WatchEvent, 0, format!("@somewhere\0{token}\0").into_bytes());
    }

    /// Answers all that was asked; whether anything was.
    fn serve(&mut self) -> bool {
        use std::io::Read;
        let mut buffer = [0; 65536];
        match self.socket.read(&mut buffer) {
            Ok(count) => self.decoder.push(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) => panic!("{error}"),
        }
        while let Some(message) = self.decoder.next_message().unwrap() {
            let path = strings(&message.payload).swap_remove(0);
            self.asked.push((message.kind, path.clone()));
            let answer = match message.kind {
                Kind::Directory => self.children(&path),
                Kind::Read => self.tree.get(&path).map(|value| value.clone().into_bytes()),
                Kind::Remove => {
                    self.tree.retain(|node, _| !node.starts_with(&path));
                    Some(b"OK\0".to_vec())
                }
                Kind::IsDomainIntroduced => Some(b"T\0".to_vec()),
                _ => Some(b"OK\0".to_vec()),
            };
            match answer {
                Some(payload) => self.say(message.kind, message.request, payload),
                None => self.say(Kind::Error, message.request, b"ENOENT\0".to_vec()),
            }
        }
        true
    }

    fn children(&self, path: &str) -> Option<Vec<u8>> {
        let below = format!("{path}/");
        let names: BTreeSet<&str> = self
            .tree
            .keys()
            .filter_map(|node| node.strip_prefix(&below)?.split('/').next())
            .collect();
        let is_there = !names.is_empty() || self.tree.contains_key(path);
        is_there.then(|| names.iter().flat_map(|name| [name.as_bytes(), b"\0"].concat()).collect())
    }

    /// Until nobody has anything to say.
    fn settle(&mut self, discovery: &mut Discovery) -> Vec<Discovered> {
        let mut discovered = Vec::new();
        loop {
            discovered.extend(discovery.dispatch().unwrap());
            if !self.serve() {
                return discovered;
            }
        }
    }
}

fn domain(number: u16) -> DomainId {
    DomainId::new(number).unwrap()
}

/// A daemon, and a discovery that knows of domain 300 and has admitted it.
fn with_a_domain() -> (Daemon, Discovery) {
    let (mut daemon, mut discovery) = Daemon::new();
    daemon.write("/local/domain/0/name", "Domain-0");
    daemon.write("/local/domain/300/name", "work");
    daemon.changed(DOMAINS);
    let told = daemon.settle(&mut discovery);
    assert!(
        matches!(&told[..], [Discovered::Appeared { domain: id, name }]
            if *id == domain(300) && name == "work"),
        "{told:?}"
    );
    discovery.admit(domain(300)).unwrap();
    daemon.settle(&mut discovery);
    (daemon, discovery)
}

#[test]
fn domains_come_and_go_whatever_their_number() {
    let (mut daemon, mut discovery) = with_a_domain();
    daemon.changed(DOMAINS);
    assert!(daemon.settle(&mut discovery).is_empty(), "told once");
    daemon.tree.retain(|node, _| !node.starts_with("/local/domain/300"));
    daemon.write("/local/domain/32751/name", "last");
    daemon.write("/local/domain/32752/name", "reserved");
    daemon.write("/local/domain/nonsense/name", "nobody");
    daemon.changed(DOMAINS);
    let told = daemon.settle(&mut discovery);
    let gone =
        |event: &Discovered| matches!(event, Discovered::Gone { domain: d } if d.number() == 300);
    let came = |event: &Discovered| matches!(event, Discovered::Appeared { domain: d, .. } if d.number() == 32751);
    assert!(told.len() == 2 && told.iter().any(gone) && told.iter().any(came), "{told:?}");
}

#[test]
fn domain_that_is_not_admitted_is_not_looked_at() {
    let (mut daemon, mut discovery) = Daemon::new();
    daemon.write("/local/domain/7/name", "other");
    daemon.write("/local/domain/7/data/hyper-dmabuf/x/ring-ref", "8");
    daemon.changed(DOMAINS);
    daemon.changed("7");
    daemon.settle(&mut discovery);
    assert!(!daemon.asked.iter().any(|(kind, path)| *kind == Kind::Read && path.contains("data")));
}

#[test]
fn offers_that_make_no_sense_are_removed_and_half_ones_awaited() {
    let (mut daemon, mut discovery) = with_a_domain();
    let base = "/local/domain/300/data/hyper-dmabuf";
    daemon.write(&format!("{base}/words/ring-ref"), "ring");
    daemon.write(&format!("{base}/words/event-channel"), "port");
    daemon.write(&format!("{base}/half/ring-ref"), "8");
    let long = "n".repeat(LONGEST_NAME + 1);
    daemon.write(&format!("{base}/{long}/ring-ref"), "8");
    daemon.changed("300");
    assert!(daemon.settle(&mut discovery).is_empty());
    let nodes: Vec<&str> = daemon.tree.keys().filter_map(|node| node.strip_prefix(base)).collect();
    assert_eq!(nodes, ["/half/ring-ref".to_owned(), format!("/{long}/ring-ref")]);
    // The other half comes; there is no Xen here, so the whole is refused, and goes.
    daemon.write(&format!("{base}/half/event-channel"), "9");
    daemon.changed("300");
    assert!(daemon.settle(&mut discovery).is_empty());
    assert!(!daemon.tree.contains_key(&format!("{base}/half/ring-ref")));
}

#[test]
fn a_guest_that_never_stops_is_asked_once_at_a_time_and_soon_not_logged() {
    let (mut daemon, mut discovery) = with_a_domain();
    daemon.asked.clear();
    (0..100).for_each(|_| daemon.changed("300"));
    daemon.settle(&mut discovery);
    let lists = daemon.asked.iter().filter(|(kind, _)| *kind == Kind::Directory).count();
    assert!(lists <= 2, "asked {lists} times");

    for round in 0..10 {
        for number in 0..2 * MOST_OFFERS {
            let node = format!("/local/domain/300/data/hyper-dmabuf/{round}-{number}/ring-ref");
            daemon.write(&node, "x");
        }
        daemon.changed("300");
        daemon.settle(&mut discovery);
        let known = &discovery.domains[&domain(300)];
        assert!(known.offers.len() <= MOST_OFFERS);
        assert!(known.complaints <= MOST_COMPLAINTS);
    }
    assert!(discovery.asked.is_empty());
}
