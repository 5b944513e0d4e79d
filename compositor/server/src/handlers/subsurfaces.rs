//! `wl_subsurface`. Where one lies is part of its parent's state, and changes with that.
//!
//! Smithay 0.7 takes the place for a part of the subsurface's own state, and all that a synchronised
//! subsurface waits with for committed as soon as any parent is. So places are kept here until the
//! parent itself was committed, and travel with its state from then on.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
};

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
        SurfaceData, get_parent, with_states,
    },
};

use super::limits;
use crate::state::State;

/// Where subsurfaces are to lie, by their surfaces: of each the newest place.
#[derive(Debug)]
struct Places<S = WlSurface>(HashMap<S, Point<i32, Logical>>);

impl<S> Default for Places<S> {
    fn default() -> Self {
        Places(HashMap::new())
    }
}

impl<S: Eq + Hash> Places<S> {
    /// Those of surfaces that are gone do not stay for long, however many a client makes.
    fn put(&mut self, surface: S, place: Point<i32, Logical>, is_there: impl Fn(&S) -> bool) {
        if self.0.len() == self.0.capacity() {
            self.0.retain(|surface, _| is_there(surface));
        }
        self.0.insert(surface, place);
    }
}

/// As a part of the parent's state.
impl Cacheable for Places {
    fn commit(&mut self, _: &DisplayHandle) -> Places {
        std::mem::take(self)
    }

    fn merge_into(self, into: &mut Places, _: &DisplayHandle) {
        for (surface, place) in self.0 {
            into.put(surface, place, WlSurface::is_alive);
        }
    }
}

/// What was said of places since the parent was committed.
#[derive(Default)]
struct Said(Mutex<Places>);

/// Where a subsurface lies.
#[derive(Default)]
struct Place(Mutex<Point<i32, Logical>>);

/// A client says where a subsurface is to lie.
fn say(surface: &WlSurface, place: Point<i32, Logical>) {
    // Where the parent is gone, the subsurface lies nowhere.
    let Some(parent) = get_parent(surface) else { return };
    with_states(&parent, |states| {
        let said = states.data_map.get_or_insert_threadsafe(Said::default);
        let mut said = said.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.put(surface.clone(), place, WlSurface::is_alive);
    });
}

/// A surface is committed: the places that its subsurfaces were given are part of its state.
pub(super) fn places_committed(parent: &WlSurface) {
    with_states(parent, |states| {
        let Some(said) = states.data_map.get::<Said>() else { return };
        let mut said = said.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = states.cached_state.get::<Places>();
        for (surface, place) in said.0.drain() {
            state.pending().put(surface, place, WlSurface::is_alive);
        }
    });
}

/// A surface's state takes effect, and with it the places of its subsurfaces.
pub(super) fn places_applied(surface: &WlSurface) {
    let places = with_states(surface, |states| {
        // What Smithay keeps as its place may be older.
        if let Some(place) = states.data_map.get::<Place>() {
            put(states, *place.0.lock().unwrap_or_else(PoisonError::into_inner));
        }
        std::mem::take(states.cached_state.get::<Places>().current())
    });
    for (child, place) in places.0 {
        if child.is_alive() && get_parent(&child).as_ref() == Some(surface) {
            with_states(&child, |states| {
                keep(states, place);
                put(states, place);
            });
        }
    }
}

fn keep(states: &SurfaceData, place: Point<i32, Logical>) {
    let kept = states.data_map.get_or_insert_threadsafe(Place::default);
    *kept.0.lock().unwrap_or_else(PoisonError::into_inner) = place;
}

/// Let a subsurface lie there, as Smithay sees it.
fn put(states: &SurfaceData, location: Point<i32, Logical>) {
    let mut theirs = states.cached_state.get::<SubsurfaceCachedState>();
    theirs.pending().location = location;
    theirs.current().location = location;
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
            say(data.surface(), wanted);
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
        with_states(data.surface(), |states| keep(states, Point::default()));
        <CompositorState as Dispatch<WlSubsurface, SubsurfaceUserData, State>>::destroyed(
            state, client, subsurface, data,
        );
        state.queue_redraw();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_place_counts_and_those_of_surfaces_that_are_gone_are_forgotten() {
        let mut places = Places::default();
        for surface in 0..100_000 {
            places.put(surface, (surface, 0).into(), |other| *other < 3);
            places.put(surface % 3, (surface, 1).into(), |other| *other < 3);
        }
        assert!(places.0.len() < 20, "{}", places.0.len());
        assert_eq!(places.0[&0], Point::from((99_999, 1)));
    }
}
