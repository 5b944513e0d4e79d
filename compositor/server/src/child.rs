//! The program that runs inside the compositor, and with which it ends.

use std::{
    cell::Cell,
    ffi::OsString,
    io,
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, Command, ExitCode, ExitStatus},
    rc::Rc,
};

use nix::sys::signal::SigSet;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use smithay::reexports::calloop::{Interest, Mode, PostAction, generic::Generic};

use crate::{descriptors::InheritedLimit, server::Server};

/// A program that was started, and how it ended once it has.
pub struct RunningProgram(Rc<Cell<Option<ExitStatus>>>);

/// Start a program whose windows the compositor shows, and end the event loop when it ends.
pub fn start(
    server: &mut Server,
    command: &[OsString],
    socket: &str,
    limit: InheritedLimit,
) -> io::Result<RunningProgram> {
    let (program, arguments) =
        command.split_first().ok_or_else(|| io::Error::other("no program is named after `--`"))?;
    let mut command = Command::new(program);
    command.args(arguments).env("WAYLAND_DISPLAY", socket).env_remove("WAYLAND_SOCKET");
    limit.give_to(&mut command);
    unblock_signals(&mut command);
    let mut child = command.spawn().map_err(|error| {
        io::Error::new(error.kind(), format!("{}: {error}", program.to_string_lossy()))
    })?;
    let ended = Rc::new(Cell::new(None));
    let result = watch(server, &child, ended.clone());
    match result {
        Ok(watched) => {
            watched.set(Some(child));
            Ok(RunningProgram(ended))
        }
        Err(error) => {
            // Without a watch, nobody would ever know that it has ended.
            let _ = child.kill();
            let _ = child.wait();
            Err(error)
        }
    }
}

/// The compositor takes the signals that end it from its event loop, and so has them blocked; a program
/// that inherited that could not be ended by them at all.
fn unblock_signals(command: &mut Command) {
    let unblock = || SigSet::empty().thread_set_mask().map_err(io::Error::from);
    // SAFETY: between fork and exec only async-signal-safe things may be done. `pthread_sigmask` is;
    // it neither allocates nor takes a lock.
    unsafe { command.pre_exec(unblock) };
}

fn watch(
    server: &mut Server,
    child: &Child,
    ended: Rc<Cell<Option<ExitStatus>>>,
) -> io::Result<Rc<Cell<Option<Child>>>> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::other("the program has no process number"))?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    let waiting = Rc::new(Cell::new(None::<Child>));
    let child = waiting.clone();
    server
        .state
        .loop_handle
        .insert_source(Generic::new(pidfd, Interest::READ, Mode::Level), move |_, _, state| {
            if let Some(mut child) = child.take() {
                ended.set(Some(child.wait()?));
            }
            if let Some(signal) = &state.loop_signal {
                signal.stop();
            }
            Ok(PostAction::Remove)
        })
        .map_err(|error| io::Error::other(error.to_string()))?;
    Ok(waiting)
}

impl RunningProgram {
    /// The exit status to end with: the program's own, or 128 and the signal that killed it, as
    /// shells count.
    pub fn exit_code(&self) -> ExitCode {
        let Some(status) = self.0.get() else { return ExitCode::FAILURE };
        let code =
            status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
        ExitCode::from(u8::try_from(code).unwrap_or(1))
    }
}
