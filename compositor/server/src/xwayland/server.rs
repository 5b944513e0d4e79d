//! Starting Xwayland when an X11 program comes, and what happens when it ends.

use std::{env, io, path::PathBuf, process::Stdio, time::Duration};

use smithay::{
    reexports::{
        calloop::{
            Interest, Mode, PostAction, RegistrationToken,
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
    sockets::X11Display,
};
use crate::state::State;

/// How long Xwayland rests after it could not be started, and after how many times in a row it is not
/// doubled any more.
const REST: Duration = Duration::from_secs(1);
const MOST_DOUBLINGS: u32 = 6;

/// Where Xwayland is in its life.
#[derive(Debug, Default)]
pub(super) struct Server {
    life: Life,
    /// How often in a row it could not be started.
    failures: u32,
}

#[derive(Debug, Default)]
enum Life {
    /// Nobody waits for it.
    #[default]
    Absent,
    /// It says when it is ready. The script must be there until then.
    Starting { process: Process, _launcher: Launcher },
    /// It runs, and we manage its windows.
    Running { process: Process, manager: Box<X11Wm> },
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
        self.xwayland.server.life = Life::Starting { process, _launcher: launcher };
        Ok(())
    }

    fn manage_x11_windows(
        &mut self,
        socket: std::os::unix::net::UnixStream,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let server = &mut self.xwayland.server;
        match std::mem::take(&mut server.life) {
            Life::Starting { process, _launcher } => {
                let client = process.client.clone();
                let started = X11Wm::start_wm(self.loop_handle.clone(), socket, client);
                server.life = match started {
                    Ok(manager) => {
                        server.failures = 0;
                        Life::Running { process, manager: Box::new(manager) }
                    }
                    Err(error) => {
                        server.life = Life::Starting { process, _launcher };
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
            Life::Running { process, manager } => {
                self.loop_handle.remove(process.source);
                tracing::info!("Xwayland has ended; the next X11 program starts it anew");
                for target in [SelectionTarget::Clipboard, SelectionTarget::Primary] {
                    self.x11_cleared_selection(target);
                }
                self.xwayland.retired.push(*manager);
                self.await_x11_program();
            }
        }
    }

    /// The program that came still waits, so that the next try would be at once: let a while pass.
    fn xwayland_not_started(&mut self, reason: &dyn std::fmt::Display) {
        let server = &mut self.xwayland.server;
        let rest = REST * (1 << server.failures.min(MOST_DOUBLINGS));
        server.failures = server.failures.saturating_add(1);
        tracing::error!("Xwayland has not started: {reason}; trying again in {rest:?}");
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
