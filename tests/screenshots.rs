//! What is seen of guests, pixel for pixel, on Pixman.

use std::path::Path;

use fixture::{App, Display, Pattern, ScriptedGuest, assert_looks_like, looks_like};
use hyper_dmabuf::client::Frame;

const SCRIPTED_GUEST: &str = env!("CARGO_BIN_EXE_scripted-guest");

const ORANGE: u32 = 0xf08020;
const TEAL: u32 = 0x108080;

#[test]
fn one_window() {
    let display = Display::start("480x320", &["work"]);
    let mut app = App::connect(&display, "work");
    let _window = app.window("A picture", 320, 200, Pattern::Gradient);
    assert_looks_like("one-window", &display.screenshot());
}

#[test]
fn two_domains() {
    let display = Display::start("640x320", &["work", "personal"]);
    let mut work = App::connect(&display, "work");
    let mut personal = App::connect(&display, "personal");
    let _one = work.window("Accounts", 240, 160, Pattern::Squares(ORANGE));
    let _other = personal.window("Holidays", 240, 160, Pattern::Gradient);
    assert_looks_like("two-domains", &display.screenshot());
}

#[test]
fn popup_over_window() {
    let display = Display::start("480x320", &["work"]);
    let mut app = App::connect(&display, "work");
    let window = app.window("A menu", 320, 200, Pattern::Gradient);
    let _popup = app.popup(&window, (200, 120), (160, 120), Pattern::Squares(TEAL));
    assert_looks_like("popup-over-window", &display.screenshot());
}

#[test]
fn after_resize() {
    let display = Display::start("480x320", &["work"]);
    let mut app = App::connect(&display, "work");
    let mut window = app.window("Larger", 160, 100, Pattern::Squares(ORANGE));
    window.surface.resize(300, 210).unwrap();
    app.draw(&mut window, Pattern::Squares(TEAL));
    assert_looks_like("after-resize", &display.screenshot());
}

#[test]
fn after_one_domain_dies() {
    let display = Display::start("640x320", &["work", "personal"]);
    let mut work = ScriptedGuest::start(SCRIPTED_GUEST, &display, "work");
    work.go_to("shown");
    let mut personal = App::connect(&display, "personal");
    let _other = personal.window("Holidays", 240, 160, Pattern::Gradient);
    assert_eq!(display.windows().len(), 2);
    work.kill();
    display.wait_until("one window is left", |state| state.window_reports().len() == 1);
    assert_looks_like("after-one-domain-dies", &display.screenshot());
}

#[test]
fn one_wrong_pixel_is_seen() {
    let display = Display::start("480x320", &["work"]);
    let mut app = App::connect(&display, "work");
    let mut window = app.window("A picture", 320, 200, Pattern::Gradient);
    // By one step of one colour.
    let wrong = |frame: &mut Frame<'_>| {
        Pattern::Gradient.paint(frame);
        frame.pixels()[0] ^= 1;
    };
    assert!(window.surface.draw(wrong).unwrap());
    app.roundtrip().unwrap();
    let difference = looks_like("one-window", &display.screenshot()).unwrap_err();
    assert!(difference.contains("pixels: 1"), "{difference}");
    let path = difference.rsplit(' ').next().unwrap();
    assert!(Path::new(path).is_file(), "the difference can be looked at: {path}");
}
