//! A socket for each domain, and what comes there before the link begins.

use std::{cell::Cell, io, path::PathBuf, rc::Rc, sync::Arc, time::Duration};

use hyper_dmabuf::{
    domain::DomainId,
    hypervisor::shm::{Arrival, Introduction, Listener},
};
use smithay::reexports::calloop::{
    Interest, LoopHandle, Mode, PostAction, RegistrationToken,
    generic::Generic,
    timer::{TimeoutAction, Timer},
};

use super::{discovery::BeginError, links::Connection};
use crate::{
    domain::{Domain, DomainAddress},
    state::State,
};

/// The most connections of one domain, those included that have not brought their memory yet. Each
/// costs the display domain a few descriptors.
pub(super) const MOST_CONNECTIONS: usize = 64;

/// How long a listener rests that could not accept.
const PAUSE: Duration = Duration::from_secs(1);

/// Why a domain cannot be awaited.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Its socket cannot be made.
    #[error("cannot listen for domain {domain} at {}: {cause}", path.display())]
    Socket {
        /// The domain's name.
        domain: String,
        /// The socket.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The hypervisor's domains cannot be found.
    #[error("cannot look for domains of Xen: {0}")]
    Discovery(#[from] BeginError),
}

impl State {
    /// Await each domain where the configuration says that it is reached.
    pub fn listen_for_domains(&mut self) -> Result<(), ListenError> {
        let awaited: Vec<_> = self
            .domains
            .iter()
            .filter_map(|known| Some((Arc::clone(&known.domain), known.address.clone()?)))
            .collect();
        for (domain, address) in awaited {
            self.await_domain(domain, address)?;
        }
        self.discover_domains()?;
        Ok(())
    }

    /// Await a domain where it is reached, if that needs no hypervisor.
    pub(super) fn await_domain(
        &mut self,
        domain: Arc<Domain>,
        address: DomainAddress,
    ) -> Result<(), ListenError> {
        let DomainAddress::Shm(path) = address else { return Ok(()) };
        let (id, name) = (domain.id, domain.name.clone());
        let listener = listen(&self.loop_handle, domain, &path)
            .map_err(|cause| ListenError::Socket { domain: name, path, cause })?;
        self.guests.listeners.insert(id, listener);
        Ok(())
    }
}

fn listen(
    loop_handle: &LoopHandle<'static, State>,
    domain: Arc<Domain>,
    path: &std::path::Path,
) -> io::Result<RegistrationToken> {
    let listener = Listener::bind(path)?;
    tracing::info!(domain = %domain.name, path = %path.display(), "awaiting a domain");
    let source = Generic::new(listener, Interest::READ, Mode::Level);
    let itself = Rc::new(Cell::new(None));
    let token = Rc::clone(&itself);
    let inserted = loop_handle.insert_source(source, move |_, listener, state| {
        match listener.accept() {
            Ok(Some(arrival)) => state.arrived(&domain, arrival),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(domain = %domain.name, %error, "cannot accept; trying again soon");
                if token.get().is_some_and(|token| state.look_again(token)) {
                    return Ok(PostAction::Disable);
                }
            }
        }
        Ok(PostAction::Continue)
    });
    let inserted = inserted.map_err(|error| io::Error::other(error.to_string()))?;
    itself.set(Some(inserted));
    Ok(inserted)
}

impl State {
    /// Look at a listener again after a pause. The connection that could not be accepted, for want of
    /// descriptors most likely, still waits: without a pause the loop would turn for nothing else.
    fn look_again(&mut self, listener: RegistrationToken) -> bool {
        let timer =
            self.loop_handle.insert_source(Timer::from_duration(PAUSE), move |_, (), state| {
                if let Err(error) = state.loop_handle.enable(&listener) {
                    tracing::error!(%error, "a domain is not awaited any more");
                }
                TimeoutAction::Drop
            });
        timer.is_ok()
    }
}

impl State {
    fn arrived(&mut self, domain: &Arc<Domain>, arrival: Arrival) {
        if self.guests.connections(domain.id) >= MOST_CONNECTIONS {
            tracing::warn!(domain = %domain.name, "too many connections: refused one more");
            return;
        }
        match self.await_introduction(Arc::clone(domain), arrival) {
            Ok(()) => self.guests.arrival_begun(domain.id),
            Err(error) => tracing::warn!(domain = %domain.name, %error, "cannot await a domain"),
        }
    }

    /// Look at the connection whenever something has come, until the memory has.
    fn await_introduction(&mut self, domain: Arc<Domain>, arrival: Arrival) -> io::Result<()> {
        let source = Generic::new(arrival, Interest::READ, Mode::Level);
        let inserted: Result<RegistrationToken, _> =
            self.loop_handle.insert_source(source, move |_, arrival, state| {
                match arrival.introduction(domain.id, DomainId::DISPLAY) {
                    Ok(Introduction::Pending) => return Ok(PostAction::Continue),
                    Ok(Introduction::Done(memory, socket)) => {
                        let memory = Arc::new(memory);
                        let connection = Connection { transport: socket, memory, offer: None };
                        state.begin_link(&domain, connection);
                    }
                    Err(error) => {
                        tracing::warn!(domain = %domain.name, %error, "refused a connection");
                    }
                }
                state.guests.arrival_ended(domain.id);
                Ok(PostAction::Remove)
            });
        inserted.map(drop).map_err(|error| io::Error::other(error.to_string()))
    }
}
