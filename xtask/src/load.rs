//! `cargo xtask load`: what a picture costs the compositor's processor, beside what it costs Weston.
//!
//! Both show the same programs on an output of the same size, without a screen, drawn by Pixman, one
//! after the other in turn. Printed, not judged: what else the machine does is in the figures.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::paths;
use crate::system_packages::{self, BUILD, PROGRAMS, RUN};

/// Windows of 250x250 pixels, all of which are drawn again for each picture.
const WINDOWS: usize = 8;
/// The output.
const SIZE: (u32, u32) = (1280, 800);
/// How often each compositor has its turn.
const TURNS: usize = 3;
/// How long a turn is measured, once pictures come.
const MEASURED: Duration = Duration::from_secs(10);
/// Pictures before that.
const WARM_UP: u64 = 60;
/// How long anything may take to begin.
const PATIENCE: Duration = Duration::from_secs(30);
const SOCKET: &str = "load";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compositor {
    Ours,
    Weston,
}

pub(crate) fn run() -> anyhow::Result<()> {
    system_packages::provide(&[BUILD, RUN, PROGRAMS])?;
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "-p", "hyper-dmabuf-compositor"]);
    ensure!(cargo.status().context("cannot run cargo")?.success(), "the build failed");
    let (width, height) = SIZE;
    println!("{WINDOWS} windows that are drawn 60 times a second, on {width}x{height}, by Pixman:");
    let (mut ours, mut westons) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        ours.push(turn(Compositor::Ours)?);
        westons.push(turn(Compositor::Weston)?);
    }
    let (ours, westons) = (median(ours), median(westons));
    println!("hyper-dmabuf-compositor / weston: {:.2}", ours.as_secs_f64() / westons.as_secs_f64());
    Ok(())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// What a picture costs on average.
fn turn(compositor: Compositor) -> anyhow::Result<Duration> {
    let directory = TempDir::with_prefix("load").context("cannot make a directory")?;
    let server = start(compositor, directory.path())?;
    let begun = Instant::now();
    while !directory.path().join(SOCKET).exists() {
        ensure!(begun.elapsed() < PATIENCE, "{compositor:?} does not open its socket");
        thread::sleep(Duration::from_millis(20));
    }
    let pictures = Arc::new(AtomicU64::new(0));
    let clients = (0..WINDOWS).map(|number| {
        // One tells of each picture that it was told of.
        let counted = (number == 0).then(|| Arc::clone(&pictures));
        client(directory.path(), counted)
    });
    let _clients: Vec<Ended> = clients.collect::<anyhow::Result<_>>()?;
    while pictures.load(Ordering::Relaxed) < WARM_UP {
        ensure!(begun.elapsed() < PATIENCE, "{compositor:?} shows nothing");
        thread::sleep(Duration::from_millis(20));
    }
    let (busy, shown) = (busy(&server)?, pictures.load(Ordering::Relaxed));
    thread::sleep(MEASURED);
    let busy = self::busy(&server)?.saturating_sub(busy);
    let shown = pictures.load(Ordering::Relaxed) - shown;
    ensure!(shown > 0, "{compositor:?} stands still");
    let each = busy / u32::try_from(shown).context("too many pictures")?;
    println!("  {compositor:?}: {shown} pictures, {:.3} ms each", each.as_secs_f64() * 1e3);
    Ok(each)
}

/// A program that is killed when this is dropped.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(compositor: Compositor, directory: &Path) -> anyhow::Result<Ended> {
    let (width, height) = SIZE;
    let mut command = match compositor {
        Compositor::Ours => {
            let mut ours = Command::new(paths::target().join("release/hyper-dmabuf-compositor"));
            ours.args(["--backend", "headless", "--renderer", "pixman", "--socket", SOCKET]);
            ours.args(["--size", &format!("{width}x{height}")]);
            ours
        }
        Compositor::Weston => {
            // Nothing of its own on the screen that ours has not.
            let config = directory.join("weston.ini");
            let text = "[shell]\npanel-position=none\nbackground-color=0xff202832\nlocking=false\n\
                        animation=none\nstartup-animation=none\n";
            fs::write(&config, text).context("cannot write weston.ini")?;
            let mut weston = Command::new("weston");
            weston.args(["--backend=headless-backend.so", "--use-pixman", "--idle-time=0"]);
            weston.arg(format!("--config={}", config.display()));
            weston.args([format!("--width={width}"), format!("--height={height}")]);
            weston.arg(format!("--socket={SOCKET}"));
            weston
        }
    };
    command.env("XDG_RUNTIME_DIR", directory).env_remove("RUST_LOG");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(Ended(command.spawn().with_context(|| format!("cannot start {compositor:?}"))?))
}

/// A window; what it is told of pictures is counted, if so wanted.
fn client(directory: &Path, pictures: Option<Arc<AtomicU64>>) -> anyhow::Result<Ended> {
    let mut command = Command::new("weston-simple-shm");
    command.env("XDG_RUNTIME_DIR", directory).env("WAYLAND_DISPLAY", SOCKET);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if pictures.is_some() {
        command.env("WAYLAND_DEBUG", "1").stderr(Stdio::piped());
    }
    let mut child = command.spawn().context("cannot start weston-simple-shm")?;
    if let (Some(pictures), Some(told)) = (pictures, child.stderr.take()) {
        thread::spawn(move || {
            let lines = BufReader::new(told).lines().map_while(Result::ok);
            for _ in lines.filter(|line| line.contains(".done(")) {
                pictures.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    Ok(Ended(child))
}

/// How long all threads of a process have had a processor.
fn busy(process: &Ended) -> anyhow::Result<Duration> {
    let tasks = format!("/proc/{}/task", process.0.id());
    let mut busy = Duration::ZERO;
    for task in fs::read_dir(&tasks).with_context(|| format!("cannot list {tasks}"))?.flatten() {
        // Of a thread that has just ended there is nothing to read.
        let Ok(text) = fs::read_to_string(task.path().join("schedstat")) else { continue };
        let nanoseconds = text.split_whitespace().next().and_then(|number| number.parse().ok());
        busy += Duration::from_nanos(nanoseconds.context("schedstat begins with a number")?);
    }
    Ok(busy)
}
