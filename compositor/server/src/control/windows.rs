//! What the control socket does with windows.

use super::messages::WindowRequest;
use crate::{
    shell::window::{Extent, Window, WindowId},
    state::State,
};

/// Why nothing was done with a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// No such window, or not any more.
    #[error("there is no window {0}: see hyper-dmabufctl windows")]
    Unknown(u64),
    /// It has no place of its own.
    #[error("window {0} fills its output, or a half of it, and so is not moved")]
    Fills(u64),
}

impl State {
    /// Do with a window what is asked.
    pub fn control_window(&mut self, request: &WindowRequest) -> Result<(), WindowError> {
        match *request {
            WindowRequest::Focus { id } => {
                let id = self.known_window(id)?.id();
                self.bring_window(id);
            }
            WindowRequest::Close { id } => self.known_window(id)?.close(),
            WindowRequest::Move { id, to } => {
                let window = self.known_window(id)?;
                if window.extent() != Extent::Floating {
                    return Err(WindowError::Fills(id));
                }
                let id = window.id();
                if let Some(window) = self.windows.get_mut(id) {
                    window.move_to(to.0);
                }
                self.keep_windows_within_reach();
                self.queue_redraw();
            }
        }
        Ok(())
    }

    fn known_window(&self, id: u64) -> Result<&Window, WindowError> {
        let window = self.windows.get(WindowId(id)).filter(|window| window.is_mapped());
        window.ok_or(WindowError::Unknown(id))
    }
}
