//! What is offered to whom: each domain what its policy says, and nobody what stands in no table.

use std::{
    io::{ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use hyper_dmabuf_compositor::{
    client::ClientOrigin,
    server::Server,
    trust::protocols::{Class, PROTOCOLS},
};

use crate::{
    client::{Client, server, server_with},
    exchange::domain,
};

/// Interfaces and versions, in order.
fn offered(client: &Client) -> Vec<(&str, u32)> {
    let globals = client.told.globals.iter();
    let mut offered: Vec<_> =
        globals.map(|(_, interface, version)| (interface.as_str(), *version)).collect();
    offered.sort_unstable();
    offered
}

/// What the table says of protocols of these classes. Pixman draws no dma-bufs, which are all that is
/// accelerated.
fn in_table(of: impl Fn(Class) -> bool) -> Vec<(&'static str, u32)> {
    let protocols = PROTOCOLS
        .iter()
        .filter(|protocol| of(protocol.class) && protocol.class != Class::Accelerated);
    let mut table: Vec<_> =
        protocols.map(|protocol| (protocol.interface, protocol.version)).collect();
    table.sort_unstable();
    table
}

#[test]
fn every_protocol_stands_in_the_table_with_its_version() {
    let mut server = server("320x200");
    let local = Client::new(&mut server, ClientOrigin::Local);
    assert_eq!(offered(&local), in_table(|_| true));
}

#[test]
fn a_domain_is_offered_what_is_not_denied() {
    let mut server = server("320x200");
    let work = domain(&server, "work");
    let guest = Client::new(&mut server, work);
    assert_eq!(offered(&guest), in_table(|class| class != Class::Denied));
}

#[test]
fn each_domain_is_offered_what_its_policy_says() {
    let rules = "[domain.protocols]\nallowed = false\nwp_viewporter = true\n\
                 xdg_wm_base = 3\nwp_presentation = 1\n";
    let mut server = server_with("320x200", rules);
    let origins = [domain(&server, "work"), domain(&server, "web")];
    let [work, web] = origins.map(|origin| Client::new(&mut server, origin));
    assert_eq!(offered(&work), in_table(|class| class != Class::Denied));
    let mut expected = in_table(|class| !matches!(class, Class::Denied | Class::Allowed));
    expected.push(("wp_viewporter", 1));
    expected.sort_unstable();
    for (interface, version) in &mut expected {
        match *interface {
            "wp_presentation" => *version = 1,
            "xdg_wm_base" => *version = 3,
            _ => {}
        }
    }
    assert_eq!(offered(&web), expected);
}

#[test]
fn binding_what_is_not_offered_is_an_error_for_who_tries_alone() {
    let mut server = server_with("320x200", "[domain.protocols]\nwp_presentation = 1\n");
    let local = Client::new(&mut server, ClientOrigin::Local);
    let (work, web) = (domain(&server, "work"), domain(&server, "web"));
    let mut bystander = Client::new(&mut server, work);
    let seen: Vec<u32> = {
        let client = Client::new(&mut server, web.clone());
        client.told.globals.iter().map(|(name, ..)| *name).collect()
    };
    let forged: Vec<_> =
        local.told.globals.iter().filter(|(name, ..)| !seen.contains(name)).cloned().collect();
    let denied = PROTOCOLS.iter().filter(|protocol| protocol.class == Class::Denied).count();
    assert_eq!(forged.len(), denied + 1, "and the newest version of wp_presentation");
    for (name, interface, version) in forged {
        let error = forge(&mut server, web.clone(), name, &interface, version);
        assert!(error.contains(&format!("Invalid binding of {interface}")), "{error:?}");
        bystander.roundtrip(&mut server);
        assert_eq!(bystander.error(), None);
    }
}

/// Bind a global by its name, as a program does that was never told of it. What it is told then.
fn forge(
    server: &mut Server,
    origin: ClientOrigin,
    name: u32,
    interface: &str,
    version: u32,
) -> String {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    server.insert_client(theirs, origin).unwrap();
    ours.set_nonblocking(true).unwrap();
    // wl_display is object 1, and its request 1 makes the registry object 2.
    let mut bytes: Vec<u8> =
        [1, 12 << 16 | 1, 2u32].into_iter().flat_map(u32::to_ne_bytes).collect();
    let mut text = interface.as_bytes().to_vec();
    text.push(0);
    let length = text.len() as u32;
    text.resize(text.len().next_multiple_of(4), 0);
    // wl_registry.bind: name, interface, version, the new object 3.
    let size = 8 + 4 + 4 + text.len() as u32 + 4 + 4;
    bytes.extend([2, size << 16, name, length].into_iter().flat_map(u32::to_ne_bytes));
    bytes.extend(text);
    bytes.extend([version, 3].into_iter().flat_map(u32::to_ne_bytes));
    ours.write_all(&bytes).unwrap();
    let mut told = Vec::new();
    let start = Instant::now();
    loop {
        server.dispatch(Some(Duration::from_millis(1))).unwrap();
        match ours.read_to_end(&mut told) {
            Ok(_) => return String::from_utf8_lossy(&told).into_owned(),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return String::new(),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        assert!(start.elapsed() < Duration::from_secs(10), "the client stays: {interface}");
    }
}

/// Messages of Wayland end at 4096 bytes; a longer one never becomes whole.
#[test]
fn a_message_that_is_too_long_ends_its_client() {
    let mut server = server("320x200");
    let web = domain(&server, "web");
    forge(&mut server, web, 1, &"x".repeat(10_000), 1);
    let work = domain(&server, "work");
    let bystander = Client::new(&mut server, work);
    assert_eq!(bystander.error(), None);
}
