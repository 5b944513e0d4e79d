//! One screen: its buffers, and flipping between them.

#[cfg(feature = "gles")]
use smithay::backend::{
    allocator::gbm::{GbmAllocator, GbmBufferFlags},
    drm::exporter::gbm::GbmFramebufferExporter,
};
use smithay::{
    backend::{
        allocator::{Format, Fourcc, dmabuf::Dmabuf, dumb::DumbAllocator, gbm::GbmDevice},
        drm::{
            DrmDevice, DrmDeviceFd, DrmNode, DrmSurface,
            compositor::{DrmCompositor, FrameFlags, PrimaryPlaneElement},
        },
        renderer::Bind,
    },
    output::{Mode, OutputModeSource},
    reexports::{
        drm::control::{Mode as DrmMode, connector, crtc},
        wayland_protocols::wp::linux_dmabuf::zv1::server::zwp_linux_dmabuf_feedback_v1::TrancheFlags,
    },
    utils::Transform,
    wayland::dmabuf::{DmabufFeedback, DmabufFeedbackBuilder},
};

use super::error;
use crate::{
    backend::{BackendError, OnPlanes, Rendered, drawer::Drawer},
    config::RendererChoice,
    render::elements::{self, Scene},
};

/// Shown by the processor: plain buffers.
type Plain = DrmCompositor<DumbAllocator, DrmDeviceFd, (), DrmDeviceFd>;
/// Shown by OpenGL ES: the GPU's own buffers, and clients' straight on planes of the screen.
#[cfg(feature = "gles")]
type Fast =
    DrmCompositor<GbmAllocator<DrmDeviceFd>, GbmFramebufferExporter<DrmDeviceFd>, (), DrmDeviceFd>;

/// How the screens of a GPU are drawn.
pub(super) enum Screens {
    /// With memory for the cursor's own plane, where the driver has such.
    Plain(DrmDeviceFd, Option<GbmDevice<DrmDeviceFd>>),
    #[cfg(feature = "gles")]
    Fast(GbmDevice<DrmDeviceFd>),
}

/// A screen at a connector.
pub(super) struct Screen {
    pub(super) crtc: crtc::Handle,
    pub(super) connector: connector::Handle,
    /// What to tell clients of the buffers that its planes take.
    pub(super) scanout: Option<DmabufFeedback>,
    modes: Vec<DrmMode>,
    buffers: Buffers,
}

enum Buffers {
    Plain(Box<Plain>),
    #[cfg(feature = "gles")]
    Fast(Box<Fast>),
}

/// Does the same whatever the buffers are.
macro_rules! any {
    ($buffers:expr, $compositor:ident => $body:expr) => {
        match $buffers {
            Buffers::Plain($compositor) => $body,
            #[cfg(feature = "gles")]
            Buffers::Fast($compositor) => $body,
        }
    };
}

impl Screens {
    /// Whether the processor draws them.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self, Screens::Plain(..))
    }

    /// What is asked for; left to choose, OpenGL ES if the GPU does it and not the processor in its
    /// place.
    pub(super) fn choose(
        device: &DrmDeviceFd,
        choice: RendererChoice,
    ) -> Result<(Screens, Drawer), BackendError> {
        #[cfg(feature = "gles")]
        if choice != RendererChoice::Pixman {
            let gbm = GbmDevice::new(device.clone()).map_err(|e| e.to_string());
            let drawn = gbm.and_then(|gbm| {
                let drawer = Drawer::gles_on(gbm.clone(), choice == RendererChoice::Gles);
                drawer.map(|drawer| (Screens::Fast(gbm), drawer)).map_err(|e| e.to_string())
            });
            match drawn {
                Ok(chosen) => return Ok(chosen),
                Err(reason) if choice == RendererChoice::Gles => {
                    return Err(error("cannot draw by OpenGL ES")(&reason));
                }
                Err(reason) => tracing::info!(%reason, "the processor draws"),
            }
        }
        #[cfg(not(feature = "gles"))]
        if choice == RendererChoice::Gles {
            let reason = "this was built without the feature `gles`";
            return Err(error("cannot draw by OpenGL ES")(&reason));
        }
        let drawer = Drawer::start(RendererChoice::Pixman)
            .map_err(|e| error("cannot draw by the processor")(&e))?;
        // Debian's Mesa has it for every driver, at worst by plain buffers.
        let cursors = GbmDevice::new(device.clone())
            .inspect_err(|error| tracing::info!(%error, "cursors are drawn into the picture"));
        Ok((Screens::Plain(device.clone(), cursors.ok()), drawer))
    }

    pub(super) fn screen(
        &self,
        device: &DrmDevice,
        node: Option<DrmNode>,
        surface: DrmSurface,
        drawer: &mut Drawer,
        info: &connector::Info,
        mode: DrmMode,
    ) -> Result<Screen, BackendError> {
        let crtc = surface.crtc();
        let source = source(Mode::from(mode), Transform::Normal);
        let formats = [Fourcc::Xrgb8888, Fourcc::Argb8888];
        let cursor = device.cursor_size();
        let scanout = node.and_then(|node| scanout_feedback(&surface, node, drawer));
        let failed = error("cannot make buffers for a screen");
        let buffers = match (self, drawer) {
            (Screens::Plain(descriptor, cursors), Drawer::Pixman(memory)) => {
                let drawn = Bind::<Dmabuf>::supported_formats(memory.renderer());
                let allocator = DumbAllocator::new(descriptor.clone());
                let compositor = DrmCompositor::new(
                    source,
                    surface,
                    None,
                    allocator,
                    descriptor.clone(),
                    formats,
                    drawn.unwrap_or_default(),
                    cursor,
                    cursors.clone(),
                );
                Buffers::Plain(Box::new(compositor.map_err(|e| failed(&e))?))
            }
            #[cfg(feature = "gles")]
            (Screens::Fast(gbm), Drawer::Gles(memory)) => {
                let drawn = memory.renderer().egl_context().dmabuf_render_formats().clone();
                let flags = GbmBufferFlags::RENDERING | GbmBufferFlags::SCANOUT;
                let compositor = DrmCompositor::new(
                    source,
                    surface,
                    None,
                    GbmAllocator::new(gbm.clone(), flags),
                    GbmFramebufferExporter::new(gbm.clone(), node),
                    formats,
                    drawn,
                    cursor,
                    Some(gbm.clone()),
                );
                Buffers::Fast(Box::new(compositor.map_err(|e| failed(&e))?))
            }
            #[cfg(feature = "gles")]
            _ => return Err(failed(&"the renderer is another than the GPU's")),
        };
        let (connector, modes) = (info.handle(), info.modes().to_vec());
        Ok(Screen { crtc, connector, scanout, modes, buffers })
    }
}

/// First of all what both the planes and the renderer take: a surface may be covered the next moment,
/// and has to be drawn then.
fn scanout_feedback(
    surface: &DrmSurface,
    node: DrmNode,
    drawer: &Drawer,
) -> Option<DmabufFeedback> {
    let drawn = drawer.dmabuf_formats();
    if drawn.is_empty() {
        return None;
    }
    let overlays = surface.planes().overlay.iter().flat_map(|plane| plane.formats.iter());
    let shown = surface.plane_info().formats.iter().chain(overlays);
    let both: Vec<Format> = shown.filter(|format| drawn.contains(format)).copied().collect();
    let device = node.dev_id();
    DmabufFeedbackBuilder::new(device, drawn)
        .add_preference_tranche(device, Some(TrancheFlags::Scanout), both)
        .build()
        .inspect_err(|error| tracing::warn!(%error, "clients are not told what planes take"))
        .ok()
}

/// What is drawn is in pixels of the screen already: at scale one.
fn source(mode: Mode, transform: Transform) -> OutputModeSource {
    OutputModeSource::Static { size: mode.size, scale: 1.0.into(), transform }
}

impl Screen {
    /// The connector's mode of this size, and of this rate unless that is 0.
    pub(super) fn mode(&self, wanted: Mode) -> Option<DrmMode> {
        self.modes.iter().copied().find(|mode| {
            let mode = Mode::from(*mode);
            mode.size == wanted.size && (wanted.refresh == 0 || mode.refresh == wanted.refresh)
        })
    }

    /// The mode that it has.
    pub(super) fn now(&self) -> DrmMode {
        any!(&self.buffers, compositor => compositor.pending_mode())
    }

    /// The connector's next mode after this one.
    pub(super) fn other_mode(&self) -> Option<Mode> {
        let now = self.now();
        let mut after = self.modes.iter().skip_while(|mode| **mode != now).skip(1);
        after.find(|mode| Mode::from(**mode) != Mode::from(now)).copied().map(Mode::from)
    }

    pub(super) fn set_mode(&mut self, wanted: Mode) -> Result<(), BackendError> {
        let mode =
            self.mode(wanted).ok_or_else(|| error("has no such mode")(&"ask for another"))?;
        any!(&mut self.buffers, compositor => {
            compositor.use_mode(mode).map_err(|e| error("cannot set a mode")(&e))
        })
    }

    pub(super) fn switch(&mut self, on: bool) -> Result<(), BackendError> {
        any!(&mut self.buffers, compositor => {
            let done = if on { compositor.reset_state() } else { compositor.clear() };
            done.map_err(|e| error("cannot switch a screen")(&e))
        })
    }

    /// Somebody else has used the screen meanwhile.
    pub(super) fn take_back(&mut self) {
        any!(&mut self.buffers, compositor => {
            if let Err(error) = compositor.reset_state() {
                tracing::warn!(%error, "cannot take a screen back");
            }
        });
    }

    /// The picture that was flipped to is seen.
    pub(super) fn seen(&mut self) {
        any!(&mut self.buffers, compositor => {
            if let Err(error) = compositor.frame_submitted() {
                tracing::warn!(%error, "a picture was not shown");
            }
        });
    }

    pub(super) fn render(
        &mut self,
        drawer: &mut Drawer,
        transform: Transform,
        scene: &Scene<'_>,
    ) -> Result<Rendered, BackendError> {
        let background = scene.background.to_renderer();
        let flags = FrameFlags::DEFAULT;
        let (cannot_draw, cannot_show) = (error("cannot draw"), error("cannot show a picture"));
        macro_rules! draw {
            ($compositor:expr, $renderer:expr) => {{
                let mode = Mode::from($compositor.pending_mode());
                $compositor.set_output_mode_source(source(mode, transform));
                let elements = elements::build($renderer, scene);
                let result = $compositor
                    .render_frame($renderer, &elements, background, flags)
                    .map_err(|e| cannot_draw(&e))?;
                // Where the kernel cannot wait for the renderer before it flips.
                if result.needs_sync()
                    && let PrimaryPlaneElement::Swapchain(element) = &result.primary_element
                    && element.sync.wait().is_err()
                {
                    tracing::debug!("a picture may be shown before it is whole");
                }
                let whole = matches!(result.primary_element, PrimaryPlaneElement::Element(_));
                let planes = OnPlanes {
                    cursor: result.cursor_element.is_some(),
                    surfaces: result.overlay_elements.len() as u32 + u32::from(whole),
                };
                let (changed, states) = (!result.is_empty, result.states);
                if changed {
                    $compositor.queue_frame(()).map_err(|e| cannot_show(&e))?;
                }
                Ok(Rendered { changed, tells_when_seen: changed, states, planes })
            }};
        }
        match (&mut self.buffers, drawer) {
            (Buffers::Plain(compositor), Drawer::Pixman(memory)) => {
                draw!(compositor, memory.renderer())
            }
            #[cfg(feature = "gles")]
            (Buffers::Fast(compositor), Drawer::Gles(memory)) => {
                draw!(compositor, memory.renderer())
            }
            #[cfg(feature = "gles")]
            _ => Err(cannot_draw(&"the renderer is another than the screen's")),
        }
    }
}
