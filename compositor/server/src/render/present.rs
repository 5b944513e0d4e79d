//! From "something changed" to "it is seen": drawing, waiting for the vertical blank, telling the
//! clients.

use std::time::Duration;

use smithay::{
    backend::renderer::element::RenderElementStates,
    desktop::utils::{
        OutputPresentationFeedback, surface_presentation_feedback_flags_from_states,
        take_presentation_feedback_surface_tree, with_surfaces_surface_tree,
    },
    output::Output,
    reexports::{
        calloop::timer::{TimeoutAction, Timer},
        wayland_protocols::wp::presentation_time::server::wp_presentation_feedback,
        wayland_server::{
            Resource,
            backend::GlobalId,
            protocol::{wl_callback::WlCallback, wl_surface::WlSurface},
        },
    },
    utils::{Logical, Monotonic, Rectangle, Time},
    wayland::{
        compositor::{SurfaceAttributes, SurfaceData, TraversalAction, with_surface_tree_downward},
        fifo::FifoBarrierCachedState,
        presentation::Refresh,
    },
};

use crate::{
    backend::{
        Backend, BackendError, OnPlanes,
        remedy::{Remedied, Remedy},
    },
    client::ClientState,
    colour::Colour,
    handlers::dmabuf::tell_best_buffers,
    outputs::{OutputChange, OutputId, layout},
    render::{elements::Scene, latency::Latency, redraw::RedrawState},
    shell::{hit::has_whole_screen, popups},
    state::State,
};

/// How long an output rests when a picture could not be drawn or shown; twice that the next time.
const AFTER_FAILURE: Duration = Duration::from_millis(250);
/// After so many times the rest is not doubled any more: it is 64 seconds then.
const LONGEST_REST: u32 = 8;

/// Of the time between two blanks, this part is left to programs before their next picture is drawn, a
/// half: 8 ms of 60 Hz. Weston leaves them all but 7 ms (weston.ini, `repaint-window`). With a quarter, one
/// picture in a hundred was too late beside a domain that floods.
const GATHERING: u32 = 2;

/// An output and what is on its way to it.
pub struct OutputView {
    /// Its name among ours.
    pub id: OutputId,
    /// Smithay's output.
    pub output: Output,
    /// Whether a picture is due.
    pub redraw: RedrawState,
    /// Pictures drawn since it was switched on.
    pub pictures: u64,
    /// Pictures drawn since the start.
    pub pictures_since_start: u64,
    /// What the last picture shows without having been drawn.
    pub planes: OnPlanes,
    /// How long it took to draw.
    drawing: Duration,
    /// How long changes take to be seen.
    pub latency: Latency,
    /// Clients see it; `None` while it is off.
    pub(crate) global: Option<GlobalId>,
    /// It has a place among the others.
    pub(crate) was_placed: bool,
    /// The time between two vertical blanks; `None` for no waiting.
    pub(crate) period: Option<Duration>,
    /// Vertical blanks come only from [`State::vblank_by_hand`].
    by_hand: bool,
    /// When the last picture was seen.
    last_vblank: Option<Time<Monotonic>>,
    /// Vertical blanks since the start.
    sequence: u64,
    /// Whom to tell when the picture that was drawn is seen.
    waiting: Waiting,
    /// Pictures in a row that could not be drawn or shown.
    failures: u32,
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
    fn collect(
        &mut self,
        output: &Output,
        surface: &WlSurface,
        drawn: &RenderElementStates,
        mut also: impl FnMut(&WlSurface, &SurfaceData),
    ) {
        with_surface_tree_downward(
            surface,
            (),
            |_, _, ()| TraversalAction::DoChildren(()),
            |surface, states, ()| {
                also(surface, states);
                let mut attributes = states.cached_state.get::<SurfaceAttributes>();
                self.callbacks.append(&mut attributes.current().frame_callbacks);
            },
            |_, _, ()| true,
        );
        take_presentation_feedback_surface_tree(
            surface,
            &mut self.feedback,
            |_, _| Some(output.clone()),
            |surface, _| surface_presentation_feedback_flags_from_states(surface, drawn),
        );
    }
}

impl OutputView {
    /// For an output that shows a new picture every `period`. It is off.
    pub(crate) fn new(id: OutputId, output: Output, period: Option<Duration>) -> OutputView {
        OutputView {
            id,
            waiting: Waiting::new(&output),
            output,
            redraw: RedrawState::default(),
            pictures: 0,
            pictures_since_start: 0,
            planes: OnPlanes::default(),
            drawing: Duration::ZERO,
            latency: Latency::default(),
            global: None,
            was_placed: false,
            period,
            by_hand: false,
            last_vblank: None,
            sequence: 0,
            failures: 0,
        }
    }

    /// Whether it shows anything.
    pub fn is_on(&self) -> bool {
        self.global.is_some()
    }

    /// How many of its pixels there are to one of a window's.
    pub fn scale(&self) -> f64 {
        self.output.current_scale().fractional_scale()
    }

    /// Where it lies among the others, in pixels of windows.
    pub fn area(&self) -> Rectangle<i32, Logical> {
        let pixels = self.output.current_mode().map(|mode| mode.size).unwrap_or_default();
        let size = layout::logical_size(pixels, self.output.current_transform(), self.scale());
        Rectangle::new(self.output.current_location(), size)
    }

    /// Nobody is told of the picture that was drawn last: it is never seen.
    pub(crate) fn forget_waiting(&mut self) {
        self.waiting = Waiting::new(&self.output);
        self.redraw = RedrawState::Idle;
        self.latency.forget();
        self.pictures = 0;
    }

    /// Whether something changed that no picture shows yet.
    pub fn has_unseen_changes(&self) -> bool {
        let changed = matches!(
            self.redraw,
            RedrawState::WaitingForVBlank { redraw_needed: true }
                | RedrawState::Gathering { redraw_needed: true }
        );
        self.pictures == 0 || changed
    }

    /// Something on it has changed.
    fn queue(&mut self, now: Time<Monotonic>) {
        self.redraw.queue();
        self.latency.changed(now);
    }

    /// How long until what is drawn now is seen; no time at all where there are no blanks.
    pub(crate) fn until_next_blank(&self, now: Time<Monotonic>) -> Duration {
        if self.period.is_some() { self.until_vblank(now) } else { Duration::ZERO }
    }

    /// When to draw what is to be seen by the first blank at this time or after it: after the blank before
    /// that, as far as it can be foreseen.
    pub(crate) fn drawn_for(&self, time: Time<Monotonic>) -> Time<Monotonic> {
        let period = self.period.unwrap_or_default();
        let (time, until) = (Duration::from(time), self.until_next_blank(time));
        Time::from((time + until).saturating_sub(period))
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
    /// Something that is seen has changed, perhaps on every output.
    pub fn queue_redraw(&mut self) {
        self.scene_changed = true;
        self.identity_bar_due = true;
        self.idle_inhibition_due = true;
        self.windows_may_have_changed();
        let now = self.clock.now();
        self.outputs.iter_mut().filter(|view| view.is_on()).for_each(|view| view.queue(now));
    }

    /// Something has changed that is seen only within this area: other outputs rest.
    pub fn queue_redraw_in(&mut self, area: Rectangle<i32, Logical>) {
        self.scene_changed = true;
        self.idle_inhibition_due = true;
        self.windows_may_have_changed();
        let now = self.clock.now();
        for view in self.outputs.iter_mut().filter(|view| view.is_on()) {
            if view.area().overlaps(area) {
                view.queue(now);
            }
        }
    }

    /// Draw where something has changed and the last picture is seen.
    pub(crate) fn redraw_if_queued(&mut self) {
        if self.shown_elsewhere {
            return;
        }
        let due = self.outputs.shown().filter(|view| view.redraw.is_queued());
        for id in due.map(|view| view.id).collect::<Vec<_>>() {
            match self.render_output(id) {
                Ok(()) => self.outputs.get_mut(id).into_iter().for_each(|view| view.failures = 0),
                Err(error) => self.picture_failed(id, &error),
            }
        }
    }

    /// A picture could not be drawn or shown: try again by other means, and when there are none left,
    /// after a while.
    fn picture_failed(&mut self, id: OutputId, error: &BackendError) {
        let Some(view) = self.outputs.get_mut(id) else { return };
        view.failures = view.failures.saturating_add(1);
        let (output, failures) = (view.output.clone(), view.failures);
        tracing::error!(%error, output = %output.name(), failures, "a picture is lost");
        let Some(remedy) = Remedy::after(failures) else { return self.draw_later(id, failures) };
        match self.backend.remedy(&output, remedy) {
            Ok(Remedied::Done) => self.redraw_afresh(),
            Ok(Remedied::Nothing) => self.draw_later(id, failures),
            Ok(Remedied::HasMode(mode)) => {
                let change = OutputChange { mode: Some(mode), ..OutputChange::default() };
                if let Err(error) = self.change_output(id, change) {
                    tracing::error!(%error, "another mode cannot be had");
                    self.draw_later(id, failures);
                }
            }
            Err(error) => {
                tracing::error!(%error, "that does not help");
                self.draw_later(id, failures);
            }
        }
    }

    /// At once drawing would fail again: let a while pass, the longer the more often it has failed.
    fn draw_later(&mut self, id: OutputId, failures: u32) {
        if let Some(view) = self.outputs.get_mut(id) {
            view.redraw = RedrawState::Idle;
        }
        let timer = Timer::from_duration(AFTER_FAILURE * (1 << failures.min(LONGEST_REST)));
        let inserted = self.loop_handle.insert_source(timer, move |_, (), state| {
            if let Some(view) = state.outputs.get_mut(id).filter(|view| view.is_on()) {
                view.redraw.queue();
            }
            TimeoutAction::Drop
        });
        if let Err(error) = inserted {
            tracing::error!(%error, "nothing is drawn until something changes");
        }
    }

    /// Draw all outputs now, whether or not anything changed and whether or not the last picture was
    /// seen.
    pub fn render_now(&mut self) -> Result<(), BackendError> {
        for id in self.outputs.shown().map(|view| view.id).collect::<Vec<_>>() {
            self.render_output(id)?;
        }
        Ok(())
    }

    /// Whatever was on its way to the outputs is lost: draw all of them.
    pub(crate) fn redraw_afresh(&mut self) {
        for view in self.outputs.iter_mut().filter(|view| view.is_on()) {
            view.redraw = RedrawState::Queued;
        }
    }

    /// Draw one output now.
    pub(crate) fn render_output(&mut self, id: OutputId) -> Result<(), BackendError> {
        let begun = self.clock.now();
        let Some(rendered) = self.with_scene(id, Backend::render) else { return Ok(()) };
        let rendered = rendered?;
        let drawing = Time::elapsed(&begun, self.clock.now());
        self.lock_drawn(id);
        self.cursor_drawn(id);
        self.collect_waiting(id, &rendered.states);
        let Some(view) = self.outputs.get_mut(id) else { return Ok(()) };
        view.planes = rendered.planes;
        view.drawing = drawing;
        view.pictures += 1;
        view.pictures_since_start += 1;
        view.latency.drawn();
        let must_wait = view.redraw.drawn();
        match view.period {
            _ if view.by_hand || rendered.tells_when_seen => {}
            None => self.vblank(id, self.clock.now()),
            Some(_) if must_wait => {
                let delay = view.until_vblank(self.clock.now());
                let timer = Timer::from_duration(delay);
                let inserted = self.loop_handle.insert_source(timer, move |_, (), state| {
                    state.vblank(id, state.clock.now());
                    TimeoutAction::Drop
                });
                if let Err(error) = inserted {
                    tracing::error!(%error, "cannot wait for the vertical blank");
                    self.vblank(id, self.clock.now());
                }
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// What is to be drawn on an output, handed to the back end; `None` if there is no such output.
    pub(crate) fn with_scene<R>(
        &mut self,
        id: OutputId,
        draw: impl FnOnce(&mut Backend, &Output, &Scene<'_>) -> R,
    ) -> Option<R> {
        self.refresh_frames();
        self.refresh_identity_bar();
        self.cursor.prepare(&self.outputs.scales());
        let smallest = self.outputs.smallest_size();
        let view = self.outputs.get(id)?;
        let full_screen =
            has_whole_screen(self.windows.as_slice(), &self.theme, &self.outputs, Some(view.id));
        let scene = Scene {
            output: view.id,
            area: view.area(),
            scale: view.scale(),
            smallest_output: smallest,
            cursor: self.cursor.view(self.pointer_location),
            panels: &self.panels,
            lock: self.lock.as_ref(),
            full_screen,
            identity_bar: self.bar_is_shown(full_screen).then_some(&self.identity_bar),
            windows: self.windows.as_slice(),
            unmanaged: self.xwayland.unmanaged(),
            theme: &self.theme,
            background: if self.is_locked() { Colour::BLACK } else { self.config.background.0 },
        };
        Some(draw(&mut self.backend, &view.output, &scene))
    }

    /// Collect those who want to know when the picture of this output is seen: of each surface that
    /// lies on more than one, only one output tells.
    fn collect_waiting(&mut self, id: OutputId, drawn: &RenderElementStates) {
        let smallest = self.outputs.smallest_size();
        let mut told = Vec::new();
        let Some(view) = self.outputs.get(id) else { return };
        let area = view.area();
        // Those who are not seen do not draw, either.
        let locked = self.is_locked();
        if let Some(surface) = self.lock.as_ref().and_then(|lock| lock.surface(id)) {
            enter_or_leave(&view.output, surface, true);
            told.push(surface.clone());
        }
        for panel in self.panels.all_shown().filter(|panel| !locked && panel.output() == id) {
            panel.with_root_surfaces(|surface| {
                enter_or_leave(&view.output, surface, true);
                told.push(surface.clone());
            });
        }
        for window in self.windows.iter().filter(|window| !locked && window.is_visible()) {
            let outer = window.outer_area(&self.theme);
            let popups = popups::placed(window, smallest);
            let popups = popups.into_iter().map(|popup| (popup.surface, popup.area));
            for (surface, seen) in
                std::iter::once((window.wl_surface().clone(), outer)).chain(popups)
            {
                enter_or_leave(&view.output, &surface, area.overlaps(seen));
                if self.outputs.showing(seen).is_some_and(|main| main.id == id) {
                    told.push(surface);
                }
            }
        }
        for window in self.unmanaged_windows().filter(|_| !locked) {
            let (surface, seen) = (window.wl_surface(), window.area());
            enter_or_leave(&view.output, surface, area.overlaps(seen));
            if self.outputs.showing(seen).is_some_and(|main| main.id == id) {
                told.push(surface.clone());
            }
        }
        let here = self.outputs.at(self.pointer_location).is_some_and(|main| main.id == id);
        for surface in self.cursor.surfaces().filter(|_| here) {
            enter_or_leave(&view.output, surface, true);
            told.push(surface.clone());
        }
        let scanout = self.backend.scanout_feedback(&view.output);
        let offered = &self.protocols.dmabuf;
        if let Some(view) = self.outputs.get_mut(id) {
            for surface in &told {
                view.waiting.collect(&view.output, surface, drawn, |surface, states| {
                    if let Some(scanout) = &scanout {
                        tell_best_buffers(offered, scanout, surface, states, drawn);
                    }
                });
            }
        }
    }

    /// From now on there is no vertical blank but those of [`vblank_by_hand`](Self::vblank_by_hand).
    /// For tests that compare programs which move: what they draw depends on when.
    pub fn await_vblanks_by_hand(&mut self) {
        self.outputs.iter_mut().for_each(|view| view.by_hand = true);
    }

    /// Whether a client waits for a picture that was drawn to be seen.
    pub fn is_awaited(&self) -> bool {
        self.outputs.iter().any(|view| !view.waiting.callbacks.is_empty())
    }

    /// What was drawn last is seen, at this time of the monotonic clock.
    pub fn vblank_by_hand(&mut self, time: Duration) {
        for id in self.outputs.shown().map(|view| view.id).collect::<Vec<_>>() {
            self.vblank(id, Time::from(time));
        }
    }

    /// What was drawn last of one output is seen, at this time of the monotonic clock.
    pub fn vblank_by_hand_of(&mut self, id: OutputId, time: Duration) {
        self.vblank(id, Time::from(time));
    }

    /// The picture that was drawn last is now seen: tell those who wait for it.
    pub(crate) fn vblank(&mut self, id: OutputId, now: Time<Monotonic>) {
        let Some(view) = self.outputs.get_mut(id) else { return };
        view.redraw.vblank();
        view.latency.seen(now);
        view.last_vblank = Some(now);
        view.sequence += 1;
        let mut waiting = std::mem::replace(&mut view.waiting, Waiting::new(&view.output));
        let gathers = !waiting.callbacks.is_empty() && !view.by_hand;
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
        self.release_fifo(id);
        self.lock_seen(id);
        if gathers {
            self.gather(id);
        }
    }

    /// Those who were told that their picture is seen draw the next: all of them are to be in it. It is
    /// shown at the next blank as if it had been drawn at once.
    fn gather(&mut self, id: OutputId) {
        let Some(view) = self.outputs.get_mut(id) else { return };
        let Some(period) = view.period else { return };
        // Where drawing is slow, it has to begin at once, or it is late for the blank.
        let spare = (period * 3 / 4).saturating_sub(view.drawing);
        let while_they_draw = spare.min(period / GATHERING);
        if while_they_draw.is_zero() || !view.redraw.gather() {
            return;
        }
        let inserted = self.loop_handle.insert_source(
            Timer::from_duration(while_they_draw),
            move |_, (), state| {
                state.outputs.get_mut(id).into_iter().for_each(|view| view.redraw.gathered());
                TimeoutAction::Drop
            },
        );
        if let Err(error) = inserted {
            tracing::error!(%error, "programs get no time to draw");
            self.outputs.get_mut(id).into_iter().for_each(|view| view.redraw.gathered());
        }
    }

    /// Let commits go on that waited for the picture before theirs to be seen.
    fn release_fifo(&mut self, id: OutputId) {
        let mut clients = Vec::new();
        self.with_surfaces_of(id, |surface, states| {
            let mut state = states.cached_state.get::<FifoBarrierCachedState>();
            if let Some(barrier) = state.current().barrier.take() {
                barrier.signal();
                clients.extend(surface.client());
            }
        });
        for client in clients {
            let display = self.display_handle.clone();
            if let Some(data) = client.get_data::<ClientState>() {
                data.compositor.blocker_cleared(self, &display);
            }
        }
    }

    /// Each surface of which an output decides when it is seen: of those that lie on several, or on none,
    /// only one does, or each.
    pub(crate) fn with_surfaces_of(
        &self,
        id: OutputId,
        mut each: impl FnMut(&WlSurface, &SurfaceData),
    ) {
        for panel in self.panels.iter().filter(|panel| panel.output() == id) {
            panel.with_root_surfaces(|root| with_surfaces_surface_tree(root, &mut each));
        }
        if let Some(surface) = self.lock.as_ref().and_then(|lock| lock.surface(id)) {
            with_surfaces_surface_tree(surface, &mut each);
        }
        for window in self.windows.iter() {
            let main = self.outputs.showing(window.outer_area(&self.theme));
            if main.is_some_and(|main| main.id != id) {
                continue;
            }
            window.with_root_surfaces(|root| with_surfaces_surface_tree(root, &mut each));
        }
        for surface in self.cursor.surfaces() {
            with_surfaces_surface_tree(surface, &mut each);
        }
    }
}

/// Tell a surface and all below it whether they are on an output.
fn enter_or_leave(output: &Output, surface: &WlSurface, is_there: bool) {
    with_surface_tree_downward(
        surface,
        (),
        |_, _, ()| TraversalAction::DoChildren(()),
        |surface, _, ()| if is_there { output.enter(surface) } else { output.leave(surface) },
        |_, _, ()| true,
    );
}
