//! Windows of X11 programs that no window manager has a say in: menus, tooltips, what is dragged. They
//! lie where they please, above all windows, without a frame.

use smithay::{
    backend::renderer::utils::with_renderer_surface_state,
    reexports::wayland_server::protocol::wl_surface::WlSurface,
    utils::{IsAlive, Logical, Rectangle, Size},
    xwayland::{X11Surface, xwm::WmWindowType},
};

use crate::{
    client::ClientOrigin,
    handlers::{keyboard_focus::KeyboardFocus, limits},
    shell::window::{GREATEST_SIDE, Window},
    state::State,
};

/// One of them.
#[derive(Debug)]
pub struct Unmanaged {
    x11: X11Surface,
    surface: WlSurface,
    /// It has the keyboard, as a launcher has.
    has_keyboard: bool,
}

impl Unmanaged {
    pub(super) fn new(x11: X11Surface, surface: WlSurface) -> Unmanaged {
        Unmanaged { x11, surface, has_keyboard: false }
    }

    pub(crate) fn wl_surface(&self) -> &WlSurface {
        &self.surface
    }

    /// Where it is seen.
    pub(crate) fn area(&self) -> Rectangle<i32, Logical> {
        let size = with_renderer_surface_state(&self.surface, |state| state.surface_size());
        let size = size.flatten().unwrap_or_default();
        let size = Size::from((size.w.min(GREATEST_SIDE), size.h.min(GREATEST_SIDE)));
        Rectangle::new(self.x11.geometry().loc, size)
    }

    /// Whether it is there to be typed into: a launcher is, a menu of a window that has the keyboard is
    /// not.
    fn wants_keyboard(&self) -> bool {
        let refuses = self.x11.hints().and_then(|hints| hints.input) == Some(false);
        !refuses && matches!(self.x11.window_type(), None | Some(WmWindowType::Normal))
    }
}

impl State {
    /// Menus and tooltips of X11 programs that have something to show, lowest first.
    pub(crate) fn unmanaged_windows(&self) -> impl DoubleEndedIterator<Item = &Unmanaged> {
        let all = self.xwayland.unmanaged.iter();
        all.filter(|window| limits::has_buffer(&window.surface))
    }

    pub(super) fn unmanaged_shown(&mut self, mut window: Unmanaged) {
        // As with windows: what is typed for a guest does not end in a local program.
        let active = self.windows.active().map(Window::origin);
        let is_ours = active.is_none_or(|origin| *origin == ClientOrigin::Local);
        window.has_keyboard = is_ours && window.wants_keyboard();
        let surface = window.surface.clone();
        self.xwayland.unmanaged.push(window);
        self.tell_scale(&surface);
        self.refresh_keyboard_focus();
        self.queue_redraw();
    }

    pub(super) fn unmanaged_gone(&mut self, surface: &WlSurface) {
        let all = &mut self.xwayland.unmanaged;
        let before = all.len();
        all.retain(|window| window.surface != *surface);
        if all.len() == before {
            return;
        }
        if surface.alive() {
            self.outputs.iter().for_each(|view| view.output.leave(surface));
        }
        self.refresh_keyboard_focus();
        self.queue_redraw();
    }

    /// It moved, or was laid above others.
    pub(super) fn unmanaged_changed(&mut self, x11: &X11Surface, to_the_top: bool) {
        let all = &mut self.xwayland.unmanaged;
        let Some(index) = all.iter().position(|window| window.x11 == *x11) else { return };
        if to_the_top {
            let window = all.remove(index);
            all.push(window);
        }
        self.queue_redraw();
    }

    /// Where the one with this surface is seen.
    pub(crate) fn unmanaged_area(&self, surface: &WlSurface) -> Option<Rectangle<i32, Logical>> {
        self.unmanaged_windows().find(|window| window.surface == *surface).map(Unmanaged::area)
    }

    /// The one that has the keyboard.
    pub(crate) fn unmanaged_keyboard_owner(&self) -> Option<KeyboardFocus> {
        let window = self.xwayland.unmanaged.iter().rev().find(|window| window.has_keyboard)?;
        Some(KeyboardFocus::x11(window.surface.clone(), window.x11.clone()))
    }

    /// Whether a launcher of X11, which is no window of ours, has the keyboard.
    pub fn x11_launcher_has_keyboard(&self) -> bool {
        let focus = self.keyboard_focus();
        self.xwayland.unmanaged.iter().any(|window| Some(&window.surface) == focus.as_ref())
    }

    /// Somebody else was given the focus.
    pub(crate) fn unmanaged_lose_keyboard(&mut self) {
        self.xwayland.unmanaged.iter_mut().for_each(|window| window.has_keyboard = false);
    }
}
