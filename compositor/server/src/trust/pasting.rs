//! Offering a domain what was copied from another one, and giving it to the program that asks.

use std::{mem, os::fd::OwnedFd, sync::Arc};

use rustix::io::Errno;
use smithay::{
    reexports::{
        calloop::Interest,
        wayland_server::{Client, Resource, protocol::wl_surface::WlSurface},
    },
    wayland::selection::data_device::{clear_data_device_selection, set_data_device_focus},
};

use super::{
    contents::Contents,
    crossing::{Crossing, Held, name, note},
    notes::Note,
    offer::{self, Ticket},
    pipe::{self, Watched},
};
use crate::{
    client::{ClientOrigin, origin_of},
    keys::Action,
    state::State,
};

/// Who may have what was copied.
pub(crate) struct Offered {
    to: ClientOrigin,
    /// The client that has been told: the one with the keyboard.
    pub(super) told: Option<Client>,
}

/// What a program is reading from us.
pub(crate) struct Pasting {
    from: ClientOrigin,
    to: ClientOrigin,
    contents: Arc<Contents>,
    written: usize,
    pub(super) pipe: Watched,
}

/// Why nothing can be pasted.
#[derive(Debug, thiserror::Error)]
enum NotPasted {
    #[error("no window has the keyboard")]
    NoWindow,
    #[error("that is not allowed: `in` in its [domain.clipboard] is false")]
    Denied,
    #[error("{0} has not handed it over yet")]
    Copying(String),
    #[error("nothing was copied out; {0} does that")]
    Nothing(String),
}

impl State {
    /// Offer what was copied to the domain with the keyboard.
    pub(crate) fn paste_in(&mut self) {
        if let Err(why) = self.offer_crossing() {
            let text = format!("nothing to paste: {why}");
            self.tell_user(match self.keyboard_origin() {
                Some(to) => note(&to, text),
                None => Note { domain: None, text },
            });
        }
    }

    fn offer_crossing(&mut self) -> Result<(), NotPasted> {
        let to = self.keyboard_origin().ok_or(NotPasted::NoWindow)?;
        if !self.config.clipboard_of(&to).paste_in {
            return Err(NotPasted::Denied);
        }
        let held = match mem::take(&mut self.crossing) {
            // Offered to that domain already, else the keyboard would have gone elsewhere since.
            Crossing::Held(held) | Crossing::Offered(held, _) => held,
            other => {
                let why = match &other {
                    Crossing::Copying(copying) => {
                        NotPasted::Copying(name(&copying.from).to_owned())
                    }
                    _ => NotPasted::Nothing(self.shortcut(&Action::CopyOut)),
                };
                self.crossing = other;
                return Err(why);
            }
        };
        let text = format!("may paste, once, from {}: {}", name(&held.from), held.contents);
        self.tell_user(note(&to, text));
        if self.selections.clipboard_of(&to).is_some() {
            // Toolkits take no offer while they have something of their own in the clipboard. They are
            // told that it is gone, but not that the clipboard is empty.
            self.selections.forget_clipboard();
            set_data_device_focus(&self.display_handle, &self.seat, None);
            clear_data_device_selection(&self.display_handle, &self.seat);
        }
        self.crossing = Crossing::Offered(held, Offered { to, told: None });
        let focus = self.keyboard_focus();
        self.selection_focus_changed(focus.as_ref());
        Ok(())
    }

    /// The keyboard went to this surface: within the domain the offer goes with it, in another one it
    /// ends. It may be nobody's for a moment, when a window closes.
    pub(crate) fn crossing_focus_changed(&mut self, focus: Option<&WlSurface>) {
        let client = focus.and_then(Resource::client);
        let client = client.filter(|client| self.may_paste(&Some(origin_of(client))));
        let Crossing::Offered(held, offered) = &mut self.crossing else { return };
        if client.is_some() && client == offered.told {
            return;
        }
        let told = mem::replace(&mut offered.told, client.clone());
        if let Some(client) = told {
            offer::withdraw(&self.display_handle, &client);
        }
        match client {
            Some(client) => {
                let allowed = &self.config.clipboard.types;
                offer::offer(&self.display_handle, &client, &held.contents, allowed);
            }
            None if focus.is_some() => self.keep_from("another domain has the keyboard"),
            None => {}
        }
    }

    /// Whether a program from there may paste what crosses.
    pub(crate) fn may_paste(&self, origin: &Option<ClientOrigin>) -> bool {
        matches!(&self.crossing, Crossing::Offered(_, offered) if Some(&offered.to) == origin.as_ref())
            && !self.is_locked()
    }

    /// The program with the keyboard copies something itself, which is what it then pastes.
    pub(crate) fn crossing_gives_way(&mut self) {
        self.keep_from("it has copied something itself");
    }

    /// Offer what was copied no longer, until it is asked for again.
    fn keep_from(&mut self, why: &str) {
        let (held, offered) = match mem::take(&mut self.crossing) {
            Crossing::Offered(held, offered) => (held, offered),
            other => return self.crossing = other,
        };
        let key = self.shortcut(&Action::PasteIn);
        let from = name(&held.from);
        let text = format!("may no longer paste from {from}: {why}. {key} offers it again");
        self.crossing = Crossing::Held(held);
        self.tell_user(note(&offered.to, text));
    }

    /// A client asks for what an offer stands for.
    pub(super) fn hand_over(&mut self, client: &Client, ticket: &Ticket, kind: &str, to: &OwnedFd) {
        if !self.may_paste(&Some(origin_of(client))) {
            return;
        }
        let allowed = &self.config.clipboard.types;
        let (held, offered) = match mem::take(&mut self.crossing) {
            Crossing::Offered(held, offered)
                if ticket.is_for(&held.contents)
                    && held.contents.names(allowed).any(|name| name == kind) =>
            {
                (held, offered)
            }
            other => return self.crossing = other,
        };
        let pipe = pipe::to_write(to).and_then(|pipe| {
            Watched::new(
                &self.loop_handle,
                pipe,
                Interest::WRITE,
                self.config.clipboard.wait.duration(),
                State::paste_on,
                State::pasted_too_late,
            )
        });
        match pipe {
            Ok(pipe) => {
                self.loop_handle.remove(held.expiry);
                let (Held { from, contents, .. }, Offered { to, .. }) = (held, offered);
                self.crossing = Crossing::Pasting(Pasting { from, to, contents, written: 0, pipe });
            }
            Err(error) => {
                tracing::debug!(%error, to = name(&offered.to), "cannot write to a program's pipe");
                self.crossing = Crossing::Offered(held, offered);
            }
        }
    }

    /// Write some more.
    fn paste_on(&mut self, pipe: &OwnedFd) {
        let Crossing::Pasting(pasting) = &mut self.crossing else { return };
        let bytes = pasting.contents.bytes();
        match rustix::io::write(pipe, &bytes[pasting.written..]) {
            Ok(count) => {
                pasting.written += count;
                if pasting.written == bytes.len() {
                    self.finish_pasting(true);
                }
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.finish_pasting(false),
        }
    }

    fn pasted_too_late(&mut self) {
        self.finish_pasting(false);
    }

    fn finish_pasting(&mut self, whole: bool) {
        if let Crossing::Pasting(Pasting { from, to, contents, written, .. }) = &self.crossing {
            let from = name(from);
            let text = if whole {
                format!("pasted from {from}: {contents}. It is gone from here")
            } else {
                format!("stopped reading after {written} bytes from {from}: the rest is gone")
            };
            self.tell_user(note(to, text));
        }
        self.end_crossing();
    }
}
