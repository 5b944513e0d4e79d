//! Discovery against a daemon that is written by hand: what is told, what is refused, what is bounded.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::os::unix::net::UnixStream;

use super::super::xenstore::Pace;
use super::super::xenstore::wire::{Decoder, Kind, Message};
use super::*;

/// A xenstore in this thread.
struct Daemon {
    socket: UnixStream,
    decoder: Decoder,
    tree: BTreeMap<String, String>,
    /// Asked so far, by kind and node.
    asked: Vec<(Kind, String)>,
    /// The numbers of domains that live.
    alive: BTreeSet<String>,
    /// Nodes that may not be read.
    hidden: BTreeSet<String>,
}

impl Daemon {
    fn new() -> (Daemon, Discovery) {
        Daemon::seen_by(DomainId::DISPLAY, true)
    }

    /// As domain `us` sees it.
    fn seen_by(us: DomainId, sees_all: bool) -> (Daemon, Discovery) {
        let (ours, daemon) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        daemon.set_nonblocking(true).unwrap();
        let store = Xenstore::on(ours.into(), Pace::AtOnce);
        let discovery = Discovery::over(store, us, sees_all).unwrap();
        let (decoder, tree, asked) = (Decoder::default(), BTreeMap::new(), Vec::new());
        let (alive, hidden) = (BTreeSet::new(), BTreeSet::new());
        (Daemon { socket: daemon, decoder, tree, asked, alive, hidden }, discovery)
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
            if self.hidden.contains(&path) {
                self.say(Kind::Error, message.request, b"EACCES\0".to_vec());
                continue;
            }
            let answer = match message.kind {
                Kind::Directory => self.children(&path),
                Kind::Read => self.tree.get(&path).map(|value| value.clone().into_bytes()),
                Kind::Remove => {
                    self.tree.retain(|node, _| !node.starts_with(&path));
                    Some(b"OK\0".to_vec())
                }
                Kind::IsDomainIntroduced => {
                    let is_alive = self.alive.contains(&path);
                    Some(if is_alive { b"T\0".to_vec() } else { b"F\0".to_vec() })
                }
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
    daemon.alive.insert("300".to_owned());
    daemon.changed(DOMAINS);
    let told = daemon.settle(&mut discovery);
    assert!(
        matches!(&told[..], [Discovered::Appeared { domain: id, name }]
            if *id == domain(300) && name.as_deref() == Some("work")),
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
    let is_gone = told.iter().any(|event| gone(event, 300));
    let has_come = told.iter().any(|event| appeared(event, 32751, Some("last")));
    assert!(told.len() == 2 && is_gone && has_come, "{told:?}");
}

#[test]
fn domain_that_is_not_admitted_is_not_looked_at() {
    let (mut daemon, mut discovery) = Daemon::new();
    daemon.write("/local/domain/7/name", "other");
    daemon.write("/local/domain/7/data/hyper-dmabuf/0/x/ring-ref", "8");
    daemon.changed(DOMAINS);
    daemon.changed("7");
    daemon.settle(&mut discovery);
    assert!(!daemon.asked.iter().any(|(kind, path)| *kind == Kind::Read && path.contains("data")));
}

#[test]
fn offers_that_make_no_sense_are_removed_and_half_ones_awaited() {
    let (mut daemon, mut discovery) = with_a_domain();
    let base = "/local/domain/300/data/hyper-dmabuf/0";
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
            let node = format!("/local/domain/300/data/hyper-dmabuf/0/{round}-{number}/ring-ref");
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

/// Below which domain 300 offers to domain 5.
const NODE: &str = "/local/domain/300/data/hyper-dmabuf/5";

fn appeared(event: &Discovered, number: u16, expected: Option<&str>) -> bool {
    matches!(event, Discovered::Appeared { domain, name }
        if domain.number() == number && name.as_deref() == expected)
}

fn gone(event: &Discovered, number: u16) -> bool {
    matches!(event, Discovered::Gone { domain } if domain.number() == number)
}

#[test]
fn domain_that_sees_nobody_finds_those_it_expects() {
    let (mut daemon, mut discovery) = Daemon::seen_by(domain(5), false);
    discovery.expect(domain(300)).unwrap();
    discovery.expect(domain(5)).unwrap();
    // Every watch begins with an event.
    daemon.changed("300");
    assert!(daemon.settle(&mut discovery).is_empty(), "it is not there yet");
    daemon.write("/local/domain/300/data/hyper-dmabuf/5/x/ring-ref", "no number");
    daemon.write("/local/domain/300/data/hyper-dmabuf/5/x/event-channel", "8");
    daemon.changed("300");
    let told = daemon.settle(&mut discovery);
    assert!(told.len() == 1 && appeared(&told[0], 300, None), "{told:?}");
    let looked = |daemon: &Daemon| daemon.asked.iter().any(|(_, path)| path.ends_with("/ring-ref"));
    assert!(!looked(&daemon), "it is not admitted");
    discovery.admit(domain(300)).unwrap();
    daemon.settle(&mut discovery);
    assert!(looked(&daemon));
    assert!(!daemon.tree.keys().any(|node| node.contains("/5/x")), "nonsense is removed");
    let listed = |(kind, path): &(Kind, String)| *kind == Kind::Directory && path == SIGHT;
    assert!(!daemon.asked.iter().any(listed));
}

#[test]
fn death_is_noticed_whatever_the_nodes_say_and_a_number_may_live_again() {
    let (mut daemon, mut discovery) = Daemon::seen_by(domain(5), false);
    daemon.write(NODE, "");
    discovery.expect(domain(300)).unwrap();
    daemon.changed("300");
    assert_eq!(daemon.settle(&mut discovery).len(), 1);
    discovery.admit(domain(300)).unwrap();
    daemon.settle(&mut discovery);
    daemon.tree.clear();
    discovery.check().unwrap();
    // Not answered yet: not asked again.
    discovery.check().unwrap();
    daemon.asked.clear();
    let told = daemon.settle(&mut discovery);
    assert!(told.len() == 1 && gone(&told[0], 300), "{told:?}");
    assert_eq!(daemon.asked.len(), 1, "{:?}", daemon.asked);
    discovery.check().unwrap();
    assert!(daemon.settle(&mut discovery).is_empty(), "told once");
    daemon.write(NODE, "");
    discovery.check().unwrap();
    let told = daemon.settle(&mut discovery);
    assert!(told.len() == 1 && appeared(&told[0], 300, None), "{told:?}");
}

#[test]
fn expected_guest_that_never_stops_is_asked_about_once_at_a_time() {
    let (mut daemon, mut discovery) = Daemon::seen_by(domain(5), false);
    daemon.write(NODE, "");
    discovery.expect(domain(300)).unwrap();
    daemon.settle(&mut discovery);
    daemon.asked.clear();
    for _ in 0..MOST_OFFERS * 100 {
        daemon.changed("300");
        discovery.dispatch().unwrap();
    }
    let told = daemon.settle(&mut discovery);
    assert!(told.len() == 1 && appeared(&told[0], 300, None), "{told:?}");
    let asked = |(kind, _): &&(Kind, String)| *kind == Kind::Directory;
    assert_eq!(daemon.asked.iter().filter(asked).count(), 1);
}

#[test]
fn name_that_may_not_be_read_is_asked_for_again() {
    let (mut daemon, mut discovery) = Daemon::seen_by(domain(5), true);
    daemon.write("/local/domain/300/domid", "300");
    daemon.hidden.insert("/local/domain/300/name".to_owned());
    daemon.changed(DOMAINS);
    assert!(daemon.settle(&mut discovery).is_empty());
    daemon.hidden.clear();
    daemon.write("/local/domain/300/name", "work");
    daemon.changed(DOMAINS);
    let told = daemon.settle(&mut discovery);
    assert!(told.len() == 1 && appeared(&told[0], 300, Some("work")), "{told:?}");
}

#[test]
fn dead_domain_whose_nodes_stay_is_gone_once() {
    let (mut daemon, mut discovery) = with_a_domain();
    daemon.alive.clear();
    for _ in 0..3 {
        daemon.changed(DOMAINS);
    }
    let mut told = daemon.settle(&mut discovery);
    daemon.changed(DOMAINS);
    told.extend(daemon.settle(&mut discovery));
    assert!(told.len() == 1 && gone(&told[0], 300), "{told:?}");
}
