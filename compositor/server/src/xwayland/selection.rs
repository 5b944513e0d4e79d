//! The clipboard and the primary selection between X11 programs and others. All X11 programs together
//! are one local program: they read what local programs copy and nothing that a guest does, and what they
//! copy is local.

use std::{iter, os::fd::OwnedFd};

use smithay::{
    wayland::selection::{
        SelectionTarget,
        data_device::{
            clear_data_device_selection, current_data_device_selection_userdata,
            request_data_device_client_selection, set_data_device_selection,
        },
        primary_selection::{
            clear_primary_selection, current_primary_selection_userdata,
            request_primary_client_selection, set_primary_selection,
        },
    },
    xwayland::X11Surface,
};

use super::window::told;
use crate::{client::ClientOrigin, handlers::SelectionFromX11, state::State};

/// Kinds of data that a selection of an X11 program may come in.
const MOST_TYPES: usize = 64;

impl State {
    /// Whether X11 programs may read a selection: who it belongs to decides, as for any local program.
    pub(super) fn x11_may_read(&self, target: SelectionTarget) -> bool {
        self.selections.owner(target) == Some(&ClientOrigin::Local)
    }

    /// A program that is not X11's has set a selection, or taken it back.
    pub(crate) fn tell_x11_of_selection(
        &mut self,
        target: SelectionTarget,
        types: Option<Vec<String>>,
    ) {
        let types = types.filter(|_| self.x11_may_read(target));
        let server = &mut self.xwayland.server;
        server.tell(|manager| manager.new_selection(target, types));
        // Smithay 0.7 leaves that in its buffer until something else is sent, as by this.
        server
            .tell(|manager| manager.update_stacking_order_downwards(iter::empty::<&X11Surface>()));
    }

    /// Xwayland has just begun: tell it what is in the selections. Where that is nothing, the program
    /// that it was started for may have copied something already.
    pub(super) fn share_selections_with_x11(&mut self) {
        for target in [SelectionTarget::Clipboard, SelectionTarget::Primary] {
            if self.x11_may_read(target) {
                let types = self.selections.types(target).map(<[String]>::to_vec);
                self.tell_x11_of_selection(target, types);
            }
        }
    }

    /// An X11 program reads a selection.
    pub(super) fn send_selection_to_x11(
        &mut self,
        target: SelectionTarget,
        mime_type: String,
        fd: OwnedFd,
    ) {
        let seat = &self.seat;
        match target {
            SelectionTarget::Clipboard => {
                told(request_data_device_client_selection::<State>(seat, mime_type, fd));
            }
            SelectionTarget::Primary => {
                told(request_primary_client_selection::<State>(seat, mime_type, fd));
            }
        }
    }

    /// A program that is not X11's reads what an X11 program has copied.
    pub(crate) fn send_selection_from_x11(
        &mut self,
        target: SelectionTarget,
        mime_type: String,
        fd: OwnedFd,
    ) {
        let server = &mut self.xwayland.server;
        match server.nested_loop(&self.loop_handle) {
            Ok(nested) => {
                server.tell(|manager| manager.send_selection(target, mime_type, fd, nested));
            }
            Err(error) => tracing::warn!(%error, "what an X11 program has copied is not read"),
        }
    }

    /// An X11 program has copied something.
    pub(super) fn x11_set_selection(&mut self, target: SelectionTarget, mut types: Vec<String>) {
        types.truncate(MOST_TYPES);
        let display = self.display_handle.clone();
        self.selection_owner_changes(target, Some(ClientOrigin::Local), Some(types.clone()));
        let (seat, data) = (&self.seat, SelectionFromX11);
        match target {
            SelectionTarget::Clipboard => set_data_device_selection(&display, seat, types, data),
            SelectionTarget::Primary => set_primary_selection(&display, seat, types, data),
        }
    }

    /// The X11 program whose selection it was has gone, or has taken it back.
    pub(super) fn x11_cleared_selection(&mut self, target: SelectionTarget) {
        let (display, seat) = (self.display_handle.clone(), self.seat.clone());
        let is_from_x11 = match target {
            SelectionTarget::Clipboard => current_data_device_selection_userdata(&seat).is_some(),
            SelectionTarget::Primary => current_primary_selection_userdata(&seat).is_some(),
        };
        if !is_from_x11 {
            return;
        }
        self.selection_owner_changes(target, None, None);
        match target {
            SelectionTarget::Clipboard => clear_data_device_selection(&display, &seat),
            SelectionTarget::Primary => clear_primary_selection(&display, &seat),
        }
    }
}
