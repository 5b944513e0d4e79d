//! Which surface an X11 window's pixels are on.
//!
//! An Xwayland before 23.1, as Debian 12 has it, only tells the window manager the number of the
//! surface, by the other of its two connections, and Smithay 0.7 says nobody that it came. Numbers are used
//! again. So at the end of every turn the windows that X11 shows are compared with what is known of
//! them, which is a look at a number for each; the newest word counts.

use smithay::{
    reexports::wayland_server::{Resource, protocol::wl_surface::WlSurface},
    wayland::compositor::{get_role, give_role},
    xwayland::X11Surface,
};

use super::{unmanaged::Unmanaged, window::X11Window};
use crate::{client::ClientOrigin, handlers::limits, shell::window::Window, state::State};

/// The role of the surfaces of X11 windows, as Smithay calls it for an Xwayland that asks for it.
const ROLE: &str = smithay::wayland::xwayland_shell::XWAYLAND_SHELL_ROLE;

impl State {
    /// X11 shows a window, or is about to.
    pub(super) fn x11_window_shown(&mut self, window: X11Surface) {
        let known = self.xwayland.shown.iter().any(|(other, _)| *other == window);
        if !known && self.xwayland.shown.len() < 2 * limits::MOST_WINDOWS {
            self.xwayland.shown.push((window, None));
        }
    }

    /// X11 does not show it any more.
    pub(super) fn x11_window_hidden(&mut self, window: &X11Surface) {
        let shown = &mut self.xwayland.shown;
        let Some(index) =
            shown.iter().position(|(other, _)| other.window_id() == window.window_id())
        else {
            return;
        };
        if let (_, Some(surface)) = shown.remove(index) {
            self.x11_surface_gone(&surface);
        }
    }

    /// Nothing of X11 is shown any more.
    pub(super) fn forget_x11_windows(&mut self) {
        for (_, surface) in std::mem::take(&mut self.xwayland.shown) {
            if let Some(surface) = surface {
                self.x11_surface_gone(&surface);
            }
        }
    }

    fn x11_surface_gone(&mut self, surface: &WlSurface) {
        self.window_destroyed(surface);
        self.unmanaged_gone(surface);
    }

    /// At the end of a turn: give windows the surfaces that have become known.
    pub(crate) fn tend_xwayland(&mut self) {
        self.notice_failed_start();
        for index in 0..self.xwayland.shown.len() {
            let Some((window, before)) = self.xwayland.shown.get(index) else { break };
            let now = self.surface_of(window);
            if now == *before {
                continue;
            }
            let (window, before) = (window.clone(), before.clone());
            if let Some(before) = before {
                self.x11_surface_gone(&before);
            }
            let now = now.filter(|surface| self.take_for_x11(surface));
            self.xwayland.shown[index].1.clone_from(&now);
            if let Some(surface) = now {
                self.x11_window_paired(window, surface);
            }
        }
    }

    fn surface_of(&self, window: &X11Surface) -> Option<WlSurface> {
        if let Some(surface) = window.wl_surface() {
            return Some(surface);
        }
        #[allow(deprecated, reason = "it is all that an older Xwayland tells")]
        let number = window.wl_surface_id()?;
        let client = self.xwayland.server.client()?;
        client.object_from_protocol_id::<WlSurface>(&self.display_handle, number).ok()
    }

    /// Whether a surface can be a window's. If it is another window's by now, the number was used again.
    fn take_for_x11(&mut self, surface: &WlSurface) -> bool {
        let fits = match get_role(surface) {
            Some(role) => role == ROLE,
            None => give_role(surface, ROLE).is_ok(),
        };
        if fits {
            let others = self.xwayland.shown.iter_mut();
            others.filter(|(_, it)| it.as_ref() == Some(surface)).for_each(|(_, it)| *it = None);
            self.x11_surface_gone(surface);
        }
        fits
    }

    fn x11_window_paired(&mut self, x11: X11Surface, surface: WlSurface) {
        tracing::debug!(window = x11.window_id(), surface = %surface.id(), "an X11 window is known");
        if x11.is_override_redirect() {
            self.unmanaged_shown(Unmanaged::new(x11, surface));
            return;
        }
        if self.windows.count_from(&ClientOrigin::Local) >= limits::MOST_WINDOWS {
            tracing::warn!("an X11 window is not shown: there are too many windows");
            return;
        }
        let id = self.windows.next_id();
        let window = X11Window::new(x11, surface.clone(), self.xwayland.server.watch());
        let mut window = Window::new(id, window.into(), ClientOrigin::Local);
        window.read_names();
        self.windows.push(window);
        self.refresh_x11_parents();
        // What it drew before it was known has not been looked at yet.
        self.toplevel_committed(&surface);
        self.tell_scale(&surface);
        self.queue_redraw();
    }

    /// Find out again which X11 windows are dialogues of which others.
    pub(super) fn refresh_x11_parents(&mut self) {
        let surface_of = |id| {
            let shown = self.xwayland.shown.iter();
            let mut named = shown.filter(|(other, _)| other.window_id() == id);
            named.find_map(|(_, surface)| surface.clone())
        };
        for window in self.windows.iter_mut() {
            let Some(x11) = window.x11_mut() else { continue };
            let parent = x11.x11().is_transient_for().and_then(surface_of);
            let parent = parent.filter(|parent| parent != x11.wl_surface());
            x11.set_parent(parent);
        }
    }
}
