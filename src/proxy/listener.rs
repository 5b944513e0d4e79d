//! The Wayland socket that apps connect to.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

/// Names that are tried when none is given: `wayland-1` to `wayland-32`, as compositors do.
const AUTOMATIC: std::ops::RangeInclusive<u32> = 1..=32;

/// A socket in `$XDG_RUNTIME_DIR`, and the lock file beside it that says whose it is.
#[derive(Debug)]
pub(super) struct Listener {
    socket: UnixListener,
    path: PathBuf,
    name: String,
    lock_path: PathBuf,
    _lock: File,
}

/// Why there is no socket for apps.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// There is no place for it.
    #[error(
        "XDG_RUNTIME_DIR is not set: set it to a directory that only you can enter, \
         for example /run/user/UID"
    )]
    NoRuntimeDirectory,
    /// A name is no path.
    #[error("{0:?} is no name of a socket: use letters, digits and dashes, such as wayland-1")]
    Name(String),
    /// Somebody else has it.
    #[error("the Wayland socket {} is taken: choose another name with --socket", .0.display())]
    Taken(PathBuf),
    /// All names are taken.
    #[error(
        "wayland-1 to wayland-32 in {} are all taken: choose another name with --socket",
        .0.display()
    )]
    AllTaken(PathBuf),
    /// The system refused.
    #[error("cannot open the Wayland socket {}: {cause}", path.display())]
    System {
        /// The socket, or its lock file.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        cause: io::Error,
    },
}

impl Listener {
    /// Opens the socket of this name, or the first one that is free.
    pub(super) fn open(name: Option<&str>) -> Result<Listener, ListenError> {
        let directory = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let directory = directory.ok_or(ListenError::NoRuntimeDirectory)?;
        if let Some(name) = name {
            if name.is_empty() || name.contains('/') || name.starts_with('.') {
                return Err(ListenError::Name(name.to_owned()));
            }
            return Self::open_at(&directory, name);
        }
        for number in AUTOMATIC {
            match Self::open_at(&directory, &format!("wayland-{number}")) {
                Err(ListenError::Taken(_)) => {}
                other => return other,
            }
        }
        Err(ListenError::AllTaken(directory))
    }

    fn open_at(directory: &Path, name: &str) -> Result<Listener, ListenError> {
        let path = directory.join(name);
        let lock_path = directory.join(format!("{name}.lock"));
        let system = |path: &Path| {
            let path = path.to_owned();
            move |cause| ListenError::System { path, cause }
        };
        let mut options = File::options();
        options.create(true).truncate(false).write(true).mode(0o660);
        let lock = options.open(&lock_path).map_err(system(&lock_path))?;
        if rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(ListenError::Taken(path));
        }
        // Whoever had it is gone: the lock is ours.
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(system(&path)(error));
            }
            _ => {}
        }
        let socket = UnixListener::bind(&path).map_err(system(&path))?;
        socket.set_nonblocking(true).map_err(system(&path))?;
        Ok(Listener { socket, path, name: name.to_owned(), lock_path, _lock: lock })
    }

    /// The name, for `WAYLAND_DISPLAY`.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The next app, if one waits.
    pub(super) fn accept(&self) -> io::Result<Option<UnixStream>> {
        match self.socket.accept() {
            Ok((socket, _)) => Ok(Some(socket)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
        let _ = std::fs::remove_file(&self.lock_path);
    }
}
