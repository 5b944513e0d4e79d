//! A client in the test's own thread that keeps every event it is told, whatever of.

use std::{
    any::Any,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    sync::Arc,
};

use hyper_dmabuf_compositor::{client::ClientOrigin, server::Server};
use wayland_client::{
    Connection, Dispatch, EventQueue, Proxy, QueueHandle,
    backend::{ObjectData, ObjectId},
    protocol::{
        wl_buffer::WlBuffer,
        wl_compositor::WlCompositor,
        wl_data_offer::WlDataOffer,
        wl_registry::{self, WlRegistry},
        wl_seat::WlSeat,
        wl_shm::{self, WlShm},
        wl_surface::WlSurface,
    },
};
use wayland_protocols::ext::data_control::v1::client::ext_data_control_offer_v1::ExtDataControlOfferV1;
use wayland_protocols::ext::foreign_toplevel_list::v1::client::ext_foreign_toplevel_handle_v1::ExtForeignToplevelHandleV1;
use wayland_protocols::wp::primary_selection::zv1::client::zwp_primary_selection_offer_v1::ZwpPrimarySelectionOfferV1;
use wayland_protocols::xdg::shell::client::{
    xdg_surface::{self, XdgSurface},
    xdg_toplevel::{self, XdgToplevel},
    xdg_wm_base::XdgWmBase,
};
use wayland_protocols_wlr::{
    foreign_toplevel::v1::client::zwlr_foreign_toplevel_handle_v1::ZwlrForeignToplevelHandleV1,
    output_management::v1::client::{
        zwlr_output_head_v1::ZwlrOutputHeadV1, zwlr_output_mode_v1::ZwlrOutputModeV1,
    },
};

use crate::exchange;

/// Everything the client was told, with the object that it was told by.
#[derive(Default)]
pub(crate) struct Told(Vec<(ObjectId, Box<dyn Any>)>);

pub(crate) struct Client {
    pub(crate) connection: Connection,
    queue: EventQueue<Told>,
    told: Told,
    registry: WlRegistry,
    pub(crate) compositor: WlCompositor,
    pub(crate) shm: WlShm,
    pub(crate) shell: XdgWmBase,
    pub(crate) seat: WlSeat,
}

pub(crate) struct Window {
    pub(crate) surface: WlSurface,
    pub(crate) xdg_surface: XdgSurface,
    pub(crate) toplevel: XdgToplevel,
}

/// A compositor whose pictures are seen as soon as they are drawn, with the domain `work`.
pub(crate) fn server(size: &str) -> Server {
    server_with(size, "")
}

/// The same, with more lines in its configuration.
pub(crate) fn server_with(size: &str, more: &str) -> Server {
    // Only tests that are about it have the identity bar.
    let bar = if more.contains("identity") { "" } else { "identity.bar = \"none\"\n" };
    // Pictures do not depend on what fonts there are.
    let fonts = if more.contains("font_directories") { "" } else { "font_directories = []\n" };
    let config = format!(
        "size = \"{size}\"\nrefresh = 0\n{fonts}{bar}{more}\n[[domain]]\nname = \"work\"\n"
    );
    exchange::compositor(&config)
}

/// The origin of the domain `work`.
pub(crate) fn work(server: &Server) -> ClientOrigin {
    exchange::domain(server, "work")
}

impl Client {
    pub(crate) fn local(server: &mut Server) -> Client {
        Client::new(server, ClientOrigin::Local)
    }

    pub(crate) fn new(server: &mut Server, origin: ClientOrigin) -> Client {
        let stream = exchange::connect(server, origin);
        Client::on(server, stream)
    }

    /// A client on a connection that there is already.
    pub(crate) fn on(server: &mut Server, stream: UnixStream) -> Client {
        let connection = Connection::from_socket(stream).unwrap();
        let mut queue = connection.new_event_queue::<Told>();
        let registry = connection.display().get_registry(&queue.handle(), ());
        let mut told = Told::default();
        exchange::roundtrip(&connection, &mut queue, &mut told, server);
        let (all, handle) = (globals(&told, &registry), queue.handle());
        Client {
            compositor: bind(&registry, &all, &handle, 6).unwrap(),
            shm: bind(&registry, &all, &handle, 1).unwrap(),
            shell: bind(&registry, &all, &handle, 6).unwrap(),
            seat: bind(&registry, &all, &handle, 8).unwrap(),
            registry,
            connection,
            queue,
            told,
        }
    }

    /// Bind a global, if it is offered.
    pub(crate) fn try_bind<P: Proxy + 'static>(&self, version: u32) -> Option<P>
    where
        P::Event: 'static,
    {
        bind(&self.registry, &globals(&self.told, &self.registry), &self.handle(), version)
    }

    /// Bind a global.
    pub(crate) fn bind<P: Proxy + 'static>(&self, version: u32) -> P
    where
        P::Event: 'static,
    {
        self.try_bind(version).unwrap_or_else(|| panic!("{} is not offered", P::interface().name))
    }

    /// Bind all globals of this kind, in the order in which they came.
    pub(crate) fn bind_all<P: Proxy + 'static>(&self, version: u32) -> Vec<P>
    where
        P::Event: 'static,
    {
        let wanted = P::interface().name;
        let all = globals(&self.told, &self.registry).into_iter();
        let all = all.filter(|(_, interface, _)| interface == wanted);
        all.map(|(name, ..)| self.registry.bind(name, version, &self.handle(), ())).collect()
    }

    /// The names of all globals.
    pub(crate) fn offered(&self) -> Vec<String> {
        globals(&self.told, &self.registry).into_iter().map(|(_, name, _)| name).collect()
    }

    pub(crate) fn handle(&self) -> QueueHandle<Told> {
        self.queue.handle()
    }

    /// Until the compositor has done everything that was asked, and we know of it.
    pub(crate) fn roundtrip(&mut self, server: &mut Server) {
        exchange::roundtrip(&self.connection, &mut self.queue, &mut self.told, server);
    }

    /// Hear what has come, without waiting.
    pub(crate) fn hear(&mut self) {
        if let Some(guard) = self.queue.prepare_read() {
            // Nothing may have come; why a connection ended is asked for by `error`.
            let _ = guard.read();
        }
        let _ = self.queue.dispatch_pending(&mut self.told);
    }

    /// What an object has told so far.
    pub(crate) fn events<P: Proxy + 'static>(&self, of: &P) -> Vec<&P::Event>
    where
        P::Event: 'static,
    {
        let of = of.id();
        let mine = self.told.0.iter().filter(|(id, _)| *id == of);
        mine.filter_map(|(_, event)| event.downcast_ref()).collect()
    }

    /// The same, and it is forgotten.
    pub(crate) fn take_events<P: Proxy + 'static>(&mut self, of: &P) -> Vec<P::Event>
    where
        P::Event: 'static,
    {
        let of = of.id();
        let taken = self.told.0.extract_if(.., |(id, _)| *id == of);
        taken.filter_map(|(_, event)| event.downcast().ok()).map(|event| *event).collect()
    }

    /// A buffer of one colour: blue, green, red and a byte that does not count.
    pub(crate) fn buffer(&self, (width, height): (i32, i32), pixel: [u8; 4]) -> WlBuffer {
        self.buffer_on(&pixel.repeat((width * height) as usize), (width, height)).0
    }

    /// A buffer with these bytes, and the file behind it.
    pub(crate) fn buffer_on(
        &self,
        bytes: &[u8],
        (width, height): (i32, i32),
    ) -> (WlBuffer, OwnedFd) {
        let (fd, length) = exchange::memory(bytes);
        let pool = self.shm.create_pool(fd.as_fd(), length, &self.handle(), ());
        let format = wl_shm::Format::Xrgb8888;
        let buffer = pool.create_buffer(0, width, height, width * 4, format, &self.handle(), ());
        (buffer, fd)
    }

    pub(crate) fn surface(&self) -> WlSurface {
        self.compositor.create_surface(&self.handle(), ())
    }

    /// Show one colour on a surface.
    pub(crate) fn show(&self, surface: &WlSurface, size: (i32, i32), pixel: [u8; 4]) {
        surface.attach(Some(&self.buffer(size, pixel)), 0, 0);
        surface.damage_buffer(0, 0, size.0, size.1);
        surface.commit();
    }

    /// A toplevel that was configured and has no buffer yet.
    pub(crate) fn toplevel(&mut self, server: &mut Server, title: &str) -> Window {
        let surface = self.surface();
        let xdg_surface = self.shell.get_xdg_surface(&surface, &self.handle(), ());
        let toplevel = xdg_surface.get_toplevel(&self.handle(), ());
        toplevel.set_title(title.to_owned());
        surface.commit();
        self.roundtrip(server);
        Window { surface, xdg_surface, toplevel }
    }

    /// A toplevel that shows one colour.
    pub(crate) fn window(
        &mut self,
        server: &mut Server,
        title: &str,
        size: (i32, i32),
        pixel: [u8; 4],
    ) -> Window {
        let window = self.toplevel(server, title);
        self.show(&window.surface, size, pixel);
        self.roundtrip(server);
        window
    }

    /// The size and states that a toplevel was last told.
    pub(crate) fn configured(&self, window: &Window) -> ((i32, i32), Vec<xdg_toplevel::State>) {
        let events = self.events(&window.toplevel);
        let last = events.iter().rev().find_map(|event| match event {
            xdg_toplevel::Event::Configure { width, height, states } => {
                let states = states.chunks_exact(4).filter_map(|state| {
                    u32::from_ne_bytes(state.try_into().unwrap()).try_into().ok()
                });
                Some(((*width, *height), states.collect()))
            }
            _ => None,
        });
        last.expect("it was configured")
    }

    /// The error that ended the connection: its interface and number.
    pub(crate) fn error(&self) -> Option<(String, u32)> {
        exchange::protocol_error(&self.connection)
    }
}

fn globals(told: &Told, registry: &WlRegistry) -> Vec<(u32, String, u32)> {
    let id = registry.id();
    let events = told.0.iter().filter(|(of, _)| *of == id);
    let events = events.filter_map(|(_, event)| event.downcast_ref::<wl_registry::Event>());
    let mut all = Vec::new();
    for event in events {
        match event {
            wl_registry::Event::Global { name, interface, version } => {
                all.push((*name, interface.clone(), *version));
            }
            wl_registry::Event::GlobalRemove { name } => all.retain(|(other, ..)| other != name),
            _ => {}
        }
    }
    all
}

fn bind<P: Proxy + 'static>(
    registry: &WlRegistry,
    globals: &[(u32, String, u32)],
    handle: &QueueHandle<Told>,
    version: u32,
) -> Option<P>
where
    P::Event: 'static,
{
    let wanted = P::interface().name;
    let (name, ..) = globals.iter().find(|(_, interface, _)| interface == wanted)?;
    Some(registry.bind(*name, version, handle, ()))
}

impl<P: Proxy + 'static> Dispatch<P, ()> for Told
where
    P::Event: 'static,
{
    fn event(
        told: &mut Told,
        proxy: &P,
        event: P::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Told>,
    ) {
        if let Some(surface) = (proxy as &dyn Any).downcast_ref::<XdgSurface>()
            && let Some(xdg_surface::Event::Configure { serial }) =
                (&event as &dyn Any).downcast_ref()
        {
            surface.ack_configure(*serial);
        }
        told.0.push((proxy.id(), Box::new(event)));
    }

    fn event_created_child(opcode: u16, handle: &QueueHandle<Told>) -> Arc<dyn ObjectData> {
        match P::interface().name {
            "wl_data_device" => handle.make_data::<WlDataOffer, ()>(()),
            "zwp_primary_selection_device_v1" => {
                handle.make_data::<ZwpPrimarySelectionOfferV1, ()>(())
            }
            "ext_data_control_device_v1" => handle.make_data::<ExtDataControlOfferV1, ()>(()),
            "ext_foreign_toplevel_list_v1" => {
                handle.make_data::<ExtForeignToplevelHandleV1, ()>(())
            }
            "zwlr_output_manager_v1" => handle.make_data::<ZwlrOutputHeadV1, ()>(()),
            "zwlr_output_head_v1" => handle.make_data::<ZwlrOutputModeV1, ()>(()),
            "zwlr_foreign_toplevel_manager_v1" => {
                handle.make_data::<ZwlrForeignToplevelHandleV1, ()>(())
            }
            other => panic!("{other} makes objects by its event {opcode}"),
        }
    }
}
