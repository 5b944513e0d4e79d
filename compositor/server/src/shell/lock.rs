//! A locked session: nothing of anybody but the locker is seen or gets input, until the locker says
//! that it may be. If the locker dies the session stays locked; another locker may then take over.

use smithay::{
    desktop::{WindowSurfaceType, utils::under_from_surface_tree},
    input::pointer::CursorImageStatus,
    reexports::{
        wayland_protocols::ext::session_lock::v1::server::ext_session_lock_v1::ExtSessionLockV1,
        wayland_server::{Resource, protocol::wl_surface::WlSurface},
    },
    utils::{Logical, Point, SERIAL_COUNTER},
    wayland::session_lock::{LockSurface, SessionLocker},
};

use crate::state::State;

/// Who has locked the session.
#[derive(Debug)]
pub struct Lock {
    lock: ExtSessionLockV1,
    /// To tell the locker once nothing else is seen any more.
    to_confirm: Option<SessionLocker>,
    /// A picture was drawn since the session was locked.
    drawn: bool,
    surface: Option<LockSurface>,
}

impl Lock {
    /// The locker's surface, if it has one.
    pub fn surface(&self) -> Option<&WlSurface> {
        self.surface.as_ref().filter(|surface| surface.alive()).map(LockSurface::wl_surface)
    }

    /// The surface under a point.
    pub fn under(&self, point: Point<f64, Logical>) -> Option<(WlSurface, Point<f64, Logical>)> {
        let found = under_from_surface_tree(self.surface()?, point, (0, 0), WindowSurfaceType::ALL);
        found.map(|(surface, location)| (surface, location.to_f64()))
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
        self.lock = Some(Lock { lock, to_confirm: Some(locker), drawn: false, surface: None });
        self.end_grabs();
        self.cursor.status = CursorImageStatus::default_named();
        self.cursor.icon = None;
        self.refresh_keyboard_focus();
        self.queue_redraw();
        self.refresh_pointer_focus();
    }

    /// The locker has a surface. Whether it is the one who locked.
    pub(crate) fn set_lock_surface(&mut self, surface: LockSurface) -> bool {
        let Some(lock) = &mut self.lock else { return false };
        if !lock.lock.id().same_client_as(&surface.wl_surface().id()) {
            return false;
        }
        lock.surface = Some(surface);
        self.refresh_keyboard_focus();
        self.queue_redraw();
        true
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

    /// A picture was drawn. If the session is locked it shows nothing of others.
    pub(crate) fn lock_drawn(&mut self) {
        if let Some(lock) = &mut self.lock {
            lock.drawn = true;
        }
    }

    /// What was drawn last is seen.
    pub(crate) fn lock_seen(&mut self) {
        if let Some(lock) = self.lock.as_mut().filter(|lock| lock.drawn)
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
