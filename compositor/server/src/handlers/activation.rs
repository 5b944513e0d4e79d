//! `xdg_activation_v1`: a program asks that a window gets the focus. It does if a person has just done
//! something in the program that gave the leave, and if it does not lead from one domain to another.

use std::time::Duration;

use smithay::{
    input::Seat,
    reexports::wayland_server::{Resource, protocol::wl_surface::WlSurface},
    wayland::xdg_activation::{
        XdgActivationHandler, XdgActivationState, XdgActivationToken, XdgActivationTokenData,
    },
};

use crate::{
    client::{ClientOrigin, ClientState, is_trusted_surface, origin_of_surface},
    shell::window::Window,
    state::State,
};

/// How long a leave is good for.
const GOOD_FOR: Duration = Duration::from_secs(10);
/// Leaves that may be out at once.
const MOST_TOKENS: usize = 1024;

impl XdgActivationHandler for State {
    fn activation_state(&mut self) -> &mut XdgActivationState {
        &mut self.protocols.activation
    }

    fn token_created(&mut self, _token: XdgActivationToken, data: XdgActivationTokenData) -> bool {
        self.protocols.activation.retain_tokens(|_, data| data.timestamp.elapsed() < GOOD_FOR);
        self.protocols.activation.tokens().count() < MOST_TOKENS && self.may_give_leave(&data)
    }

    fn request_activation(
        &mut self,
        token: XdgActivationToken,
        data: XdgActivationTokenData,
        surface: WlSurface,
    ) {
        // Each is good for once.
        self.protocols.activation.remove_token(&token);
        let from = data.client_id.and_then(|client| {
            let data = self.display_handle.backend_handle().get_client_data(client).ok()?;
            data.downcast_ref::<ClientState>().map(|data| data.origin.clone())
        });
        let to = origin_of_surface(&surface);
        let may = from.is_some() && (from == to || from == Some(ClientOrigin::Local));
        if !may || data.timestamp.elapsed() >= GOOD_FOR || self.is_locked() {
            tracing::debug!("a window does not get the focus that it asks for");
            return;
        }
        if let Some(id) = self.windows.by_surface(&surface).map(Window::id) {
            self.bring_window(id);
        }
    }
}

impl State {
    /// Whether the program that asks for a leave has the keyboard, or is a local tool that was clicked,
    /// and names an event of this seat since then.
    fn may_give_leave(&self, data: &XdgActivationTokenData) -> bool {
        let Some((serial, seat)) = &data.serial else { return false };
        let is_asking = |focus: &WlSurface| {
            focus.client().is_some_and(|client| data.client_id == Some(client.id()))
        };
        let keyboard = self.seat.get_keyboard();
        let keyboard = keyboard
            .filter(|it| it.current_focus().is_some_and(|focus| is_asking(focus.wl_surface())));
        let pointer = self.seat.get_pointer();
        let pointer = pointer.filter(|it| {
            let focus = it.current_focus();
            focus.is_some_and(|focus| is_asking(&focus) && is_trusted_surface(&focus))
        });
        let since = [
            keyboard.and_then(|keyboard| keyboard.last_enter()),
            pointer.and_then(|pointer| pointer.last_enter()),
        ];
        Seat::<State>::from_resource(seat).is_some_and(|seat| seat == self.seat)
            && since.iter().flatten().any(|enter| serial.is_no_older_than(enter))
    }
}
