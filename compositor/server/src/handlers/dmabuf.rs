//! `linux-dmabuf`: which dma-bufs clients are offered, and that a commit waits until what it shows is
//! drawn.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use rustix::fs::Dev;
use smithay::{
    backend::{
        allocator::{Format, dmabuf::Dmabuf},
        renderer::element::{RenderElementStates, utils::select_dmabuf_feedback},
    },
    delegate_dmabuf,
    reexports::{
        calloop::{Interest, RegistrationToken},
        wayland_protocols::wp::linux_dmabuf::zv1::server::zwp_linux_dmabuf_v1::ZwpLinuxDmabufV1,
        wayland_server::{DisplayHandle, Resource, protocol::wl_surface::WlSurface},
    },
    wayland::{
        compositor::{
            BufferAssignment, CompositorHandler, SurfaceAttributes, SurfaceData, add_blocker,
            with_states,
        },
        dmabuf::{
            DmabufFeedback, DmabufFeedbackBuilder, DmabufGlobal, DmabufHandler, DmabufState,
            ImportNotifier, SurfaceDmabufFeedbackState, get_dmabuf,
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

impl State {
    /// Let a commit wait for who still draws into the dma-buf that it shows. Else the next picture
    /// would wait for that, and every window with it.
    pub(super) fn await_drawn(&mut self, surface: &WlSurface) {
        let dmabuf = with_states(surface, |states| {
            let mut attributes = states.cached_state.get::<SurfaceAttributes>();
            match &attributes.pending().buffer {
                Some(BufferAssignment::NewBuffer(buffer)) => get_dmabuf(buffer).ok().cloned(),
                _ => None,
            }
        });
        let Some((dmabuf, client)) = dmabuf.zip(surface.client()) else { return };
        // Most are drawn already.
        let Ok((blocker, drawn)) = dmabuf.generate_blocker(Interest::READ) else { return };
        let is_drawn = Arc::new(AtomicBool::new(false));
        let now = is_drawn.clone();
        let inserted = self.loop_handle.insert_source(drawn, move |(), _, state| {
            now.store(true, Ordering::Relaxed);
            let display = state.display_handle.clone();
            state.client_compositor_state(&client).blocker_cleared(state, &display);
            Ok(())
        });
        match inserted {
            Ok(token) => {
                add_blocker(surface, blocker);
                with_states(surface, |states| Awaited::add(states, token, is_drawn));
            }
            Err(error) => tracing::warn!(%error, "a dma-buf is shown before it is drawn"),
        }
    }

    /// A surface is gone: nobody waits any more for what it would have shown.
    pub(super) fn await_no_more(&mut self, surface: &WlSurface) {
        for token in with_states(surface, Awaited::take) {
            self.loop_handle.remove(token);
        }
    }
}

/// What is awaited for the commits of a surface, and whether it has come. A fence of a program that fell
/// may never do so.
#[derive(Default)]
struct Awaited(Mutex<Vec<(RegistrationToken, Arc<AtomicBool>)>>);

impl Awaited {
    fn add(states: &SurfaceData, token: RegistrationToken, is_drawn: Arc<AtomicBool>) {
        let awaited = states.data_map.get_or_insert_threadsafe(Awaited::default);
        let mut awaited = awaited.0.lock().unwrap_or_else(PoisonError::into_inner);
        awaited.retain(|(_, is_drawn)| !is_drawn.load(Ordering::Relaxed));
        awaited.push((token, is_drawn));
    }

    /// The sources that have not come.
    fn take(states: &SurfaceData) -> Vec<RegistrationToken> {
        let Some(awaited) = states.data_map.get::<Awaited>() else { return Vec::new() };
        let awaited =
            std::mem::take(&mut *awaited.0.lock().unwrap_or_else(PoisonError::into_inner));
        let waiting = awaited.into_iter().filter(|(_, is_drawn)| !is_drawn.load(Ordering::Relaxed));
        waiting.map(|(token, _)| token).collect()
    }
}

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
