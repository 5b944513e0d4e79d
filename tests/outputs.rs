//! Outputs: scaled, turned, more than one, switched off and gone.

use fixture::{App, Display, Pattern, Window, assert_looks_like, assert_same};
use hyper_dmabuf_compositor::control::messages::WindowReport;
use hyper_dmabuf_compositor::input::{Input, LEFT_BUTTON};
use hyper_dmabuf_compositor::outputs::OutputChange;

const ORANGE: u32 = 0xf08020;
const TEAL: u32 = 0x108080;

/// Three programs that draw at one, at two, and at the output's own scale, and a popup.
fn windows(display: &Display, scale: f64) -> (App, Vec<Window>) {
    let mut app = App::connect(display, "work");
    let once = app.window("At one", 161, 71, Pattern::Squares(ORANGE));
    let twice = app.window_drawn_at("At two", (161, 71), 2.0, Pattern::Squares(TEAL));
    let as_told = app.window_drawn_at("As told", (161, 71), scale, Pattern::Squares(0x6040a0));
    let popup = app.popup(&once, (40, 40), (90, 51), Pattern::Gradient);
    (app, vec![once, twice, as_told, popup])
}

fn at_scale(pixels: &str, scale: f64, reference: &str) {
    let output = format!("{pixels},scale={scale}");
    let display = Display::start_with_outputs(&[&output], &["work"]);
    let _windows = windows(&display, scale);
    assert_looks_like(reference, &display.screenshot());
}

#[test]
fn windows_at_scale_one() {
    at_scale("420x260", 1.0, "scale-1");
}

#[test]
fn windows_at_scale_one_and_a_half() {
    at_scale("630x390", 1.5, "scale-1.5");
}

#[test]
fn windows_at_scale_two() {
    at_scale("840x520", 2.0, "scale-2");
}

#[test]
fn programs_are_told_the_scale() {
    let display = Display::start_with_outputs(&["600x300,scale=1.5"], &["work"]);
    let mut app = App::connect(&display, "work");
    let window = app.window("Told", 160, 80, Pattern::Gradient);
    app.watch_scale(&window);
    assert_eq!(app.told().scale, Some((180, 2)));
    let scale = Some("1.25".parse().unwrap());
    display.change("HEADLESS-1", OutputChange { scale, ..OutputChange::default() });
    app.roundtrip().unwrap();
    assert_eq!(app.told().scale, Some((150, 2)));
}

#[test]
fn a_turned_output_shows_the_same() {
    let seen = |output: &str| {
        let display = Display::start_with_outputs(&[output], &["work"]);
        let _windows = windows(&display, 1.0);
        display.screenshot()
    };
    let straight = seen("420x260");
    for transform in ["180", "flipped", "flipped-180"] {
        let turned = seen(&format!("420x260,transform={transform}"));
        assert_same(&format!("turned-{transform}"), &straight, &turned);
    }
    for transform in ["90", "270", "flipped-90", "flipped-270"] {
        let turned = seen(&format!("260x420,transform={transform}"));
        assert_same(&format!("turned-{transform}"), &straight, &turned);
    }
    assert_looks_like("scale-1", &straight);
}

#[test]
fn what_is_scanned_out_is_turned() {
    let display = Display::start_with_outputs(&["260x420,transform=90"], &["work"]);
    let _windows = windows(&display, 1.0);
    display.screenshot();
    let scanned_out = display.run(|state| state.scanned_out("HEADLESS-1").expect("a picture"));
    assert_eq!((scanned_out.width(), scanned_out.height()), (260, 420));
    assert_looks_like("turned-90", &scanned_out);
}

#[test]
fn a_window_on_two_outputs() {
    let outputs = ["300x240", "450x360,scale=1.5"];
    let display = Display::start_with_outputs(&outputs, &["work"]);
    let mut app = App::connect(&display, "work");
    let window = app.window("Across", 200, 120, Pattern::Squares(ORANGE));
    app.watch_scale(&window);
    assert_eq!(app.told().scale, Some((120, 0)), "one, which whole numbers need not be told");
    drag_the_bar(&display, &display.windows()[0], 250);
    assert_looks_like("two-outputs", &display.screenshot());
    assert_looks_like("two-outputs-left", &display.screenshot_of("HEADLESS-1"));
    assert_looks_like("two-outputs-right", &display.screenshot_of("HEADLESS-2"));
    // Most of it is on the right: that output says how to draw.
    app.roundtrip().unwrap();
    assert_eq!(app.told().scale, Some((180, 2)));
}

/// Drags a window's title bar to the right.
fn drag_the_bar(display: &Display, window: &WindowReport, by: i32) {
    let (x, y) = (f64::from(window.frame.x + 100), f64::from(window.frame.y + 8));
    display.run(move |state| {
        state.inject(Input::PointerMotion { x, y });
        state.inject(Input::PointerButton { button: LEFT_BUTTON, pressed: true });
        state.inject(Input::PointerMotion { x: x + f64::from(by), y });
        state.inject(Input::PointerButton { button: LEFT_BUTTON, pressed: false });
    });
}

/// Two outputs of 400 by 300 beside each other, and a window on the second.
fn window_on_the_second() -> (Display, App, Window) {
    let display = Display::start_with_outputs(&["400x300", "400x300"], &["work"]);
    // New windows go to where the pointer is.
    display.run(|state| state.inject(Input::PointerMotion { x: 500.0, y: 100.0 }));
    let mut app = App::connect(&display, "work");
    let window = app.window("Away", 200, 120, Pattern::Gradient);
    assert!(display.windows()[0].frame.x >= 400);
    (display, app, window)
}

#[test]
fn windows_stay_within_reach_when_an_output_goes() {
    let (display, mut app, window) = window_on_the_second();
    display.run(|state| {
        let id = state.outputs.by_name("HEADLESS-2").expect("it").id;
        state.remove_output(id);
    });
    let frame = display.windows()[0].frame;
    assert!(frame.x >= 0 && frame.x + frame.width <= 400, "{frame:?}");
    assert_eq!(display.screenshot().width(), 400);
    app.roundtrip().unwrap();
    drop(window);
}

#[test]
fn all_outputs_may_be_off_for_a_while() {
    let (display, mut app, _window) = window_on_the_second();
    let before = display.screenshot();
    let on = |on| OutputChange { on: Some(on), ..OutputChange::default() };
    for output in ["HEADLESS-2", "HEADLESS-1"] {
        display.change(output, on(false));
    }
    assert!(display.run(|state| state.screenshot().is_err()));
    let _other = app.window("In the dark", 100, 50, Pattern::Plain(TEAL));
    display.run(|state| state.inject(Input::PointerMotion { x: 5.0, y: 5.0 }));
    for output in ["HEADLESS-1", "HEADLESS-2"] {
        display.change(output, on(true));
    }
    let after = display.screenshot();
    assert_eq!((after.width(), after.height()), (before.width(), before.height()));
    for window in display.windows() {
        assert!(window.frame.x >= 0 && window.frame.x < 800, "{window:?}");
    }
}

#[test]
fn what_moves_on_one_output_lets_the_others_rest() {
    let (display, mut app, mut window) = window_on_the_second();
    display.screenshot();
    let pictures = |display: &Display| {
        display.outputs().iter().map(|output| output.pictures).collect::<Vec<_>>()
    };
    let before = pictures(&display);
    for step in 0..5 {
        app.draw(&mut window, Pattern::Plain(step));
    }
    let after = pictures(&display);
    assert_eq!(after[0], before[0], "the first output was drawn");
    assert_eq!(after[1], before[1] + 5);
}

#[test]
fn guests_do_not_manage_outputs() {
    let display = Display::start("200x100", &["work"]);
    let app = App::connect(&display, "work");
    let interfaces: Vec<_> =
        app.globals.contents().clone_list().into_iter().map(|global| global.interface).collect();
    assert!(interfaces.iter().any(|interface| interface == "wl_output"));
    assert!(!interfaces.iter().any(|interface| interface.starts_with("zwlr_output")));
}
