//! `wl_compositor` and `wp_viewporter`, with a filter in front that keeps every
//! number and every list from a client within bounds.

use std::sync::atomic::{AtomicU32, Ordering};

use smithay::{
    backend::renderer::{
        BufferType, buffer_type,
        utils::{CommitCounter, on_commit_buffer_handler, with_renderer_surface_state},
    },
    reexports::{
        wayland_protocols::wp::viewporter::server::wp_viewport::{self, WpViewport},
        wayland_server::{
            Client, DataInit, Dispatch, DisplayHandle, Resource,
            backend::ClientId,
            protocol::{
                wl_compositor::{self, WlCompositor},
                wl_region::{self, WlRegion},
                wl_surface::{self, WlSurface},
            },
        },
    },
    utils::{Buffer, Rectangle, Size},
    wayland::{
        compositor::{
            CompositorClientState, CompositorHandler, CompositorState, Damage, RegionUserData,
            SurfaceAttributes, SurfaceData, SurfaceUserData, add_pre_commit_hook,
            is_sync_subsurface, with_states,
        },
        viewporter::{ViewportState, ensure_viewport_valid},
    },
    xwayland::XWaylandClientData,
};

use smithay_hyper_dmabuf::HyperDmabufState;

use super::{limits, subsurfaces};
use crate::{client::ClientState, shell::stage::root_of, state::State, trust::account::Counted};

impl CompositorHandler for State {
    fn compositor_state(&mut self) -> &mut CompositorState {
        &mut self.protocols.compositor
    }

    fn client_compositor_state<'a>(&self, client: &'a Client) -> &'a CompositorClientState {
        if let Some(xwayland) = client.get_data::<XWaylandClientData>() {
            return &xwayland.compositor_state;
        }
        // Every other client enters through `State::insert_client`, which gives it this data.
        &client.get_data::<ClientState>().expect("every client has its data").compositor
    }

    fn new_surface(&mut self, surface: &WlSurface) {
        add_pre_commit_hook::<State, _>(surface, before_commit);
        HyperDmabufState::new_surface::<State>(surface);
    }

    fn new_subsurface(&mut self, surface: &WlSurface, parent: &WlSurface) {
        let depth = limits::depth(parent) + 1 + limits::height(surface);
        if depth > limits::DEEPEST_SUBSURFACES {
            limits::exceeded(surface, "subsurfaces are nested too deep");
        }
    }

    fn commit(&mut self, surface: &WlSurface) {
        with_states(surface, WaitingCommits::end);
        let root = root_of(surface);
        let before = self.area_of(&root);
        subsurfaces::places_applied(surface);
        if self.backend.uploads() {
            let commit = with_renderer_surface_state(surface, |state| state.current_commit());
            on_commit_buffer_handler::<State>(surface);
            let bytes = changed_bytes(surface, commit);
            self.bytes_uploaded = self.bytes_uploaded.saturating_add(bytes);
        } else {
            on_commit_buffer_handler::<State>(surface);
        }
        self.popups.commit(surface);
        self.configure_popup_if_new(surface);
        if is_sync_subsurface(surface) {
            return;
        }
        // Viewports are checked by the buffer they now cut from.
        let size = with_renderer_surface_state(surface, |state| state.buffer_size()).flatten();
        if let Some(size) = size {
            with_states(surface, |states| ensure_viewport_valid(states, size));
        }
        self.toplevel_committed(&root);
        self.panel_committed(&root);
        if self.is_locked() {
            self.refresh_keyboard_focus();
        }
        self.tell_scale(&root);
        match (before, self.area_of(&root)) {
            (Some(before), Some(after)) => self.queue_redraw_in(before.merge(after)),
            _ => self.queue_redraw(),
        }
        // At once, so that the client hears of it before the answer to its next sync.
        self.refresh_pointer_focus();
    }

    fn destroyed(&mut self, surface: &WlSurface) {
        self.await_no_more(surface);
        if limits::has_buffer(surface) {
            self.queue_redraw();
        }
    }
}

/// How many bytes of a `wl_shm` buffer have changed since a commit.
fn changed_bytes(surface: &WlSurface, since: Option<CommitCounter>) -> u64 {
    let changed = with_renderer_surface_state(surface, |state| {
        let buffer = state.buffer()?;
        if !matches!(buffer_type(buffer), Some(BufferType::Shm)) {
            return None;
        }
        // Each of the formats that are offered has 4 bytes a pixel.
        let bytes = |size: Size<i32, Buffer>| {
            u64::from(size.w.unsigned_abs()).saturating_mul(4 * u64::from(size.h.unsigned_abs()))
        };
        let areas = state.damage_since(since).into_iter();
        Some(areas.map(|area| bytes(area.size)).fold(0, u64::saturating_add))
    });
    changed.flatten().unwrap_or(0)
}

/// What is checked before a commit takes effect.
fn before_commit(state: &mut State, _display: &DisplayHandle, surface: &WlSurface) {
    if limits::attaches_buffer(surface) {
        state.refuse_unconfigured_buffer(surface);
    }
    if !is_sync_subsurface(surface) && !with_states(surface, WaitingCommits::begin) {
        limits::exceeded(surface, "too many commits of a surface wait");
        return;
    }
    state.await_drawn(surface);
    state.commit_may_wait(surface);
    subsurfaces::places_committed(surface);
    with_states(surface, |states| {
        let mut attributes = states.cached_state.get::<SurfaceAttributes>();
        let damage = &mut attributes.pending().damage;
        if damage.len() >= limits::MOST_DAMAGE {
            let all =
                Rectangle::<i32, Buffer>::from_size((limits::LARGEST, limits::LARGEST).into());
            *damage = vec![Damage::Buffer(all)];
        }
    });
}

/// How many commits of a surface have not taken effect. Those of a subsurface that waits for its parent
/// are one with the parent's.
#[derive(Default)]
struct WaitingCommits(AtomicU32);

impl WaitingCommits {
    /// One more waits. Whether so many may.
    fn begin(states: &SurfaceData) -> bool {
        let waiting = states.data_map.get_or_insert_threadsafe(WaitingCommits::default);
        waiting.0.fetch_add(1, Ordering::Relaxed) < limits::MOST_WAITING_COMMITS
    }

    /// One has taken effect, perhaps one that was not counted.
    fn end(states: &SurfaceData) {
        if let Some(WaitingCommits(waiting)) = states.data_map.get() {
            let fewer = waiting.load(Ordering::Relaxed).saturating_sub(1);
            waiting.store(fewer, Ordering::Relaxed);
        }
    }
}

impl Dispatch<WlCompositor, ()> for State {
    fn request(
        state: &mut State,
        client: &Client,
        compositor: &WlCompositor,
        request: wl_compositor::Request,
        data: &(),
        display: &DisplayHandle,
        data_init: &mut DataInit<'_, State>,
    ) {
        let creates_surface = matches!(request, wl_compositor::Request::CreateSurface { .. });
        <CompositorState as Dispatch<WlCompositor, (), State>>::request(
            state, client, compositor, request, data, display, data_init,
        );
        if creates_surface && let Some(data) = client.get_data::<ClientState>() {
            if !data.begin(Counted::Surface) {
                limits::exceeded(compositor, Counted::Surface.too_many());
            } else if data.count(Counted::Surface) > limits::MOST_SURFACES {
                limits::exceeded(compositor, "too many surfaces");
            }
        }
    }
}

impl Dispatch<WlSurface, SurfaceUserData> for State {
    fn request(
        state: &mut State,
        client: &Client,
        surface: &WlSurface,
        request: wl_surface::Request,
        data: &SurfaceUserData,
        display: &DisplayHandle,
        data_init: &mut DataInit<'_, State>,
    ) {
        use wl_surface::Request;
        if let Request::Destroy = request {
            state.take_devices_off(surface);
        }
        let request = match request {
            Request::Damage { .. } | Request::DamageBuffer { .. } if damage_is_full(surface) => {
                return;
            }
            Request::Damage { x, y, width, height } => {
                let [x, y, width, height] = bounded(x, y, width, height);
                Request::Damage { x, y, width, height }
            }
            Request::DamageBuffer { x, y, width, height } => {
                let [x, y, width, height] = bounded(x, y, width, height);
                Request::DamageBuffer { x, y, width, height }
            }
            Request::Attach { buffer, x, y } => {
                Request::Attach { buffer, x: limits::position(x), y: limits::position(y) }
            }
            Request::Offset { x, y } => {
                Request::Offset { x: limits::position(x), y: limits::position(y) }
            }
            Request::SetBufferScale { scale } if scale > limits::LARGEST_SCALE => {
                surface.post_error(wl_surface::Error::InvalidScale, "the scale is too large");
                return;
            }
            Request::Frame { .. } if waiting_callbacks(surface) >= limits::MOST_CALLBACKS => {
                limits::exceeded(surface, "too many frame callbacks wait");
                return;
            }
            other => other,
        };
        <CompositorState as Dispatch<WlSurface, SurfaceUserData, State>>::request(
            state, client, surface, request, data, display, data_init,
        );
    }

    fn destroyed(state: &mut State, client: ClientId, surface: &WlSurface, data: &SurfaceUserData) {
        if let Some(client) = surface.client()
            && let Some(data) = client.get_data::<ClientState>()
        {
            data.end(Counted::Surface);
        }
        <CompositorState as Dispatch<WlSurface, SurfaceUserData, State>>::destroyed(
            state, client, surface, data,
        );
    }
}

/// Whether so much damage waits that more adds nothing: the hook before the commit will count the
/// whole surface as damaged.
fn damage_is_full(surface: &WlSurface) -> bool {
    with_states(surface, |states| {
        let mut attributes = states.cached_state.get::<SurfaceAttributes>();
        attributes.pending().damage.len() >= limits::MOST_DAMAGE
    })
}

fn waiting_callbacks(surface: &WlSurface) -> usize {
    with_states(surface, |states| {
        let mut attributes = states.cached_state.get::<SurfaceAttributes>();
        attributes.pending().frame_callbacks.len() + attributes.current().frame_callbacks.len()
    })
}

fn bounded(x: i32, y: i32, width: i32, height: i32) -> [i32; 4] {
    [limits::position(x), limits::position(y), limits::size(width), limits::size(height)]
}

impl Dispatch<WlRegion, RegionUserData> for State {
    fn request(
        state: &mut State,
        client: &Client,
        region: &WlRegion,
        request: wl_region::Request,
        data: &RegionUserData,
        display: &DisplayHandle,
        data_init: &mut DataInit<'_, State>,
    ) {
        use wl_region::Request;
        let request = match request {
            Request::Add { x, y, width, height } => {
                let [x, y, width, height] = bounded(x, y, width, height);
                Request::Add { x, y, width, height }
            }
            Request::Subtract { x, y, width, height } => {
                let [x, y, width, height] = bounded(x, y, width, height);
                Request::Subtract { x, y, width, height }
            }
            other => other,
        };
        if matches!(request, Request::Add { .. } | Request::Subtract { .. }) {
            let count = state.region_rectangles.entry(region.id()).or_default();
            *count += 1;
            if *count > limits::MOST_REGION_RECTANGLES {
                limits::exceeded(region, "the region has too many rectangles");
                return;
            }
        }
        <CompositorState as Dispatch<WlRegion, RegionUserData, State>>::request(
            state, client, region, request, data, display, data_init,
        );
    }

    fn destroyed(state: &mut State, client: ClientId, region: &WlRegion, data: &RegionUserData) {
        state.region_rectangles.remove(&region.id());
        <CompositorState as Dispatch<WlRegion, RegionUserData, State>>::destroyed(
            state, client, region, data,
        );
    }
}

impl Dispatch<WpViewport, ViewportState> for State {
    fn request(
        state: &mut State,
        client: &Client,
        viewport: &WpViewport,
        request: wp_viewport::Request,
        data: &ViewportState,
        display: &DisplayHandle,
        data_init: &mut DataInit<'_, State>,
    ) {
        let request = match request {
            wp_viewport::Request::SetDestination { width, height } if width > 0 && height > 0 => {
                wp_viewport::Request::SetDestination {
                    width: limits::size(width),
                    height: limits::size(height),
                }
            }
            other => other,
        };
        <ViewportState as Dispatch<WpViewport, ViewportState, State>>::request(
            state, client, viewport, request, data, display, data_init,
        );
    }

    fn destroyed(state: &mut State, client: ClientId, viewport: &WpViewport, data: &ViewportState) {
        <ViewportState as Dispatch<WpViewport, ViewportState, State>>::destroyed(
            state, client, viewport, data,
        );
    }
}
