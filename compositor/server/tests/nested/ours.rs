//! In a window of our own compositor, which runs in this process and shows its pictures to nobody.

use std::{
    os::unix::net::UnixListener,
    time::{Duration, Instant},
};

use hyper_dmabuf_compositor::{
    backend::BackendKind,
    client::ClientOrigin,
    config::Config,
    image::Image,
    input::{Input, LEFT_BUTTON},
    keys::Action,
    outputs::{OutputChange, settings::OutputScale},
    server::Server,
};
use smithay::utils::{Logical, Rectangle};

use crate::inner::{Inner, Turn, until};

/// The host.
struct Host {
    server: Server,
    listener: UnixListener,
}

impl Turn for Host {
    fn turn(&mut self) {
        if let Ok((stream, _)) = self.listener.accept() {
            self.server.insert_client(stream, ClientOrigin::Local).unwrap();
        }
        self.server.dispatch(Some(Duration::from_millis(2))).unwrap();
    }
}

impl Host {
    fn until<T>(&mut self, what: &str, mut look: impl FnMut(&mut Server) -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            self.turn();
            if let Some(found) = look(&mut self.server) {
                return found;
            }
            assert!(Instant::now() < deadline, "waited in vain until {what}");
        }
    }

    /// Where the one window here lies.
    fn area(&self) -> Option<Rectangle<i32, Logical>> {
        let window = self.server.state.windows.iter().find(|window| window.is_mapped())?;
        Some(window.client_area())
    }

    /// What is seen in the one window here.
    fn seen(&mut self) -> Option<Image> {
        let scale = self.server.state.outputs.iter().next()?.scale();
        let area = self.area()?.to_f64().to_physical(scale).to_i32_round::<i32>();
        let all = self.server.state.screenshot().unwrap();
        let rows = (area.loc.y..area.loc.y + area.size.h).flat_map(|y| {
            let start = (y as usize * all.width() as usize + area.loc.x as usize) * 3;
            all.pixels()[start..start + area.size.w as usize * 3].to_vec()
        });
        Some(Image::from_rgb(area.size.w as u32, area.size.h as u32, rows.collect()).unwrap())
    }

    fn inject(&mut self, input: Input) {
        self.server.state.inject(input);
        self.turn();
    }

    fn key(&mut self, key: u32) {
        self.inject(Input::Key { key, pressed: true });
        self.inject(Input::Key { key, pressed: false });
    }

    /// Point at a place of the window here, in its own pixels.
    fn point(&mut self, x: f64, y: f64) {
        let area = self.area().unwrap().loc.to_f64();
        self.inject(Input::PointerMotion { x: area.x + x, y: area.y + y });
    }

    fn button(&mut self, pressed: bool) {
        self.inject(Input::PointerButton { button: LEFT_BUTTON, pressed });
    }
}

/// The host, and the compositor with one window there.
fn start(config: &str, arguments: &[&str]) -> (Host, Inner) {
    let config = format!("size = \"1000x700\"\nrefresh = 0\n{config}");
    let config = Config::from_toml(&config).unwrap();
    let server = Server::new(config, BackendKind::Headless).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("host");
    let listener = UnixListener::bind(&path).unwrap();
    listener.set_nonblocking(true).unwrap();
    let mut host = Host { server, listener };
    let mut inner = Inner::start(directory, ("WAYLAND_DISPLAY", &path), arguments);
    inner.says(&mut host, "clients connect");
    host.until("its window is seen", |server| {
        server.state.windows.iter().any(|window| window.is_mapped()).then_some(())
    });
    (host, inner)
}

/// Until the window shows what the compositor in it says that it shows.
fn same(host: &mut Host, inner: &Inner) {
    inner.until(host, "the window shows what it says that it shows", |inner, host| {
        let (told, seen) = (inner.screenshot(host), host.seen()?);
        (told.width() == seen.width() && told.pixels() == seen.pixels()).then_some(())
    });
}

fn shows_what_it_says(renderer: &str) {
    let (mut host, inner) = start("", &["--renderer", renderer, "--size", "640x480"]);
    let _foot = inner.run(&mut host, "foot", &["sh", "-c", "echo nested; sleep 600"]);
    same(&mut host, &inner);
    // Only a part changes, in whichever picture it is drawn.
    for place in ["50+60", "53+61", "150+90"] {
        let id = inner.windows(&mut host)[0].id.to_string();
        inner.control(&mut host, &["move", &id, place]);
        same(&mut host, &inner);
    }
}

#[test]
fn what_is_seen_in_the_window_is_what_it_says_it_shows() {
    shows_what_it_says("pixman");
}

#[test]
fn opengl_es_is_seen_in_the_window_too() {
    shows_what_it_says("gles");
}

#[test]
fn keys_and_pointer_reach_programs_inside() {
    for (scale, turned) in [(1.0, "normal"), (1.5, "normal"), (1.0, "90")] {
        let config = format!("[[output]]\nsize = \"1200x1000\"\nscale = {scale}");
        let output = format!("640x400,transform={turned}");
        let (mut host, inner) = start(&config, &["--output", &output]);
        let file = inner.path("typed");
        let script = format!("read line; echo $line > {}; sleep 600", file.display());
        let _foot = inner.run(&mut host, "foot", &["-W", "30x8", "sh", "-c", &script]);
        // 30 is A, 28 is Enter.
        host.key(30);
        host.key(28);
        until(&mut host, "it was typed", || {
            std::fs::read_to_string(&file).ok().filter(|text| text == "a\n")
        });
        // By the title bar, 20 to the right and 10 down, as it is looked at.
        let before = inner.windows(&mut host)[0].frame;
        let size = inner.outputs(&mut host)[0].geometry;
        let at = |x: i32, y: i32| match turned {
            "90" => (f64::from(y), f64::from(size.width - x)),
            _ => (f64::from(x), f64::from(y)),
        };
        let (x, y) = (before.x + 60, before.y + 8);
        let ((left, top), (right, bottom)) = (at(x, y), at(x + 20, y + 10));
        host.point(left, top);
        host.button(true);
        host.point(right, bottom);
        host.button(false);
        let what = format!("it is dragged at scale {scale}, turned {turned}");
        inner.until(&mut host, &what, |inner, host| {
            let after = inner.windows(host)[0].frame;
            ((after.x - before.x, after.y - before.y) == (20, 10)).then_some(())
        });
    }
}

#[test]
fn it_has_the_shortcuts_of_its_host_until_they_are_given_back() {
    let (mut host, mut inner) = start("", &["--size", "400x300"]);
    let mut foot = inner.run(&mut host, "foot", &["sh", "-c", "sleep 600"]);
    // linux/input-event-codes.h
    let (escape, q, shift, logo) = (1, 16, 42, 125);
    host.inject(Input::Key { key: logo, pressed: true });
    host.key(q);
    until(&mut host, "the window inside is closed", || foot.0.try_wait().unwrap());
    host.inject(Input::Key { key: shift, pressed: true });
    host.key(escape);
    inner.says(&mut host, "the host's shortcuts are the host's own");
    host.inject(Input::Key { key: shift, pressed: false });
    host.key(q);
    assert!(inner.ends(&mut host).success());
}

#[test]
fn its_output_follows_the_window() {
    let (mut host, inner) = start("", &["--size", "640x480"]);
    let output = |host: &mut Host, inner: &Inner| {
        let output = inner.outputs(host).remove(0);
        (output.width, output.height, output.scale)
    };
    assert_eq!(output(&mut host, &inner), (640, 480, 1.0));
    let becomes = |host: &mut Host, wanted: (i32, i32, f64)| {
        inner.until(host, &format!("it is {wanted:?}"), |inner, host| {
            (output(host, inner) == wanted).then_some(())
        });
        same(host, &inner);
    };
    // A person makes it as large as the host has room.
    host.server.state.act(Action::Maximize);
    host.turn();
    let room = host.until("it is large", |server| {
        let window = server.state.windows.iter().next()?;
        Some(window.client_area().size).filter(|size| size.w > 900)
    });
    becomes(&mut host, (room.w, room.h, 1.0));
    host.server.state.act(Action::Maximize);
    becomes(&mut host, (640, 480, 1.0));
    // The host is made to show everything larger, and so it is in here.
    let id = host.server.state.outputs.iter().next().unwrap().id;
    let scale = OutputScale::new(1.25);
    let change = OutputChange { scale, ..OutputChange::default() };
    host.server.state.change_output(id, change).unwrap();
    becomes(&mut host, (800, 600, 1.25));
    // Somebody asks for another size from in here.
    inner.control(&mut host, &["outputs", "WINDOW-1", "--size", "500x400"]);
    becomes(&mut host, (500, 400, 1.25));
    inner.control(&mut host, &["outputs", "WINDOW-1", "--off"]);
    host.until("the window is closed", |server| {
        server.state.windows.iter().next().is_none().then_some(())
    });
    inner.control(&mut host, &["outputs", "WINDOW-1", "--on"]);
    host.until("the window is there", |server| {
        server.state.windows.iter().any(|window| window.is_mapped()).then_some(())
    });
}

#[test]
fn closing_its_last_window_ends_it_in_order() {
    let outputs = ["--output", "300x200", "--output", "200x300"];
    let (mut host, mut inner) = start("", &outputs);
    host.until("both windows are seen", |server| {
        (server.state.windows.iter().filter(|window| window.is_mapped()).count() == 2).then_some(())
    });
    host.server.state.act(Action::Close);
    inner.until(&mut host, "one output is left", |inner, host| {
        (inner.outputs(host).len() == 1).then_some(())
    });
    host.until("one window is left", |server| {
        (server.state.windows.iter().count() == 1).then_some(())
    });
    let id = host.server.state.windows.iter().next().unwrap().id();
    host.server.state.focus_window(Some(id));
    host.server.state.act(Action::Close);
    assert!(inner.ends(&mut host).success());
    let mut left: Vec<_> = std::fs::read_dir(inner.directory.path()).unwrap().flatten().collect();
    left.retain(|entry| entry.file_name() != "host");
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn it_ends_with_its_host() {
    let (mut host, mut inner) = start("", &["--size", "300x200"]);
    host.turn();
    drop(host);
    assert!(inner.ends(&mut crate::inner::Elsewhere).success());
    inner.says(&mut crate::inner::Elsewhere, "the host is gone");
}

#[test]
fn unseen_or_still_it_rests() {
    let (mut host, inner) = start("", &["--size", "400x300"]);
    let moving = inner.run(&mut host, "weston-simple-shm", &[]);
    let pictures = |host: &mut Host| inner.outputs(host)[0].pictures;
    let draws = |host: &mut Host, last: u64| {
        inner.until(host, "it draws", |_, host| (pictures(host) > last + 3).then_some(()));
    };
    draws(&mut host, 0);
    host.server.state.act(Action::Minimize);
    inner.rests(&mut host);
    let last = pictures(&mut host);
    inner.rests(&mut host);
    assert_eq!(pictures(&mut host), last, "it draws what nobody sees");
    host.server.state.act(Action::Restore);
    draws(&mut host, last);
    drop(moving);
    inner.until(&mut host, "its window is gone", |inner, host| {
        inner.windows(host).is_empty().then_some(())
    });
    inner.rests(&mut host);
    let last = pictures(&mut host);
    inner.rests(&mut host);
    assert_eq!(pictures(&mut host), last, "it draws though nothing moves");
}
