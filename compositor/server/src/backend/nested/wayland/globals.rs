//! What the desktop offers that is used.

use wayland_client::{
    QueueHandle,
    globals::GlobalList,
    protocol::{
        wl_buffer::WlBuffer, wl_compositor::WlCompositor, wl_output::WlOutput, wl_seat::WlSeat,
        wl_shm, wl_shm::WlShm,
    },
};
use wayland_protocols::{
    wp::{
        fractional_scale::v1::client::wp_fractional_scale_manager_v1::WpFractionalScaleManagerV1,
        keyboard_shortcuts_inhibit::zv1::client::zwp_keyboard_shortcuts_inhibit_manager_v1::ZwpKeyboardShortcutsInhibitManagerV1,
        viewporter::client::wp_viewporter::WpViewporter,
    },
    xdg::{
        decoration::zv1::client::zxdg_decoration_manager_v1::ZxdgDecorationManagerV1,
        shell::client::xdg_wm_base::XdgWmBase,
    },
};

use super::Client;
use crate::backend::{
    BackendError,
    nested::{canvas::Canvas, error, host::WindowId},
};

pub(super) struct Globals {
    pub(super) compositor: WlCompositor,
    pub(super) shell: XdgWmBase,
    shm: WlShm,
    pub(super) viewporter: Option<WpViewporter>,
    pub(super) fractional: Option<WpFractionalScaleManagerV1>,
    pub(super) decoration: Option<ZxdgDecorationManagerV1>,
    pub(super) shortcuts: Option<ZwpKeyboardShortcutsInhibitManagerV1>,
}

impl Globals {
    pub(super) fn bind(
        list: &GlobalList,
        handle: &QueueHandle<Client>,
    ) -> Result<Globals, BackendError> {
        let failed = error("cannot have a window of the Wayland desktop");
        Ok(Globals {
            // From 4 on changes can be told in pixels of pictures.
            compositor: list.bind(handle, 4..=6, ()).map_err(|e| failed(&e))?,
            shell: list.bind(handle, 1..=6, ()).map_err(|e| failed(&e))?,
            shm: list.bind(handle, 1..=1, ()).map_err(|e| failed(&e))?,
            viewporter: list.bind(handle, 1..=1, ()).ok(),
            fractional: list.bind(handle, 1..=1, ()).ok(),
            decoration: list.bind(handle, 1..=1, ()).ok(),
            shortcuts: list.bind(handle, 1..=1, ()).ok(),
        })
    }

    /// Let the desktop read the pictures of a canvas.
    pub(super) fn share(
        &self,
        canvas: &Canvas,
        window: WindowId,
        handle: &QueueHandle<Client>,
    ) -> WlBuffer {
        let (size, stride) = (canvas.size(), canvas.stride());
        let pool = self.shm.create_pool(canvas.file(), stride * size.h, handle, ());
        let format = wl_shm::Format::Xrgb8888;
        let buffer = pool.create_buffer(0, size.w, size.h, stride, format, handle, window);
        pool.destroy();
        buffer
    }
}

impl Client {
    /// The outputs, for how large things are drawn there, and the first seat.
    pub(super) fn bind_outputs_and_seat(&mut self, list: &GlobalList) {
        let registry = list.registry();
        list.contents().with_list(|globals| {
            for global in globals {
                match global.interface.as_str() {
                    "wl_output" => {
                        // From 2 on it tells a scale.
                        let version = global.version.min(2);
                        let output: WlOutput =
                            registry.bind(global.name, version, &self.handle, ());
                        self.output_scales.push((output, 1));
                    }
                    "wl_seat" if self.seat.seat.is_none() && global.version >= 5 => {
                        let version = global.version.min(8);
                        let seat: WlSeat = registry.bind(global.name, version, &self.handle, ());
                        self.seat.seat = Some(seat);
                    }
                    _ => {}
                }
            }
        });
    }
}
