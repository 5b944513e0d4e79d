//! A guest whose programs the suite's clients are: its proxy, which is a program of its own.

use std::io::{self, BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use hyper_dmabuf_compositor::config::{DomainConfig, domain_colour};
use hyper_dmabuf_compositor::domain::DomainAddress;
use hyper_dmabuf_compositor::trust::consent::Consent;
use tempfile::TempDir;

/// The name of its socket for programs.
const SOCKET: &str = "guest";

/// A proxy, and where it meets the compositor. It ends when this is dropped.
pub(crate) struct Guest {
    directory: TempDir,
    proxy: PathBuf,
    process: Option<Child>,
}

impl Guest {
    /// The guest that the suite's clients are to be in: what stands in `HYPER_DMABUF_PROXY` is its
    /// proxy.
    pub(crate) fn wanted() -> Option<Guest> {
        let proxy = PathBuf::from(std::env::var_os("HYPER_DMABUF_PROXY")?);
        let directory = TempDir::with_prefix("wlcs").expect("a temporary directory");
        Some(Guest { directory, proxy, process: None })
    }

    fn link(&self) -> PathBuf {
        self.directory.path().join("link")
    }

    /// It as the compositor is told of it.
    pub(crate) fn config(&self) -> DomainConfig {
        let name = "guest".parse().expect("a name");
        let address = DomainAddress::Shm(self.link());
        // Nobody is there to consent to what the suite asks for.
        let unasked = vec![Consent::Pointer, Consent::Shortcuts, Consent::Screen].into();
        DomainConfig { unasked, ..DomainConfig::new(name, domain_colour(0), Some(address)) }
    }

    /// Starts the proxy, once the compositor awaits it.
    pub(crate) fn start(&mut self) -> io::Result<()> {
        let mut command = Command::new(&self.proxy);
        command.arg("--link").arg(format!("shm:{}", self.link().display()));
        command.args(["--socket", SOCKET]).env("XDG_RUNTIME_DIR", self.directory.path());
        let mut process = command.stderr(Stdio::piped()).spawn()?;
        let mut lines = BufReader::new(process.stderr.take().expect("a pipe")).lines();
        let ready = lines.any(|line| line.is_ok_and(|line| line.contains("apps connect with")));
        // Nobody reads further, and it says no more unless something goes wrong.
        std::thread::spawn(move || lines.for_each(drop));
        self.process = Some(process);
        if ready { Ok(()) } else { Err(io::Error::other("the proxy does not start")) }
    }

    /// A program's connection to it.
    pub(crate) fn connect(&self) -> io::Result<UnixStream> {
        UnixStream::connect(Path::join(self.directory.path(), SOCKET))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
