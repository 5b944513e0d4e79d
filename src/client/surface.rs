//! A `wl_surface` whose frames are granted memory, released when the surface dies.

use wayland_client::protocol::wl_shm::Format;
use wayland_client::protocol::wl_surface::WlSurface;

use super::{Frame, ShareError, Sharing, Swapchain};

/// A surface and the swapchain that it shows. When it is dropped the surface is destroyed first, so
/// that the display domain lets go of the frame that it shows, and then the buffers are unexported.
///
/// A role object of the surface (`xdg_toplevel`, `wl_subsurface` …) must be destroyed before.
#[derive(Debug)]
pub struct Surface {
    surface: WlSurface,
    swapchain: Swapchain,
}

impl Surface {
    /// Shows frames of `width` by `height` pixels of 4 bytes on `surface`.
    ///
    /// # Errors
    /// As for [`Swapchain::new`].
    pub fn new(
        sharing: &Sharing,
        surface: WlSurface,
        width: u32,
        height: u32,
        format: Format,
    ) -> Result<Surface, ShareError> {
        Ok(Surface { surface, swapchain: Swapchain::new(sharing, width, height, format)? })
    }

    /// The surface, to give it a role and to commit.
    pub fn wl_surface(&self) -> &WlSurface {
        &self.surface
    }

    /// The swapchain.
    pub fn swapchain(&self) -> &Swapchain {
        &self.swapchain
    }

    /// Shows frames of another size from the next one on. The buffers of the old size are
    /// unexported, and released when the first frame of the new size is shown.
    ///
    /// # Errors
    /// As for [`Swapchain::new`].
    pub fn resize(&mut self, width: u32, height: u32) -> Result<(), ShareError> {
        self.swapchain.resize(width, height)
    }

    /// Draws and commits one frame, all of it damaged. False if the display domain keeps all the
    /// buffers: then wait for events and try again.
    ///
    /// # Errors
    /// As for [`Swapchain::acquire`].
    pub fn draw(&mut self, paint: impl FnOnce(&mut Frame<'_>)) -> Result<bool, ShareError> {
        let Some(mut frame) = self.swapchain.acquire()? else { return Ok(false) };
        paint(&mut frame);
        frame.attach(&self.surface);
        // The largest there is: the whole surface, whatever its size and scale.
        self.surface.damage_buffer(0, 0, i32::MAX, i32::MAX);
        self.surface.commit();
        Ok(true)
    }
}

impl Drop for Surface {
    fn drop(&mut self) {
        self.surface.destroy();
    }
}
