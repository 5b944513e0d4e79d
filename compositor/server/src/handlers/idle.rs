//! `ext_idle_notifier_v1`, which tells local tools that nobody is there, and
//! `zwp_idle_inhibit_manager_v1`, by which any program says that somebody is: while its window is
//! seen.

use smithay::{
    reexports::{
        wayland_protocols::ext::idle_notify::v1::server::{
            ext_idle_notification_v1::ExtIdleNotificationV1,
            ext_idle_notifier_v1::ExtIdleNotifierV1,
        },
        wayland_server::{
            Client, DataInit, DisplayHandle, GlobalDispatch, New, Resource, delegate_dispatch,
            protocol::wl_surface::WlSurface,
        },
    },
    utils::IsAlive,
    wayland::{
        idle_inhibit::IdleInhibitHandler,
        idle_notify::{IdleNotificationUserData, IdleNotifierHandler, IdleNotifierState},
    },
};

use super::limits;
use crate::{client::is_trusted, shell::stage::root_of, state::State};

/// Inhibitors of one client.
const MOST_INHIBITORS: usize = 64;

impl IdleNotifierHandler for State {
    fn idle_notifier_state(&mut self) -> &mut IdleNotifierState<State> {
        &mut self.protocols.idle_notifier
    }
}

// Smithay offers it to all; a guest must not learn when somebody is there.
impl GlobalDispatch<ExtIdleNotifierV1, ()> for State {
    fn bind(
        state: &mut State,
        display: &DisplayHandle,
        client: &Client,
        notifier: New<ExtIdleNotifierV1>,
        data: &(),
        data_init: &mut DataInit<'_, State>,
    ) {
        <IdleNotifierState<State> as GlobalDispatch<ExtIdleNotifierV1, (), State>>::bind(
            state, display, client, notifier, data, data_init,
        );
    }

    fn can_view(client: Client, (): &()) -> bool {
        is_trusted(&client)
    }
}

delegate_dispatch!(State: [ExtIdleNotifierV1: ()] => IdleNotifierState<State>);
delegate_dispatch!(State: [ExtIdleNotificationV1: IdleNotificationUserData] => IdleNotifierState<State>);

impl IdleInhibitHandler for State {
    fn inhibit(&mut self, surface: WlSurface) {
        let of_client =
            self.idle_inhibitors.iter().filter(|other| other.id().same_client_as(&surface.id()));
        if of_client.count() >= MOST_INHIBITORS {
            limits::exceeded(&surface, "too many idle inhibitors");
            return;
        }
        self.idle_inhibitors.push(surface);
        self.refresh_idle_inhibition();
    }

    fn uninhibit(&mut self, surface: WlSurface) {
        if let Some(index) = self.idle_inhibitors.iter().position(|other| *other == surface) {
            self.idle_inhibitors.remove(index);
        }
        self.refresh_idle_inhibition();
    }
}

impl State {
    /// Whether somebody counts as there because a window says so.
    pub fn is_idle_inhibited(&mut self) -> bool {
        self.protocols.idle_notifier.is_inhibited()
    }

    /// Look again at which inhibitors are on windows that are seen.
    pub(crate) fn refresh_idle_inhibition(&mut self) {
        self.idle_inhibitors.retain(IsAlive::alive);
        let seen = |surface: &WlSurface| {
            let root = root_of(surface);
            let window = self.windows.by_surface(&root);
            window.is_some_and(|window| window.is_visible())
                || self.panels.all_shown().any(|panel| *panel.wl_surface() == root)
        };
        let inhibited = !self.is_locked() && self.idle_inhibitors.iter().any(seen);
        self.protocols.idle_notifier.set_is_inhibited(inhibited);
    }
}
