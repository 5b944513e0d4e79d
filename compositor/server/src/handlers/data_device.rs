//! Clipboard, primary selection, and drag and drop, each kept within its domain.

use std::{collections::HashMap, os::fd::OwnedFd};

use smithay::{
    input::Seat,
    reexports::{
        wayland_protocols::wp::primary_selection::zv1::server::zwp_primary_selection_device_v1::ZwpPrimarySelectionDeviceV1,
        wayland_server::{
            Resource,
            backend::ObjectId,
            protocol::{
                wl_data_device::WlDataDevice, wl_data_source::WlDataSource, wl_surface::WlSurface,
            },
        },
    },
    wayland::selection::{
        SelectionHandler, SelectionSource, SelectionTarget,
        data_device::{
            ClientDndGrabHandler, DataDeviceHandler, DataDeviceState, ServerDndGrabHandler,
            set_data_device_focus,
        },
        primary_selection::{PrimarySelectionHandler, PrimarySelectionState, set_primary_focus},
    },
};

use crate::{
    client::{ClientOrigin, objects_of, origin_of, origin_of_surface},
    state::State,
};

/// Whose text is in the clipboard, and whose in the primary selection.
#[derive(Debug, Default)]
pub(crate) struct SelectionOwners {
    clipboard: Selection,
    primary: Selection,
    /// Who sets a selection by data control at this moment.
    pub(super) set_by: Option<ClientOrigin>,
    /// How many kinds of content each source offers.
    pub(super) kinds: HashMap<ObjectId, usize>,
    /// Whose drag is under way.
    pub(crate) drag: Option<ClientOrigin>,
    /// Drags that ended where they were welcome.
    accepted_drops: u64,
}

/// Whose a selection is, and in which types it is offered.
#[derive(Debug, Default)]
struct Selection {
    owner: Option<ClientOrigin>,
    types: Vec<String>,
}

/// Marks the selections that no Wayland client has set: those of X11 programs.
#[derive(Clone, Copy, Debug)]
pub struct SelectionFromX11;

impl SelectionOwners {
    /// The kinds that a domain offers by the clipboard, if what is in it is the domain's.
    pub(crate) fn clipboard_of(&self, origin: &ClientOrigin) -> Option<Vec<String>> {
        let Selection { owner, types } = &self.clipboard;
        (owner.as_ref() == Some(origin)).then(|| types.clone())
    }

    /// Nothing is in the clipboard any more.
    pub(crate) fn forget_clipboard(&mut self) {
        self.clipboard = Selection::default();
    }

    fn of(&self, target: SelectionTarget) -> &Selection {
        match target {
            SelectionTarget::Clipboard => &self.clipboard,
            SelectionTarget::Primary => &self.primary,
        }
    }

    /// Whose a selection is.
    pub(crate) fn owner(&self, target: SelectionTarget) -> Option<&ClientOrigin> {
        self.of(target).owner.as_ref()
    }

    /// The types that a selection is offered in, if there is one.
    pub(crate) fn types(&self, target: SelectionTarget) -> Option<&[String]> {
        let selection = self.of(target);
        selection.owner.is_some().then_some(&selection.types)
    }
}

impl SelectionHandler for State {
    type SelectionUserData = SelectionFromX11;

    fn new_selection(
        &mut self,
        target: SelectionTarget,
        source: Option<SelectionSource>,
        seat: Seat<State>,
    ) {
        // But for data control, only the client with the keyboard may set a selection.
        let focus = seat.get_keyboard().and_then(|keyboard| keyboard.current_focus());
        let focused = || focus.as_ref().and_then(|focus| origin_of_surface(focus.wl_surface()));
        let owner = self.selections.set_by.clone().or_else(focused);
        let types = source.map(|source| source.mime_types());
        let owner = types.is_some().then_some(owner).flatten();
        self.selection_owner_changes(target, owner, types.clone());
        self.tell_x11_of_selection(target, types);
    }

    fn send_selection(
        &mut self,
        target: SelectionTarget,
        mime_type: String,
        fd: OwnedFd,
        _seat: Seat<State>,
        _from: &SelectionFromX11,
    ) {
        self.send_selection_from_x11(target, mime_type, fd);
    }
}

impl State {
    /// A selection is about to be somebody else's.
    pub(crate) fn selection_owner_changes(
        &mut self,
        target: SelectionTarget,
        owner: Option<ClientOrigin>,
        types: Option<Vec<String>>,
    ) {
        let focus = self.keyboard_focus();
        let focused = focus.as_ref().and_then(origin_of_surface);
        if owner.is_some() && owner != focused {
            // Smithay offers it to the client with the focus as soon as this returns.
            match target {
                SelectionTarget::Clipboard => {
                    set_data_device_focus(&self.display_handle, &self.seat, None);
                }
                SelectionTarget::Primary => {
                    set_primary_focus(&self.display_handle, &self.seat, None);
                }
            }
        }
        let selection = Selection { owner, types: types.unwrap_or_default() };
        match target {
            SelectionTarget::Clipboard => {
                if self.selections.set_by.is_none() {
                    self.crossing_gives_way();
                }
                self.selections.clipboard = selection;
            }
            SelectionTarget::Primary => self.selections.primary = selection,
        }
        // The data device may have been kept from this client because of the owner before.
        self.loop_handle.insert_idle(|state| {
            let focus = state.keyboard_focus();
            state.selection_focus_changed(focus.as_ref());
        });
    }

    /// Whether something is being dragged.
    pub fn is_dragging(&self) -> bool {
        self.selections.drag.is_some()
    }

    /// How many drags have ended where they were welcome.
    pub fn accepted_drops(&self) -> u64 {
        self.selections.accepted_drops
    }

    /// Offer the selections to the client that now has the keyboard, if they come from the same
    /// domain: what one domain copies, another neither reads nor learns of.
    pub(crate) fn selection_focus_changed(&mut self, focus: Option<&WlSurface>) {
        let client = focus.and_then(|surface| surface.client());
        let origin = focus.and_then(origin_of_surface);
        let allowed = |owner: &Option<ClientOrigin>| {
            if owner.is_none() || *owner == origin { client.clone() } else { None }
        };
        let Selection { owner, .. } = &self.selections.clipboard;
        // Who is offered what crosses is told of that alone: there are programs that look no further
        // than to the first word.
        let clipboard = allowed(owner).filter(|_| !self.may_paste(&origin));
        set_data_device_focus(&self.display_handle, &self.seat, clipboard);
        let primary = allowed(&self.selections.primary.owner);
        set_primary_focus(&self.display_handle, &self.seat, primary);
        self.crossing_focus_changed(focus);
    }

    /// Tell the client that gets the keyboard that the selections which it may not know of are empty.
    /// Smithay tells it nothing of them, and there are programs that wait for a word.
    pub(crate) fn hide_selections(&self, focus: Option<&WlSurface>) {
        let Some(client) = focus.and_then(Resource::client) else { return };
        let origin = Some(origin_of(&client));
        let hidden = |owner: &Option<ClientOrigin>| owner.is_some() && *owner != origin;
        if hidden(&self.selections.clipboard.owner) && !self.may_paste(&origin) {
            let devices = objects_of::<WlDataDevice>(&self.display_handle, &client);
            devices.iter().for_each(|device| device.selection(None));
        }
        if hidden(&self.selections.primary.owner) {
            let devices = objects_of::<ZwpPrimarySelectionDeviceV1>(&self.display_handle, &client);
            devices.iter().for_each(|device| device.selection(None));
        }
    }
}

impl DataDeviceHandler for State {
    fn data_device_state(&self) -> &DataDeviceState {
        &self.protocols.data_device
    }
}

impl ClientDndGrabHandler for State {
    fn started(
        &mut self,
        _source: Option<WlDataSource>,
        icon: Option<WlSurface>,
        seat: Seat<State>,
    ) {
        let origin = seat
            .get_pointer()
            .and_then(|pointer| pointer.grab_start_data())
            .and_then(|start| start.focus)
            .and_then(|(surface, _)| origin_of_surface(&surface));
        self.selections.drag = origin;
        self.cursor.icon = icon;
        self.cursor_changed();
    }

    fn dropped(&mut self, _target: Option<WlSurface>, validated: bool, _seat: Seat<State>) {
        self.selections.accepted_drops += u64::from(validated);
        self.selections.drag = None;
        self.cursor.icon = None;
        self.cursor_changed();
    }
}

impl ServerDndGrabHandler for State {}

impl PrimarySelectionHandler for State {
    fn primary_selection_state(&self) -> &PrimarySelectionState {
        &self.protocols.primary_selection
    }
}
