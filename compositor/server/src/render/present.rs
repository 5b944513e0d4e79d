//! From "something changed" to "it is seen": drawing, waiting for the vertical blank, telling the
//! clients.

use std::time::Duration;

use smithay::{
    desktop::utils::{OutputPresentationFeedback, take_presentation_feedback_surface_tree},
    output::Output,
    reexports::{
        calloop::timer::{TimeoutAction, Timer},
        wayland_protocols::wp::presentation_time::server::wp_presentation_feedback,
        wayland_server::{
            Resource,
            protocol::{wl_callback::WlCallback, wl_surface::WlSurface},
        },
    },
    utils::{Monotonic, Time},
    wayland::{
        compositor::{SurfaceAttributes, TraversalAction, with_surface_tree_downward},
        fifo::FifoBarrierCachedState,
        presentation::Refresh,
    },
};

use crate::{
    backend::BackendError,
    client::ClientState,
    colour::Colour,
    render::{elements::Scene, redraw::RedrawState},
    state::State,
};

/// An output and what is on its way to it.
pub struct OutputView {
    /// Smithay's output.
    pub output: Output,
    /// Whether a picture is due.
    pub redraw: RedrawState,
    /// Pictures drawn since the start.
    pub pictures: u64,
    /// The time between two vertical blanks; `None` for no waiting.
    period: Option<Duration>,
    /// Vertical blanks come only from [`State::vblank_by_hand`].
    by_hand: bool,
    /// When the last picture was seen.
    last_vblank: Option<Time<Monotonic>>,
    /// Vertical blanks since the start.
    sequence: u64,
    /// Whom to tell when the picture that was drawn is seen.
    waiting: Waiting,
}

/// Those who want to know when a picture is seen.
struct Waiting {
    callbacks: Vec<WlCallback>,
    feedback: OutputPresentationFeedback,
}

impl Waiting {
    fn new(output: &Output) -> Waiting {
        Waiting { callbacks: Vec::new(), feedback: OutputPresentationFeedback::new(output) }
    }

    /// Collect from a surface and all below it.
    fn collect(&mut self, output: &Output, surface: &WlSurface) {
        with_surface_tree_downward(
            surface,
            (),
            |_, _, ()| TraversalAction::DoChildren(()),
            |surface, states, ()| {
                output.enter(surface);
                let mut attributes = states.cached_state.get::<SurfaceAttributes>();
                self.callbacks.append(&mut attributes.current().frame_callbacks);
            },
            |_, _, ()| true,
        );
        take_presentation_feedback_surface_tree(
            surface,
            &mut self.feedback,
            |_, _| Some(output.clone()),
            |_, _| wp_presentation_feedback::Kind::empty(),
        );
    }
}

impl OutputView {
    /// For an output that shows a new picture every `period`.
    pub fn new(output: Output, period: Option<Duration>) -> OutputView {
        OutputView {
            waiting: Waiting::new(&output),
            output,
            redraw: RedrawState::default(),
            pictures: 0,
            period,
            by_hand: false,
            last_vblank: None,
            sequence: 0,
        }
    }

    /// Whether something changed that no picture shows yet.
    pub fn has_unseen_changes(&self) -> bool {
        self.pictures == 0 || self.redraw == (RedrawState::WaitingForVBlank { redraw_needed: true })
    }

    /// How long until the next vertical blank: blanks keep their beat through a rest.
    fn until_vblank(&self, now: Time<Monotonic>) -> Duration {
        let (Some(period), Some(last)) = (self.period, self.last_vblank) else {
            return self.period.unwrap_or_default();
        };
        let since = Time::elapsed(&last, now).as_nanos();
        let period = period.as_nanos().max(1);
        // Less than a period, which is at most a second.
        Duration::from_nanos((period - since % period) as u64)
    }
}

impl State {
    /// Something that is seen has changed.
    pub fn queue_redraw(&mut self) {
        self.scene_changed = true;
        self.windows_may_have_changed();
        self.output.redraw.queue();
    }

    /// Draw, if something has changed and the last picture is seen.
    pub(crate) fn redraw_if_queued(&mut self) {
        if self.output.redraw.is_queued()
            && let Err(error) = self.render_now()
        {
            // Drawing again at once would fail again at once.
            self.output.redraw = RedrawState::Idle;
            tracing::error!(%error, "a picture is lost");
        }
    }

    /// Draw now, whether or not anything changed and whether or not the last picture was seen.
    pub fn render_now(&mut self) -> Result<(), BackendError> {
        self.refresh_frames();
        let pointer = self.seat.get_pointer().map(|pointer| pointer.current_location());
        let scene = Scene {
            panels: &self.panels,
            lock: self.lock.as_ref(),
            output: self.output_area().size,
            cursor: pointer.and_then(|location| self.cursor.view(location)),
            windows: self.windows.as_slice(),
            theme: &self.theme,
            background: if self.is_locked() { Colour::BLACK } else { self.config.background.0 },
        };
        self.backend.render(&scene)?;
        self.lock_drawn();
        let view = &mut self.output;
        view.pictures += 1;
        // Those who are not seen do not draw, either.
        if let Some(lock) = &self.lock {
            if let Some(surface) = lock.surface() {
                view.waiting.collect(&view.output, surface);
            }
        } else {
            for window in self.windows.iter().filter(|window| window.is_visible()) {
                window.with_root_surfaces(|surface| view.waiting.collect(&view.output, surface));
            }
            for panel in self.panels.all_shown() {
                panel.with_root_surfaces(|surface| view.waiting.collect(&view.output, surface));
            }
        }
        for surface in self.cursor.surfaces() {
            view.waiting.collect(&view.output, surface);
        }
        let must_wait = view.redraw.drawn();
        match view.period {
            _ if view.by_hand => {}
            None => self.vblank(self.clock.now()),
            Some(_) if must_wait => {
                let delay = view.until_vblank(self.clock.now());
                let timer = Timer::from_duration(delay);
                let inserted = self.loop_handle.insert_source(timer, |_, (), state| {
                    state.vblank(state.clock.now());
                    TimeoutAction::Drop
                });
                if let Err(error) = inserted {
                    tracing::error!(%error, "cannot wait for the vertical blank");
                    self.vblank(self.clock.now());
                }
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// From now on there is no vertical blank but those of [`vblank_by_hand`](Self::vblank_by_hand).
    /// For tests that compare programs which move: what they draw depends on when.
    pub fn await_vblanks_by_hand(&mut self) {
        self.output.by_hand = true;
    }

    /// Whether a client waits for the picture that was drawn to be seen.
    pub fn is_awaited(&self) -> bool {
        !self.output.waiting.callbacks.is_empty()
    }

    /// What was drawn last is seen, at this time of the monotonic clock.
    pub fn vblank_by_hand(&mut self, time: Duration) {
        self.vblank(Time::from(time));
    }

    /// The picture that was drawn last is now seen: tell those who wait for it.
    fn vblank(&mut self, now: Time<Monotonic>) {
        let view = &mut self.output;
        view.redraw.vblank();
        view.last_vblank = Some(now);
        view.sequence += 1;
        let mut waiting = std::mem::replace(&mut view.waiting, Waiting::new(&view.output));
        // The protocol counts milliseconds in 32 bits and lets them wrap.
        let milliseconds = Duration::from(now).as_millis() as u32;
        for callback in waiting.callbacks.drain(..) {
            callback.done(milliseconds);
        }
        let refresh = view.period.map_or(Refresh::Unknown, Refresh::fixed);
        waiting.feedback.presented::<_, Monotonic>(
            now,
            refresh,
            view.sequence,
            wp_presentation_feedback::Kind::empty(),
        );
        self.release_fifo();
        self.lock_seen();
    }

    /// Let commits go on that waited for the picture before theirs to be seen.
    fn release_fifo(&mut self) {
        let mut clients = Vec::new();
        for window in self.windows.iter() {
            window.surface().with_surfaces(|surface, states| {
                let mut state = states.cached_state.get::<FifoBarrierCachedState>();
                if let Some(barrier) = state.current().barrier.take() {
                    barrier.signal();
                    clients.extend(surface.client());
                }
            });
        }
        for client in clients {
            let display = self.display_handle.clone();
            if let Some(data) = client.get_data::<ClientState>() {
                data.compositor.blocker_cleared(self, &display);
            }
        }
    }
}
