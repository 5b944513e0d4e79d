//! X11 programs of the display domain, with the real Xwayland.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fixture::{App, Direct, Display, Pattern, Program, Socket, X11App, assert_looks_like};
use hyper_dmabuf_compositor::control::messages::{WindowReport, WindowRequest};
use hyper_dmabuf_compositor::keys::Action;
use hyper_dmabuf_compositor::state::State;
use rustix::process::{Pid, Signal, kill_process};

const ORANGE: u32 = 0xf08020;
const BLUE: u32 = 0x2060c0;
const GREEN: u32 = 0x30a050;

/// A compositor that lets X11 programs in.
struct Desk {
    display: Arc<Display>,
    local: Direct,
    x11: String,
}

impl Desk {
    fn start(size: &str) -> Desk {
        let display = Arc::new(Display::start(size, &["work"]));
        let local = Direct::listen_for_local(&display);
        let x11 = display.run(|state| {
            state.offer_x11();
            state.x11_display()
        });
        Desk { display, local, x11: x11.expect("xwayland is installed") }
    }

    /// A program that finds both the Wayland socket and the X11 display.
    fn command(&self, program: &str) -> Command {
        let mut command = self.local.command(program);
        command.env("DISPLAY", &self.x11).stdin(Stdio::null());
        command
    }

    /// The process of the Xwayland that runs.
    fn xwayland(&self) -> Pid {
        // It is started by a script in a directory that is named after the display, from this process. One of
        // before may still be about to end, and its own children have the same environment.
        let path = format!("hyper-dmabuf-x11-{}\0", self.x11.trim_start_matches(':'));
        let ours = format!("PPid:\t{}\n", std::process::id());
        let is_it = |entry: &fs::DirEntry| {
            let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
            let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
            status.contains(&ours)
                && environment.windows(path.len()).any(|part| part == path.as_bytes())
        };
        let processes = fs::read_dir("/proc").expect("processes").map(|entry| entry.expect("one"));
        let found = processes.filter(is_it).find_map(|entry| entry.file_name().into_string().ok());
        let number = found.expect("an Xwayland").parse().expect("a number");
        Pid::from_raw(number).expect("not nothing")
    }

    fn app(&self) -> X11App {
        X11App::connect(&self.x11)
    }

    /// Waits until a window with this title has something to show.
    fn wait_for(&self, title: &'static str) -> WindowReport {
        self.wait_for_one(title, |_| true)
    }

    /// Waits until a window with this title is as it is to be.
    fn wait_for_one(
        &self,
        title: &'static str,
        is_it: impl Fn(&WindowReport) -> bool + Clone + Send + 'static,
    ) -> WindowReport {
        let find = move |windows: Vec<WindowReport>| {
            windows.into_iter().find(|it| it.mapped && it.title == title && is_it(it))
        };
        // Kept at the moment it is found: X11 windows get another surface whenever they are shown.
        let found = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&found);
        self.display.wait_until(title, move |state| {
            let report = find(state.window_reports());
            let is_there = report.is_some();
            *kept.lock().expect("nobody panics") = report;
            is_there
        });
        let report = found.lock().expect("nobody panics").take();
        report.expect("it was waited for")
    }

    fn wait_until_gone(&self, title: &'static str) {
        self.display.wait_until("it is gone", move |state| {
            state.window_reports().iter().all(|window| window.title != title)
        });
    }
}

#[test]
fn an_xterm_is_typed_into() {
    let desk = Desk::start("640x480");
    let file = desk.local.directory().join("typed");
    let mut xterm = desk.command("xterm");
    xterm.args(["-T", "typed into", "-e", "sh", "-c", "read line && echo \"$line\" > \"$0\""]);
    xterm.arg(&file);
    assert!(!desk.display.run(|state| state.xwayland_runs()), "before anybody came");
    let mut xterm = Program(xterm.spawn().expect("xterm is installed"));
    let window = desk.wait_for_one("typed into", |window| window.activated);
    assert!(desk.display.run(|state| state.xwayland_runs()));
    assert_eq!((window.app_id.as_str(), window.domain, window.x11), ("XTerm", None, true));
    desk.display.type_text("hello 42\n");
    assert!(xterm.0.wait().expect("it ends").success());
    assert_eq!(fs::read_to_string(file).expect("a line"), "hello 42\n");
    desk.wait_until_gone("typed into");
}

#[test]
fn windows_dialogues_and_menus_lie_on_each_other() {
    let desk = Desk::start("640x400");
    let app = desk.app();
    let window = app.window("A window", 240, 160, ORANGE);
    app.show(window);
    let seen = desk.wait_for("A window").geometry;
    let dialogue = app.window("A dialogue", 120, 60, BLUE);
    app.set_parent(dialogue, window);
    app.show(dialogue);
    desk.wait_for("A dialogue");
    let plain = app.window("Plain", 100, 80, GREEN);
    app.refuse_frame(plain);
    app.show(plain);
    let plain = desk.wait_for("Plain");
    assert_eq!(plain.geometry, plain.frame, "it draws its own frame");
    // Programs place menus by where they think that their windows are.
    let (x, y, ..) = app.area(window);
    assert_eq!((i32::from(x), i32::from(y)), (seen.x, seen.y));
    let menu = app.menu(x + 20, y + 20, 80, 120, 0xffffff);
    app.show(menu);
    desk.display.wait_until("the menu is seen", move |state| {
        let seen = state.screenshot().expect("a screenshot");
        seen.pixel(x as u32 + 21, y as u32 + 21).is_some_and(|pixel| pixel.red == 0xff)
    });
    assert_eq!(desk.display.windows().len(), 3, "a menu is no window");
    assert_looks_like("xwayland", &desk.display.screenshot());
    // A click on the menu is the menu's, and takes the focus from nobody.
    desk.display.point_at(i32::from(x) + 30, i32::from(y) + 30);
    desk.display.press(true);
    desk.display.press(false);
    app.wait_for("the click", |event| match event {
        x11rb::protocol::Event::ButtonPress(press) => {
            assert_eq!((press.event_x, press.event_y), (10, 10), "{press:?}");
            Some(())
        }
        _ => None,
    });
    assert!(desk.wait_for("Plain").activated);
    app.hide(menu);
    desk.display.wait_until("the menu is gone", move |state| {
        let seen = state.screenshot().expect("a screenshot");
        seen.pixel(x as u32 + 21, y as u32 + 21).is_some_and(|pixel| pixel.red != 0xff)
    });
}

#[test]
fn windows_are_moved_resized_and_fill_the_screen() {
    let desk = Desk::start("640x400");
    let app = desk.app();
    let window = app.window("Shaped", 200, 100, ORANGE);
    app.limit_size(window, (150, 80), (300, 200));
    app.show(window);
    let first = desk.wait_for("Shaped");
    // Where the window lies, and what the program knows of it, agree in the end.
    let agree = |what: &str, is_it: fn(&WindowReport) -> bool| {
        let seen = desk.wait_for_one("Shaped", is_it).geometry;
        let told = app.area(window);
        let told = (i32::from(told.0), i32::from(told.1), i32::from(told.2), i32::from(told.3));
        assert_eq!((seen.x, seen.y, seen.width, seen.height), told, "{what}");
        told
    };
    agree("at first", |_| true);

    // By the lower right corner of the frame, further than it may.
    let corner = (first.frame.x + first.frame.width - 1, first.frame.y + first.frame.height - 1);
    desk.display.point_at(corner.0, corner.1);
    desk.display.press(true);
    desk.display.point_at(corner.0 + 150, corner.1 + 30);
    desk.display.press(false);
    agree("dragged", |window| (window.geometry.width, window.geometry.height) == (300, 130));
    // By the upper left one, which moves it.
    desk.display.point_at(first.frame.x, first.frame.y);
    desk.display.press(true);
    desk.display.point_at(first.frame.x + 40, first.frame.y + 20);
    desk.display.press(false);
    let (x, y, ..) =
        agree("dragged back", |it| (it.geometry.width, it.geometry.height) == (260, 110));
    assert_eq!((x, y), (first.geometry.x + 40, first.geometry.y + 20));

    app.ask_for(window, 50, 60, 210, 120);
    agree("by the program", |it| it.geometry.width == 210 && it.geometry.x == 50);
    app.ask_for_state(window, true, &["_NET_WM_STATE_FULLSCREEN"]);
    let full = agree("full screen", |it| it.geometry.width == 640);
    assert_eq!(full, (0, 0, 640, 400));
    app.ask_for_state(window, false, &["_NET_WM_STATE_FULLSCREEN"]);
    agree("back", |it| it.geometry.width == 210);
    let both = ["_NET_WM_STATE_MAXIMIZED_HORZ", "_NET_WM_STATE_MAXIMIZED_VERT"];
    app.ask_for_state(window, true, &both);
    agree("maximized", |it| it.frame.width == 640);
    desk.display.run(|state| state.act(Action::TileLeft));
    agree("tiled", |it| it.frame.width == 320);
    desk.display.run(|state| state.act(Action::TileLeft));
    agree("as it was", |it| it.geometry.width == 210);
    app.ask_to_minimize(window);
    desk.wait_for_one("Shaped", |window| !window.visible);
    desk.display.run(|state| state.act(Action::Restore));
    desk.wait_for_one("Shaped", |window| window.visible && window.activated);
    desk.display.run(|state| state.act(Action::MoveToWorkspace(3)));
    desk.wait_for_one("Shaped", |window| !window.visible);
}

#[test]
fn a_window_is_closed_and_shown_again() {
    let desk = Desk::start("320x240");
    let app = desk.app();
    let window = app.window("Closed", 100, 80, ORANGE);
    app.show(window);
    let id = desk.wait_for("Closed").id;
    desk.display.run(move |state| state.control_window(&WindowRequest::Close { id })).unwrap();
    app.wait_to_be_closed(window);
    app.hide(window);
    desk.wait_until_gone("Closed");
    // Its surface is another one now, perhaps with the same number.
    for _ in 0..10 {
        app.show(window);
        desk.wait_for("Closed");
        app.hide(window);
        desk.wait_until_gone("Closed");
    }
    // A program that is gone leaves nothing.
    app.show(window);
    desk.wait_for("Closed");
    drop(app);
    desk.wait_until_gone("Closed");
}

#[test]
fn what_is_copied_is_shared_with_local_programs() {
    let desk = Desk::start("320x240");
    // Smithay's window manager learns of a selection when its owner changes, not of one that was there
    // before it: Xwayland is to be ready.
    let app = desk.app();
    let window = app.window("First", 40, 40, ORANGE);
    app.show(window);
    desk.wait_for("First");
    for (option, primary) in [("clipboard", None), ("primary", Some("--primary"))] {
        let mut xclip = desk.command("xclip");
        xclip.args(["-selection", option, "-in", "-quiet"]).stdin(Stdio::piped());
        let xclip = xclip.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut xclip = Program(xclip.expect("xclip is installed"));
        xclip.0.stdin.take().expect("a pipe").write_all(b"from X11").expect("it reads");
        let paste = || {
            let output = desk.command("wl-paste").args(primary).arg("--no-newline").output();
            output.expect("wl-clipboard is installed").stdout
        };
        let mut pasted = paste();
        while pasted.is_empty() {
            pasted = paste();
        }
        assert_eq!(pasted, b"from X11", "{option}");

        let mut copy = desk.command("wl-copy");
        let status = copy.args(primary).arg("from Wayland").stdout(Stdio::null()).status();
        assert!(status.expect("wl-clipboard is installed").success());
        let output = desk.command("xclip").args(["-selection", option, "-out"]).output();
        assert_eq!(output.expect("xclip is installed").stdout, b"from Wayland", "{option}");
    }
}

/// What a guest copies is none of X11's business, whatever has the focus.
#[test]
fn what_a_guest_copies_stays_there() {
    let desk = Desk::start("320x240");
    let app = desk.app();
    let window = app.window("Curious", 100, 80, ORANGE);
    let guest = Direct::listen(&desk.display, "work");
    let read = || {
        let output = desk.command("xclip").args(["-selection", "clipboard", "-out"]).output();
        output.expect("xclip is installed").stdout
    };
    let copy = |socket: &dyn Socket, text: &str| {
        let status = socket.command("wl-copy").arg(text).stdout(Stdio::null()).status();
        assert!(status.expect("wl-clipboard is installed").success());
    };
    copy(&desk.local, "local");
    assert_eq!(read(), b"local");
    // Without a tool's powers, this opens a window to copy from.
    copy(&guest, "secret");
    assert_eq!(read(), b"");
    app.show(window);
    desk.wait_for_one("Curious", |window| window.mapped);
    assert_eq!(read(), b"");
    copy(&desk.local, "again");
    assert_eq!(read(), b"again");
}

/// A launcher of X11 has the keyboard only if a local program, or nobody, had it.
#[test]
fn a_launcher_does_not_take_the_keyboard_from_a_guest() {
    let desk = Desk::start("320x240");
    let app = desk.app();
    let launcher = app.menu(10, 10, 100, 20, GREEN);
    app.show(launcher);
    desk.display.wait_until("it has the keyboard", |state| state.x11_launcher_has_keyboard());
    app.hide(launcher);
    desk.display.wait_until("it has not", |state| !state.x11_launcher_has_keyboard());

    let mut guest = App::connect(&desk.display, "work");
    let _window = guest.window("Guest", 120, 80, Pattern::Plain(BLUE));
    app.show(launcher);
    desk.display.wait_until("it is seen", |state| {
        let seen = state.screenshot().expect("a screenshot");
        seen.pixel(15, 15).is_some_and(|pixel| pixel.green == 0xa0)
    });
    assert!(!desk.display.run(|state| state.x11_launcher_has_keyboard()));
    assert!(desk.wait_for("Guest").activated);
}

/// It hangs as if an X11 program kept it busy, and what the window manager tells it is not taken.
#[test]
fn an_xwayland_that_hangs_holds_nobody_up_for_long() {
    let desk = Desk::start("320x240");
    let app = desk.app();
    app.show(app.window("Hung", 100, 80, ORANGE));
    desk.wait_for_one("Hung", |window| window.activated);
    let mut guest = App::connect(&desk.display, "work");
    let mut seen = guest.window("Guest", 120, 80, Pattern::Plain(BLUE));
    kill_process(desk.xwayland(), Signal::STOP).expect("it runs");
    let mut longest = Duration::ZERO;
    let was_ended = |state: &mut State| {
        // Each tells the window something, by which the connection fills; thousands are needed.
        for _ in 0..200 {
            state.act(Action::TileLeft);
        }
        state.last_note().is_some_and(|note| note.text.starts_with("X11 programs were ended"))
    };
    while !desk.display.run(was_ended) {
        let begun = Instant::now();
        guest.draw(&mut seen, Pattern::Plain(GREEN));
        longest = longest.max(begun.elapsed());
    }
    assert!(longest < Duration::from_secs(10), "a frame took {longest:?}");
    app.wait_to_be_cut_off();
    // The next program is let in after a while.
    let app = desk.app();
    app.show(app.window("Modest", 100, 80, ORANGE));
    desk.wait_for("Modest");
}
