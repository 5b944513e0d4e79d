//! What the proxy makes of programs that are made to be difficult.

use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use fixture::{
    App, Counted, Dice, Direct, Display, Painter, Pattern, Proxy, Socket, assert_looks_like,
    assert_same, run_under_proxy,
};
use hyper_dmabuf::client::Address;
use rustix::fs::MemfdFlags;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

const PROXY: &str = env!("CARGO_BIN_EXE_hyper-dmabuf-proxy-under-test");

/// The same painter, straight at a compositor and through the proxy at another: what is seen is the
/// same after every frame. What the proxy counted, and how many bytes changed.
fn paint(name: &str, frames: usize, sealed: bool) -> (Counted, u64) {
    let [straight, other] = [(); 2].map(|()| Arc::new(Display::start("220x260", &["work"])));
    let direct = Direct::listen(&straight, "work");
    let proxy = Proxy::start(PROXY, &other, "work");
    let mut expected = Painter::new(direct.connect(), 12345, sealed);
    let mut seen = Painter::new(proxy.connect(), 12345, sealed);
    let mut copied = 0;
    for _ in 0..frames {
        assert_same(name, &straight.screenshot(), &other.screenshot());
        // As hyper-dmabufctl shows it: of this frame not more than changed, and none if it is sealed.
        let now: u64 = other.buffers().iter().map(|buffer| buffer.bytes_copied_by_guest).sum();
        assert!(now <= seen.changed_bytes, "{now} bytes copied, {} changed", seen.changed_bytes);
        assert!(!sealed || now == 0);
        copied = now;
        expected.frame();
        seen.frame();
    }
    assert_eq!(copied > 0, !sealed);
    let changed = seen.changed_bytes;
    drop((expected, seen));
    (proxy.counted(), changed)
}

#[test]
fn a_thousand_frames_look_the_same_and_only_what_changed_is_copied() {
    let (counted, changed) = paint("painter-copied", 1000, false);
    assert!(counted.frames >= 1000 && counted.granted == 0 && counted.shadowed == 8, "{counted:?}");
    assert!(counted.bytes > 0 && counted.bytes <= changed, "{counted:?}, {changed} bytes changed");
}

#[test]
fn a_sealed_pool_is_shown_without_a_copy() {
    let (counted, _) = paint("painter-sealed", 1000, true);
    assert!(counted.frames >= 1000, "{counted:?}");
    assert_eq!((counted.granted, counted.shadowed, counted.bytes), (8, 0, 0));
}

/// A program of the client library behind the proxy: its pages are shown as they are.
#[test]
fn programs_that_share_by_themselves_do_so_behind_the_proxy() {
    let display = Display::start("480x320", &["work"]);
    let proxy = Proxy::start(PROXY, &display, "work");
    let before = proxy.descriptors();
    let address = Address::Wayland(Some(proxy.directory().join(proxy.name())));
    for _ in 0..3 {
        let mut app = App::connect_to(&address).unwrap();
        let mut window = app.window("A picture", 320, 200, Pattern::Plain(0x0020_4060));
        window.surface.resize(200, 100).unwrap();
        app.draw(&mut window, Pattern::Gradient);
        window.surface.resize(320, 200).unwrap();
        app.draw(&mut window, Pattern::Gradient);
        assert_looks_like("one-window", &display.screenshot());
        drop(window);
        app.sharing.wait_released().unwrap();
        assert_eq!((app.sharing.counts().ids, app.sharing.granted_pages()), (0, 0));
        drop(app);
        let counted = proxy.counted();
        assert!(counted.granted > 0 && counted.bytes == 0, "{counted:?}");
    }
    proxy.wait_for_descriptors(before);
}

#[test]
fn ids_pages_and_descriptors_return_when_programs_end() {
    let display = Display::start("220x260", &["work"]);
    let proxy = Proxy::start(PROXY, &display, "work");
    drop(Painter::new(proxy.connect(), 1, false)); // What is made once is made now.
    proxy.counted();
    let nothing_shared = |display: &Display| {
        display.wait_until("nothing is imported", |state| {
            state.hyper_dmabuf().importer().imports().count() == 0
        });
    };
    nothing_shared(&display);
    let before = proxy.descriptors();
    let mut shared = 0;
    for round in 0..250 {
        let mut painter = Painter::new(proxy.connect(), 1 + round, round % 2 == 0);
        for _ in 0..6 {
            painter.frame();
        }
        // Some say goodbye to nobody.
        drop(painter);
        let counted = proxy.counted();
        assert!(counted.frames >= 7, "round {round}: {counted:?}");
        shared += counted.granted + counted.shadowed;
    }
    assert!(shared > 1000, "more than there are IDs: {shared}");
    nothing_shared(&display);
    proxy.wait_for_descriptors(before);
}

#[test]
fn fifty_programs_go_on_while_one_is_stopped() {
    let display = Display::start("220x260", &["work"]);
    let proxy = Proxy::start(PROXY, &display, "work");
    let mut painters: Vec<Painter> =
        (0..49).map(|seed| Painter::new(proxy.connect(), 1 + seed, seed % 2 == 0)).collect();
    let stopped = proxy.start("weston-simple-shm");
    display.wait_until("all have a window", |state| state.window_reports().len() == 50);
    stopped.signal(rustix::process::Signal::STOP);
    // A program that is stopped for good, in the middle of asking for more than it can read.
    let mut greedy = proxy.connect();
    for _ in 0..20_000 {
        let registry = [1u32, 12 << 16, 2];
        let sync: Vec<u8> = registry.iter().flat_map(|word| word.to_ne_bytes()).collect();
        if greedy.set_nonblocking(true).is_err() || greedy.write_all(&sync).is_err() {
            break;
        }
    }
    for _ in 0..20 {
        painters.iter_mut().for_each(Painter::frame);
    }
    stopped.signal(rustix::process::Signal::CONT);
}

/// Words of a message, header first.
fn message(object: u32, opcode: u32, arguments: &[u32]) -> Vec<u8> {
    let size = 8 + 4 * arguments.len() as u32;
    let words = [&[object, size << 16 | opcode], arguments].concat();
    words.into_iter().flat_map(u32::to_ne_bytes).collect()
}

fn send(socket: &UnixStream, bytes: &[u8], files: &[BorrowedFd<'_>]) {
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(files.is_empty() || control.push(SendAncillaryMessage::ScmRights(files)));
    let bytes = [std::io::IoSlice::new(bytes)];
    // Whoever is sent away in the middle reads why, later.
    let _ = rustix::net::sendmsg(socket, &bytes, &mut control, SendFlags::NOSIGNAL);
}

/// A program that speaks no Wayland library's Wayland.
struct Raw {
    socket: UnixStream,
    shm: u32,
}

impl Raw {
    /// Binds wl_shm as object 4, and wl_compositor as 5.
    fn connect(proxy: &Proxy) -> Raw {
        let mut socket = proxy.connect();
        socket.write_all(&message(1, 1, &[2])).unwrap();
        socket.write_all(&message(1, 0, &[3])).unwrap();
        let (mut shm, mut compositor) = (0, 0);
        loop {
            let (object, opcode, payload) = read(&mut socket).expect("the globals");
            let word = |at: usize| u32::from_ne_bytes(payload[at..at + 4].try_into().unwrap());
            match (object, opcode) {
                (2, 0) if payload[8..].starts_with(b"wl_shm\0") => shm = word(0),
                (2, 0) if payload[8..].starts_with(b"wl_compositor\0") => compositor = word(0),
                (3, 0) => break,
                _ => {}
            }
        }
        let text = |text: &[u8; 8]| {
            [0, 4].map(|at| u32::from_ne_bytes(text[at..at + 4].try_into().unwrap()))
        };
        let [a, b] = text(b"wl_shm\0\0");
        socket.write_all(&message(2, 0, &[shm, 7, a, b, 1, 4])).unwrap();
        let [a, b] = text(b"wl_compo");
        let [c, d] = text(b"sitor\0\0\0");
        socket.write_all(&message(2, 0, &[compositor, 14, a, b, c, d, 4, 5])).unwrap();
        Raw { socket, shm: 4 }
    }

    fn say(&self, bytes: &[u8]) {
        send(&self.socket, bytes, &[]);
    }

    /// Reads on until the connection ends. The error that was raised, if one was.
    fn end(mut self) -> Option<(u32, u32, String)> {
        let mut error = None;
        while let Some((object, opcode, payload)) = read(&mut self.socket) {
            if (object, opcode) == (1, 0) {
                let word = |at: usize| u32::from_ne_bytes(payload[at..at + 4].try_into().unwrap());
                let text = &payload[12..12 + word(8) as usize - 1];
                error = Some((word(0), word(4), String::from_utf8_lossy(text).into_owned()));
            }
        }
        error
    }
}

fn read(socket: &mut UnixStream) -> Option<(u32, u32, Vec<u8>)> {
    let mut header = [0; 8];
    socket.read_exact(&mut header).ok()?;
    let word = |at: usize| u32::from_ne_bytes(header[at..at + 4].try_into().unwrap());
    let mut payload = vec![0; (word(4) >> 16) as usize - 8];
    socket.read_exact(&mut payload).ok()?;
    Some((word(0), word(4) & 0xffff, payload))
}

fn file(bytes: u64) -> OwnedFd {
    let file = rustix::fs::memfd_create("raw", MemfdFlags::ALLOW_SEALING).unwrap();
    rustix::fs::ftruncate(&file, bytes).unwrap();
    file
}

/// An app that breaks the rules is told which, and nobody else is any the worse for it.
#[test]
fn those_who_break_the_protocol_are_told_and_nobody_else_suffers() {
    let display = Display::start("220x260", &["work"]);
    let proxy = Proxy::start(PROXY, &display, "work");
    let mut witness = Painter::new(proxy.connect(), 7, false);
    let before = proxy.descriptors();
    type Crime = (&'static str, u32, u32, fn(&Raw));
    let crimes: [Crime; 15] = [
        ("there is no object 77", 1, 0, |raw| raw.say(&message(77, 0, &[]))),
        ("has no request 9", 1, 1, |raw| raw.say(&message(1, 9, &[]))),
        ("are malformed", 1, 1, |raw| raw.say(&message(1, 0, &[6, 6]))),
        ("a message of 6 bytes", 1, 1, |raw| raw.say(&[1, 0, 0, 0, 0, 0, 6, 0])),
        ("cannot be the number", 1, 0, |raw| raw.say(&message(1, 0, &[4]))),
        ("cannot be the number", 1, 0, |raw| raw.say(&message(1, 0, &[0xff00_0000]))),
        ("there is no global", 2, 0, |raw| {
            let name = u32::from_ne_bytes(*b"wl_\0");
            raw.say(&message(2, 0, &[1, 4, name, 1, 6]));
        }),
        ("without its descriptor", 1, 1, |raw| raw.say(&message(4, 0, &[6, 4096]))),
        ("no file", 4, 2, |raw| {
            let (reader, _writer) = rustix::pipe::pipe().unwrap();
            send(&raw.socket, &message(raw.shm, 0, &[6, 4096]), &[reader.as_fd()]);
        }),
        ("a pool of 0 bytes", 4, 1, |raw| {
            send(&raw.socket, &message(raw.shm, 0, &[6, 0]), &[file(4096).as_fd()]);
        }),
        ("does not fit a pool", 6, 1, |raw| {
            send(&raw.socket, &message(raw.shm, 0, &[6, 4096]), &[file(4096).as_fd()]);
            raw.say(&message(6, 0, &[7, 0, 32, 33, 128, 0]));
        }),
        ("is not offered", 6, 0, |raw| {
            send(&raw.socket, &message(raw.shm, 0, &[6, 4096]), &[file(4096).as_fd()]);
            raw.say(&message(6, 0, &[7, 0, 8, 8, 32, 0x1234_5678]));
        }),
        ("cannot shrink", 6, 2, |raw| {
            send(&raw.socket, &message(raw.shm, 0, &[6, 4096]), &[file(4096).as_fd()]);
            raw.say(&message(6, 2, &[4095]));
        }),
        // The file is shorter than the pool, and then the pool is shown.
        ("ends inside the buffer", 7, 2, |raw| {
            send(&raw.socket, &message(raw.shm, 0, &[6, 8192]), &[file(4096).as_fd()]);
            raw.say(&message(6, 0, &[7, 0, 32, 64, 128, 0]));
            raw.say(&message(5, 0, &[8]));
            raw.say(&message(8, 1, &[7, 0, 0]));
            raw.say(&message(8, 6, &[]));
        }),
        // What only the host can know: an object of the wrong kind.
        ("", 1, 0, |raw| raw.say(&message(5, 0, &[0]))),
    ];
    for (text, object, code, crime) in crimes {
        let raw = Raw::connect(&proxy);
        crime(&raw);
        let Some(error) = raw.end() else { panic!("{text}: no error") };
        assert!(error.2.contains(text), "expected {text:?}, got {error:?}");
        if !text.is_empty() {
            assert_eq!((error.0, error.1), (object, code), "{error:?}");
        }
        witness.frame();
    }
    proxy.wait_for_descriptors(before);
}

#[test]
fn a_pool_that_shrinks_under_the_proxy_is_an_error_and_no_signal() {
    let display = Display::start("220x260", &["work"]);
    let mut proxy = Proxy::start(PROXY, &display, "work");
    let raw = Raw::connect(&proxy);
    let pool = file(64 * 4096);
    send(&raw.socket, &message(raw.shm, 0, &[6, 64 * 4096]), &[pool.as_fd()]);
    raw.say(&message(6, 0, &[7, 0, 256, 256, 1024, 0]));
    raw.say(&message(5, 0, &[8]));
    for _ in 0..3 {
        raw.say(&message(8, 1, &[7, 0, 0]));
        raw.say(&message(8, 9, &[0, 0, 256, 256]));
        raw.say(&message(8, 6, &[]));
    }
    rustix::fs::ftruncate(&pool, 4096).unwrap();
    raw.say(&message(8, 1, &[7, 0, 0]));
    raw.say(&message(8, 9, &[0, 0, 256, 256]));
    raw.say(&message(8, 6, &[]));
    let error = raw.end().expect("an error");
    assert_eq!((error.0, error.1), (7, 2), "{error:?}");
    assert!(proxy.is_alive());
}

#[test]
fn too_many_descriptors_and_those_of_the_wrong_kind_end_one_program() {
    let display = Display::start("220x260", &["work"]);
    let proxy = Proxy::start(PROXY, &display, "work");
    let mut witness = Painter::new(proxy.connect(), 7, true);
    let before = proxy.descriptors();
    let raw = Raw::connect(&proxy);
    let pipes: Vec<OwnedFd> = (0..127).map(|_| rustix::pipe::pipe().unwrap().0).collect();
    let files: Vec<BorrowedFd<'_>> = pipes.iter().map(AsFd::as_fd).collect();
    // A message that never ends, with more descriptors than any.
    send(&raw.socket, &[4, 0, 0, 0], &files);
    send(&raw.socket, &[0], &files);
    raw.say(&[0, 0, 0]);
    assert_eq!(raw.end(), None, "closed");
    witness.frame();
    proxy.wait_for_descriptors(before);
}

/// More than fits anywhere on the way: the program waits, and nothing is lost.
#[test]
fn a_program_that_asks_much_at_once_is_answered_in_full() {
    const REGIONS: u32 = 50_000;
    let display = Display::start("220x260", &["work"]);
    let proxy = Proxy::start(PROXY, &display, "work");
    let mut raw = Raw::connect(&proxy);
    let mut writer = raw.socket.try_clone().unwrap();
    let asking = std::thread::spawn(move || {
        for chunk in (0..REGIONS).collect::<Vec<_>>().chunks(1000) {
            let region = |number: &u32| [message(5, 1, &[6 + number]), message(6 + number, 0, &[])];
            writer.write_all(&chunk.iter().flat_map(region).flatten().collect::<Vec<_>>()).unwrap();
        }
    });
    let mut deleted = 0;
    while deleted < REGIONS {
        let (object, opcode, payload) = read(&mut raw.socket).expect("an event");
        if (object, opcode) == (1, 1) && payload != 3u32.to_ne_bytes() {
            assert_eq!(payload, (6 + deleted).to_ne_bytes(), "in their order");
            deleted += 1;
        }
    }
    asking.join().unwrap();
}

/// Nobody can take all the IDs, or all the descriptors.
#[test]
fn a_program_that_wants_too_much_is_told_so_and_others_go_on() {
    let display = Display::start("220x260", &["work"]);
    let proxy = Proxy::start(PROXY, &display, "work");
    let mut witness = Painter::new(proxy.connect(), 7, false);
    let before = proxy.descriptors();
    let pool = |raw: &Raw, id: u32| {
        send(&raw.socket, &message(raw.shm, 0, &[id, 4096]), &[file(4096).as_fd()]);
    };

    let buffers = Raw::connect(&proxy);
    pool(&buffers, 6);
    buffers.say(&message(5, 0, &[7]));
    for id in 8..8 + 251 {
        buffers.say(&message(6, 0, &[id, 0, 8, 8, 32, 0]));
        buffers.say(&message(7, 1, &[id, 0, 0]));
    }
    let files = Raw::connect(&proxy);
    (6..6 + 520).for_each(|id| pool(&files, id));
    let pages = Raw::connect(&proxy);
    send(&pages.socket, &message(pages.shm, 0, &[6, 1 << 30]), &[file(1 << 30).as_fd()]);
    pages.say(&message(6, 0, &[7, 0, 1 << 14, 1 << 14, 1 << 16, 0]));
    pages.say(&message(5, 0, &[8]));
    pages.say(&message(8, 1, &[7, 0, 0]));
    for (raw, text) in [(buffers, "250 buffers"), (files, "pools"), (pages, "pages")] {
        let (object, code, said) = raw.end().expect("an error");
        assert_eq!((object, code), (1, 2), "no_memory: {said}");
        assert!(said.contains(text), "{said}");
        witness.frame();
    }
    proxy.wait_for_descriptors(before);
}

#[test]
fn a_flood_of_messages_ends_its_sender_alone() {
    let display = Display::start_with("220x260", &["work"], |config| {
        config.limits = toml::from_str("messages_per_second = 5000").expect("limits");
    });
    let proxy = Proxy::start(PROXY, &display, "work");
    let mut witness = Painter::new(proxy.connect(), 7, false);
    let flood = Raw::connect(&proxy);
    // Requests that ask for nothing: damage of a surface that shows nothing.
    flood.say(&message(5, 0, &[6]));
    let one = message(6, 2, &[0, 0, 1, 1]);
    for _ in 0..20 {
        flood.say(&one.repeat(100));
        witness.frame();
    }
    // So many are fine; twenty times as many as there may be are not.
    (0..200).for_each(|_| flood.say(&one.repeat(500)));
    let (object, code, said) = flood.end().expect("an error");
    assert_eq!((object, code), (1, 3), "implementation: {said}");
    assert!(said.contains("limits.messages_per_second"), "{said}");
    witness.frame();
    let mut after = Painter::new(proxy.connect(), 7, false);
    after.frame();
}

#[test]
fn noise_ends_its_own_connection() {
    let display = Display::start("220x260", &["work"]);
    let proxy = Proxy::start(PROXY, &display, "work");
    let mut witness = Painter::new(proxy.connect(), 7, false);
    let before = proxy.descriptors();
    let mut dice = Dice::new(99);
    for _ in 0..200 {
        let raw = Raw::connect(&proxy);
        let one = file(65536);
        let files = [one.as_fd()];
        for _ in 0..10 {
            let mut words: Vec<u32> = (0..dice.below(6)).map(|_| dice.below(12) as u32).collect();
            if dice.below(4) == 0 {
                words.push(dice.below(usize::MAX >> 33) as u32);
            }
            let bytes = message(1 + dice.below(8) as u32, dice.below(10) as u32, &words);
            let with = if dice.below(3) == 0 { &files[..] } else { &[] };
            let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            let _ = with.is_empty() || control.push(SendAncillaryMessage::ScmRights(with));
            let bytes = [std::io::IoSlice::new(&bytes)];
            let _ = rustix::net::sendmsg(&raw.socket, &bytes, &mut control, SendFlags::NOSIGNAL);
        }
        let _ = raw.socket.shutdown(std::net::Shutdown::Write);
        let _ = raw.end();
        witness.frame();
    }
    proxy.wait_for_descriptors(before);
}

#[test]
fn the_proxy_outlives_the_display_domain() {
    let directory = tempfile::tempdir().unwrap();
    let display = Display::start_at(directory.path(), "220x260", &["work"]);
    let mut proxy = Proxy::start(PROXY, &display, "work");
    let raw = Raw::connect(&proxy);
    drop(display);
    raw.end();
    proxy.wait_for("the display domain is gone");
    // Nobody is there: a program is told so.
    let mut refused = proxy.connect();
    let (object, opcode, _) = read(&mut refused).expect("an error");
    assert_eq!((object, opcode), (1, 0));
    assert!(proxy.is_alive());
    let again = Display::start_at(directory.path(), "220x260", &["work"]);
    Painter::new(proxy.connect(), 7, false).frame();
    drop(again);
}

#[test]
fn the_proxy_ends_with_its_program() {
    let display = Display::start("220x260", &["work"]);
    let (status, _) = run_under_proxy(PROXY, &display, "work", &["sh", "-c", "exit 7"]);
    assert_eq!(status.code(), Some(7));
    let (status, _) = run_under_proxy(PROXY, &display, "work", &["sh", "-c", "kill -9 $$"]);
    assert_eq!(status.code(), Some(137));
    let (status, said) = run_under_proxy(PROXY, &display, "work", &["no-such-program"]);
    assert!(
        !status.success() && said.contains("cannot start the program no-such-program"),
        "{said}"
    );
}

#[test]
fn programs_inherit_no_socket() {
    let display = Display::start("220x260", &["work"]);
    let command = ["sh", "-c", "ls -l /proc/self/fd >&2"];
    let (status, said) = run_under_proxy(PROXY, &display, "work", &command);
    assert!(status.success(), "{said}");
    assert!(said.contains("/proc/") && !said.contains("socket:"), "{said}");
}

#[test]
fn errors_say_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(PROXY);
        command.args(arguments).env("XDG_RUNTIME_DIR", directory.path());
        command.env_remove("HYPER_DMABUF_LINK");
        let output = command.output().unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = run(&["--link", "shm:/nowhere/work.sock"]);
    assert!(said.contains("/nowhere/work.sock") && said.contains("--domain"), "{said}");
    assert!(run(&[]).contains("--link"));
    assert!(run(&["--link", "carrier-pigeon:3"]).contains("expected shm:PATH"));
    assert!(run(&["--link", "wayland:"]).contains("is the address of no link"));
}

#[test]
fn the_trace_reads_as_wayland_debug_does() {
    let display = Display::start("220x260", &["work"]);
    let proxy = Proxy::start_with(PROXY, &display, "work", "--trace=wl_surface.commit,wl_buffer");
    let mut painter = Painter::new(proxy.connect(), 3, false);
    let line = proxy.wait_for("is shadowed");
    assert!(line.starts_with('[') && line.contains("-- wl_buffer@"), "{line}");
    proxy.wait_for("bytes copied");
    painter.frame();
    let line = proxy.wait_for("commit()");
    assert!(line.contains("} -> wl_surface@"), "{line}");
    let raw = Raw::connect(&proxy);
    raw.say(&message(77, 0, &[]));
    proxy.wait_for("there is no object 77. Its last messages:");
    proxy.wait_for("wl_registry@2.bind(");
}
