//! Where surfaces lie below their windows, and what is told before one goes.

use hyper_dmabuf_compositor::{input::Input, server::Server};
use wayland_client::{
    Proxy,
    protocol::{
        wl_pointer::{self, WlPointer},
        wl_subcompositor::WlSubcompositor,
        wl_subsurface::WlSubsurface,
        wl_surface::WlSurface,
        wl_touch,
    },
};

use crate::client::{Client, Window, server};

const ORANGE: [u8; 4] = [0x20, 0x80, 0xf0, 0];
const TEAL: [u8; 4] = [0x80, 0x80, 0x10, 0];

/// A window of 200 by 100 pixels, and where it lies.
fn a_window(client: &mut Client, server: &mut Server) -> (Window, (f64, f64)) {
    let window = client.window(server, "parent", (200, 100), ORANGE);
    let place = server.state.window_reports()[0].geometry;
    (window, (f64::from(place.x), f64::from(place.y)))
}

/// A subsurface of 50 by 50 pixels that is to be seen once its parent is committed.
fn below(client: &mut Client, parent: &WlSurface) -> (WlSurface, WlSubsurface) {
    let subcompositor: WlSubcompositor = client.bind(1);
    let surface = client.surface();
    let role = subcompositor.get_subsurface(&surface, parent, &client.handle(), ());
    client.show(&surface, (50, 50), TEAL);
    (surface, role)
}

/// The surface there, and where it lies in the window at `corner`.
fn entered(
    client: &mut Client,
    server: &mut Server,
    pointer: &WlPointer,
    corner: (f64, f64),
) -> (WlSurface, (f64, f64)) {
    let (dx, dy) = (35.0, 36.0);
    server.state.inject(Input::PointerMotion { x: 0.0, y: 0.0 });
    server.state.inject(Input::PointerMotion { x: corner.0 + dx, y: corner.1 + dy });
    client.roundtrip(server);
    let events = client.take_events(pointer).into_iter().rev();
    let mut entered = events.filter_map(|event| match event {
        wl_pointer::Event::Enter { surface, surface_x, surface_y, .. } => {
            Some((surface, (dx - surface_x, dy - surface_y)))
        }
        _ => None,
    });
    entered.next().expect("a surface")
}

/// Where a surface lies in the window at `corner` once all that was said is done. It is the topmost there.
fn place_of(
    surface: &WlSurface,
    client: &mut Client,
    server: &mut Server,
    pointer: &WlPointer,
    corner: (f64, f64),
) -> (f64, f64) {
    client.roundtrip(server);
    let (under, place) = entered(client, server, pointer, corner);
    assert_eq!(under, *surface);
    place
}

#[test]
fn a_subsurface_moves_with_the_next_state_of_its_parent() {
    let mut server = server("640x400");
    let mut client = Client::local(&mut server);
    let pointer = client.seat.get_pointer(&client.handle(), ());
    let (window, corner) = a_window(&mut client, &mut server);
    let (surface, role) = below(&mut client, &window.surface);
    window.surface.commit();
    role.set_desync();
    let place = |client: &mut Client, server: &mut Server| {
        place_of(&surface, client, server, &pointer, corner)
    };
    assert_eq!(place(&mut client, &mut server), (0.0, 0.0));
    role.set_position(20, 10);
    surface.commit();
    assert_eq!(place(&mut client, &mut server), (0.0, 0.0), "only its own state is committed");
    window.surface.commit();
    assert_eq!(place(&mut client, &mut server), (20.0, 10.0));
    client.show(&surface, (50, 50), ORANGE);
    assert_eq!(place(&mut client, &mut server), (20.0, 10.0), "its own state has no place");
}

#[test]
fn a_subsurface_of_a_synchronised_one_waits_for_both_above() {
    let mut server = server("640x400");
    let mut client = Client::local(&mut server);
    let pointer = client.seat.get_pointer(&client.handle(), ());
    let (window, corner) = a_window(&mut client, &mut server);
    let (middle, _role) = below(&mut client, &window.surface);
    let (surface, role) = below(&mut client, &middle);
    middle.commit();
    window.surface.commit();
    let place = |client: &mut Client, server: &mut Server| {
        place_of(&surface, client, server, &pointer, corner)
    };
    assert_eq!(place(&mut client, &mut server), (0.0, 0.0));
    role.set_position(20, 10);
    window.surface.commit();
    assert_eq!(place(&mut client, &mut server), (0.0, 0.0), "its parent is not committed");
    middle.commit();
    assert_eq!(place(&mut client, &mut server), (0.0, 0.0), "its parent waits for the window");
    window.surface.commit();
    assert_eq!(place(&mut client, &mut server), (20.0, 10.0));
    // A new role begins at the corner.
    role.destroy();
    let subcompositor: WlSubcompositor = client.bind(1);
    let _again = subcompositor.get_subsurface(&surface, &middle, &client.handle(), ());
    client.show(&surface, (50, 50), TEAL);
    middle.commit();
    window.surface.commit();
    assert_eq!(place(&mut client, &mut server), (0.0, 0.0));
}

#[test]
fn pointer_and_fingers_are_taken_off_a_surface_that_goes() {
    let mut server = server("640x400");
    let mut client = Client::local(&mut server);
    let pointer = client.seat.get_pointer(&client.handle(), ());
    let touch = client.seat.get_touch(&client.handle(), ());
    let (window, corner) = a_window(&mut client, &mut server);
    let (surface, role) = below(&mut client, &window.surface);
    window.surface.commit();
    client.roundtrip(&mut server);
    assert_eq!(entered(&mut client, &mut server, &pointer, corner).0, surface);
    for finger in [0, 1] {
        let (x, y) = (corner.0 + 5.0, corner.1 + 5.0);
        server.state.inject(Input::Touch { finger, x, y, down: true });
    }
    client.roundtrip(&mut server);
    client.take_events(&touch);

    role.destroy();
    surface.destroy();
    client.roundtrip(&mut server);
    let told = client.take_events(&pointer);
    let leaves = |event: &wl_pointer::Event| matches!(event, wl_pointer::Event::Leave { surface: left, .. } if left.id() == surface.id());
    let enters = |event: &wl_pointer::Event| matches!(event, wl_pointer::Event::Enter { surface, .. } if *surface == window.surface);
    let left = told.iter().position(leaves).expect("it was left");
    let come = told.iter().position(enters).expect("the window was entered");
    assert!(left < come, "{told:?}");
    let up = client.take_events(&touch).into_iter().filter_map(|event| match event {
        wl_touch::Event::Up { id, .. } => Some(id),
        _ => None,
    });
    assert_eq!(up.collect::<Vec<_>>(), [0, 1]);
    // They are heard of again only when they come down again.
    for finger in [0, 1] {
        server.state.inject(Input::TouchUp { finger });
    }
    client.roundtrip(&mut server);
    assert!(client.take_events(&touch).is_empty());
}
