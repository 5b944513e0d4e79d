//! What programs commit of their text goes to the input method. One that does not read for a while, as
//! it is busy, would be cut off by wayland-backend when too much waits for it, and any guest could bring
//! that about. So commits wait here instead, until it reads again: Smithay keeps the text that was set
//! last, and each commit that waited is still counted, as `zwp_text_input_v3.done` tells their number.

use std::{collections::HashMap, os::fd::OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use smithay::reexports::{
    calloop::{Interest, Mode, PostAction, generic::Generic},
    wayland_protocols::wp::text_input::zv3::server::zwp_text_input_v3::ZwpTextInputV3,
    wayland_server::{
        Client, Resource,
        backend::{ClientId, ObjectData, protocol::Message},
    },
};

use super::limits;
use crate::{client::ClientState, state::State};

/// Commits that are passed on in one turn of the event loop. A text is at most 4000 bytes
/// (text-input-unstable-v3.xml), so these fit the socket of an input method that reads.
const MOST_IN_A_TURN: u32 = 16;
/// Commits of one program that wait, and text inputs that it gives up meanwhile: a person types some tens
/// of letters a second, and what is told for so many at once, 8 bytes each, can still be kept.
const MOST_WAITING: u32 = 10_000;
/// `zwp_text_input_v3.commit` (text-input-unstable-v3.xml): its number among the requests.
const COMMIT: u16 = 7;

/// Who is told of texts, and what waits for them.
#[derive(Debug, Default)]
pub(crate) struct TextCommits {
    /// Programs that have asked to be an input method.
    methods: Vec<Client>,
    /// Commits that were passed on in this turn.
    in_this_turn: u32,
    /// In the order in which they came, and how many of each.
    waiting: Vec<(ZwpTextInputV3, u32)>,
    /// How much of each program came while nobody read.
    unheard: HashMap<ClientId, u32>,
    /// Room in an input method's socket is awaited.
    watches: bool,
    /// Those that waited are being passed on.
    passing_on: bool,
}

impl TextCommits {
    /// A program asks to be an input method.
    pub(super) fn add_method(&mut self, client: &Client) {
        self.methods.retain(|known| known.get_data::<ClientState>().is_some_and(is_connected));
        if !self.methods.contains(client) {
            self.methods.push(client.clone());
        }
    }

    /// The socket of one that does not read.
    fn unread(&self) -> Option<OwnedFd> {
        let states = self.methods.iter().filter_map(|client| client.get_data::<ClientState>());
        states.filter_map(ClientState::socket).find(|socket| !has_room(socket))
    }
}

fn is_connected(state: &ClientState) -> bool {
    state.socket().is_some()
}

/// Linux calls a stream writable while less than a quarter of what it may hold is unread
/// (net/unix/af_unix.c, `unix_writable`).
fn has_room(socket: &OwnedFd) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut polled = [PollFd::new(socket, PollFlags::OUT)];
    // One that cannot be asked is not waited for.
    poll(&mut polled, Some(&now)).is_err() || !polled[0].revents().is_empty()
}

impl State {
    /// A program commits its text. Whether that is passed on now.
    pub(super) fn passes_on(&mut self, client: &Client, input: &ZwpTextInputV3) -> bool {
        let commits = &mut self.text_commits;
        if commits.passing_on {
            return true;
        }
        let waits = commits.waiting.iter().any(|(other, _)| other == input);
        if !waits && commits.in_this_turn < MOST_IN_A_TURN && commits.unread().is_none() {
            commits.in_this_turn += 1;
            return true;
        }
        match commits.waiting.iter_mut().find(|(other, _)| other == input) {
            Some((_, count)) => *count += 1,
            None => commits.waiting.push((input.clone(), 1)),
        }
        self.count_unheard(client);
        false
    }

    /// A text input of a program is gone, of which input methods may be told.
    pub(super) fn text_input_gone(&mut self, program: &ClientId, input: &ZwpTextInputV3) {
        self.text_commits.waiting.retain(|(other, _)| other != input);
        match input.client() {
            Some(client) if self.text_commits.unread().is_some() => self.count_unheard(&client),
            Some(_) => {}
            // The whole program is gone.
            None => drop(self.text_commits.unheard.remove(program)),
        }
    }

    fn count_unheard(&mut self, client: &Client) {
        let count = self.text_commits.unheard.entry(client.id()).or_default();
        *count += 1;
        if *count > MOST_WAITING {
            limits::expel(&self.display_handle, client, "text is changed faster than it is read");
        }
    }

    /// At the end of a turn: pass on what has waited, or see to it that this is tried again when the
    /// input method has read.
    pub(crate) fn pass_on_texts(&mut self) {
        self.text_commits.in_this_turn = 0;
        if self.text_commits.waiting.is_empty() && self.text_commits.unheard.is_empty() {
            return;
        }
        if let Some(socket) = self.text_commits.unread() {
            self.await_reading(socket);
            return;
        }
        self.text_commits.unheard.clear();
        self.text_commits.passing_on = true;
        for (input, count) in std::mem::take(&mut self.text_commits.waiting) {
            (0..count).for_each(|_| self.commit_again(&input));
        }
        self.text_commits.passing_on = false;
    }

    /// As if the program had said it now.
    fn commit_again(&mut self, input: &ZwpTextInputV3) {
        let handle = self.display_handle.backend_handle();
        let Some(client) = input.client() else { return };
        // It fails for one that is gone.
        let Ok(data) = handle.get_object_data::<State>(input.id()) else { return };
        let message = Message { sender_id: input.id(), opcode: COMMIT, args: Default::default() };
        // A commit makes no object.
        let _ = ObjectData::request(data, &handle, self, client.id(), message);
    }

    fn await_reading(&mut self, socket: OwnedFd) {
        if self.text_commits.watches {
            return;
        }
        // The end of the turn that this begins passes on.
        let source = Generic::new(socket, Interest::WRITE, Mode::Level);
        let inserted = self.loop_handle.insert_source(source, |_, _, state| {
            state.text_commits.watches = false;
            Ok(PostAction::Remove)
        });
        match inserted {
            Ok(_) => self.text_commits.watches = true,
            Err(error) => tracing::warn!(%error, "texts wait until something else happens"),
        }
    }
}
