//! A locked session: nothing of anybody but the locker is seen or gets input, until the locker says
//! that it may be. If the locker dies the session stays locked; another locker may then take over.

use std::collections::{HashMap, HashSet};

use smithay::{
    desktop::{WindowSurfaceType, utils::under_from_surface_tree},
    input::pointer::CursorImageStatus,
    reexports::{
        wayland_protocols::ext::session_lock::v1::server::ext_session_lock_v1::ExtSessionLockV1,
        wayland_server::{Resource, protocol::wl_surface::WlSurface},
    },
    utils::{Logical, Point, Rectangle, SERIAL_COUNTER, Size},
    wayland::session_lock::{LockSurface, SessionLocker},
};

use crate::{outputs::OutputId, render::present::OutputView, state::State};

/// Who has locked the session.
#[derive(Debug)]
pub struct Lock {
    lock: ExtSessionLockV1,
    /// To tell the locker once nothing else is seen any more.
    to_confirm: Option<SessionLocker>,
    /// Outputs of which a picture was drawn since the session was locked.
    drawn: HashSet<OutputId>,
    /// Those of which such a picture was seen.
    seen: HashSet<OutputId>,
    surfaces: HashMap<OutputId, LockSurface>,
}

impl Lock {
    /// The locker's surface on an output, if it has one.
    pub fn surface(&self, output: OutputId) -> Option<&WlSurface> {
        let surface = self.surfaces.get(&output).filter(|surface| surface.alive());
        surface.map(LockSurface::wl_surface)
    }

    /// The locker's surfaces, and the output of each.
    pub fn surfaces(&self) -> impl Iterator<Item = (OutputId, &WlSurface)> {
        let alive = self.surfaces.iter().filter(|(_, surface)| surface.alive());
        alive.map(|(output, surface)| (*output, surface.wl_surface()))
    }

    /// The output of a surface of the locker's.
    pub fn output_of(&self, surface: &WlSurface) -> Option<OutputId> {
        self.surfaces().find(|(_, other)| *other == surface).map(|(output, _)| output)
    }

    /// The surface that gets the keyboard: the one where the pointer is, else any.
    fn keyboard_owner(&self, pointer: Option<OutputId>) -> Option<&WlSurface> {
        let here = pointer.and_then(|output| self.surface(output));
        // Always the same one.
        let any = || self.surfaces().min_by_key(|(output, _)| output.0).map(|(_, surface)| surface);
        here.or_else(any)
    }
}

impl State {
    /// Whether the session is locked.
    pub fn is_locked(&self) -> bool {
        self.lock.is_some()
    }

    /// Whether the session is locked, and its locker was told so.
    pub fn is_lock_confirmed(&self) -> bool {
        self.lock.as_ref().is_some_and(|lock| lock.to_confirm.is_none())
    }

    /// Lock the session, unless somebody who lives has done so.
    pub(crate) fn begin_lock(&mut self, locker: SessionLocker) {
        if self.lock.as_ref().is_some_and(|lock| lock.lock.is_alive()) {
            // Dropped, it tells the second locker that it came too late.
            return;
        }
        let lock = locker.ext_session_lock().clone();
        self.lock = Some(Lock {
            lock,
            to_confirm: Some(locker),
            drawn: HashSet::new(),
            seen: HashSet::new(),
            surfaces: HashMap::new(),
        });
        self.end_grabs();
        self.cursor.status = CursorImageStatus::default_named();
        self.cursor.icon = None;
        self.refresh_keyboard_focus();
        self.queue_redraw();
        self.refresh_pointer_focus();
        // Where no output is on, nothing is seen already.
        self.confirm_lock();
    }

    /// The locker has a surface for an output. It is nothing to those who have not locked.
    pub(crate) fn set_lock_surface(&mut self, surface: LockSurface, output: OutputId) {
        let Some(area) = self.outputs.get(output).map(OutputView::area) else { return };
        let Some(lock) = &mut self.lock else { return };
        if !lock.lock.id().same_client_as(&surface.wl_surface().id()) {
            return;
        }
        fill(&surface, area);
        lock.surfaces.insert(output, surface);
        self.refresh_keyboard_focus();
        self.queue_redraw_in(area);
    }

    /// The surface of the locker's that gets the keyboard.
    pub(crate) fn lock_keyboard_owner(&self) -> Option<&WlSurface> {
        let pointer = self.outputs.at(self.pointer_location).map(|view| view.id);
        self.lock.as_ref()?.keyboard_owner(pointer)
    }

    /// The locker's surface under a point.
    pub(crate) fn lock_under(
        &self,
        point: Point<f64, Logical>,
    ) -> Option<(WlSurface, Point<f64, Logical>)> {
        let view = self.outputs.at(point)?;
        let surface = self.lock.as_ref()?.surface(view.id)?;
        let found =
            under_from_surface_tree(surface, point, view.area().loc, WindowSurfaceType::ALL);
        found.map(|(surface, location)| (surface, location.to_f64()))
    }

    /// Whether this is the lock that is on, and its holder knows.
    pub(crate) fn may_unlock(&self, asks: &ExtSessionLockV1) -> bool {
        self.is_lock_confirmed() && self.lock.as_ref().is_some_and(|lock| lock.lock == *asks)
    }

    /// Show everything again.
    pub(crate) fn end_lock(&mut self) {
        self.lock = None;
        self.refresh_keyboard_focus();
        self.queue_redraw();
    }

    /// A picture was drawn of an output. If the session is locked it shows nothing of others.
    pub(crate) fn lock_drawn(&mut self, output: OutputId) {
        if let Some(lock) = &mut self.lock {
            lock.drawn.insert(output);
        }
    }

    /// What was drawn last of an output is seen.
    pub(crate) fn lock_seen(&mut self, output: OutputId) {
        if let Some(lock) = &mut self.lock
            && lock.drawn.contains(&output)
            && lock.seen.insert(output)
        {
            self.confirm_lock();
        }
    }

    /// Outputs came, changed or went: the locker's surfaces fill those that they are for.
    pub(crate) fn lock_follows_outputs(&mut self) {
        let Some(lock) = &mut self.lock else { return };
        let is_on = |id: &OutputId| self.outputs.get(*id).is_some_and(OutputView::is_on);
        lock.drawn.retain(is_on);
        lock.seen.retain(is_on);
        lock.surfaces.retain(|id, surface| surface.alive() && self.outputs.get(*id).is_some());
        for (id, surface) in &lock.surfaces {
            if let Some(view) = self.outputs.get(*id) {
                fill(surface, view.area());
                surface.send_configure();
            }
        }
        self.refresh_keyboard_focus();
        self.confirm_lock();
    }

    /// Tell the locker that the session is locked, once every output that is on shows that.
    fn confirm_lock(&mut self) {
        let Some(lock) = &mut self.lock else { return };
        if self.outputs.shown().all(|view| lock.seen.contains(&view.id))
            && let Some(locker) = lock.to_confirm.take()
        {
            locker.lock();
        }
    }

    /// Let nobody hold on to the keyboard, the pointer or a finger.
    fn end_grabs(&mut self) {
        let time = self.clock.now().as_millis();
        if let Some(keyboard) = self.seat.get_keyboard() {
            keyboard.unset_grab(self);
        }
        if let Some(pointer) = self.seat.get_pointer() {
            pointer.unset_grab(self, SERIAL_COUNTER.next_serial(), time);
        }
        if let Some(touch) = self.seat.get_touch() {
            touch.unset_grab(self);
            touch.cancel(self);
        }
    }
}

/// A locker's surface is to be as large as its output.
fn fill(surface: &LockSurface, area: Rectangle<i32, Logical>) {
    let size = Size::from((area.size.w.max(1) as u32, area.size.h.max(1) as u32));
    surface.with_pending_state(|state| state.size = Some(size));
}
