//! What a person carries from one guest to another by two keys, with programs as Debian has them, each
//! behind the proxy of its guest.

use std::process::{Output, Stdio};
use std::sync::Arc;

use fixture::{App, Display, Pattern, Proxy, Socket};
use hyper_dmabuf_compositor::input::Input;

const PROXY: &str = env!("CARGO_BIN_EXE_hyper-dmabuf-proxy-under-test");

/// Keys in the kernel's numbers.
const SUPER: u32 = 125;
const SHIFT: u32 = 42;
const C: u32 = 46;
const V: u32 = 47;

fn press(display: &Display, key: u32) {
    let keys = [SUPER, SHIFT, key];
    keys.iter().for_each(|key| display.input(Input::Key { key: *key, pressed: true }));
    keys.iter().rev().for_each(|key| display.input(Input::Key { key: *key, pressed: false }));
}

/// Clicks in the middle of the window of this title.
fn focus(display: &Display, title: &str) {
    let windows = display.windows();
    let place = windows.iter().find(|window| window.title == title).expect("a window").geometry;
    display.point_at(place.x + place.width / 2, place.y + place.height / 2);
    display.press(true);
    display.press(false);
}

fn told(display: &Display, text: &'static str) {
    display.wait_until(text, move |state| {
        state.last_note().is_some_and(|note| note.text.contains(text))
    });
}

fn copy(socket: &dyn Socket, text: &str) {
    let status = socket.command("wl-copy").arg(text).stdout(Stdio::null()).status();
    assert!(status.expect("wl-clipboard is installed").success());
}

fn paste(socket: &dyn Socket, arguments: &[&str]) -> Output {
    let mut command = socket.command("wl-paste");
    let output = command.args(arguments).arg("--no-newline").stdin(Stdio::null()).output();
    output.expect("wl-clipboard is installed")
}

#[test]
fn what_wl_copy_has_in_one_guest_wl_paste_gets_in_another_by_both_keys_and_once() {
    let display = Arc::new(Display::start("800x400", &["work", "web"]));
    let [work, web] = ["work", "web"].map(|domain| Proxy::start(PROXY, &display, domain));
    // It opens a window to have the keyboard, and has it on an empty screen.
    copy(&work, "from work, ünverändert");
    let mut apps = ["work", "web"].map(|domain| App::connect(&display, domain));
    let _windows = [("Work", 0), ("Web", 1)]
        .map(|(title, app)| apps[app].window(title, 240, 160, Pattern::Plain(0x507090)));

    // A window of the guest's has the keyboard, so that wl-paste may have it.
    focus(&display, "Web");
    assert!(!paste(&web, &[]).status.success(), "without any key");
    focus(&display, "Work");
    press(&display, C);
    told(&display, "copied out: text, 24 bytes");
    focus(&display, "Web");
    assert!(!paste(&web, &[]).status.success(), "with one of the keys");
    press(&display, V);
    told(&display, "may paste, once, from work: text, 24 bytes");
    let kinds = paste(&web, &["--list-types"]).stdout;
    assert_eq!(
        String::from_utf8_lossy(&kinds).trim(),
        "text/plain;charset=utf-8\ntext/plain\nUTF8_STRING"
    );
    let pasted = paste(&web, &[]);
    assert!(pasted.status.success());
    assert_eq!(String::from_utf8_lossy(&pasted.stdout), "from work, ünverändert");
    told(&display, "pasted from work: text, 24 bytes");
    assert!(!paste(&web, &[]).status.success(), "a second time");

    // In the guest that it came from, the clipboard is as it was.
    focus(&display, "Work");
    assert_eq!(paste(&work, &[]).stdout, "from work, ünverändert".as_bytes());
}

/// What a guest has in its clipboard itself does not keep out what a person brings.
#[test]
fn a_guest_that_has_copied_something_itself_gets_what_is_brought() {
    let display = Arc::new(Display::start("800x400", &["work", "web"]));
    let [work, web] = ["work", "web"].map(|domain| Proxy::start(PROXY, &display, domain));
    let mut apps = ["work", "web"].map(|domain| App::connect(&display, domain));
    let _windows = [("Work", 0), ("Web", 1)]
        .map(|(title, app)| apps[app].window(title, 240, 160, Pattern::Plain(0x507090)));
    focus(&display, "Work");
    copy(&work, "brought");
    press(&display, C);
    told(&display, "copied out: text, 7 bytes");
    focus(&display, "Web");
    copy(&web, "its own");
    assert_eq!(paste(&web, &[]).stdout, b"its own");
    press(&display, V);
    assert_eq!(paste(&web, &[]).stdout, b"brought");
}
