//! Cursors of themes that move: several pictures, each seen for a while.
//!
//! Drawing sets the timer for the next picture, so that nothing wakes for a cursor that is still, not
//! shown, or on an output that is off.

use std::time::{Duration, Instant};

use smithay::{
    input::pointer::CursorIcon,
    reexports::calloop::{
        RegistrationToken,
        timer::{TimeoutAction, Timer},
    },
};

use crate::{outputs::OutputId, state::State};

/// How far a cursor has moved.
#[derive(Debug, Default)]
pub(super) struct Movement {
    /// The shape that is shown, and since when.
    shape: Option<(CursorIcon, Instant)>,
    /// How long it was there when it was drawn last.
    age: Duration,
    /// Draws the next picture, and when.
    timer: Option<(Instant, RegistrationToken)>,
}

impl Movement {
    /// This shape is about to be drawn. Another one than before begins with its first picture.
    pub(super) fn follow(&mut self, shape: Option<CursorIcon>, now: Instant) {
        if self.shape.map(|(before, _)| before) != shape {
            self.shape = shape.map(|shape| (shape, now));
        }
        let since = self.shape.map_or(now, |(_, since)| since);
        self.age = now.saturating_duration_since(since);
    }

    /// How long the shape has been there.
    pub(super) fn age(&self) -> Duration {
        self.age
    }

    /// When it will have been there for so long.
    pub(super) fn at(&self, age: Duration) -> Option<Instant> {
        self.shape.and_then(|(_, since)| since.checked_add(age))
    }
}

impl State {
    /// An output was drawn: if a moving cursor is on it, see to it that its next picture is.
    pub(super) fn cursor_drawn(&mut self, id: OutputId) {
        let reach = self.reach_of_cursor(self.pointer_location);
        let Some(view) = self.outputs.get(id).filter(|view| view.area().overlaps(reach)) else {
            return;
        };
        let next = self.cursor.next_look(view.scale());
        if let (Some((due, _)), Some(next)) = (&self.cursor.movement.timer, next)
            && *due <= next
        {
            return;
        }
        if let Some((_, timer)) = self.cursor.movement.timer.take() {
            self.loop_handle.remove(timer);
        }
        let Some(next) = next else { return };
        let timer = Timer::from_deadline(next);
        let inserted = self.loop_handle.insert_source(timer, |_, (), state| {
            state.cursor.movement.timer = None;
            state.cursor_changed();
            TimeoutAction::Drop
        });
        match inserted {
            Ok(timer) => self.cursor.movement.timer = Some((next, timer)),
            Err(error) => tracing::warn!(%error, "the cursor stands still"),
        }
    }

    /// Whether a picture of the cursor gives way to another by itself.
    pub fn cursor_moves_by_itself(&self) -> bool {
        self.cursor.movement.timer.is_some()
    }
}
