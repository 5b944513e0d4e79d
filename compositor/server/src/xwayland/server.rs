//! Starting Xwayland when an X11 program comes, and what happens when it ends.

use std::{
    env,
    fmt::Display,
    io,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use smithay::{
    reexports::{
        calloop::{
            Interest, LoopHandle, Mode, PostAction, RegistrationToken,
            generic::Generic,
            timer::{TimeoutAction, Timer},
        },
        wayland_server::{Client, backend::DisconnectReason},
    },
    wayland::selection::SelectionTarget,
    xwayland::{X11Wm, XWayland, XWaylandEvent, xwm::XwmId},
};

use super::{
    launcher::{self, Launcher, find_xwayland},
    nested_loop,
    sockets::X11Display,
    watchdog::{Watch, Watchdog},
    window::told,
};
use crate::{client::ClientOrigin, state::State, trust::notes::Note};

/// How long Xwayland rests after it could not be started or held everything up, and after how many times
/// in a row that is not doubled any more.
const REST: Duration = Duration::from_secs(1);
const MOST_DOUBLINGS: u32 = 6;
/// How long Xwayland must have run so that it rests as after the first time again. A program that holds
/// it up again and again has no more than a small part of the time.
const LONG: Duration = Duration::from_secs(60);

/// Where Xwayland is in its life.
#[derive(Debug, Default)]
pub(super) struct Server {
    life: Life,
    /// How often in a row it could not be started, or held everything up.
    failures: u32,
    /// Where its window managers have their sources.
    nested: Option<LoopHandle<'static, State>>,
}

#[derive(Debug, Default)]
enum Life {
    /// Nobody waits for it.
    #[default]
    Absent,
    /// It says when it is ready. The script must be there until then.
    Starting { process: Process, launcher: Launcher },
    /// It runs, and we manage its windows.
    Running { process: Process, manager: Box<X11Wm>, watchdog: Watchdog, since: Instant },
}

/// The process, which ends with its source in the event loop.
#[derive(Debug)]
struct Process {
    client: Client,
    source: RegistrationToken,
}

impl Server {
    pub(super) fn is_running(&self) -> bool {
        matches!(self.life, Life::Running { .. })
    }

    /// The client that draws for X11 programs.
    pub(super) fn client(&self) -> Option<&Client> {
        match &self.life {
            Life::Absent => None,
            Life::Starting { process, .. } | Life::Running { process, .. } => Some(&process.client),
        }
    }

    /// The window manager, while Xwayland runs.
    pub(super) fn manager(&mut self) -> Option<&mut X11Wm> {
        match &mut self.life {
            Life::Running { manager, .. } => Some(manager),
            Life::Absent | Life::Starting { .. } => None,
        }
    }

    /// For those who ask Xwayland something, while it runs.
    pub(super) fn watch(&self) -> Option<Watch> {
        match &self.life {
            Life::Running { watchdog, .. } => Some(watchdog.watch()),
            Life::Absent | Life::Starting { .. } => None,
        }
    }

    /// Have the window manager tell Xwayland something, while that runs.
    pub(super) fn tell<E: Display>(&mut self, tell: impl FnOnce(&mut X11Wm) -> Result<(), E>) {
        if let (Some(watch), Some(manager)) = (self.watch(), self.manager()) {
            told(watch.during(|| tell(manager)));
        }
    }

    /// Where window managers have their sources, made when the first one comes.
    pub(super) fn nested_loop(
        &mut self,
        outer: &LoopHandle<'static, State>,
    ) -> io::Result<LoopHandle<'static, State>> {
        if let Some(nested) = &self.nested {
            return Ok(nested.clone());
        }
        let nested = nested_loop::within(outer)?;
        Ok(self.nested.insert(nested).clone())
    }

    /// It was a failure again: how long it rests now.
    fn rest(&mut self) -> Duration {
        let rest = REST * (1 << self.failures.min(MOST_DOUBLINGS));
        self.failures = self.failures.saturating_add(1);
        rest
    }
}

/// Why X11 programs cannot run.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(
        "Xwayland is not installed (looked for on PATH): install the package xwayland, or say \
         `xwayland = false` in the configuration"
    )]
    NotInstalled,
    #[error("there is no place for the script that starts it, {}: {source}", path.display())]
    Script { path: PathBuf, source: io::Error },
    #[error("it cannot be started: {0}")]
    Spawn(#[from] io::Error),
}

impl State {
    /// Let X11 programs come. Where they cannot, everything else works.
    pub fn offer_x11(&mut self) {
        if !self.config.xwayland.0 {
            return;
        }
        if find_xwayland().is_none() {
            tracing::warn!("X11 programs cannot run: {}", StartError::NotInstalled);
            return;
        }
        match X11Display::take_free() {
            Ok(display) => {
                let name = display.name();
                tracing::info!("X11 programs connect with DISPLAY={name}");
                self.xwayland.display = Some(display);
                self.await_x11_program();
            }
            Err(error) => tracing::warn!(
                %error,
                "X11 programs cannot run: no socket for them can be made in /tmp/.X11-unix"
            ),
        }
    }

    /// Start Xwayland as soon as a program comes to the socket.
    fn await_x11_program(&mut self) {
        let Some(display) = &self.xwayland.display else { return };
        let socket = rustix::io::fcntl_dupfd_cloexec(display, 0).map_err(io::Error::from);
        let awaited = socket.and_then(|socket| {
            let source = Generic::new(socket, Interest::READ, Mode::Level);
            let inserted = self.loop_handle.insert_source(source, |_, _, state| {
                if let Err(error) = state.start_xwayland() {
                    state.xwayland_not_started(&error);
                }
                // Whoever comes now comes to Xwayland.
                Ok(PostAction::Remove)
            });
            inserted.map(drop).map_err(|error| io::Error::other(error.to_string()))
        });
        if let Err(error) = awaited {
            tracing::error!(%error, "X11 programs cannot run any more");
            self.xwayland.display = None;
        }
    }

    fn start_xwayland(&mut self) -> Result<(), StartError> {
        let Some(display) = &self.xwayland.display else { return Ok(()) };
        let program = find_xwayland().ok_or(StartError::NotInstalled)?;
        let directory = env::var_os("XDG_RUNTIME_DIR").map_or_else(env::temp_dir, PathBuf::from);
        let path = directory.join(format!("hyper-dmabuf-x11-{}", display.number()));
        let socket = rustix::fd::AsFd::as_fd(display);
        let launcher = Launcher::write(path.clone(), &program, socket)
            .map_err(|source| StartError::Script { path, source })?;
        let says = || {
            if tracing::enabled!(tracing::Level::DEBUG) { Stdio::inherit() } else { Stdio::null() }
        };
        let (xwayland, client) = launcher::inheriting(socket, || {
            let environment = [("PATH", launcher.path())];
            XWayland::spawn(&self.display_handle, None, environment, false, says(), says(), |_| {})
        })??;
        let inserted = self.loop_handle.insert_source(xwayland, |event, (), state| match event {
            XWaylandEvent::Ready { x11_socket, .. } => {
                if let Err(error) = state.manage_x11_windows(x11_socket) {
                    tracing::error!(%error, "cannot manage the windows of X11 programs");
                    state.xwayland_ended();
                }
            }
            XWaylandEvent::Error => state.xwayland_ended(),
        });
        let source = inserted.map_err(|error| io::Error::other(error.error.to_string()))?;
        tracing::info!("starting Xwayland for an X11 program");
        let process = Process { client, source };
        self.xwayland.server.life = Life::Starting { process, launcher };
        Ok(())
    }

    fn manage_x11_windows(
        &mut self,
        socket: std::os::unix::net::UnixStream,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let server = &mut self.xwayland.server;
        let nested = server.nested_loop(&self.loop_handle)?;
        match std::mem::take(&mut server.life) {
            Life::Starting { process, launcher } => {
                let xwayland = launcher.process().inspect_err(
                    |error| tracing::warn!(%error, "an Xwayland that hangs cannot be killed"),
                );
                let watchdog = match Watchdog::over(&socket, xwayland.ok()) {
                    Ok(watchdog) => watchdog,
                    Err(error) => {
                        server.life = Life::Starting { process, launcher };
                        return Err(error.into());
                    }
                };
                let client = process.client.clone();
                let start = || X11Wm::start_wm(nested, socket, client);
                server.life = match watchdog.watch().during(start) {
                    Ok(manager) => {
                        let (manager, since) = (Box::new(manager), Instant::now());
                        Life::Running { process, manager, watchdog, since }
                    }
                    Err(error) => {
                        server.life = Life::Starting { process, launcher };
                        return Err(error);
                    }
                };
            }
            other => server.life = other,
        }
        self.share_selections_with_x11();
        Ok(())
    }

    /// Xwayland ended before it was ready, which nobody else says: Smithay 0.7 would look for its word for
    /// ever.
    pub(super) fn notice_failed_start(&mut self) {
        if let Life::Starting { process, .. } = &self.xwayland.server.life {
            let id = process.client.id();
            if self.display_handle.backend_handle().get_client_data(id).is_err() {
                self.xwayland_ended();
            }
        }
    }

    /// The window manager has lost Xwayland.
    pub(super) fn x11_manager_lost(&mut self, lost: XwmId) {
        if self.xwayland.server.manager().is_some_and(|manager| manager.id() == lost) {
            self.xwayland_ended();
        }
    }

    /// The compositor ends: let no X11 program in any more, and end Xwayland. Whether that is still to be
    /// awaited.
    pub(crate) fn end_xwayland(&mut self) -> bool {
        self.xwayland.display = None;
        let server = &self.xwayland.server;
        let Some(client) = server.client().filter(|_| server.is_running()) else { return false };
        let backend = self.display_handle.backend_handle();
        backend.kill_client(client.id(), DisconnectReason::ConnectionClosed);
        true
    }

    /// Xwayland is gone, and its windows with it. The next program starts it anew.
    fn xwayland_ended(&mut self) {
        self.forget_x11_windows();
        match std::mem::take(&mut self.xwayland.server.life) {
            Life::Absent => {}
            Life::Starting { process, .. } => {
                self.loop_handle.remove(process.source);
                self.xwayland_not_started(&"it ended before it was ready");
            }
            Life::Running { process, manager, watchdog, since } => {
                self.loop_handle.remove(process.source);
                for target in [SelectionTarget::Clipboard, SelectionTarget::Primary] {
                    self.x11_cleared_selection(target);
                }
                self.xwayland.retired.push(*manager);
                if since.elapsed() > LONG {
                    self.xwayland.server.failures = 0;
                }
                if watchdog.has_bitten() {
                    self.xwayland_held_everything_up();
                } else {
                    tracing::info!("Xwayland has ended; the next X11 program starts it anew");
                    self.await_x11_program();
                }
            }
        }
    }

    /// The program that came still waits, so that the next try would be at once: let a while pass.
    fn xwayland_not_started(&mut self, reason: &dyn std::fmt::Display) {
        let rest = self.xwayland.server.rest();
        tracing::error!("Xwayland has not started: {reason}; trying again in {rest:?}");
        self.await_x11_program_after(rest);
    }

    /// It was ended by the watchdog, which has logged why. The program that is to blame may come again.
    fn xwayland_held_everything_up(&mut self) {
        let rest = self.xwayland.server.rest();
        tracing::warn!("X11 programs can be started again in {rest:?}");
        let text = "X11 programs were ended: one of them held everything up".to_owned();
        self.tell_user(Note::about(&ClientOrigin::Local, text));
        self.await_x11_program_after(rest);
    }

    fn await_x11_program_after(&mut self, rest: Duration) {
        let inserted =
            self.loop_handle.insert_source(Timer::from_duration(rest), |_, (), state| {
                state.await_x11_program();
                TimeoutAction::Drop
            });
        if let Err(error) = inserted {
            tracing::error!(%error, "X11 programs cannot run any more");
        }
    }
}
