//! Pictures of what is seen.

use crate::{backend::BackendError, image::Image, state::State};

impl State {
    /// What the output shows once everything that has changed is drawn.
    pub fn screenshot(&mut self) -> Result<Image, BackendError> {
        if self.output.redraw.is_queued() || self.output.has_unseen_changes() {
            self.render_now()?;
        }
        self.backend.read_back()
    }
}
