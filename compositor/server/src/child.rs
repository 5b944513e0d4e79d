//! Programs that the compositor starts: the one with which it ends, and those of shortcuts.

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
use smithay::reexports::calloop::{Interest, LoopHandle, Mode, PostAction, generic::Generic};

use crate::{descriptors::InheritedLimit, server::Server, state::State};

/// What XDG calls this desktop.
const DESKTOP: &str = "hyper-dmabuf";

/// A program that was started, and how it ended once it has.
pub struct RunningProgram(Rc<Cell<Option<ExitStatus>>>);

/// What programs get that are started here.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The name of the Wayland socket.
    pub socket: String,
    /// Where X11 programs connect, if they can run.
    pub x11_display: Option<String>,
    /// How many files they may have open.
    pub limit: InheritedLimit,
}

impl Surroundings {
    pub(crate) fn prepare(&self, command: &mut Command) {
        command.env("WAYLAND_DISPLAY", &self.socket).env_remove("WAYLAND_SOCKET");
        command.env("XDG_CURRENT_DESKTOP", DESKTOP).env("XDG_SESSION_TYPE", "wayland");
        // It is for the compositor to say that it is ready.
        command.env_remove("NOTIFY_SOCKET");
        match &self.x11_display {
            Some(display) => command.env("DISPLAY", display),
            // That of another session would show the program's windows there.
            None => command.env_remove("DISPLAY"),
        };
        self.limit.give_to(command);
        unblock_signals(command);
    }
}

/// Start a program whose windows the compositor shows, and end the event loop when it ends.
pub fn start(
    server: &mut Server,
    command: &[OsString],
    surroundings: &Surroundings,
) -> io::Result<RunningProgram> {
    let (program, arguments) =
        command.split_first().ok_or_else(|| io::Error::other("no program is named after `--`"))?;
    let mut command = Command::new(program);
    command.args(arguments);
    surroundings.prepare(&mut command);
    let child = command.spawn().map_err(|error| {
        io::Error::new(error.kind(), format!("{}: {error}", program.to_string_lossy()))
    })?;
    let ended = Rc::new(Cell::new(None));
    let program = RunningProgram(ended.clone());
    watch(&server.state.loop_handle, child, move |state, status| {
        ended.set(Some(status));
        if let Some(signal) = &state.loop_signal {
            signal.stop();
        }
    })?;
    Ok(program)
}

impl State {
    /// Let shortcuts start programs.
    pub fn allow_programs(&mut self, surroundings: Surroundings) {
        self.surroundings = Some(surroundings);
    }

    /// Start a program of the display domain, by a line for the shell.
    pub(crate) fn run_program(&mut self, line: &str) {
        let Some(surroundings) = &self.surroundings else { return };
        let mut command = Command::new("sh");
        command.args(["-c", line]);
        surroundings.prepare(&mut command);
        let run = command.spawn().and_then(|child| {
            let line = line.to_owned();
            watch(&self.loop_handle, child, move |_, status| {
                if !status.success() {
                    tracing::warn!(%line, %status, "a program that a shortcut started has failed");
                }
            })
        });
        if let Err(error) = run {
            tracing::warn!(%line, %error, "a shortcut cannot start its program");
        }
    }
}

/// Call `then` when a program has ended.
pub(crate) fn watch(
    loop_handle: &LoopHandle<'static, State>,
    mut child: Child,
    then: impl FnOnce(&mut State, ExitStatus) + 'static,
) -> io::Result<()> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::other("the program has no process number"));
    let pidfd = pid.and_then(|pid| Ok(pidfd_open(pid, PidfdFlags::empty())?));
    let waiting = Rc::new(Cell::new(None));
    let running = Rc::clone(&waiting);
    let mut then = Some(then);
    let watched = pidfd.and_then(|pidfd| {
        let source = Generic::new(pidfd, Interest::READ, Mode::Level);
        let inserted = loop_handle.insert_source(source, move |_, _, state| {
            let ended = running.take().map(|mut child: Child| child.wait()).transpose()?;
            if let (Some(status), Some(then)) = (ended, then.take()) {
                then(state, status);
            }
            Ok(PostAction::Remove)
        });
        inserted.map(drop).map_err(|error| io::Error::other(error.to_string()))
    });
    match watched {
        Ok(()) => {
            waiting.set(Some(child));
            Ok(())
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
