//! What pictures are drawn with, and what shows them.
//!
//! Only this module tells back ends apart. A new one (KMS, a window of another compositor) is one
//! more variant of [`Backend`], with its own renderer: [`render::elements`](crate::render::elements)
//! is written for any.

pub mod headless;

use smithay::{backend::renderer::element::RenderElementStates, output::Output};

use crate::{config::Config, image::Image, render::elements::Scene};
use headless::Headless;

/// Which back end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendKind {
    /// No screen.
    Headless,
}

/// A back end that runs.
pub enum Backend {
    /// No screen: pictures are drawn into memory by the processor.
    Headless(Box<Headless>),
}

/// Why a back end cannot do what it should.
#[derive(Debug, thiserror::Error)]
#[error("the {backend} back end {what}: {reason}")]
pub struct BackendError {
    backend: &'static str,
    what: &'static str,
    reason: String,
}

/// A picture that was drawn.
pub struct Rendered {
    /// Whether it differs from the one before.
    pub changed: bool,
    /// Which element was drawn, and how.
    pub states: RenderElementStates,
}

impl Backend {
    /// Start a back end, with its output.
    pub fn start(kind: BackendKind, config: &Config) -> Result<(Backend, Output), BackendError> {
        match kind {
            BackendKind::Headless => {
                let (headless, output) = Headless::start(config)?;
                Ok((Backend::Headless(Box::new(headless)), output))
            }
        }
    }

    /// Its name, as on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Backend::Headless(_) => headless::NAME,
        }
    }

    /// Whether there is a screen on which a person looks for the cursor.
    pub fn shows_cursor(&self) -> bool {
        match self {
            Backend::Headless(_) => false,
        }
    }

    /// Draw a picture.
    pub fn render(&mut self, scene: &Scene<'_>) -> Result<Rendered, BackendError> {
        match self {
            Backend::Headless(headless) => headless.render(scene),
        }
    }

    /// The picture that was drawn last.
    pub fn read_back(&mut self) -> Result<Image, BackendError> {
        match self {
            Backend::Headless(headless) => headless.read_back(),
        }
    }
}
