//! A guest's connection to the display domain.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;

use wayland_client::Connection;

use super::{Address, BindError, ReachError, Reached, Sharing};
use crate::grant::GrantError;
use crate::hypervisor::shm::{DEFAULT_PAGES, DomainMemory};
use crate::hypervisor::{GuestTransport, SharedMemory};
use crate::link::{Limits, Link, LinkError, LinkEvent, Reason, ReasonCode, Role};

/// A Wayland connection to the display domain, and the memory to be shared over it.
#[derive(Debug)]
pub struct Guest {
    connection: Connection,
    memory: SharedMemory,
    /// Over a link the memory is introduced already.
    introduced: bool,
}

/// Why the display domain could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// There is no memory to share.
    #[error("cannot make this domain's shareable memory")]
    Memory(#[from] GrantError),
    /// There is no way to it.
    #[error(transparent)]
    Reach(#[from] ReachError),
    /// The link could not be set up.
    #[error("cannot set the link up")]
    Link(#[from] LinkError),
    /// There is no such Wayland socket.
    #[error("cannot connect to the Wayland socket {path}: is a compositor running there?")]
    Socket {
        /// The socket.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        cause: io::Error,
    },
    /// No Wayland socket is named.
    #[error("{0} is not set, so there is no telling which Wayland socket is meant")]
    Environment(&'static str),
    /// The system refused.
    #[error("cannot {what}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the kernel said.
        #[source]
        cause: io::Error,
    },
    /// The connection broke at once.
    #[error("the Wayland connection broke at once")]
    Broken,
}

impl Guest {
    /// Connects, with shareable memory of which nothing is taken from the machine yet:
    /// [`DEFAULT_PAGES`] of it on one machine, as much as the kernel grants on Xen.
    ///
    /// Over a link, a thread carries the Wayland connection until one of the two ends.
    ///
    /// # Errors
    /// Nobody listens at `address`, or the system is out of something. On Xen nobody needs to
    /// listen yet: the connection waits for the display domain.
    pub fn connect(address: &Address) -> Result<Guest, ConnectError> {
        if let Address::Wayland(name) = address {
            return Self::from_wayland(wayland_socket(name.as_deref())?);
        }
        let Reached { transport, memory } = address.reach(0)?;
        Self::new(carry(transport)?, memory, true)
    }

    /// A guest on a socket that is connected to a Wayland compositor on the same machine.
    ///
    /// # Errors
    /// The system is out of something.
    pub fn from_wayland(socket: UnixStream) -> Result<Guest, ConnectError> {
        Self::new(socket, SharedMemory::Shm(DomainMemory::new(DEFAULT_PAGES)?), false)
    }

    fn new(
        socket: UnixStream,
        memory: SharedMemory,
        introduced: bool,
    ) -> Result<Guest, ConnectError> {
        let connection = Connection::from_socket(socket).map_err(|_| ConnectError::Broken)?;
        Ok(Guest { connection, memory, introduced })
    }

    /// The Wayland connection: an ordinary one.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The memory that grants are taken from.
    pub fn memory(&self) -> &SharedMemory {
        &self.memory
    }

    /// Begins to share memory: binds `hyper_dmabuf_manager_v1`, and waits for what the display
    /// domain says about itself.
    ///
    /// # Errors
    /// The compositor does not offer the protocol, or not to this client.
    pub fn sharing(&self) -> Result<Sharing, BindError> {
        Sharing::bind(&self.connection, &self.memory, self.introduced)
    }
}

/// Carries one Wayland connection over a link; returns the app's end of it.
fn carry(transport: GuestTransport) -> Result<UnixStream, ConnectError> {
    let system = |what| move |cause| ConnectError::System { what, cause };
    let mut link = Link::new(transport, Role::Guest, Limits::default())?;
    let (app, compositor) = UnixStream::pair().map_err(system("make a socket pair"))?;
    let mut compositor = Some(compositor);
    let body = move || {
        let ended = link.run(|event, link| match event {
            LinkEvent::Ready { guest, .. } => {
                tracing::debug!(domain = %guest, "the link is open");
                let opened = compositor.take().map(|socket| link.open(socket));
                if let Some(Err(error)) = opened {
                    tracing::error!(%error, "cannot open a stream");
                    link.close(Reason::new(ReasonCode::Finished, "no stream could be opened"));
                }
            }
            // Its one client is gone.
            LinkEvent::StreamClosed { .. } => {
                link.close(Reason::new(ReasonCode::Finished, "the client has ended"));
            }
            LinkEvent::Opened { .. } | LinkEvent::Excess { .. } | LinkEvent::Closed { .. } => {}
        });
        if let Err(error) = ended {
            tracing::error!(%error, "the link broke");
        }
    };
    thread::Builder::new()
        .name("hyper-dmabuf link".into())
        .spawn(body)
        .map_err(system("start the link's thread"))?;
    Ok(app)
}

fn wayland_socket(name: Option<&Path>) -> Result<UnixStream, ConnectError> {
    let name = match name {
        Some(name) => name.to_owned(),
        None => PathBuf::from(
            std::env::var_os("WAYLAND_DISPLAY")
                .ok_or(ConnectError::Environment("WAYLAND_DISPLAY"))?,
        ),
    };
    let path = if name.is_absolute() {
        name
    } else {
        let directory = std::env::var_os("XDG_RUNTIME_DIR");
        PathBuf::from(directory.ok_or(ConnectError::Environment("XDG_RUNTIME_DIR"))?).join(name)
    };
    UnixStream::connect(&path).map_err(|cause| ConnectError::Socket { path, cause })
}
