//! Whose window it is can be seen, whatever a guest does to hide it: each picture is of a guest that
//! tries.

use hyper_dmabuf_compositor::{
    client::ClientOrigin,
    domain::DomainSettings,
    input::{Input, LEFT_BUTTON},
    server::Server,
};
use wayland_client::protocol::{
    wl_data_device_manager::WlDataDeviceManager, wl_pointer, wl_subcompositor::WlSubcompositor,
};
use wayland_protocols::xdg::shell::client::{
    xdg_positioner::{Anchor, Gravity, XdgPositioner},
    xdg_surface::XdgSurface,
};

use crate::{
    client::{Client, server_with},
    windows::{assert_looks_like, press, redraw},
};

/// Blue, green, red.
const ORANGE: [u8; 4] = [0x20, 0x80, 0xf0, 0];
const TEAL: [u8; 4] = [0x80, 0x80, 0x10, 0];
const SUPER: u32 = 125;
const SHIFT: u32 = 42;
const F: u32 = 33;
const ESCAPE: u32 = 1;

const TWO_DOMAINS: &str =
    "identity.bar = \"top\"\n[[domain]]\nname = \"bank\"\ncolour = \"#a83f3a\"\n";

fn a_server() -> Server {
    server_with("640x400", TWO_DOMAINS)
}

fn domain(server: &Server, name: &str) -> ClientOrigin {
    ClientOrigin::Domain(server.state.domains.by_name(name).unwrap().domain.clone())
}

/// A window of the bank, and a hostile program of `work`.
fn a_bank_and_a_liar(server: &mut Server) -> (Client, Client) {
    let (bank, work) = (domain(server, "bank"), domain(server, "work"));
    let mut bank = Client::new(server, bank);
    bank.window(server, "Your account", (240, 120), TEAL);
    (bank, Client::new(server, work))
}

fn move_to(server: &mut Server, (x, y): (f64, f64)) {
    server.state.inject(Input::PointerMotion { x, y });
}

/// The corner of what the program of the window with this title draws.
fn corner(server: &Server, title: &str) -> (f64, f64) {
    let reports = server.state.window_reports();
    let place = reports.iter().find(|report| report.title == title).unwrap().geometry;
    (place.x.into(), place.y.into())
}

fn focus(server: &mut Server, title: &str) {
    let (x, y) = corner(server, title);
    press_at(server, (x + 5.0, y + 5.0));
}

fn press_at(server: &mut Server, place: (f64, f64)) {
    move_to(server, place);
    for pressed in [true, false] {
        server.state.inject(Input::PointerButton { button: LEFT_BUTTON, pressed });
    }
}

fn positioner(client: &Client, size: (i32, i32), at: (i32, i32)) -> XdgPositioner {
    let positioner = client.shell.create_positioner(&client.handle(), ());
    positioner.set_size(size.0, size.1);
    positioner.set_anchor_rect(at.0, at.1, 1, 1);
    positioner.set_anchor(Anchor::TopLeft);
    positioner.set_gravity(Gravity::BottomRight);
    positioner
}

fn popup(
    server: &mut Server,
    client: &mut Client,
    parent: &XdgSurface,
    positioner: &XdgPositioner,
    size: (i32, i32),
) {
    let surface = client.surface();
    let xdg_surface = client.shell.get_xdg_surface(&surface, &client.handle(), ());
    xdg_surface.get_popup(Some(parent), positioner, &client.handle(), ());
    surface.commit();
    client.roundtrip(server);
    client.show(&surface, size, ORANGE);
    client.roundtrip(server);
}

#[test]
fn a_window_as_big_as_the_screen_is_below_the_bar() {
    let mut server = a_server();
    let (_bank, mut liar) = a_bank_and_a_liar(&mut server);
    liar.window(&mut server, "everything", (640, 400), ORANGE);
    focus(&mut server, "everything");
    assert_looks_like("as-big-as-the-screen", &server.state.screenshot().unwrap());
}

#[test]
fn popups_and_subsurfaces_are_outlined_or_cut_off() {
    let mut server = a_server();
    let (_bank, mut liar) = a_bank_and_a_liar(&mut server);
    let window = liar.window(&mut server, "liar", (180, 100), [0xd0, 0xd0, 0xd0, 0]);
    focus(&mut server, "liar");
    // A subsurface that would lie over the bank's frame is not seen outside its own window.
    let subcompositor: WlSubcompositor = liar.bind(1);
    let below = liar.surface();
    let subsurface = subcompositor.get_subsurface(&below, &window.surface, &liar.handle(), ());
    subsurface.set_desync();
    subsurface.set_position(-300, -60);
    liar.show(&below, (400, 90), ORANGE);
    window.surface.commit();
    // A popup that would lie over the frame of the bank has its domain's colour around it, and ends there.
    let over = positioner(&liar, (200, 60), (-220, 60));
    popup(&mut server, &mut liar, &window.xdg_surface, &over, (200, 60));
    // One over the bar is below it.
    let above = positioner(&liar, (60, 80), (100, -70));
    popup(&mut server, &mut liar, &window.xdg_surface, &above, (60, 80));
    assert_eq!(liar.error(), None);
    assert_looks_like("popup-over-another", &server.state.screenshot().unwrap());
}

#[test]
fn only_where_that_is_configured_popups_lie_over_frames_of_others() {
    let mut server = a_server();
    let (_bank, mut liar) = a_bank_and_a_liar(&mut server);
    let window = liar.window(&mut server, "liar", (180, 100), [0xd0, 0xd0, 0xd0, 0]);
    focus(&mut server, "liar");
    let bank = corner(&server, "Your account");
    let own = corner(&server, "liar");
    // Over the bank's title bar, and more.
    let place = (bank.0 - own.0 + 40.0, bank.1 - own.1 - 50.0);
    let over = positioner(&liar, (150, 120), (place.0 as i32, place.1 as i32));
    popup(&mut server, &mut liar, &window.xdg_surface, &over, (150, 120));
    let focused = |server: &Server| {
        let reports = server.state.window_reports();
        reports.into_iter().find(|report| report.activated).map(|report| report.title)
    };
    let bar = (bank.0 + 60.0, bank.1 - 10.0);

    let ClientOrigin::Domain(work) = domain(&server, "work") else { unreachable!("a domain") };
    work.set(DomainSettings { popups_over_frames: true, ..work.settings() });
    server.state.queue_redraw();
    assert_looks_like("popup-over-frame", &server.state.screenshot().unwrap());
    press_at(&mut server, bar);
    assert_eq!(focused(&server).as_deref(), Some("liar"), "the popup was pressed");

    work.set(DomainSettings { popups_over_frames: false, ..work.settings() });
    server.state.queue_redraw();
    assert_looks_like("popup-cut-at-frame", &server.state.screenshot().unwrap());
    press_at(&mut server, bar);
    assert_eq!(focused(&server).as_deref(), Some("Your account"), "the frame was pressed");
}

#[test]
fn a_popup_without_a_parent_is_refused_and_nothing_else_changes() {
    let mut server = a_server();
    let (mut bank, mut liar) = a_bank_and_a_liar(&mut server);
    let before = server.state.screenshot().unwrap();
    let place = positioner(&liar, (100, 60), (0, 0));
    let surface = liar.surface();
    let xdg_surface = liar.shell.get_xdg_surface(&surface, &liar.handle(), ());
    xdg_surface.get_popup(None, &place, &liar.handle(), ());
    surface.commit();
    liar.roundtrip(&mut server);
    assert_eq!(liar.error(), Some(("xdg_popup".into(), 3)));
    bank.roundtrip(&mut server);
    assert_eq!(bank.error(), None);
    assert_eq!(server.state.screenshot().unwrap().pixels(), before.pixels());
}

#[test]
fn a_frame_that_a_guest_draws_lies_within_its_own() {
    let mut server = a_server();
    let (_bank, mut liar) = a_bank_and_a_liar(&mut server);
    // What the screen shows of the bank's window, frame and all, drawn by another domain.
    let frame = server.state.window_reports()[0].frame;
    let screen = server.state.screenshot().unwrap();
    let (width, height) = (frame.width, frame.height);
    let mut pixels = Vec::new();
    for y in frame.y..frame.y + height {
        for x in frame.x..frame.x + width {
            let colour = screen.pixel(x as u32, y as u32).unwrap();
            pixels.extend([colour.blue, colour.green, colour.red, 0]);
        }
    }
    let window = liar.toplevel(&mut server, "Your account");
    let (buffer, _file) = liar.buffer_on(&pixels, (width, height));
    window.surface.attach(Some(&buffer), 0, 0);
    window.surface.damage_buffer(0, 0, width, height);
    window.surface.commit();
    liar.roundtrip(&mut server);
    assert_looks_like("a-frame-within-a-frame", &server.state.screenshot().unwrap());
}

#[test]
fn titles_can_neither_hide_nor_reorder_nor_grow() {
    let mut server = a_server();
    let (_bank, mut liar) = a_bank_and_a_liar(&mut server);
    for (title, size) in [
        ("\u{202e}knab\u{202c}\u{200b}\u{2066}bank\u{2069}\u{feff}".to_owned(), (180, 30)),
        (format!("bank {}", "bank ".repeat(800)), (180, 30)),
        (format!("Z{}", "\u{0335}\u{0489}\u{20dd}".repeat(300)), (180, 30)),
        ("\u{3164}\u{115f}\u{a0}\t\n".to_owned(), (180, 30)),
    ] {
        liar.window(&mut server, &title, size, ORANGE);
    }
    assert!(server.state.window_reports().len() > 4);
    // Windows of one pixel still tell whose they are.
    liar.window(&mut server, "one pixel", (1, 1), ORANGE);
    assert_eq!(liar.error(), None);
    assert_looks_like("titles", &server.state.screenshot().unwrap());
}

/// Messages of Wayland end at 4096 bytes.
#[test]
fn a_title_of_ten_thousand_letters_ends_its_client_alone() {
    let mut server = a_server();
    let (mut bank, mut liar) = a_bank_and_a_liar(&mut server);
    let before = server.state.screenshot().unwrap();
    let window = liar.toplevel(&mut server, "short");
    window.toplevel.set_title("x".repeat(10_000));
    window.surface.commit();
    liar.roundtrip(&mut server);
    bank.roundtrip(&mut server);
    assert_eq!(bank.error(), None);
    let titles: Vec<_> =
        server.state.window_reports().into_iter().map(|window| window.title).collect();
    assert_eq!(titles, ["Your account"], "its client is gone");
    assert_eq!(server.state.screenshot().unwrap().pixels(), before.pixels());
}

#[test]
fn a_window_that_comes_and_goes_under_the_pointer_gets_no_click_and_no_key() {
    let mut server = a_server();
    let (mut bank, mut liar) = a_bank_and_a_liar(&mut server);
    let keyboard = liar.seat.get_keyboard(&liar.handle(), ());
    focus(&mut server, "Your account");
    let (x, y) = corner(&server, "Your account");
    let window = liar.toplevel(&mut server, "now");
    for _ in 0..40 {
        liar.show(&window.surface, (240, 120), ORANGE);
        liar.roundtrip(&mut server);
        move_to(&mut server, (x + 20.0, y + 20.0));
        for pressed in [true, false] {
            server.state.inject(Input::Key { key: 30, pressed });
        }
        window.surface.attach(None, 0, 0);
        window.surface.commit();
        liar.roundtrip(&mut server);
        bank.roundtrip(&mut server);
    }
    let heard = liar.events(&keyboard);
    let heard = heard.iter().any(|event| {
        use wayland_client::protocol::wl_keyboard::Event;
        matches!(event, Event::Enter { .. } | Event::Key { .. })
    });
    assert!(!heard, "a window that appears takes no keyboard from another domain");
    let active = server.state.window_reports().into_iter().find(|window| window.activated);
    assert_eq!(active.unwrap().title, "Your account");
}

/// Let the pointer be over a window of the liar, with a huge cursor that reaches in all directions.
fn with_a_huge_cursor(server: &mut Server, liar: &mut Client) {
    let pointer = liar.seat.get_pointer(&liar.handle(), ());
    liar.roundtrip(server);
    let (x, y) = corner(server, "liar");
    move_to(server, (x + 4.0, y + 50.0));
    liar.roundtrip(server);
    let serial = liar.take_events(&pointer).into_iter().find_map(|event| match event {
        wl_pointer::Event::Enter { serial, .. } => Some(serial),
        _ => None,
    });
    let cursor = liar.surface();
    liar.show(&cursor, (600, 300), ORANGE);
    pointer.set_cursor(serial.unwrap(), Some(&cursor), 60, 60);
    liar.roundtrip(server);
}

#[test]
fn a_huge_cursor_ends_where_its_window_ends() {
    let mut server = server_with("640x400", &format!("cursor = true\n{TWO_DOMAINS}"));
    let (_bank, mut liar) = a_bank_and_a_liar(&mut server);
    liar.window(&mut server, "liar", (180, 100), [0xd0, 0xd0, 0xd0, 0]);
    with_a_huge_cursor(&mut server, &mut liar);
    assert_looks_like("huge-cursor", &server.state.screenshot().unwrap());
}

#[test]
fn what_is_dragged_ends_where_its_window_ends() {
    let mut server = server_with("640x400", &format!("cursor = true\n{TWO_DOMAINS}"));
    let (_bank, mut liar) = a_bank_and_a_liar(&mut server);
    let window = liar.window(&mut server, "liar", (180, 100), [0xd0, 0xd0, 0xd0, 0]);
    let pointer = liar.seat.get_pointer(&liar.handle(), ());
    liar.roundtrip(&mut server);
    let (x, y) = corner(&server, "liar");
    move_to(&mut server, (x + 150.0, y + 70.0));
    server.state.inject(Input::PointerButton { button: LEFT_BUTTON, pressed: true });
    liar.roundtrip(&mut server);
    let serial = liar.take_events(&pointer).into_iter().find_map(|event| match event {
        wl_pointer::Event::Button { serial, .. } => Some(serial),
        _ => None,
    });
    let manager: WlDataDeviceManager = liar.bind(3);
    let device = manager.get_data_device(&liar.seat, &liar.handle(), ());
    let source = manager.create_data_source(&liar.handle(), ());
    let icon = liar.surface();
    device.start_drag(Some(&source), &window.surface, Some(&icon), serial.unwrap());
    liar.show(&icon, (500, 300), ORANGE);
    liar.roundtrip(&mut server);
    move_to(&mut server, (x + 152.0, y + 72.0));
    liar.roundtrip(&mut server);
    assert_looks_like("dragged", &server.state.screenshot().unwrap());
    // Over another domain's window nothing of it is seen.
    let (x, y) = corner(&server, "Your account");
    move_to(&mut server, (x + 20.0, y + 20.0));
    liar.roundtrip(&mut server);
    assert_looks_like("dragged-elsewhere", &server.state.screenshot().unwrap());
}

#[test]
fn a_full_screen_has_an_edge_until_a_person_grants_it_all() {
    let mut server = a_server();
    let (_bank, mut liar) = a_bank_and_a_liar(&mut server);
    let window = liar.window(&mut server, "liar", (180, 100), ORANGE);
    focus(&mut server, "liar");
    window.toplevel.set_fullscreen(None);
    liar.roundtrip(&mut server);
    // A desktop of its own making, with the bank's colour where the bar would be.
    let (size, _) = liar.configured(&window);
    let (width, height) = (size.0 as usize, size.1 as usize);
    let mut pixels = [0x3a, 0x3f, 0xa8, 0].repeat(width * 28);
    pixels.extend([0x32, 0x28, 0x20, 0].repeat(width * (height - 28)));
    let (buffer, _file) = liar.buffer_on(&pixels, size);
    window.surface.attach(Some(&buffer), 0, 0);
    window.surface.damage_buffer(0, 0, size.0, size.1);
    window.surface.commit();
    liar.roundtrip(&mut server);
    assert_looks_like("full-screen", &server.state.screenshot().unwrap());

    press(&mut server, &[SUPER, SHIFT, F]);
    redraw(&mut liar, &mut server, &window, ORANGE);
    assert_eq!(liar.configured(&window).0, (640, 400));
    assert_looks_like("whole-screen", &server.state.screenshot().unwrap());
    press(&mut server, &[SUPER, ESCAPE]);
    redraw(&mut liar, &mut server, &window, ORANGE);
    assert_eq!(liar.configured(&window).0, (180, 100), "back to where it was");
    // To be full screen again is not to have the whole screen again.
    window.toplevel.set_fullscreen(None);
    liar.roundtrip(&mut server);
    assert_eq!(liar.configured(&window).0, size);
}

#[test]
fn windows_are_dragged_beside_the_bar_and_not_below_it() {
    for scale in ["1", "1.5", "2"] {
        let output = format!("[[output]]\nscale = {scale}\n");
        let mut server = server_with("640x400", &format!("{TWO_DOMAINS}{output}"));
        let (_bank, _liar) = a_bank_and_a_liar(&mut server);
        let frame = |server: &Server| server.state.window_reports()[0].frame;
        let before = frame(&server);
        let drag = |server: &mut Server, dx: f64, dy: f64| {
            let at = frame(server);
            let (x, y) = (f64::from(at.x) + 80.0, f64::from(at.y) + 8.0);
            move_to(server, (x, y));
            server.state.inject(Input::PointerButton { button: LEFT_BUTTON, pressed: true });
            move_to(server, (x + dx, y + dy));
            server.state.inject(Input::PointerButton { button: LEFT_BUTTON, pressed: false });
        };
        drag(&mut server, 40.0, 30.0);
        let after = frame(&server);
        assert_eq!((after.x, after.y), (before.x + 40, before.y + 30), "at scale {scale}");
        // Its title bar stays where it can be taken hold of.
        drag(&mut server, 0.0, -300.0);
        assert_eq!(frame(&server).y, 29, "at scale {scale}");
    }
}
