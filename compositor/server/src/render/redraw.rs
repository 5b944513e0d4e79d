//! When an output draws: at most once between two vertical blanks, and never when nothing changed.

/// Where an output is between "something changed" and "it is seen".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RedrawState {
    /// What is seen is what there is. No timer runs, nothing wakes.
    #[default]
    Idle,
    /// Something changed; a picture is drawn at the end of this turn of the event loop.
    Queued,
    /// A picture was drawn and waits to be seen.
    WaitingForVBlank {
        /// Something changed since that picture was drawn.
        redraw_needed: bool,
    },
    /// Programs were told that their picture is seen, and get a while to draw the next: whoever came
    /// second would else miss a picture each time another was quicker.
    Gathering {
        /// Something changed since the last picture was drawn.
        redraw_needed: bool,
    },
}

impl RedrawState {
    /// Something changed.
    pub fn queue(&mut self) {
        *self = match *self {
            RedrawState::Idle | RedrawState::Queued => RedrawState::Queued,
            RedrawState::WaitingForVBlank { .. } => {
                RedrawState::WaitingForVBlank { redraw_needed: true }
            }
            RedrawState::Gathering { .. } => RedrawState::Gathering { redraw_needed: true },
        };
    }

    /// Programs begin to draw now. Whether [`gathered`](Self::gathered) is to follow after a while.
    #[must_use]
    pub fn gather(&mut self) -> bool {
        let redraw_needed = match *self {
            RedrawState::Idle => false,
            RedrawState::Queued => true,
            RedrawState::WaitingForVBlank { .. } | RedrawState::Gathering { .. } => return false,
        };
        *self = RedrawState::Gathering { redraw_needed };
        true
    }

    /// They have had the time for it.
    pub fn gathered(&mut self) {
        *self = match *self {
            RedrawState::Gathering { redraw_needed: true } => RedrawState::Queued,
            RedrawState::Gathering { redraw_needed: false } => RedrawState::Idle,
            other => other,
        };
    }

    /// Whether a picture is to be drawn now.
    pub fn is_queued(self) -> bool {
        self == RedrawState::Queued
    }

    /// A picture was drawn. Whether a vertical blank must now be awaited that was not awaited
    /// before: a picture that was forced while one was waiting is seen at the same blank.
    #[must_use]
    pub fn drawn(&mut self) -> bool {
        let must_wait = !matches!(*self, RedrawState::WaitingForVBlank { .. });
        *self = RedrawState::WaitingForVBlank { redraw_needed: false };
        must_wait
    }

    /// The picture that was drawn is now seen.
    pub fn vblank(&mut self) {
        *self = match *self {
            RedrawState::WaitingForVBlank { redraw_needed: true } => RedrawState::Queued,
            RedrawState::WaitingForVBlank { redraw_needed: false } => RedrawState::Idle,
            other => other,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_change_is_one_picture_and_then_rest() {
        let mut state = RedrawState::default();
        assert!(!state.is_queued());
        state.queue();
        state.queue();
        assert!(state.is_queued());
        assert!(state.drawn());
        assert!(!state.is_queued());
        state.vblank();
        assert_eq!(state, RedrawState::Idle);
    }

    #[test]
    fn changes_while_waiting_are_drawn_once_after_the_blank() {
        let mut state = RedrawState::Queued;
        assert!(state.drawn());
        state.queue();
        state.queue();
        assert!(!state.is_queued(), "nothing is drawn before the blank");
        state.vblank();
        assert!(state.is_queued());
        assert!(state.drawn());
        state.vblank();
        assert_eq!(state, RedrawState::Idle);
    }

    #[test]
    fn a_forced_picture_needs_no_second_blank() {
        let mut state = RedrawState::Idle;
        assert!(state.drawn(), "forced while idle");
        state.queue();
        assert!(!state.drawn(), "forced while waiting");
        state.vblank();
        assert_eq!(state, RedrawState::Idle);
    }

    #[test]
    fn what_programs_draw_when_told_is_in_one_picture() {
        for before in [RedrawState::Idle, RedrawState::Queued] {
            let mut state = before;
            assert!(state.gather());
            assert!(!state.gather(), "once is enough");
            state.queue();
            state.vblank();
            assert!(!state.is_queued(), "others may still be drawing");
            state.gathered();
            assert!(state.is_queued());
        }
        let mut state = RedrawState::Idle;
        assert!(state.gather());
        state.gathered();
        assert_eq!(state, RedrawState::Idle, "nobody drew anything");
        assert!(state.gather() && state.drawn(), "a picture that is forced is waited for");
        state.gathered();
        assert_eq!(state, RedrawState::WaitingForVBlank { redraw_needed: false });
        assert!(!state.gather());
    }

    #[test]
    fn a_stray_blank_changes_nothing() {
        for mut state in [RedrawState::Idle, RedrawState::Queued] {
            let before = state;
            state.vblank();
            assert_eq!(state, before);
        }
    }
}
