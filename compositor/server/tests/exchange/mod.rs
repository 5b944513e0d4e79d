//! What all clients have in common that live in a test's own thread, with the compositor.

use std::{
    io::{ErrorKind, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use hyper_dmabuf_compositor::{
    backend::BackendKind, client::ClientOrigin, config::Config, server::Server,
};
use wayland_client::{
    Connection, EventQueue, Proxy,
    backend::{Backend, ObjectData, ObjectId, WaylandError, protocol::Message},
    protocol::{wl_callback::WlCallback, wl_display},
};

/// How long the compositor may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A compositor that is configured so.
pub(crate) fn compositor(config: &str) -> Server {
    Server::new(Config::from_toml(config).unwrap(), BackendKind::Headless).unwrap()
}

/// The origin of a configured domain.
pub(crate) fn domain(server: &Server, name: &str) -> ClientOrigin {
    ClientOrigin::Domain(server.state.domains.by_name(name).unwrap().domain.clone())
}

/// A connection of its own to the compositor, for a client from there.
pub(crate) fn connect(server: &mut Server, origin: ClientOrigin) -> UnixStream {
    let (ours, theirs) = UnixStream::pair().unwrap();
    server.insert_client(theirs, origin).unwrap();
    ours
}

/// Memory with these bytes in it, and its size.
pub(crate) fn memory(bytes: &[u8]) -> (OwnedFd, i32) {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    (file.into(), bytes.len() as i32)
}

/// The error that ended a connection: its interface and number.
pub(crate) fn protocol_error(connection: &Connection) -> Option<(String, u32)> {
    connection.protocol_error().map(|error| (error.object_interface, error.code))
}

/// Becomes true when the compositor has answered.
#[derive(Default)]
struct Answered(AtomicBool);

impl ObjectData for Answered {
    fn event(
        self: Arc<Self>,
        _: &Backend,
        _: Message<ObjectId, OwnedFd>,
    ) -> Option<Arc<dyn ObjectData>> {
        self.0.store(true, Ordering::Relaxed);
        None
    }

    fn destroyed(&self, _: ObjectId) {}
}

/// Exchange messages until the compositor has answered twice: the first answer may still have brought
/// something to reply to.
pub(crate) fn roundtrip<T>(
    connection: &Connection,
    queue: &mut EventQueue<T>,
    told: &mut T,
    server: &mut Server,
) {
    for _ in 0..2 {
        let answered = Arc::new(Answered::default());
        let sync = wl_display::Request::Sync {};
        let asked = connection.display().send_constructor::<WlCallback>(sync, answered.clone());
        if asked.is_err() {
            return;
        }
        let start = Instant::now();
        while !answered.0.load(Ordering::Relaxed) && connection.protocol_error().is_none() {
            let _ = connection.flush();
            server.dispatch(Some(Duration::from_millis(1))).unwrap();
            if let Some(guard) = queue.prepare_read() {
                match guard.read() {
                    Err(WaylandError::Io(error)) if error.kind() != ErrorKind::WouldBlock => return,
                    _ => {}
                }
            }
            let _ = queue.dispatch_pending(told);
            assert!(start.elapsed() < PATIENCE, "the compositor does not answer");
        }
    }
}
