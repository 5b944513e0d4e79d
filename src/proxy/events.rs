//! What the host tells: an app, or the proxy about its own objects.

use hyper_dmabuf_protocol::client::__interfaces::{
    HYPER_DMABUF_MANAGER_V1_INTERFACE, HYPER_DMABUF_V1_INTERFACE,
};
use wayland_backend::protocol::{Interface, MessageDesc};

use super::app::{App, Fault, display_error};
use super::clock;
use super::interfaces::WL_REGISTRY_INTERFACE;
use super::objects::{AppId, Hidden, HostId, Owner, Role};
use super::sharing::Sharing;
use super::trace::Direction;
use super::wire::{self, Field, Header, Message, Value};

/// `hyper_dmabuf_manager_v1.capability.attach_memory`.
const ATTACH_MEMORY: u32 = 64;

/// `wl_registry.bind`, by its number.
const BIND: u16 = 0;

fn uint(fields: &[Field<'_>], index: usize) -> u32 {
    match fields.get(index) {
        Some(Field { value: Value::Uint(value) | Value::Object(value), .. }) => *value,
        _ => 0, // Not by its signature.
    }
}

fn text<'a>(fields: &[Field<'a>], index: usize) -> &'a [u8] {
    match fields.get(index) {
        Some(Field { value: Value::String(Some(text)), .. }) => text,
        _ => &[],
    }
}

impl App {
    /// One event.
    pub(super) fn event(
        &mut self,
        header: Header,
        payload: &[u8],
        sharing: &mut Sharing,
    ) -> Result<(), Fault> {
        match self.objects.owner(HostId(header.object)) {
            Some(Owner::App(AppId::DISPLAY)) => self.display_event(header, payload),
            Some(Owner::App(id)) => self.app_event(id, header, payload, sharing),
            Some(Owner::Proxy(hidden)) => self.hidden_event(hidden, header, payload, sharing),
            Some(Owner::Forgotten(interface, version)) => {
                self.forgotten_event(interface, version, header, payload)
            }
            None => Err(Fault::Host(format!("an event of object {}", header.object))),
        }
    }

    fn display_event(&mut self, header: Header, payload: &[u8]) -> Result<(), Fault> {
        let (message, fields) = self.take_apart(AppId::DISPLAY, header, payload)?;
        match message.name {
            "error" => {
                let (object, code) = (HostId(uint(&fields, 0)), uint(&fields, 1));
                let said = String::from_utf8_lossy(text(&fields, 2)).into_owned();
                match self.objects.owner(object) {
                    Some(Owner::App(id)) => self.tell_error(id, code, &said),
                    // Of an object that the app has never heard of.
                    Some(Owner::Proxy(_) | Owner::Forgotten(..)) | None => {
                        let code = display_error::IMPLEMENTATION;
                        self.tell_error(AppId::DISPLAY, code, &format!("sharing a buffer: {said}"));
                    }
                }
                Err(Fault::Raised(said))
            }
            _ => {
                if let Some(id) = self.objects.deleted(HostId(uint(&fields, 0))) {
                    self.tell_deleted(id);
                }
                Ok(())
            }
        }
    }

    /// The table's row of an event of one of the app's objects, and its arguments.
    fn take_apart<'a>(
        &mut self,
        id: AppId,
        header: Header,
        payload: &'a [u8],
    ) -> Result<(&'static MessageDesc, Vec<Field<'a>>), Fault> {
        let Some(object) = self.objects.get(id) else {
            return Err(Fault::Host(format!("an event of object {}", header.object)));
        };
        let interface = object.interface;
        let message = interface.events.get(usize::from(header.opcode));
        let Some(message) = message else {
            return Err(Fault::Host(format!("event {} of {interface}", header.opcode)));
        };
        let fields = wire::parse(message.signature, payload)
            .map_err(|wire::Malformed| Fault::Host(format!("{interface}.{}", message.name)))?;
        self.trace.message(Direction::ToApp, id.0, interface, message, payload);
        Ok((message, fields))
    }

    fn app_event(
        &mut self,
        id: AppId,
        header: Header,
        payload: &[u8],
        sharing: &mut Sharing,
    ) -> Result<(), Fault> {
        let (message, fields) = self.take_apart(id, header, payload)?;
        let wanted = fields.iter().filter(|field| field.value == Value::Descriptor).count();
        let Some(descriptors) = self.host.take_descriptors(wanted) else {
            return Err(Fault::Host(format!("{} without its descriptor", message.name)));
        };
        let Some(object) = self.objects.get_mut(id) else { return Ok(()) };
        let (interface, version, alive) = (object.interface, object.version, object.alive);
        let is_frame = matches!(object.role, Role::Frame);
        let mut event = Message::with_payload(id.0, header.opcode, payload);
        match (&mut object.role, message.name) {
            (Role::Registry(_), "global")
                if !sharing.grants_files()
                    && text(&fields, 1) == HYPER_DMABUF_MANAGER_V1_INTERFACE.name.as_bytes() =>
            {
                // What a program exports itself could not be handed on.
                return Ok(());
            }
            (Role::Registry(globals), "global") => {
                let (name, version) = (uint(&fields, 0), uint(&fields, 2));
                let offered = globals.offered(name, text(&fields, 1), version, &self.terms);
                let (Some(global), Some(version)) = (offered, fields.get(2)) else { return Ok(()) };
                event.replace(version.at, global.version);
            }
            (Role::Registry(globals), "global_remove") => {
                let told = globals.removed(uint(&fields, 0));
                if !told {
                    return Ok(());
                }
            }
            (Role::Manager, "capabilities") => {
                // The display domain knows the proxy's memory; the app may attach its own here.
                if let Some(field) = fields.first() {
                    event.replace(field.at, uint(&fields, 0) | ATTACH_MEMORY);
                }
            }
            (Role::Native(native), "released") => {
                let native = *native;
                // Before the app hears of it, and wants to end the grants.
                if self.natives.released(&native) {
                    self.held.remove(sharing.released(&native));
                }
            }
            (Role::Shm, "format") => {
                self.formats.insert(uint(&fields, 0));
            }
            _ => {}
        }
        for field in &fields {
            match field.value {
                Value::Object(host) if host != 0 => {
                    let owner = self.objects.owner(HostId(host));
                    let known = match owner {
                        Some(Owner::App(known)) => known.0,
                        Some(Owner::Proxy(_) | Owner::Forgotten(..)) | None => 0,
                    };
                    event.replace(field.at, known);
                }
                Value::NewId(new) => {
                    let Some(child) = message.child_interface else {
                        return Err(Fault::Host(format!("a new object by {}", message.name)));
                    };
                    // What an app that is done with the parent never hears of is gone as well.
                    let made = self.objects.insert_hosts(HostId(new), child, version, alive);
                    let made = made.map_err(|_| Fault::Host(format!("a new {child} {new}")))?;
                    event.replace(field.at, made.map_or(0, |made| made.0));
                }
                _ => {}
            }
        }
        if !alive {
            return Ok(());
        }
        let time =
            if is_frame { clock::FRAME } else { clock::time_in(interface.name, message.name) };
        clock::translate(self.clock, time, &fields, &mut event);
        self.app.send(&event.finish(), descriptors);
        if message.is_destructor {
            self.objects.end(id);
        }
        Ok(())
    }

    /// An event of an object that the app is done with, and whose number it may use again.
    fn forgotten_event(
        &mut self,
        interface: &'static Interface,
        version: u32,
        header: Header,
        payload: &[u8],
    ) -> Result<(), Fault> {
        let Some(message) = interface.events.get(usize::from(header.opcode)) else {
            return Err(Fault::Host(format!("event {} of {interface}", header.opcode)));
        };
        let fields = wire::parse(message.signature, payload)
            .map_err(|wire::Malformed| Fault::Host(format!("{interface}.{}", message.name)))?;
        for field in fields {
            match (field.value, message.child_interface) {
                (Value::Descriptor, _) => drop(self.host.take_descriptors(1)),
                (Value::NewId(new), Some(child)) => {
                    let made = self.objects.insert_hosts(HostId(new), child, version, false);
                    made.map_err(|_| Fault::Host(format!("a new {child} {new}")))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn hidden_event(
        &mut self,
        hidden: Hidden,
        header: Header,
        payload: &[u8],
        sharing: &mut Sharing,
    ) -> Result<(), Fault> {
        let interface = match hidden {
            Hidden::Registry => &WL_REGISTRY_INTERFACE,
            Hidden::Listed => {
                self.listed = true;
                return Ok(());
            }
            Hidden::Manager => &HYPER_DMABUF_MANAGER_V1_INTERFACE,
            Hidden::Export(_) => &HYPER_DMABUF_V1_INTERFACE,
            Hidden::Pool => return Err(Fault::Host("an event of a wl_shm_pool".into())),
        };
        let Some(message) = interface.events.get(usize::from(header.opcode)) else {
            return Err(Fault::Host(format!("event {} of {interface}", header.opcode)));
        };
        let fields = wire::parse(message.signature, payload)
            .map_err(|wire::Malformed| Fault::Host(format!("{interface}.{}", message.name)))?;
        match (hidden, message.name) {
            (Hidden::Registry, "global")
                if self.manager.is_none()
                    && text(&fields, 1) == HYPER_DMABUF_MANAGER_V1_INTERFACE.name.as_bytes() =>
            {
                let manager = self.objects.hide(Hidden::Manager);
                self.manager = Some(manager);
                let bind = Message::new(header.object, BIND).uint(uint(&fields, 0));
                let bind = bind.string(HYPER_DMABUF_MANAGER_V1_INTERFACE.name).uint(1);
                self.tell_host(bind.uint(manager.0));
            }
            (Hidden::Export(id), "released") => self.released(&id, sharing),
            (Hidden::Export(id), "failed") => {
                let said = String::from_utf8_lossy(text(&fields, 1)).into_owned();
                tracing::warn!(%id, "{}: a buffer is not shown: {said}", self.trace.name());
                self.trace.note(|| format!("{id} failed: {said}"));
            }
            // `fd` was not asked for.
            (Hidden::Export(_), "fd") => return Err(Fault::Host("a descriptor".into())),
            _ => {}
        }
        Ok(())
    }
}
