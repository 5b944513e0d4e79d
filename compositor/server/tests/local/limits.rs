//! Whoever asks for more than it may have is disconnected, and nothing else changes: the domain's other
//! programs go on, and the screen looks as it did.

use std::os::fd::AsFd;

use hyper_dmabuf_compositor::{client::ClientOrigin, server::Server};
use wayland_client::protocol::{
    wl_compositor::WlCompositor, wl_shm, wl_subcompositor::WlSubcompositor, wl_surface::WlSurface,
};

use crate::client::{Client, server_with};

const ORANGE: [u8; 4] = [0x20, 0x80, 0xf0, 0];
const TEAL: [u8; 4] = [0x80, 0x80, 0x10, 0];

fn domain(server: &Server, name: &str) -> ClientOrigin {
    ClientOrigin::Domain(server.state.domains.by_name(name).unwrap().domain.clone())
}

/// `wl_display.error.implementation`.
fn expelled() -> Option<(String, u32)> {
    Some(("wl_display".to_owned(), 3))
}

/// A small pool of memory.
fn pool(client: &Client) -> wayland_client::protocol::wl_shm_pool::WlShmPool {
    let file = tempfile::tempfile().unwrap();
    file.set_len(4096).unwrap();
    client.shm.create_pool(file.as_fd(), 4096, &client.handle(), ())
}

/// Something that asks for ever more, and the limit that it meets.
type Excess = (&'static str, fn(&mut Client, &mut Server));

const EXCESSES: [Excess; 9] = [
    ("limits.surfaces", |client, _| {
        (0..60).for_each(|_| drop(client.surface()));
    }),
    ("limits.windows", |client, server| {
        for number in 0..6 {
            client.toplevel(server, &number.to_string());
        }
    }),
    ("limits.pools", |client, _| {
        (0..12).for_each(|_| drop(pool(client)));
    }),
    ("limits.buffers", |client, _| {
        let (pool, handle) = (pool(client), client.handle());
        for _ in 0..20 {
            pool.create_buffer(0, 8, 8, 32, wl_shm::Format::Xrgb8888, &handle, ());
        }
    }),
    ("subsurfaces", |client, _| {
        let subcompositor: WlSubcompositor = client.bind(1);
        let mut parent = client.surface();
        for _ in 0..34 {
            let child = client.surface();
            subcompositor.get_subsurface(&child, &parent, &client.handle(), ());
            parent = child;
        }
    }),
    ("rectangles of a region", |client, _| {
        let region = client.compositor.create_region(&client.handle(), ());
        (0..1100).for_each(|at| region.add(at, 0, 1, 1));
    }),
    ("frame callbacks", |client, _| {
        let surface = client.surface();
        (0..1100).for_each(|_| drop(surface.frame(&client.handle(), ())));
    }),
    ("idle inhibitors", |client, server| {
        use wayland_protocols::wp::idle_inhibit::zv1::client::zwp_idle_inhibit_manager_v1::ZwpIdleInhibitManagerV1;
        let window = client.window(server, "restless", (20, 20), ORANGE);
        let manager: ZwpIdleInhibitManagerV1 = client.bind(1);
        for _ in 0..2000 {
            manager.create_inhibitor(&window.surface, &client.handle(), ());
        }
    }),
    ("a cursor's scale", |client, _| {
        let surface: WlSurface = client.surface();
        surface.set_buffer_scale(1 << 20);
    }),
];

#[test]
fn who_asks_for_too_much_goes_alone() {
    let limits = "[limits]\nsurfaces = 40\nwindows = 4\npools = 8\nbuffers = 16\n\
                  [[domain]]\nname = \"bank\"\n";
    let mut server = server_with("480x300", limits);
    let (bank, work) = (domain(&server, "bank"), domain(&server, "work"));
    let mut neighbour = Client::new(&mut server, bank);
    neighbour.window(&mut server, "neighbour", (100, 60), TEAL);
    let mut sibling = Client::new(&mut server, work.clone());
    sibling.window(&mut server, "sibling", (100, 60), ORANGE);
    let before = server.state.screenshot().unwrap();
    let reports = server.state.domain_reports();
    for (what, excess) in EXCESSES {
        let mut client = Client::new(&mut server, work.clone());
        excess(&mut client, &mut server);
        client.roundtrip(&mut server);
        let error = client.error();
        if what == "a cursor's scale" {
            assert_eq!(error, Some(("wl_surface".to_owned(), 0)), "{what}");
        } else {
            assert_eq!(error, expelled(), "{what}");
        }
        for other in [&mut sibling, &mut neighbour] {
            other.roundtrip(&mut server);
            assert_eq!(other.error(), None, "{what}");
        }
        assert_eq!(server.state.screenshot().unwrap().pixels(), before.pixels(), "{what}");
        assert_eq!(server.state.domain_reports(), reports, "{what}: all is given back");
    }
}

#[test]
fn what_is_given_back_may_be_had_again() {
    let mut server = server_with("320x240", "[limits]\nsurfaces = 4\npools = 2\nbuffers = 2\n");
    let work = domain(&server, "work");
    let mut client = Client::new(&mut server, work);
    for _ in 0..50 {
        let surfaces: [_; 3] = std::array::from_fn(|_| client.surface());
        let pools: [_; 2] = std::array::from_fn(|_| pool(&client));
        let format = wl_shm::Format::Xrgb8888;
        let buffers = pools
            .each_ref()
            .map(|pool| pool.create_buffer(0, 8, 8, 32, format, &client.handle(), ()));
        surfaces.iter().for_each(WlSurface::destroy);
        pools.iter().for_each(|pool| pool.destroy());
        buffers.iter().for_each(|buffer| buffer.destroy());
    }
    client.roundtrip(&mut server);
    assert_eq!(client.error(), None);
    let reports = server.state.domain_reports();
    let report = reports.iter().find(|report| report.name == "work").unwrap();
    assert_eq!((report.surfaces, report.pools, report.buffers), (0, 0, 0));
    let compositor: WlCompositor = client.bind(4);
    (0..5).for_each(|_| drop(compositor.create_surface(&client.handle(), ())));
    client.roundtrip(&mut server);
    assert_eq!(client.error(), expelled());
}
