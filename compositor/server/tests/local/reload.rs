//! What is configured can be changed while the compositor runs.

use std::{cell::RefCell, rc::Rc};

use hyper_dmabuf_compositor::{
    backend::BackendKind,
    client::ClientOrigin,
    config::Config,
    control::messages::{ReloadReport, WindowRequest},
    image::{Image, compare},
    input::Input,
    reload::ReloadError,
    server::Server,
};
use wayland_client::protocol::wl_keyboard;
use wayland_protocols::xdg::shell::client::xdg_toplevel;

use crate::client::{Client, work};

const ORANGE: [u8; 4] = [0x20, 0x80, 0xf0, 0];
const TEAL: [u8; 4] = [0x80, 0x80, 0x10, 0];
const SUPER: u32 = 125;
const X: u32 = 45;

/// A file that is only a text.
#[derive(Clone)]
struct File(Rc<RefCell<String>>);

impl File {
    /// A compositor that reads it.
    fn served(text: &str) -> (Server, File) {
        let file = File(Rc::new(RefCell::new(text.to_owned())));
        let config = Config::from_toml(text).unwrap();
        let mut server = Server::new(config, BackendKind::Headless).unwrap();
        let read = file.clone();
        server.state.allow_reload(move || Ok(Config::from_toml(&read.0.borrow()).unwrap()));
        (server, file)
    }

    fn change(&self, server: &mut Server, text: &str) -> Result<ReloadReport, ReloadError> {
        *self.0.borrow_mut() = text.to_owned();
        server.state.reload()
    }
}

/// Windows of both kinds, at places that do not depend on their frames.
fn windows(server: &mut Server) -> [Client; 2] {
    let origin = work(server);
    let mut clients = [Client::new(server, origin), Client::local(server)];
    let [guest, local] = &mut clients;
    guest.window(server, "Accounts", (200, 90), ORANGE);
    local.window(server, "Notes", (200, 90), TEAL);
    let places = ["20+50", "100+170"].map(|place| place.parse().unwrap());
    let ids: Vec<u64> = server.state.window_reports().iter().map(|window| window.id).collect();
    for (id, to) in ids.into_iter().zip(places) {
        server.state.control_window(&WindowRequest::Move { id, to }).unwrap();
    }
    clients
}

fn picture(server: &mut Server, clients: &mut [Client]) -> Image {
    clients.iter_mut().for_each(|client| client.roundtrip(server));
    server.state.screenshot().unwrap()
}

const BEFORE: &str = "size = \"420x300\"\nrefresh = 0\n[[domain]]\nname = \"work\"\n";

#[test]
fn what_is_seen_is_what_a_fresh_start_would_show() {
    let much = r##"
        size = "500x420"
        refresh = 0
        background = "#604020"
        cursor = true
        [frame]
        border = 9
        font_size = 20
        [[output]]
        scale = 1.25
        transform = "90"
        [[domain]]
        name = "work"
        colour = "#a02080"
    "##;
    // A title bar that stays as wide as it was is drawn again, too.
    let little = format!("{BEFORE}[frame]\nlocal_colour = \"#305030\"\n");
    let (mut server, file) = File::served(BEFORE);
    let mut clients = windows(&mut server);
    let before = picture(&mut server, &mut clients);
    for after in [&little, much] {
        let report = file.change(&mut server, after).unwrap();
        assert_eq!(report.failed, [""; 0]);
        let changed = picture(&mut server, &mut clients);
        assert!(compare(&before, &changed).is_some());
        let (mut fresh, _) = File::served(after);
        let mut clients = windows(&mut fresh);
        let expected = picture(&mut fresh, &mut clients);
        assert_eq!(compare(&expected, &changed), None, "{after}");
    }
    file.change(&mut server, BEFORE).unwrap();
    assert_eq!(compare(&before, &picture(&mut server, &mut clients)), None, "and back");
}

#[test]
fn outputs_come_and_go_as_configured() {
    let (mut server, file) = File::served(BEFORE);
    let two = format!("{BEFORE}[[output]]\n[[output]]\nname = \"RIGHT\"\nsize = \"300x200\"\n");
    file.change(&mut server, &two).unwrap();
    let places = |server: &Server| -> Vec<(String, i32, i32)> {
        let reports = server.state.output_reports().into_iter();
        reports.map(|output| (output.name, output.geometry.x, output.geometry.width)).collect()
    };
    let left = ("HEADLESS-1".to_owned(), 0, 420);
    assert_eq!(places(&server), [left.clone(), ("RIGHT".to_owned(), 420, 300)]);
    file.change(&mut server, BEFORE).unwrap();
    assert_eq!(places(&server), [left]);
}

#[test]
fn keys_mean_what_they_are_configured_to() {
    let (mut server, file) = File::served(BEFORE);
    let mut client = Client::local(&mut server);
    let keyboard = client.seat.get_keyboard(&client.handle(), ());
    let window = client.window(&mut server, "typed into", (100, 80), ORANGE);
    client.take_events(&keyboard);
    let after = format!(
        "{BEFORE}[keyboard]\nlayout = \"de\"\nrepeat_rate = 40\nrepeat_delay = 222\n
         [keys]\n\"Super+x\" = \"close\"\n"
    );
    let report = file.change(&mut server, &after).unwrap();
    assert_eq!(report.changed, ["keys", "keyboard", "keyboard repeat"]);
    client.roundtrip(&mut server);
    let told = client.take_events(&keyboard);
    let is_keymap = |event: &wl_keyboard::Event| matches!(event, wl_keyboard::Event::Keymap { .. });
    assert!(told.iter().any(is_keymap), "{told:?}");
    let repeats = wl_keyboard::Event::RepeatInfo { rate: 40, delay: 222 };
    assert!(told.iter().any(|event| format!("{event:?}") == format!("{repeats:?}")), "{told:?}");

    for (key, pressed) in [(SUPER, true), (X, true), (X, false), (SUPER, false)] {
        server.state.inject(Input::Key { key, pressed });
    }
    client.roundtrip(&mut server);
    let told = client.events(&window.toplevel);
    assert!(told.iter().any(|event| matches!(event, xdg_toplevel::Event::Close)), "{told:?}");
}

#[test]
fn a_keyboard_that_there_is_not_changes_nothing_at_all() {
    let (mut server, file) = File::served(BEFORE);
    let before = server.state.config.clone();
    let wrong = format!("background = \"#101010\"\n{BEFORE}[keyboard]\nlayout = \"atlantis\"\n");
    let error = file.change(&mut server, &wrong).unwrap_err().to_string();
    assert!(error.contains("atlantis") && error.contains("stays as it was"), "{error}");
    assert_eq!(server.state.config, before);
}

#[test]
fn what_counts_at_the_start_is_said_to() {
    let (mut server, file) = File::served(BEFORE);
    let report = file.change(&mut server, &format!("renderer = \"gles\"\n{BEFORE}")).unwrap();
    assert_eq!(report.at_next_start, ["renderer"]);
    assert_eq!(report.changed, [""; 0]);
}

#[test]
fn rules_of_protocols_hold_for_who_comes_after_them() {
    let (mut server, file) = File::served(BEFORE);
    let origin = work(&server);
    let offers = |client: &Client| client.offered().iter().any(|name| name == "wp_viewporter");
    let mut old = Client::new(&mut server, origin.clone());
    let without = format!("{BEFORE}[domain.protocols]\nwp_viewporter = false\n");
    let report = file.change(&mut server, &without).unwrap();
    assert_eq!(report.failed, [""; 0]);
    old.roundtrip(&mut server);
    assert!(offers(&old), "who had it keeps it");
    assert!(!offers(&Client::new(&mut server, origin.clone())));
    file.change(&mut server, BEFORE).unwrap();
    assert!(offers(&Client::new(&mut server, origin.clone())), "and back");

    let nobody = format!("{BEFORE}[protocols]\nwp_viewporter = false\n");
    assert_eq!(file.change(&mut server, &nobody).unwrap().failed, [""; 0]);
    assert!(!offers(&Client::new(&mut server, origin)));
}

#[test]
fn limits_are_what_they_were_changed_to() {
    let (mut server, file) = File::served(BEFORE);
    let origin = work(&server);
    let report = file.change(&mut server, &format!("{BEFORE}[limits]\nsurfaces = 2\n")).unwrap();
    assert_eq!(report.changed, ["limits"]);
    assert!(error_of_three_surfaces(&mut server, &origin).is_some());
    file.change(&mut server, BEFORE).unwrap();
    assert_eq!(error_of_three_surfaces(&mut server, &origin), None);
}

fn error_of_three_surfaces(server: &mut Server, origin: &ClientOrigin) -> Option<(String, u32)> {
    let mut client = Client::new(server, origin.clone());
    (0..3).for_each(|_| drop(client.surface()));
    client.roundtrip(server);
    client.error()
}
