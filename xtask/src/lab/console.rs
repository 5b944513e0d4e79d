//! This terminal, joined to the console of the machine.

use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::Context;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

/// Ctrl-], by which it is left, as telnet is.
const LEAVE: u8 = 0x1d;

/// Whether there is a terminal to join.
pub(crate) fn is_there() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Joins them until Ctrl-] is pressed or the machine ends.
pub(crate) fn join(socket: &Path) -> anyhow::Result<()> {
    let console = UnixStream::connect(socket)
        .with_context(|| format!("cannot reach the console {}", socket.display()))?;
    let _raw = Raw::new().context("cannot set this terminal")?;
    // What begins with an empty line is seen to be there.
    (&console).write_all(b"\n")?;
    let stdin = io::stdin();
    let mut bytes = [0; 4096];
    loop {
        let mut files = [PollFd::new(&stdin, PollFlags::IN), PollFd::new(&console, PollFlags::IN)];
        poll(&mut files, None)?;
        let [typed, said] = files.map(|file| !file.revents().is_empty());
        if said {
            let count = (&console).read(&mut bytes)?;
            if count == 0 {
                return Ok(());
            }
            let mut stdout = io::stdout();
            stdout.write_all(&bytes[..count])?;
            stdout.flush()?;
        }
        if typed {
            // Not through `Stdin`, which would keep bytes that `poll` does not see.
            let count = rustix::io::read(&stdin, &mut bytes)?;
            let typed = &bytes[..count];
            if count == 0 || typed.contains(&LEAVE) {
                return Ok(());
            }
            (&console).write_all(typed)?;
        }
    }
}

/// The terminal passes on every key as it is, until this is dropped.
struct Raw(Termios);

impl Raw {
    fn new() -> rustix::io::Result<Raw> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        Ok(Raw(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // If it cannot be set back, there is nothing to say it on.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
