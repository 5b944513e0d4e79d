//! A window of an X11 desktop.

use std::rc::Rc;

use smithay::{
    backend::renderer::element::RenderElementStates,
    utils::{Buffer, Physical, Rectangle, Size, Transform},
};
use x11rb::{
    COPY_DEPTH_FROM_PARENT, COPY_FROM_PARENT,
    connection::{Connection, RequestConnection},
    errors::{ConnectionError, ReplyOrIdError},
    properties::WmSizeHints,
    protocol::{
        shm::{self, ConnectionExt as _},
        xproto::{
            self, AtomEnum, ConfigureWindowAux, ConnectionExt as _, CreateGCAux, CreateWindowAux,
            EventMask, Gravity, ImageFormat, PropMode, WindowClass,
        },
    },
    rust_connection::RustConnection,
    wrapper::ConnectionExt as _,
};

use super::X11;
use crate::{
    backend::{
        BackendError, Rendered,
        drawer::Drawer,
        nested::{
            canvas::{Canvas, PIXEL},
            error,
            host::WindowId,
            swapchain::{Drawn, Swapchain},
        },
    },
    render::elements::Scene,
};

/// The bits of a pixel that mean something.
const DEPTH: u8 = 24;
/// Bytes of a request to send pixels without the pixels, and some to spare.
const REQUEST_HEAD: usize = 64;

/// What a window hears of.
const HEARD: [EventMask; 11] = [
    EventMask::KEY_PRESS,
    EventMask::KEY_RELEASE,
    EventMask::BUTTON_PRESS,
    EventMask::BUTTON_RELEASE,
    EventMask::POINTER_MOTION,
    EventMask::ENTER_WINDOW,
    EventMask::LEAVE_WINDOW,
    EventMask::KEYMAP_STATE,
    EventMask::EXPOSURE,
    EventMask::STRUCTURE_NOTIFY,
    EventMask::FOCUS_CHANGE,
];

pub(super) struct Window {
    pub(super) id: WindowId,
    pub(super) pictures: Swapchain<Shared>,
    pub(super) size: Size<i32, Physical>,
    pub(super) has_keyboard: bool,
    pub(super) is_mapped: bool,
    /// A picture was to be shown while it was not mapped.
    pub(super) is_awaited: bool,
    name: xproto::Window,
    context: xproto::Gcontext,
    connection: Rc<RustConnection>,
}

/// A picture as the server has it.
pub(super) enum Shared {
    /// It has mapped the memory.
    Mapped { segment: shm::Seg, connection: Rc<RustConnection> },
    /// It is sent the pixels.
    Sent,
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Shared::Mapped { segment, connection } = self
            && let Err(error) = connection.shm_detach(*segment)
        {
            tracing::debug!(%error, "the X11 desktop may keep a picture");
        }
    }
}

impl Shared {
    pub(super) fn is(&self, wanted: shm::Seg) -> bool {
        matches!(self, Shared::Mapped { segment, .. } if *segment == wanted)
    }
}

impl Window {
    pub(super) fn open(
        host: &X11,
        id: WindowId,
        title: &str,
        size: Size<i32, Physical>,
    ) -> Result<Window, ReplyOrIdError> {
        let connection = &host.connection;
        let root = &connection.setup().roots[host.screen];
        let (name, context) = (connection.generate_id()?, connection.generate_id()?);
        let side = |side: i32| (f64::from(side) * host.scale).round() as i32;
        let size = Size::from((side(size.w), side(size.h)));
        let heard = HEARD.into_iter().fold(EventMask::NO_EVENT, |all, one| all | one);
        let settings = CreateWindowAux::new()
            .event_mask(heard)
            .cursor(host.cursor)
            // What was drawn stays where it is until there is more.
            .bit_gravity(Gravity::NORTH_WEST);
        // Sides of outputs are at most 16384.
        let (width, height) = (size.w as u16, size.h as u16);
        connection.create_window(
            COPY_DEPTH_FROM_PARENT,
            name,
            root.root,
            0,
            0,
            width,
            height,
            0,
            WindowClass::INPUT_OUTPUT,
            COPY_FROM_PARENT,
            &settings,
        )?;
        connection.create_gc(context, name, &CreateGCAux::new().graphics_exposures(0))?;
        let (atoms, replace) = (&host.atoms, PropMode::REPLACE);
        let protocols = [atoms.WM_DELETE_WINDOW];
        connection.change_property32(
            replace,
            name,
            atoms.WM_PROTOCOLS,
            AtomEnum::ATOM,
            &protocols,
        )?;
        let class = b"hyper-dmabuf-compositor\0hyper-dmabuf-compositor\0";
        for (property, kind, text) in [
            (AtomEnum::WM_NAME.into(), AtomEnum::STRING.into(), title.as_bytes()),
            (atoms._NET_WM_NAME, atoms.UTF8_STRING, title.as_bytes()),
            (AtomEnum::WM_CLASS.into(), AtomEnum::STRING.into(), class),
        ] {
            connection.change_property8(replace, name, property, kind, text)?;
        }
        let hints = WmSizeHints { min_size: Some((64, 64)), ..WmSizeHints::default() };
        hints.set_normal_hints(connection.as_ref(), name)?;
        connection.map_window(name)?;
        Ok(Window {
            id,
            pictures: Swapchain::default(),
            size,
            has_keyboard: false,
            is_mapped: false,
            is_awaited: false,
            name,
            context,
            connection: Rc::clone(connection),
        })
    }

    pub(super) fn name(&self) -> xproto::Window {
        self.name
    }

    pub(super) fn resize(&mut self, pixels: Size<i32, Physical>) {
        if pixels == self.size {
            return;
        }
        self.size = pixels;
        let sides = ConfigureWindowAux::new().width(pixels.w as u32).height(pixels.h as u32);
        if let Err(error) = self.connection.configure_window(self.name, &sides) {
            tracing::warn!(%error, "a window keeps its size");
        }
    }

    pub(super) fn show(
        &mut self,
        shares_memory: bool,
        transform: Transform,
        drawer: &mut Drawer,
        scene: &Scene<'_>,
    ) -> Result<Rendered, BackendError> {
        if !self.is_mapped {
            self.is_awaited = true;
            let states = RenderElementStates::default();
            return Ok(Rendered::all_drawn(true, true, states));
        }
        let failed = error("cannot share a picture with the X11 desktop");
        let share = |canvas: &Canvas| {
            let shared =
                if shares_memory { map(&self.connection, canvas) } else { Ok(Shared::Sent) };
            shared.map_err(|e| failed(&e))
        };
        let (drawn, states) = self.pictures.draw((self.size, transform), drawer, scene, share)?;
        let changed = drawn.is_some();
        if let Some(drawn) = drawn {
            let put = put(&self.connection, self.name, self.context, &drawn);
            put.map_err(|e| error("cannot show a picture")(&e))?;
        }
        if !shares_memory {
            self.pictures.give_back(|_| true);
        }
        Ok(Rendered::all_drawn(changed, false, states))
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.pictures.forget();
        let freed = self.connection.free_gc(self.context).map(drop);
        let closed = freed.and_then(|()| self.connection.destroy_window(self.name).map(drop));
        if let Err(error) = closed {
            tracing::debug!(%error, "a window went with its desktop");
        }
    }
}

/// Let the server map a picture.
fn map(connection: &Rc<RustConnection>, canvas: &Canvas) -> Result<Shared, ReplyOrIdError> {
    let segment = connection.generate_id()?;
    let file = canvas.file().try_clone_to_owned().map_err(ConnectionError::from)?;
    connection.shm_attach_fd(segment, file, true)?;
    Ok(Shared::Mapped { segment, connection: Rc::clone(connection) })
}

/// Show what has changed of a picture.
fn put(
    connection: &RustConnection,
    window: xproto::Window,
    context: xproto::Gcontext,
    drawn: &Drawn<'_, Shared>,
) -> Result<(), ConnectionError> {
    let size = drawn.canvas.size();
    let format = ImageFormat::Z_PIXMAP;
    for (left, area) in (1..=drawn.changed.len()).rev().zip(&drawn.changed) {
        match drawn.buffer {
            Shared::Mapped { segment, .. } => {
                // Areas lie within a picture, whose sides are at most 16384.
                connection.shm_put_image(
                    window,
                    context,
                    size.w as u16,
                    size.h as u16,
                    area.loc.x as u16,
                    area.loc.y as u16,
                    area.size.w as u16,
                    area.size.h as u16,
                    area.loc.x as i16,
                    area.loc.y as i16,
                    DEPTH,
                    format.into(),
                    // With the last one it tells that it has read the picture.
                    left == 1,
                    *segment,
                    0,
                )?;
            }
            Shared::Sent => send(connection, window, context, drawn.canvas, *area)?,
        }
    }
    Ok(())
}

/// Send the pixels of an area, as many rows at once as a request may have.
fn send(
    connection: &RustConnection,
    window: xproto::Window,
    context: xproto::Gcontext,
    canvas: &Canvas,
    area: Rectangle<i32, Buffer>,
) -> Result<(), ConnectionError> {
    let (stride, width) = (canvas.stride() as usize, area.size.w as usize * PIXEL);
    let most = connection.maximum_request_bytes().saturating_sub(REQUEST_HEAD);
    let rows = (most / width).clamp(1, usize::from(u16::MAX));
    let all = canvas.bytes().chunks_exact(stride).skip(area.loc.y as usize);
    let all: Vec<&[u8]> = all
        .take(area.size.h as usize)
        .map(|row| &row[area.loc.x as usize * PIXEL..][..width])
        .collect();
    for (index, rows_now) in all.chunks(rows).enumerate() {
        let y = area.loc.y as usize + index * rows;
        connection.put_image(
            ImageFormat::Z_PIXMAP,
            window,
            context,
            area.size.w as u16,
            rows_now.len() as u16,
            area.loc.x as i16,
            y as i16,
            0,
            DEPTH,
            &rows_now.concat(),
        )?;
    }
    Ok(())
}

/// A cursor that is not seen.
pub(super) fn no_cursor(
    connection: &RustConnection,
    root: xproto::Window,
) -> Result<xproto::Cursor, ReplyOrIdError> {
    let (nothing, cursor, context) =
        (connection.generate_id()?, connection.generate_id()?, connection.generate_id()?);
    connection.create_pixmap(1, nothing, root, 1, 1)?;
    connection.create_gc(context, nothing, &CreateGCAux::new().foreground(0))?;
    let dot = xproto::Rectangle { x: 0, y: 0, width: 1, height: 1 };
    connection.poly_fill_rectangle(nothing, context, &[dot])?;
    connection.create_cursor(cursor, nothing, nothing, 0, 0, 0, 0, 0, 0, 0, 0)?;
    connection.free_gc(context)?;
    connection.free_pixmap(nothing)?;
    Ok(cursor)
}
