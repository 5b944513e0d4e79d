//! Panels, wallpapers and launchers.

use hyper_dmabuf_compositor::{
    client::ClientOrigin,
    colour::Colour,
    input::{Input, LEFT_BUTTON},
    server::Server,
};
use wayland_client::protocol::{wl_keyboard, wl_pointer, wl_surface::WlSurface};
use wayland_protocols::xdg::shell::client::xdg_positioner::{Anchor as Corner, Gravity};
use wayland_protocols_wlr::layer_shell::v1::client::{
    zwlr_layer_shell_v1::{Layer, ZwlrLayerShellV1},
    zwlr_layer_surface_v1::{self, Anchor, KeyboardInteractivity, ZwlrLayerSurfaceV1},
};

use crate::client::{Client, server, work};

const ORANGE: [u8; 4] = [0x20, 0x80, 0xf0, 0];
const TEAL: [u8; 4] = [0x80, 0x80, 0x10, 0];
const GREY: [u8; 4] = [0x80, 0x80, 0x80, 0];

fn seen(pixel: [u8; 4]) -> Option<Colour> {
    Some(Colour::new(pixel[2], pixel[1], pixel[0]))
}

struct Panel {
    surface: WlSurface,
    panel: ZwlrLayerSurfaceV1,
}

/// A panel that is as large as it was told to be.
fn panel(
    client: &mut Client,
    server: &mut Server,
    layer: Layer,
    pixel: [u8; 4],
    set_up: impl FnOnce(&ZwlrLayerSurfaceV1),
) -> Panel {
    let shell: ZwlrLayerShellV1 = client.bind(4);
    let surface = client.surface();
    let panel = shell.get_layer_surface(&surface, None, layer, "test".into(), &client.handle(), ());
    set_up(&panel);
    surface.commit();
    client.roundtrip(server);
    let size = answer(client, &panel);
    client.show(&surface, size, pixel);
    client.roundtrip(server);
    Panel { surface, panel }
}

/// Acknowledge what the panel was told last. The size.
fn answer(client: &mut Client, panel: &ZwlrLayerSurfaceV1) -> (i32, i32) {
    let told = client.take_events(panel);
    let Some(zwlr_layer_surface_v1::Event::Configure { serial, width, height }) = told.last()
    else {
        panic!("not configured: {told:?} {:?}", client.error())
    };
    panel.ack_configure(*serial);
    (*width as i32, *height as i32)
}

fn bar(panel: &ZwlrLayerSurfaceV1) {
    panel.set_size(0, 30);
    panel.set_anchor(Anchor::Top | Anchor::Left | Anchor::Right);
    panel.set_exclusive_zone(30);
}

fn click(server: &mut Server, x: f64, y: f64) {
    server.state.inject(Input::PointerMotion { x, y });
    for pressed in [true, false] {
        server.state.inject(Input::PointerButton { button: LEFT_BUTTON, pressed });
    }
}

#[test]
fn a_guest_in_full_screen_does_not_lie_over_a_panel() {
    let mut server = server("640x400");
    let mut tool = Client::local(&mut server);
    let _top = panel(&mut tool, &mut server, Layer::Top, TEAL, bar);
    let origin = work(&server);
    for origin in [origin, ClientOrigin::Local] {
        let mut client = Client::new(&mut server, origin.clone());
        let window = client.window(&mut server, "large", (200, 100), ORANGE);
        window.toplevel.set_fullscreen(None);
        client.roundtrip(&mut server);
        client.show(&window.surface, client.configured(&window).0, ORANGE);
        client.roundtrip(&mut server);
        let on_top = if origin == ClientOrigin::Local { ORANGE } else { TEAL };
        let image = server.state.screenshot().unwrap();
        assert_eq!(image.pixel(320, 15), seen(on_top), "{origin:?}");
        window.toplevel.destroy();
        client.roundtrip(&mut server);
    }
}

#[test]
fn windows_keep_out_of_a_panels_strip() {
    let mut server = server("640x400");
    let mut tool = Client::local(&mut server);
    let top = panel(&mut tool, &mut server, Layer::Top, TEAL, bar);
    let mut client = Client::local(&mut server);
    let window = client.window(&mut server, "placed", (200, 100), ORANGE);
    assert_eq!(server.state.window_reports()[0].frame.y, 30 + 16);

    window.toplevel.set_maximized();
    client.roundtrip(&mut server);
    let (small, _) = client.configured(&window);
    client.show(&window.surface, small, ORANGE);
    client.roundtrip(&mut server);
    let frame = server.state.window_reports()[0].frame;
    assert_eq!((frame.x, frame.y, frame.width, frame.height), (0, 30, 640, 370));
    let image = server.state.screenshot().unwrap();
    assert_eq!((image.pixel(0, 0), image.pixel(639, 29)), (seen(TEAL), seen(TEAL)));

    // The strip goes with the panel.
    top.panel.destroy();
    tool.roundtrip(&mut server);
    client.roundtrip(&mut server);
    let (large, _) = client.configured(&window);
    assert_eq!((large.0, large.1), (small.0, small.1 + 30));
}

#[test]
fn layers_lie_below_and_above_windows() {
    let mut server = server("640x400");
    let mut tool = Client::local(&mut server);
    let fill = |panel: &ZwlrLayerSurfaceV1| {
        panel.set_size(0, 0);
        panel.set_anchor(Anchor::all());
        panel.set_exclusive_zone(-1);
    };
    let small = |panel: &ZwlrLayerSurfaceV1| {
        panel.set_size(100, 100);
        panel.set_anchor(Anchor::Top | Anchor::Left);
    };
    panel(&mut tool, &mut server, Layer::Background, GREY, fill);
    let low = panel(&mut tool, &mut server, Layer::Bottom, TEAL, small);
    let mut client = Client::local(&mut server);
    let window = client.window(&mut server, "between", (200, 100), ORANGE);
    let place = server.state.window_reports()[0].geometry;
    let (x, y) = (place.x as u32, place.y as u32);
    let image = server.state.screenshot().unwrap();
    assert_eq!(image.pixel(0, 0), seen(TEAL), "the lower layer");
    assert_eq!(image.pixel(600, 300), seen(GREY), "the wallpaper");
    assert_eq!(image.pixel(x, y), seen(ORANGE), "the window above both");

    low.panel.set_layer(Layer::Top);
    low.surface.commit();
    tool.roundtrip(&mut server);
    assert_eq!(server.state.screenshot().unwrap().pixel(x, y), seen(TEAL));
    // A window that fills the screen hides it, but not the highest layer.
    window.toplevel.set_fullscreen(None);
    client.roundtrip(&mut server);
    client.show(&window.surface, client.configured(&window).0, ORANGE);
    client.roundtrip(&mut server);
    assert_eq!(server.state.screenshot().unwrap().pixel(0, 0), seen(ORANGE));
    low.panel.set_layer(Layer::Overlay);
    low.surface.commit();
    tool.roundtrip(&mut server);
    assert_eq!(server.state.screenshot().unwrap().pixel(0, 0), seen(TEAL));

    // It goes when it shows nothing.
    low.surface.attach(None, 0, 0);
    low.surface.commit();
    tool.roundtrip(&mut server);
    assert_eq!(server.state.screenshot().unwrap().pixel(0, 0), seen(ORANGE));
}

#[test]
fn the_keyboard_goes_to_panels_that_ask_for_it() {
    let mut server = server("640x400");
    let origin = work(&server);
    let mut guest = Client::new(&mut server, origin);
    let keyboard = guest.seat.get_keyboard(&guest.handle(), ());
    guest.window(&mut server, "guest", (200, 100), ORANGE);
    let has = |client: &Client, keyboard: &wl_keyboard::WlKeyboard| {
        let events = client.events(keyboard);
        let last = events.iter().rev().find_map(|event| match event {
            wl_keyboard::Event::Enter { .. } => Some(true),
            wl_keyboard::Event::Leave { .. } => Some(false),
            _ => None,
        });
        last.unwrap_or(false)
    };
    assert!(has(&guest, &keyboard));

    let mut tool = Client::local(&mut server);
    let tools = tool.seat.get_keyboard(&tool.handle(), ());
    let launcher = panel(&mut tool, &mut server, Layer::Top, TEAL, |panel| {
        panel.set_size(100, 50);
        panel.set_keyboard_interactivity(KeyboardInteractivity::Exclusive);
    });
    guest.roundtrip(&mut server);
    assert!(has(&tool, &tools) && !has(&guest, &keyboard), "as soon as it is there");
    let place = server.state.window_reports()[0].geometry;
    let on_guest = (f64::from(place.x + 5), f64::from(place.y + 5));
    click(&mut server, on_guest.0, on_guest.1);
    tool.roundtrip(&mut server);
    assert!(has(&tool, &tools), "whatever is clicked");
    launcher.panel.destroy();
    tool.roundtrip(&mut server);
    guest.roundtrip(&mut server);
    assert!(!has(&tool, &tools) && has(&guest, &keyboard), "until it goes");

    // One that takes it when it opens or is clicked, and one that never does.
    for (interactivity, takes) in
        [(KeyboardInteractivity::None, false), (KeyboardInteractivity::OnDemand, true)]
    {
        let other = panel(&mut tool, &mut server, Layer::Top, TEAL, |panel| {
            panel.set_size(100, 50);
            panel.set_anchor(Anchor::Bottom | Anchor::Right);
            panel.set_keyboard_interactivity(interactivity);
        });
        tool.roundtrip(&mut server);
        assert_eq!(has(&tool, &tools), takes, "when it opens");
        click(&mut server, on_guest.0, on_guest.1);
        tool.roundtrip(&mut server);
        assert!(!has(&tool, &tools));
        click(&mut server, 600.0, 380.0);
        tool.roundtrip(&mut server);
        assert_eq!(has(&tool, &tools), takes);
        click(&mut server, on_guest.0, on_guest.1);
        tool.roundtrip(&mut server);
        guest.roundtrip(&mut server);
        assert!(has(&guest, &keyboard));
        other.panel.destroy();
    }
}

#[test]
fn panels_have_popups() {
    let mut server = server("640x400");
    let mut tool = Client::local(&mut server);
    let top = panel(&mut tool, &mut server, Layer::Top, TEAL, bar);
    let handle = tool.handle();
    let positioner = tool.shell.create_positioner(&handle, ());
    positioner.set_size(60, 40);
    positioner.set_anchor_rect(20, 0, 10, 30);
    positioner.set_anchor(Corner::BottomLeft);
    positioner.set_gravity(Gravity::BottomRight);
    let surface = tool.surface();
    let xdg_surface = tool.shell.get_xdg_surface(&surface, &handle, ());
    let popup = xdg_surface.get_popup(None, &positioner, &handle, ());
    top.panel.get_popup(&popup);
    surface.commit();
    tool.roundtrip(&mut server);
    tool.show(&surface, (60, 40), ORANGE);
    tool.roundtrip(&mut server);
    assert_eq!(tool.error(), None);
    let image = server.state.screenshot().unwrap();
    assert_eq!((image.pixel(20, 30), image.pixel(79, 69)), (seen(ORANGE), seen(ORANGE)));
    assert_eq!(image.pixel(19, 29), seen(TEAL));
    let pointer = tool.seat.get_pointer(&handle, ());
    tool.roundtrip(&mut server);
    server.state.inject(Input::PointerMotion { x: 25.0, y: 35.0 });
    tool.roundtrip(&mut server);
    assert!(
        tool.events(&pointer).iter().any(|event| matches!(
            event,
            wl_pointer::Event::Enter { surface: entered, surface_x: 5.0, surface_y: 5.0, .. }
                if *entered == surface
        )),
        "{:?}",
        tool.events(&pointer)
    );

    // One that hangs on nothing is a mistake still.
    let mut other = Client::local(&mut server);
    let surface = other.surface();
    let xdg_surface = other.shell.get_xdg_surface(&surface, &other.handle(), ());
    let positioner = other.shell.create_positioner(&other.handle(), ());
    positioner.set_size(60, 40);
    positioner.set_anchor_rect(0, 0, 1, 1);
    xdg_surface.get_popup(None, &positioner, &other.handle(), ());
    surface.commit();
    other.roundtrip(&mut server);
    assert!(other.error().is_some());
}

#[test]
fn wrong_panels_are_refused_and_huge_ones_bounded() {
    let mut server = server("640x400");
    let mut early = Client::local(&mut server);
    let shell: ZwlrLayerShellV1 = early.bind(4);
    let surface = early.surface();
    let handle = early.handle();
    let panel = shell.get_layer_surface(&surface, None, Layer::Top, "e".into(), &handle, ());
    panel.set_size(50, 50);
    early.show(&surface, (50, 50), ORANGE);
    early.roundtrip(&mut server);
    assert!(early.error().is_some(), "a buffer before the first configure");

    let mut huge = Client::local(&mut server);
    let shell: ZwlrLayerShellV1 = huge.bind(4);
    let surface = huge.surface();
    let handle = huge.handle();
    let panel = shell.get_layer_surface(&surface, None, Layer::Top, "h".into(), &handle, ());
    for number in [i32::MAX, i32::MIN] {
        panel.set_size(u32::MAX, u32::MAX);
        panel.set_margin(number, number, number, number);
        panel.set_exclusive_zone(number);
        panel.set_anchor(Anchor::Left);
        if number > 0 {
            surface.commit();
            huge.roundtrip(&mut server);
            answer(&mut huge, &panel);
        }
        huge.show(&surface, (10, 10), ORANGE);
        huge.roundtrip(&mut server);
        server.state.screenshot().unwrap();
    }
    assert_eq!(huge.error(), None);

    let origin = work(&server);
    let guest = Client::new(&mut server, origin);
    assert!(guest.try_bind::<ZwlrLayerShellV1>(4).is_none(), "guests are not offered it");
}
