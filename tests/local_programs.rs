//! Tools of the display domain, as Debian has them: what they are offered, and what they do with it.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::sync::Arc;

use fixture::{App, Direct, Display, Pattern, Socket, assert_looks_like, assert_same};
use hyper_dmabuf_compositor::colour::Colour;
use hyper_dmabuf_compositor::image::Image;
use hyper_dmabuf_compositor::keys::Action;
use hyper_dmabuf_compositor::state::State;

const ORANGE: u32 = 0xf08020;

#[test]
fn grim_sees_what_a_screenshot_shows() {
    let display = Arc::new(Display::start("640x320", &["work"]));
    let local = Direct::listen_for_local(&display);
    let mut app = App::connect(&display, "work");
    let _window = app.window("Accounts", 240, 160, Pattern::Squares(ORANGE));
    let path = local.directory().join("grim.png");
    let status = local.command("grim").arg(&path).status().expect("grim is installed");
    assert!(status.success());
    assert_same("grim", &display.screenshot(), &Image::read(&path).expect("a picture"));
    // A part of it.
    let mut part = local.command("grim");
    let status = part.args(["-g", "100,50 64x32"]).arg(&path).status().expect("grim is installed");
    assert!(status.success());
    let part = Image::read(&path).expect("a picture");
    assert_eq!((part.width(), part.height()), (64, 32));
    assert_eq!(part.pixel(5, 6), display.screenshot().pixel(105, 56));
}

#[test]
fn the_clipboard_of_local_tools_needs_no_window() {
    let display = Arc::new(Display::start("320x240", &["work"]));
    let local = Direct::listen_for_local(&display);
    // Its window has the focus, and keeps it.
    let mut app = App::connect(&display, "work");
    let _window = app.window("Guest", 120, 80, Pattern::Plain(ORANGE));
    for option in [None, Some("--primary")] {
        let mut copy = local.command("wl-copy");
        let status = copy.args(option).arg("by hand").stdout(Stdio::null()).status();
        assert!(status.expect("wl-clipboard is installed").success());
        let output = local.command("wl-paste").args(option).arg("--no-newline").output();
        assert_eq!(output.expect("wl-clipboard is installed").stdout, b"by hand");
    }
    assert_eq!(display.windows().len(), 1, "no window was opened for it");
}

#[test]
fn swaybg_paints_behind_all_windows() {
    let display = Arc::new(Display::start("480x320", &["work"]));
    let local = Direct::listen_for_local(&display);
    let _wallpaper = local.start("swaybg --color #335577");
    display.wait_until("the wallpaper is there", |state| {
        let seen = state.screenshot().expect("a screenshot");
        seen.pixel(479, 319) == Some(Colour::new(0x33, 0x55, 0x77))
    });
    let mut app = App::connect(&display, "work");
    let _window = app.window("A picture", 320, 200, Pattern::Gradient);
    assert_looks_like("swaybg", &display.screenshot());
}

/// A launcher has the keyboard while it is there, although a guest's window had it before.
#[test]
fn wofi_is_typed_into() {
    let display = Arc::new(Display::start("640x480", &["work"]));
    let local = Direct::listen_for_local(&display);
    let mut app = App::connect(&display, "work");
    let _window = app.window("Guest", 120, 80, Pattern::Plain(ORANGE));
    let mut wofi = local.command("wofi");
    wofi.args(["--dmenu", "--conf=/dev/null", "--cache-file=/dev/null", "--width=300"]);
    // What is typed counts, not what has been found so far.
    wofi.arg("--define=exec_search=true");
    wofi.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut wofi = fixture::Program(wofi.spawn().expect("wofi is installed"));
    let mut input = wofi.0.stdin.take().expect("a pipe");
    input.write_all(b"apples\nbananas\ncherries\n").expect("it reads");
    drop(input);
    display.wait_until("it has the keyboard", |state| state.panel_has_keyboard());
    // Its list comes later than its window, and selects what is first whatever was typed before: in blue.
    display.wait_until("it has its list", |state| {
        let screen = state.screenshot().expect("a screenshot");
        (170..300).any(|y| {
            screen.pixel(320, y).is_some_and(|colour| colour.blue > 180 && colour.red < 100)
        })
    });
    display.type_text("plu");
    // The rest is typed by another tool.
    let status = local.command("wtype").args(["ms", "-k", "Return"]).status();
    assert!(status.expect("wtype is installed").success());
    let mut chosen = String::new();
    let mut output = wofi.0.stdout.take().expect("a pipe");
    output.read_to_string(&mut chosen).expect("it answers");
    assert_eq!(chosen.trim(), "plums");
}

#[test]
fn swaylock_hides_the_screen_even_when_it_is_killed() {
    let display = Arc::new(Display::start("480x320", &["work"]));
    let local = Direct::listen_for_local(&display);
    let mut app = App::connect(&display, "work");
    let _window = app.window("Secret", 320, 200, Pattern::Gradient);
    let locker =
        local.start("swaylock --color 335577 --no-unlock-indicator --ignore-empty-password");
    let shows = |colour: Colour| {
        move |state: &mut State| {
            let seen = state.screenshot().expect("a screenshot");
            seen.pixels()
                .chunks_exact(3)
                .all(|pixel| pixel == [colour.red, colour.green, colour.blue])
        }
    };
    display.wait_until("it is all that is seen", shows(Colour::new(0x33, 0x55, 0x77)));
    display.wait_until("the locker knows", |state| state.is_lock_confirmed());
    drop(locker);
    display.wait_until("nothing is seen", shows(Colour::BLACK));
    assert!(display.run(|state| state.is_locked()));
}

#[test]
fn waybar_has_a_strip_that_windows_keep_out_of() {
    let display = Arc::new(Display::start("640x320", &["work"]));
    let local = Direct::listen_for_local(&display);
    let file = |name: &str, content: &str| {
        let path = local.directory().join(name);
        std::fs::write(&path, content).expect("a file");
        path
    };
    let config = file(
        "waybar.json",
        r#"{ "layer": "top", "position": "top", "height": 30, "modules-center": ["custom/text"],
             "custom/text": { "exec": "echo a panel", "interval": "once" } }"#,
    );
    let style = file("waybar.css", "window#waybar { background: #335577; color: #ffffff; }");
    let mut app = App::connect(&display, "work");
    let _before = app.window("Before", 200, 100, Pattern::Gradient);
    display.run(|state| state.act(Action::Maximize));
    let mut waybar = local.command("waybar");
    waybar.arg("--config").arg(config).arg("--style").arg(style);
    waybar.stdout(Stdio::null()).stderr(Stdio::null());
    let _waybar = fixture::Program(waybar.spawn().expect("waybar is installed"));
    display.wait_until("the panel is seen", |state| {
        let seen = state.screenshot().expect("a screenshot");
        seen.pixel(2, 2) == Some(Colour::new(0x33, 0x55, 0x77))
            && seen.pixel(637, 28) == Some(Colour::new(0x33, 0x55, 0x77))
    });
    display.wait_until("what fills the room keeps out", |state| {
        state.window_reports()[0].frame.y == 30
    });
    let _after = app.window("After", 200, 100, Pattern::Gradient);
    assert!(display.windows()[1].frame.y >= 30);
}

#[test]
fn swayidle_does_something_when_nobody_is_there_and_when_somebody_returns() {
    let display = Arc::new(Display::start("320x240", &[]));
    let local = Direct::listen_for_local(&display);
    let mut swayidle = local.command("swayidle");
    swayidle.args(["-C", "/dev/null", "timeout", "1", "echo nobody", "resume", "echo somebody"]);
    let swayidle = swayidle.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut swayidle = fixture::Program(swayidle.expect("swayidle is installed"));
    let said = BufReader::new(swayidle.0.stdout.take().expect("a pipe"));
    let mut said = said.lines().map(|line| line.expect("text"));
    assert_eq!(said.next().as_deref(), Some("nobody"));
    display.type_text("a");
    assert_eq!(said.next().as_deref(), Some("somebody"));
    // And once more, since that was a moment ago.
    assert_eq!(said.next().as_deref(), Some("nobody"));
}
