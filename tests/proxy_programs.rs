//! Unmodified programs, as Debian has them, through the proxy.

use std::fs::File;
use std::io::Read;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

use fixture::{Counted, Dice, Direct, Display, Painter, Proxy, SideBySide, Socket};
use hyper_dmabuf_compositor::image::Image;
use rustix::process::Signal;

const PROXY: &str = env!("CARGO_BIN_EXE_hyper-dmabuf-proxy-under-test");

/// Programs whose picture is the same every time, once it is there.
const STILL: [&str; 10] = [
    "qt6ct",
    "/usr/libexec/installed-tests/SDL2/testdrawchessboard",
    "weston-clickdot",
    "weston-eventdemo",
    "weston-cliptest",
    "weston-scaler -b",
    "weston-scaler -s",
    "foot --config=/dev/null --override=cursor.blink=no sh -c cat",
    "gtk4-demo --run=drawingarea",
    "mpv --no-config --vo=wlshm --ao=null --pause --osc=no av://lavfi:testsrc=size=320x240:rate=1",
];

/// Programs that move by the time of their frames alone.
const STEADY: [&str; 5] = [
    "weston-simple-shm",
    "weston-simple-damage",
    "weston-simple-damage --use-viewport",
    "weston-simple-damage --use-damage-buffer --scale=2",
    "weston-subsurfaces",
];

/// Programs that never hold still, and whether what they show is copied: two of them do not seal
/// their pools, or not all.
const MOVING: [(&str, bool); 8] = [
    ("weston-simple-shm", false),
    ("weston-simple-damage", false),
    ("weston-simple-damage --use-viewport", false),
    ("weston-simple-damage --use-damage-buffer --scale=2", false),
    ("weston-smoke", false),
    ("weston-subsurfaces", true),
    ("gtk4-widget-factory", false),
    ("/usr/libexec/installed-tests/SDL2/testdraw2", true),
];

/// How many colours a picture has, up to a few: one that is empty yet has those of its frame.
fn colours(image: &Image) -> usize {
    let mut seen: Vec<&[u8]> = Vec::new();
    for pixel in image.pixels().chunks_exact(3) {
        if seen.len() < 64 && !seen.contains(&pixel) {
            seen.push(pixel);
        }
    }
    seen.len()
}

#[test]
fn still_programs_look_the_same() {
    for line in STILL {
        eprintln!("{line}");
        let both = SideBySide::start(PROXY, "800x700");
        let _programs = both.run(line);
        both.wait_for("program", |display, seen| display.windows().len() == 1 && colours(seen) > 8);
    }
}

/// Time stands still but for what the test lets pass, so that both draw the same frames.
#[test]
fn moving_programs_look_the_same_in_every_frame() {
    for line in STEADY {
        eprintln!("{line}");
        let both = SideBySide::start(PROXY, "800x700");
        both.stop_the_clocks();
        let _programs = both.run_at_a_fixed_time(line);
        both.wait_for("program", |display, seen| display.windows().len() == 1 && colours(seen) > 4);
        let mut pictures = Vec::new();
        for frame in 1..=6 {
            both.tick(Duration::from_millis(1000 + 40 * frame));
            let seen =
                both.wait_for("program", |display, _| display.run(|state| state.is_awaited()));
            if !pictures.contains(&seen) {
                pictures.push(seen);
            }
        }
        assert!(pictures.len() > 3, "{line} moves: {}", pictures.len());
    }
}

#[test]
fn moving_programs_move_without_a_copy_if_they_seal_their_pools() {
    for (line, copied) in MOVING {
        eprintln!("{line}");
        let display = Display::start("1600x900", &["work"]);
        let proxy = Proxy::start(PROXY, &display, "work");
        let program = proxy.start(line);
        display.wait_until("it has drawn thirty frames", |state| {
            state.buffer_reports().iter().map(|buffer| buffer.frames).sum::<u64>() >= 30
        });
        drop(program);
        let Counted { frames, granted, shadowed, bytes } = proxy.counted();
        assert!(frames >= 30, "{line}: {frames} frames");
        if copied {
            assert!(shadowed > 0 && bytes > 0, "{line}");
        } else {
            assert!(granted > 0, "{line}");
            assert_eq!((shadowed, bytes), (0, 0), "{line}");
        }
    }
}

#[test]
fn programs_are_offered_what_the_display_domain_offers() {
    let display = Arc::new(Display::start("800x600", &["work"]));
    let direct = Direct::listen(&display, "work");
    let proxy = Proxy::start(PROXY, &display, "work");
    let offered = |socket: &dyn Socket| {
        let output = socket.command("wayland-info").output().expect("wayland-utils");
        assert!(output.status.success());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let lines = text.lines().filter(|line| line.starts_with("interface: "));
        let mut lines: Vec<String> =
            lines.filter_map(|line| Some(line.rsplit_once(", name")?.0.to_owned())).collect();
        lines.sort();
        lines
    };
    let expected = offered(&direct);
    assert!(expected.len() > 10, "{expected:#?}");
    assert_eq!(offered(&proxy), expected);
}

fn copy(socket: &dyn Socket, arguments: &[&str], content: &std::path::Path) {
    let mut command = socket.command("wl-copy");
    let input = File::open(content).expect("the content");
    let status = command.args(arguments).stdin(input).stdout(Stdio::null()).status();
    assert!(status.expect("wl-clipboard").success());
}

fn paste(socket: &dyn Socket, arguments: &[&str]) -> Child {
    let mut command = socket.command("wl-paste");
    command.args(arguments).stdout(Stdio::piped()).spawn().expect("wl-clipboard")
}

fn all_of(mut child: Child) -> Vec<u8> {
    let mut content = Vec::new();
    child.stdout.take().expect("a pipe").read_to_end(&mut content).expect("the content");
    assert!(child.wait().expect("it ends").success());
    content
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut dice = Dice::new(bytes as u64);
    (0..bytes).map(|_| dice.below(256) as u8).collect()
}

#[test]
fn the_clipboard_has_any_size_and_kind_in_both_directions() {
    let display = Arc::new(Display::start("400x300", &["work"]));
    let direct = Direct::listen(&display, "work");
    let proxy = Proxy::start(PROXY, &display, "work");
    let before = proxy.descriptors();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("content");
    let sockets: [&dyn Socket; 2] = [&proxy, &direct];
    let cases: [(usize, &[&str]); 5] = [
        (5, &[]),
        (1_000_000, &["--type", "image/png"]),
        (1_000_000, &["--primary", "--type", "application/x-anything"]),
        (0, &["--type", "text/plain"]),
        (100_000_000, &["--type", "application/octet-stream"]),
    ];
    for (size, arguments) in cases {
        let content = noise(size);
        std::fs::write(&path, &content).unwrap();
        for (from, to) in [(0, 0), (0, 1), (1, 0)] {
            copy(sockets[from], arguments, &path);
            let pasted = all_of(paste(sockets[to], &[arguments, &["--no-newline"][..]].concat()));
            assert!(pasted == content, "{size} bytes from {from} to {to}: {}", pasted.len());
        }
    }
    for arguments in [&["--clear"][..], &["--clear", "--primary"]] {
        copy(&proxy, arguments, &path);
    }
    proxy.wait_for_descriptors(before);
}

#[test]
fn a_reader_that_stops_holds_up_nobody_but_its_writer() {
    let display = Arc::new(Display::start("400x300", &["work"]));
    let proxy = Proxy::start(PROXY, &display, "work");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("content");
    let content = noise(20_000_000);
    std::fs::write(&path, &content).unwrap();
    copy(&proxy, &["--type", "application/octet-stream"], &path);
    // Of another program: one wl-copy writes to one reader after the other.
    copy(&proxy, &["--primary", "--type", "application/octet-stream"], &path);
    let mut reader = paste(&proxy, &["--type", "application/octet-stream"]);
    let mut output = reader.stdout.take().expect("a pipe");
    let mut begun = vec![0; 100_000];
    output.read_exact(&mut begun).unwrap();
    // Nobody reads on, while others draw, copy and paste.
    let mut painter = Painter::new(proxy.connect(), 5, false);
    (0..20).for_each(|_| painter.frame());
    let mut other = paste(&proxy, &["--primary", "--type", "application/octet-stream"]);
    let mut whole = Vec::new();
    other.stdout.take().expect("a pipe").read_to_end(&mut whole).unwrap();
    assert!(whole == content);
    assert!(other.wait().unwrap().success());
    output.read_to_end(&mut begun).unwrap();
    assert!(begun == content);
    assert!(reader.wait().unwrap().success());
}

#[test]
fn a_stopped_program_holds_up_nobody() {
    let display = Display::start("800x600", &["work"]);
    let proxy = Proxy::start(PROXY, &display, "work");
    let stopped = proxy.start("weston-simple-shm");
    display.wait_until("it is seen", |state| state.window_reports().len() == 1);
    stopped.signal(Signal::STOP);
    let other = proxy.start("weston-simple-damage");
    display.wait_until("the other one draws on", |state| {
        state.buffer_reports().iter().map(|buffer| buffer.frames).max() > Some(60)
    });
    drop(other);
    stopped.signal(Signal::CONT);
}

/// A program that the proxy runs is killed with frames under way, again and again.
#[test]
fn programs_that_are_killed_leave_nothing() {
    let display = Display::start("800x600", &["work"]);
    let proxy = Proxy::start(PROXY, &display, "work");
    let before = proxy.descriptors();
    for _ in 0..20 {
        let program = proxy.start("weston-simple-damage");
        display.wait_until("it is seen", |state| state.window_reports().len() == 1);
        drop(program);
        proxy.counted();
        display.wait_until("nothing is left of it", |state| {
            state.window_reports().is_empty()
                && state.hyper_dmabuf().importer().imports().count() == 0
        });
    }
    proxy.wait_for_descriptors(before);
}
