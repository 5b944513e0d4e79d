//! `wp_presentation`, with a bound on how many feedbacks wait for a surface.

use smithay::{
    reexports::{
        wayland_protocols::wp::presentation_time::server::wp_presentation::{self, WpPresentation},
        wayland_server::{
            Client, DataInit, Dispatch, DisplayHandle, protocol::wl_surface::WlSurface,
        },
    },
    wayland::{
        compositor::with_states,
        presentation::{PresentationFeedbackCachedState, PresentationState},
    },
};

use super::limits;
use crate::state::State;

impl Dispatch<WpPresentation, u32> for State {
    fn request(
        state: &mut State,
        client: &Client,
        presentation: &WpPresentation,
        request: wp_presentation::Request,
        clock: &u32,
        display: &DisplayHandle,
        data_init: &mut DataInit<'_, State>,
    ) {
        if let wp_presentation::Request::Feedback { surface, .. } = &request
            && waiting_feedbacks(surface) >= limits::MOST_FEEDBACKS
        {
            limits::exceeded(presentation, "too many presentation feedbacks wait");
            return;
        }
        <PresentationState as Dispatch<WpPresentation, u32, State>>::request(
            state,
            client,
            presentation,
            request,
            clock,
            display,
            data_init,
        );
    }
}

fn waiting_feedbacks(surface: &WlSurface) -> usize {
    with_states(surface, |states| {
        let mut feedbacks = states.cached_state.get::<PresentationFeedbackCachedState>();
        feedbacks.pending().callbacks.len() + feedbacks.current().callbacks.len()
    })
}
