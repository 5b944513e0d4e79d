//! Windows of a Wayland desktop.

mod events;
mod globals;
mod seat;

use std::{io::ErrorKind, os::fd::OwnedFd};

use smithay::{
    backend::renderer::element::RenderElementStates,
    utils::{Logical, Physical, Size, Transform},
};
use wayland_client::{
    Connection, EventQueue, QueueHandle,
    backend::WaylandError,
    protocol::{wl_buffer::WlBuffer, wl_output::WlOutput, wl_surface::WlSurface},
};
use wayland_protocols::{
    wp::{
        fractional_scale::v1::client::wp_fractional_scale_v1::WpFractionalScaleV1,
        keyboard_shortcuts_inhibit::zv1::client::zwp_keyboard_shortcuts_inhibitor_v1::ZwpKeyboardShortcutsInhibitorV1,
        viewporter::client::wp_viewport::WpViewport,
    },
    xdg::{
        decoration::zv1::client::zxdg_toplevel_decoration_v1::{
            Mode as DecorationMode, ZxdgToplevelDecorationV1,
        },
        shell::client::{xdg_surface::XdgSurface, xdg_toplevel::XdgToplevel},
    },
};

use super::{
    canvas::Canvas,
    error,
    host::{Host, Shape, Told, WindowId},
    swapchain::Swapchain,
};
use crate::{
    backend::{BackendError, Rendered, drawer::Drawer},
    render::elements::Scene,
};
use globals::Globals;
use seat::Seat;

/// The least side of an output.
const LEAST_SIDE: i32 = 64;
/// The greatest side of an output.
const GREATEST_SIDE: i32 = 16_384;

/// A Wayland desktop that has our windows.
pub(super) struct Wayland {
    connection: Connection,
    queue: EventQueue<Client>,
    client: Client,
}

/// What we have of the desktop.
struct Client {
    globals: Globals,
    handle: QueueHandle<Client>,
    windows: Vec<Window>,
    seat: Seat,
    /// How large each of the host's outputs has things drawn.
    output_scales: Vec<(WlOutput, i32)>,
    told: Vec<Told>,
}

/// A window of ours.
struct Window {
    id: WindowId,
    pictures: Swapchain<Shared>,
    inhibitor: Option<ZwpKeyboardShortcutsInhibitorV1>,
    decoration: Option<ZxdgToplevelDecorationV1>,
    viewport: Option<WpViewport>,
    fractional: Option<WpFractionalScaleV1>,
    toplevel: XdgToplevel,
    xdg_surface: XdgSurface,
    surface: WlSurface,
    /// In the host's pixels.
    size: Size<i32, Logical>,
    /// What the host asks for next; a 0 leaves a side to us.
    asked: Size<i32, Logical>,
    scale: f64,
    /// The host's outputs that it is on.
    on: Vec<WlOutput>,
    /// The host has told how it is to be.
    is_configured: bool,
    /// The host lets it have any size.
    is_free: bool,
    /// A picture was to be shown before it was configured.
    is_awaited: bool,
}

/// A picture as the host has it.
struct Shared(WlBuffer);

impl Drop for Shared {
    fn drop(&mut self) {
        self.0.destroy();
    }
}

impl Wayland {
    /// Connect to the desktop that the environment names.
    pub(super) fn connect() -> Result<Wayland, BackendError> {
        let failed =
            error("cannot use the Wayland desktop that WAYLAND_DISPLAY names (is it still there?)");
        let connection = Connection::connect_to_env().map_err(|e| failed(&e))?;
        let (list, queue) = wayland_client::globals::registry_queue_init::<Client>(&connection)
            .map_err(|e| failed(&e))?;
        let handle = queue.handle();
        let globals = Globals::bind(&list, &handle)?;
        let mut client = Client {
            globals,
            handle,
            windows: Vec::new(),
            seat: Seat::default(),
            output_scales: Vec::new(),
            told: Vec::new(),
        };
        client.bind_outputs_and_seat(&list);
        Ok(Wayland { connection, queue, client })
    }

    fn window(&self, id: WindowId) -> Option<&Window> {
        self.client.windows.iter().find(|window| window.id == id)
    }
}

impl Client {
    fn window_mut(&mut self, id: WindowId) -> Option<&mut Window> {
        self.windows.iter_mut().find(|window| window.id == id)
    }

    /// Have the host's shortcuts in all windows, or in none.
    fn inhibit_shortcuts(&mut self) {
        let Client { globals, seat, windows, handle, .. } = self;
        let (Some(manager), Some(wl_seat)) = (&globals.shortcuts, &seat.seat) else { return };
        for window in windows {
            match &window.inhibitor {
                None if seat.holds_shortcuts => {
                    let inhibitor = manager.inhibit_shortcuts(&window.surface, wl_seat, handle, ());
                    window.inhibitor = Some(inhibitor);
                }
                Some(inhibitor) if !seat.holds_shortcuts => {
                    inhibitor.destroy();
                    window.inhibitor = None;
                }
                _ => {}
            }
        }
    }
}

impl Window {
    fn shape(&self) -> Shape {
        let side = |side: i32| {
            let side = (f64::from(side) * self.scale).round() as i32;
            side.clamp(LEAST_SIDE, GREATEST_SIDE)
        };
        Shape { pixels: Size::from((side(self.size.w), side(self.size.h))), scale: self.scale }
    }

    /// Whether any scale can be had, and not whole ones alone.
    fn scales_freely(&self) -> bool {
        self.viewport.is_some() && self.fractional.is_some()
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.pictures.forget();
        // From the outside in, as the protocols ask for.
        self.inhibitor.iter().for_each(ZwpKeyboardShortcutsInhibitorV1::destroy);
        self.decoration.iter().for_each(ZxdgToplevelDecorationV1::destroy);
        self.viewport.iter().for_each(WpViewport::destroy);
        self.fractional.iter().for_each(WpFractionalScaleV1::destroy);
        self.toplevel.destroy();
        self.xdg_surface.destroy();
        self.surface.destroy();
    }
}

impl Host for Wayland {
    fn open(
        &mut self,
        id: WindowId,
        title: &str,
        size: Size<i32, Physical>,
    ) -> Result<(), BackendError> {
        let Client { globals, handle, .. } = &self.client;
        let surface = globals.compositor.create_surface(handle, id);
        let xdg_surface = globals.shell.get_xdg_surface(&surface, handle, id);
        let toplevel = xdg_surface.get_toplevel(handle, id);
        toplevel.set_title(title.to_owned());
        toplevel.set_app_id("hyper-dmabuf-compositor".to_owned());
        toplevel.set_min_size(LEAST_SIDE, LEAST_SIDE);
        let viewport = globals.viewporter.as_ref();
        let viewport = viewport.map(|manager| manager.get_viewport(&surface, handle, ()));
        let fractional = globals.fractional.as_ref();
        let fractional =
            fractional.map(|manager| manager.get_fractional_scale(&surface, handle, id));
        let decoration = globals.decoration.as_ref();
        let decoration = decoration.map(|manager| {
            let decoration = manager.get_toplevel_decoration(&toplevel, handle, ());
            decoration.set_mode(DecorationMode::ServerSide);
            decoration
        });
        // Without a picture, so that the host tells how it is to be.
        surface.commit();
        self.client.windows.push(Window {
            id,
            pictures: Swapchain::default(),
            inhibitor: None,
            decoration,
            viewport,
            fractional,
            toplevel,
            xdg_surface,
            surface,
            size: Size::from((size.w, size.h)),
            asked: Size::default(),
            scale: 1.0,
            on: Vec::new(),
            is_configured: false,
            is_free: true,
            is_awaited: false,
        });
        self.client.inhibit_shortcuts();
        self.flush()
    }

    fn close(&mut self, id: WindowId) {
        self.client.windows.retain(|window| window.id != id);
        self.flush_or_warn();
    }

    fn settle(&mut self) -> Result<(), BackendError> {
        let failed = error("waits for its windows");
        while !self.client.windows.iter().all(|window| window.is_configured) {
            self.queue.blocking_dispatch(&mut self.client).map_err(|e| failed(&e))?;
        }
        // Of what was told the outputs begin with the last.
        self.client.told.clear();
        Ok(())
    }

    fn shape(&self, id: WindowId) -> Option<Shape> {
        self.window(id).map(Window::shape)
    }

    fn fitting(&self, id: WindowId, pixels: Size<i32, Physical>) -> Option<Size<i32, Physical>> {
        let window = self.window(id)?;
        if pixels == window.shape().pixels {
            return Some(pixels);
        }
        window.is_free.then(|| {
            let side =
                |side: i32| ((f64::from(side) / window.scale).round() * window.scale).round();
            Size::from((side(pixels.w) as i32, side(pixels.h) as i32))
        })
    }

    fn resize(&mut self, id: WindowId, pixels: Size<i32, Physical>) {
        if let Some(window) = self.client.window_mut(id) {
            window.size = pixels.to_f64().to_logical(window.scale).to_i32_round();
        }
    }

    fn show(
        &mut self,
        id: WindowId,
        transform: Transform,
        drawer: &mut Drawer,
        scene: &Scene<'_>,
    ) -> Result<Rendered, BackendError> {
        let Client { windows, globals, handle, .. } = &mut self.client;
        let window = windows.iter_mut().find(|window| window.id == id);
        let window = window.ok_or_else(|| error("has lost a window")(&id.0))?;
        if !window.is_configured {
            window.is_awaited = true;
            let states = RenderElementStates::default();
            return Ok(Rendered::all_drawn(true, true, states));
        }
        let shape = window.shape();
        let share = |canvas: &Canvas| Ok(Shared(globals.share(canvas, id, handle)));
        let (drawn, states) =
            window.pictures.draw((shape.pixels, transform), drawer, scene, share)?;
        let Some(drawn) = drawn else {
            return Ok(Rendered::all_drawn(false, false, states));
        };
        let surface = &window.surface;
        surface.attach(Some(&drawn.buffer.0), 0, 0);
        match &window.viewport {
            Some(viewport) => viewport.set_destination(window.size.w.max(1), window.size.h.max(1)),
            None => surface.set_buffer_scale(window.scale as i32),
        }
        for area in drawn.changed {
            surface.damage_buffer(area.loc.x, area.loc.y, area.size.w, area.size.h);
        }
        surface.frame(handle, id);
        surface.commit();
        self.flush()?;
        Ok(Rendered::all_drawn(true, true, states))
    }

    fn forget_pictures(&mut self, id: WindowId) {
        self.client.window_mut(id).into_iter().for_each(|window| window.pictures.forget());
    }

    fn hold_shortcuts(&mut self, hold: bool) {
        self.client.seat.holds_shortcuts = hold;
        self.client.inhibit_shortcuts();
        self.flush_or_warn();
    }

    fn holds_shortcuts(&self) -> bool {
        self.client.seat.holds_shortcuts
    }

    fn readable(&self) -> Result<OwnedFd, BackendError> {
        let descriptor = self.connection.backend().poll_fd().try_clone_to_owned();
        descriptor.map_err(|e| error("cannot wait for the host")(&e))
    }

    fn read(&mut self) -> Result<Vec<Told>, BackendError> {
        let failed = error("has lost the Wayland desktop");
        loop {
            self.queue.dispatch_pending(&mut self.client).map_err(|e| failed(&e))?;
            let Some(guard) = self.queue.prepare_read() else { continue };
            match guard.read() {
                Ok(_) => {}
                Err(WaylandError::Io(error)) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(failed(&error)),
            }
        }
        self.flush()?;
        Ok(std::mem::take(&mut self.client.told))
    }
}

impl Wayland {
    fn flush(&self) -> Result<(), BackendError> {
        match self.connection.flush() {
            // The host is slow. It tells something when it has read this much, and then the rest goes.
            Err(WaylandError::Io(error)) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            flushed => flushed.map_err(|e| error("has lost the Wayland desktop")(&e)),
        }
    }

    /// If the host is gone, that is told when it is read next.
    fn flush_or_warn(&self) {
        if let Err(error) = self.flush() {
            tracing::warn!(%error, "the host does not hear");
        }
    }
}
