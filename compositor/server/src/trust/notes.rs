//! What the compositor itself tells the person at the screen.

use smithay::utils::{Monotonic, Time};

use crate::{client::ClientOrigin, colour::Colour, state::State};

/// Something that a person should know. No word of it comes from a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The domain that it is about, by its configured name and colour.
    pub domain: Option<(String, Colour)>,
    /// What there is to say.
    pub text: String,
}

impl Note {
    /// A note about a domain, or about local programs.
    pub(crate) fn about(origin: &ClientOrigin, text: String) -> Note {
        let domain = origin.domain().map(|domain| (domain.name.clone(), domain.colour));
        Note { domain, text }
    }
}

/// What was said last, and when.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    last: Option<(Time<Monotonic>, Note)>,
}

impl State {
    /// Tell the person at the screen.
    pub(crate) fn tell_user(&mut self, note: Note) {
        let domain = note.domain.as_ref().map(|(name, _)| name);
        tracing::info!(domain, "{}", note.text);
        self.notes.last = Some((self.clock.now(), note));
    }

    /// What the person at the screen was told last.
    pub fn last_note(&self) -> Option<&Note> {
        self.notes.last.as_ref().map(|(_, note)| note)
    }
}
