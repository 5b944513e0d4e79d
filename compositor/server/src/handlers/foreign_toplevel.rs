//! `ext_foreign_toplevel_list_v1`; what is told is decided in `protocols::foreign_toplevel`.

use smithay::{
    delegate_foreign_toplevel_list,
    wayland::foreign_toplevel_list::{ForeignToplevelListHandler, ForeignToplevelListState},
};

use crate::state::State;

impl ForeignToplevelListHandler for State {
    fn foreign_toplevel_list_state(&mut self) -> &mut ForeignToplevelListState {
        &mut self.protocols.foreign_toplevel_list
    }
}

delegate_foreign_toplevel_list!(State);
