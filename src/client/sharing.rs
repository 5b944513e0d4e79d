//! `hyper_dmabuf_manager_v1` and all that was exported with it, on an event queue of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper_dmabuf_protocol::client::hyper_dmabuf_manager_v1::{
    self as manager, Capability, HyperDmabufManagerV1,
};
use hyper_dmabuf_protocol::client::hyper_dmabuf_v1::{self as buffer, HyperDmabufV1};
use wayland_client::globals::{GlobalListContents, registry_queue_init};
use wayland_client::protocol::wl_buffer::{self, WlBuffer};
use wayland_client::protocol::wl_registry::{self, WlRegistry};
use wayland_client::protocol::wl_shm_pool::WlShmPool;
use wayland_client::{
    Connection, Dispatch, DispatchError, EventQueue, QueueHandle, WEnum, delegate_noop,
};

use crate::domain::DomainId;
use crate::export::{Counts, Exporter};
use crate::hypervisor::SharedMemory;
use crate::id::{HyperDmabufId, IdPool};
use crate::offer::DEFAULT_METADATA_LIMIT;

/// Exports memory to the display domain. Clones share it.
#[derive(Clone, Debug)]
pub struct Sharing {
    inner: Arc<Mutex<Inner>>,
}

/// Why memory cannot be shared over a connection.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The compositor does not have the protocol.
    #[error("the compositor does not offer hyper_dmabuf_manager_v1 to this client")]
    NotOffered,
    /// It does, but not what is needed.
    #[error("the compositor does not let this client share memory: {0} is not served")]
    NotServed(&'static str),
    /// The compositor gave a domain a number that no domain has.
    #[error("the compositor says that there is a domain {0}")]
    Domain(u32),
    /// The connection is gone.
    #[error("the connection to the compositor is gone")]
    Connection(#[from] DispatchError),
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) connection: Connection,
    pub(super) manager: HyperDmabufManagerV1,
    pub(super) memory: SharedMemory,
    queue: EventQueue<State>,
    pub(super) state: State,
}

/// What the events have told.
#[derive(Debug)]
pub(super) struct State {
    /// Made when the compositor has said who is who.
    exporter: Option<Exporter<SharedMemory>>,
    own: Option<u32>,
    display: Option<u32>,
    metadata_limit: u32,
    capabilities: Capability,
    done: bool,
    pub(super) exports: HashMap<HyperDmabufId, Answer>,
    pub(super) busy: HashMap<BufferKey, bool>,
    next_buffer: u64,
    pub(super) bytes_copied: u64,
}

/// What the display domain answered to an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Awaited,
    Ready,
    Failed(String),
}

/// Names a `wl_buffer` of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct BufferKey(u64);

impl Sharing {
    pub(super) fn bind(
        connection: &Connection,
        memory: &SharedMemory,
        introduced: bool,
    ) -> Result<Sharing, BindError> {
        let (globals, mut queue) =
            registry_queue_init::<State>(connection).map_err(|error| match error {
                wayland_client::globals::GlobalError::Backend(error) => {
                    BindError::Connection(error.into())
                }
                wayland_client::globals::GlobalError::InvalidId(_) => BindError::NotOffered,
            })?;
        let manager: HyperDmabufManagerV1 =
            globals.bind(&queue.handle(), 1..=1, ()).map_err(|_| BindError::NotOffered)?;
        let mut state = State {
            exporter: None,
            own: None,
            display: None,
            metadata_limit: DEFAULT_METADATA_LIMIT,
            capabilities: Capability::empty(),
            done: false,
            exports: HashMap::new(),
            busy: HashMap::new(),
            next_buffer: 0,
            bytes_copied: 0,
        };
        queue.roundtrip(&mut state)?;
        if !state.done || !state.capabilities.contains(Capability::Export | Capability::Pool) {
            return Err(BindError::NotServed("export"));
        }
        if !introduced {
            if !state.capabilities.contains(Capability::AttachMemory) {
                return Err(BindError::NotServed("attach_memory"));
            }
            if let Some(introduction) = memory.introduction() {
                manager.attach_memory(introduction);
            }
        }
        let domain = |number: Option<u32>| {
            let number = number.unwrap_or(u32::MAX);
            let known = u16::try_from(number).ok().and_then(DomainId::new);
            known.ok_or(BindError::Domain(number))
        };
        let (own, display) = (domain(state.own)?, domain(state.display)?);
        let exporter =
            Exporter::new(memory.clone(), IdPool::new(own), display, state.metadata_limit);
        state.exporter = Some(exporter);
        let (connection, memory) = (connection.clone(), memory.clone());
        let inner = Inner { connection, manager, memory, queue, state };
        Ok(Sharing { inner: Arc::new(Mutex::new(inner)) })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        // Consistent at every step, so a panic elsewhere does not spoil it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Handles what has arrived, without reading or waiting. The methods that need to know do it
    /// themselves.
    ///
    /// # Errors
    /// The connection is gone; with it everything that was exported.
    pub fn dispatch_pending(&self) -> Result<(), DispatchError> {
        self.lock().dispatch_pending()
    }

    /// Waits until the display domain has answered everything sent so far.
    ///
    /// # Errors
    /// The connection is gone; with it everything that was exported.
    pub fn roundtrip(&self) -> Result<(), DispatchError> {
        let mut inner = self.lock();
        let Inner { queue, state, .. } = &mut *inner;
        let result = queue.roundtrip(state).map(drop);
        inner.check(result)
    }

    /// Waits until the display domain has released all that was unexported, as a program does that
    /// wants to leave nothing behind.
    ///
    /// # Errors
    /// The connection is gone; with it everything that was exported.
    pub fn wait_released(&self) -> Result<(), DispatchError> {
        let mut inner = self.lock();
        inner.dispatch_pending()?;
        while inner.state.exporter().is_some_and(|exporter| exporter.counts().unexported > 0) {
            let Inner { queue, state, .. } = &mut *inner;
            let result = queue.blocking_dispatch(state).map(drop);
            inner.check(result)?;
        }
        Ok(())
    }

    /// What is exported now.
    pub fn counts(&self) -> Counts {
        self.lock().state.exporter().map_or_else(Counts::default, |exporter| exporter.counts())
    }

    /// Granted pages now, those of directories included.
    pub fn granted_pages(&self) -> usize {
        self.lock().memory.granted_pages()
    }

    /// Bytes that this library has copied for the program: only
    /// [`Frame::repeat_last`](super::Frame::repeat_last) does.
    pub fn bytes_copied(&self) -> u64 {
        self.lock().state.bytes_copied
    }
}

impl Inner {
    pub(super) fn dispatch_pending(&mut self) -> Result<(), DispatchError> {
        let result = self.queue.dispatch_pending(&mut self.state).map(drop);
        // Nothing is read here, so a connection that is gone has to be asked about.
        let result = match self.connection.backend().last_error() {
            Some(error) => Err(DispatchError::Backend(error)),
            None => result,
        };
        self.check(result)
    }

    pub(super) fn handle(&self) -> QueueHandle<State> {
        self.queue.handle()
    }

    fn check(&mut self, result: Result<(), DispatchError>) -> Result<(), DispatchError> {
        if result.is_err()
            && let Some(exporter) = self.state.exporter()
        {
            exporter.peer_gone();
        }
        result
    }
}

impl State {
    pub(super) fn exporter(&mut self) -> Option<&mut Exporter<SharedMemory>> {
        self.exporter.as_mut()
    }

    pub(super) fn new_buffer(&mut self) -> BufferKey {
        self.next_buffer += 1;
        let key = BufferKey(self.next_buffer);
        self.busy.insert(key, false);
        key
    }
}

impl Dispatch<WlRegistry, GlobalListContents> for State {
    fn event(
        _: &mut Self,
        _: &WlRegistry,
        _: wl_registry::Event,
        _: &GlobalListContents,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
    }
}

impl Dispatch<HyperDmabufManagerV1, ()> for State {
    fn event(
        state: &mut Self,
        _: &HyperDmabufManagerV1,
        event: manager::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        match event {
            manager::Event::Domain { own, display } => {
                (state.own, state.display) = (Some(own), Some(display));
            }
            manager::Event::Limits { metadata, .. } => state.metadata_limit = metadata,
            manager::Event::Capabilities { capabilities } => {
                state.capabilities = match capabilities {
                    WEnum::Value(capabilities) => capabilities,
                    // Of a later version: what is known of it counts.
                    WEnum::Unknown(bits) => Capability::from_bits_truncate(bits),
                };
            }
            manager::Event::Done => state.done = true,
            _ => {}
        }
    }
}

impl Dispatch<HyperDmabufV1, HyperDmabufId> for State {
    fn event(
        state: &mut Self,
        object: &HyperDmabufV1,
        event: buffer::Event,
        id: &HyperDmabufId,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        match event {
            buffer::Event::Ready { .. } => {
                state.exports.insert(*id, Answer::Ready);
            }
            buffer::Event::Failed { message, .. } => {
                tracing::warn!(%id, %message, "the display domain does not show a buffer");
                state.exports.insert(*id, Answer::Failed(message));
            }
            buffer::Event::Released => {
                state.exports.remove(id);
                object.destroy();
                if let Some(Err(error)) = state.exporter().map(|exporter| exporter.released(id)) {
                    tracing::error!(%error, "released twice");
                }
            }
            _ => {}
        }
    }
}

impl Dispatch<WlBuffer, BufferKey> for State {
    fn event(
        state: &mut Self,
        _: &WlBuffer,
        event: wl_buffer::Event,
        key: &BufferKey,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let wl_buffer::Event::Release = event
            && let Some(busy) = state.busy.get_mut(key)
        {
            *busy = false;
        }
    }
}

delegate_noop!(State: WlShmPool);
