//! The compositor and its clients in one thread: what is seen, what is refused, and that nothing
//! happens when nothing changes.

mod client;
#[path = "../exchange/mod.rs"]
mod exchange;
mod input;
mod offered;
mod typing;

use std::{os::fd::AsFd, time::Duration};

use client::{Client, server};
use exchange::{domain, memory};
use hyper_dmabuf_compositor::{
    client::ClientOrigin,
    colour::Colour,
    image::Image,
    input::{Input, LEFT_BUTTON},
};
use wayland_client::protocol::wl_shm;
use wayland_protocols::xdg::shell::client::xdg_positioner::{
    Anchor, ConstraintAdjustment, Gravity,
};

/// Blue, green, red.
const ORANGE: [u8; 4] = [0x20, 0x80, 0xf0, 0];
const TEAL: [u8; 4] = [0x80, 0x80, 0x10, 0];

fn seen(pixel: [u8; 4]) -> Option<Colour> {
    Some(Colour::new(pixel[2], pixel[1], pixel[0]))
}

/// Keep a picture for people if `SMOKE_PICTURES` names a directory.
fn keep(name: &str, image: &Image) {
    if let Some(directory) = std::env::var_os("SMOKE_PICTURES") {
        image.write(&std::path::Path::new(&directory).join(format!("{name}.png"))).unwrap();
    }
}

#[test]
fn a_window_appears_with_the_frame_of_its_domain() {
    let mut server = server("640x400");
    let work = domain(&server, "work");
    let colour = work.domain().unwrap().colour();
    let mut client = Client::new(&mut server, work);
    client.window(&mut server, "Quarterly report", (200, 100), ORANGE);

    let reports = server.state.window_reports();
    assert_eq!(reports.len(), 1);
    let (window, frame) = (reports[0].geometry, reports[0].frame);
    assert_eq!((window.width, window.height), (200, 100));
    assert_eq!((frame.x, frame.y), (16, 16));
    assert_eq!(reports[0].domain.as_deref(), Some("work"));
    assert_eq!(reports[0].title, "Quarterly report");
    assert!(reports[0].mapped && reports[0].activated);

    let image = server.state.screenshot().unwrap();
    keep("domain-window", &image);
    let at = |x: i32, y: i32| image.pixel(x as u32, y as u32);
    let background = at(0, 0);
    let (right, bottom) = (window.x + window.width - 1, window.y + window.height - 1);
    for (x, y) in [(window.x, window.y), (right, window.y), (window.x, bottom), (right, bottom)] {
        assert_eq!(at(x, y), seen(ORANGE), "the client's corner at {x},{y}");
    }
    for (x, y) in [
        (window.x - 1, bottom),
        (right + 1, bottom),
        (window.x, bottom + 1),
        (frame.x, frame.y),
        (frame.x + frame.width - 1, frame.y + frame.height - 1),
    ] {
        assert_eq!(at(x, y), Some(colour), "the frame at {x},{y}");
    }
    assert_eq!(at(frame.x - 1, frame.y), background);
    assert_eq!(at(frame.x, frame.y + frame.height), background);
}

#[test]
fn windows_of_different_domains_lie_side_by_side() {
    let mut server = server("900x500");
    let mut clients = Vec::new();
    for (name, pixel, title) in
        [("work", ORANGE, "Mail"), ("web", TEAL, "A page with a title that is far too long for it")]
    {
        let origin = domain(&server, name);
        let mut client = Client::new(&mut server, origin);
        client.window(&mut server, title, (260, 160), pixel);
        clients.push(client);
    }
    let mut local = Client::new(&mut server, ClientOrigin::Local);
    local.window(&mut server, "\u{202e}Notes\u{200b}", (260, 160), [0xd0, 0xd0, 0xd0, 0]);
    let web = domain(&server, "web");
    let mut tiny = Client::new(&mut server, web);
    tiny.window(&mut server, "tiny", (20, 20), ORANGE);

    let image = server.state.screenshot().unwrap();
    keep("side-by-side", &image);
    let reports = server.state.window_reports();
    assert_eq!(reports.len(), 4);
    for (index, a) in reports.iter().enumerate() {
        for b in &reports[..index] {
            let apart = a.frame.x + a.frame.width <= b.frame.x
                || b.frame.x + b.frame.width <= a.frame.x
                || a.frame.y + a.frame.height <= b.frame.y
                || b.frame.y + b.frame.height <= a.frame.y;
            assert!(apart, "{a:?} and {b:?} overlap");
        }
    }
    assert!(reports.iter().any(|report| report.title == "Notes"));
    // The keyboard stays with the domain that had it.
    let active: Vec<_> = reports.iter().filter(|report| report.activated).collect();
    assert_eq!(active.len(), 1);
    assert_eq!(active[0].domain.as_deref(), Some("work"));
}

#[test]
fn the_same_again_gives_the_same_picture() {
    let picture = || {
        let mut server = server("640x400");
        let work = domain(&server, "work");
        let mut client = Client::new(&mut server, work);
        client.window(&mut server, "first", (150, 90), ORANGE);
        client.window(&mut server, "second", (190, 50), TEAL);
        server.state.screenshot().unwrap()
    };
    assert_eq!(picture(), picture());
}

#[test]
fn nothing_is_drawn_while_nothing_changes() {
    let mut server = server("320x240");
    let mut client = Client::new(&mut server, ClientOrigin::Local);
    let window = client.window(&mut server, "still", (50, 50), ORANGE);
    let drawn = server.state.pictures_drawn();
    for _ in 0..20 {
        server.dispatch(Some(Duration::from_millis(2))).unwrap();
    }
    client.roundtrip(&mut server);
    assert_eq!(server.state.pictures_drawn(), drawn);
    // A frame callback without damage is answered all the same.
    window.surface.frame(&client.handle(), ());
    window.surface.commit();
    client.roundtrip(&mut server);
    assert_eq!(server.state.pictures_drawn(), drawn + 1);
}

#[test]
fn a_pool_resized_to_nothing_is_its_clients_error_alone() {
    let mut server = server("320x240");
    let mut good = Client::new(&mut server, ClientOrigin::Local);
    good.window(&mut server, "good", (50, 50), ORANGE);
    for size in [0, -1, i32::MIN] {
        let mut bad = Client::new(&mut server, ClientOrigin::Local);
        let (fd, length) = memory(&[0; 4096]);
        let pool = bad.shm.create_pool(fd.as_fd(), length, &bad.handle(), ());
        pool.resize(size);
        bad.roundtrip(&mut server);
        assert_eq!(bad.error(), Some(("wl_shm_pool".into(), wl_shm::Error::InvalidFd as u32)));
    }
    good.window(&mut server, "lives on", (60, 40), TEAL);
    assert_eq!(good.error(), None);
    assert_eq!(server.state.window_reports().len(), 2);
}

#[test]
fn a_buffer_before_the_first_configure_is_an_error() {
    let mut server = server("320x240");
    let mut client = Client::new(&mut server, ClientOrigin::Local);
    let surface = client.compositor.create_surface(&client.handle(), ());
    let xdg_surface = client.shell.get_xdg_surface(&surface, &client.handle(), ());
    let _toplevel = xdg_surface.get_toplevel(&client.handle(), ());
    client.show(&surface, (10, 10), ORANGE);
    client.roundtrip(&mut server);
    assert_eq!(client.error(), Some(("xdg_surface".into(), 3)));
}

#[test]
fn no_client_draws_outside_its_window() {
    let mut server = server("640x400");
    let work = domain(&server, "work");
    let mut client = Client::new(&mut server, work);
    let window = client.toplevel(&mut server, "spoof");
    window.xdg_surface.set_window_geometry(50, 50, 200, 100);
    client.show(&window.surface, (300, 200), ORANGE);
    let child = client.compositor.create_surface(&client.handle(), ());
    let sub = client.subcompositor.get_subsurface(&child, &window.surface, &client.handle(), ());
    sub.set_position(-500, -500);
    client.show(&child, (2000, 2000), TEAL);
    window.surface.commit();
    client.roundtrip(&mut server);
    assert_eq!(client.error(), None);
    let image = server.state.screenshot().unwrap();
    keep("spoof", &image);
    let report = &server.state.window_reports()[0];
    let client_area = report.geometry;
    assert_eq!((client_area.width, client_area.height), (200, 100));
    for y in 0..image.height() {
        for x in 0..image.width() {
            let inside = (client_area.x..client_area.x + 200).contains(&(x as i32))
                && (client_area.y..client_area.y + 100).contains(&(y as i32));
            if !inside {
                assert_ne!(image.pixel(x, y), seen(TEAL), "at {x},{y}");
                assert_ne!(image.pixel(x, y), seen(ORANGE), "at {x},{y}");
            }
        }
    }
    assert_eq!(image.pixel(client_area.x as u32, client_area.y as u32), seen(TEAL));
}

#[test]
fn absurd_numbers_disturb_nobody() {
    let mut server = server("640x400");
    let mut good = Client::new(&mut server, ClientOrigin::Local);
    good.window(&mut server, "good", (50, 50), ORANGE);
    let mut bad = Client::new(&mut server, ClientOrigin::Local);
    let window = bad.window(&mut server, &"x".repeat(3000), (40, 40), TEAL);
    let handle = bad.handle();
    window.surface.damage(i32::MIN, i32::MAX, -5, i32::MAX);
    window.surface.damage_buffer(i32::MAX, i32::MAX, i32::MAX, i32::MAX);
    for step in 0..5000 {
        window.surface.damage_buffer(step, step, 1, 1);
    }
    let region = bad.compositor.create_region(&handle, ());
    region.add(i32::MIN, i32::MIN, i32::MAX, -1);
    region.subtract(i32::MAX, i32::MAX, i32::MAX, i32::MAX);
    window.surface.set_input_region(Some(&region));
    window.surface.set_opaque_region(Some(&region));
    window.toplevel.set_min_size(i32::MAX, i32::MAX);
    window.toplevel.set_max_size(1, 1);
    window.xdg_surface.set_window_geometry(i32::MIN, i32::MAX, i32::MAX, i32::MAX);
    let viewport = bad.viewporter.get_viewport(&window.surface, &handle, ());
    viewport.set_source(0.0, 0.0, 0.00390625, 0.00390625);
    viewport.set_destination(i32::MAX, i32::MAX);
    bad.show(&window.surface, (40, 40), TEAL);
    bad.roundtrip(&mut server);
    let image = server.state.screenshot().unwrap();
    keep("absurd", &image);
    good.roundtrip(&mut server);
    assert_eq!(good.error(), None);
    let place = server
        .state
        .window_reports()
        .iter()
        .find(|report| report.title == "good")
        .unwrap()
        .geometry;
    let _ = image.pixel(place.x as u32, place.y as u32);
    for report in server.state.window_reports() {
        assert!(report.geometry.width <= 16_384 && report.title.chars().count() <= 200);
    }
}

#[test]
fn too_much_is_refused() {
    let mut server = server("320x240");
    let mut good = Client::new(&mut server, ClientOrigin::Local);

    let mut deep = Client::new(&mut server, ClientOrigin::Local);
    let surfaces: Vec<_> =
        (0..3000).map(|_| deep.compositor.create_surface(&deep.handle(), ())).collect();
    // From the bottom up, so that no single step looks deep from above.
    for pair in surfaces.windows(2) {
        deep.subcompositor.get_subsurface(&pair[0], &pair[1], &deep.handle(), ());
    }
    deep.roundtrip(&mut server);
    assert!(deep.error().is_some());

    let mut many = Client::new(&mut server, ClientOrigin::Local);
    let region = many.compositor.create_region(&many.handle(), ());
    for _ in 0..2000 {
        region.add(0, 0, 1, 1);
    }
    many.roundtrip(&mut server);
    assert!(many.error().is_some());

    good.window(&mut server, "good", (50, 50), ORANGE);
    assert_eq!(good.error(), None);
}

#[test]
fn popups_stay_on_the_output_and_in_a_tree() {
    let mut server = server("400x300");
    let web = domain(&server, "web");
    let mut client = Client::new(&mut server, web);
    let window = client.window(&mut server, "menu", (300, 200), ORANGE);
    let handle = client.handle();
    let positioner = client.shell.create_positioner(&handle, ());
    positioner.set_size(120, 80);
    positioner.set_anchor_rect(280, 190, 10, 10);
    positioner.set_anchor(Anchor::BottomRight);
    positioner.set_gravity(Gravity::BottomRight);
    positioner
        .set_constraint_adjustment(ConstraintAdjustment::SlideX | ConstraintAdjustment::SlideY);
    let surface = client.compositor.create_surface(&handle, ());
    let xdg_surface = client.shell.get_xdg_surface(&surface, &handle, ());
    let popup = xdg_surface.get_popup(Some(&window.xdg_surface), &positioner, &handle, ());
    surface.commit();
    client.roundtrip(&mut server);
    let window_area = server.state.window_reports()[0].geometry;
    // The last two pixels are for its border.
    let (left, top) = (400 - 120 - 2, 300 - 80 - 2);
    assert_eq!(client.told.popup, Some((left - window_area.x, top - window_area.y)));
    client.show(&surface, (120, 80), TEAL);
    client.roundtrip(&mut server);
    let image = server.state.screenshot().unwrap();
    keep("popup", &image);
    let red = Some(Colour::new(0xa8, 0x3f, 0x3a));
    let at = |x: i32, y: i32| image.pixel(x as u32, y as u32);
    assert_eq!((at(left, top), at(397, 297)), (seen(TEAL), seen(TEAL)));
    for (x, y) in [(left - 1, top), (left, top - 1), (399, 297), (397, 299), (399, 299)] {
        assert_eq!(at(x, y), red, "the popup's border at {x},{y}");
    }

    // A ring: the second hangs on the first, the first is made anew on the second.
    let second = client.compositor.create_surface(&handle, ());
    let second_xdg = client.shell.get_xdg_surface(&second, &handle, ());
    let _second_popup = second_xdg.get_popup(Some(&xdg_surface), &positioner, &handle, ());
    popup.destroy();
    let _ring = xdg_surface.get_popup(Some(&second_xdg), &positioner, &handle, ());
    client.roundtrip(&mut server);
    assert!(client.error().is_some());

    let mut orphan = Client::new(&mut server, ClientOrigin::Local);
    let positioner = orphan.shell.create_positioner(&orphan.handle(), ());
    positioner.set_size(10, 10);
    positioner.set_anchor_rect(0, 0, 1, 1);
    let surface = orphan.compositor.create_surface(&orphan.handle(), ());
    let xdg_surface = orphan.shell.get_xdg_surface(&surface, &orphan.handle(), ());
    let _popup = xdg_surface.get_popup(None, &positioner, &orphan.handle(), ());
    // A local client's popup may hang on a panel, which only its first commit tells.
    surface.commit();
    orphan.roundtrip(&mut server);
    assert!(orphan.error().is_some());
}

#[test]
fn the_frame_moves_resizes_and_closes() {
    let mut server = server("640x400");
    let mut client = Client::new(&mut server, ClientOrigin::Local);
    client.window(&mut server, "drag me", (200, 100), ORANGE);
    let before = server.state.window_reports()[0].clone();
    let press = |server: &mut hyper_dmabuf_compositor::server::Server, pressed| {
        server.state.inject(Input::PointerButton { button: LEFT_BUTTON, pressed });
    };
    let point = |server: &mut hyper_dmabuf_compositor::server::Server, x: i32, y: i32| {
        server.state.inject(Input::PointerMotion { x: x.into(), y: y.into() });
    };
    let bar = (before.frame.x + 60, before.frame.y + 10);
    point(&mut server, bar.0, bar.1);
    press(&mut server, true);
    point(&mut server, bar.0 + 70, bar.1 + 50);
    press(&mut server, false);
    point(&mut server, 600, 390);
    let moved = server.state.window_reports()[0].clone();
    assert_eq!((moved.frame.x, moved.frame.y), (before.frame.x + 70, before.frame.y + 50));

    let corner = (moved.frame.x + moved.frame.width - 2, moved.frame.y + moved.frame.height - 2);
    point(&mut server, corner.0, corner.1);
    press(&mut server, true);
    point(&mut server, corner.0 + 30, corner.1 - 20);
    press(&mut server, false);
    client.roundtrip(&mut server);
    assert_eq!(client.told.size, (230, 80));

    let close = (moved.frame.x + moved.frame.width - 14, moved.frame.y + 12);
    point(&mut server, close.0, close.1);
    press(&mut server, true);
    press(&mut server, false);
    client.roundtrip(&mut server);
    assert!(client.told.closed);
}

#[test]
fn a_domains_window_keeps_its_frame_in_full_screen() {
    let mut server = server("640x400");
    let work = domain(&server, "work");
    let mut guest = Client::new(&mut server, work);
    let window = guest.window(&mut server, "all", (200, 100), ORANGE);
    window.toplevel.set_fullscreen(None);
    guest.roundtrip(&mut server);
    let (width, height) = guest.told.size;
    assert!(width < 640 && height < 400, "{width}x{height}");
    guest.show(&window.surface, (width, height), ORANGE);
    guest.roundtrip(&mut server);
    let frame = server.state.window_reports()[0].frame;
    assert_eq!((frame.x, frame.y, frame.width, frame.height), (0, 0, 640, 400));

    let mut local = Client::new(&mut server, ClientOrigin::Local);
    let window = local.window(&mut server, "all", (200, 100), TEAL);
    window.toplevel.set_fullscreen(None);
    local.roundtrip(&mut server);
    assert_eq!(local.told.size, (640, 400));
    window.toplevel.unset_fullscreen();
    local.roundtrip(&mut server);
    assert_eq!(local.told.size, (200, 100));
}

#[test]
fn memory_that_vanishes_takes_only_its_client() {
    let mut server = server("320x240");
    let mut good = Client::new(&mut server, ClientOrigin::Local);
    good.window(&mut server, "good", (50, 50), ORANGE);
    let mut bad = Client::new(&mut server, ClientOrigin::Local);
    let window = bad.toplevel(&mut server, "shrinks");
    let (fd, size) = memory(&TEAL.repeat(100 * 100));
    let pool = bad.shm.create_pool(fd.as_fd(), size, &bad.handle(), ());
    let buffer = pool.create_buffer(0, 100, 100, 400, wl_shm::Format::Xrgb8888, &bad.handle(), ());
    std::fs::File::from(fd).set_len(0).unwrap();
    window.surface.attach(Some(&buffer), 0, 0);
    window.surface.damage_buffer(0, 0, 100, 100);
    window.surface.commit();
    bad.roundtrip(&mut server);
    server.state.render_now().unwrap();
    bad.roundtrip(&mut server);
    assert!(bad.error().is_some());
    good.roundtrip(&mut server);
    let image = server.state.screenshot().unwrap();
    let place = server.state.window_reports()[0].geometry;
    assert_eq!(image.pixel(place.x as u32, place.y as u32), seen(ORANGE));
    assert_eq!(server.state.window_reports().len(), 1);
}
