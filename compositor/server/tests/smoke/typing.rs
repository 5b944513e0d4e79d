//! What is typed is heard by the window that has the keyboard, and by nobody else: however the
//! keyboard changes hands, whatever is held meanwhile.

use std::collections::BTreeSet;

use hyper_dmabuf_compositor::{
    client::ClientOrigin,
    input::{Input, LEFT_BUTTON},
    keys::Action,
    server::Server,
    shell::window::WindowId,
};
use wayland_protocols::xdg::shell::client::xdg_positioner::{Anchor, Gravity};

use crate::{
    client::{Client, Toplevel, server},
    exchange::domain,
};

const GREY: [u8; 4] = [0x80, 0x80, 0x80, 0];
/// Letters that no shortcut is made of, in the kernel's numbers.
const LETTERS: [u32; 8] = [30, 31, 32, 34, 35, 36, 37, 38];

/// The same numbers in every run (xorshift64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

fn key(server: &mut Server, key: u32, pressed: bool) {
    server.state.inject(Input::Key { key, pressed });
}

/// A window of each of these, with a keyboard.
fn windows(
    server: &mut Server,
    origins: impl IntoIterator<Item = ClientOrigin>,
) -> Vec<(Client, Toplevel, WindowId)> {
    let window = |(number, origin): (u64, ClientOrigin)| {
        let mut client = Client::new(server, origin);
        client.seat.get_keyboard(&client.handle(), ());
        client.seat.get_pointer(&client.handle(), ());
        let window = client.window(server, &number.to_string(), (180, 120), GREY);
        let id = server.state.window_reports().iter().map(|report| report.id).max().unwrap();
        (client, window, WindowId(id))
    };
    (0..).zip(origins).map(window).collect()
}

#[test]
fn held_keys_are_let_go_when_the_keyboard_goes_to_another_domain() {
    let mut server = server("900x500");
    let origins = [domain(&server, "work"), domain(&server, "work"), domain(&server, "web")];
    let mut windows = windows(&mut server, origins);
    server.state.focus_window(Some(windows[0].2));
    key(&mut server, 30, true);
    // Within a domain a held key goes on.
    server.state.focus_window(Some(windows[1].2));
    let mut told = |server: &mut Server, index: usize| {
        let client = &mut windows[index].0;
        client.roundtrip(server);
        (std::mem::take(&mut client.told.keys), std::mem::take(&mut client.told.held_at_enter))
    };
    assert_eq!(told(&mut server, 0).0, [(30, true)]);
    assert_eq!(told(&mut server, 1), (vec![], 4));

    let web = server.state.window_reports().iter().map(|report| report.id).max().map(WindowId);
    server.state.focus_window(web);
    assert_eq!(told(&mut server, 1).0, [(30, false)]);
    key(&mut server, 30, false);
    assert_eq!(told(&mut server, 2), (vec![], 0), "another domain's key is none of web's concern");
    key(&mut server, 30, true);
    key(&mut server, 30, false);
    assert_eq!(told(&mut server, 2).0, [(30, true), (30, false)]);
}

/// A menu that has grabbed keyboard and pointer, of the window that was clicked.
fn open_menu(server: &mut Server, client: &mut Client, window: &Toplevel, at: (i32, i32)) {
    let handle = client.handle();
    server.state.inject(Input::PointerMotion { x: at.0.into(), y: at.1.into() });
    server.state.inject(Input::PointerButton { button: LEFT_BUTTON, pressed: true });
    client.roundtrip(server);
    let Some(serial) = client.told.button.take() else { return };
    let positioner = client.shell.create_positioner(&handle, ());
    positioner.set_size(40, 40);
    positioner.set_anchor_rect(90, 60, 1, 1);
    positioner.set_anchor(Anchor::BottomRight);
    positioner.set_gravity(Gravity::BottomRight);
    let surface = client.compositor.create_surface(&handle, ());
    let xdg_surface = client.shell.get_xdg_surface(&surface, &handle, ());
    let popup = xdg_surface.get_popup(Some(&window.xdg_surface), &positioner, &handle, ());
    popup.grab(&client.seat, serial);
    surface.commit();
    client.roundtrip(server);
    if !client.told.popup_done {
        client.show(&surface, (40, 40), GREY);
    }
    client.roundtrip(server);
    server.state.inject(Input::PointerButton { button: LEFT_BUTTON, pressed: false });
    client.roundtrip(server);
    if client.told.popup_done {
        popup.destroy();
        xdg_surface.destroy();
        surface.destroy();
    }
}

#[test]
fn a_menu_does_not_keep_the_keyboard_from_who_has_it_now() {
    let mut server = server("900x500");
    let origins = [domain(&server, "work"), domain(&server, "web")];
    let mut windows = windows(&mut server, origins);
    let place = server.state.window_reports()[0].geometry;
    let (client, window, _) = &mut windows[0];
    open_menu(&mut server, client, window, (place.x + 90, place.y + 60));
    assert!(!client.told.popup_done && client.error().is_none());
    // What a shortcut does, without the pointer.
    server.state.act(Action::NextWindow);
    key(&mut server, 30, true);
    key(&mut server, 30, false);
    for (client, ..) in &mut windows {
        client.roundtrip(&mut server);
    }
    assert!(windows[0].0.told.popup_done, "the menu is told that it is over");
    assert_eq!(windows[0].0.told.keys, []);
    assert_eq!(windows[1].0.told.keys, [(30, true), (30, false)]);
}

#[test]
fn typed_text_reaches_the_focused_domain_alone_through_a_thousand_changes() {
    let mut server = server("1600x900");
    let work = domain(&server, "work");
    let web = domain(&server, "web");
    let origins = [work.clone(), web.clone(), ClientOrigin::Local, work, web];
    let mut windows = windows(&mut server, origins.clone());
    let mut chance = Chance(0x5eed);
    let mut held = BTreeSet::new();
    // By window: presses that it is to hear of, in order.
    let mut expected: Vec<Vec<u32>> = vec![Vec::new(); windows.len()];
    let mut menus = 0;
    for step in 0..1000 {
        let target = chance.below(windows.len());
        match chance.below(6) {
            0 => server.state.focus_window(None),
            1 => server.state.act(Action::NextWindow),
            2 => server.state.act(Action::PreviousWindow),
            3 if step % 4 == 0 => {
                let id = windows[target].2;
                let reports = server.state.window_reports();
                let place = reports.iter().find(|report| report.id == id.0).unwrap().geometry;
                let (client, window, _) = &mut windows[target];
                client.told.popup_done = false;
                open_menu(&mut server, client, window, (place.x + 20, place.y + 20));
                menus += 1;
            }
            _ => server.state.focus_window(Some(windows[target].2)),
        }
        for _ in 0..1 + chance.below(3) {
            let letter = LETTERS[chance.below(LETTERS.len())];
            let pressed = held.insert(letter);
            if !pressed {
                held.remove(&letter);
            }
            let reports = server.state.window_reports();
            let active = reports.iter().find(|report| report.activated).map(|report| report.id);
            let active = windows.iter().position(|(_, _, id)| Some(id.0) == active);
            if let (true, Some(active)) = (pressed, active) {
                expected[active].push(letter);
            }
            key(&mut server, letter, pressed);
        }
    }
    assert!(menus > 20);
    for (index, (client, ..)) in windows.iter_mut().enumerate() {
        client.roundtrip(&mut server);
        assert_eq!(client.error(), None);
        let keys = &client.told.keys;
        let presses: Vec<u32> =
            keys.iter().filter(|(_, pressed)| *pressed).map(|(key, _)| *key).collect();
        assert_eq!(presses, expected[index], "window {index} of {:?}", origins[index]);
        // Each release is of a key whose press its domain has heard of.
        let domain_heard = |letter: u32| {
            let mut same = (0..origins.len()).filter(|other| origins[*other] == origins[index]);
            same.any(|other| expected[other].contains(&letter))
        };
        assert!(keys.iter().all(|(key, pressed)| *pressed || domain_heard(*key)));
    }
}
