//! One window: a client's toplevel, where it lies, and the frame around it.

use smithay::{
    desktop::PopupManager,
    reexports::wayland_server::protocol::wl_surface::WlSurface,
    utils::{Logical, Point, Rectangle, Size},
};

use super::role::Role;
use crate::{
    client::ClientOrigin,
    handlers::limits,
    render::{
        frame_decoration::{FrameDecoration, FrameStyle, FrameText, FrameTheme},
        text::Fonts,
    },
    shell::grabs::ResizeEdges,
    title,
    trust::consent::Consent,
    xwayland::window::X11Window,
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
    /// It fills what panels leave of the output, frame and all.
    Maximized,
    /// It fills a half of what panels leave.
    Tiled(Half),
    /// It fills the output: a local window without its frame; a domain's window what bar and panels
    /// leave of it, with a coloured edge, unless a person grants it more.
    Fullscreen,
}

/// Half of the room, from one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// The left one.
    Left,
    /// The right one.
    Right,
}

impl Half {
    /// This half of a room.
    fn of(self, room: Rectangle<i32, Logical>) -> Rectangle<i32, Logical> {
        let left = room.size.w / 2;
        let (x, width) = match self {
            Half::Left => (room.loc.x, left),
            Half::Right => (room.loc.x + left, room.size.w - left),
        };
        Rectangle::new((x, room.loc.y).into(), (width, room.size.h).into())
    }
}

/// The room that there is for windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// All of the output.
    pub whole: Rectangle<i32, Logical>,
    /// What the identity bar leaves of it.
    pub output: Rectangle<i32, Logical>,
    /// What panels leave of that.
    pub free: Rectangle<i32, Logical>,
}

/// The greatest side of a window in pixels.
pub const GREATEST_SIDE: i32 = 16_384;

/// One window.
#[derive(Debug)]
pub struct Window {
    id: WindowId,
    role: Role,
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
    minimized: bool,
    workspace: u8,
    /// Its workspace is the one that is shown.
    workspace_shown: bool,
    extent: Extent,
    /// How it fills the output when it no longer fills the screen.
    behind: Extent,
    /// A person lets it fill the screen without a frame, until it no longer does.
    trusted_with_screen: bool,
    /// Where to return to from another extent.
    floating: Option<Rectangle<i32, Logical>>,
    /// The corner that stays where it is while the size changes.
    resizing: Option<Resizing>,
}

/// A change of size whose result is awaited.
#[derive(Clone, Copy, Debug)]
struct Resizing {
    /// The edges that move.
    edges: ResizeEdges,
    /// The client's pixels before.
    initial: Rectangle<i32, Logical>,
    /// The pointer has let go; the next size is the last.
    last: bool,
}

impl Window {
    /// A window that has nothing to show yet.
    pub fn new(id: WindowId, role: Role, origin: ClientOrigin) -> Window {
        Window {
            id,
            role,
            origin,
            title: String::new(),
            app_id: String::new(),
            frame: FrameDecoration::default(),
            location: Point::default(),
            placed: false,
            mapped: false,
            active: false,
            minimized: false,
            workspace: 0,
            workspace_shown: true,
            extent: Extent::Floating,
            behind: Extent::Floating,
            trusted_with_screen: false,
            floating: None,
            resizing: None,
        }
    }

    /// Its name.
    pub fn id(&self) -> WindowId {
        self.id
    }

    /// The surface with the client's pixels.
    pub fn wl_surface(&self) -> &WlSurface {
        self.role.wl_surface()
    }

    /// The part of that surface that is the window; shadows are not.
    pub fn geometry(&self) -> Rectangle<i32, Logical> {
        self.role.geometry()
    }

    /// The X11 window that it is, if its program speaks X11.
    pub fn x11(&self) -> Option<&X11Window> {
        match &self.role {
            Role::Xdg(_) => None,
            Role::X11(window) => Some(window),
        }
    }

    /// The X11 window that it is, to change what is known of it.
    pub(crate) fn x11_mut(&mut self) -> Option<&mut X11Window> {
        match &mut self.role {
            Role::Xdg(_) => None,
            Role::X11(window) => Some(window),
        }
    }

    /// The surface of the window that it belongs to, if it is a dialogue.
    pub fn parent(&self) -> Option<WlSurface> {
        self.role.parent()
    }

    /// Ask the client to close it.
    pub fn close(&self) {
        self.role.close();
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
        self.mapped && !self.minimized && self.workspace_shown
    }

    /// Whether it was taken out of sight.
    pub fn is_minimized(&self) -> bool {
        self.minimized
    }

    /// Take it out of sight, or back.
    pub fn set_minimized(&mut self, minimized: bool) {
        self.minimized = minimized;
        self.tell_suspended();
    }

    /// The workspace that it is on, counted from 0.
    pub fn workspace(&self) -> u8 {
        self.workspace
    }

    /// Move it to a workspace. Whether that is shown is told by
    /// [`WindowStack::show_workspace`](super::stack::WindowStack::show_workspace).
    pub fn set_workspace(&mut self, number: u8) {
        self.workspace = number;
    }

    /// Its workspace is shown, or not.
    pub(super) fn set_workspace_shown(&mut self, shown: bool) {
        self.workspace_shown = shown;
        self.tell_suspended();
    }

    /// Tell the client whether anybody sees what it draws.
    fn tell_suspended(&self) {
        self.role.tell_suspended(self.minimized || !self.workspace_shown);
    }

    /// Whether it has the focus.
    pub fn is_active(&self) -> bool {
        self.active
    }

    /// How it fills the output.
    pub fn extent(&self) -> Extent {
        self.extent
    }

    /// How it fills the output when it no longer fills the screen.
    pub fn behind(&self) -> Extent {
        self.behind
    }

    /// Say how it is to fill the output when it no longer fills the screen.
    pub fn set_behind(&mut self, extent: Extent) {
        self.behind = extent;
    }

    /// How much of a frame is drawn around it. A domain's window is never without unless a person
    /// wants it so: it could otherwise show a whole desktop of its own making.
    pub fn frame_style(&self, theme: &FrameTheme) -> FrameStyle {
        match (self.extent, &self.origin) {
            (Extent::Fullscreen, ClientOrigin::Local) => FrameStyle::None,
            (Extent::Fullscreen, ClientOrigin::Domain(_)) => {
                match (self.trusted_with_screen, theme.identity_bar()) {
                    (true, _) => FrameStyle::None,
                    (false, Some(_)) => FrameStyle::Edge,
                    (false, None) => FrameStyle::Whole,
                }
            }
            (_, ClientOrigin::Local) if !self.role.wants_frame() => FrameStyle::None,
            _ => FrameStyle::Whole,
        }
    }

    /// Whether it has all of the screen, the identity bar's place too.
    pub fn has_whole_screen(&self) -> bool {
        self.extent == Extent::Fullscreen
            && (self.trusted_with_screen || self.origin == ClientOrigin::Local)
    }

    /// Let it have all of the screen while it fills it, or no longer. To be followed by
    /// [`set_extent`](Self::set_extent).
    pub fn trust_with_screen(&mut self, trusted: bool) {
        self.trusted_with_screen = trusted;
    }

    /// Where the client's pixels lie. Nothing of the client is drawn outside.
    pub fn client_area(&self) -> Rectangle<i32, Logical> {
        let size = self.geometry().size;
        let side = |length: i32| length.clamp(1, GREATEST_SIDE);
        Rectangle::new(self.location, Size::from((side(size.w), side(size.h))))
    }

    /// Where the window lies, frame and all.
    pub fn outer_area(&self, theme: &FrameTheme) -> Rectangle<i32, Logical> {
        theme.outer(self.client_area(), self.frame_style(theme))
    }

    /// Put the client's pixels at `location`.
    pub fn move_to(&mut self, location: Point<i32, Logical>) {
        self.placed = true;
        self.location = location;
        self.role.tell_place(location);
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
        let (title, app_id) = self.role.names();
        let (title, app_id) = (title::clean(&title), title::clean(&app_id));
        let changed = (&title, &app_id) != (&self.title, &self.app_id);
        (self.title, self.app_id) = (title, app_id);
        changed
    }

    /// All frames are to look differently.
    pub fn forget_frame(&mut self) {
        self.frame = FrameDecoration::default();
    }

    /// Bring the frame up to date for outputs of these scales.
    pub fn refresh_frame(&mut self, theme: &FrameTheme, fonts: &Fonts, scales: &[f64]) {
        if !self.is_visible() || self.frame_style(theme) == FrameStyle::None {
            return;
        }
        let domain = self.origin.domain().map(|domain| (domain.name.clone(), domain.colour()));
        let title = if self.title.is_empty() { self.app_id.clone() } else { self.title.clone() };
        let text = FrameText { domain, title, active: self.active };
        let size = self.client_area().size;
        self.frame.update(theme, fonts, size, &text, scales);
    }

    /// The client committed. Whether the window began or ceased to have something to show.
    pub fn committed(&mut self) -> Option<Mapping> {
        self.role.committed();
        let has_buffer = limits::has_buffer(self.wl_surface());
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
        let before = self.location;
        if resizing.edges.left {
            self.location.x = resizing.initial.loc.x + resizing.initial.size.w - size.w;
        }
        if resizing.edges.top {
            self.location.y = resizing.initial.loc.y + resizing.initial.size.h - size.h;
        }
        if self.location != before {
            self.role.tell_place(self.location);
        }
        if resizing.last && self.role.has_resized() {
            self.resizing = None;
        }
    }

    /// An edge is dragged: ask the client for this size.
    pub fn resize(
        &mut self,
        edges: ResizeEdges,
        initial: Rectangle<i32, Logical>,
        size: Size<i32, Logical>,
    ) {
        self.resizing = Some(Resizing { edges, initial, last: false });
        self.role.resize(size);
    }

    /// The edge was let go.
    pub fn resizing_ends(&mut self) {
        if let Some(resizing) = &mut self.resizing {
            resizing.last = true;
            if self.role.resizing_ends() {
                self.resizing = None;
            }
        }
    }

    /// Whether it has a place on the screen from an earlier mapping: it appears there again.
    pub fn was_placed(&self) -> bool {
        self.placed
    }

    /// Whether where it lies was decided already, by its first placing or by what it fills.
    pub fn has_place(&self) -> bool {
        self.placed || self.extent != Extent::Floating
    }

    /// Tell the client whether it has the focus.
    pub fn set_active(&mut self, active: bool) -> bool {
        let changed = self.active != active;
        self.active = active;
        self.role.tell_active(active);
        changed
    }

    /// The least and greatest size that the client accepts; zero where it does not say.
    pub fn size_limits(&self) -> (Size<i32, Logical>, Size<i32, Logical>) {
        self.role.size_limits()
    }

    /// Where a person wanted it, frame and all, when its program was started.
    pub fn wanted_place(&self) -> Option<Point<i32, Logical>> {
        self.role.wanted_place()
    }

    /// Whether the client waits to be told, for the first time, what the window may be.
    pub fn awaits_first_configure(&self) -> bool {
        self.role.awaits_first_configure()
    }

    /// Tell it.
    pub fn send_first_configure(&self, bounds: Size<i32, Logical>) {
        self.role.send_first_configure(bounds);
    }

    /// Fill the output, or return from there.
    pub fn set_extent(&mut self, extent: Extent, room: Room, theme: &FrameTheme) {
        if self.extent == Extent::Floating && self.mapped {
            self.floating = Some(self.client_area());
        }
        if self.extent != Extent::Fullscreen {
            self.behind = if extent == Extent::Fullscreen { self.extent } else { extent };
        } else if extent != Extent::Fullscreen {
            self.behind = extent;
        }
        self.extent = extent;
        self.resizing = None;
        let domain = self.origin.domain();
        self.trusted_with_screen |= domain.is_some_and(|it| it.has_unasked(Consent::Screen));
        self.trusted_with_screen &= extent == Extent::Fullscreen;
        let room = match extent {
            Extent::Floating => None,
            Extent::Maximized => Some(room.free),
            Extent::Tiled(half) => Some(half.of(room.free)),
            Extent::Fullscreen if self.has_whole_screen() => Some(room.whole),
            Extent::Fullscreen => Some(room.free),
        };
        let target = room.map(|room| theme.inner(room, self.frame_style(theme)));
        let area = target.or(self.floating);
        if let Some(area) = area {
            self.location = area.loc;
        }
        self.role.tell_extent(extent, area);
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
