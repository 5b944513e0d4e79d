//! `linux-dmabuf`: which dma-bufs clients are offered.

use rustix::fs::Dev;
use smithay::{
    backend::{
        allocator::{Format, dmabuf::Dmabuf},
        renderer::element::{RenderElementStates, utils::select_dmabuf_feedback},
    },
    delegate_dmabuf,
    reexports::{
        wayland_protocols::wp::linux_dmabuf::zv1::server::zwp_linux_dmabuf_v1::ZwpLinuxDmabufV1,
        wayland_server::{DisplayHandle, protocol::wl_surface::WlSurface},
    },
    wayland::{
        compositor::SurfaceData,
        dmabuf::{
            DmabufFeedback, DmabufFeedbackBuilder, DmabufGlobal, DmabufHandler, DmabufState,
            ImportNotifier, SurfaceDmabufFeedbackState,
        },
    },
};

use crate::{state::State, trust::gate::newest_of};

/// What clients are offered of dma-bufs.
pub(crate) struct OfferedDmabufs {
    state: DmabufState,
    /// What those are told who ask which are best: nothing where no device is better than others.
    feedback: Option<DmabufFeedback>,
}

impl OfferedDmabufs {
    /// Offer what the renderer draws: nothing at all where that is nothing.
    pub(crate) fn new(
        display: &DisplayHandle,
        formats: Vec<Format>,
        device: Option<Dev>,
    ) -> OfferedDmabufs {
        let mut state = DmabufState::new();
        let filter = newest_of::<ZwpLinuxDmabufV1>();
        let feedback = device.filter(|_| !formats.is_empty()).and_then(|device| {
            DmabufFeedbackBuilder::new(device, formats.clone())
                .build()
                .inspect_err(|error| tracing::warn!(%error, "clients are not told of the GPU"))
                .ok()
        });
        match &feedback {
            Some(feedback) => {
                state.create_global_with_filter_and_default_feedback::<State, _>(
                    display, feedback, filter,
                );
            }
            None if !formats.is_empty() => {
                state.create_global_with_filter::<State, _>(display, formats, filter);
            }
            None => {}
        }
        OfferedDmabufs { state, feedback }
    }
}

impl DmabufHandler for State {
    fn dmabuf_state(&mut self) -> &mut DmabufState {
        &mut self.protocols.dmabuf.state
    }

    fn dmabuf_imported(&mut self, _: &DmabufGlobal, dmabuf: Dmabuf, notifier: ImportNotifier) {
        self.protocols.hyper_dmabuf.dmabuf_imported(&dmabuf);
        if !self.backend.accepts(&dmabuf) {
            notifier.failed();
        } else if let Err(error) = notifier.successful::<State>() {
            tracing::debug!(%error, "the client of a dma-buf is gone");
        }
    }
}

delegate_dmabuf!(State);

/// Tells the client of a surface, if it asked, which dma-bufs are best now: those that the screen can
/// show by itself, where only the kind of buffer is in the way.
pub(crate) fn tell_best_buffers(
    offered: &OfferedDmabufs,
    scanout: &DmabufFeedback,
    surface: &WlSurface,
    states: &SurfaceData,
    drawn: &RenderElementStates,
) {
    if let Some(asked) = SurfaceDmabufFeedbackState::from_states(states)
        && let Some(feedback) = &offered.feedback
    {
        asked.set_feedback(select_dmabuf_feedback(surface, drawn, feedback, scanout));
    }
}
