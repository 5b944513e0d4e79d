//! Windows of an X11 desktop.
//!
//! X11 does not say when a picture is seen: the next one is drawn a period after it.

mod events;
mod window;

use std::{
    os::fd::{AsFd, OwnedFd},
    rc::Rc,
};

use calloop::ping::Ping;
use smithay::utils::{Physical, Size, Transform};
use x11rb::{
    connection::Connection,
    protocol::{
        Event,
        shm::ConnectionExt as _,
        xkb::{self, ConnectionExt as _},
        xproto::{self, ConnectionExt as _, GrabMode, ImageOrder},
    },
    rust_connection::RustConnection,
};

use super::{
    error,
    host::{Host, Shape, Told, WindowId},
    keys::HeldKeys,
};
use crate::{
    backend::{BackendError, Rendered, drawer::Drawer},
    render::elements::Scene,
};
use window::Window;

x11rb::atom_manager! {
    /// Names of X11 that are used.
    Atoms: AtomsCookie {
        WM_PROTOCOLS,
        WM_DELETE_WINDOW,
        _NET_WM_NAME,
        UTF8_STRING,
    }
}

/// The dots an inch at which things are not scaled.
const USUAL_DPI: f64 = 96.0;

/// An X11 desktop that has our windows.
pub(super) struct X11 {
    connection: Rc<RustConnection>,
    atoms: Atoms,
    screen: usize,
    /// Shows nothing, where ours is drawn in the picture.
    cursor: xproto::Cursor,
    /// The server maps our memory, and does not have the pixels sent.
    shares_memory: bool,
    /// How many pixels there are to one of a window's.
    scale: f64,
    windows: Vec<Window>,
    held: HeldKeys,
    /// All keys come here while one of our windows has the keyboard.
    holds_shortcuts: bool,
    /// Events that were read while something was sent.
    early: Vec<Event>,
    /// Says that there are such.
    wake: Ping,
}

impl X11 {
    /// Connect to the desktop that the environment names.
    pub(super) fn connect(wake: Ping) -> Result<X11, BackendError> {
        let failed = error("cannot use the X11 desktop that DISPLAY names (may this user use it?)");
        let (connection, screen) = x11rb::connect(None).map_err(|e| failed(&e))?;
        let setup = connection.setup();
        let root = &setup.roots[screen];
        if root.root_depth < 24 || setup.image_byte_order != ImageOrder::LSB_FIRST {
            return Err(failed(&"its screen has other pixels than 32 bits with blue first"));
        }
        let atoms = Atoms::new(&connection).map_err(|e| failed(&e))?;
        let atoms = atoms.reply().map_err(|e| failed(&e))?;
        // From 1.2 on memory is shared by descriptor.
        let shared = connection.shm_query_version().ok().and_then(|cookie| cookie.reply().ok());
        let shares_memory =
            shared.is_some_and(|shm| (shm.major_version, shm.minor_version) >= (1, 2));
        // So that a key that is held does not look like one that is pressed again and again.
        let no_repeats = xkb::PerClientFlag::DETECTABLE_AUTO_REPEAT;
        let core = xkb::ID::USE_CORE_KBD.into();
        let all = xkb::PerClientFlag::from(u32::from(no_repeats));
        let none = xkb::BoolCtrl::from(0_u32);
        let xkb = connection.xkb_use_extension(1, 0).ok().and_then(|cookie| cookie.reply().ok());
        if xkb.is_some_and(|xkb| xkb.supported) {
            let set = connection.xkb_per_client_flags(core, all, all, none, none, none);
            set.ok().and_then(|cookie| cookie.reply().ok());
        }
        let resources = x11rb::resource_manager::new_from_default(&connection).ok();
        let dpi = resources.and_then(|all| all.get_value::<f64>("Xft.dpi", "").ok().flatten());
        let scale = (dpi.unwrap_or(USUAL_DPI) / USUAL_DPI).clamp(1.0, 8.0);
        let cursor = window::no_cursor(&connection, root.root).map_err(|e| failed(&e))?;
        Ok(X11 {
            connection: Rc::new(connection),
            atoms,
            screen,
            cursor,
            shares_memory,
            scale,
            windows: Vec::new(),
            held: HeldKeys::default(),
            holds_shortcuts: false,
            early: Vec::new(),
            wake,
        })
    }

    fn window(&self, id: WindowId) -> Option<&Window> {
        self.windows.iter().find(|window| window.id == id)
    }

    /// Send what is to be sent. What comes meanwhile is kept.
    fn flush(&mut self) -> Result<(), BackendError> {
        let failed = error("has lost the X11 desktop");
        self.connection.flush().map_err(|e| failed(&e))?;
        while let Some(event) = self.connection.poll_for_event().map_err(|e| failed(&e))? {
            self.early.push(event);
            self.wake.ping();
        }
        Ok(())
    }

    /// Have all keys come to the window that has the keyboard, or no more.
    fn grab_keyboard(&self) {
        let focused = self.windows.iter().find(|window| window.has_keyboard);
        let done = match focused.filter(|_| self.holds_shortcuts) {
            Some(window) => {
                let (time, mode) = (x11rb::CURRENT_TIME, GrabMode::ASYNC);
                let grab = self.connection.grab_keyboard(true, window.name(), time, mode, mode);
                grab.map(|cookie| cookie.discard_reply_and_errors())
            }
            None => {
                let ungrab = self.connection.ungrab_keyboard(x11rb::CURRENT_TIME);
                ungrab.map(|cookie| cookie.ignore_error())
            }
        };
        if let Err(error) = done {
            tracing::warn!(%error, "cannot have the host's shortcuts");
        }
    }
}

impl Host for X11 {
    fn open(
        &mut self,
        id: WindowId,
        title: &str,
        size: Size<i32, Physical>,
    ) -> Result<(), BackendError> {
        let window = Window::open(self, id, title, size);
        self.windows.push(window.map_err(|e| error("cannot open a window")(&e))?);
        self.flush()
    }

    fn close(&mut self, id: WindowId) {
        self.windows.retain(|window| window.id != id);
        if let Err(error) = self.flush() {
            tracing::warn!(%error, "a window may stay");
        }
    }

    fn settle(&mut self) -> Result<(), BackendError> {
        // Another size is told when the window has it.
        Ok(())
    }

    fn shape(&self, id: WindowId) -> Option<Shape> {
        self.window(id).map(|window| Shape { pixels: window.size, scale: self.scale })
    }

    fn fitting(&self, id: WindowId, pixels: Size<i32, Physical>) -> Option<Size<i32, Physical>> {
        self.window(id).map(|_| pixels)
    }

    fn resize(&mut self, id: WindowId, pixels: Size<i32, Physical>) {
        if let Some(window) = self.windows.iter_mut().find(|window| window.id == id) {
            window.resize(pixels);
        }
    }

    fn show(
        &mut self,
        id: WindowId,
        transform: Transform,
        drawer: &mut Drawer,
        scene: &Scene<'_>,
    ) -> Result<Rendered, BackendError> {
        let shares_memory = self.shares_memory;
        let window = self.windows.iter_mut().find(|window| window.id == id);
        let window = window.ok_or_else(|| error("has lost a window")(&id.0))?;
        let rendered = window.show(shares_memory, transform, drawer, scene)?;
        self.flush()?;
        Ok(rendered)
    }

    fn forget_pictures(&mut self, id: WindowId) {
        let window = self.windows.iter_mut().find(|window| window.id == id);
        window.into_iter().for_each(|window| window.pictures.forget());
    }

    fn hold_shortcuts(&mut self, hold: bool) {
        self.holds_shortcuts = hold;
        self.grab_keyboard();
        if let Err(error) = self.flush() {
            tracing::warn!(%error, "cannot have the host's shortcuts");
        }
    }

    fn holds_shortcuts(&self) -> bool {
        self.holds_shortcuts
    }

    fn readable(&self) -> Result<OwnedFd, BackendError> {
        let descriptor = self.connection.stream().as_fd().try_clone_to_owned();
        descriptor.map_err(|e| error("cannot wait for the host")(&e))
    }

    fn read(&mut self) -> Result<Vec<Told>, BackendError> {
        self.flush()?;
        let mut told = Vec::new();
        for event in std::mem::take(&mut self.early) {
            self.told(event, &mut told);
        }
        self.connection.flush().map_err(|e| error("has lost the X11 desktop")(&e))?;
        Ok(told)
    }
}
