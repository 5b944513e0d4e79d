//! `hyper_dmabuf_manager_v1`: exports and imports.

use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use hyper_dmabuf::grant::{Access, ForeignMemory, GrantRef};
use hyper_dmabuf::hypervisor::shm::ForeignDomain;
use hyper_dmabuf::id::HyperDmabufId;
use hyper_dmabuf::import::{Import, ImportError};
use hyper_dmabuf::offer::Offer;
use hyper_dmabuf_protocol::server::hyper_dmabuf_manager_v1::{
    self as manager, Capability, Flag, HyperDmabufManagerV1,
};
use hyper_dmabuf_protocol::server::hyper_dmabuf_v1::{Failure, HyperDmabufV1};
use smithay::reexports::wayland_server::{
    Client, DataInit, Dispatch, DisplayHandle, GlobalDispatch, New, Resource, WEnum,
};

use crate::buffer::{self, BufferUserData, Role};
use crate::{HyperDmabufHandler, HyperDmabufState, Origin};

/// Who sees the global.
pub struct GlobalData {
    filter: Box<dyn Fn(&Client) -> bool + Send + Sync>,
}

impl GlobalData {
    pub(crate) fn new(filter: impl Fn(&Client) -> bool + Send + Sync + 'static) -> Self {
        GlobalData { filter: Box::new(filter) }
    }
}

impl fmt::Debug for GlobalData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GlobalData").finish_non_exhaustive()
    }
}

/// What a `hyper_dmabuf_manager_v1` stands for.
#[derive(Debug, Default)]
pub struct ManagerUserData {
    /// What a local client attached to it.
    attached: Mutex<Option<Arc<dyn ForeignMemory>>>,
}

impl ManagerUserData {
    /// The memory that exports refer to.
    fn memory(&self, origin: &Origin) -> Option<Arc<dyn ForeignMemory>> {
        let attached = || self.attached.lock().unwrap_or_else(PoisonError::into_inner).clone();
        origin.memory.clone().or_else(attached)
    }

    fn attach(&self, memory: ForeignDomain) {
        let mut attached = self.attached.lock().unwrap_or_else(PoisonError::into_inner);
        *attached = Some(Arc::new(memory));
    }
}

impl<D> GlobalDispatch<HyperDmabufManagerV1, GlobalData, D> for HyperDmabufState
where
    D: Dispatch<HyperDmabufManagerV1, ManagerUserData> + HyperDmabufHandler,
{
    fn bind(
        state: &mut D,
        _display: &DisplayHandle,
        client: &Client,
        resource: New<HyperDmabufManagerV1>,
        _data: &GlobalData,
        data_init: &mut DataInit<'_, D>,
    ) {
        let manager = data_init.init(resource, ManagerUserData::default());
        let Some(origin) = state.origin(client) else { return };
        let this = state.hyper_dmabuf_state();
        this.importer.allow(origin.domain, origin.limits);
        manager.domain(origin.domain.number().into(), this.us.number().into());
        let limits = origin.limits;
        manager.limits(limits.buffers, limits.pages, limits.pages_per_buffer, limits.metadata);
        manager.capabilities(capabilities(&origin));
        manager.done();
    }

    fn can_view(client: Client, data: &GlobalData) -> bool {
        (data.filter)(&client)
    }
}

fn capabilities(origin: &Origin) -> Capability {
    let mut served = Capability::Export | Capability::Import | Capability::Pool;
    match &origin.memory {
        None => served |= Capability::AttachMemory,
        Some(memory) if memory.maps_as_dmabuf() => served |= Capability::Plane,
        Some(_) => {}
    }
    served
}

impl<D> Dispatch<HyperDmabufManagerV1, ManagerUserData, D> for HyperDmabufState
where
    D: Dispatch<HyperDmabufManagerV1, ManagerUserData>
        + Dispatch<HyperDmabufV1, BufferUserData>
        + HyperDmabufHandler,
{
    fn request(
        state: &mut D,
        client: &Client,
        manager: &HyperDmabufManagerV1,
        request: manager::Request,
        data: &ManagerUserData,
        _display: &DisplayHandle,
        data_init: &mut DataInit<'_, D>,
    ) {
        let Some(origin) = state.origin(client) else {
            manager.post_error(manager::Error::Unsupported, "this client shares no buffers");
            return;
        };
        let this = state.hyper_dmabuf_state();
        match request {
            manager::Request::Export {
                id,
                handle,
                key_0,
                key_1,
                key_2,
                pages,
                root,
                offset,
                length,
                flags,
                metadata,
            } => {
                let words = [handle, key_0, key_1, key_2];
                let buffer = BufferUserData::new(Role::Exporter, origin.domain, words);
                let object = data_init.init(id, buffer);
                let Some(access) = access(flags) else {
                    manager.post_error(manager::Error::InvalidFlags, "an undefined flag is set");
                    return;
                };
                let Some(memory) = data.memory(&origin) else {
                    manager.post_error(
                        manager::Error::NoMemory,
                        "attach_memory first: there is no memory that grant references refer to",
                    );
                    return;
                };
                let id = HyperDmabufId::from_words(words);
                let root = GrantRef(root);
                let offer = Offer { id, pages, root, offset, length, access, metadata };
                let result = this.importer.import(&*memory, offer);
                this.answer(manager, object, result);
            }
            manager::Request::Import { id, handle, key_0, key_1, key_2 } => {
                let words = [handle, key_0, key_1, key_2];
                let object =
                    data_init.init(id, BufferUserData::new(Role::Importer, origin.domain, words));
                let result = this.importer.open(origin.domain, HyperDmabufId::from_words(words));
                this.answer(manager, object, result);
            }
            manager::Request::AttachMemory { memory } => {
                this.attach_memory(manager, data, &origin, memory);
            }
            manager::Request::Watch { .. } => manager.post_error(
                manager::Error::Unsupported,
                "watch is not served by this version: see the capabilities event",
            ),
            manager::Request::Destroy => {}
            _ => manager.post_error(manager::Error::Unsupported, "unknown request"),
        }
    }
}

fn access(flags: WEnum<Flag>) -> Option<Access> {
    let WEnum::Value(flags) = flags else { return None };
    let writable = flags.contains(Flag::Writable);
    Some(if writable { Access::ReadWrite } else { Access::ReadOnly })
}

impl HyperDmabufState {
    fn attach_memory(
        &mut self,
        manager: &HyperDmabufManagerV1,
        data: &ManagerUserData,
        origin: &Origin,
        memory: OwnedFd,
    ) {
        if origin.memory.is_some() {
            manager.post_error(
                manager::Error::Unsupported,
                "attach_memory is for local clients: a link has introduced its memory already",
            );
            return;
        }
        match ForeignDomain::introduce(memory, origin.domain, self.us) {
            Ok(memory) => data.attach(memory),
            Err(error) => manager.post_error(manager::Error::InvalidMemory, error.to_string()),
        }
    }

    /// Answers an export or an import.
    fn answer(
        &mut self,
        manager: &HyperDmabufManagerV1,
        object: HyperDmabufV1,
        result: Result<Import, ImportError>,
    ) {
        match result {
            Ok(import) => {
                let key = (import.domain(), import.id());
                buffer::ready(&object, import);
                self.objects.entry(key).or_default().insert(object.id(), object);
            }
            Err(error) => match blame(&error) {
                Blame::Client(code) => {
                    tracing::warn!(client = ?object.client().map(|client| client.id()), %error, "refused a buffer");
                    manager.post_error(code, error.to_string());
                }
                Blame::Nobody(reason) => buffer::failed(&object, reason, &error.to_string()),
            },
        }
    }
}

/// Whether an error ends the client's connection.
enum Blame {
    Client(manager::Error),
    Nobody(Failure),
}

fn blame(error: &ImportError) -> Blame {
    use manager::Error;
    match error {
        ImportError::ForeignDomain { .. } => Blame::Client(Error::ForeignDomain),
        ImportError::Duplicate(_) => Blame::Client(Error::DuplicateId),
        ImportError::Unknown(_) => Blame::Client(Error::UnknownId),
        ImportError::Size { .. } | ImportError::TooManyPages { .. } => {
            Blame::Client(Error::InvalidSize)
        }
        ImportError::Metadata { .. } => Blame::Client(Error::MetadataTooLarge),
        ImportError::Directory(_) | ImportError::Map(_) if error.is_exporters_fault() => {
            Blame::Client(Error::InvalidDirectory)
        }
        ImportError::Directory(_) | ImportError::Map(_) => Blame::Nobody(Failure::Mapping),
        ImportError::Unexported(_) => Blame::Nobody(Failure::Unexported),
        ImportError::Limit { .. } => Blame::Nobody(Failure::Limit),
    }
}
