//! Popups: where they may be, and who may open one.

use smithay::{
    backend::renderer::element::Id,
    desktop::{PopupKind, PopupManager, utils::bbox_from_surface_tree},
    reexports::wayland_server::protocol::wl_surface::WlSurface,
    utils::{IsAlive, Logical, Point, Rectangle, Size},
    wayland::{
        compositor::{get_role, with_states},
        shell::wlr_layer::LAYER_SURFACE_ROLE,
        shell::xdg::{
            PopupSurface, SurfaceCachedState, XDG_POPUP_ROLE, XDG_TOPLEVEL_ROLE,
            XdgPopupSurfaceData,
        },
    },
};

use super::window::{GREATEST_SIDE, Window};
use crate::client::ClientOrigin;

/// The width of the border around a domain's popups, in pixels of windows.
pub const BORDER: i32 = 2;
/// How many popups may be nested in each other. Every step of theirs is walked at every frame.
const DEEPEST: usize = 16;

/// A popup that is drawn, and where.
pub struct PlacedPopup {
    /// Its surface.
    pub surface: WlSurface,
    /// Where the top left corner of the surface lies.
    pub surface_location: Point<i32, Logical>,
    /// Where it is seen: its window geometry.
    pub area: Rectangle<i32, Logical>,
}

/// Names of the four sides of a popup's border, kept with its surface so that they stay the same
/// from picture to picture.
struct BorderIds([Id; 4]);

impl PlacedPopup {
    /// A name for one of the four sides of its border.
    pub fn border_ids(&self) -> [Id; 4] {
        with_states(&self.surface, |states| {
            states
                .data_map
                .get_or_insert_threadsafe(|| BorderIds(std::array::from_fn(|_| Id::new())))
                .0
                .clone()
        })
    }
}

/// The popups of a window that have something to show, topmost first.
///
/// A domain's popup covers at most nine tenths of the smallest output in width and in height, so that
/// none can pass for a whole screen.
pub fn placed(window: &Window, output: Size<i32, Logical>) -> Vec<PlacedPopup> {
    let most: Size<i32, Logical> = match window.origin() {
        ClientOrigin::Local => Size::from((GREATEST_SIDE, GREATEST_SIDE)),
        ClientOrigin::Domain(_) => Size::from((output.w * 9 / 10, output.h * 9 / 10)),
    };
    placed_on(window.wl_surface(), window.client_area().loc, most)
}

/// The popups of the surface at `origin` that have something to show, topmost first, each cut off at
/// a size.
pub fn placed_on(
    root: &WlSurface,
    origin: Point<i32, Logical>,
    most: Size<i32, Logical>,
) -> Vec<PlacedPopup> {
    PopupManager::popups_for_surface(root)
        .filter_map(|(popup, offset)| {
            let surface = popup.wl_surface();
            let bounds = bbox_from_surface_tree(surface, (0, 0));
            let set = with_states(surface, |states| {
                states.cached_state.get::<SurfaceCachedState>().current().geometry
            });
            let geometry = set.and_then(|set| set.intersection(bounds)).unwrap_or(bounds);
            if geometry.is_empty() {
                return None;
            }
            let location = origin + offset;
            Some(PlacedPopup {
                surface: surface.clone(),
                surface_location: location - geometry.loc,
                area: Rectangle::new(
                    location,
                    Size::from((geometry.size.w.min(most.w), geometry.size.h.min(most.h))),
                ),
            })
        })
        .collect()
}

/// The four sides of a border of this width around `area`.
pub fn border<Kind>(area: Rectangle<i32, Kind>, width: i32) -> [Rectangle<i32, Kind>; 4] {
    let (w, h) = (area.size.w, area.size.h);
    let side = |x: i32, y: i32, w: i32, h: i32| {
        Rectangle::new(area.loc + Point::from((x, y)), (w, h).into())
    };
    [
        side(-width, -width, w + 2 * width, width),
        side(-width, h, w + 2 * width, width),
        side(-width, 0, width, h),
        side(w, 0, width, h),
    ]
}

/// Where a popup hangs.
#[derive(Debug)]
pub struct Chain {
    /// The surface of the toplevel, or of the panel.
    pub root: WlSurface,
    /// From its geometry to the parent's.
    pub offset: Point<i32, Logical>,
}

/// Follow a popup's parents up to its toplevel or panel.
///
/// `None` if there is none: no parent, a parent that is neither of them nor a popup, parents in a
/// ring (a client can make one by taking roles away again), or more of them than anybody needs.
/// Smithay's own walks assume that this was checked.
pub fn chain(popup: &PopupSurface) -> Option<Chain> {
    let mut surface = popup.get_parent_surface()?;
    let mut offset = Point::default();
    for _ in 0..DEEPEST {
        if !surface.alive() {
            return None;
        }
        let role = get_role(&surface);
        if role == Some(XDG_TOPLEVEL_ROLE) || role == Some(LAYER_SURFACE_ROLE) {
            return Some(Chain { root: surface, offset });
        }
        if role != Some(XDG_POPUP_ROLE) || &surface == popup.wl_surface() {
            return None;
        }
        let (step, parent) = with_states(&surface, |states| {
            let data = states.data_map.get::<XdgPopupSurfaceData>()?.lock().ok()?;
            Some((data.current.geometry.loc, data.parent.clone()?))
        })?;
        offset += step;
        surface = parent;
    }
    None
}

/// Put a popup where it fits on the output. What it hangs on lies at `root`, and a border of this
/// width is drawn around it.
pub fn constrain(
    popup: &PopupSurface,
    chain: &Chain,
    root: Point<i32, Logical>,
    border: i32,
    output: Rectangle<i32, Logical>,
) {
    // The area to fit into, as the positioner counts: from the parent's geometry.
    let mut target = output;
    target.loc += Point::from((border, border));
    target.size =
        Size::from(((output.size.w - 2 * border).max(1), (output.size.h - 2 * border).max(1)));
    target.loc -= root + chain.offset;
    popup.with_pending_state(|state| {
        state.geometry = state.positioner.get_unconstrained_geometry(target);
    });
}

/// The popup as Smithay's popup list wants it.
pub fn kind(popup: &PopupSurface) -> PopupKind {
    PopupKind::Xdg(popup.clone())
}
