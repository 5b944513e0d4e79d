//! What lies under a point: a client's pixels, a part of a frame, or nothing.

use smithay::{
    desktop::{WindowSurfaceType, utils::under_from_surface_tree},
    reexports::wayland_server::protocol::wl_surface::WlSurface,
    utils::{Logical, Point, Size},
    wayland::shell::wlr_layer::Layer,
};

use super::{
    covering,
    grabs::ResizeEdges,
    layers::{Panel, Panels},
    popups,
    window::{Extent, Window, WindowId},
};
use crate::{
    outputs::{OutputId, Outputs},
    render::{
        frame_decoration::{FrameStyle, FrameTheme},
        identity_bar,
    },
    xwayland::unmanaged::Unmanaged,
};

/// How near to a corner the border resizes in both directions.
const CORNER: f64 = 24.0;

/// What lies under a point.
#[derive(Clone, Debug, PartialEq)]
pub enum Hit {
    /// A client's surface takes input there.
    Surface {
        /// Of which window.
        window: WindowId,
        /// Which surface.
        surface: WlSurface,
        /// Where its top left corner is.
        location: Point<f64, Logical>,
    },
    /// A panel's surface takes input there.
    Panel {
        /// The panel's own surface.
        panel: WlSurface,
        /// Which surface of it, or of its popups.
        surface: WlSurface,
        /// Where its top left corner is.
        location: Point<f64, Logical>,
    },
    /// A menu or a tooltip of an X11 program takes input there.
    Unmanaged {
        /// Which surface.
        surface: WlSurface,
        /// Where its top left corner is.
        location: Point<f64, Logical>,
    },
    /// A part of a window's frame, or a place in a window where its client takes no input.
    Frame {
        /// Of which window.
        window: WindowId,
        /// Which part.
        part: FramePart,
    },
}

/// A part of a window's frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FramePart {
    /// Drag it to move the window.
    Bar,
    /// Click it to close the window.
    Close,
    /// Drag it to change the window's size.
    Border(ResizeEdges),
    /// Inside the frame, but nothing there takes input.
    Inside,
}

/// What lies under `point`.
pub fn hit_test(
    windows: &[Window],
    unmanaged: &[Unmanaged],
    panels: &Panels,
    theme: &FrameTheme,
    outputs: &Outputs,
    smallest_output: Size<i32, Logical>,
    point: Point<f64, Logical>,
) -> Option<Hit> {
    let here = outputs.at(point).map(|view| view.id);
    // Nothing of a panel is seen on another output.
    let on = |layer| {
        let mut panels = panels.shown(layer).filter(|panel| Some(panel.output()) == here);
        panels.find_map(|panel| panel_under(panel, point))
    };
    if let Some(view) = outputs.at(point)
        && identity_bar::area(theme, view.area()).is_some_and(|bar| bar.to_f64().contains(point))
        && !has_whole_screen(windows, theme, outputs, here)
    {
        return None;
    }
    let window = || {
        unmanaged_under(unmanaged, point)
            .or_else(|| window_under(windows, theme, smallest_output, point))
    };
    let above = || {
        if has_whole_screen(windows, theme, outputs, here) {
            window().or_else(|| on(Layer::Top))
        } else {
            on(Layer::Top).or_else(window)
        }
    };
    on(Layer::Overlay)
        .or_else(above)
        .or_else(|| on(Layer::Bottom))
        .or_else(|| on(Layer::Background))
}

/// Whether the topmost window of an output has all of it, the identity bar's place too: panels but those
/// of the highest layer are below it.
pub fn has_whole_screen(
    windows: &[Window],
    theme: &FrameTheme,
    outputs: &Outputs,
    output: Option<OutputId>,
) -> bool {
    topmost(windows, theme, outputs, output).is_some_and(Window::has_whole_screen)
}

fn topmost<'a>(
    windows: &'a [Window],
    theme: &FrameTheme,
    outputs: &Outputs,
    output: Option<OutputId>,
) -> Option<&'a Window> {
    windows
        .iter()
        .rev()
        .filter(|window| window.is_visible())
        .find(|window| outputs.showing(window.outer_area(theme)).map(|view| view.id) == output)
}

fn panel_under(panel: &Panel, point: Point<f64, Logical>) -> Option<Hit> {
    let hit = |(surface, location): (WlSurface, Point<i32, Logical>)| Hit::Panel {
        panel: panel.wl_surface().clone(),
        surface,
        location: location.to_f64(),
    };
    let on_popup = panel.popups().into_iter().find_map(|popup| {
        under_from_surface_tree(
            &popup.surface,
            point,
            popup.surface_location,
            WindowSurfaceType::ALL,
        )
    });
    let on_panel = || {
        let location = panel.area().loc;
        under_from_surface_tree(panel.wl_surface(), point, location, WindowSurfaceType::ALL)
    };
    on_popup.or_else(on_panel).map(hit)
}

fn unmanaged_under(unmanaged: &[Unmanaged], point: Point<f64, Logical>) -> Option<Hit> {
    unmanaged.iter().rev().find_map(|window| {
        let location = window.area().loc;
        let (surface, location) =
            under_from_surface_tree(window.wl_surface(), point, location, WindowSurfaceType::ALL)?;
        Some(Hit::Unmanaged { surface, location: location.to_f64() })
    })
}

/// `windows` are given lowest first.
fn window_under(
    windows: &[Window],
    theme: &FrameTheme,
    output: Size<i32, Logical>,
    point: Point<f64, Logical>,
) -> Option<Hit> {
    let by_number = windows.iter().enumerate().rev();
    let mut visible = by_number.filter(|(_, window)| window.is_visible());
    visible.find_map(|(number, window)| {
        popup_under(window, &windows[..number], theme, output, point)
            .or_else(|| client_under(window, point))
            .or_else(|| frame_under(window, theme, point))
    })
}

/// The popup of a window that is seen there. `below` are the windows below it.
fn popup_under(
    window: &Window,
    below: &[Window],
    theme: &FrameTheme,
    output: Size<i32, Logical>,
    point: Point<f64, Logical>,
) -> Option<Hit> {
    let placed = popups::placed(window, output);
    if !placed.iter().any(|popup| popup.area.to_f64().contains(point)) {
        return None;
    }
    let areas = placed.iter().map(|popup| popup.area);
    let frames = covering::frames_below(window, below, areas, popups::BORDER, |window| {
        (window.outer_area(theme), window.client_area())
    });
    let is_seen = |popup: &&popups::PlacedPopup| {
        frames.leave(popup.area).iter().any(|part| part.to_f64().contains(point))
    };
    placed.iter().filter(is_seen).find_map(|popup| {
        let (location, all) = (popup.surface_location, WindowSurfaceType::ALL);
        let found = under_from_surface_tree(&popup.surface, point, location, all)?;
        Some(surface_hit(window, found))
    })
}

fn client_under(window: &Window, point: Point<f64, Logical>) -> Option<Hit> {
    let area = window.client_area();
    if !area.to_f64().contains(point) {
        return None;
    }
    let origin = area.loc - window.geometry().loc;
    match under_from_surface_tree(window.wl_surface(), point, origin, WindowSurfaceType::ALL) {
        Some(found) => Some(surface_hit(window, found)),
        None => Some(Hit::Frame { window: window.id(), part: FramePart::Inside }),
    }
}

fn surface_hit(window: &Window, (surface, location): (WlSurface, Point<i32, Logical>)) -> Hit {
    Hit::Surface { window: window.id(), surface, location: location.to_f64() }
}

fn frame_under(window: &Window, theme: &FrameTheme, point: Point<f64, Logical>) -> Option<Hit> {
    let style = window.frame_style(theme);
    if style == FrameStyle::None {
        return None;
    }
    let outer = theme.outer(window.client_area(), style);
    if !outer.to_f64().contains(point) {
        return None;
    }
    let from_start = point - outer.loc.to_f64();
    let (width, height) = (f64::from(outer.size.w), f64::from(outer.size.h));
    let border = f64::from(theme.border());
    let part = if style == FrameStyle::Edge {
        FramePart::Inside
    } else if theme.close_button(outer).to_f64().contains(point) {
        FramePart::Close
    } else if window.extent() != Extent::Floating {
        FramePart::Bar
    } else {
        let edges = ResizeEdges {
            left: from_start.x < border,
            right: from_start.x >= width - border,
            top: from_start.y < border,
            bottom: from_start.y >= height - border,
        };
        if edges == ResizeEdges::default() {
            if from_start.y < f64::from(theme.bar_height()) {
                FramePart::Bar
            } else {
                FramePart::Inside
            }
        } else {
            let sideways = edges.left || edges.right;
            let upright = edges.top || edges.bottom;
            FramePart::Border(ResizeEdges {
                left: edges.left || upright && from_start.x < CORNER,
                right: edges.right || upright && from_start.x >= width - CORNER,
                top: edges.top || sideways && from_start.y < CORNER,
                bottom: edges.bottom || sideways && from_start.y >= height - CORNER,
            })
        }
    };
    Some(Hit::Frame { window: window.id(), part })
}
