//! `zwp_pointer_constraints_v1`: a program holds the pointer where it is, or within its window, while
//! its window has the keyboard. A person takes the pointer back by the shortcut `take-shortcuts`, or by giving
//! the keyboard to another window.

use smithay::{
    input::pointer::PointerHandle,
    reexports::wayland_server::protocol::wl_surface::WlSurface,
    utils::{Logical, Point},
    wayland::{
        compositor::RegionAttributes,
        pointer_constraints::{
            PointerConstraint, PointerConstraintsHandler, with_pointer_constraint,
        },
    },
};

use crate::{
    client::party_of_surface, shell::stage::root_of, state::State, trust::consent::Consent,
};

/// How the pointer is held.
pub(crate) enum Held {
    /// It does not move.
    Still,
    /// It stays within this region of the surface, or (`None`) within the surface.
    Within(Option<RegionAttributes>),
}

impl PointerConstraintsHandler for State {
    fn new_constraint(&mut self, _surface: &WlSurface, _pointer: &PointerHandle<State>) {
        self.refresh_pointer_constraint();
    }

    fn cursor_position_hint(
        &mut self,
        surface: &WlSurface,
        pointer: &PointerHandle<State>,
        location: Point<f64, Logical>,
    ) {
        let held = self.pointer_held().is_some();
        let Some((focus, origin)) = self.pointer_focus.clone() else { return };
        let wanted = origin + location;
        // Only to where the pointer could have gone by itself.
        if held
            && focus == *surface
            && self.outputs.contains(wanted)
            && self.surface_under(wanted).is_some_and(|(s, _)| s == focus)
        {
            pointer.set_location(wanted);
            let before = std::mem::replace(&mut self.pointer_location, wanted);
            self.cursor_moved(before);
        }
    }
}

impl State {
    /// How the surface under the pointer holds it, if it does.
    pub(crate) fn pointer_held(&self) -> Option<Held> {
        let (surface, _) = self.pointer_focus.as_ref()?;
        let pointer = self.seat.get_pointer()?;
        with_pointer_constraint(surface, &pointer, |constraint| {
            let constraint = constraint.filter(|constraint| constraint.is_active())?;
            Some(match &*constraint {
                PointerConstraint::Locked(_) => Held::Still,
                PointerConstraint::Confined(confined) => Held::Within(confined.region().cloned()),
            })
        })
    }

    /// Let the surface under the pointer hold it if it asks to and its window has the keyboard; else
    /// let go.
    pub(crate) fn refresh_pointer_constraint(&mut self) {
        let Some(pointer) = self.seat.get_pointer() else { return };
        let Some((surface, origin)) = self.pointer_focus.clone() else { return };
        // Once taken back, it is held again only when it has been over somebody else's.
        if self.pointer_taken_from.is_some()
            && self.pointer_taken_from == party_of_surface(&surface)
        {
            return;
        }
        self.pointer_taken_from = None;
        let keyboard = self.keyboard_focus();
        let root = root_of(&surface);
        let has_keyboard = keyboard == Some(root);
        let asks = with_pointer_constraint(&surface, &pointer, |constraint| {
            constraint.is_some_and(|constraint| !constraint.is_active())
        });
        if asks && has_keyboard && !self.has_consent(&surface, Consent::Pointer) {
            return;
        }
        let at = pointer.current_location() - origin;
        with_pointer_constraint(&surface, &pointer, |constraint| {
            let Some(constraint) = constraint else { return };
            if !has_keyboard && constraint.is_active() {
                constraint.deactivate();
            } else if has_keyboard
                && !constraint.is_active()
                && constraint.region().is_none_or(|region| region.contains(at.to_i32_floor()))
            {
                constraint.activate();
            }
        });
        // It is told for as long as it lasts.
        self.identity_bar_due = true;
    }

    /// Take the pointer back from the surface that holds it.
    pub(crate) fn release_pointer(&mut self) {
        let (Some(pointer), Some((surface, _))) = (self.seat.get_pointer(), &self.pointer_focus)
        else {
            return;
        };
        self.pointer_taken_from = party_of_surface(surface);
        with_pointer_constraint(surface, &pointer, |constraint| {
            if let Some(constraint) = constraint.filter(|constraint| constraint.is_active()) {
                constraint.deactivate();
            }
        });
    }
}
