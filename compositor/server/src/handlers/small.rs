//! Protocols that need no more than to be there: Smithay keeps their state with the surface, and
//! its renderer reads it from there.

use smithay::{
    delegate_alpha_modifier, delegate_content_type, delegate_fifo, delegate_fractional_scale,
    delegate_pointer_gestures, delegate_presentation, delegate_relative_pointer,
    delegate_single_pixel_buffer, delegate_tablet_manager, delegate_xdg_dialog,
    reexports::wayland_server::protocol::wl_surface::WlSurface,
    wayland::{
        compositor::with_states,
        fractional_scale::{FractionalScaleHandler, with_fractional_scale},
        shell::xdg::dialog::XdgDialogHandler,
    },
};

use crate::state::State;

delegate_alpha_modifier!(State);
delegate_content_type!(State);
delegate_fifo!(State);
delegate_pointer_gestures!(State);
delegate_tablet_manager!(State);
delegate_xdg_dialog!(State);
delegate_presentation!(State);
delegate_relative_pointer!(State);
delegate_single_pixel_buffer!(State);

impl XdgDialogHandler for State {}

impl FractionalScaleHandler for State {
    fn new_fractional_scale(&mut self, surface: WlSurface) {
        let scale = self.output.output.current_scale().fractional_scale();
        with_states(&surface, |states| {
            with_fractional_scale(states, |fractional| fractional.set_preferred_scale(scale));
        });
    }
}

delegate_fractional_scale!(State);
