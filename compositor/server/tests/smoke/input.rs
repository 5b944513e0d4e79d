//! Input goes where it belongs, and what one domain copies stays in it.

use hyper_dmabuf_compositor::{
    client::ClientOrigin,
    input::{Input, LEFT_BUTTON},
    server::Server,
};
use wayland_client::protocol::wl_data_device::WlDataDevice;
use wayland_protocols::xdg::shell::client::xdg_positioner::{Anchor, Gravity};

use crate::{
    client::{Client, server},
    exchange::domain,
};

const GREY: [u8; 4] = [0x80, 0x80, 0x80, 0];

fn click(server: &mut Server, x: i32, y: i32) {
    server.state.inject(Input::PointerMotion { x: x.into(), y: y.into() });
    for pressed in [true, false] {
        server.state.inject(Input::PointerButton { button: LEFT_BUTTON, pressed });
    }
}

/// The middle of the window with this title.
fn middle(server: &Server, title: &str) -> (i32, i32) {
    let reports = server.state.window_reports();
    let place = reports.iter().find(|report| report.title == title).unwrap().geometry;
    (place.x + place.width / 2, place.y + place.height / 2)
}

#[test]
fn keys_go_to_the_window_that_was_clicked() {
    let mut server = server("800x400");
    let work = domain(&server, "work");
    let mut guest = Client::new(&mut server, work);
    let mut local = Client::new(&mut server, ClientOrigin::Local);
    for client in [&guest, &local] {
        client.seat.get_keyboard(&client.handle(), ());
        client.seat.get_pointer(&client.handle(), ());
    }
    guest.window(&mut server, "guest", (200, 100), GREY);
    local.window(&mut server, "local", (200, 100), GREY);
    assert!(guest.told.keyboard.is_some() && local.told.keyboard.is_none());

    let (x, y) = middle(&server, "local");
    click(&mut server, x, y);
    for pressed in [true, false] {
        server.state.inject(Input::Key { key: 30, pressed });
    }
    guest.roundtrip(&mut server);
    local.roundtrip(&mut server);
    assert_eq!(local.told.keys, [(30, true), (30, false)]);
    assert_eq!(local.told.pointer, Some((100.0, 50.0)));
    assert!(guest.told.keys.is_empty() && guest.told.pointer.is_none());
    assert!(guest.told.keyboard.is_none());
}

#[test]
fn a_menu_goes_when_something_else_is_clicked() {
    let mut server = server("640x400");
    let mut client = Client::new(&mut server, ClientOrigin::Local);
    let handle = client.handle();
    client.seat.get_pointer(&handle, ());
    let window = client.window(&mut server, "menu", (200, 100), GREY);
    let (x, y) = middle(&server, "menu");
    server.state.inject(Input::PointerMotion { x: x.into(), y: y.into() });
    server.state.inject(Input::PointerButton { button: LEFT_BUTTON, pressed: true });
    client.roundtrip(&mut server);

    let positioner = client.shell.create_positioner(&handle, ());
    positioner.set_size(60, 60);
    positioner.set_anchor_rect(100, 50, 1, 1);
    positioner.set_anchor(Anchor::BottomRight);
    positioner.set_gravity(Gravity::BottomRight);
    let surface = client.compositor.create_surface(&handle, ());
    let xdg_surface = client.shell.get_xdg_surface(&surface, &handle, ());
    let popup = xdg_surface.get_popup(Some(&window.xdg_surface), &positioner, &handle, ());
    popup.grab(&client.seat, client.told.button.unwrap());
    surface.commit();
    client.roundtrip(&mut server);
    client.show(&surface, (60, 60), GREY);
    client.roundtrip(&mut server);
    server.state.inject(Input::PointerButton { button: LEFT_BUTTON, pressed: false });
    client.roundtrip(&mut server);
    assert!(client.error().is_none() && !client.told.popup_done);

    click(&mut server, 630, 390);
    client.roundtrip(&mut server);
    assert!(client.error().is_none() && client.told.popup_done);
}

#[test]
fn what_a_domain_copies_stays_in_it() {
    let mut server = server("1200x600");
    let work = domain(&server, "work");
    let web = domain(&server, "web");
    let origins =
        [("one", work.clone()), ("two", work), ("web", web), ("local", ClientOrigin::Local)];
    let mut clients: Vec<(&str, Client, WlDataDevice)> = Vec::new();
    for (title, origin) in origins {
        let mut client = Client::new(&mut server, origin);
        let handle = client.handle();
        client.seat.get_keyboard(&handle, ());
        let device = client.data_devices.get_data_device(&client.seat, &handle, ());
        client.window(&mut server, title, (200, 100), GREY);
        clients.push((title, client, device));
    }
    let (x, y) = middle(&server, "one");
    click(&mut server, x, y);
    let (_, one, device) = &mut clients[0];
    one.roundtrip(&mut server);
    let source = one.data_devices.create_data_source(&one.handle(), ());
    source.offer("text/plain".to_owned());
    device.set_selection(Some(&source), one.told.keyboard.unwrap());
    one.roundtrip(&mut server);

    let mut see = |server: &mut Server, index: usize| {
        let (title, client, _) = &mut clients[index];
        let (x, y) = middle(server, title);
        click(server, x, y);
        client.roundtrip(server);
        assert!(client.told.keyboard.is_some(), "{title} has the keyboard");
        client.told.clipboard.is_some()
    };
    assert!(see(&mut server, 1), "the same domain can paste");
    assert!(!see(&mut server, 2), "another domain cannot");
    assert!(!see(&mut server, 3), "the display domain cannot");
    assert!(see(&mut server, 0), "and the first still can");
}
