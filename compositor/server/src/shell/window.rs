//! One window: a client's toplevel, where it lies, and the frame around it.

use smithay::{
    backend::renderer::utils::with_renderer_surface_state,
    desktop::{PopupManager, Window as Surface},
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

use crate::{
    client::ClientOrigin,
    render::frame_decoration::{FrameDecoration, FrameText, FrameTheme},
    shell::grabs::ResizeEdges,
    title,
};

/// Names a window for as long as the compositor runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WindowId(pub u64);

/// How a window fills the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// It has its own size and place.
    #[default]
    Floating,
    /// It fills the output, frame and all.
    Maximized,
    /// It fills the output; a local window without its frame, a domain's window with it.
    Fullscreen,
}

/// The greatest side of a window in pixels.
pub const GREATEST_SIDE: i32 = 16_384;

/// One window.
#[derive(Debug)]
pub struct Window {
    id: WindowId,
    surface: Surface,
    toplevel: ToplevelSurface,
    origin: ClientOrigin,
    title: String,
    app_id: String,
    frame: FrameDecoration,
    /// The top left corner of the client's pixels.
    location: Point<i32, Logical>,
    /// It was given a place on the screen before.
    placed: bool,
    mapped: bool,
    active: bool,
    extent: Extent,
    /// Where to return to from another extent.
    floating: Option<Rectangle<i32, Logical>>,
    /// The corner that stays where it is while the size changes.
    resizing: Option<Resizing>,
}

/// A change of size whose result is awaited.
#[derive(Clone, Copy, Debug)]
pub struct Resizing {
    /// The edges that move.
    pub edges: ResizeEdges,
    /// The client's pixels before.
    pub initial: Rectangle<i32, Logical>,
    /// The pointer has let go; the next size is the last.
    pub last: bool,
}

impl Window {
    /// A window that has nothing to show yet.
    pub fn new(id: WindowId, toplevel: ToplevelSurface, origin: ClientOrigin) -> Window {
        Window {
            id,
            surface: Surface::new_wayland_window(toplevel.clone()),
            toplevel,
            origin,
            title: String::new(),
            app_id: String::new(),
            frame: FrameDecoration::default(),
            location: Point::default(),
            placed: false,
            mapped: false,
            active: false,
            extent: Extent::Floating,
            floating: None,
            resizing: None,
        }
    }

    /// Its name.
    pub fn id(&self) -> WindowId {
        self.id
    }

    /// Smithay's window.
    pub fn surface(&self) -> &Surface {
        &self.surface
    }

    /// The client's toplevel.
    pub fn toplevel(&self) -> &ToplevelSurface {
        &self.toplevel
    }

    /// The toplevel's surface.
    pub fn wl_surface(&self) -> &WlSurface {
        self.toplevel.wl_surface()
    }

    /// Where its client comes from.
    pub fn origin(&self) -> &ClientOrigin {
        &self.origin
    }

    /// The cleaned title.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The cleaned name of the application.
    pub fn app_id(&self) -> &str {
        &self.app_id
    }

    /// Its frame.
    pub fn frame(&self) -> &FrameDecoration {
        &self.frame
    }

    /// Whether it has something to show.
    pub fn is_mapped(&self) -> bool {
        self.mapped
    }

    /// Whether it is drawn.
    pub fn is_visible(&self) -> bool {
        self.mapped
    }

    /// Whether it has the focus.
    pub fn is_active(&self) -> bool {
        self.active
    }

    /// How it fills the output.
    pub fn extent(&self) -> Extent {
        self.extent
    }

    /// Whether a frame is drawn around it. A domain's window is never without: it could otherwise
    /// show a whole desktop of its own making.
    pub fn has_frame(&self) -> bool {
        self.extent != Extent::Fullscreen || self.origin != ClientOrigin::Local
    }

    /// Where the client's pixels lie. Nothing of the client is drawn outside.
    pub fn client_area(&self) -> Rectangle<i32, Logical> {
        let size = self.surface.geometry().size;
        let side = |length: i32| length.clamp(1, GREATEST_SIDE);
        Rectangle::new(self.location, Size::from((side(size.w), side(size.h))))
    }

    /// Where the window lies, frame and all.
    pub fn outer_area(&self, theme: &FrameTheme) -> Rectangle<i32, Logical> {
        if self.has_frame() { theme.outer(self.client_area()) } else { self.client_area() }
    }

    /// Put the client's pixels at `location`.
    pub fn move_to(&mut self, location: Point<i32, Logical>) {
        self.placed = true;
        self.location = location;
    }

    /// Call `each` with the toplevel's surface and those of its popups.
    pub fn with_root_surfaces(&self, mut each: impl FnMut(&WlSurface)) {
        each(self.wl_surface());
        for (popup, _) in PopupManager::popups_for_surface(self.wl_surface()) {
            each(popup.wl_surface());
        }
    }

    /// Take over title and application name from the client. Whether either has changed.
    pub fn read_names(&mut self) -> bool {
        let (title, app_id) = with_states(self.wl_surface(), |states| {
            states
                .data_map
                .get::<XdgToplevelSurfaceData>()
                .and_then(|data| data.lock().ok())
                .map(|data| (data.title.clone(), data.app_id.clone()))
                .unwrap_or_default()
        });
        let (title, app_id) =
            (title::clean(&title.unwrap_or_default()), title::clean(&app_id.unwrap_or_default()));
        let changed = (&title, &app_id) != (&self.title, &self.app_id);
        (self.title, self.app_id) = (title, app_id);
        changed
    }

    /// Bring the frame up to date for outputs of these scales.
    pub fn refresh_frame(&mut self, theme: &FrameTheme, scales: &[f64]) {
        if !self.is_visible() || !self.has_frame() {
            return;
        }
        let domain = self.origin.domain().map(|domain| (domain.name.clone(), domain.colour));
        let title = if self.title.is_empty() { self.app_id.clone() } else { self.title.clone() };
        let text = FrameText { domain, title, active: self.active };
        let size = self.client_area().size;
        self.frame.update(theme, size, &text, scales);
    }

    /// The client committed. Whether the window began or ceased to have something to show.
    pub fn committed(&mut self) -> Option<Mapping> {
        self.surface.on_commit();
        let has_buffer =
            with_renderer_surface_state(self.wl_surface(), |state| state.buffer().is_some())
                .unwrap_or(false);
        let was_mapped = std::mem::replace(&mut self.mapped, has_buffer);
        self.keep_corner();
        match (was_mapped, has_buffer) {
            (false, true) => Some(Mapping::Mapped),
            (true, false) => Some(Mapping::Unmapped),
            _ => None,
        }
    }

    /// While the left or upper edge is dragged, the other edges stay.
    fn keep_corner(&mut self) {
        let Some(resizing) = self.resizing else { return };
        let size = self.client_area().size;
        if resizing.edges.left {
            self.location.x = resizing.initial.loc.x + resizing.initial.size.w - size.w;
        }
        if resizing.edges.top {
            self.location.y = resizing.initial.loc.y + resizing.initial.size.h - size.h;
        }
        let resizing_state = self.toplevel.current_state().states.contains(ToplevelState::Resizing);
        if resizing.last && !resizing_state {
            self.resizing = None;
        }
    }

    /// Begin, go on with, or end a change of size.
    pub fn set_resizing(&mut self, resizing: Option<Resizing>) {
        self.resizing = resizing;
    }

    /// Whether it has a place on the screen from an earlier mapping: it appears there again.
    pub fn was_placed(&self) -> bool {
        self.placed
    }

    /// Tell the client whether it has the focus.
    pub fn set_active(&mut self, active: bool) -> bool {
        let changed = self.active != active;
        self.active = active;
        self.surface.set_activated(active);
        if self.toplevel.is_initial_configure_sent() {
            self.toplevel.send_pending_configure();
        }
        changed
    }

    /// The least and greatest size that the client accepts; zero where it does not say.
    pub fn size_limits(&self) -> (Size<i32, Logical>, Size<i32, Logical>) {
        with_states(self.wl_surface(), |states| {
            let mut state = states.cached_state.get::<SurfaceCachedState>();
            let state = state.current();
            (state.min_size, state.max_size)
        })
    }

    /// Tell the client, for the first time, what it may be.
    pub fn send_first_configure(&mut self, bounds: Size<i32, Logical>) {
        self.toplevel.with_pending_state(|state| {
            state.decoration_mode = Some(Mode::ServerSide);
            state.bounds = Some(bounds);
        });
        self.toplevel.send_configure();
    }

    /// Fill the output, or return from there. `output` is what there is to fill.
    pub fn set_extent(
        &mut self,
        extent: Extent,
        output: Rectangle<i32, Logical>,
        theme: &FrameTheme,
    ) {
        if self.extent == Extent::Floating && self.mapped {
            self.floating = Some(self.client_area());
        }
        self.extent = extent;
        self.resizing = None;
        let target = match extent {
            Extent::Floating => None,
            _ if self.has_frame() => Some(theme.inner(output)),
            _ => Some(output),
        };
        let size = match target.or(self.floating) {
            Some(area) => {
                self.location = area.loc;
                Some(area.size)
            }
            None => None,
        };
        self.toplevel.with_pending_state(|state| {
            for (wanted, flag) in [
                (Extent::Maximized, ToplevelState::Maximized),
                (Extent::Fullscreen, ToplevelState::Fullscreen),
            ] {
                if extent == wanted {
                    state.states.set(flag);
                } else {
                    state.states.unset(flag);
                }
            }
            state.size = size;
        });
        if self.toplevel.is_initial_configure_sent() {
            self.toplevel.send_configure();
        }
    }
}

/// What became of a window at a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// It has something to show for the first time, or again.
    Mapped,
    /// It has nothing to show any more.
    Unmapped,
}
