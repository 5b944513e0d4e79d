//! What the compositor itself tells the person at the screen.

use std::time::Duration;

use smithay::reexports::calloop::{
    RegistrationToken,
    timer::{TimeoutAction, Timer},
};

use crate::{client::ClientOrigin, colour::Colour, state::State};

/// How long a note is shown that asks nothing.
const SHOWN_FOR: Duration = Duration::from_secs(8);

/// Something that a person should know. No word of it comes from a guest, but for a cleaned title.
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
        let domain = origin.domain().map(|domain| (domain.name.clone(), domain.colour()));
        Note { domain, text }
    }
}

/// What was said last, and what is still shown of it.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    last: Option<Note>,
    /// Ends the showing.
    shown: Option<RegistrationToken>,
}

impl State {
    /// Tell the person at the screen, for a while.
    pub(crate) fn tell_user(&mut self, note: Note) {
        let domain = note.domain.as_ref().map(|(name, _)| name);
        tracing::info!(domain, "{}", note.text);
        self.notes.last = Some(note);
        if let Some(token) = self.notes.shown.take() {
            self.loop_handle.remove(token);
        }
        let timer = Timer::from_duration(SHOWN_FOR);
        let inserted = self.loop_handle.insert_source(timer, |_, (), state| {
            state.notes.shown = None;
            state.queue_redraw();
            TimeoutAction::Drop
        });
        // Without a timer it would stay; it was logged.
        self.notes.shown = inserted.ok();
        self.queue_redraw();
    }

    /// What the person at the screen was told last.
    pub fn last_note(&self) -> Option<&Note> {
        self.notes.last.as_ref()
    }

    /// Whether something was said a moment ago.
    pub(crate) fn is_telling(&self) -> bool {
        self.notes.shown.is_some()
    }

    /// What the identity bar says beside who has the focus.
    pub(crate) fn shown_note(&self) -> Option<Note> {
        self.notes.shown.and(self.notes.last.clone()).or_else(|| self.held_note())
    }
}
