//! What pictures are drawn with, and what shows them.
//!
//! Only this module tells back ends apart. A new one (a window of another compositor) is one more
//! variant of [`Backend`]. What draws is a [`drawer`](drawer::Drawer), and
//! [`render::elements`](crate::render::elements) is written for any.

pub mod drawer;
pub mod headless;

use std::time::Duration;

use smithay::{
    backend::{
        allocator::{Format, dmabuf::Dmabuf},
        renderer::element::RenderElementStates,
    },
    output::{Mode, Output},
};

use crate::{
    config::Config, image::Image, outputs::settings::OutputConfig, render::elements::Scene,
};
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
    pub(crate) backend: &'static str,
    pub(crate) what: &'static str,
    pub(crate) reason: String,
}

/// An output that a back end has found.
pub struct FoundOutput {
    /// It, with its modes set.
    pub output: Output,
    /// The time between two of its pictures; `None` for as soon as there is something new.
    pub period: Option<Duration>,
    /// How it is to be set.
    pub config: OutputConfig,
}

/// A picture that was drawn.
pub struct Rendered {
    /// Whether it differs from the one before.
    pub changed: bool,
    /// Whether the back end will tell by `State::vblank` when it is seen.
    pub tells_when_seen: bool,
    /// Which element was drawn, and how.
    pub states: RenderElementStates,
}

impl Backend {
    /// Start a back end, with the outputs that there are.
    pub fn start(
        kind: BackendKind,
        config: &Config,
    ) -> Result<(Backend, Vec<FoundOutput>), BackendError> {
        match kind {
            BackendKind::Headless => {
                let (headless, outputs) = Headless::start(config)?;
                Ok((Backend::Headless(Box::new(headless)), outputs))
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

    /// Whether an output can have these pixels. A refresh rate of 0 stands for any.
    pub fn has_mode(&self, _output: &Output, mode: Mode) -> bool {
        match self {
            // Nothing but memory is needed.
            Backend::Headless(_) => mode.size.w > 0 && mode.size.h > 0,
        }
    }

    /// Let an output have other pixels.
    pub fn set_mode(&mut self, output: &Output, mode: Mode) -> Result<(), BackendError> {
        match self {
            // Memory for it is made when it is drawn.
            Backend::Headless(_) => {
                tracing::debug!(output = %output.name(), ?mode, "another mode");
                Ok(())
            }
        }
    }

    /// Switch an output on or off.
    pub fn switch(&mut self, output: &Output, on: bool) -> Result<(), BackendError> {
        match self {
            Backend::Headless(headless) => {
                if !on {
                    headless.drawer().forget(output);
                }
                Ok(())
            }
        }
    }

    /// An output is not there any more.
    pub fn output_gone(&mut self, output: &Output) {
        match self {
            Backend::Headless(headless) => headless.drawer().forget(output),
        }
    }

    /// The dma-bufs that can be drawn without a copy.
    pub fn dmabuf_formats(&mut self) -> Vec<Format> {
        match self {
            Backend::Headless(headless) => headless.drawer().dmabuf_formats(),
        }
    }

    /// Whether this dma-buf can be drawn.
    pub fn accepts(&mut self, dmabuf: &Dmabuf) -> bool {
        match self {
            Backend::Headless(headless) => headless.drawer().accepts(dmabuf),
        }
    }

    /// What draws, in words.
    pub fn renderer_name(&mut self) -> &'static str {
        match self {
            Backend::Headless(headless) => headless.drawer().name(),
        }
    }

    /// Draw a picture.
    pub fn render(&mut self, output: &Output, scene: &Scene<'_>) -> Result<Rendered, BackendError> {
        match self {
            Backend::Headless(headless) => headless.render(output, scene),
        }
    }

    /// The pixels of the output as they were drawn last.
    pub fn read_back(&mut self, output: &Output) -> Result<Image, BackendError> {
        match self {
            Backend::Headless(headless) => headless.read_back(output),
        }
    }
}
