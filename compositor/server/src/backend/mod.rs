//! What pictures are drawn with, and what shows them.
//!
//! Only this module tells back ends apart. A new one is one more variant of [`Backend`]. What draws is a [`drawer`](drawer::Drawer), and
//! [`render::elements`](crate::render::elements) is written for any.

pub mod drawer;
#[cfg(feature = "drm")]
pub mod drm;
pub mod headless;
#[cfg(feature = "nested")]
pub mod nested;
pub mod remedy;

use std::time::Duration;

use rustix::fs::Dev;
#[cfg(feature = "drm")]
use smithay::backend::drm::DrmDeviceFd;
use smithay::{
    backend::{
        allocator::{Format, dmabuf::Dmabuf},
        renderer::element::RenderElementStates,
    },
    output::{Mode, Output},
    reexports::calloop::LoopHandle,
    wayland::dmabuf::DmabufFeedback,
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
    /// Windows of another desktop.
    Nested,
    /// A real screen.
    Drm,
}

impl BackendKind {
    /// The best there is here: windows of the desktop that this is a program of, or else a real screen
    /// where this is a terminal of a machine with a GPU.
    pub fn best() -> BackendKind {
        #[cfg(feature = "nested")]
        if nested::is_possible() {
            return BackendKind::Nested;
        }
        let gpu = std::fs::read_dir("/dev/dri").is_ok_and(|entries| {
            let names = entries.flatten().map(|entry| entry.file_name());
            names.into_iter().any(|name| name.to_string_lossy().starts_with("card"))
        });
        if cfg!(feature = "drm") && gpu {
            return BackendKind::Drm;
        }
        tracing::info!(
            "no desktop and no GPU is there to show anything on: it is only seen through hyper-dmabufctl"
        );
        BackendKind::Headless
    }
}

/// A back end that runs.
pub enum Backend {
    /// No screen: pictures are drawn into memory by the processor.
    Headless(Box<Headless>),
    /// Windows of another desktop.
    #[cfg(feature = "nested")]
    Nested(Box<nested::Nested>),
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
    /// What was not drawn.
    pub planes: OnPlanes,
}

impl Rendered {
    /// A picture with all in it that is seen.
    fn all_drawn(changed: bool, tells_when_seen: bool, states: RenderElementStates) -> Rendered {
        Rendered { changed, tells_when_seen, states, planes: OnPlanes::default() }
    }
}

/// What is shown on planes of its own: the screen reads its memory, and nothing draws it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OnPlanes {
    /// The cursor.
    pub cursor: bool,
    /// So many surfaces of clients.
    pub surfaces: u32,
}

#[cfg(not(all(feature = "drm", feature = "nested")))]
fn not_built(backend: &'static str, reason: &str) -> BackendError {
    BackendError { backend, what: "is not there", reason: reason.to_owned() }
}

impl Backend {
    /// Start a back end, with the outputs that there are.
    pub fn start(
        kind: BackendKind,
        config: &Config,
        #[cfg_attr(
            not(any(feature = "drm", feature = "nested")),
            expect(unused_variables, reason = "nothing happens but in memory")
        )]
        loop_handle: &LoopHandle<'static, State>,
    ) -> Result<(Backend, Vec<FoundOutput>), BackendError> {
        match kind {
            BackendKind::Headless => {
                let (headless, outputs) = Headless::start(config)?;
                Ok((Backend::Headless(Box::new(headless)), outputs))
            }
            #[cfg(feature = "nested")]
            BackendKind::Nested => {
                let (nested, outputs) = nested::Nested::start(config, loop_handle)?;
                Ok((Backend::Nested(Box::new(nested)), outputs))
            }
            #[cfg(not(feature = "nested"))]
            BackendKind::Nested => {
                Err(not_built("nested", "this was built without the feature `nested`"))
            }
            #[cfg(feature = "drm")]
            BackendKind::Drm => {
                let (drm, outputs) = drm::Drm::start(config, loop_handle)?;
                Ok((Backend::Drm(Box::new(drm)), outputs))
            }
            #[cfg(not(feature = "drm"))]
            BackendKind::Drm => Err(not_built("drm", "this was built without the feature `drm`")),
        }
    }

    /// Its name, as on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Backend::Headless(_) => headless::NAME,
            #[cfg(feature = "nested")]
            Backend::Nested(_) => nested::NAME,
            #[cfg(feature = "drm")]
            Backend::Drm(_) => drm::NAME,
        }
    }

    /// Whether there is a screen on which a person looks for the cursor.
    pub fn shows_cursor(&self) -> bool {
        match self {
            Backend::Headless(_) => false,
            // Until the pointer comes to one of the windows.
            #[cfg(feature = "nested")]
            Backend::Nested(_) => false,
            #[cfg(feature = "drm")]
            Backend::Drm(_) => true,
        }
    }

    /// The outputs as configured, by name.
    pub(crate) fn configured(&self, config: &Config) -> Vec<NamedOutput> {
        match self {
            Backend::Headless(_) => headless::configured(config),
            #[cfg(feature = "nested")]
            Backend::Nested(_) => reconfigure::named(config),
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
            // Windows are opened at the start only.
            #[cfg(feature = "nested")]
            Backend::Nested(_) => {}
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
            #[cfg(feature = "nested")]
            Backend::Nested(nested) => nested.find_mode(output, wanted),
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
            #[cfg(feature = "nested")]
            Backend::Nested(nested) => nested.set_mode(output, mode),
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
            #[cfg(feature = "nested")]
            Backend::Nested(nested) => nested.switch(output, on),
            #[cfg(feature = "drm")]
            Backend::Drm(drm) => drm.switch(output, on),
        }
    }

    /// An output is not there any more.
    pub fn output_gone(&mut self, output: &Output) {
        match self {
            Backend::Headless(headless) => headless.drawer().forget(output),
            #[cfg(feature = "nested")]
            Backend::Nested(nested) => nested.forget(output),
            #[cfg(feature = "drm")]
            Backend::Drm(drm) => drm.forget(output),
        }
    }

    /// The dma-bufs that can be drawn without a copy.
    pub fn dmabuf_formats(&mut self) -> Vec<Format> {
        match self {
            Backend::Headless(headless) => headless.drawer().dmabuf_formats(),
            #[cfg(feature = "nested")]
            Backend::Nested(nested) => nested.drawer().dmabuf_formats(),
            #[cfg(feature = "drm")]
            Backend::Drm(drm) => {
                drm.drawers().next().map(|drawer| drawer.dmabuf_formats()).unwrap_or_default()
            }
        }
    }

    /// The device that clients had best make their dma-bufs on, if one is better than others.
    pub fn dmabuf_device(&self) -> Option<Dev> {
        match self {
            Backend::Headless(_) => None,
            // The desktop's own windows are on whatever device it likes.
            #[cfg(feature = "nested")]
            Backend::Nested(_) => None,
            #[cfg(feature = "drm")]
            Backend::Drm(drm) => drm.dmabuf_device(),
        }
    }

    /// The device by which clients' timelines are waited for, if one draws.
    #[cfg(feature = "drm")]
    pub fn timeline_device(&self) -> Option<DrmDeviceFd> {
        match self {
            Backend::Drm(drm) => drm.timeline_device(),
            _ => None,
        }
    }

    /// What to tell clients of dma-bufs that an output can show without drawing them.
    pub fn scanout_feedback(&self, output: &Output) -> Option<DmabufFeedback> {
        match self {
            Backend::Headless(_) => None,
            #[cfg(feature = "nested")]
            Backend::Nested(_) => None,
            #[cfg(feature = "drm")]
            Backend::Drm(drm) => drm.scanout_feedback(output),
        }
    }

    /// Whether this dma-buf can be drawn.
    pub fn accepts(&mut self, dmabuf: &Dmabuf) -> bool {
        match self {
            Backend::Headless(headless) => headless.drawer().accepts(dmabuf),
            #[cfg(feature = "nested")]
            Backend::Nested(nested) => nested.drawer().accepts(dmabuf),
            #[cfg(feature = "drm")]
            Backend::Drm(drm) => drm.accepts(dmabuf),
        }
    }

    /// Whether what is in `wl_shm` buffers has to be copied to be drawn.
    pub fn uploads(&mut self) -> bool {
        match self {
            Backend::Headless(headless) => headless.drawer().uploads(),
            #[cfg(feature = "nested")]
            Backend::Nested(nested) => nested.drawer().uploads(),
            #[cfg(feature = "drm")]
            Backend::Drm(drm) => drm.drawers().any(|drawer| drawer.uploads()),
        }
    }

    /// What draws, in words.
    pub fn renderer_name(&mut self) -> &'static str {
        match self {
            Backend::Headless(headless) => headless.drawer().name(),
            #[cfg(feature = "nested")]
            Backend::Nested(nested) => nested.drawer().name(),
            #[cfg(feature = "drm")]
            Backend::Drm(drm) => drm.drawers().next().map_or("nothing", |drawer| drawer.name()),
        }
    }

    /// Draw a picture.
    pub fn render(&mut self, output: &Output, scene: &Scene<'_>) -> Result<Rendered, BackendError> {
        match self {
            Backend::Headless(headless) => headless.render(output, scene),
            #[cfg(feature = "nested")]
            Backend::Nested(nested) => nested.render(output, scene),
            #[cfg(feature = "drm")]
            Backend::Drm(drm) => drm.render(output, scene),
        }
    }

    /// Whether what is drawn can be read back as it is: else it is drawn once more to be looked at.
    pub fn keeps_pictures(&self) -> bool {
        match self {
            Backend::Headless(_) => true,
            #[cfg(feature = "nested")]
            Backend::Nested(_) => false,
            #[cfg(feature = "drm")]
            Backend::Drm(_) => false,
        }
    }

    /// The pixels of the output: as they were drawn last, or drawn for this.
    #[cfg_attr(
        not(any(feature = "drm", feature = "nested")),
        expect(unused_variables, reason = "it is drawn already")
    )]
    pub fn capture(&mut self, output: &Output, scene: &Scene<'_>) -> Result<Image, BackendError> {
        match self {
            Backend::Headless(headless) => headless.read_back(output),
            #[cfg(feature = "nested")]
            Backend::Nested(nested) => nested.capture(output, scene),
            #[cfg(feature = "drm")]
            Backend::Drm(drm) => drm.capture(output, scene),
        }
    }

    /// Switch to another virtual terminal, where there are any.
    pub fn switch_terminal(&mut self, number: i32) {
        match self {
            Backend::Headless(_) => tracing::debug!(number, "there are no terminals"),
            #[cfg(feature = "nested")]
            Backend::Nested(_) => tracing::debug!(number, "the host switches terminals"),
            #[cfg(feature = "drm")]
            Backend::Drm(drm) => drm.switch_terminal(number),
        }
    }

    /// Have the keys of the shortcuts of the desktop that this is in, or leave them to it again.
    pub fn toggle_host_shortcuts(&mut self) {
        match self {
            #[cfg(feature = "nested")]
            Backend::Nested(nested) => nested.toggle_shortcuts(),
            _ => tracing::debug!("there is no other desktop around this one"),
        }
    }
}
