//! `wl_subsurface`. Where one lies is part of its parent's state, and changes with that.
//!
//! Smithay 0.7 takes the place for a part of the subsurface's own state, and all that a synchronised
//! subsurface waits with for committed as soon as any parent is. So places are kept here until the
//! parent itself was committed, and travel with its state from then on.

use std::sync::Mutex;

use smithay::{
    reexports::wayland_server::{
        Client, DataInit, Dispatch, DisplayHandle, Resource,
        backend::ClientId,
        protocol::{
            wl_subsurface::{self, WlSubsurface},
            wl_surface::WlSurface,
        },
    },
    utils::{Logical, Point},
    wayland::compositor::{
        Cacheable, CompositorHandler, CompositorState, SubsurfaceCachedState, SubsurfaceUserData,
        SurfaceData, get_children, get_parent, with_states,
    },
};

use super::limits;
use crate::state::State;

/// Where a subsurface lies in its parent, and where it is to lie once that was committed.
#[derive(Debug, Default)]
struct Place {
    now: Point<i32, Logical>,
    wanted: Option<Point<i32, Logical>>,
}

fn with_place<T>(states: &SurfaceData, change: impl FnOnce(&mut Place) -> T) -> Option<T> {
    let place = states.data_map.get_or_insert_threadsafe(Mutex::<Place>::default);
    place.lock().ok().map(|mut place| change(&mut place))
}

/// The places that a surface's state has for its subsurfaces.
#[derive(Debug, Default)]
struct ChildPlaces(Vec<(WlSurface, Point<i32, Logical>)>);

impl Cacheable for ChildPlaces {
    fn commit(&mut self, _: &DisplayHandle) -> ChildPlaces {
        std::mem::take(self)
    }

    fn merge_into(self, into: &mut ChildPlaces, _: &DisplayHandle) {
        into.0.extend(self.0);
    }
}

/// A surface is committed: the places that its subsurfaces were given are part of its state.
pub(super) fn places_committed(parent: &WlSurface) {
    let mut places = Vec::new();
    for child in get_children(parent) {
        let wanted = with_states(&child, |states| with_place(states, |place| place.wanted.take()));
        if let Some(wanted) = wanted.flatten() {
            places.push((child, wanted));
        }
    }
    if !places.is_empty() {
        with_states(parent, |states| {
            states.cached_state.get::<ChildPlaces>().pending().0.extend(places);
        });
    }
}

/// A surface's state takes effect, and with it the places of its subsurfaces.
pub(super) fn places_applied(surface: &WlSurface) {
    let places = with_states(surface, |states| {
        // What Smithay keeps as its place may be older.
        if states.data_map.get::<Mutex<Place>>().is_some() {
            put(states, None);
        }
        std::mem::take(states.cached_state.get::<ChildPlaces>().current())
    });
    for (child, place) in places.0 {
        if child.is_alive() && get_parent(&child).as_ref() == Some(surface) {
            with_states(&child, |states| put(states, Some(place)));
        }
    }
}

/// Let a subsurface lie at a new place, or where it does.
fn put(states: &SurfaceData, new: Option<Point<i32, Logical>>) {
    let place = with_place(states, |place| {
        place.now = new.unwrap_or(place.now);
        place.now
    });
    if let Some(location) = place {
        let mut theirs = states.cached_state.get::<SubsurfaceCachedState>();
        theirs.pending().location = location;
        theirs.current().location = location;
    }
}

impl Dispatch<WlSubsurface, SubsurfaceUserData> for State {
    fn request(
        state: &mut State,
        client: &Client,
        subsurface: &WlSubsurface,
        request: wl_subsurface::Request,
        data: &SubsurfaceUserData,
        display: &DisplayHandle,
        data_init: &mut DataInit<'_, State>,
    ) {
        if let wl_subsurface::Request::SetPosition { x, y } = request {
            let scale = state.client_compositor_state(client).client_scale();
            let scaled = |value: i32| f64::from(limits::position(value)) / scale;
            let wanted = Point::<f64, Logical>::from((scaled(x), scaled(y))).to_i32_round();
            with_states(data.surface(), |states| {
                with_place(states, |place| place.wanted = Some(wanted))
            });
            return;
        }
        <CompositorState as Dispatch<WlSubsurface, SubsurfaceUserData, State>>::request(
            state, client, subsurface, request, data, display, data_init,
        );
    }

    fn destroyed(
        state: &mut State,
        client: ClientId,
        subsurface: &WlSubsurface,
        data: &SubsurfaceUserData,
    ) {
        // Its surface may become a subsurface again, and begins anew then.
        with_states(data.surface(), |states| with_place(states, std::mem::take));
        <CompositorState as Dispatch<WlSubsurface, SubsurfaceUserData, State>>::destroyed(
            state, client, subsurface, data,
        );
        state.queue_redraw();
    }
}
