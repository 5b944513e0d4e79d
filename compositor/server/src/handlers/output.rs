//! `wl_output` and `xdg_output`.

use smithay::{
    output::Output, reexports::wayland_server::protocol::wl_output::WlOutput,
    wayland::output::OutputHandler,
};

use crate::state::State;

impl OutputHandler for State {
    fn output_bound(&mut self, output: Output, resource: WlOutput) {
        self.tell_windows_on(&output, &resource);
    }
}
