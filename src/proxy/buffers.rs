//! When a buffer is shared, copied and taken back.

use hyper_dmabuf_protocol::client::__interfaces::{
    HYPER_DMABUF_MANAGER_V1_INTERFACE, HYPER_DMABUF_V1_INTERFACE,
};

use super::app::{App, Fault, display_error};
use super::buffer::{Buffer, Shared, Way};
use super::causes::with_causes;
use super::damage::Region;
use super::interfaces::opcode;
use super::objects::{AppId, Hidden, HostId, Role};
use super::sharing::{NotShared, Sharing};
use super::surface::Surface;
use super::wire::Message;
use crate::id::HyperDmabufId;
use crate::offer::CopiedByExporter;

/// `wl_shm.error.invalid_fd`.
const INVALID_FD: u32 = 2;

/// `wl_shm_pool.create_buffer` and `wl_shm_pool.destroy`, by their numbers.
const CREATE_BUFFER: u16 = 0;
const DESTROY_POOL: u16 = 1;

fn of_manager(object: HostId, name: &str) -> Message {
    Message::new(object.0, opcode(HYPER_DMABUF_MANAGER_V1_INTERFACE.requests, name))
}

fn of_export(object: HostId, name: &str) -> Message {
    Message::new(object.0, opcode(HYPER_DMABUF_V1_INTERFACE.requests, name))
}

impl App {
    pub(super) fn buffer_mut(&mut self, id: AppId) -> Option<&mut Buffer> {
        match &mut self.objects.get_mut(id)?.role {
            Role::Buffer(buffer) => Some(buffer),
            _ => None,
        }
    }

    pub(super) fn surface_mut(&mut self, id: AppId) -> Option<&mut Surface> {
        match &mut self.objects.get_mut(id)?.role {
            Role::Surface(surface) => Some(surface),
            _ => None,
        }
    }

    /// Makes a buffer known to the host: an export, a pool of it, and a buffer of the pool.
    pub(super) fn share_buffer(
        &mut self,
        id: AppId,
        sharing: &mut Sharing,
    ) -> Result<HostId, Fault> {
        let Some(manager) = self.manager else {
            let text =
                "the display domain does not offer hyper_dmabuf_manager_v1: nothing can be shown";
            return Err(Fault::display(display_error::IMPLEMENTATION, text));
        };
        let held = self.held;
        let Some(buffer) = self.buffer_mut(id) else {
            return Err(Fault::display(display_error::INVALID_OBJECT, "no buffer"));
        };
        let layout = buffer.layout;
        let exported = sharing.export(&buffer.content, layout, held).map_err(not_shared)?;
        let (offer, granted, begin) = (exported.offer, exported.granted, exported.begin);
        let way = if granted { Way::Granted } else { Way::NEW_SHADOW };
        buffer.shared = Some(Shared { id: offer.id, way });

        let export = self.objects.hide(Hidden::Export(offer.id));
        let pool = self.objects.hide(Hidden::Pool);
        let Some(host) = self.objects.place(id) else {
            return Err(Fault::display(display_error::INVALID_OBJECT, "no buffer"));
        };
        self.exports.insert(offer.id, export);
        self.held.add(offer.pages);
        let message = of_manager(manager, "export").uint(export.0);
        let message = offer.id.to_words().into_iter().fold(message, Message::uint);
        let message = message.uint(offer.pages).uint(offer.root.0).uint(offer.offset);
        self.tell_host(message.uint(offer.length).uint(0).array(&offer.metadata));
        self.tell_host(of_export(export, "create_pool").uint(pool.0));
        let message = Message::new(pool.0, CREATE_BUFFER).uint(host.0).int(begin);
        let message = message.int(layout.width).int(layout.height).int(layout.stride);
        self.tell_host(message.uint(layout.format));
        self.tell_host(Message::new(pool.0, DESTROY_POOL));

        let counter =
            if granted { &mut self.statistics.granted } else { &mut self.statistics.shadowed };
        *counter += 1;
        self.trace.note(|| {
            let way = if granted { "granted" } else { "shadowed" };
            format!("wl_buffer@{} is {way}: {} pages as {}", id.0, offer.pages, offer.id)
        });
        Ok(host)
    }

    /// The host shows a buffer no more; its pages come back when it says that it let go.
    pub(super) fn unshare(&mut self, id: &HyperDmabufId, sharing: &mut Sharing) {
        if let Some(export) = self.exports.get(id) {
            let message = of_export(*export, "unexport").uint(0);
            self.tell_host(message);
        }
        sharing.unexport(id);
    }

    /// The host let go of an export.
    pub(super) fn released(&mut self, id: &HyperDmabufId, sharing: &mut Sharing) {
        if let Some(export) = self.exports.remove(id) {
            self.tell_host(of_export(export, "destroy"));
            self.held.remove(sharing.released(id));
            self.trace.note(|| format!("{id} is released"));
        }
    }

    /// A surface's state becomes what it shows: what changed is copied first, where it must be.
    pub(super) fn commit(&mut self, id: AppId, sharing: &mut Sharing) -> Result<(), Fault> {
        let Some(surface) = self.surface_mut(id) else { return Ok(()) };
        let committed = surface.commit();
        for other in committed.others {
            if let Some(buffer) = self.buffer_mut(other) {
                buffer.changed(&committed.damage);
            }
        }
        for forgotten in committed.forgotten {
            if let Some(buffer) = self.buffer_mut(forgotten) {
                buffer.changed(&Region::All);
            }
        }
        let Some(shown) = committed.buffer else { return Ok(()) };
        let Some(buffer) = self.buffer_mut(shown) else { return Ok(()) };
        if buffer.last_surface.replace(id) != Some(id) {
            buffer.changed(&Region::All);
        }
        buffer.attached = false;
        buffer.changed(&committed.damage);
        self.statistics.frames += 1;
        self.copy_buffer(shown, sharing)
    }

    /// Brings a buffer's shadow up to date.
    pub(super) fn copy_buffer(&mut self, id: AppId, sharing: &mut Sharing) -> Result<(), Fault> {
        let Some(buffer) = self.buffer_mut(id) else { return Ok(()) };
        let Some(Shared { id: export, way: Way::Shadow { stale, .. } }) = &mut buffer.shared else {
            return Ok(());
        };
        if *stale == Region::EMPTY || !buffer.content.is_written() {
            return Ok(());
        }
        let stale = std::mem::replace(stale, Region::EMPTY);
        let (export, content, layout) = (*export, buffer.content.clone(), buffer.layout);
        let Some(memory) = sharing.memory_mut(&export) else { return Ok(()) };
        let copied = content
            .copy(layout, &stale, memory)
            .map_err(|error| Fault::new(id, INVALID_FD, error.to_string()))?;
        self.statistics.copied(copied);
        self.tell_copied(id, export, copied);
        self.trace.note(|| format!("wl_buffer@{}: {copied} bytes copied", id.0));
        Ok(())
    }
}

impl App {
    /// Lets people in the display domain see that more was copied.
    fn tell_copied(&mut self, id: AppId, export: HyperDmabufId, more: u64) {
        let Some(buffer) = self.buffer_mut(id) else { return };
        let Some(Shared { way: Way::Shadow { copied, .. }, .. }) = &mut buffer.shared else {
            return;
        };
        *copied += more;
        let metadata = CopiedByExporter(*copied).to_metadata();
        if let Some(object) = self.exports.get(&export) {
            let message = of_export(*object, "set_metadata").array(&metadata);
            self.tell_host(message);
        }
    }
}

fn not_shared(error: NotShared) -> Fault {
    Fault::display(display_error::NO_MEMORY, with_causes(&error))
}

#[cfg(test)]
mod tests {
    use super::super::interfaces;
    use super::*;

    #[test]
    fn the_numbers_of_requests_are_those_of_the_protocols() {
        let shm = interfaces::reachable().into_iter().find(|known| known.name == "wl_shm_pool");
        let pool = shm.unwrap();
        assert_eq!(opcode(pool.requests, "create_buffer"), CREATE_BUFFER);
        assert_eq!(opcode(pool.requests, "destroy"), DESTROY_POOL);
        for name in ["export", "destroy"] {
            assert_ne!(opcode(HYPER_DMABUF_MANAGER_V1_INTERFACE.requests, name), u16::MAX);
        }
        for name in ["create_pool", "unexport", "destroy"] {
            assert_ne!(opcode(HYPER_DMABUF_V1_INTERFACE.requests, name), u16::MAX);
        }
    }
}
