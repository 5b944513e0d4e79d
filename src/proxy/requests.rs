//! What an app asks for: forwarded, except what names a file of memory.

use std::os::fd::OwnedFd;
use std::rc::Rc;

use wayland_backend::protocol::{Interface, MessageDesc};

use super::app::{App, Fault, display_error};
use super::buffer::{Buffer, Content, Pool};
use super::clock;
use super::damage::Rectangle;
use super::layout::Layout;
use super::objects::{AppId, HostId, NoNewObject, Role};
use super::pool_file::PoolFile;
use super::sharing::Sharing;
use super::surface::Attached;
use super::trace::Direction;
use super::wire::{self, Field, Header, Message, Value};
use crate::link::ClockOffset;

/// `wl_registry.global`, by its number.
const GLOBAL: u16 = 0;

/// Errors of `wl_shm`.
mod shm_error {
    pub(super) const INVALID_FORMAT: u32 = 0;
    pub(super) const INVALID_STRIDE: u32 = 1;
    pub(super) const INVALID_FD: u32 = 2;
}

/// A request, taken apart.
pub(super) struct Request<'a> {
    pub(super) id: AppId,
    host: Option<HostId>,
    pub(super) interface: &'static Interface,
    pub(super) version: u32,
    opcode: u16,
    pub(super) message: &'static MessageDesc,
    payload: &'a [u8],
    fields: Vec<Field<'a>>,
    pub(super) descriptors: Vec<OwnedFd>,
}

impl Request<'_> {
    pub(super) fn int(&self, index: usize) -> i32 {
        match self.fields.get(index) {
            Some(Field { value: Value::Int(value) | Value::Fixed(value), .. }) => *value,
            _ => 0, // Not by its signature.
        }
    }

    pub(super) fn uint(&self, index: usize) -> u32 {
        match self.fields.get(index) {
            Some(Field {
                value: Value::Uint(value) | Value::NewId(value) | Value::Object(value),
                ..
            }) => *value,
            _ => 0, // Not by its signature.
        }
    }

    fn rectangle(&self) -> Option<Rectangle> {
        Rectangle::new(self.int(0), self.int(1), self.int(2), self.int(3))
    }
}

impl App {
    /// One request.
    pub(super) fn request(
        &mut self,
        header: Header,
        payload: &[u8],
        sharing: &mut Sharing,
    ) -> Result<(), Fault> {
        let (id, opcode) = (AppId(header.object), header.opcode);
        let object = self.objects.get(id).filter(|object| object.alive);
        let Some(object) = object else {
            let text = format!("there is no object {}", id.0);
            return Err(Fault::display(display_error::INVALID_OBJECT, text));
        };
        let (interface, version, host) = (object.interface, object.version, object.host);
        let message = interface.requests.get(usize::from(opcode));
        let Some(message) = message.filter(|message| message.since <= version) else {
            let text = format!("{interface}@{} of version {version} has no request {opcode}", id.0);
            return Err(Fault::display(display_error::INVALID_METHOD, text));
        };
        let name = message.name;
        let fields = wire::parse(message.signature, payload).map_err(|wire::Malformed| {
            let text = format!("the arguments of {interface}@{}.{name} are malformed", id.0);
            Fault::display(display_error::INVALID_METHOD, text)
        })?;
        let wanted = fields.iter().filter(|field| field.value == Value::Descriptor).count();
        let Some(descriptors) = self.app.take_descriptors(wanted) else {
            let text = format!("{interface}@{}.{name} came without its descriptor", id.0);
            return Err(Fault::display(display_error::INVALID_METHOD, text));
        };
        self.trace.message(Direction::ToHost, id.0, interface, message, payload);
        let request =
            Request { id, host, interface, version, opcode, message, payload, fields, descriptors };
        let object = self.objects.get(id);
        match (object.map(|object| &object.role), name) {
            (Some(Role::Registry(_)), "bind") => self.bind(request),
            (Some(Role::Shm), "create_pool") => self.create_pool(request),
            (Some(Role::Pool(_)), "create_buffer") => self.create_buffer(&request),
            (Some(Role::Pool(_)), "resize") => self.resize_pool(&request),
            (Some(Role::Pool(_)), _) => {
                self.remove_unknown_to_host(id);
                Ok(())
            }
            (Some(Role::Buffer(_)), _) => self.destroy_buffer(request, sharing),
            (Some(Role::Surface(_)), _) => self.surface_request(request, sharing),
            (Some(Role::Viewport(_)), _) => self.viewport_request(request, sharing),
            (Some(Role::Dmabuf), _) => self.dmabuf_request(&request),
            (Some(Role::Params(_)), _) => self.params_request(request),
            (Some(Role::Feedback), _) => {
                self.remove_unknown_to_host(id);
                Ok(())
            }
            (Some(Role::Manager | Role::Native(_)), _) => self.native_request(request, sharing),
            _ => self.forward(request, sharing),
        }
    }

    /// Hands a request on as it is, with the host's numbers.
    pub(super) fn forward(
        &mut self,
        request: Request<'_>,
        sharing: &mut Sharing,
    ) -> Result<(), Fault> {
        self.forward_replaced(request, &[], Role::Plain, sharing)
    }

    /// The same, with some arguments replaced. What it makes has this role; or, if that is plain,
    /// the role of its interface.
    pub(super) fn forward_replaced(
        &mut self,
        request: Request<'_>,
        replaced: &[(usize, u32)],
        role: Role,
        sharing: &mut Sharing,
    ) -> Result<(), Fault> {
        let mut role = Some(role).filter(|role| !matches!(role, Role::Plain));
        let Request { id, host, version, opcode, payload, .. } = request;
        let Some(host) = host else {
            let text = format!("object {} is not known to the display domain", id.0);
            return Err(Fault::display(display_error::INVALID_OBJECT, text));
        };
        let mut message = Message::with_payload(host.0, opcode, payload);
        for (index, word) in replaced {
            if let Some(field) = request.fields.get(*index) {
                message.replace(field.at, *word);
            }
        }
        let back = ClockOffset::from_nanoseconds(self.clock.nanoseconds().saturating_neg());
        let time = clock::time_in_request(request.interface.name, request.message.name);
        clock::translate(back, time, &request.fields, &mut message);
        // Where a new object is of another one: it may be named behind it.
        let named = request.fields.iter().find_map(|field| match field.value {
            Value::Object(named) if named != 0 => Some(AppId(named)),
            _ => None,
        });
        for field in &request.fields {
            match field.value {
                Value::Object(0) => {}
                Value::Object(argument) => {
                    let argument = AppId(argument);
                    message.replace(field.at, self.named(argument, sharing)?.0);
                }
                Value::NewId(new) => {
                    let Some(child) = request.message.child_interface else {
                        let text = format!("{} makes what is not known", request.interface);
                        return Err(Fault::display(display_error::IMPLEMENTATION, text));
                    };
                    let role = role.take().unwrap_or_else(|| Role::of(child, named));
                    let new = AppId(new);
                    let is_registry = matches!(role, Role::Registry(_));
                    let host = self.insert(new, child, version, role, true)?;
                    message.replace(field.at, host.map_or(0, |host| host.0));
                    if is_registry {
                        self.offer_own(new);
                    }
                }
                _ => {}
            }
        }
        self.host.send(&message.finish(), request.descriptors);
        if request.message.is_destructor {
            self.objects.end(id);
        }
        Ok(())
    }

    /// Tells a new registry of the global that the proxy serves itself.
    fn offer_own(&mut self, registry: AppId) {
        let Some(object) = self.objects.get_mut(registry) else { return };
        let Role::Registry(globals) = &mut object.role else { return };
        let Some((name, global)) = globals.own(&self.terms) else { return };
        let message = Message::new(registry.0, GLOBAL).uint(name);
        self.tell_app(message.string(global.interface.name).uint(global.version));
    }

    /// The host's number of an object that is an argument. A buffer that nobody has seen yet is
    /// shown as it is now.
    fn named(&mut self, id: AppId, sharing: &mut Sharing) -> Result<HostId, Fault> {
        if let Some(host) = self.objects.host_of(id) {
            return Ok(host);
        }
        if matches!(self.objects.get(id).map(|object| &object.role), Some(Role::Buffer(_))) {
            let host = self.share_buffer(id, sharing)?;
            self.copy_buffer(id, sharing)?;
            return Ok(host);
        }
        let text = format!("there is no object {} to be named", id.0);
        Err(Fault::display(display_error::INVALID_OBJECT, text))
    }

    pub(super) fn insert(
        &mut self,
        id: AppId,
        interface: &'static Interface,
        version: u32,
        role: Role,
        host: bool,
    ) -> Result<Option<HostId>, Fault> {
        let inserted = self.objects.insert(id, interface, version, role, host);
        inserted.map_err(|error| match error {
            NoNewObject::BadNumber => {
                let text = format!("{} cannot be the number of a new {interface}", id.0);
                Fault::display(display_error::INVALID_OBJECT, text)
            }
            NoNewObject::TooMany => {
                Fault::display(display_error::NO_MEMORY, "too many objects for one program")
            }
        })
    }

    /// An object that the host never knew is destroyed.
    pub(super) fn remove_unknown_to_host(&mut self, id: AppId) {
        if self.objects.remove(id) {
            self.tell_deleted(id);
        }
    }

    fn bind(&mut self, request: Request<'_>) -> Result<(), Fault> {
        let (name, version, new) = (request.uint(0), request.uint(2), request.uint(3));
        let interface = match request.fields.get(1) {
            Some(Field { value: Value::String(Some(text)), .. }) => *text,
            _ => &[],
        };
        let Some(object) = self.objects.get(request.id) else { return Ok(()) };
        let Role::Registry(globals) = &object.role else { return Ok(()) };
        let Some(global) = globals.bindable(name, interface, version) else {
            let text = format!(
                "there is no global {name} that is {} of version {version}",
                String::from_utf8_lossy(interface)
            );
            return Err(Fault::new(request.id, display_error::INVALID_OBJECT, text));
        };
        let bound = global.interface;
        if global.is_own {
            self.insert(AppId(new), bound, version, Role::Dmabuf, false)?;
            self.tell_formats(AppId(new), version);
            return Ok(());
        }
        let Some(registry) = request.host else { return Ok(()) }; // Was forwarded, so it has one.
        let new = self.insert(AppId(new), bound, version, Role::of(bound, None), true)?;
        let mut message = Message::with_payload(registry.0, request.opcode, request.payload);
        if let (Some(field), Some(new)) = (request.fields.get(3), new) {
            message.replace(field.at, new.0);
        }
        self.tell_host(message);
        Ok(())
    }

    fn create_pool(&mut self, request: Request<'_>) -> Result<(), Fault> {
        let (id, size, new) = (request.id, request.int(2), AppId(request.uint(0)));
        if size <= 0 {
            let text = format!("a pool of {size} bytes");
            return Err(Fault::new(id, shm_error::INVALID_STRIDE, text));
        }
        let Some(file) = request.descriptors.into_iter().next() else { return Ok(()) };
        if self.too_many_files() {
            return Err(self.no_more_files());
        }
        let open_files = Rc::clone(&self.open_files);
        let file = PoolFile::new(file, open_files)
            .map_err(|error| Fault::new(id, shm_error::INVALID_FD, error.to_string()))?;
        let Some(child) = request.message.child_interface else { return Ok(()) };
        let role = Role::Pool(Pool { file: Rc::new(file), size });
        self.insert(new, child, request.version, role, false).map(drop)
    }

    /// Whether the app has as many files open as it may.
    pub(super) fn too_many_files(&self) -> bool {
        // One is the app's own.
        Rc::strong_count(&self.open_files) > self.terms.most_files
    }

    pub(super) fn no_more_files(&self) -> Fault {
        let most = self.terms.most_files;
        let text = format!("more than {most} pools of one program are open");
        Fault::display(display_error::NO_MEMORY, text)
    }

    fn create_buffer(&mut self, request: &Request<'_>) -> Result<(), Fault> {
        let layout = Layout {
            offset: request.int(1),
            width: request.int(2),
            height: request.int(3),
            stride: request.int(4),
            format: request.uint(5),
        };
        let Some(object) = self.objects.get(request.id) else { return Ok(()) };
        let Role::Pool(pool) = &object.role else { return Ok(()) };
        if !self.formats.contains(&layout.format) {
            let text = format!("the format {:#x} is not offered", layout.format);
            return Err(Fault::new(request.id, shm_error::INVALID_FORMAT, text));
        }
        if !layout.fits(pool.size.into()) {
            let text = format!("{layout:?} does not fit a pool of {} bytes", pool.size);
            return Err(Fault::new(request.id, shm_error::INVALID_STRIDE, text));
        }
        let Some(child) = request.message.child_interface else { return Ok(()) };
        let role =
            Role::Buffer(Box::new(Buffer::new(Content::Pool(Rc::clone(&pool.file)), layout)));
        self.insert(AppId(request.uint(0)), child, request.version, role, false).map(drop)
    }

    fn resize_pool(&mut self, request: &Request<'_>) -> Result<(), Fault> {
        let size = request.int(0);
        let Some(object) = self.objects.get_mut(request.id) else { return Ok(()) };
        let Role::Pool(pool) = &mut object.role else { return Ok(()) };
        if size < pool.size {
            let text = format!("a pool of {} bytes cannot shrink to {size}", pool.size);
            return Err(Fault::new(request.id, shm_error::INVALID_FD, text));
        }
        // Buffers are shared one by one, so the host has nothing to resize.
        pool.size = size;
        Ok(())
    }

    fn destroy_buffer(&mut self, request: Request<'_>, sharing: &mut Sharing) -> Result<(), Fault> {
        let id = request.id;
        let Some(buffer) = self.buffer_mut(id) else { return Ok(()) };
        let attached = buffer.attached;
        let Some(shared) = buffer.shared.as_ref().map(|shared| shared.id) else {
            self.remove_unknown_to_host(id);
            return Ok(());
        };
        // It may be committed yet, when it cannot be found any more.
        if attached {
            self.copy_buffer(id, sharing)?;
        }
        self.forward(request, sharing)?;
        self.unshare(&shared, sharing);
        Ok(())
    }

    fn surface_request(
        &mut self,
        request: Request<'_>,
        sharing: &mut Sharing,
    ) -> Result<(), Fault> {
        let id = request.id;
        match request.message.name {
            "attach" => {
                let attached = self.attached(AppId(request.uint(0)), sharing)?;
                if let Some(surface) = self.surface_mut(id) {
                    surface.attach(attached);
                }
            }
            "commit" => self.commit(id, sharing)?,
            "frame" => return self.forward_replaced(request, &[], Role::Frame, sharing),
            name => {
                let (value, rectangle) = (request.int(0), request.rectangle());
                let Some(surface) = self.surface_mut(id) else { return Ok(()) };
                match name {
                    "damage" => surface.damage(rectangle, false),
                    "damage_buffer" => surface.damage(rectangle, true),
                    "set_buffer_scale" => surface.change_geometry(|now| now.scale = value),
                    "set_buffer_transform" => {
                        surface.change_geometry(|now| now.transform = value as u32);
                    }
                    _ => {}
                }
            }
        }
        self.forward(request, sharing)
    }

    /// A buffer of a pool, made known to the host; `None` for other buffers, and for none.
    fn attached(&mut self, id: AppId, sharing: &mut Sharing) -> Result<Option<Attached>, Fault> {
        let Some(buffer) = self.buffer_mut(id) else { return Ok(None) };
        buffer.attached = true;
        let (size, shared) = (buffer.size(), buffer.shared.is_some());
        if !shared {
            self.share_buffer(id, sharing)?;
        }
        Ok(Some(Attached { buffer: id, size }))
    }

    fn viewport_request(
        &mut self,
        request: Request<'_>,
        sharing: &mut Sharing,
    ) -> Result<(), Fault> {
        let Some(object) = self.objects.get(request.id) else { return Ok(()) };
        let Role::Viewport(viewport) = &object.role else { return Ok(()) };
        let surface = viewport.surface;
        let [x, y, width, height] = [0, 1, 2, 3].map(|index| request.int(index));
        if let Some(surface) = self.surface_mut(surface) {
            surface.change_geometry(|now| match request.message.name {
                // All −1 takes it back; other negative numbers are errors, for the host to raise.
                "set_source" => now.source = (width > 0).then_some([x, y, width, height]),
                "set_destination" => now.destination = (x > 0).then_some([x, y]),
                _ => (now.source, now.destination) = (None, None),
            });
        }
        self.forward(request, sharing)
    }
}
