//! What pictures are drawn with, and what shows them.
//!
//! Only this module tells back ends apart. A new one (a window of another compositor) is one more
//! variant of [`Backend`]. What draws is a [`drawer`](drawer::Drawer), and
//! [`render::elements`](crate::render::elements) is written for any.

pub mod drawer;
#[cfg(feature = "drm")]
pub mod drm;
pub mod headless;

use std::time::Duration;

use smithay::{
    backend::{
        allocator::{Format, dmabuf::Dmabuf},
        renderer::element::RenderElementStates,
    },
    output::{Mode, Output},
    reexports::calloop::LoopHandle,
};

use crate::{
    config::Config,
    image::Image,
    outputs::{
        reconfigure::{self, NamedOutput},
        settings::OutputConfig,
    },
    render::elements::Scene,
    state::State,
};
use headless::Headless;

/// Which back end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendKind {
    /// No screen.
    Headless,
    /// A real screen.
    Drm,
}

impl BackendKind {
    /// The best there is here: a real screen where this is a terminal of a machine with a GPU, not a
    /// program of a desktop that has it already.
    pub fn best() -> BackendKind {
        let in_desktop =
            ["WAYLAND_DISPLAY", "DISPLAY"].iter().any(|name| std::env::var_os(name).is_some());
        let gpu = std::fs::read_dir("/dev/dri").is_ok_and(|entries| {
            let names = entries.flatten().map(|entry| entry.file_name());
            names.into_iter().any(|name| name.to_string_lossy().starts_with("card"))
        });
        if cfg!(feature = "drm") && gpu && !in_desktop {
            BackendKind::Drm
        } else {
            BackendKind::Headless
        }
    }
}

/// A back end that runs.
pub enum Backend {
    /// No screen: pictures are drawn into memory by the processor.
    Headless(Box<Headless>),
    /// A real screen.
    #[cfg(feature = "drm")]
    Drm(Box<drm::Drm>),
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
        loop_handle: &LoopHandle<'static, State>,
    ) -> Result<(Backend, Vec<FoundOutput>), BackendError> {
        match kind {
            BackendKind::Headless => {
                let (headless, outputs) = Headless::start(config)?;
                Ok((Backend::Headless(Box::new(headless)), outputs))
            }
            #[cfg(feature = "drm")]
            BackendKind::Drm => {
                let (drm, outputs) = drm::Drm::start(config, loop_handle)?;
                Ok((Backend::Drm(Box::new(drm)), outputs))
            }
            #[cfg(not(feature = "drm"))]
            BackendKind::Drm => {
                let _ = loop_handle;
                Err(BackendError {
                    backend: "drm",
                    what: "is not there",
                    reason: "this was built without the feature `drm`".into(),
                })
            }
        }
    }

    /// Its name, as on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Backend::Headless(_) => headless::NAME,
            #[cfg(feature = "drm")]
            Backend::Drm(_) => drm::NAME,
        }
    }

    /// Whether there is a screen on which a person looks for the cursor.
    pub fn shows_cursor(&self) -> bool {
        match self {
            Backend::Headless(_) => false,
            #[cfg(feature = "drm")]
            Backend::Drm(_) => true,
        }
    }

    /// The outputs as configured, by name.
    pub(crate) fn configured(&self, config: &Config) -> Vec<NamedOutput> {
        match self {
            Backend::Headless(_) => headless::configured(config),
            #[cfg(feature = "drm")]
            Backend::Drm(_) => reconfigure::named(config),
        }
    }

    /// Whether there is an output for no other reason than that it is configured.
    pub(crate) fn makes_outputs(&self) -> bool {
        matches!(self, Backend::Headless(_))
    }

    /// An output that is configured, if it takes nothing else for it to be there.
    pub(crate) fn make_output(&self, name: &str, config: &OutputConfig) -> Option<FoundOutput> {
        self.makes_outputs().then(|| headless::found(name.to_owned(), config))
    }

    /// Screens that are plugged from now on are set by this configuration.
    #[cfg_attr(not(feature = "drm"), expect(unused_variables, reason = "nothing is plugged"))]
    pub(crate) fn set_config(&mut self, config: &Config) {
        match self {
            Backend::Headless(_) => {}
            #[cfg(feature = "drm")]
            Backend::Drm(drm) => drm.set_config(config),
        }
    }

    /// The mode of an output with these pixels, if it has one. A refresh rate of 0 stands for any.
    pub fn find_mode(&self, output: &Output, wanted: Mode) -> Option<Mode> {
        match self {
            // Nothing but memory is needed.
            Backend::Headless(_) => {
                let now = output.current_mode().map_or(60_000, |mode| mode.refresh);
                let refresh = if wanted.refresh > 0 { wanted.refresh } else { now };
                (wanted.size.w > 0 && wanted.size.h > 0).then_some(Mode { refresh, ..wanted })
            }
            #[cfg(feature = "drm")]
            Backend::Drm(drm) => drm.find_mode(output, wanted),
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
            #[cfg(feature = "drm")]
            Backend::Drm(drm) => drm.set_mode(output, mode),
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
            #[cfg(feature = "drm")]
            Backend::Drm(drm) => drm.switch(output, on),
        }
    }

    /// An output is not there any more.
    pub fn output_gone(&mut self, output: &Output) {
        match self {
            Backend::Headless(headless) => headless.drawer().forget(output),
            #[cfg(feature = "drm")]
            Backend::Drm(drm) => drm.forget(output),
        }
    }

    /// The dma-bufs that can be drawn without a copy.
    pub fn dmabuf_formats(&mut self) -> Vec<Format> {
        match self {
            Backend::Headless(headless) => headless.drawer().dmabuf_formats(),
            #[cfg(feature = "drm")]
            Backend::Drm(drm) => {
                drm.drawers().next().map(|drawer| drawer.dmabuf_formats()).unwrap_or_default()
            }
        }
    }

    /// Whether this dma-buf can be drawn.
    pub fn accepts(&mut self, dmabuf: &Dmabuf) -> bool {
        match self {
            Backend::Headless(headless) => headless.drawer().accepts(dmabuf),
            // One is enough: on the screens of another GPU it is left out.
            #[cfg(feature = "drm")]
            Backend::Drm(drm) => drm.drawers().any(|drawer| drawer.accepts(dmabuf)),
        }
    }

    /// Whether what is in `wl_shm` buffers has to be copied to be drawn.
    pub fn uploads(&mut self) -> bool {
        match self {
            Backend::Headless(headless) => headless.drawer().uploads(),
            #[cfg(feature = "drm")]
            Backend::Drm(drm) => drm.drawers().any(|drawer| drawer.uploads()),
        }
    }

    /// What draws, in words.
    pub fn renderer_name(&mut self) -> &'static str {
        match self {
            Backend::Headless(headless) => headless.drawer().name(),
            #[cfg(feature = "drm")]
            Backend::Drm(drm) => drm.drawers().next().map_or("nothing", |drawer| drawer.name()),
        }
    }

    /// Draw a picture.
    pub fn render(&mut self, output: &Output, scene: &Scene<'_>) -> Result<Rendered, BackendError> {
        match self {
            Backend::Headless(headless) => headless.render(output, scene),
            #[cfg(feature = "drm")]
            Backend::Drm(drm) => drm.render(output, scene),
        }
    }

    /// Whether what is drawn can be read back as it is: else it is drawn once more to be looked at.
    pub fn keeps_pictures(&self) -> bool {
        match self {
            Backend::Headless(_) => true,
            #[cfg(feature = "drm")]
            Backend::Drm(_) => false,
        }
    }

    /// The pixels of the output: as they were drawn last, or drawn for this.
    #[cfg_attr(not(feature = "drm"), expect(unused_variables, reason = "it is drawn already"))]
    pub fn capture(&mut self, output: &Output, scene: &Scene<'_>) -> Result<Image, BackendError> {
        match self {
            Backend::Headless(headless) => headless.read_back(output),
            #[cfg(feature = "drm")]
            Backend::Drm(drm) => drm.capture(output, scene),
        }
    }

    /// Switch to another virtual terminal, where there are any.
    pub fn switch_terminal(&mut self, number: i32) {
        match self {
            Backend::Headless(_) => tracing::debug!(number, "there are no terminals"),
            #[cfg(feature = "drm")]
            Backend::Drm(drm) => drm.switch_terminal(number),
        }
    }
}
