//! A program of a guest that draws without memory of its own: buffers of one pixel, scaled.

use std::io::ErrorKind;

use hyper_dmabuf::client::Guest;
use rustix::event::{PollFd, PollFlags, poll};
use wayland_client::backend::WaylandError;
use wayland_client::globals::{GlobalList, GlobalListContents, registry_queue_init};
use wayland_client::protocol::wl_buffer::WlBuffer;
use wayland_client::protocol::wl_callback;
use wayland_client::protocol::wl_compositor::WlCompositor;
use wayland_client::protocol::wl_registry::{self, WlRegistry};
use wayland_client::protocol::wl_subcompositor::WlSubcompositor;
use wayland_client::protocol::wl_surface::WlSurface;
use wayland_client::{Connection, Dispatch, EventQueue, Proxy, QueueHandle};
use wayland_protocols::wp::single_pixel_buffer::v1::client::wp_single_pixel_buffer_manager_v1::WpSinglePixelBufferManagerV1;
use wayland_protocols::wp::viewporter::client::wp_viewport::WpViewport;
use wayland_protocols::wp::viewporter::client::wp_viewporter::WpViewporter;
use wayland_protocols::xdg::shell::client::xdg_surface::{self, XdgSurface};
use wayland_protocols::xdg::shell::client::xdg_toplevel::XdgToplevel;
use wayland_protocols::xdg::shell::client::xdg_wm_base::XdgWmBase;

use fixture::Display;

/// A program with a connection of its own.
pub(crate) struct Program {
    queue: EventQueue<Told>,
    told: Told,
    pub(crate) compositor: WlCompositor,
    pub(crate) subcompositor: WlSubcompositor,
    pub(crate) shell: XdgWmBase,
    pixels: WpSinglePixelBufferManagerV1,
    viewporter: WpViewporter,
    _globals: GlobalList,
    guest: Guest,
}

/// What it was told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    configured: bool,
    seen: bool,
}

/// A window.
pub(crate) struct Window {
    pub(crate) surface: WlSurface,
    pub(crate) xdg_surface: XdgSurface,
    pub(crate) toplevel: XdgToplevel,
}

impl Program {
    pub(crate) fn connect(display: &Display, domain: &str) -> Program {
        let guest = Guest::connect(&display.address(domain)).expect("a connection");
        let (globals, queue) = registry_queue_init::<Told>(guest.connection()).expect("globals");
        let handle = queue.handle();
        Program {
            compositor: globals.bind(&handle, 4..=6, ()).expect("wl_compositor"),
            subcompositor: globals.bind(&handle, 1..=1, ()).expect("wl_subcompositor"),
            shell: globals.bind(&handle, 1..=6, ()).expect("xdg_wm_base"),
            pixels: globals.bind(&handle, 1..=1, ()).expect("buffers of one pixel"),
            viewporter: globals.bind(&handle, 1..=1, ()).expect("wp_viewporter"),
            queue,
            told: Told::default(),
            _globals: globals,
            guest,
        }
    }

    pub(crate) fn handle(&self) -> QueueHandle<Told> {
        self.queue.handle()
    }

    /// Whether the display domain has handled everything; if not, the connection is gone.
    pub(crate) fn roundtrip(&mut self) -> bool {
        self.until_taken() && self.queue.roundtrip(&mut self.told).is_ok()
    }

    /// Waits until the link has taken all that was said.
    fn until_taken(&self) -> bool {
        let connection = self.guest.connection();
        loop {
            match connection.flush() {
                Ok(()) => return true,
                Err(WaylandError::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                    let backend = connection.backend();
                    let mut ready = [PollFd::from_borrowed_fd(backend.poll_fd(), PollFlags::OUT)];
                    let _ = poll(&mut ready, None);
                }
                Err(_) => return false,
            }
        }
    }

    /// A buffer of one colour.
    pub(crate) fn buffer(&self, shade: u32) -> WlBuffer {
        let shade = shade.wrapping_mul(0x0100_0193);
        self.pixels.create_u32_rgba_buffer(shade, !shade, shade << 7, u32::MAX, &self.handle(), ())
    }

    /// A surface that shows its buffers in this size.
    pub(crate) fn surface(&self, (width, height): (i32, i32)) -> (WlSurface, WpViewport) {
        let surface = self.compositor.create_surface(&self.handle(), ());
        let viewport = self.viewporter.get_viewport(&surface, &self.handle(), ());
        viewport.set_destination(width, height);
        (surface, viewport)
    }

    /// A window that shows something.
    pub(crate) fn window(&mut self, title: &str, size: (i32, i32)) -> Window {
        let (surface, _) = self.surface(size);
        let xdg_surface = self.shell.get_xdg_surface(&surface, &self.handle(), ());
        let toplevel = xdg_surface.get_toplevel(&self.handle(), ());
        toplevel.set_title(title.to_owned());
        surface.commit();
        self.told.configured = false;
        while !self.told.configured && self.roundtrip() {}
        let window = Window { surface, xdg_surface, toplevel };
        self.draw(&window, 1);
        self.until_seen(&window);
        window
    }

    /// Shows another colour, and asks to be told when it is seen.
    pub(crate) fn draw(&mut self, window: &Window, shade: u32) {
        let buffer = self.buffer(shade);
        window.surface.attach(Some(&buffer), 0, 0);
        window.surface.damage_buffer(0, 0, i32::MAX, i32::MAX);
        self.told.seen = false;
        window.surface.frame(&self.handle(), ());
        window.surface.commit();
        buffer.destroy();
    }

    /// Waits until it is.
    pub(crate) fn until_seen(&mut self, _: &Window) {
        while !self.told.seen && self.queue.blocking_dispatch(&mut self.told).is_ok() {}
    }
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
        let (proxy, event): (&dyn std::any::Any, &dyn std::any::Any) = (proxy, &event);
        if let Some(surface) = proxy.downcast_ref::<XdgSurface>()
            && let Some(xdg_surface::Event::Configure { serial }) = event.downcast_ref()
        {
            surface.ack_configure(*serial);
            told.configured = true;
        }
        if let Some(wl_callback::Event::Done { .. }) = event.downcast_ref() {
            told.seen = true;
        }
    }
}

impl Dispatch<WlRegistry, GlobalListContents> for Told {
    fn event(
        _: &mut Told,
        _: &WlRegistry,
        _: wl_registry::Event,
        _: &GlobalListContents,
        _: &Connection,
        _: &QueueHandle<Told>,
    ) {
    }
}
