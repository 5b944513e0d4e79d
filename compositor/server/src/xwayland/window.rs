//! One window of an X11 program, and what is told to that program about it.
//!
//! X11 programs know where their windows lie, since they place menus by it: they are told of every
//! move. Their coordinates are the pixels of windows.

use std::fmt::Display;

use smithay::{
    backend::renderer::utils::with_renderer_surface_state,
    reexports::{
        wayland_server::protocol::wl_surface::WlSurface,
        x11rb::{properties::WmSizeHintsSpecification, protocol::xproto},
    },
    utils::{Logical, Point, Rectangle, Size},
    xwayland::{X11Surface, xwm::WmWindowType},
};

use super::watchdog::{Watch, within};
use crate::{handlers::limits, shell::window::Extent, shell::window::GREATEST_SIDE};

/// A window of an X11 program, with the surface that its pixels are on.
#[derive(Debug)]
pub struct X11Window {
    x11: X11Surface,
    surface: WlSurface,
    parent: Option<WlSurface>,
    /// Xwayland may be slow to take what is told.
    watch: Option<Watch>,
}

impl X11Window {
    /// A window whose pixels are on this surface.
    pub(super) fn new(x11: X11Surface, surface: WlSurface, watch: Option<Watch>) -> X11Window {
        X11Window { x11, surface, parent: None, watch }
    }

    fn tell<E: Display>(&self, tell: impl FnOnce(&X11Surface) -> Result<(), E>) {
        told(within(self.watch.as_ref(), || tell(&self.x11)));
    }

    /// Smithay's half.
    pub(crate) fn x11(&self) -> &X11Surface {
        &self.x11
    }

    pub(crate) fn wl_surface(&self) -> &WlSurface {
        &self.surface
    }

    pub(crate) fn parent(&self) -> Option<&WlSurface> {
        self.parent.as_ref()
    }

    /// It is a dialogue of the window with this surface.
    pub(crate) fn set_parent(&mut self, parent: Option<WlSurface>) {
        self.parent = parent;
    }

    pub(crate) fn names(&self) -> (String, String) {
        (self.x11.title(), self.x11.class())
    }

    /// The size of what is drawn, which follows what was asked for.
    pub(crate) fn size(&self) -> Size<i32, Logical> {
        let drawn = with_renderer_surface_state(&self.surface, |state| state.surface_size());
        drawn.flatten().unwrap_or_else(|| self.x11.geometry().size)
    }

    /// A program that draws its own frame says so by the hints of Motif; a splash screen has none.
    pub(crate) fn wants_frame(&self) -> bool {
        !self.x11.is_decorated() && self.x11.window_type() != Some(WmWindowType::Splash)
    }

    pub(crate) fn wanted_place(&self) -> Option<Point<i32, Logical>> {
        let (who, x, y) = self.x11.size_hints()?.position?;
        matches!(who, WmSizeHintsSpecification::UserSpecified)
            .then(|| Point::from((limits::position(x), limits::position(y))))
    }

    pub(crate) fn size_limits(&self) -> (Size<i32, Logical>, Size<i32, Logical>) {
        let (least, greatest) = (self.x11.min_size(), self.x11.max_size());
        let side = |length: i32| length.clamp(0, GREATEST_SIDE);
        let bounded = |size: Size<i32, Logical>| Size::from((side(size.w), side(size.h)));
        (least.map(bounded).unwrap_or_default(), greatest.map(bounded).unwrap_or_default())
    }

    pub(crate) fn has_resized(&self) -> bool {
        self.size() == self.x11.geometry().size
    }

    pub(crate) fn close(&self) {
        self.tell(X11Surface::close);
    }

    pub(crate) fn tell_active(&self, active: bool) {
        self.tell(|x11| x11.set_activated(active));
    }

    pub(crate) fn tell_suspended(&self, suspended: bool) {
        self.tell(|x11| x11.set_suspended(suspended));
    }

    pub(crate) fn tell_extent(&self, extent: Extent, area: Option<Rectangle<i32, Logical>>) {
        self.tell(|x11| x11.set_maximized(extent == Extent::Maximized));
        self.tell(|x11| x11.set_fullscreen(extent == Extent::Fullscreen));
        if let Some(area) = area {
            self.tell_area(area);
        }
    }

    pub(crate) fn tell_place(&self, place: Point<i32, Logical>) {
        self.tell_area(Rectangle::new(place, self.x11.geometry().size));
    }

    pub(crate) fn tell_size(&self, size: Size<i32, Logical>) {
        self.tell_area(Rectangle::new(self.x11.geometry().loc, size));
    }

    /// Where the window is to lie, and how large it is to be.
    pub(crate) fn tell_area(&self, area: Rectangle<i32, Logical>) {
        let area = representable(area);
        if area != self.x11.geometry() {
            self.tell(|x11| x11.configure(area));
        }
    }
}

/// X11 has 16 bits for a coordinate, and no window without a pixel.
fn representable(area: Rectangle<i32, Logical>) -> Rectangle<i32, Logical> {
    let place = |value: i32| value.clamp(i16::MIN.into(), i16::MAX.into());
    let side = |length: i32| length.clamp(1, GREATEST_SIDE);
    Rectangle::new(
        Point::from((place(area.loc.x), place(area.loc.y))),
        Size::from((side(area.size.w), side(area.size.h))),
    )
}

/// What cannot be told because Xwayland is gone need not be: its windows go at once.
pub(super) fn told<E: Display>(result: Result<(), E>) {
    if let Err(error) = result {
        tracing::debug!(%error, "an X11 program is not told");
    }
}

/// A window as X11 names it.
pub(super) type X11Id = xproto::Window;
