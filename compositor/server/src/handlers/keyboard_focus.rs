//! Who can have the keyboard: a surface, and if an X11 window is on it, that window, too. X11 has a
//! focus of its own, which is to be where ours is.

use std::borrow::Cow;

use smithay::{
    backend::input::KeyState,
    desktop::PopupKind,
    input::{
        Seat,
        keyboard::{KeyboardTarget, KeysymHandle, ModifiersState},
    },
    reexports::wayland_server::{Resource, backend::ObjectId, protocol::wl_surface::WlSurface},
    utils::{IsAlive, Serial},
    wayland::seat::WaylandFocus,
    xwayland::X11Surface,
};

use crate::state::State;

/// A surface that has the keyboard.
#[derive(Clone, Debug)]
pub struct KeyboardFocus {
    surface: WlSurface,
    x11: Option<X11Surface>,
}

impl KeyboardFocus {
    /// The keyboard is for the X11 window on this surface.
    pub(crate) fn x11(surface: WlSurface, x11: X11Surface) -> KeyboardFocus {
        KeyboardFocus { surface, x11: Some(x11) }
    }

    /// The surface.
    pub fn wl_surface(&self) -> &WlSurface {
        &self.surface
    }

    /// The X11 window, if Smithay knows its surface and passes on to that what the window is told.
    fn x11_with_surface(&self) -> Option<&X11Surface> {
        self.x11.as_ref().filter(|x11| x11.wl_surface().is_some())
    }
}

impl From<KeyboardFocus> for WlSurface {
    fn from(focus: KeyboardFocus) -> WlSurface {
        focus.surface
    }
}

impl From<WlSurface> for KeyboardFocus {
    fn from(surface: WlSurface) -> KeyboardFocus {
        KeyboardFocus { surface, x11: None }
    }
}

impl From<PopupKind> for KeyboardFocus {
    fn from(popup: PopupKind) -> KeyboardFocus {
        popup.wl_surface().clone().into()
    }
}

impl PartialEq for KeyboardFocus {
    fn eq(&self, other: &KeyboardFocus) -> bool {
        self.surface == other.surface
    }
}

impl IsAlive for KeyboardFocus {
    fn alive(&self) -> bool {
        self.surface.alive()
    }
}

impl WaylandFocus for KeyboardFocus {
    fn wl_surface(&self) -> Option<Cow<'_, WlSurface>> {
        Some(Cow::Borrowed(&self.surface))
    }

    fn same_client_as(&self, object: &ObjectId) -> bool {
        self.surface.id().same_client_as(object)
    }
}

impl KeyboardTarget<State> for KeyboardFocus {
    fn enter(
        &self,
        seat: &Seat<State>,
        state: &mut State,
        keys: Vec<KeysymHandle<'_>>,
        serial: Serial,
    ) {
        if let Some(x11) = self.x11_with_surface() {
            return state.tell_x11(|state| KeyboardTarget::enter(x11, seat, state, keys, serial));
        }
        if let Some(x11) = &self.x11 {
            state.tell_x11(|state| KeyboardTarget::enter(x11, seat, state, Vec::new(), serial));
        }
        KeyboardTarget::enter(&self.surface, seat, state, keys, serial);
    }

    fn leave(&self, seat: &Seat<State>, state: &mut State, serial: Serial) {
        if let Some(x11) = self.x11_with_surface() {
            return state.tell_x11(|state| KeyboardTarget::leave(x11, seat, state, serial));
        }
        KeyboardTarget::leave(&self.surface, seat, state, serial);
        if let Some(x11) = &self.x11 {
            state.tell_x11(|state| KeyboardTarget::leave(x11, seat, state, serial));
        }
    }

    fn key(
        &self,
        seat: &Seat<State>,
        state: &mut State,
        key: KeysymHandle<'_>,
        pressed: KeyState,
        serial: Serial,
        time: u32,
    ) {
        KeyboardTarget::key(&self.surface, seat, state, key, pressed, serial, time);
    }

    fn modifiers(
        &self,
        seat: &Seat<State>,
        state: &mut State,
        modifiers: ModifiersState,
        serial: Serial,
    ) {
        KeyboardTarget::modifiers(&self.surface, seat, state, modifiers, serial);
    }
}
