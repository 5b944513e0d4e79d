//! Nothing happens while nothing changes.

use std::fs;
use std::thread;
use std::time::Duration;

use fixture::{App, Display, Pattern};
use hyper_dmabuf_compositor::config::Refresh;

/// Long enough for any timer that would go on by itself.
const LOOK: Duration = Duration::from_secs(10);

/// How often a thread of this process has gone to sleep by itself, which is how often it was woken.
fn wakes(thread: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{thread}/status")).expect("a thread");
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.expect("a count").trim().parse().expect("a number")
}

#[test]
fn twenty_still_windows_cost_no_picture_and_no_wake() {
    let display = Display::start_with("1000x700", &["work"], |config| {
        // As on a screen: with vertical blanks to wait for.
        config.refresh = Refresh::default();
    });
    let mut app = App::connect(&display, "work");
    let windows: Vec<_> = (0..20)
        .map(|number| app.window(&format!("Still {number}"), 120, 80, Pattern::Gradient))
        .collect();
    app.roundtrip().unwrap();
    display.wait_until("the last picture is seen", |state| {
        state.outputs.iter().all(|view| view.redraw == Default::default())
    });
    let thread = display.run(|_| fs::read_link("/proc/thread-self").expect("a thread of its own"));
    let thread = thread.to_str().expect("numbers");
    let pictures = display.run(|state| state.pictures_drawn());
    // Not in the compositor's thread, which is to be left alone from here. That it has gone to sleep
    // after the last question is seen by a count that stays.
    let settled = || {
        let before = wakes(thread);
        thread::yield_now();
        (wakes(thread) == before && is_asleep(thread)).then_some(before)
    };
    let before = std::iter::repeat_with(settled).flatten().next().expect("it goes to sleep");
    thread::sleep(LOOK);
    assert_eq!(wakes(thread), before, "the compositor was woken");
    assert_eq!(display.run(|state| state.pictures_drawn()), pictures);
    drop(windows);
}

fn is_asleep(thread: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{thread}/status")).expect("a thread");
    status.lines().any(|line| line.starts_with("State:\tS"))
}
