//! A Wayland client in the test's own thread.

use std::os::fd::AsFd;

use hyper_dmabuf_compositor::{client::ClientOrigin, server::Server};
use wayland_client::{
    Connection, Dispatch, EventQueue, Proxy, QueueHandle,
    protocol::{
        wl_buffer::{self, WlBuffer},
        wl_callback::{self, WlCallback},
        wl_compositor::{self, WlCompositor},
        wl_data_device::{self, WlDataDevice},
        wl_data_device_manager::{self, WlDataDeviceManager},
        wl_data_offer::{self, WlDataOffer},
        wl_data_source::{self, WlDataSource},
        wl_keyboard::{self, WlKeyboard},
        wl_pointer::{self, WlPointer},
        wl_region::{self, WlRegion},
        wl_registry::{self, WlRegistry},
        wl_seat::{self, WlSeat},
        wl_shm::{self, WlShm},
        wl_shm_pool::{self, WlShmPool},
        wl_subcompositor::{self, WlSubcompositor},
        wl_subsurface::{self, WlSubsurface},
        wl_surface::{self, WlSurface},
    },
};
use wayland_protocols::{
    wp::viewporter::client::{
        wp_viewport::{self, WpViewport},
        wp_viewporter::{self, WpViewporter},
    },
    xdg::shell::client::{
        xdg_popup::{self, XdgPopup},
        xdg_positioner::{self, XdgPositioner},
        xdg_surface::{self, XdgSurface},
        xdg_toplevel::{self, XdgToplevel},
        xdg_wm_base::{self, XdgWmBase},
    },
};

use crate::exchange;

/// What the client has been told.
#[derive(Default)]
pub(crate) struct Told {
    /// Name, interface and version.
    pub(crate) globals: Vec<(u32, String, u32)>,
    pub(crate) configures: u32,
    pub(crate) frames: u32,
    pub(crate) released: u32,
    pub(crate) popup: Option<(i32, i32)>,
    pub(crate) closed: bool,
    pub(crate) size: (i32, i32),
    /// Serials of the last pointer button and the last keyboard enter.
    pub(crate) button: Option<u32>,
    pub(crate) keyboard: Option<u32>,
    pub(crate) keys: Vec<(u32, bool)>,
    /// Bytes of keys that were held when the keyboard came.
    pub(crate) held_at_enter: usize,
    pub(crate) pointer: Option<(f64, f64)>,
    pub(crate) popup_done: bool,
    /// What the clipboard offers, if there is anything in it for us.
    pub(crate) clipboard: Option<WlDataOffer>,
}

pub(crate) struct Client {
    pub(crate) connection: Connection,
    queue: EventQueue<Told>,
    pub(crate) told: Told,
    pub(crate) compositor: WlCompositor,
    pub(crate) subcompositor: WlSubcompositor,
    pub(crate) shm: WlShm,
    pub(crate) shell: XdgWmBase,
    pub(crate) viewporter: WpViewporter,
    pub(crate) seat: WlSeat,
    pub(crate) data_devices: WlDataDeviceManager,
}

pub(crate) struct Toplevel {
    pub(crate) surface: WlSurface,
    pub(crate) xdg_surface: XdgSurface,
    pub(crate) toplevel: XdgToplevel,
}

/// A compositor whose pictures are seen as soon as they are drawn.
pub(crate) fn server(size: &str) -> Server {
    server_with(size, "")
}

/// The same with more of a configuration; what comes last in it is about the domain `web`.
pub(crate) fn server_with(size: &str, more: &str) -> Server {
    let config = format!(
        "size = \"{size}\"\nrefresh = 0\nidentity.bar = \"none\"\n[[domain]]\nname = \"work\"\n[[domain]]\nname = \"web\"\ncolour = \"#a83f3a\"\n{more}"
    );
    exchange::compositor(&config)
}

impl Client {
    pub(crate) fn new(server: &mut Server, origin: ClientOrigin) -> Client {
        let connection = Connection::from_socket(exchange::connect(server, origin)).unwrap();
        let mut queue = connection.new_event_queue::<Told>();
        let handle = queue.handle();
        let registry = connection.display().get_registry(&handle, ());
        let mut told = Told::default();
        exchange::roundtrip(&connection, &mut queue, &mut told, server);
        fn bind<P: Proxy + 'static>(
            registry: &WlRegistry,
            told: &Told,
            handle: &QueueHandle<Told>,
            version: u32,
        ) -> P
        where
            Told: Dispatch<P, ()>,
        {
            let wanted = P::interface().name;
            let (name, ..) = told.globals.iter().find(|(_, global, _)| global == wanted).unwrap();
            registry.bind(*name, version, handle, ())
        }
        Client {
            compositor: bind(&registry, &told, &handle, 6),
            subcompositor: bind(&registry, &told, &handle, 1),
            shm: bind(&registry, &told, &handle, 1),
            shell: bind(&registry, &told, &handle, 3),
            viewporter: bind(&registry, &told, &handle, 1),
            seat: bind(&registry, &told, &handle, 5),
            data_devices: bind(&registry, &told, &handle, 3),
            connection,
            queue,
            told,
        }
    }

    pub(crate) fn handle(&self) -> QueueHandle<Told> {
        self.queue.handle()
    }

    /// Until the compositor has done everything that was asked, and we know of it.
    pub(crate) fn roundtrip(&mut self, server: &mut Server) {
        exchange::roundtrip(&self.connection, &mut self.queue, &mut self.told, server);
    }

    pub(crate) fn buffer(&self, width: i32, height: i32, pixel: [u8; 4]) -> WlBuffer {
        let (fd, size) = exchange::memory(&pixel.repeat((width * height) as usize));
        let pool = self.shm.create_pool(fd.as_fd(), size, &self.handle(), ());
        pool.create_buffer(
            0,
            width,
            height,
            width * 4,
            wl_shm::Format::Xrgb8888,
            &self.handle(),
            (),
        )
    }

    /// A toplevel that was configured and has no buffer yet.
    pub(crate) fn toplevel(&mut self, server: &mut Server, title: &str) -> Toplevel {
        let surface = self.compositor.create_surface(&self.handle(), ());
        let xdg_surface = self.shell.get_xdg_surface(&surface, &self.handle(), ());
        let toplevel = xdg_surface.get_toplevel(&self.handle(), ());
        toplevel.set_title(title.to_owned());
        surface.commit();
        self.roundtrip(server);
        Toplevel { surface, xdg_surface, toplevel }
    }

    /// A toplevel that shows one colour.
    pub(crate) fn window(
        &mut self,
        server: &mut Server,
        title: &str,
        size: (i32, i32),
        pixel: [u8; 4],
    ) -> Toplevel {
        let window = self.toplevel(server, title);
        self.show(&window.surface, size, pixel);
        self.roundtrip(server);
        window
    }

    pub(crate) fn show(&self, surface: &WlSurface, size: (i32, i32), pixel: [u8; 4]) {
        let buffer = self.buffer(size.0, size.1, pixel);
        surface.attach(Some(&buffer), 0, 0);
        surface.damage_buffer(0, 0, size.0, size.1);
        surface.commit();
    }

    pub(crate) fn error(&self) -> Option<(String, u32)> {
        exchange::protocol_error(&self.connection)
    }
}

impl Dispatch<WlRegistry, ()> for Told {
    fn event(
        told: &mut Told,
        _: &WlRegistry,
        event: wl_registry::Event,
        _: &(),
        _: &Connection,
        _: &QueueHandle<Told>,
    ) {
        if let wl_registry::Event::Global { name, interface, version } = event {
            told.globals.push((name, interface, version));
        }
    }
}

/// An implementation of `Dispatch` whose events do `$body`.
macro_rules! on {
    ($($object:ty, $module:ident, |$told:ident, $proxy:ident, $event:ident| $body:expr;)*) => {$(
        impl Dispatch<$object, ()> for Told {
            #[allow(unused_variables)]
            fn event(
                $told: &mut Told,
                $proxy: &$object,
                $event: $module::Event,
                _: &(),
                _: &Connection,
                _: &QueueHandle<Told>,
            ) {
                $body
            }
        }
    )*};
}

on! {
    WlCompositor, wl_compositor, |told, proxy, event| {};
    WlSubcompositor, wl_subcompositor, |told, proxy, event| {};
    WlSubsurface, wl_subsurface, |told, proxy, event| {};
    WlSurface, wl_surface, |told, proxy, event| {};
    WlRegion, wl_region, |told, proxy, event| {};
    WlShm, wl_shm, |told, proxy, event| {};
    WlShmPool, wl_shm_pool, |told, proxy, event| {};
    WlSeat, wl_seat, |told, proxy, event| {};
    WpViewporter, wp_viewporter, |told, proxy, event| {};
    WpViewport, wp_viewport, |told, proxy, event| {};
    XdgPositioner, xdg_positioner, |told, proxy, event| {};
    WlCallback, wl_callback, |told, proxy, event| told.frames += 1;
    WlBuffer, wl_buffer, |told, proxy, event| told.released += 1;
    XdgWmBase, xdg_wm_base, |told, proxy, event| {
        if let xdg_wm_base::Event::Ping { serial } = event {
            proxy.pong(serial);
        }
    };
    XdgSurface, xdg_surface, |told, proxy, event| {
        if let xdg_surface::Event::Configure { serial } = event {
            told.configures += 1;
            proxy.ack_configure(serial);
        }
    };
    XdgToplevel, xdg_toplevel, |told, proxy, event| match event {
        xdg_toplevel::Event::Configure { width, height, .. } => told.size = (width, height),
        xdg_toplevel::Event::Close => told.closed = true,
        _ => {}
    };
    XdgPopup, xdg_popup, |told, proxy, event| match event {
        xdg_popup::Event::Configure { x, y, .. } => told.popup = Some((x, y)),
        xdg_popup::Event::PopupDone => told.popup_done = true,
        _ => {}
    };
    WlPointer, wl_pointer, |told, proxy, event| match event {
        wl_pointer::Event::Enter { surface_x, surface_y, .. }
        | wl_pointer::Event::Motion { surface_x, surface_y, .. } => {
            told.pointer = Some((surface_x, surface_y));
        }
        wl_pointer::Event::Leave { .. } => told.pointer = None,
        wl_pointer::Event::Button { serial, .. } => told.button = Some(serial),
        _ => {}
    };
    WlKeyboard, wl_keyboard, |told, proxy, event| match event {
        wl_keyboard::Event::Enter { serial, keys, .. } => {
            told.keyboard = Some(serial);
            told.held_at_enter += keys.len();
        }
        wl_keyboard::Event::Leave { .. } => told.keyboard = None,
        wl_keyboard::Event::Key { key, state, .. } => {
            let pressed = state == wayland_client::WEnum::Value(wl_keyboard::KeyState::Pressed);
            told.keys.push((key, pressed));
        }
        _ => {}
    };
    WlDataDeviceManager, wl_data_device_manager, |told, proxy, event| {};
    WlDataOffer, wl_data_offer, |told, proxy, event| {};
    WlDataSource, wl_data_source, |told, proxy, event| {};
}

impl Dispatch<WlDataDevice, ()> for Told {
    fn event(
        told: &mut Told,
        _: &WlDataDevice,
        event: wl_data_device::Event,
        _: &(),
        _: &Connection,
        _: &QueueHandle<Told>,
    ) {
        if let wl_data_device::Event::Selection { id } = event {
            told.clipboard = id;
        }
    }

    wayland_client::event_created_child!(Told, WlDataDevice, [
        wl_data_device::EVT_DATA_OFFER_OPCODE => (WlDataOffer, ()),
    ]);
}
