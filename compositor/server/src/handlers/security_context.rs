//! `wp_security_context_manager_v1`: a local tool that confines programs gives them a socket of their
//! own. Who comes by it is local, but not trusted.

use std::{io, os::unix::net::UnixStream, sync::Arc};

use smithay::{
    delegate_security_context,
    reexports::calloop::{EventSource, Poll, PostAction, Readiness, Token, TokenFactory},
    wayland::security_context::{
        SecurityContext, SecurityContextHandler, SecurityContextListenerSource,
    },
};

use crate::{
    client::{ClientOrigin, ClientState},
    state::State,
};

impl SecurityContextHandler for State {
    fn context_created(&mut self, source: SecurityContextListenerSource, context: SecurityContext) {
        tracing::info!(engine = ?context.sandbox_engine, app = ?context.app_id, "a sandbox has a socket");
        let inserted = self.loop_handle.insert_source(Listener(source), |stream, (), state| {
            let data = Arc::new(ClientState::new(ClientOrigin::Local, None).confined());
            if let Err(error) = state.display_handle.insert_client(stream, data) {
                tracing::warn!(%error, "a client could not be let in");
            }
        });
        if let Err(error) = inserted {
            tracing::warn!(%error, "nobody can connect to a sandbox's socket");
        }
    }
}

delegate_security_context!(State);

/// A listener whose failure is its own: what goes wrong in Smithay's would end the event loop.
struct Listener(SecurityContextListenerSource);

impl EventSource for Listener {
    type Event = UnixStream;
    type Metadata = ();
    type Ret = ();
    type Error = io::Error;

    fn process_events<F: FnMut(UnixStream, &mut ())>(
        &mut self,
        readiness: Readiness,
        token: Token,
        callback: F,
    ) -> io::Result<PostAction> {
        self.0.process_events(readiness, token, callback).or_else(|error| {
            tracing::warn!(%error, "nobody can connect to a sandbox's socket any more");
            Ok(PostAction::Remove)
        })
    }

    fn register(
        &mut self,
        poll: &mut Poll,
        factory: &mut TokenFactory,
    ) -> smithay::reexports::calloop::Result<()> {
        self.0.register(poll, factory)
    }

    fn reregister(
        &mut self,
        poll: &mut Poll,
        factory: &mut TokenFactory,
    ) -> smithay::reexports::calloop::Result<()> {
        self.0.reregister(poll, factory)
    }

    fn unregister(&mut self, poll: &mut Poll) -> smithay::reexports::calloop::Result<()> {
        self.0.unregister(poll)
    }
}
