//! What a person does with windows, and what no window does to another.

use std::{path::Path, process::Command};

use hyper_dmabuf_compositor::{
    child::Surroundings,
    colour::Colour,
    control::messages::WindowRequest,
    image::{Image, compare},
    input::{Input, LEFT_BUTTON},
    server::Server,
};
use wayland_client::protocol::wl_keyboard;
use wayland_protocols::{
    wp::keyboard_shortcuts_inhibit::zv1::client::{
        zwp_keyboard_shortcuts_inhibit_manager_v1::ZwpKeyboardShortcutsInhibitManagerV1,
        zwp_keyboard_shortcuts_inhibitor_v1::{self, ZwpKeyboardShortcutsInhibitorV1},
    },
    xdg::{
        activation::v1::client::{xdg_activation_token_v1, xdg_activation_v1::XdgActivationV1},
        shell::client::{xdg_popup, xdg_toplevel::State as ToplevelState},
    },
};

use crate::client::{Client, Window, server, server_with, work};

const ORANGE: [u8; 4] = [0x20, 0x80, 0xf0, 0];
const TEAL: [u8; 4] = [0x80, 0x80, 0x10, 0];

/// Keys in the kernel's numbers.
const SUPER: u32 = 125;
const SHIFT: u32 = 42;
const LEFT: u32 = 105;
const RIGHT: u32 = 106;
const UP: u32 = 103;
const DOWN: u32 = 108;
const TAB: u32 = 15;
const ESCAPE: u32 = 1;
const RETURN: u32 = 28;
const ONE: u32 = 2;
const TWO: u32 = 3;
const Q: u32 = 16;
const A: u32 = 30;

/// Press keys one after the other, and let go of them.
pub(crate) fn press(server: &mut Server, keys: &[u32]) {
    for key in keys {
        server.state.inject(Input::Key { key: *key, pressed: true });
    }
    for key in keys.iter().rev() {
        server.state.inject(Input::Key { key: *key, pressed: false });
    }
}

/// Draw a window at the size that it was told.
pub(crate) fn redraw(client: &mut Client, server: &mut Server, window: &Window, pixel: [u8; 4]) {
    client.roundtrip(server);
    client.show(&window.surface, client.configured(window).0, pixel);
    client.roundtrip(server);
}

fn shown(server: &Server) -> Vec<String> {
    server.state.window_reports().into_iter().filter(|w| w.visible).map(|w| w.title).collect()
}

fn active(server: &Server) -> Option<String> {
    server.state.window_reports().into_iter().find(|w| w.activated).map(|w| w.title)
}

/// The picture is the one in `references/NAME.png`; with `UPDATE_REFERENCES=1` it becomes that one.
pub(crate) fn assert_looks_like(name: &str, seen: &Image) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/references/{name}.png"));
    if std::env::var_os("UPDATE_REFERENCES").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        seen.write(&path).unwrap();
    }
    assert_eq!(compare(&Image::read(&path).unwrap(), seen), None, "{name}");
}

#[test]
fn windows_fill_halves_and_the_whole() {
    let mut server = server("640x400");
    let origin = work(&server);
    let mut guest = Client::new(&mut server, origin);
    let mut local = Client::local(&mut server);
    let left = guest.window(&mut server, "left", (200, 100), ORANGE);
    let right = local.window(&mut server, "right", (200, 100), TEAL);
    assert_eq!(active(&server).as_deref(), Some("left"));
    press(&mut server, &[SUPER, LEFT]);
    redraw(&mut guest, &mut server, &left, ORANGE);
    press(&mut server, &[SUPER, TAB]);
    press(&mut server, &[SUPER, RIGHT]);
    redraw(&mut local, &mut server, &right, TEAL);
    assert!(local.configured(&right).1.contains(&ToplevelState::TiledRight));
    let frames: Vec<_> = server.state.window_reports().iter().map(|w| w.frame).collect();
    assert_eq!((frames[0].x, frames[0].width, frames[0].height), (0, 320, 400));
    assert_eq!((frames[1].x, frames[1].width, frames[1].height), (320, 320, 400));
    assert_looks_like("halves", &server.state.screenshot().unwrap());

    press(&mut server, &[SUPER, UP]);
    redraw(&mut local, &mut server, &right, TEAL);
    let frame = server.state.window_reports()[1].frame;
    assert_eq!((frame.x, frame.y, frame.width, frame.height), (0, 0, 640, 400));
    press(&mut server, &[SUPER, UP]);
    redraw(&mut local, &mut server, &right, TEAL);
    assert_eq!(local.configured(&right).0, (200, 100), "back to where it was");
}

#[test]
fn windows_dropped_at_an_edge_fill_its_half() {
    let mut server = server("640x400");
    let mut local = Client::local(&mut server);
    let window = local.window(&mut server, "dragged", (200, 100), TEAL);
    for (to, expected) in [
        ((0.0, 200.0), (0, 320, 400)),
        ((639.0, 200.0), (320, 320, 400)),
        ((300.0, 0.0), (0, 640, 400)),
    ] {
        let frame = server.state.window_reports()[0].frame;
        let (x, y) = (f64::from(frame.x + 60), f64::from(frame.y + 10));
        server.state.inject(Input::PointerMotion { x, y });
        server.state.inject(Input::PointerButton { button: LEFT_BUTTON, pressed: true });
        server.state.inject(Input::PointerMotion { x: to.0, y: to.1 });
        server.state.inject(Input::PointerButton { button: LEFT_BUTTON, pressed: false });
        redraw(&mut local, &mut server, &window, TEAL);
        let frame = server.state.window_reports()[0].frame;
        assert_eq!((frame.x, frame.width, frame.height), expected);
        window.toplevel.set_maximized();
        window.toplevel.unset_maximized();
        redraw(&mut local, &mut server, &window, TEAL);
        assert_eq!(local.configured(&window).0, (200, 100));
    }
}

#[test]
fn windows_are_minimised_and_restored() {
    let mut server = server("640x400");
    let mut local = Client::local(&mut server);
    let one = local.window(&mut server, "one", (200, 100), ORANGE);
    local.window(&mut server, "two", (200, 100), TEAL);
    press(&mut server, &[SUPER, DOWN]);
    assert_eq!(shown(&server), ["one"]);
    assert_eq!(active(&server).as_deref(), Some("one"));
    one.toplevel.set_minimized();
    local.roundtrip(&mut server);
    assert!(shown(&server).is_empty() && active(&server).is_none());
    assert!(local.configured(&one).1.contains(&ToplevelState::Suspended));
    let image = server.state.screenshot().unwrap();
    assert!(image.pixels().chunks(3).all(|pixel| pixel == &image.pixels()[..3]), "nothing is seen");
    // The last one first.
    for expected in ["one", "two"] {
        press(&mut server, &[SUPER, SHIFT, DOWN]);
        assert_eq!(active(&server).as_deref(), Some(expected));
    }
    assert_eq!(shown(&server).len(), 2);
    local.roundtrip(&mut server);
    assert!(!local.configured(&one).1.contains(&ToplevelState::Suspended));
}

#[test]
fn dialogues_lie_over_their_windows_and_stay_there() {
    let mut server = server("640x400");
    let mut local = Client::local(&mut server);
    let main = local.window(&mut server, "main", (300, 200), ORANGE);
    let dialogue = local.toplevel(&mut server, "dialogue");
    dialogue.toplevel.set_parent(Some(&main.toplevel));
    local.show(&dialogue.surface, (100, 50), TEAL);
    local.roundtrip(&mut server);
    let frames: Vec<_> = server.state.window_reports().iter().map(|w| w.frame).collect();
    let middle = |frame: &hyper_dmabuf_compositor::control::messages::Geometry| {
        (frame.x + frame.width / 2, frame.y + frame.height / 2)
    };
    assert_eq!(middle(&frames[0]), middle(&frames[1]));
    // The window is clicked, and does not cover it.
    let (x, y) = (f64::from(frames[0].x + 20), f64::from(frames[0].y + 60));
    server.state.inject(Input::PointerMotion { x, y });
    for pressed in [true, false] {
        server.state.inject(Input::PointerButton { button: LEFT_BUTTON, pressed });
    }
    assert_eq!(active(&server).as_deref(), Some("main"));
    let titles: Vec<_> = server.state.window_reports().into_iter().map(|w| w.title).collect();
    assert_eq!(titles, ["main", "dialogue"]);
}

#[test]
fn each_workspace_shows_its_windows() {
    let mut server = server("640x400");
    let mut local = Client::local(&mut server);
    local.window(&mut server, "first", (200, 100), ORANGE);
    press(&mut server, &[SUPER, TWO]);
    assert!(shown(&server).is_empty() && active(&server).is_none());
    local.window(&mut server, "second", (200, 100), TEAL);
    assert_eq!(shown(&server), ["second"]);
    press(&mut server, &[SUPER, ONE]);
    assert_eq!(shown(&server), ["first"]);
    assert_eq!(active(&server).as_deref(), Some("first"));
    press(&mut server, &[SUPER, SHIFT, TWO]);
    assert!(shown(&server).is_empty());
    press(&mut server, &[SUPER, TWO]);
    assert_eq!(shown(&server).len(), 2);
}

#[test]
fn a_shortcut_starts_a_program() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let line = format!("run echo $WAYLAND_DISPLAY > {}", pipe.display());
    let mut server = server_with("640x400", &format!("[keys]\n\"Super+a\" = \"{line}\"\n"));
    let limit = hyper_dmabuf_compositor::descriptors::raise_limit();
    server.state.allow_programs(Surroundings {
        socket: "wayland-77".to_owned(),
        x11_display: None,
        limit,
    });
    press(&mut server, &[SUPER, A]);
    assert_eq!(std::fs::read_to_string(&pipe).unwrap(), "wayland-77\n");
}

#[test]
fn shortcuts_can_be_chosen_and_programs_do_not_hear_them() {
    let mut server =
        server_with("640x400", "[keys]\n\"Super+q\" = \"nothing\"\n\"Ctrl+Alt+a\" = \"close\"\n");
    let mut local = Client::local(&mut server);
    let keyboard = local.seat.get_keyboard(&local.handle(), ());
    let window = local.window(&mut server, "one", (200, 100), ORANGE);
    local.roundtrip(&mut server);
    local.take_events(&keyboard);
    let heard = |client: &mut Client, server: &mut Server| -> Vec<u32> {
        client.roundtrip(server);
        let events = client.take_events(&keyboard);
        let keys = events.iter().filter_map(|event| match event {
            wl_keyboard::Event::Key { key, .. } => Some(*key),
            _ => None,
        });
        keys.collect()
    };
    press(&mut server, &[SUPER, Q]);
    assert_eq!(heard(&mut local, &mut server), [SUPER, Q, Q, SUPER], "not a shortcut any more");
    press(&mut server, &[29, 56, A]);
    assert_eq!(heard(&mut local, &mut server), [29, 56, 56, 29]);
    let closes = local.events(&window.toplevel);
    assert!(closes.iter().any(|event| format!("{event:?}").starts_with("Close")));

    // A program may have them all, until a person takes them back.
    let manager: ZwpKeyboardShortcutsInhibitManagerV1 = local.bind(1);
    let inhibitor =
        manager.inhibit_shortcuts(&window.surface, &local.seat.clone(), &local.handle(), ());
    local.roundtrip(&mut server);
    press(&mut server, &[SUPER, DOWN]);
    assert_eq!(heard(&mut local, &mut server), [SUPER, DOWN, DOWN, SUPER]);
    press(&mut server, &[SUPER, ESCAPE]);
    assert_eq!(heard(&mut local, &mut server), [SUPER, SUPER]);
    assert!(matches!(
        local.events(&inhibitor)[..],
        [
            zwp_keyboard_shortcuts_inhibitor_v1::Event::Active,
            zwp_keyboard_shortcuts_inhibitor_v1::Event::Inactive
        ]
    ));
    press(&mut server, &[SUPER, DOWN]);
    assert!(shown(&server).is_empty());
}

/// Whether the last that an inhibitor was told is that it acts. What it was told is forgotten: the
/// number of one that was destroyed is used again.
fn is_active_now(client: &mut Client, inhibitor: &ZwpKeyboardShortcutsInhibitorV1) -> bool {
    let last = client.take_events(inhibitor).pop();
    matches!(last, Some(zwp_keyboard_shortcuts_inhibitor_v1::Event::Active))
}

#[test]
fn a_guest_whose_shortcuts_were_taken_cannot_ask_for_them_at_once() {
    let mut server = server("640x400");
    let origin = work(&server);
    let mut other = Client::local(&mut server);
    other.window(&mut server, "other", (100, 50), TEAL);
    let mut guest = Client::new(&mut server, origin.clone());
    let first = guest.window(&mut server, "guest", (100, 50), ORANGE);
    let inhibit = |guest: &mut Client, server: &mut Server, window: &Window| {
        let manager: ZwpKeyboardShortcutsInhibitManagerV1 = guest.bind(1);
        let (seat, handle) = (guest.seat.clone(), guest.handle());
        let inhibitor = manager.inhibit_shortcuts(&window.surface, &seat, &handle, ());
        guest.roundtrip(server);
        let is_active = is_active_now(guest, &inhibitor);
        (inhibitor, is_active)
    };
    let focus = |server: &mut Server, title: &str| {
        let mut windows = server.state.window_reports().into_iter();
        let id = windows.find(|window| window.title == title).unwrap().id;
        server.state.control_window(&WindowRequest::Focus { id }).unwrap();
    };
    focus(&mut server, "guest");
    let (inhibitor, is_active) = inhibit(&mut guest, &mut server, &first);
    assert!(!is_active, "not without a person's consent");
    press(&mut server, &[SUPER, SHIFT, RETURN]);
    guest.roundtrip(&mut server);
    assert!(is_active_now(&mut guest, &inhibitor));
    press(&mut server, &[SUPER, ESCAPE]);
    // Neither by a new request, nor by another window, nor by another program.
    inhibitor.destroy();
    assert!(!inhibit(&mut guest, &mut server, &first).1);
    let second = guest.window(&mut server, "second", (100, 50), ORANGE);
    assert!(!inhibit(&mut guest, &mut server, &second).1);
    let mut accomplice = Client::new(&mut server, origin);
    let third = accomplice.window(&mut server, "third", (100, 50), ORANGE);
    assert!(!inhibit(&mut accomplice, &mut server, &third).1);
    press(&mut server, &[SUPER, DOWN]);
    assert!(!shown(&server).contains(&"third".to_owned()), "the shortcut is the person's");
    // Somebody else had the keyboard: it may ask again.
    focus(&mut server, "other");
    let again = guest.window(&mut server, "again", (100, 50), ORANGE);
    let (inhibitor, is_active) = inhibit(&mut guest, &mut server, &again);
    assert!(!is_active);
    // It does not even ask while somebody else has the keyboard.
    press(&mut server, &[SUPER, SHIFT, RETURN]);
    focus(&mut server, "again");
    guest.roundtrip(&mut server);
    assert!(!is_active_now(&mut guest, &inhibitor));
    press(&mut server, &[SUPER, SHIFT, RETURN]);
    guest.roundtrip(&mut server);
    assert!(is_active_now(&mut guest, &inhibitor));
}

/// The client asks for a leave with the serial of its last keyboard focus, or without one.
fn leave(client: &mut Client, server: &mut Server, serial: Option<u32>) -> String {
    let activation: XdgActivationV1 = client.bind(1);
    let token = activation.get_activation_token(&client.handle(), ());
    if let Some(serial) = serial {
        token.set_serial(serial, &client.seat);
    }
    token.commit();
    client.roundtrip(server);
    match client.events(&token)[..] {
        [xdg_activation_token_v1::Event::Done { token }] => token.clone(),
        _ => panic!("no token"),
    }
}

#[test]
fn the_focus_is_given_and_not_taken() {
    let mut server = server("640x400");
    let origin = work(&server);
    let mut guest = Client::new(&mut server, origin.clone());
    let mut other = Client::new(&mut server, origin);
    let mut local = Client::local(&mut server);
    let keyboard = guest.seat.get_keyboard(&guest.handle(), ());
    let others = other.window(&mut server, "other", (100, 50), TEAL);
    let locals = local.window(&mut server, "local", (100, 50), TEAL);
    guest.window(&mut server, "guest", (100, 50), ORANGE);
    assert_eq!(active(&server).as_deref(), Some("guest"));
    let enter = guest.events(&keyboard).iter().rev().find_map(|event| match event {
        wl_keyboard::Event::Enter { serial, .. } => Some(*serial),
        _ => None,
    });
    let activate = |client: &mut Client, server: &mut Server, token: &str, window: &Window| {
        client.bind::<XdgActivationV1>(1).activate(token.into(), &window.surface);
        client.roundtrip(server);
    };
    // To another domain, without an event, and from one without the focus.
    let token = leave(&mut guest, &mut server, enter);
    activate(&mut local, &mut server, &token, &locals);
    assert_eq!(active(&server).as_deref(), Some("guest"));
    let token = leave(&mut guest, &mut server, None);
    activate(&mut other, &mut server, &token, &others);
    assert_eq!(active(&server).as_deref(), Some("guest"));
    let token = leave(&mut other, &mut server, enter);
    activate(&mut other, &mut server, &token, &others);
    assert_eq!(active(&server).as_deref(), Some("guest"));
    // Within the domain, by one who has it.
    let token = leave(&mut guest, &mut server, enter);
    activate(&mut other, &mut server, &token, &others);
    assert_eq!(active(&server).as_deref(), Some("other"));
}

#[test]
fn a_menu_does_not_take_the_keyboard_from_another_program() {
    let mut server = server("640x400");
    let origin = work(&server);
    let mut guest = Client::new(&mut server, origin);
    let mut local = Client::local(&mut server);
    let keyboard = local.seat.get_keyboard(&local.handle(), ());
    local.window(&mut server, "local", (100, 50), TEAL);
    let window = guest.window(&mut server, "guest", (100, 50), ORANGE);
    assert_eq!(active(&server).as_deref(), Some("local"));
    let handle = guest.handle();
    let positioner = guest.shell.create_positioner(&handle, ());
    positioner.set_size(60, 40);
    positioner.set_anchor_rect(0, 0, 1, 1);
    let surface = guest.surface();
    let xdg_surface = guest.shell.get_xdg_surface(&surface, &handle, ());
    let popup = xdg_surface.get_popup(Some(&window.xdg_surface), &positioner, &handle, ());
    popup.grab(&guest.seat, 1);
    surface.commit();
    guest.roundtrip(&mut server);
    guest.show(&surface, (60, 40), TEAL);
    guest.roundtrip(&mut server);
    let told = guest.events(&popup);
    assert!(told.iter().any(|event| matches!(event, xdg_popup::Event::PopupDone)));
    press(&mut server, &[A]);
    local.roundtrip(&mut server);
    let heard = local.events(&keyboard);
    assert!(heard.iter().any(|event| matches!(event, wl_keyboard::Event::Key { key: A, .. })));
    assert_eq!(server.state.screenshot().unwrap().pixel(0, 0), Some(Colour::new(0x20, 0x28, 0x32)));
}
