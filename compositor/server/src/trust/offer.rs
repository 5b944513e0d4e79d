//! Offering to one client what crosses, by its own data devices: not as the seat's selection, which
//! clipboard managers see.

use std::sync::{Arc, Weak};

use smithay::reexports::wayland_server::{
    Client, DataInit, Dispatch, DisplayHandle, Resource,
    protocol::{
        wl_data_device::WlDataDevice,
        wl_data_offer::{self, WlDataOffer},
    },
};

use super::contents::Contents;
use crate::{client::objects_of, config::MimeType, state::State};

/// What an offer stands for. It keeps nothing alive.
#[derive(Debug)]
pub(crate) struct Ticket(Weak<Contents>);

impl Ticket {
    /// Whether it stands for these contents.
    pub(super) fn is_for(&self, contents: &Arc<Contents>) -> bool {
        std::ptr::eq(self.0.as_ptr(), Arc::as_ptr(contents))
    }
}

/// Tell a client that these contents are in the clipboard.
pub(super) fn offer(
    display: &DisplayHandle,
    client: &Client,
    contents: &Arc<Contents>,
    allowed: &[MimeType],
) {
    for device in objects_of::<WlDataDevice>(display, client) {
        let ticket = Ticket(Arc::downgrade(contents));
        let offer = client.create_resource::<_, _, State>(display, device.version(), ticket);
        // It fails for a client that has gone.
        let Ok(offer): Result<WlDataOffer, _> = offer else { return };
        device.data_offer(&offer);
        contents.names(allowed).for_each(|name| offer.offer(name.to_owned()));
        device.selection(Some(&offer));
    }
}

/// Tell a client that nothing is in the clipboard.
pub(super) fn withdraw(display: &DisplayHandle, client: &Client) {
    let devices = objects_of::<WlDataDevice>(display, client);
    devices.iter().for_each(|device| device.selection(None));
}

impl Dispatch<WlDataOffer, Ticket> for State {
    fn request(
        state: &mut State,
        client: &Client,
        _offer: &WlDataOffer,
        request: wl_data_offer::Request,
        ticket: &Ticket,
        _display: &DisplayHandle,
        _data_init: &mut DataInit<'_, State>,
    ) {
        // The other requests are about drags.
        if let wl_data_offer::Request::Receive { mime_type, fd } = request {
            state.hand_over(client, ticket, &mime_type, &fd);
        }
    }
}
