//! The event loop with the compositor in it: the whole program, or a part of a test.

use std::{
    env, io,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use calloop::signals::{Signal, Signals};
use smithay::{
    reexports::{
        calloop::EventLoop,
        wayland_server::{BindError, Client, Display},
    },
    wayland::socket::ListeningSocketSource,
};

use crate::{
    backend::BackendKind,
    client::ClientOrigin,
    config::Config,
    control::{self, server::ControlSocket},
    state::{StartError, State},
};

/// An event loop with a compositor in it.
///
/// A test makes one, lets clients in with [`Server::insert_client`], turns the loop with
/// [`Server::dispatch`], and looks at [`Server::state`].
pub struct Server {
    /// The compositor.
    pub state: State,
    event_loop: EventLoop<'static, State>,
    control: Option<ControlSocket>,
}

/// How long the end waits for Xwayland's.
const PATIENCE: Duration = Duration::from_secs(2);

impl Drop for Server {
    /// Smithay's window manager for X11 keeps the event loop, and with it all sockets, until Xwayland is
    /// gone.
    fn drop(&mut self) {
        if !self.state.end_xwayland() {
            return;
        }
        let until = Instant::now() + PATIENCE;
        while self.state.xwayland_runs() && Instant::now() < until {
            if let Err(error) = self.dispatch(Some(until.saturating_duration_since(Instant::now())))
            {
                tracing::debug!(%error, "the end of Xwayland is not awaited");
                return;
            }
        }
    }
}

/// Why no socket could be opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// There is no directory for sockets.
    #[error(
        "XDG_RUNTIME_DIR is not set: set it to a directory that only you can enter, for example /run/user/UID"
    )]
    NoRuntimeDirectory,
    /// Another compositor has the name.
    #[error(
        "the socket {name} in $XDG_RUNTIME_DIR is taken by another compositor: choose another name with --socket"
    )]
    Taken {
        /// The name.
        name: String,
    },
    /// The socket cannot be made.
    #[error("cannot open the Wayland socket {name} in $XDG_RUNTIME_DIR ({}): {reason}", directory.display())]
    Wayland {
        /// The name.
        name: String,
        /// The directory.
        directory: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The control socket cannot be made.
    #[error("cannot open the control socket {}: {source}", path.display())]
    Control {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Server {
    /// A compositor that listens nowhere yet.
    pub fn new(config: Config, kind: BackendKind) -> Result<Server, StartError> {
        let event_loop = EventLoop::try_new()
            .map_err(|error| StartError::EventLoop(io::Error::other(error.to_string())))?;
        let display = Display::new().map_err(|error| StartError::Display(error.to_string()))?;
        let mut state = State::new(config, kind, event_loop.handle(), display)?;
        state.loop_signal = Some(event_loop.get_signal());
        Ok(Server { state, event_loop, control: None })
    }

    /// Let a client in that is connected by this stream.
    pub fn insert_client(
        &mut self,
        stream: UnixStream,
        origin: ClientOrigin,
    ) -> io::Result<Client> {
        self.state.insert_client(stream, origin)
    }

    /// Turn the event loop once: wait for something to happen, at most this long (for ever if
    /// `None`), do it, draw if needed, and tell the clients.
    pub fn dispatch(&mut self, at_most: Option<Duration>) -> io::Result<()> {
        self.event_loop
            .dispatch(at_most, &mut self.state)
            .map_err(|error| io::Error::other(error.to_string()))?;
        self.state.end_turn();
        Ok(())
    }

    /// Open the Wayland socket for local clients, and the control socket beside it. The name.
    pub fn listen(&mut self) -> Result<String, ListenError> {
        let directory = env::var_os("XDG_RUNTIME_DIR")
            .map(PathBuf::from)
            .ok_or(ListenError::NoRuntimeDirectory)?;
        let wanted = self.state.config.socket.as_ref().map(|name| name.to_string());
        let socket = match &wanted {
            Some(name) => ListeningSocketSource::with_name(name),
            None => ListeningSocketSource::new_auto(),
        };
        let socket = socket.map_err(|error| {
            let name = wanted.unwrap_or_else(|| "wayland-1 to wayland-32".to_owned());
            match error {
                BindError::AlreadyInUse => ListenError::Taken { name },
                BindError::RuntimeDirNotSet => ListenError::NoRuntimeDirectory,
                other => ListenError::Wayland {
                    name,
                    directory: directory.clone(),
                    reason: other.to_string(),
                },
            }
        })?;
        let name = socket.socket_name().to_string_lossy().into_owned();
        self.event_loop
            .handle()
            .insert_source(socket, |stream, (), state| {
                if let Err(error) = state.insert_client(stream, ClientOrigin::Local) {
                    tracing::warn!(%error, "a client could not be let in");
                }
            })
            .map_err(|error| ListenError::Wayland {
                name: name.clone(),
                directory: directory.clone(),
                reason: error.to_string(),
            })?;
        self.listen_for_control(&control::client::socket_path(&directory.join(&name)))?;
        Ok(name)
    }

    /// Open the control socket at `path`.
    pub fn listen_for_control(&mut self, path: &Path) -> Result<(), ListenError> {
        let socket = control::server::listen(&self.event_loop.handle(), path)
            .map_err(|source| ListenError::Control { path: path.to_path_buf(), source })?;
        self.control = Some(socket);
        Ok(())
    }

    /// End the event loop, and take the sockets away, when the program is asked to end by SIGTERM or
    /// SIGINT; read the configuration again by SIGHUP, or end, where there is none. To be called before
    /// threads are started: the signals are blocked in this one.
    pub fn obey_signals(&mut self) -> io::Result<()> {
        let signals = Signals::new(&[Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP])?;
        let inserted = self.event_loop.handle().insert_source(signals, |event, (), state| {
            if event.signal() == Signal::SIGHUP {
                state.hung_up();
                return;
            }
            tracing::info!(signal = ?event.signal(), "asked to end");
            if let Some(signal) = &state.loop_signal {
                signal.stop();
            }
        });
        inserted.map(drop).map_err(|error| io::Error::other(error.to_string()))
    }

    /// Turn the event loop until [`State::loop_signal`] ends it.
    pub fn run(&mut self) -> io::Result<()> {
        self.event_loop
            .run(None, &mut self.state, State::end_turn)
            .map_err(|error| io::Error::other(error.to_string()))
    }
}
