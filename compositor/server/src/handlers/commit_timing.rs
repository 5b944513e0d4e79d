//! `wp_commit_timing_manager_v1`: a commit that is not to be seen before a time waits for the last moment in
//! which it can still be drawn for the vertical blank that is the first at that time or after it.
//!
//! What waits is kept with its surface, and goes with it. One timer wakes for the next of all.

use smithay::{
    reexports::{
        calloop::{
            RegistrationToken,
            timer::{TimeoutAction, Timer},
        },
        wayland_protocols::wp::commit_timing::v1::server::wp_commit_timer_v1::{
            self, WpCommitTimerV1,
        },
        wayland_server::{
            Client, DataInit, Dispatch, DisplayHandle, Resource, Weak,
            protocol::wl_surface::WlSurface,
        },
    },
    utils::{Monotonic, Time},
    wayland::{
        commit_timing::{
            CommitTimerBarrierStateUserData, CommitTimerStateUserData, CommitTimingManagerState,
        },
        compositor::with_states,
    },
};

use crate::{client::ClientState, state::State};

/// The greatest upper half of a time's seconds: 2^32 seconds are the 136 years of the lower half.
const FARTHEST_HIGH: u32 = 1;

/// What awaits its time.
#[derive(Debug, Default)]
pub(crate) struct TimedCommits {
    /// There may be an earlier one than the timer is set for.
    changed: bool,
    timer: Option<RegistrationToken>,
}

impl State {
    /// A commit of a surface is about to wait, if its client gave it a time.
    pub(super) fn commit_may_wait(&mut self, surface: &WlSurface) {
        let waits = with_states(surface, |states| {
            let timer = states.data_map.get::<CommitTimerStateUserData>();
            timer.is_some_and(|timer| timer.borrow().timestamp.is_some())
        });
        self.timed_commits.changed |= waits;
    }

    /// At the end of a turn of the event loop: wake for the first commit that waits.
    pub(crate) fn await_timed_commits(&mut self) {
        if std::mem::take(&mut self.timed_commits.changed) {
            self.let_timed_commits_go();
        }
    }

    /// Let those go on that the next vertical blank is for, and wake for the first of the others.
    fn let_timed_commits_go(&mut self) {
        if let Some(timer) = self.timed_commits.timer.take() {
            self.loop_handle.remove(timer);
        }
        let now = self.clock.now();
        let mut clients: Vec<Client> = Vec::new();
        let mut next: Option<Time<Monotonic>> = None;
        for id in self.outputs.shown().map(|view| view.id).collect::<Vec<_>>() {
            let Some(view) = self.outputs.get(id) else { continue };
            let seen_next = now + view.until_next_blank(now);
            self.with_surfaces_of(id, |surface, states| {
                let Some(waiting) = states.data_map.get::<CommitTimerBarrierStateUserData>() else {
                    return;
                };
                let Ok(mut waiting) = waiting.lock() else { return };
                if waiting.signal_until(seen_next) {
                    clients.extend(surface.client());
                }
                let first = waiting.next_deadline().map(Time::<Monotonic>::from);
                let due = first.map(|first| view.drawn_for(first));
                next = [next, due].into_iter().flatten().min();
            });
        }
        if let Some(next) = next {
            self.wake_at(next);
        }
        let display = self.display_handle.clone();
        for client in clients {
            if let Some(data) = client.get_data::<ClientState>() {
                data.compositor.blocker_cleared(self, &display);
            }
        }
    }

    fn wake_at(&mut self, time: Time<Monotonic>) {
        let timer = Timer::from_duration(Time::elapsed(&self.clock.now(), time));
        let inserted = self.loop_handle.insert_source(timer, |_, (), state| {
            state.timed_commits.timer = None;
            state.let_timed_commits_go();
            TimeoutAction::Drop
        });
        match inserted {
            Ok(token) => self.timed_commits.timer = Some(token),
            Err(error) => tracing::error!(%error, "commits that wait for a time wait on"),
        }
    }
}

impl Dispatch<WpCommitTimerV1, Weak<WlSurface>> for State {
    fn request(
        state: &mut State,
        client: &Client,
        timer: &WpCommitTimerV1,
        request: wp_commit_timer_v1::Request,
        data: &Weak<WlSurface>,
        display: &DisplayHandle,
        data_init: &mut DataInit<'_, State>,
    ) {
        use wp_commit_timer_v1::Request;
        let request = match request {
            // Smithay 0.7 takes any number.
            Request::SetTimestamp { tv_nsec, .. } if tv_nsec >= 1_000_000_000 => {
                let error = wp_commit_timer_v1::Error::InvalidTimestamp;
                timer.post_error(error, "a second has 1000000000 nanoseconds");
                return;
            }
            // Later ones overflow in sums of times.
            Request::SetTimestamp { tv_sec_hi, tv_sec_lo, tv_nsec } => Request::SetTimestamp {
                tv_sec_hi: tv_sec_hi.min(FARTHEST_HIGH),
                tv_sec_lo,
                tv_nsec,
            },
            other => other,
        };
        <CommitTimingManagerState as Dispatch<WpCommitTimerV1, Weak<WlSurface>, State>>::request(
            state, client, timer, request, data, display, data_init,
        );
    }
}
