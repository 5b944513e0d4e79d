//! What is tried when a picture can not be drawn or shown: the GPU was reset, or memory ran out, or a screen
//! does not take what it said that it would.

use smithay::output::{Mode, Output};

use super::{Backend, BackendError, drawer::Drawer};
use crate::config::RendererChoice;

/// What is tried, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Begin afresh with the same renderer: what it had is lost with a GPU that was reset.
    Afresh,
    /// Let the processor draw.
    Processor,
    /// Let the screen have another mode.
    OtherMode,
}

/// What came of it.
pub enum Remedied {
    /// It is done: try to draw again.
    Done,
    /// There is nothing to be done here.
    Nothing,
    /// The output could have this mode.
    HasMode(Mode),
}

impl Remedy {
    /// What is to be tried when so many pictures in a row have failed. There is an end to it.
    pub fn after(failures: u32) -> Option<Remedy> {
        match failures {
            1 => Some(Remedy::Afresh),
            2 => Some(Remedy::Processor),
            3..=6 => Some(Remedy::OtherMode),
            _ => None,
        }
    }
}

impl Backend {
    /// Try to make an output show pictures again.
    pub fn remedy(&mut self, output: &Output, remedy: Remedy) -> Result<Remedied, BackendError> {
        match self {
            Backend::Headless(headless) => renew(headless.drawer(), remedy),
            #[cfg(feature = "nested")]
            Backend::Nested(nested) => nested.remedy(remedy),
            #[cfg(feature = "drm")]
            Backend::Drm(drm) => drm.remedy(output, remedy),
        }
    }
}

/// Put a new renderer in the place of one that draws into memory.
pub(super) fn renew(drawer: &mut Drawer, remedy: Remedy) -> Result<Remedied, BackendError> {
    let choice = match (remedy, &*drawer) {
        (Remedy::OtherMode, _) | (Remedy::Processor, Drawer::Pixman(_)) => {
            return Ok(Remedied::Nothing);
        }
        (Remedy::Processor, _) | (Remedy::Afresh, Drawer::Pixman(_)) => RendererChoice::Pixman,
        #[cfg(feature = "gles")]
        (Remedy::Afresh, Drawer::Gles(_)) => RendererChoice::Gles,
    };
    let (before, backend) = (drawer.name(), "memory");
    let renewed = Drawer::start(choice);
    *drawer = renewed.map_err(|e| BackendError {
        backend,
        what: "cannot begin to draw afresh",
        reason: e.to_string(),
    })?;
    tracing::warn!(before, now = drawer.name(), "the renderer was started again");
    Ok(Remedied::Done)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::{
        backend::{BackendKind, drawer::faults},
        config::Config,
        server::Server,
    };

    fn server(renderer: &str) -> Server {
        let config = format!("size = \"64x64\"\nrefresh = 0\nrenderer = \"{renderer}\"");
        Server::new(Config::from_toml(&config).unwrap(), BackendKind::Headless).unwrap()
    }

    fn turn(server: &mut Server) {
        server.dispatch(Some(Duration::ZERO)).unwrap();
    }

    #[test]
    #[cfg(feature = "gles")]
    fn a_lost_renderer_is_started_again_and_then_the_processor_draws() {
        let mut server = server("gles");
        for (failures, expected) in [(1, "OpenGL ES"), (2, "Pixman")] {
            faults::next(failures);
            server.state.queue_redraw();
            (0..=failures).for_each(|_| turn(&mut server));
            assert_eq!(faults::left(), 0);
            assert_eq!(server.state.backend.renderer_name(), expected);
            let picture = server.state.screenshot().unwrap();
            assert_eq!(picture.pixel(3, 3), Some(server.state.config.background.0));
        }
    }

    #[test]
    fn what_fails_for_ever_is_not_tried_for_ever() {
        let mut server = server("pixman");
        turn(&mut server);
        faults::next(1000);
        server.state.queue_redraw();
        (0..100).for_each(|_| turn(&mut server));
        assert_eq!(1000 - faults::left(), 2, "once as it was, and once with another renderer");
        let view = server.state.outputs.iter().next().unwrap();
        assert_eq!(view.redraw, Default::default(), "it rests");
    }
}
