//! The program that is tested: the compositor in a window of a host.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use hyper_dmabuf_compositor::{
    control::messages::{OutputReport, WindowReport},
    image::Image,
};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What its socket is called.
const SOCKET: &str = "inner";

/// The compositor, with a runtime directory of its own.
pub(crate) struct Inner {
    pub(crate) directory: TempDir,
    child: Child,
    log: Receiver<String>,
}

/// Turns the event loop of a host that runs in this process; does nothing for another.
pub(crate) trait Turn {
    fn turn(&mut self);
}

/// A host that is a program of its own.
pub(crate) struct Elsewhere;

impl Turn for Elsewhere {
    fn turn(&mut self) {
        // Whatever is waited for comes from other programs, who need the processor.
        thread::yield_now();
    }
}

/// Until there is something.
pub(crate) fn until<T>(host: &mut impl Turn, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        host.turn();
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain until {what}");
    }
}

impl Inner {
    /// Start it. `environment` says where the host is.
    pub(crate) fn start(
        directory: TempDir,
        environment: (&str, &Path),
        arguments: &[&str],
    ) -> Inner {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hyper-dmabuf-compositor"));
        command.env("XDG_RUNTIME_DIR", directory.path()).env_remove("RUST_LOG");
        command.env_remove("WAYLAND_DISPLAY").env_remove("DISPLAY");
        command.env(environment.0, environment.1);
        command.args(["--backend", "nested", "--socket", SOCKET]).args(arguments);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, log) = mpsc::channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                eprintln!("inner: {line}");
                // The test may have seen enough.
                let _ = sender.send(line);
            }
        });
        Inner { directory, child, log }
    }

    /// Until it has said this.
    pub(crate) fn says(&mut self, host: &mut impl Turn, text: &str) {
        until(host, &format!("it says {text:?}"), || {
            let all = std::iter::from_fn(|| self.log.try_recv().ok());
            all.into_iter().find(|line| line.contains(text))
        });
    }

    /// What hyper-dmabufctl says about it.
    pub(crate) fn control(&self, host: &mut impl Turn, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hyper-dmabufctl"));
        command.env("XDG_RUNTIME_DIR", self.directory.path()).env("WAYLAND_DISPLAY", SOCKET);
        let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let status = until(host, "hyper-dmabufctl ends", || child.try_wait().unwrap());
        let mut text = String::new();
        std::io::Read::read_to_string(&mut child.stdout.take().unwrap(), &mut text).unwrap();
        assert!(status.success(), "{arguments:?}: {text}");
        text
    }

    pub(crate) fn outputs(&self, host: &mut impl Turn) -> Vec<OutputReport> {
        serde_json::from_str(&self.control(host, &["--json", "outputs"])).unwrap()
    }

    pub(crate) fn windows(&self, host: &mut impl Turn) -> Vec<WindowReport> {
        serde_json::from_str(&self.control(host, &["--json", "windows"])).unwrap()
    }

    /// What it says that it shows.
    pub(crate) fn screenshot(&self, host: &mut impl Turn) -> Image {
        let file = self.path("inner.png");
        self.control(host, &["screenshot", file.to_str().unwrap()]);
        Image::read(&file).unwrap()
    }

    /// Run a program in it, and wait until its window is seen.
    pub(crate) fn run(&self, host: &mut impl Turn, program: &str, arguments: &[&str]) -> Program {
        let before = self.windows(host).len();
        let mut command = Command::new(program);
        command.env("XDG_RUNTIME_DIR", self.directory.path()).env("WAYLAND_DISPLAY", SOCKET);
        command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null());
        let child = Program(command.spawn().unwrap());
        self.until(host, &format!("{program} shows its window"), |inner, host| {
            let windows = inner.windows(host);
            let shown = windows.len() > before && windows.iter().all(|window| window.mapped);
            shown.then_some(())
        });
        child
    }

    /// Until it says that something is so.
    pub(crate) fn until<T, H: Turn>(
        &self,
        host: &mut H,
        what: &str,
        mut look: impl FnMut(&Inner, &mut H) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look(self, host) {
                return found;
            }
            assert!(Instant::now() < deadline, "waited in vain until {what}");
        }
    }

    /// A file of its directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Until it has ended by itself.
    pub(crate) fn ends(&mut self, host: &mut impl Turn) -> ExitStatus {
        until(host, "it ends", || self.child.try_wait().unwrap())
    }

    /// How often it has gone to sleep by itself, which is how often it was woken.
    fn wakes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.unwrap().trim().parse().unwrap()
    }

    /// Until it is not woken for so long that a timer which goes on by itself would show, while the
    /// host goes on.
    pub(crate) fn rests(&self, host: &mut impl Turn) {
        const LOOK: Duration = Duration::from_secs(2);
        let (mut wakes, mut since) = (self.wakes(), Instant::now());
        let begun = since;
        while since.elapsed() < LOOK {
            host.turn();
            let now = self.wakes();
            if std::mem::replace(&mut wakes, now) != now {
                since = Instant::now();
            }
            assert!(begun.elapsed() < PATIENCE, "it is woken again and again");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program that ends with the test.
pub(crate) struct Program(pub(crate) Child);

impl Drop for Program {
    fn drop(&mut self) {
        // So that a shell takes its child along.
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        let _ = self.0.wait();
    }
}
