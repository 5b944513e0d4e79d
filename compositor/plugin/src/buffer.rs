//! `hyper_dmabuf_v1`: one client's view of one buffer.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper_dmabuf::domain::DomainId;
use hyper_dmabuf::grant::Access;
use hyper_dmabuf::id::HyperDmabufId;
use hyper_dmabuf::import::Import;
use hyper_dmabuf_protocol::server::hyper_dmabuf_manager_v1::Flag;
use hyper_dmabuf_protocol::server::hyper_dmabuf_v1::{
    self as protocol, Error, Failure, HyperDmabufV1,
};
use smithay::backend::allocator::dmabuf::Dmabuf;
use smithay::reexports::calloop::RegistrationToken;
use smithay::reexports::calloop::timer::{TimeoutAction, Timer};
use smithay::reexports::wayland_protocols::wp::linux_dmabuf::zv1::server::zwp_linux_buffer_params_v1::ZwpLinuxBufferParamsV1;
use smithay::reexports::wayland_server::backend::ClientId;
use smithay::reexports::wayland_server::protocol::wl_buffer::WlBuffer;
use smithay::reexports::wayland_server::protocol::wl_shm::WlShm;
use smithay::reexports::wayland_server::protocol::wl_shm_pool::WlShmPool;
use smithay::reexports::wayland_server::{
    Client, DataInit, Dispatch, DisplayHandle, Resource,
};
use smithay::wayland::buffer::BufferHandler;
use smithay::wayland::dmabuf::{DmabufHandler, DmabufParamsData};
use smithay::wayland::shm::{ShmBufferUserData, ShmHandler, ShmPoolUserData};

use crate::pool::PoolKey;
use crate::{HyperDmabufHandler, HyperDmabufState, plane, pool};

/// What a `hyper_dmabuf_v1` stands for.
#[derive(Debug)]
pub struct BufferUserData {
    role: Role,
    domain: DomainId,
    id: HyperDmabufId,
    life: Mutex<Life>,
    /// The pool that was made of it last.
    pool: Mutex<Option<PoolKey>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Exporter,
    Importer,
}

/// Where in its life the buffer is, for this object.
#[derive(Debug)]
enum Life {
    /// Not answered yet, or never a buffer.
    Failed,
    /// In use by this object.
    Live(Import),
    /// To be unexported by a timer.
    Leaving(Import, RegistrationToken),
    /// Not in use by this object any more; perhaps by others.
    Unexported,
    /// All is said.
    Released,
}

impl BufferUserData {
    pub(crate) fn new(role: Role, domain: DomainId, words: [u32; 4]) -> Self {
        BufferUserData {
            role,
            domain,
            id: HyperDmabufId::from_words(words),
            life: Mutex::new(Life::Failed),
            pool: Mutex::new(None),
        }
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on to another life. The lock is not held any more when this returns, as it would be in
    /// the arms of a `match` on `life()`.
    fn replace_life(&self, next: Life) -> Life {
        std::mem::replace(&mut *self.life(), next)
    }

    fn pool(&self) -> MutexGuard<'_, Option<PoolKey>> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The import, while this object uses it.
    fn import(&self) -> Option<Import> {
        match &*self.life() {
            Life::Live(import) | Life::Leaving(import, _) => Some(import.clone()),
            Life::Failed | Life::Unexported | Life::Released => None,
        }
    }

    fn state(&self) -> protocol::State {
        match &*self.life() {
            Life::Failed => protocol::State::Failed,
            Life::Live(_) => protocol::State::Exported,
            Life::Leaving(..) => protocol::State::UnexportScheduled,
            Life::Unexported | Life::Released => protocol::State::Unexported,
        }
    }

    /// The state, for reports.
    pub(crate) fn exporter_state(&self) -> Option<protocol::State> {
        (self.role == Role::Exporter).then(|| self.state())
    }
}

/// The buffer is there.
pub(crate) fn ready(object: &HyperDmabufV1, import: Import) {
    let Some(data) = object.data::<BufferUserData>() else { return };
    let flags = match import.access() {
        Access::ReadOnly => Flag::empty(),
        Access::ReadWrite => Flag::Writable,
    };
    object.ready(import.length(), flags);
    if data.role == Role::Importer {
        object.metadata(import.metadata());
    }
    *data.life() = Life::Live(import);
}

/// There is no buffer, and the client may live on.
pub(crate) fn failed(object: &HyperDmabufV1, reason: Failure, message: &str) {
    object.failed(reason, message.to_owned());
}

/// Nobody uses the buffer any more. Returns whether this object was told so, or will never be.
pub(crate) fn released(object: &HyperDmabufV1) -> bool {
    let Some(data) = object.data::<BufferUserData>() else { return true };
    if data.role == Role::Exporter && matches!(*data.life(), Life::Unexported) {
        *data.life() = Life::Released;
        object.released();
    }
    true
}

impl<D> Dispatch<HyperDmabufV1, BufferUserData, D> for HyperDmabufState
where
    D: Dispatch<HyperDmabufV1, BufferUserData>
        + Dispatch<WlShm, ()>
        + Dispatch<WlShmPool, ShmPoolUserData>
        + Dispatch<WlBuffer, ShmBufferUserData>
        + Dispatch<WlBuffer, Dmabuf>
        + Dispatch<ZwpLinuxBufferParamsV1, DmabufParamsData>
        + ShmHandler
        + BufferHandler
        + DmabufHandler
        + HyperDmabufHandler,
{
    fn request(
        state: &mut D,
        client: &Client,
        object: &HyperDmabufV1,
        request: protocol::Request,
        data: &BufferUserData,
        display: &DisplayHandle,
        data_init: &mut DataInit<'_, D>,
    ) {
        match request {
            protocol::Request::CreatePool { id } => {
                if matches!(*data.life(), Life::Unexported | Life::Released) {
                    object.post_error(
                        Error::Unexported,
                        "the buffer is unexported: it makes no pools",
                    );
                    return;
                }
                let made = *data.pool();
                if made.is_some_and(|pool| state.hyper_dmabuf_state().pools.has_object(pool)) {
                    object
                        .post_error(Error::PoolExists, "destroy the buffer's pool to make another");
                    return;
                }
                let content = match (data.import(), state.origin(client)) {
                    (Some(import), Some(origin)) => Some((import, origin.show)),
                    _ => None,
                };
                let pool = pool::create(state, client, object, content, id, display, data_init);
                *data.pool() = pool;
            }
            protocol::Request::AddPlane {
                params,
                plane_idx,
                offset,
                stride,
                modifier_hi,
                modifier_lo,
            } => {
                let layout = plane::Layout { plane_idx, offset, stride, modifier_hi, modifier_lo };
                let import = data.import();
                plane::add(state, client, object, import, &params, layout, display, data_init);
            }
            protocol::Request::SetMetadata { metadata } => {
                set_metadata(state.hyper_dmabuf_state(), object, data, metadata);
            }
            protocol::Request::Unexport { delay } => unexport(state, object, data, delay),
            protocol::Request::Query => query(state.hyper_dmabuf_state(), object, data),
            protocol::Request::GetFd => object.post_error(
                Error::Unsupported,
                "get_fd is not served by this version: see the capabilities event",
            ),
            protocol::Request::Destroy => {}
            _ => object.post_error(Error::Unsupported, "unknown request"),
        }
    }

    fn destroyed(state: &mut D, _client: ClientId, object: &HyperDmabufV1, data: &BufferUserData) {
        if let Life::Leaving(_, timer) = &*data.life() {
            state.loop_handle().remove(*timer);
        }
        let this = state.hyper_dmabuf_state();
        if data.role == Role::Exporter {
            this.end_export(object, data);
        }
        *data.life() = Life::Released;
        let key = (data.domain, data.id);
        if let Some(objects) = this.objects.get_mut(&key) {
            objects.remove(&object.id());
            if objects.is_empty() {
                this.objects.remove(&key);
            }
        }
    }
}

fn set_metadata(
    this: &HyperDmabufState,
    object: &HyperDmabufV1,
    data: &BufferUserData,
    metadata: Vec<u8>,
) {
    if data.role != Role::Exporter {
        object.post_error(Error::NotExporter, "only the exporter may set metadata");
        return;
    }
    if matches!(*data.life(), Life::Unexported | Life::Released) {
        object.post_error(Error::Unexported, "the buffer is unexported: it keeps its metadata");
        return;
    }
    // One that failed has nobody who could be told.
    let Some(import) = data.import() else { return };
    if let Err(error) = this.importer.set_metadata(&import, metadata.clone()) {
        object.post_error(Error::MetadataTooLarge, error.to_string());
        return;
    }
    for other in this.objects.get(&(data.domain, data.id)).into_iter().flat_map(HashMap::values) {
        other.metadata(metadata.clone());
    }
}

fn unexport<D: HyperDmabufHandler>(
    state: &mut D,
    object: &HyperDmabufV1,
    data: &BufferUserData,
    delay: u32,
) {
    if data.role != Role::Exporter {
        object.post_error(Error::NotExporter, "only the exporter may unexport a buffer");
        return;
    }
    if let Life::Leaving(_, timer) = &*data.life() {
        state.loop_handle().remove(*timer);
    }
    let import = match data.replace_life(Life::Unexported) {
        Life::Failed => {
            *data.life() = Life::Released;
            object.unexported();
            object.released();
            return;
        }
        Life::Live(import) | Life::Leaving(import, _) => import,
        // Asked for again, after the fact.
        other @ (Life::Unexported | Life::Released) => {
            *data.life() = other;
            return;
        }
    };
    if delay > 0 {
        let timer = Timer::from_duration(Duration::from_millis(delay.into()));
        let target = object.downgrade();
        let registered = state.loop_handle().insert_source(timer, move |_, (), state: &mut D| {
            if let Ok(object) = target.upgrade()
                && let Some(data) = object.data::<BufferUserData>()
            {
                let this = state.hyper_dmabuf_state();
                this.end_export(&object, data);
                // The loop may have nothing else to do that would bring a refresh.
                this.refresh();
            }
            TimeoutAction::Drop
        });
        match registered {
            Ok(timer) => {
                *data.life() = Life::Leaving(import, timer);
                return;
            }
            Err(error) => tracing::error!(%error, "cannot set a timer: unexporting at once"),
        }
    }
    *data.life() = Life::Live(import);
    state.hyper_dmabuf_state().end_export(object, data);
}

fn query(this: &HyperDmabufState, object: &HyperDmabufV1, data: &BufferUserData) {
    let import = data.import();
    // The import in hand is no use of its own.
    let users = import.as_ref().map_or(0, |import| import.users().saturating_sub(1));
    object.info(
        data.domain.number().into(),
        this.us.number().into(),
        import.as_ref().map_or(0, Import::length),
        data.state(),
        users as u32,
        import.as_ref().map_or(0, |import| import.metadata().len() as u32),
    );
}

impl HyperDmabufState {
    /// The exporter's buffer can be opened no more: everybody who has it is told, and the
    /// exporter's own use ends.
    fn end_export(&mut self, object: &HyperDmabufV1, data: &BufferUserData) {
        let import = match data.replace_life(Life::Unexported) {
            Life::Live(import) | Life::Leaving(import, _) => import,
            other @ (Life::Failed | Life::Unexported | Life::Released) => {
                *data.life() = other;
                return;
            }
        };
        self.importer.unexport(&import);
        drop(import);
        if object.is_alive() {
            object.unexported();
        }
        for other in self.objects.get(&(data.domain, data.id)).into_iter().flat_map(HashMap::values)
        {
            if other.id() != object.id() {
                other.unexported();
            }
        }
    }
}
