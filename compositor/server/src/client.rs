//! What the compositor keeps of each Wayland client.

use std::{
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU32},
};

use hyper_dmabuf::grant::ForeignMemory;
use smithay::{
    reexports::wayland_server::{
        Client, DisplayHandle, Resource,
        backend::{ClientData, ClientId, DisconnectReason},
        protocol::wl_surface::WlSurface,
    },
    wayland::compositor::CompositorClientState,
};

use crate::{
    domain::Domain,
    trust::{
        account::{Account, Counted},
        policy::Offer,
    },
};

/// Where a client comes from. Settled when it connects, by the socket it came through; nothing
/// that the client says can change it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientOrigin {
    /// A program of the display domain itself.
    Local,
    /// A program in a guest.
    Domain(Arc<Domain>),
}

impl ClientOrigin {
    /// The domain, or `None` for a local client.
    pub fn domain(&self) -> Option<&Arc<Domain>> {
        match self {
            ClientOrigin::Local => None,
            ClientOrigin::Domain(domain) => Some(domain),
        }
    }
}

/// The data behind a [`Client`].
#[derive(Debug)]
pub struct ClientState {
    /// Smithay's part.
    pub compositor: CompositorClientState,
    /// Where the client comes from.
    pub origin: ClientOrigin,
    /// The memory that its grant references refer to, as its link introduced it.
    memory: Mutex<Option<Arc<dyn ForeignMemory>>>,
    /// What it has, which counts for its domain, too.
    account: Account,
    /// Objects by which it hears of a seat's devices.
    pub(crate) listeners: AtomicU32,
    /// A trusted tool's connection, by which it is seen whether it reads.
    socket: Mutex<Option<OwnedFd>>,
    /// It came by the socket of a sandbox.
    confined: bool,
}

impl ClientState {
    /// For a client that has just connected; `memory` is what its link introduced.
    pub fn new(origin: ClientOrigin, memory: Option<Arc<dyn ForeignMemory>>) -> ClientState {
        let compositor = CompositorClientState::default();
        let memory = Mutex::new(memory);
        let account = Account::default();
        let listeners = AtomicU32::new(0);
        let socket = Mutex::new(None);
        ClientState { compositor, origin, memory, account, listeners, socket, confined: false }
    }

    /// The same for one that came by the socket of a sandbox: it is not trusted.
    pub fn confined(self) -> ClientState {
        ClientState { confined: true, ..self }
    }

    /// The same for one of whom it is to be seen whether it reads what it is told by this socket.
    pub fn watched(self, socket: OwnedFd) -> ClientState {
        ClientState { socket: Mutex::new(Some(socket)), ..self }
    }

    /// The connection of one that is watched so, once more, while it is connected.
    pub(crate) fn socket(&self) -> Option<OwnedFd> {
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        socket.as_ref()?.try_clone().ok()
    }

    /// The memory that the client's grant references refer to, while it is connected.
    pub fn memory(&self) -> Option<Arc<dyn ForeignMemory>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The client has one more of something. Whether its domain may have so many; it is counted
    /// either way, until the client ends.
    pub fn begin(&self, what: Counted) -> bool {
        self.account.add(what);
        let Some(domain) = self.origin.domain() else { return true };
        let may_be = domain.account.count(what) < what.limit(&domain.limits());
        domain.account.add(what);
        may_be
    }

    /// The client has one fewer.
    pub fn end(&self, what: Counted) {
        self.account.end(what, 1);
        if let Some(domain) = self.origin.domain() {
            domain.account.end(what, 1);
        }
    }

    /// How many the client has.
    pub fn count(&self, what: Counted) -> u32 {
        self.account.count(what)
    }
}

impl ClientData for ClientState {
    fn initialized(&self, id: ClientId) {
        tracing::debug!(?id, origin = ?self.origin, "client connected");
    }

    fn disconnected(&self, id: ClientId, reason: DisconnectReason) {
        // What it still had is not told of one by one any more.
        for what in Counted::ALL {
            let left = self.account.take(what);
            if let Some(domain) = self.origin.domain() {
                domain.account.end(what, left);
            }
        }
        // Only with this one closed, too, does the client see that it was cut off.
        self.socket.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Smithay keeps this data for as long as the client was the last to have the clipboard.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).take();
        match reason {
            DisconnectReason::ConnectionClosed => tracing::debug!(?id, "client left"),
            DisconnectReason::ProtocolError(error) => {
                let from = self.origin.domain().map_or("local", |domain| &domain.name);
                let message: String = error.message.chars().take(200).collect();
                tracing::warn!(?id, from, object = %error.object_interface, message = %message,
                    "client broke the protocol and was disconnected");
            }
        }
    }
}

/// Where a client comes from. A client that was not inserted by us (there is none) counts as one
/// of no privilege that is still shown as local.
pub fn origin_of(client: &Client) -> ClientOrigin {
    client.get_data::<ClientState>().map_or(ClientOrigin::Local, |state| state.origin.clone())
}

/// How a protocol is offered to a client: to one of a domain by the domain's policy; to a local one
/// whole, unless it is for the display domain's tools and the client is none.
pub fn offer_to(client: &Client, interface: &str) -> Offer {
    match client.get_data::<ClientState>().map(|state| &state.origin) {
        Some(ClientOrigin::Domain(domain)) => domain.offer(interface),
        Some(ClientOrigin::Local) | None => Offer::Whole,
    }
}

/// Whether a client is one of the display domain's own tools, which may see and steer what belongs
/// to others: the screen, the clipboard, the list of windows. No program of a guest ever is, nor one in
/// a sandbox.
pub fn is_trusted(client: &Client) -> bool {
    client
        .get_data::<ClientState>()
        .is_some_and(|state| state.origin == ClientOrigin::Local && !state.confined)
}

/// Whether the client of a surface is such a tool.
pub fn is_trusted_surface(surface: &WlSurface) -> bool {
    surface.client().is_some_and(|client| is_trusted(&client))
}

/// Where the client of a surface comes from, or `None` when the client is gone.
pub fn origin_of_surface(surface: &WlSurface) -> Option<ClientOrigin> {
    surface.client().map(|client| origin_of(&client))
}

/// All objects of one kind that a client has.
pub fn objects_of<R: Resource>(display: &DisplayHandle, client: &Client) -> Vec<R> {
    let mut found = Vec::new();
    // It fails for a client that has gone, which then has none.
    let _ = display.backend_handle().with_all_objects_for(client.id(), |object| {
        if object.interface().name == R::interface().name {
            found.push(object);
        }
    });
    found.into_iter().filter_map(|object| R::from_id(display, object).ok()).collect()
}

/// Those who count as one when something is taken from them: a guest could ask for it again with
/// another surface, or by another program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Party {
    /// All programs of a domain.
    Domain(Arc<Domain>),
    /// One local program.
    Program(ClientId),
}

/// Whose a surface is, or `None` when its client is gone.
pub fn party_of_surface(surface: &WlSurface) -> Option<Party> {
    let client = surface.client()?;
    Some(match origin_of(&client) {
        ClientOrigin::Domain(domain) => Party::Domain(domain),
        ClientOrigin::Local => Party::Program(client.id()),
    })
}
