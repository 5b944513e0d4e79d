//! How exactly programs hear when something was done.

use hyper_dmabuf_compositor::{
    input::{Input, LEFT_BUTTON},
    server::Server,
};
use smithay::utils::{Clock, Monotonic};
use wayland_client::protocol::{wl_keyboard, wl_pointer};

use crate::{
    client::{Client, server_with},
    exchange::domain,
};

const A: u32 = 30;

fn now() -> u32 {
    Clock::<Monotonic>::new().now().as_millis()
}

/// Use both devices over the window of this title. When that was, and the times that its program heard.
fn heard(server: &mut Server, client: &mut Client, title: &str) -> ((u32, u32), Vec<u32>) {
    let pointer = client.seat.get_pointer(&client.handle(), ());
    let keyboard = client.seat.get_keyboard(&client.handle(), ());
    client.roundtrip(server);
    let reports = server.state.window_reports();
    let place = reports.iter().find(|report| report.title == title).unwrap().geometry;
    let (x, y) = (f64::from(place.x) + 5.0, f64::from(place.y) + 5.0);
    server.state.inject(Input::PointerMotion { x, y });
    // A time that would not stay the same if it were coarse.
    while now().is_multiple_of(16) {
        client.roundtrip(server);
    }
    let before = now();
    server.state.inject(Input::PointerMotion { x: x + 1.0, y });
    for pressed in [true, false] {
        server.state.inject(Input::PointerButton { button: LEFT_BUTTON, pressed });
    }
    for pressed in [true, false] {
        server.state.inject(Input::Key { key: A, pressed });
    }
    let after = now();
    client.roundtrip(server);
    let pointed = client.events(&pointer).into_iter().filter_map(|event| match event {
        wl_pointer::Event::Motion { time, .. } | wl_pointer::Event::Button { time, .. } => {
            Some(*time)
        }
        _ => None,
    });
    let typed = client.events(&keyboard).into_iter().filter_map(|event| match event {
        wl_keyboard::Event::Key { time, .. } => Some(*time),
        _ => None,
    });
    ((before, after), pointed.chain(typed).collect())
}

#[test]
fn a_domain_hears_of_input_only_as_exactly_as_is_configured() {
    let coarse = "[[domain]]\nname = \"bank\"\ninput_timing = 16\n";
    let mut server = server_with("480x300", coarse);
    let bank = domain(&server, "bank");
    let mut guest = Client::new(&mut server, bank);
    guest.window(&mut server, "bank", (100, 60), [0x80, 0x80, 0x10, 0]);
    let mut local = Client::local(&mut server);
    local.window(&mut server, "local", (100, 60), [0x20, 0x80, 0xf0, 0]);

    let ((before, after), times) = heard(&mut server, &mut guest, "bank");
    assert_eq!(times.len(), 5, "a motion, a button and a key, each pressed and let go: {times:?}");
    for time in times {
        assert_eq!(time % 16, 0);
        assert!((before - before % 16..=after).contains(&time), "{before} {time} {after}");
    }
    let ((before, after), times) = heard(&mut server, &mut local, "local");
    assert_eq!(times.len(), 5, "{times:?}");
    for time in times {
        assert!((before..=after).contains(&time), "{before} {time} {after}");
    }
}
