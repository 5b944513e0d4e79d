//! Protocols that need no more than to be there: Smithay keeps their state with the surface, and
//! its renderer reads it from there.

use smithay::{
    delegate_fifo, delegate_fractional_scale, delegate_presentation, delegate_relative_pointer,
    delegate_single_pixel_buffer,
    reexports::wayland_server::protocol::wl_surface::WlSurface,
    wayland::{
        compositor::with_states,
        fractional_scale::{FractionalScaleHandler, with_fractional_scale},
    },
};

use crate::state::State;

delegate_fifo!(State);
delegate_presentation!(State);
delegate_relative_pointer!(State);
delegate_single_pixel_buffer!(State);

impl FractionalScaleHandler for State {
    fn new_fractional_scale(&mut self, surface: WlSurface) {
        let scale = self.output.output.current_scale().fractional_scale();
        with_states(&surface, |states| {
            with_fractional_scale(states, |fractional| fractional.set_preferred_scale(scale));
        });
    }
}

delegate_fractional_scale!(State);
