//! The name of an object that Smithay is about to make.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use smithay::reexports::wayland_server::backend::protocol::Message;
use smithay::reexports::wayland_server::backend::{ClientId, Handle, ObjectData, ObjectId};
use smithay::reexports::wayland_server::{DataInit, New, Resource};

use crate::HyperDmabufHandler;

/// What an object is until Smithay has said what it shall be: long enough to learn its name, which
/// Smithay keeps to itself. Stays only if Smithay refuses, when the client is about to go.
#[derive(Debug)]
pub(crate) struct Unfinished;

impl Unfinished {
    /// The name of an object that is about to be made, and the object to be made still.
    pub(crate) fn name<I, D>(new: New<I>, data_init: &mut DataInit<'_, D>) -> (New<I>, ObjectId)
    where
        I: Resource + 'static,
        D: HyperDmabufHandler,
    {
        let object = data_init.custom_init(new, Arc::new(Unfinished));
        let name = object.id();
        // `wrap` is hidden from the documentation, being for generated code: what is wrapped was
        // a new object a line above, and whoever initialises it replaces what we put there.
        (New::wrap(object), name)
    }
}

impl<D: HyperDmabufHandler> ObjectData<D> for Unfinished {
    fn request(
        self: Arc<Self>,
        _handle: &Handle,
        _state: &mut D,
        _client: ClientId,
        _message: Message<ObjectId, OwnedFd>,
    ) -> Option<Arc<dyn ObjectData<D>>> {
        None
    }

    fn destroyed(
        self: Arc<Self>,
        _handle: &Handle,
        state: &mut D,
        _client: ClientId,
        object: ObjectId,
    ) {
        state.hyper_dmabuf_state().pools.object_gone(&object, None);
    }
}
