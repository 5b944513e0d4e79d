//! Panels, wallpapers and launchers: surfaces that stick to the edges of an output, in four layers
//! below and above the windows.

use std::collections::HashMap;

use smithay::{
    desktop::PopupManager,
    reexports::wayland_server::protocol::wl_surface::WlSurface,
    utils::{Logical, Point, Rectangle, Size},
    wayland::{
        compositor::with_states,
        shell::wlr_layer::{
            Anchor, ExclusiveZone, KeyboardInteractivity, Layer, LayerSurface,
            LayerSurfaceCachedState,
        },
    },
};

use super::popups::{self, PlacedPopup};
use crate::{handlers::limits, outputs::OutputId};

/// From the lowest to the highest.
const ORDER: [Layer; 4] = [Layer::Background, Layer::Bottom, Layer::Top, Layer::Overlay];

/// What windows are left with at least, whatever panels claim.
const LEAST_FREE: i32 = 64;

/// One of them.
#[derive(Debug)]
pub struct Panel {
    surface: LayerSurface,
    /// The output that it sticks to.
    output: OutputId,
    /// Where it lies.
    area: Rectangle<i32, Logical>,
    mapped: bool,
    /// It was told its size since it last had nothing to show.
    told: bool,
    /// Where it lies whatever it wishes.
    pinned: Option<Point<i32, Logical>>,
}

/// What a panel asks for, within bounds.
#[derive(Clone, Copy, Debug)]
struct Wish {
    size: Size<i32, Logical>,
    anchor: Anchor,
    zone: ExclusiveZone,
    /// Top, right, bottom, left.
    margin: [i32; 4],
}

impl Panel {
    /// Its surface.
    pub fn wl_surface(&self) -> &WlSurface {
        self.surface.wl_surface()
    }

    /// The output that it sticks to.
    pub fn output(&self) -> OutputId {
        self.output
    }

    /// Whether it has something to show.
    pub fn is_mapped(&self) -> bool {
        self.mapped
    }

    /// Where it lies.
    pub fn area(&self) -> Rectangle<i32, Logical> {
        self.area
    }

    /// Which layer it is in.
    pub fn layer(&self) -> Layer {
        self.state().layer
    }

    /// Whether it can have the keyboard.
    pub fn keyboard(&self) -> KeyboardInteractivity {
        self.state().keyboard_interactivity
    }

    /// Whether it takes the keyboard when it is clicked.
    pub fn wants_keyboard(&self) -> bool {
        self.keyboard() != KeyboardInteractivity::None
    }

    /// Its popups that have something to show, topmost first.
    pub fn popups(&self) -> Vec<PlacedPopup> {
        let anything = Size::from((limits::LARGEST, limits::LARGEST));
        popups::placed_on(self.wl_surface(), self.area.loc, anything)
    }

    /// Call `each` with its surface and those of its popups.
    pub fn with_root_surfaces(&self, mut each: impl FnMut(&WlSurface)) {
        each(self.wl_surface());
        for (popup, _) in PopupManager::popups_for_surface(self.wl_surface()) {
            each(popup.wl_surface());
        }
    }

    fn state(&self) -> LayerSurfaceCachedState {
        with_states(self.wl_surface(), |states| {
            *states.cached_state.get::<LayerSurfaceCachedState>().current()
        })
    }

    fn wish(&self) -> Wish {
        let state = self.state();
        let margin = state.margin;
        Wish {
            size: state.size,
            anchor: state.anchor,
            zone: state.exclusive_zone,
            margin: [margin.top, margin.right, margin.bottom, margin.left],
        }
    }
}

/// All of them, in the order in which they came.
#[derive(Debug, Default)]
pub struct Panels {
    panels: Vec<Panel>,
    /// What they leave to windows of each output where some were arranged.
    free: HashMap<OutputId, Rectangle<i32, Logical>>,
    /// What windows were fitted to last.
    fitted: HashMap<OutputId, Rectangle<i32, Logical>>,
    /// The one that was clicked last, if it wants the keyboard then.
    clicked: Option<WlSurface>,
}

impl Panels {
    /// Add one that has nothing to show yet.
    pub fn push(&mut self, surface: LayerSurface, output: OutputId) {
        let area = Rectangle::default();
        let panel = Panel { surface, output, area, mapped: false, told: false, pinned: None };
        self.panels.push(panel);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.panels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.panels.is_empty()
    }

    /// Take one out, if it was there. The output that it was on.
    pub fn remove(&mut self, surface: &WlSurface) -> Option<OutputId> {
        let index = self.panels.iter().position(|panel| panel.wl_surface() == surface)?;
        Some(self.panels.remove(index).output)
    }

    /// Take out those whose output is none of these, and tell them so. They are not shown elsewhere:
    /// a tool opens another one where it wants to.
    pub fn close_all_but(&mut self, outputs: &[OutputId]) {
        self.free.retain(|output, _| outputs.contains(output));
        for gone in self.panels.extract_if(.., |panel| !outputs.contains(&panel.output)) {
            gone.surface.send_close();
        }
    }

    /// The one with this surface.
    pub fn by_surface(&self, surface: &WlSurface) -> Option<&Panel> {
        self.panels.iter().find(|panel| panel.wl_surface() == surface)
    }

    /// Those of a layer that have something to show, topmost first.
    pub fn shown(&self, layer: Layer) -> impl Iterator<Item = &Panel> {
        self.panels.iter().rev().filter(move |panel| panel.mapped && panel.layer() == layer)
    }

    /// All, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &Panel> {
        self.panels.iter()
    }

    /// All that have something to show.
    pub fn all_shown(&self) -> impl Iterator<Item = &Panel> {
        self.panels.iter().filter(|panel| panel.mapped)
    }

    /// What is left to windows of an output, if panels were arranged on it.
    pub fn free(&self, output: OutputId) -> Option<Rectangle<i32, Logical>> {
        self.free.get(&output).copied()
    }

    /// Let one lie at a place whatever it wishes. The output that it is on, if it was found.
    pub fn pin(
        &mut self,
        is: impl Fn(&WlSurface) -> bool,
        location: Point<i32, Logical>,
    ) -> Option<OutputId> {
        let panel = self.panels.iter_mut().find(|panel| is(panel.wl_surface()))?;
        panel.pinned = Some(location);
        Some(panel.output)
    }

    /// Whether what is left to windows has changed since this was asked last.
    pub fn take_change(&mut self) -> bool {
        let changed = self.fitted != self.free;
        if changed {
            self.fitted.clone_from(&self.free);
        }
        changed
    }

    /// The surface that has the keyboard whatever is clicked, or was clicked and wants it then.
    pub fn keyboard_owner(&self) -> Option<&WlSurface> {
        let exclusive = [Layer::Overlay, Layer::Top].into_iter().find_map(|layer| {
            self.shown(layer).find(|panel| panel.keyboard() == KeyboardInteractivity::Exclusive)
        });
        let clicked = || {
            let clicked = self.clicked.as_ref()?;
            self.all_shown().find(|panel| panel.wl_surface() == clicked && panel.wants_keyboard())
        };
        exclusive.or_else(clicked).map(Panel::wl_surface)
    }

    /// One of them was clicked, or (`None`) something else.
    pub fn clicked(&mut self, surface: Option<&WlSurface>) {
        self.clicked = surface.cloned();
    }

    /// One of them was committed: it is there to be seen, or not any more. Whether it is one of them.
    pub fn committed(&mut self, surface: &WlSurface, area: Rectangle<i32, Logical>) -> bool {
        let Some(panel) = self.panels.iter_mut().find(|panel| panel.wl_surface() == surface) else {
            return false;
        };
        let was_mapped = std::mem::replace(&mut panel.mapped, limits::has_buffer(surface));
        if was_mapped && !panel.mapped {
            panel.told = false;
        }
        // A launcher is opened to be typed into.
        let opens = panel.mapped && !was_mapped && panel.wants_keyboard();
        if opens && matches!(panel.layer(), Layer::Top | Layer::Overlay) {
            self.clicked = Some(surface.clone());
        }
        let begins = !was_mapped && !panel.mapped && !panel.told;
        let output = panel.output;
        self.arrange(output, area);
        if begins
            && let Some(panel) = self.panels.iter_mut().find(|panel| panel.wl_surface() == surface)
        {
            panel.told = true;
            panel.surface.send_configure();
        }
        true
    }

    /// Give each of an output that lies at `area` its place: first to those that keep a strip of it
    /// for themselves, the highest layer first.
    pub fn arrange(&mut self, output: OutputId, area: Rectangle<i32, Logical>) {
        let mut free = area;
        for exclusive in [true, false] {
            for layer in ORDER.iter().rev() {
                for panel in self.panels.iter_mut().filter(|panel| panel.output == output) {
                    let wish = panel.wish();
                    let is_exclusive =
                        matches!(wish.zone, ExclusiveZone::Exclusive(_)) && panel.mapped;
                    if panel.layer() != *layer || is_exclusive != exclusive {
                        continue;
                    }
                    panel.area = place(wish, area, free);
                    panel.area.loc = panel.pinned.unwrap_or(panel.area.loc);
                    if is_exclusive {
                        free = without_strip(wish, free);
                    }
                    panel.surface.with_pending_state(|state| state.size = Some(panel.area.size));
                    if panel.told {
                        panel.surface.send_pending_configure();
                    }
                }
            }
        }
        self.free.insert(output, free);
    }
}

/// Where a panel lies that wishes this, on an output of which so much is free.
fn place(
    wish: Wish,
    output: Rectangle<i32, Logical>,
    free: Rectangle<i32, Logical>,
) -> Rectangle<i32, Logical> {
    let bounds = if wish.zone == ExclusiveZone::DontCare { output } else { free };
    let [top, right, bottom, left] = wish.margin;
    // Start and length of one side: within bounds, stuck to one end, to both, or to none.
    let side = |start: i32, bound: i32, length: i32, near: (bool, i32), far: (bool, i32)| {
        let ((near, near_margin), (far, far_margin)) = (near, far);
        if length == 0 {
            return (start + near_margin, (bound - near_margin - far_margin).max(1));
        }
        let start = match (near, far) {
            (true, false) => start + near_margin,
            (false, true) => start + bound - length - far_margin,
            _ => start + (bound - length) / 2,
        };
        (start, length)
    };
    let has = |edge: Anchor| wish.anchor.contains(edge);
    let (x, width) = side(
        bounds.loc.x,
        bounds.size.w,
        wish.size.w,
        (has(Anchor::LEFT), left),
        (has(Anchor::RIGHT), right),
    );
    let (y, height) = side(
        bounds.loc.y,
        bounds.size.h,
        wish.size.h,
        (has(Anchor::TOP), top),
        (has(Anchor::BOTTOM), bottom),
    );
    Rectangle::new(Point::from((x, y)), Size::from((width, height)))
}

/// What is still free when a panel has its strip. It has one only if it sticks to one edge, or to one
/// and both beside it.
fn without_strip(wish: Wish, free: Rectangle<i32, Logical>) -> Rectangle<i32, Logical> {
    let ExclusiveZone::Exclusive(zone) = wish.zone else { return free };
    let [top, right, bottom, left] = wish.margin;
    let sideways = Anchor::LEFT | Anchor::RIGHT;
    let upright = Anchor::TOP | Anchor::BOTTOM;
    let sticks = |edge: Anchor, both: Anchor| wish.anchor == edge || wish.anchor == edge | both;
    let strip = |margin: i32, room: i32| {
        let wanted = i64::from(zone) + i64::from(margin);
        wanted.clamp(0, i64::from((room - LEAST_FREE).max(0))) as i32
    };
    let mut free = free;
    if sticks(Anchor::TOP, sideways) {
        let strip = strip(top, free.size.h);
        free.loc.y += strip;
        free.size.h -= strip;
    } else if sticks(Anchor::BOTTOM, sideways) {
        free.size.h -= strip(bottom, free.size.h);
    } else if sticks(Anchor::LEFT, upright) {
        let strip = strip(left, free.size.w);
        free.loc.x += strip;
        free.size.w -= strip;
    } else if sticks(Anchor::RIGHT, upright) {
        free.size.w -= strip(right, free.size.w);
    }
    free
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(anchor: Anchor, size: (i32, i32), zone: ExclusiveZone, margin: [i32; 4]) -> Wish {
        Wish { size: size.into(), anchor, zone, margin }
    }

    fn area(x: i32, y: i32, w: i32, h: i32) -> Rectangle<i32, Logical> {
        Rectangle::new((x, y).into(), (w, h).into())
    }

    #[test]
    fn panels_lie_where_they_stick() {
        let (output, free) = (area(0, 0, 800, 600), area(0, 30, 800, 570));
        let neutral = ExclusiveZone::Neutral;
        let bar = Anchor::TOP | Anchor::LEFT | Anchor::RIGHT;
        let at = |wish| place(wish, output, free);
        assert_eq!(at(wish(bar, (0, 20), neutral, [5, 6, 7, 8])), area(8, 35, 786, 20));
        assert_eq!(at(wish(bar, (0, 20), ExclusiveZone::DontCare, [0; 4])), area(0, 0, 800, 20));
        assert_eq!(at(wish(Anchor::empty(), (100, 70), neutral, [9; 4])), area(350, 280, 100, 70));
        let corner = Anchor::BOTTOM | Anchor::RIGHT;
        assert_eq!(at(wish(corner, (100, 50), neutral, [1, 2, 3, 4])), area(698, 547, 100, 50));
        // Margins beyond the output leave a pixel.
        assert_eq!(at(wish(Anchor::all(), (0, 0), neutral, [limits::FARTHEST; 4])).size.w, 1);
    }

    #[test]
    fn strips_are_kept_for_panels_at_edges_alone() {
        let free = area(0, 0, 800, 600);
        let strip = |anchor, zone, margin| {
            without_strip(wish(anchor, (10, 10), ExclusiveZone::Exclusive(zone), margin), free)
        };
        let sideways = Anchor::LEFT | Anchor::RIGHT;
        assert_eq!(strip(Anchor::TOP, 30, [2, 0, 0, 0]), area(0, 32, 800, 568));
        assert_eq!(strip(Anchor::TOP | sideways, 30, [0; 4]), area(0, 30, 800, 570));
        assert_eq!(strip(Anchor::BOTTOM | sideways, 30, [0; 4]), area(0, 0, 800, 570));
        assert_eq!(strip(Anchor::LEFT, 30, [0, 0, 0, 3]), area(33, 0, 767, 600));
        assert_eq!(strip(Anchor::RIGHT, 30, [0; 4]), area(0, 0, 770, 600));
        for nothing in [sideways, Anchor::TOP | Anchor::LEFT, Anchor::all(), Anchor::empty()] {
            assert_eq!(strip(nothing, 30, [0; 4]), free);
        }
        assert_eq!(strip(Anchor::TOP, u32::MAX, [limits::FARTHEST; 4]).size.h, LEAST_FREE);
    }
}
