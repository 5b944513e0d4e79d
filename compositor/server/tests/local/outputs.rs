//! What local tools do where there is more than one output.

use hyper_dmabuf_compositor::{
    colour::Colour,
    input::{Input, LEFT_BUTTON},
    outputs::OutputChange,
    server::Server,
};
use wayland_client::protocol::{
    wl_output::WlOutput,
    wl_pointer,
    wl_surface::{self, WlSurface},
};
use wayland_protocols::{
    ext::session_lock::v1::client::{
        ext_session_lock_manager_v1::ExtSessionLockManagerV1,
        ext_session_lock_surface_v1::{self, ExtSessionLockSurfaceV1},
        ext_session_lock_v1::{self, ExtSessionLockV1},
    },
    xdg::shell::client::xdg_positioner::{Anchor as Corner, ConstraintAdjustment, Gravity},
};
use wayland_protocols_wlr::{
    foreign_toplevel::v1::client::{
        zwlr_foreign_toplevel_handle_v1::Event as HandleEvent,
        zwlr_foreign_toplevel_manager_v1::{self, ZwlrForeignToplevelManagerV1},
    },
    layer_shell::v1::client::{
        zwlr_layer_shell_v1::{Layer, ZwlrLayerShellV1},
        zwlr_layer_surface_v1::{self, Anchor, ZwlrLayerSurfaceV1},
    },
    virtual_pointer::v1::client::zwlr_virtual_pointer_manager_v1::ZwlrVirtualPointerManagerV1,
};

use crate::client::{Client, server_with};

const ORANGE: [u8; 4] = [0x20, 0x80, 0xf0, 0];
const TEAL: [u8; 4] = [0x80, 0x80, 0x10, 0];
const BLUE: [u8; 4] = [0xd0, 0x30, 0x20, 0];
const BLACK: Option<Colour> = Some(Colour::new(0, 0, 0));

fn seen(pixel: [u8; 4]) -> Option<Colour> {
    Some(Colour::new(pixel[2], pixel[1], pixel[0]))
}

/// 400 by 300 at scale one on the left, and as much at scale two on the right.
fn two_outputs() -> Server {
    server_with("400x300", "[[output]]\n[[output]]\nsize = \"800x600\"\nscale = 2.0")
}

fn point(server: &mut Server, x: f64, y: f64) {
    server.state.inject(Input::PointerMotion { x, y });
}

/// How many pictures each output has drawn.
fn pictures(server: &Server) -> Vec<u64> {
    server.state.output_reports().into_iter().map(|output| output.pictures).collect()
}

fn switch(server: &mut Server, name: &str, on: bool) {
    let id = server.state.outputs.by_name(name).unwrap().id;
    let change = OutputChange { on: Some(on), ..OutputChange::default() };
    server.state.change_output(id, change).unwrap();
}

/// A bar 30 high at the upper edge of an output.
fn bar(
    client: &mut Client,
    server: &mut Server,
    output: Option<&WlOutput>,
) -> (WlSurface, ZwlrLayerSurfaceV1) {
    let shell: ZwlrLayerShellV1 = client.bind(4);
    let surface = client.surface();
    let handle = client.handle();
    let panel = shell.get_layer_surface(&surface, output, Layer::Top, "b".into(), &handle, ());
    panel.set_size(0, 30);
    panel.set_anchor(Anchor::Top | Anchor::Left | Anchor::Right);
    panel.set_exclusive_zone(30);
    surface.commit();
    client.roundtrip(server);
    let told = client.take_events(&panel);
    let Some(zwlr_layer_surface_v1::Event::Configure { serial, width, height }) = told.last()
    else {
        panic!("not configured: {told:?}")
    };
    assert_eq!((*width, *height), (400, 30));
    panel.ack_configure(*serial);
    client.show(&surface, (400, 30), TEAL);
    client.roundtrip(server);
    (surface, panel)
}

#[test]
fn a_panel_belongs_to_one_output() {
    let mut server = two_outputs();
    let mut tool = Client::local(&mut server);
    let outputs = tool.bind_all::<WlOutput>(4);
    let (surface, panel) = bar(&mut tool, &mut server, Some(&outputs[1]));
    let events = tool.events(&surface);
    let scale = |event: &wl_surface::Event| {
        matches!(event, wl_surface::Event::PreferredBufferScale { factor: 2 })
    };
    assert!(events.iter().copied().any(scale), "{events:?}");
    let enters = |event: &wl_surface::Event| matches!(event, wl_surface::Event::Enter { output } if *output == outputs[1]);
    assert!(events.iter().copied().any(enters), "{events:?}");
    let right = server.state.screenshot_of("HEADLESS-2").unwrap();
    assert_eq!((right.pixel(2, 2), right.pixel(797, 57)), (seen(TEAL), seen(TEAL)));
    assert_ne!(right.pixel(400, 60), seen(TEAL));
    let left = server.state.screenshot_of("HEADLESS-1").unwrap();
    assert!((0..400).all(|x| left.pixel(x, 10) != seen(TEAL)));

    // What it draws lets the other output rest.
    let before = pictures(&server);
    tool.show(&surface, (400, 30), ORANGE);
    tool.roundtrip(&mut server);
    let after = pictures(&server);
    assert_eq!(after[0], before[0]);
    assert!(after[1] > before[1]);

    // Windows keep out of its strip there, and there alone.
    let mut client = Client::local(&mut server);
    for (x, frame) in [(100.0, (0, 0, 400, 300)), (500.0, (400, 30, 400, 270))] {
        point(&mut server, x, 150.0);
        let window = client.window(&mut server, "large", (100, 80), ORANGE);
        window.toplevel.set_maximized();
        client.roundtrip(&mut server);
        client.show(&window.surface, client.configured(&window).0, ORANGE);
        client.roundtrip(&mut server);
        let reports = server.state.window_reports();
        let now = reports.last().unwrap().frame;
        assert_eq!((now.x, now.y, now.width, now.height), frame);
        // Full screen it is above the panel of its output.
        window.toplevel.set_fullscreen(None);
        client.roundtrip(&mut server);
        let (size, _) = client.configured(&window);
        assert_eq!(size, (400, 300));
        client.show(&window.surface, size, BLUE);
        client.roundtrip(&mut server);
        let top = server.state.screenshot_of("HEADLESS-2").unwrap().pixel(400, 20);
        assert_eq!(top, if x < 400.0 { seen(ORANGE) } else { seen(BLUE) });
        window.toplevel.destroy();
        client.roundtrip(&mut server);
    }

    // It goes with its output.
    switch(&mut server, "HEADLESS-2", false);
    tool.roundtrip(&mut server);
    let told = tool.events(&panel);
    assert!(matches!(told[..], [zwlr_layer_surface_v1::Event::Closed]), "{told:?}");
    let shell: ZwlrLayerShellV1 = tool.bind(4);
    let late = tool.surface();
    let handle = tool.handle();
    let late =
        shell.get_layer_surface(&late, Some(&outputs[1]), Layer::Top, "late".into(), &handle, ());
    tool.roundtrip(&mut server);
    assert!(matches!(tool.events(&late)[..], [zwlr_layer_surface_v1::Event::Closed]));
    tool.show(&surface, (400, 30), TEAL);
    tool.roundtrip(&mut server);
    assert_eq!(tool.error(), None);
    let left = server.state.screenshot().unwrap();
    assert!((0..400).all(|x| left.pixel(x, 10) != seen(TEAL)), "it does not move");
}

#[test]
fn a_panel_leaves_an_output_that_is_gone() {
    let mut server = two_outputs();
    let mut tool = Client::local(&mut server);
    let outputs = tool.bind_all::<WlOutput>(4);
    let (surface, panel) = bar(&mut tool, &mut server, Some(&outputs[0]));
    let id = server.state.outputs.by_name("HEADLESS-1").unwrap().id;
    server.state.remove_output(id);
    tool.roundtrip(&mut server);
    assert!(matches!(tool.events(&panel)[..], [zwlr_layer_surface_v1::Event::Closed]));
    let leaves = |event: &wl_surface::Event| matches!(event, wl_surface::Event::Leave { output } if *output == outputs[0]);
    assert!(tool.events(&surface).into_iter().any(leaves), "{:?}", tool.events(&surface));
}

#[test]
fn without_a_wish_a_panel_comes_where_the_pointer_is_and_its_popups_stay_there() {
    let mut server = two_outputs();
    point(&mut server, 500.0, 100.0);
    let mut tool = Client::local(&mut server);
    let (_, panel) = bar(&mut tool, &mut server, None);
    // It would hang over the edge between the outputs.
    let handle = tool.handle();
    let positioner = tool.shell.create_positioner(&handle, ());
    positioner.set_size(60, 40);
    positioner.set_anchor_rect(0, 0, 10, 30);
    positioner.set_anchor(Corner::BottomLeft);
    positioner.set_gravity(Gravity::BottomLeft);
    positioner.set_constraint_adjustment(ConstraintAdjustment::SlideX);
    let surface = tool.surface();
    let xdg_surface = tool.shell.get_xdg_surface(&surface, &handle, ());
    let popup = xdg_surface.get_popup(None, &positioner, &handle, ());
    panel.get_popup(&popup);
    surface.commit();
    tool.roundtrip(&mut server);
    tool.show(&surface, (60, 40), ORANGE);
    tool.roundtrip(&mut server);
    let events = tool.events(&surface);
    let scale = |event: &wl_surface::Event| {
        matches!(event, wl_surface::Event::PreferredBufferScale { factor: 2 })
    };
    assert!(events.iter().copied().any(scale), "{events:?}");
    let right = server.state.screenshot_of("HEADLESS-2").unwrap();
    assert_eq!((right.pixel(2, 62), right.pixel(117, 137)), (seen(ORANGE), seen(ORANGE)));
    assert_eq!(right.pixel(2, 57), seen(TEAL));
    let left = server.state.screenshot_of("HEADLESS-1").unwrap();
    assert!((0..300).all(|y| left.pixel(399, y) != seen(ORANGE)));
}

fn lock_surface(
    client: &mut Client,
    server: &mut Server,
    lock: &ExtSessionLockV1,
    output: &WlOutput,
) -> (WlSurface, ExtSessionLockSurfaceV1) {
    let surface = client.surface();
    let role = lock.get_lock_surface(&surface, output, &client.handle(), ());
    client.roundtrip(server);
    fill(client, server, &surface, &role);
    (surface, role)
}

/// Show as much as the locker's surface was told last.
fn fill(
    client: &mut Client,
    server: &mut Server,
    surface: &WlSurface,
    role: &ExtSessionLockSurfaceV1,
) -> (u32, u32) {
    let told = client.take_events(role);
    let Some(ext_session_lock_surface_v1::Event::Configure { serial, width, height }) = told.last()
    else {
        panic!("not configured")
    };
    role.ack_configure(*serial);
    client.show(surface, (*width as i32, *height as i32), TEAL);
    client.roundtrip(server);
    (*width, *height)
}

#[test]
fn a_session_is_locked_when_all_outputs_are() {
    let mut server = two_outputs();
    let mut client = Client::local(&mut server);
    for x in [100.0, 500.0] {
        point(&mut server, x, 150.0);
        client.window(&mut server, "secret", (380, 260), ORANGE);
    }
    server.state.await_vblanks_by_hand();
    let ids: Vec<_> = server.state.outputs.iter().map(|view| view.id).collect();
    let mut locker = Client::local(&mut server);
    let outputs = locker.bind_all::<WlOutput>(4);
    let manager: ExtSessionLockManagerV1 = locker.bind(1);
    let lock = manager.lock(&locker.handle(), ());
    locker.roundtrip(&mut server);
    let mut time = std::time::Duration::from_secs(1);
    let mut show = |server: &mut Server, locker: &mut Client, index: usize| {
        // Once for what was on its way, once for the locked picture.
        for _ in 0..2 {
            time += std::time::Duration::from_millis(10);
            server.state.vblank_by_hand_of(ids[index], time);
            locker.roundtrip(server);
        }
        !locker.events(&lock).is_empty()
    };
    assert!(!show(&mut server, &mut locker, 0), "the second may still show what is secret");
    assert!(!server.state.is_lock_confirmed());
    assert!(show(&mut server, &mut locker, 1));
    assert!(matches!(locker.events(&lock)[..], [ext_session_lock_v1::Event::Locked]));

    // One that the locker draws nothing on is black.
    let (surface, role) = lock_surface(&mut locker, &mut server, &lock, &outputs[1]);
    let left = server.state.screenshot_of("HEADLESS-1").unwrap();
    assert!(left.pixels().iter().all(|part| *part == 0));
    let right = server.state.screenshot_of("HEADLESS-2").unwrap();
    // At the very edge, what is made larger is mixed with what is behind.
    assert_eq!((right.pixel(2, 2), right.pixel(797, 597)), (seen(TEAL), seen(TEAL)));
    let (first, _) = lock_surface(&mut locker, &mut server, &lock, &outputs[0]);
    let left = server.state.screenshot_of("HEADLESS-1").unwrap();
    assert_eq!(left.pixel(399, 299), seen(TEAL));
    let pointer = locker.seat.get_pointer(&locker.handle(), ());
    locker.roundtrip(&mut server);
    for (x, which) in [(50.0, &first), (450.0, &surface)] {
        point(&mut server, x, 20.0);
        locker.roundtrip(&mut server);
        let events = locker.take_events(&pointer);
        assert!(
            events.iter().any(|event| matches!(
                event,
                wl_pointer::Event::Enter { surface, surface_x: 50.0, surface_y: 20.0, .. }
                    if surface == which
            )),
            "{events:?}"
        );
    }

    // It follows its output, and what comes later is locked.
    let id = server.state.outputs.by_name("HEADLESS-2").unwrap().id;
    let scale = Some("1".parse().unwrap());
    let change = OutputChange { scale, ..OutputChange::default() };
    server.state.change_output(id, change).unwrap();
    locker.roundtrip(&mut server);
    assert_eq!(fill(&mut locker, &mut server, &surface, &role), (800, 600));
    switch(&mut server, "HEADLESS-2", false);
    locker.roundtrip(&mut server);
    switch(&mut server, "HEADLESS-2", true);
    locker.roundtrip(&mut server);
    let right = server.state.screenshot_of("HEADLESS-2").unwrap();
    assert!([BLACK, seen(TEAL)].contains(&right.pixel(400, 300)));
    lock.unlock_and_destroy();
    locker.roundtrip(&mut server);
    assert_eq!(server.state.screenshot_of("HEADLESS-1").unwrap().pixel(200, 150), seen(ORANGE));
}

#[test]
fn a_session_without_outputs_is_locked_at_once() {
    let mut server = two_outputs();
    switch(&mut server, "HEADLESS-1", false);
    switch(&mut server, "HEADLESS-2", false);
    let mut locker = Client::local(&mut server);
    let manager: ExtSessionLockManagerV1 = locker.bind(1);
    let lock = manager.lock(&locker.handle(), ());
    locker.roundtrip(&mut server);
    assert!(matches!(locker.events(&lock)[..], [ext_session_lock_v1::Event::Locked]));
    switch(&mut server, "HEADLESS-1", true);
    locker.roundtrip(&mut server);
    assert_eq!(server.state.screenshot().unwrap().pixel(200, 150), BLACK);
}

#[test]
fn tools_know_which_output_a_window_is_on() {
    let mut server = two_outputs();
    let mut tool = Client::local(&mut server);
    let outputs = tool.bind_all::<WlOutput>(4);
    let manager: ZwlrForeignToplevelManagerV1 = tool.bind(3);
    point(&mut server, 500.0, 150.0);
    let mut client = Client::local(&mut server);
    let window = client.window(&mut server, "there", (100, 80), ORANGE);
    tool.roundtrip(&mut server);
    let events = tool.events(&manager);
    let Some(zwlr_foreign_toplevel_manager_v1::Event::Toplevel { toplevel }) = events.first()
    else {
        panic!("{events:?}")
    };
    let toplevel = toplevel.clone();
    let told = tool.take_events(&toplevel);
    let enter = |event: &HandleEvent, on: usize| matches!(event, HandleEvent::OutputEnter { output } if *output == outputs[on]);
    assert!(told.iter().any(|event| enter(event, 1)), "{told:?}");
    assert!(!told.iter().any(|event| enter(event, 0)), "{told:?}");
    toplevel.set_fullscreen(Some(&outputs[0]));
    tool.roundtrip(&mut server);
    client.roundtrip(&mut server);
    let (size, _) = client.configured(&window);
    assert_eq!(size, (400, 300));
    client.show(&window.surface, size, ORANGE);
    client.roundtrip(&mut server);
    tool.roundtrip(&mut server);
    let told = tool.take_events(&toplevel);
    assert!(told.iter().any(|event| enter(event, 0)), "{told:?}");
    assert!(told.iter().any(
        |event| matches!(event, HandleEvent::OutputLeave { output } if *output == outputs[1])
    ));
    // Who binds an output later is told as well.
    let again = tool.bind_all::<WlOutput>(4);
    tool.roundtrip(&mut server);
    let told = tool.take_events(&toplevel);
    assert!(
        matches!(&told[..], [HandleEvent::OutputEnter { output }, HandleEvent::Done] if *output == again[0]),
        "{told:?}"
    );
}

#[test]
fn a_tools_pointer_is_mapped_to_an_output_or_to_all() {
    let mut server = two_outputs();
    point(&mut server, 500.0, 150.0);
    let mut client = Client::local(&mut server);
    let pointer = client.seat.get_pointer(&client.handle(), ());
    let window = client.window(&mut server, "under", (100, 80), ORANGE);
    window.toplevel.set_fullscreen(None);
    client.roundtrip(&mut server);
    client.show(&window.surface, (400, 300), ORANGE);
    client.roundtrip(&mut server);
    client.take_events(&pointer);
    let mut tool = Client::local(&mut server);
    let outputs = tool.bind_all::<WlOutput>(4);
    let manager: ZwlrVirtualPointerManagerV1 = tool.bind(2);
    let handle = tool.handle();
    let on_one = manager.create_virtual_pointer_with_output(None, Some(&outputs[1]), &handle, ());
    let on_all = manager.create_virtual_pointer(None, &handle, ());
    for (device, x, wanted) in [(&on_one, 1, 100.0), (&on_one, 4, 399.0), (&on_all, 3, 200.0)] {
        device.motion_absolute(0, x, 1, 4, 2);
        device.frame();
        tool.roundtrip(&mut server);
        client.roundtrip(&mut server);
        let last = client.take_events(&pointer).into_iter().rev().find_map(|event| match event {
            wl_pointer::Event::Motion { surface_x, surface_y, .. } => Some((surface_x, surface_y)),
            _ => None,
        });
        assert_eq!(last, Some((wanted, 150.0)));
    }
}

#[test]
fn windows_dropped_between_outputs_stay_as_they_are() {
    let mut server = two_outputs();
    let mut client = Client::local(&mut server);
    let window = client.window(&mut server, "dragged", (200, 100), ORANGE);
    let frame = server.state.window_reports()[0].frame;
    let (x, y) = (f64::from(frame.x + 60), f64::from(frame.y + 8));
    let drag = |server: &mut Server, from: (f64, f64), to: (f64, f64)| {
        point(server, from.0, from.1);
        server.state.inject(Input::PointerButton { button: LEFT_BUTTON, pressed: true });
        point(server, to.0, to.1);
        server.state.inject(Input::PointerButton { button: LEFT_BUTTON, pressed: false });
    };
    drag(&mut server, (x, y), (399.0, y));
    client.roundtrip(&mut server);
    assert_eq!(client.configured(&window).0, (0, 0), "it keeps its size");
    drag(&mut server, (399.0, y), (799.0, y));
    client.roundtrip(&mut server);
    assert_ne!(client.configured(&window).0, (0, 0));
    let frame = server.state.window_reports()[0].frame;
    assert_eq!(frame.x, 600, "the right half of the second");
}
