//! Finding a client's surface in the compositor.
//!
//! Its number tells nothing: what is between may number objects as it likes, as a guest's proxy does. So
//! the surface is marked by something that only it can say and that is never seen: damage of one pixel
//! far outside, another one for each question.

use std::sync::atomic::{AtomicI32, Ordering};

use smithay::utils::Rectangle;
use smithay::wayland::compositor::{Damage, SurfaceAttributes, with_states};
use wayland_server::protocol::wl_surface::WlSurface;
use wayland_sys::client::{wayland_client_handle, wl_display, wl_proxy};
use wayland_sys::common::wl_argument;
use wayland_sys::ffi_dispatch;

/// `wl_surface.damage`, by its number.
const DAMAGE: u32 = 2;

/// Farther right and down than any buffer reaches, and within what the compositor keeps of numbers.
const FAR: i32 = 600_000;

/// The mark of one surface.
#[derive(Clone, Copy)]
pub(crate) struct Mark(i32);

impl Mark {
    /// Marks a client's surface.
    ///
    /// # Safety
    /// Both must be alive, the surface of this display, and nobody else use them meanwhile.
    pub(crate) unsafe fn set(display: *mut wl_display, surface: *mut wl_proxy) -> Mark {
        static NEXT: AtomicI32 = AtomicI32::new(0);
        let mark = Mark(FAR + NEXT.fetch_add(1, Ordering::Relaxed));
        let mut arguments = [mark.0, FAR, 1, 1].map(|i| wl_argument { i });
        // SAFETY: the caller's display and surface; the request takes four numbers.
        unsafe {
            ffi_dispatch!(
                wayland_client_handle(),
                wl_proxy_marshal_array,
                surface,
                DAMAGE,
                arguments.as_mut_ptr()
            );
            ffi_dispatch!(wayland_client_handle(), wl_display_flush, display);
        }
        mark
    }

    /// Whether this surface has it.
    pub(crate) fn is_on(self, surface: &WlSurface) -> bool {
        let mark = Damage::Surface(Rectangle::new((self.0, FAR).into(), (1, 1).into()));
        with_states(surface, |states| {
            let mut attributes = states.cached_state.get::<SurfaceAttributes>();
            attributes.pending().damage.contains(&mark)
        })
    }
}
