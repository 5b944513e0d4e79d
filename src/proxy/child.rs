//! The program that the proxy runs, and with which it ends.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};

use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// A program that was started.
#[derive(Debug)]
pub(super) struct Program {
    child: Child,
}

impl Program {
    /// Starts a program as an app of the socket `display`. The descriptor becomes readable when it
    /// has ended.
    pub(super) fn start(command: &[OsString], display: &str) -> io::Result<(Program, OwnedFd)> {
        let (program, arguments) = command
            .split_first()
            .ok_or_else(|| io::Error::other("no program is named after `--`"))?;
        let mut child = Command::new(program)
            .args(arguments)
            .env("WAYLAND_DISPLAY", display)
            .env_remove("WAYLAND_SOCKET")
            .spawn()
            .map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", program.to_string_lossy()))
            })?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let watched = pid
            .ok_or_else(|| io::Error::other("the program has no process number"))
            .and_then(|pid| Ok(pidfd_open(pid, PidfdFlags::empty())?));
        match watched {
            Ok(ended) => Ok((Program { child }, ended)),
            Err(error) => {
                // Without a watch, nobody would ever know that it has ended.
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// The exit status of the program, which has ended: its own, or 128 and the signal that killed
    /// it, as shells count.
    pub(super) fn exit_status(&mut self) -> u8 {
        let Ok(status) = self.child.wait() else { return 1 };
        let code =
            status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
        u8::try_from(code).unwrap_or(1)
    }
}
