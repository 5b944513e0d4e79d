//! In a window of an X11 server.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use hyper_dmabuf_compositor::image::Image;
use x11rb::{
    connection::Connection,
    protocol::{
        xproto::{self, ConnectionExt as _, ImageFormat, InputFocus, MapState},
        xtest::ConnectionExt as _,
    },
    rust_connection::RustConnection,
    wrapper::ConnectionExt as _,
};

use crate::inner::{Elsewhere, Inner, Program, until};

/// The host, and what the test sees and does there.
struct Host {
    connection: RustConnection,
    root: xproto::Window,
    _server: Program,
}

/// A server without a window manager, and the compositor with one window there.
fn start(server: &[&str], arguments: &[&str]) -> (Host, Inner, xproto::Window) {
    let mut command = Command::new("Xvfb");
    command.args([
        "-displayfd",
        "1",
        "-screen",
        "0",
        "1000x700x24",
        "-nolisten",
        "tcp",
        "-noreset",
    ]);
    command.args(server).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut number = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut number).unwrap();
    let display = format!(":{}", number.trim());
    let (connection, screen) = x11rb::connect(Some(&display)).unwrap();
    let root = connection.setup().roots[screen].root;
    let host = Host { connection, root, _server: Program(child) };
    let directory = tempfile::tempdir().unwrap();
    let mut inner = Inner::start(directory, ("DISPLAY", display.as_ref()), arguments);
    inner.says(&mut Elsewhere, "clients connect");
    let window = until(&mut Elsewhere, "its window is seen", || host.window());
    (host, inner, window)
}

impl Host {
    /// The one window here, once it is seen.
    fn window(&self) -> Option<xproto::Window> {
        let all = self.connection.query_tree(self.root).unwrap().reply().unwrap().children;
        all.into_iter().find(|window| {
            let attributes = self.connection.get_window_attributes(*window).unwrap().reply();
            attributes.is_ok_and(|attributes| attributes.map_state == MapState::VIEWABLE)
        })
    }

    /// What is seen in a window.
    fn seen(&self, window: xproto::Window) -> Image {
        // Nobody makes it smaller between the two.
        self.connection.grab_server().unwrap();
        let size = self.connection.get_geometry(window).unwrap().reply().unwrap();
        let format = ImageFormat::Z_PIXMAP;
        let (width, height) = (size.width, size.height);
        let pixels = self.connection.get_image(format, window, 0, 0, width, height, u32::MAX);
        let pixels = pixels.unwrap().reply().unwrap().data;
        self.connection.ungrab_server().unwrap();
        self.connection.flush().unwrap();
        Image::from_bgrx(width.into(), height.into(), &pixels).unwrap()
    }

    fn same(&self, inner: &Inner, window: xproto::Window) {
        inner.until(&mut Elsewhere, "the window shows what it says", |inner, host| {
            let (told, seen) = (inner.screenshot(host), self.seen(window));
            (told.width() == seen.width() && told.pixels() == seen.pixels()).then_some(())
        });
    }

    fn fake(&self, kind: u8, detail: u8, x: i16, y: i16) {
        self.connection.xtest_fake_input(kind, detail, 0, self.root, x, y, 0).unwrap();
        self.connection.sync().unwrap();
    }
}

fn shows_what_it_says(server: &[&str]) {
    let (host, inner, window) = start(server, &["--size", "640x480"]);
    let _foot = inner.run(&mut Elsewhere, "foot", &["sh", "-c", "echo nested; sleep 600"]);
    host.same(&inner, window);
    let id = inner.windows(&mut Elsewhere)[0].id.to_string();
    for place in ["50+60", "53+61", "150+90"] {
        inner.control(&mut Elsewhere, &["move", &id, place]);
        host.same(&inner, window);
    }
    // Somebody asks for another size from in here, and then out there.
    inner.control(&mut Elsewhere, &["outputs", "WINDOW-1", "--size", "500x400"]);
    host.same(&inner, window);
    assert_eq!(host.seen(window).width(), 500);
    let size = xproto::ConfigureWindowAux::new().width(700).height(500);
    host.connection.configure_window(window, &size).unwrap();
    host.connection.flush().unwrap();
    inner.until(&mut Elsewhere, "the output follows", |inner, host| {
        let output = inner.outputs(host).remove(0);
        ((output.width, output.height) == (700, 500)).then_some(())
    });
    host.same(&inner, window);
}

#[test]
fn what_is_seen_in_the_window_is_what_it_says_it_shows() {
    shows_what_it_says(&[]);
}

#[test]
fn a_server_that_shares_no_memory_is_sent_the_pixels() {
    shows_what_it_says(&["-extension", "MIT-SHM"]);
}

#[test]
fn keys_and_pointer_reach_programs_inside() {
    let (host, mut inner, window) = start(&[], &["--size", "640x400"]);
    let file = inner.path("typed");
    let script = format!("read line; echo $line > {}; sleep 600", file.display());
    let _foot = inner.run(&mut Elsewhere, "foot", &["-W", "30x8", "sh", "-c", &script]);
    let now = x11rb::CURRENT_TIME;
    host.connection.set_input_focus(InputFocus::PARENT, window, now).unwrap();
    // 30 is A, 28 is Enter; X11 counts them from 8 on.
    for key in [30, 28] {
        host.fake(xproto::KEY_PRESS_EVENT, key + 8, 0, 0);
        host.fake(xproto::KEY_RELEASE_EVENT, key + 8, 0, 0);
    }
    until(&mut Elsewhere, "it was typed", || {
        std::fs::read_to_string(&file).ok().filter(|text| text == "a\n")
    });
    let before = inner.windows(&mut Elsewhere)[0].frame;
    let (x, y) = (before.x as i16 + 60, before.y as i16 + 8);
    host.fake(xproto::MOTION_NOTIFY_EVENT, 0, x, y);
    host.fake(xproto::BUTTON_PRESS_EVENT, 1, 0, 0);
    host.fake(xproto::MOTION_NOTIFY_EVENT, 0, x + 20, y + 10);
    host.fake(xproto::BUTTON_RELEASE_EVENT, 1, 0, 0);
    inner.until(&mut Elsewhere, "it is dragged", |inner, host| {
        let after = inner.windows(host)[0].frame;
        ((after.x - before.x, after.y - before.y) == (20, 10)).then_some(())
    });
    // The window is closed, as a window manager does it.
    let atom = |name: &str| {
        host.connection.intern_atom(false, name.as_bytes()).unwrap().reply().unwrap().atom
    };
    let data = [atom("WM_DELETE_WINDOW"), now, 0, 0, 0];
    let event = xproto::ClientMessageEvent::new(32, window, atom("WM_PROTOCOLS"), data);
    host.connection.send_event(false, window, xproto::EventMask::NO_EVENT, event).unwrap();
    host.connection.flush().unwrap();
    assert!(inner.ends(&mut Elsewhere).success());
}

#[test]
fn unseen_or_still_it_rests() {
    let (host, inner, window) = start(&[], &["--size", "400x300"]);
    let moving = inner.run(&mut Elsewhere, "weston-simple-shm", &[]);
    let pictures = || inner.outputs(&mut Elsewhere)[0].pictures;
    let draws = |last: u64| {
        inner.until(&mut Elsewhere, "it draws", |_, _| (pictures() > last + 3).then_some(()));
    };
    draws(0);
    host.connection.unmap_window(window).unwrap();
    host.connection.sync().unwrap();
    inner.rests(&mut Elsewhere);
    let last = pictures();
    inner.rests(&mut Elsewhere);
    assert_eq!(pictures(), last, "it draws what nobody sees");
    host.connection.map_window(window).unwrap();
    host.connection.sync().unwrap();
    draws(last);
    drop(moving);
    inner.until(&mut Elsewhere, "its window is gone", |inner, host| {
        inner.windows(host).is_empty().then_some(())
    });
    inner.rests(&mut Elsewhere);
    let last = pictures();
    inner.rests(&mut Elsewhere);
    assert_eq!(pictures(), last, "it draws though nothing moves");
}
