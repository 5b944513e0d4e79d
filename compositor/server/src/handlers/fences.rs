//! A commit waits, outside of the frame, until what it shows is drawn: for the point of a timeline that its
//! client names, or else for the fences of its dma-buf. Were it not to, the next picture would wait for that,
//! and every window with it.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use smithay::{
    backend::allocator::dmabuf::Dmabuf,
    reexports::{
        calloop::{EventSource, Interest, RegistrationToken},
        wayland_server::{Resource, protocol::wl_surface::WlSurface},
    },
    wayland::{
        compositor::{
            Blocker, BufferAssignment, CompositorHandler, SurfaceAttributes, SurfaceData,
            add_blocker, with_states,
        },
        dmabuf::get_dmabuf,
    },
};

use crate::state::State;

impl State {
    /// Let a commit wait for who still draws into the dma-buf that it shows.
    pub(super) fn await_drawn(&mut self, surface: &WlSurface) {
        let Some(dmabuf) = with_states(surface, new_dmabuf) else { return };
        #[cfg(feature = "drm")]
        if let Some(point) = with_states(surface, super::explicit_sync::acquire_point) {
            match point.generate_blocker() {
                Ok((blocker, drawn)) => self.await_source(surface, blocker, drawn),
                Err(error) => tracing::warn!(%error, "a dma-buf is shown before it is drawn"),
            }
            return;
        }
        // Most are drawn already.
        if let Ok((blocker, drawn)) = dmabuf.generate_blocker(Interest::READ) {
            self.await_source(surface, blocker, drawn);
        }
    }

    fn await_source<S>(
        &mut self,
        surface: &WlSurface,
        blocker: impl Blocker + Send + 'static,
        drawn: S,
    ) where
        S: EventSource<Event = (), Ret = Result<(), std::io::Error>> + 'static,
    {
        let Some(client) = surface.client() else { return };
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

/// The dma-buf that a surface is about to show.
fn new_dmabuf(states: &SurfaceData) -> Option<Dmabuf> {
    let mut attributes = states.cached_state.get::<SurfaceAttributes>();
    match &attributes.pending().buffer {
        Some(BufferAssignment::NewBuffer(buffer)) => get_dmabuf(buffer).ok().cloned(),
        _ => None,
    }
}
