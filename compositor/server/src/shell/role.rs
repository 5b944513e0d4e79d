//! What a window is to the program that drew it, and how that program is told what becomes of it.

use smithay::{
    desktop::Window as XdgWindow,
    reexports::{
        wayland_protocols::xdg::{
            decoration::zv1::server::zxdg_toplevel_decoration_v1::Mode,
            shell::server::xdg_toplevel::State as ToplevelState,
        },
        wayland_server::protocol::wl_surface::WlSurface,
    },
    utils::{Logical, Point, Rectangle, Size},
    wayland::{
        compositor::with_states,
        shell::xdg::{SurfaceCachedState, ToplevelSurface, XdgToplevelSurfaceData},
    },
};

use super::window::{Extent, Half};
use crate::xwayland::window::X11Window;

/// What a window is to its program.
#[derive(Debug)]
pub enum Role {
    /// A toplevel of `xdg_shell`.
    Xdg(Toplevel),
    /// A window of an X11 program.
    X11(Box<X11Window>),
}

/// A toplevel of `xdg_shell`, as the protocol has it and as Smithay's desktop does.
#[derive(Debug)]
pub struct Toplevel {
    toplevel: ToplevelSurface,
    window: XdgWindow,
}

impl From<ToplevelSurface> for Role {
    fn from(toplevel: ToplevelSurface) -> Role {
        let window = XdgWindow::new_wayland_window(toplevel.clone());
        Role::Xdg(Toplevel { toplevel, window })
    }
}

impl From<X11Window> for Role {
    fn from(window: X11Window) -> Role {
        Role::X11(Box::new(window))
    }
}

impl Role {
    /// The surface with the window's pixels.
    pub(super) fn wl_surface(&self) -> &WlSurface {
        match self {
            Role::Xdg(xdg) => xdg.toplevel.wl_surface(),
            Role::X11(window) => window.wl_surface(),
        }
    }

    /// The surface of the window that it belongs to, if it is a dialogue.
    pub(super) fn parent(&self) -> Option<WlSurface> {
        match self {
            Role::Xdg(xdg) => xdg.toplevel.parent(),
            Role::X11(window) => window.parent().cloned(),
        }
    }

    /// Title and name of the application, as the program wrote them.
    pub(super) fn names(&self) -> (String, String) {
        match self {
            Role::Xdg(xdg) => xdg.names(),
            Role::X11(window) => window.names(),
        }
    }

    /// The part of the surface that is the window; shadows are not.
    pub(super) fn geometry(&self) -> Rectangle<i32, Logical> {
        match self {
            Role::Xdg(xdg) => xdg.window.geometry(),
            Role::X11(window) => Rectangle::from_size(window.size()),
        }
    }

    /// Whether the program leaves it to us to draw a frame.
    pub(super) fn wants_frame(&self) -> bool {
        match self {
            Role::Xdg(_) => true,
            Role::X11(window) => window.wants_frame(),
        }
    }

    /// Where a person wanted the window, frame and all, when the program was started.
    pub(super) fn wanted_place(&self) -> Option<Point<i32, Logical>> {
        match self {
            Role::Xdg(_) => None,
            Role::X11(window) => window.wanted_place(),
        }
    }

    /// The least and greatest size that the program accepts; zero where it does not say.
    pub(super) fn size_limits(&self) -> (Size<i32, Logical>, Size<i32, Logical>) {
        match self {
            Role::Xdg(xdg) => xdg.size_limits(),
            Role::X11(window) => window.size_limits(),
        }
    }

    /// The program committed.
    pub(super) fn committed(&self) {
        match self {
            Role::Xdg(xdg) => xdg.window.on_commit(),
            Role::X11(_) => {}
        }
    }

    /// Ask the program to close the window.
    pub(super) fn close(&self) {
        match self {
            Role::Xdg(xdg) => xdg.toplevel.send_close(),
            Role::X11(window) => window.close(),
        }
    }

    /// Whether the program waits to be told, for the first time, what the window may be.
    pub(super) fn awaits_first_configure(&self) -> bool {
        match self {
            Role::Xdg(xdg) => !xdg.toplevel.is_initial_configure_sent(),
            Role::X11(_) => false,
        }
    }

    /// Tell it.
    pub(super) fn send_first_configure(&self, bounds: Size<i32, Logical>) {
        match self {
            Role::Xdg(xdg) => {
                xdg.toplevel.with_pending_state(|state| {
                    state.decoration_mode = Some(Mode::ServerSide);
                    state.bounds = Some(bounds);
                });
                xdg.toplevel.send_configure();
            }
            Role::X11(_) => {}
        }
    }

    /// Tell the program whether the window has the focus.
    pub(super) fn tell_active(&self, active: bool) {
        match self {
            Role::Xdg(xdg) => xdg.tell(ToplevelState::Activated, active),
            Role::X11(window) => window.tell_active(active),
        }
    }

    /// Tell the program whether anybody sees what it draws.
    pub(super) fn tell_suspended(&self, suspended: bool) {
        match self {
            Role::Xdg(xdg) => xdg.tell(ToplevelState::Suspended, suspended),
            Role::X11(window) => window.tell_suspended(suspended),
        }
    }

    /// Tell the program what the window fills, and its area where that is known.
    pub(super) fn tell_extent(&self, extent: Extent, area: Option<Rectangle<i32, Logical>>) {
        match self {
            Role::Xdg(xdg) => xdg.tell_extent(extent, area.map(|area| area.size)),
            Role::X11(window) => window.tell_extent(extent, area),
        }
    }

    /// Tell the program where its pixels lie.
    pub(super) fn tell_place(&self, place: Point<i32, Logical>) {
        match self {
            // Programs of Wayland do not know where they are.
            Role::Xdg(_) => {}
            Role::X11(window) => window.tell_place(place),
        }
    }

    /// Ask for another size, while a person drags an edge.
    pub(super) fn resize(&self, size: Size<i32, Logical>) {
        match self {
            Role::Xdg(xdg) => {
                xdg.toplevel.with_pending_state(|state| state.size = Some(size));
                xdg.tell(ToplevelState::Resizing, true);
            }
            Role::X11(window) => window.tell_size(size),
        }
    }

    /// The edge was let go. Whether the program has drawn already what it was asked for last.
    pub(super) fn resizing_ends(&self) -> bool {
        match self {
            Role::Xdg(xdg) => {
                xdg.tell(ToplevelState::Resizing, false);
                // It answers that in any case.
                false
            }
            Role::X11(window) => window.has_resized(),
        }
    }

    /// Whether the program has drawn what it was asked for when the edge was let go.
    pub(super) fn has_resized(&self) -> bool {
        match self {
            Role::Xdg(xdg) => {
                !xdg.toplevel.current_state().states.contains(ToplevelState::Resizing)
            }
            Role::X11(window) => window.has_resized(),
        }
    }
}

impl Toplevel {
    fn names(&self) -> (String, String) {
        with_states(self.toplevel.wl_surface(), |states| {
            let data = states.data_map.get::<XdgToplevelSurfaceData>();
            let names = data.and_then(|data| data.lock().ok()).map(|data| {
                let text = |name: &Option<String>| name.clone().unwrap_or_default();
                (text(&data.title), text(&data.app_id))
            });
            names.unwrap_or_default()
        })
    }

    fn size_limits(&self) -> (Size<i32, Logical>, Size<i32, Logical>) {
        with_states(self.toplevel.wl_surface(), |states| {
            let mut state = states.cached_state.get::<SurfaceCachedState>();
            let state = state.current();
            (state.min_size, state.max_size)
        })
    }

    /// Whether the window is in a state. Not said before the program has begun to listen.
    fn tell(&self, flag: ToplevelState, is: bool) {
        self.set(flag, is);
        if self.toplevel.is_initial_configure_sent() {
            self.toplevel.send_pending_configure();
        }
    }

    fn set(&self, flag: ToplevelState, is: bool) {
        self.toplevel.with_pending_state(|state| {
            if is {
                state.states.set(flag);
            } else {
                state.states.unset(flag);
            }
        });
    }

    fn tell_extent(&self, extent: Extent, size: Option<Size<i32, Logical>>) {
        let tiled = |half| extent == Extent::Tiled(half);
        for (flag, is) in [
            (ToplevelState::Maximized, extent == Extent::Maximized),
            (ToplevelState::Fullscreen, extent == Extent::Fullscreen),
            (ToplevelState::TiledLeft, tiled(Half::Left)),
            (ToplevelState::TiledRight, tiled(Half::Right)),
            (ToplevelState::TiledTop, matches!(extent, Extent::Tiled(_))),
            (ToplevelState::TiledBottom, matches!(extent, Extent::Tiled(_))),
        ] {
            self.set(flag, is);
        }
        self.toplevel.with_pending_state(|state| state.size = size);
        if self.toplevel.is_initial_configure_sent() {
            self.toplevel.send_configure();
        }
    }
}
