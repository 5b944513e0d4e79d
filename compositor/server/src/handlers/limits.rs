//! How much a client may ask for. Every number that comes from a client is brought within bounds
//! here before Smithay computes with it, and every list is kept short.

use std::ffi::CString;

use smithay::{
    backend::renderer::utils::with_renderer_surface_state,
    reexports::wayland_server::{
        Client, DisplayHandle, Resource,
        protocol::{__interfaces::WL_DISPLAY_INTERFACE, wl_surface::WlSurface},
    },
    wayland::compositor::{
        BufferAssignment, SurfaceAttributes, get_children, get_parent, with_states,
    },
};

/// Positions lie between minus and plus this. Sums of a few dozen still fit 32 bits.
pub const FARTHEST: i32 = 1 << 20;
/// Sizes go up to this.
pub const LARGEST: i32 = 1 << 20;
/// Subsurfaces are nested this deep at most: Smithay walks them recursively.
pub const DEEPEST_SUBSURFACES: usize = 32;
/// Surfaces of one client.
pub const MOST_SURFACES: u32 = 4096;
/// Windows of all local clients together; a domain's are configured.
pub const MOST_WINDOWS: usize = 500;
/// Rectangles in one region; more cost more than they are worth.
pub const MOST_REGION_RECTANGLES: u32 = 1024;
/// Rectangles of damage in one commit; beyond, everything counts as damaged.
pub const MOST_DAMAGE: usize = 256;
/// Frame callbacks that wait for one surface.
pub const MOST_CALLBACKS: usize = 1024;
/// Presentation feedbacks that wait for one surface.
pub const MOST_FEEDBACKS: usize = 1024;
/// Commits of one surface that wait, for a fence or for the picture before to be seen: Smithay looks
/// through all of them at each.
pub const MOST_WAITING_COMMITS: u32 = 256;
/// Objects by which one client hears of a seat's devices.
pub const MOST_LISTENERS: u32 = 1024;
/// Kinds of content that one source of a selection or a drag offers.
pub const MOST_KINDS: usize = 256;
/// Bytes in the name of one.
pub const LONGEST_KIND: usize = 1024;
/// The largest scale of a buffer.
pub const LARGEST_SCALE: i32 = 16;

/// A position within bounds.
pub fn position(value: i32) -> i32 {
    value.clamp(-FARTHEST, FARTHEST)
}

/// A size within bounds, and not negative.
pub fn size(value: i32) -> i32 {
    value.clamp(0, LARGEST)
}

/// The number of `wl_display`, the same for every client.
const DISPLAY: u32 = 1;
/// `wl_display.error.implementation` (wayland.xml): its bindings are for clients only.
const IMPLEMENTATION: u32 = 3;

/// Disconnect a client that asks for more than it may have: with the error `implementation` of
/// `wl_display`, which is for what no protocol has an error for. The message says what was too much.
pub fn exceeded(object: &impl Resource, message: &str) {
    let display = object.handle().upgrade().map(DisplayHandle::from);
    if let (Some(display), Some(client)) = (display, object.client()) {
        expel(&display, &client, message);
    }
}

/// The same where no object of the client's is at hand.
pub fn expel(display: &DisplayHandle, client: &Client, message: &str) {
    let backend = display.backend_handle();
    let root = backend.object_for_protocol_id(client.id(), &WL_DISPLAY_INTERFACE, DISPLAY);
    // The one fails for a client that is gone already, the other never: no message has a zero byte.
    if let (Ok(root), Ok(message)) = (root, CString::new(message)) {
        backend.post_error(root, IMPLEMENTATION, message);
    }
}

/// How many steps lead from a surface up to the root of its tree.
pub fn depth(surface: &WlSurface) -> usize {
    let mut depth = 0;
    let mut above = get_parent(surface);
    while let Some(parent) = above {
        depth += 1;
        if depth > 2 * DEEPEST_SUBSURFACES {
            break;
        }
        above = get_parent(&parent);
    }
    depth
}

/// How many steps lead from a surface down to the lowest below it, counted no further than the
/// greatest depth that is allowed.
pub fn height(surface: &WlSurface) -> usize {
    fn below(surface: &WlSurface, left: usize) -> usize {
        if left == 0 {
            return 0;
        }
        get_children(surface)
            .iter()
            // A surface is among its own children, to mark its place.
            .filter(|child| *child != surface)
            .map(|child| 1 + below(child, left - 1))
            .max()
            .unwrap_or(0)
    }
    below(surface, DEEPEST_SUBSURFACES + 1)
}

/// Whether the commit that is about to happen attaches a buffer.
pub fn attaches_buffer(surface: &WlSurface) -> bool {
    with_states(surface, |states| {
        let mut attributes = states.cached_state.get::<SurfaceAttributes>();
        matches!(attributes.pending().buffer, Some(BufferAssignment::NewBuffer(_)))
    })
}

/// Whether a surface has something to show.
pub fn has_buffer(surface: &WlSurface) -> bool {
    with_renderer_surface_state(surface, |state| state.buffer().is_some()).unwrap_or(false)
}
