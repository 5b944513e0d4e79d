//! Carrying what was copied from one domain to another: by a person's own keys, and in no other way.
//!
//! The shortcut `copy-out` takes what the domain with the keyboard has in its clipboard. `paste-in` offers
//! it to the domain that then has the keyboard, until another one gets that; the first of its programs
//! that asks gets it, and then it is gone. One thing crosses at a time. Local programs count as one
//! more domain. The primary selection and what is dragged never cross.

use std::{mem, sync::Arc};

use smithay::{
    reexports::{
        calloop::{
            RegistrationToken,
            timer::{TimeoutAction, Timer},
        },
        wayland_server::{Client, Resource},
    },
    wayland::selection::data_device::set_data_device_focus,
};

use super::{
    contents::Contents,
    copying::Copying,
    notes::Note,
    offer,
    pasting::{Offered, Pasting},
};
use crate::{
    client::{ClientOrigin, origin_of_surface},
    keys::Action,
    render::identity_bar::LOCAL,
    state::State,
};

/// What is on its way from one domain to another.
#[derive(Default)]
pub(crate) enum Crossing {
    /// Nothing is.
    #[default]
    Nothing,
    /// A program of the one writes it to us.
    Copying(Copying),
    /// It is here.
    Held(Held),
    /// It is here, and the other may have it.
    Offered(Held, Offered),
    /// A program of the other reads it.
    Pasting(Pasting),
}

/// What was copied, and waits to be pasted.
pub(crate) struct Held {
    pub(super) from: ClientOrigin,
    pub(super) contents: Arc<Contents>,
    pub(super) expiry: RegistrationToken,
}

/// What a domain is called in a note.
pub(super) fn name(origin: &ClientOrigin) -> &str {
    origin.domain().map_or(LOCAL, |domain| &domain.name)
}

/// A note of which a domain is the subject. It stands before the text where that is shown.
pub(super) fn note(origin: &ClientOrigin, text: String) -> Note {
    let text = if origin.domain().is_none() { format!("{LOCAL} {text}") } else { text };
    Note::about(origin, text)
}

impl State {
    /// The domain of the window that has the keyboard.
    pub(super) fn keyboard_origin(&self) -> Option<ClientOrigin> {
        self.keyboard_focus().as_ref().and_then(origin_of_surface)
    }

    /// Keep what was copied until it is pasted, or has waited for too long.
    pub(super) fn hold(&mut self, from: ClientOrigin, contents: Contents) {
        let keep = self.config.clipboard.keep.duration();
        let timer = self.loop_handle.insert_source(Timer::from_duration(keep), |_, (), state| {
            state.crossing_expired();
            TimeoutAction::Drop
        });
        let Ok(expiry) = timer else {
            tracing::error!("what was copied is dropped, since no timer could be set for it");
            return;
        };
        let key = self.shortcut(&Action::PasteIn);
        self.tell_user(note(&from, format!("copied out: {contents}. {key} offers it elsewhere")));
        self.crossing = Crossing::Held(Held { from, contents: Arc::new(contents), expiry });
    }

    fn crossing_expired(&mut self) {
        if let Crossing::Held(held) | Crossing::Offered(held, _) = &self.crossing {
            let keep = self.config.clipboard.keep.duration().as_secs();
            let text = format!("copied out, not pasted for {keep} s, and gone: {}", held.contents);
            self.tell_user(note(&held.from, text));
        }
        self.end_crossing();
    }

    /// Drop what is on its way, wherever it is.
    pub(super) fn end_crossing(&mut self) {
        let handle = &self.loop_handle;
        let told = match mem::take(&mut self.crossing) {
            Crossing::Nothing => None,
            Crossing::Copying(copying) => {
                copying.pipe.end(handle);
                None
            }
            Crossing::Held(held) => {
                handle.remove(held.expiry);
                None
            }
            Crossing::Offered(held, offered) => {
                handle.remove(held.expiry);
                offered.told
            }
            Crossing::Pasting(pasting) => {
                pasting.pipe.end(handle);
                // `wl-paste` takes a word of an empty clipboard for the answer to what it has asked
                // for. What it was offered stands for nothing any more, until it is told anew when
                // the keyboard comes to it, or something is copied.
                None
            }
        };
        if let Some(client) = told {
            self.restore_clipboard(&client);
        }
    }

    /// Tell a client what is in the clipboard but for what crossed.
    fn restore_clipboard(&mut self, client: &Client) {
        offer::withdraw(&self.display_handle, client);
        let focus = self.keyboard_focus();
        if focus.as_ref().and_then(Resource::client).as_ref() == Some(client) {
            // Smithay tells a client only when it becomes the one that may know.
            set_data_device_focus(&self.display_handle, &self.seat, None);
            self.selection_focus_changed(focus.as_ref());
        }
    }
}
