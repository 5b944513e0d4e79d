//! X11 programs of the display domain, by Xwayland.
//!
//! Who runs no X11 program pays nothing: there is a socket where they find us (`sockets`), and
//! Xwayland is started when the first one comes (`server`, `launcher`). We are its window manager
//! (`manager`): its windows are windows like others (`window`), but for menus and tooltips, which
//! place themselves (`unmanaged`). A window manager waits for answers of the X server, though not for
//! long (`watchdog`, `nested_loop`).
//!
//! No guest has a part in this: what X11 programs may, local programs may who are not trusted. Among
//! each other X11 programs have no secrets.

mod launcher;
mod manager;
mod nested_loop;
mod pairing;
mod selection;
mod server;
mod sockets;
pub mod unmanaged;
mod watchdog;
pub mod window;

use smithay::{
    reexports::wayland_server::protocol::wl_surface::WlSurface,
    xwayland::{X11Surface, X11Wm},
};

use crate::state::State;
use server::Server;
use sockets::X11Display;
use unmanaged::Unmanaged;
use watchdog::within;

/// Everything about X11 programs.
#[derive(Debug, Default)]
pub(crate) struct Xwayland {
    /// Where they find us; `None` where there are none.
    display: Option<X11Display>,
    server: Server,
    /// Window managers of Xwaylands that are gone. Transfers of the clipboard that are still under way
    /// ask for them, and Smithay does not say when the last one is over.
    retired: Vec<X11Wm>,
    /// Windows that Xwayland shows, or is about to, and their surfaces once those are known.
    shown: Vec<(X11Surface, Option<WlSurface>)>,
    /// Menus and tooltips, lowest first.
    unmanaged: Vec<Unmanaged>,
}

impl Xwayland {
    /// Menus and tooltips, lowest first.
    pub(crate) fn unmanaged(&self) -> &[Unmanaged] {
        &self.unmanaged
    }
}

impl State {
    /// What X11 programs find in `DISPLAY`, where they can run.
    pub fn x11_display(&self) -> Option<String> {
        self.xwayland.display.as_ref().map(X11Display::name)
    }

    /// Do something in which Xwayland is told or asked something, and may be slow.
    pub(crate) fn tell_x11<R>(&mut self, tell: impl FnOnce(&mut State) -> R) -> R {
        within(self.xwayland.server.watch().as_ref(), || tell(self))
    }

    /// Whether an Xwayland runs.
    pub fn xwayland_runs(&self) -> bool {
        self.xwayland.server.is_running()
    }
}
