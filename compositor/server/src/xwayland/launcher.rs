//! How Xwayland gets the socket that programs wait at.
//!
//! Smithay 0.7 starts what is called `Xwayland` on `PATH`, and hands it only sockets that Smithay has
//! just made. The program that woke us waits at ours, so Smithay is given a `PATH` on which a script of
//! two lines stands for Xwayland and adds our socket to its arguments. It also says which process that is,
//! which Smithay keeps to itself.

use std::{
    env,
    fs::{self, DirBuilder, Permissions},
    io,
    os::{
        fd::{AsRawFd, BorrowedFd, OwnedFd},
        unix::fs::{DirBuilderExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

use rustix::{
    io::{FdFlags, fcntl_setfd},
    process::{Pid, PidfdFlags, pidfd_open},
};

/// A directory with the script in it, which goes with this.
#[derive(Debug)]
pub(super) struct Launcher(PathBuf);

/// Where Xwayland is installed, if it is.
pub(super) fn find_xwayland() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let is_program = |file: &PathBuf| {
        fs::metadata(file).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
    };
    env::split_paths(&path).map(|directory| directory.join("Xwayland")).find(is_program)
}

impl Launcher {
    /// Write a script in `directory` that starts `xwayland` with this socket.
    pub(super) fn write(
        directory: PathBuf,
        xwayland: &Path,
        socket: BorrowedFd<'_>,
    ) -> io::Result<Launcher> {
        // What a compositor left that was killed at this moment.
        let _ = fs::remove_dir_all(&directory);
        DirBuilder::new().mode(0o700).create(&directory)?;
        let launcher = Launcher(directory);
        let script = launcher.0.join("Xwayland");
        // Quoted for the shell: what ends a quotation is written outside of one.
        let xwayland = xwayland.to_string_lossy().replace('\'', r"'\''");
        let text = format!(
            "#!/bin/sh\necho $$ > \"${{0%/*}}/pid\"\nexec '{xwayland}' \"$@\" -listenfd {}\n",
            socket.as_raw_fd()
        );
        fs::write(&script, text)?;
        fs::set_permissions(&script, Permissions::from_mode(0o700))?;
        Ok(launcher)
    }

    /// The process of an Xwayland that was started and has not been awaited.
    pub(super) fn process(&self) -> io::Result<OwnedFd> {
        let text = fs::read_to_string(self.0.join("pid"))?;
        let pid = text.trim().parse().ok().and_then(Pid::from_raw);
        let pid = pid.ok_or(io::ErrorKind::InvalidData)?;
        Ok(pidfd_open(pid, PidfdFlags::empty())?)
    }

    /// The `PATH` on which the script is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Let programs that `start` starts have a socket.
pub(super) fn inheriting<R>(socket: BorrowedFd<'_>, start: impl FnOnce() -> R) -> io::Result<R> {
    fcntl_setfd(socket, FdFlags::empty())?;
    let started = start();
    fcntl_setfd(socket, FdFlags::CLOEXEC)?;
    Ok(started)
}
