//! Pointers that programs hold and that tools move, and sandboxes.

use std::os::{
    fd::AsFd,
    unix::net::{UnixListener, UnixStream},
};

use hyper_dmabuf_compositor::{
    input::{Input, LEFT_BUTTON},
    server::Server,
};
use wayland_client::{
    WEnum,
    protocol::{
        wl_pointer::{self, Axis, AxisSource, WlPointer},
        wl_surface::WlSurface,
    },
};
use wayland_protocols::wp::{
    pointer_constraints::zv1::client::{
        zwp_confined_pointer_v1, zwp_locked_pointer_v1,
        zwp_pointer_constraints_v1::{Lifetime, ZwpPointerConstraintsV1},
    },
    relative_pointer::zv1::client::{
        zwp_relative_pointer_manager_v1::ZwpRelativePointerManagerV1, zwp_relative_pointer_v1,
    },
    security_context::v1::client::wp_security_context_manager_v1::WpSecurityContextManagerV1,
};
use wayland_protocols_wlr::{
    output_management::v1::client::zwlr_output_manager_v1::ZwlrOutputManagerV1,
    screencopy::v1::client::zwlr_screencopy_manager_v1::ZwlrScreencopyManagerV1,
    virtual_pointer::v1::client::zwlr_virtual_pointer_manager_v1::ZwlrVirtualPointerManagerV1,
};

use crate::client::{Client, server, work};

const ORANGE: [u8; 4] = [0x20, 0x80, 0xf0, 0];

/// A guest with a window under the pointer, which is at 10,10 in it.
fn a_guest(server: &mut Server) -> (Client, WlPointer, WlSurface, (f64, f64)) {
    let origin = work(server);
    let mut guest = Client::new(server, origin);
    let pointer = guest.seat.get_pointer(&guest.handle(), ());
    let window = guest.window(server, "game", (200, 100), ORANGE);
    let place = server.state.window_reports()[0].geometry;
    let corner = (f64::from(place.x), f64::from(place.y));
    server.state.inject(Input::PointerMotion { x: corner.0 + 10.0, y: corner.1 + 10.0 });
    guest.roundtrip(server);
    guest.take_events(&pointer);
    (guest, pointer, window.surface, corner)
}

fn motions(client: &mut Client, server: &mut Server, pointer: &WlPointer) -> Vec<(f64, f64)> {
    client.roundtrip(server);
    let events = client.take_events(pointer).into_iter().filter_map(|event| match event {
        wl_pointer::Event::Motion { surface_x, surface_y, .. } => Some((surface_x, surface_y)),
        _ => None,
    });
    events.collect()
}

/// Super, Shift and Return: the window has what it asks for.
fn allow(server: &mut Server) {
    let keys = [125, 42, 28];
    for (key, pressed) in
        keys.map(|key| (key, true)).into_iter().chain(keys.map(|key| (key, false)))
    {
        server.state.inject(Input::Key { key, pressed });
    }
}

#[test]
fn a_locked_pointer_stays_and_is_taken_back() {
    let mut server = server("640x400");
    let (mut guest, pointer, surface, corner) = a_guest(&mut server);
    let handle = guest.handle();
    let constraints: ZwpPointerConstraintsV1 = guest.bind(1);
    let relative: ZwpRelativePointerManagerV1 = guest.bind(1);
    let moves = relative.get_relative_pointer(&pointer, &handle, ());
    let lock =
        constraints.lock_pointer(&surface, &pointer, None, Lifetime::Persistent, &handle, ());
    guest.roundtrip(&mut server);
    assert!(guest.events(&lock).is_empty(), "not without a person's consent");
    let note = server.state.last_note().unwrap();
    assert_eq!(note.text, "asks to hold the pointer. Super+Shift+Return allows it");
    allow(&mut server);
    guest.roundtrip(&mut server);
    assert!(matches!(guest.events(&lock)[..], [zwp_locked_pointer_v1::Event::Locked]));
    server.state.inject(Input::PointerMotion { x: corner.0 + 15.0, y: corner.1 + 12.0 });
    server.state.inject(Input::PointerMotion { x: corner.0 + 18.0, y: corner.1 + 12.0 });
    assert_eq!(motions(&mut guest, &mut server, &pointer), []);
    let by: Vec<_> = guest
        .events(&moves)
        .into_iter()
        .map(|event| match event {
            zwp_relative_pointer_v1::Event::RelativeMotion { dx, dy, .. } => (*dx, *dy),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(by, [(5.0, 2.0), (3.0, 0.0)]);

    // Super and Escape: the person has it back.
    for (key, pressed) in [(125, true), (1, true), (1, false), (125, false)] {
        server.state.inject(Input::Key { key, pressed });
    }
    server.state.inject(Input::PointerMotion { x: corner.0 + 20.0, y: corner.1 + 12.0 });
    assert_eq!(motions(&mut guest, &mut server, &pointer), [(20.0, 12.0)]);
    assert!(matches!(guest.events(&lock)[1..], [zwp_locked_pointer_v1::Event::Unlocked]));
}

#[test]
fn a_confined_pointer_stays_in_its_window_while_that_has_the_keyboard() {
    let mut server = server("640x400");
    let (mut guest, pointer, surface, corner) = a_guest(&mut server);
    let constraints: ZwpPointerConstraintsV1 = guest.bind(1);
    let handle = guest.handle();
    let confined =
        constraints.confine_pointer(&surface, &pointer, None, Lifetime::Persistent, &handle, ());
    guest.roundtrip(&mut server);
    allow(&mut server);
    guest.roundtrip(&mut server);
    assert!(matches!(guest.events(&confined)[..], [zwp_confined_pointer_v1::Event::Confined]));
    server.state.inject(Input::PointerMotion { x: 639.0, y: corner.1 + 50.0 });
    let last = *motions(&mut guest, &mut server, &pointer).last().unwrap();
    assert_eq!(last, (199.0, 50.0));

    // With the keyboard it loses the pointer.
    let mut local = Client::local(&mut server);
    local.window(&mut server, "other", (100, 50), ORANGE);
    for (key, pressed) in [(125, true), (15, true), (15, false), (125, false)] {
        server.state.inject(Input::Key { key, pressed });
    }
    guest.roundtrip(&mut server);
    let last = guest.events(&confined).into_iter().last();
    assert!(matches!(last, Some(zwp_confined_pointer_v1::Event::Unconfined)));
}

#[test]
fn a_tool_moves_the_pointer() {
    let mut server = server("640x400");
    let (mut guest, pointer, _, corner) = a_guest(&mut server);
    assert!(guest.try_bind::<ZwlrVirtualPointerManagerV1>(2).is_none());
    let mut tool = Client::local(&mut server);
    let manager: ZwlrVirtualPointerManagerV1 = tool.bind(2);
    let device = manager.create_virtual_pointer(None, &tool.handle(), ());
    let (x, y) = (corner.0 as u32 + 30, corner.1 as u32 + 20);
    device.motion_absolute(0, x, y, 640, 400);
    device.frame();
    device.motion(0, 5.0, -5.0);
    device.button(0, LEFT_BUTTON, wl_pointer::ButtonState::Pressed);
    device.frame();
    tool.roundtrip(&mut server);
    guest.roundtrip(&mut server);
    let told = guest.take_events(&pointer);
    assert!(told.iter().any(|event| matches!(
        event,
        wl_pointer::Event::Motion { surface_x: 30.0, surface_y: 20.0, .. }
    )));
    assert!(told.iter().any(|event| matches!(
        event,
        wl_pointer::Event::Motion { surface_x: 35.0, surface_y: 15.0, .. }
    )));
    let button = |event: &wl_pointer::Event| matches!(event, wl_pointer::Event::Button { .. });
    assert_eq!(told.iter().filter(|event| button(event)).count(), 1);
    // A tool that dies holds no button.
    drop(tool);
    guest.roundtrip(&mut server);
    assert_eq!(guest.events(&pointer).into_iter().filter(|event| button(event)).count(), 1);
}

/// What a tool did with a wheel or a finger, as another program hears of it.
fn scrolled(
    server: &mut Server,
    guest: &mut Client,
    pointer: &WlPointer,
    tool: &mut Client,
) -> Vec<String> {
    tool.roundtrip(server);
    guest.roundtrip(server);
    let events = guest.take_events(pointer).into_iter().filter_map(|event| match event {
        wl_pointer::Event::AxisSource { axis_source: WEnum::Value(source) } => {
            Some(format!("{source:?}"))
        }
        wl_pointer::Event::AxisValue120 { axis: WEnum::Value(axis), value120 } => {
            Some(format!("{axis:?} parts {value120}"))
        }
        wl_pointer::Event::Axis { axis: WEnum::Value(axis), value, .. } => {
            Some(format!("{axis:?} pixels {value}"))
        }
        wl_pointer::Event::AxisStop { axis: WEnum::Value(axis), .. } => {
            Some(format!("{axis:?} stop"))
        }
        _ => None,
    });
    events.collect()
}

#[test]
fn a_tool_scrolls_by_what_it_says() {
    let mut server = server("640x400");
    let (mut guest, pointer, ..) = a_guest(&mut server);
    let mut tool = Client::local(&mut server);
    let manager: ZwlrVirtualPointerManagerV1 = tool.bind(2);
    let device = manager.create_virtual_pointer(None, &tool.handle(), ());
    device.axis_discrete(0, Axis::VerticalScroll, 10.0, 2);
    device.frame();
    assert_eq!(
        scrolled(&mut server, &mut guest, &pointer, &mut tool),
        ["Wheel", "VerticalScroll parts 240", "VerticalScroll pixels 10"]
    );
    device.axis_source(AxisSource::Wheel);
    device.axis(0, Axis::HorizontalScroll, -15.0);
    device.frame();
    assert_eq!(
        scrolled(&mut server, &mut guest, &pointer, &mut tool),
        ["Wheel", "HorizontalScroll parts -120", "HorizontalScroll pixels -15"],
        "a wheel has notches, counted or not"
    );
    device.axis_source(AxisSource::Finger);
    device.axis(0, Axis::VerticalScroll, 3.0);
    device.frame();
    assert_eq!(
        scrolled(&mut server, &mut guest, &pointer, &mut tool),
        ["Finger", "VerticalScroll pixels 3"]
    );
    device.axis_source(AxisSource::Finger);
    device.axis_stop(0, Axis::VerticalScroll);
    device.frame();
    assert_eq!(
        scrolled(&mut server, &mut guest, &pointer, &mut tool),
        ["Finger", "VerticalScroll stop"]
    );
    device.axis_source(AxisSource::Finger);
    device.frame();
    assert!(scrolled(&mut server, &mut guest, &pointer, &mut tool).is_empty());
}

#[test]
fn what_is_in_a_sandbox_is_not_trusted() {
    let mut server = server("320x240");
    let mut tool = Client::local(&mut server);
    let manager: WpSecurityContextManagerV1 = tool.bind(1);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sandbox");
    let listener = UnixListener::bind(&path).unwrap();
    let (close, _kept) = UnixStream::pair().unwrap();
    let context = manager.create_listener(listener.as_fd(), close.as_fd(), &tool.handle(), ());
    context.set_sandbox_engine("test".into());
    context.commit();
    tool.roundtrip(&mut server);
    let confined = Client::on(&mut server, UnixStream::connect(&path).unwrap());
    assert!(confined.try_bind::<ZwlrScreencopyManagerV1>(1).is_none());
    assert!(confined.try_bind::<WpSecurityContextManagerV1>(1).is_none());
    assert!(confined.try_bind::<ZwlrOutputManagerV1>(1).is_none());
    assert!(tool.try_bind::<ZwlrOutputManagerV1>(1).is_some());
    assert!(confined.offered().iter().any(|name| name == "wp_viewporter"));
}
