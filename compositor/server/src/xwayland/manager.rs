//! What X11 programs ask of their window manager.

use std::os::fd::OwnedFd;

use smithay::{
    input::pointer::GrabStartData,
    reexports::wayland_server::protocol::wl_surface::WlSurface,
    utils::{Logical, Point, Rectangle, SERIAL_COUNTER, Size},
    wayland::{
        selection::SelectionTarget,
        xwayland_shell::{XWaylandShellHandler, XWaylandShellState},
    },
    xwayland::{
        X11Surface, X11Wm, XwmHandler,
        xwm::{Reorder, ResizeEdge, WmWindowProperty, XwmId},
    },
};

use super::window::{X11Id, told};
use crate::{
    handlers::limits,
    shell::{
        grabs::{Drag, ResizeEdges},
        window::{Extent, Window, WindowId},
    },
    state::State,
};

impl XwmHandler for State {
    fn xwm_state(&mut self, id: XwmId) -> &mut X11Wm {
        let running = self.xwayland.server.manager();
        let retired = self.xwayland.retired.iter_mut();
        // Every manager that was started is one of these, for as long as the compositor runs.
        running.into_iter().chain(retired).find(|it| it.id() == id).expect("a manager is kept")
    }

    fn new_window(&mut self, _xwm: XwmId, _window: X11Surface) {}

    fn new_override_redirect_window(&mut self, _xwm: XwmId, _window: X11Surface) {}

    fn map_window_request(&mut self, _xwm: XwmId, window: X11Surface) {
        told(window.set_mapped(true));
        self.x11_window_shown(window);
    }

    fn mapped_override_redirect_window(&mut self, _xwm: XwmId, window: X11Surface) {
        self.x11_window_shown(window);
    }

    fn unmapped_window(&mut self, _xwm: XwmId, window: X11Surface) {
        self.x11_window_hidden(&window);
    }

    fn destroyed_window(&mut self, _xwm: XwmId, window: X11Surface) {
        self.x11_window_hidden(&window);
    }

    fn configure_request(
        &mut self,
        _xwm: XwmId,
        window: X11Surface,
        x: Option<i32>,
        y: Option<i32>,
        width: Option<u32>,
        height: Option<u32>,
        _reorder: Option<Reorder>,
    ) {
        let managed = self.window_of(&window).and_then(|id| self.windows.get(id));
        let before = window.geometry();
        let side = |wanted: Option<u32>, before: i32| {
            let wanted = wanted.map(|side| i32::try_from(side).unwrap_or(limits::LARGEST));
            limits::size(wanted.unwrap_or(before)).max(1)
        };
        let size = Size::from((side(width, before.size.w), side(height, before.size.h)));
        let Some(managed) = managed else {
            // Where it will lie is decided when it is shown.
            told(window.configure(Rectangle::new(before.loc, size)));
            return;
        };
        // What fills the room is not changed by its program; it is told again what it is.
        if managed.extent() != Extent::Floating {
            return;
        }
        let id = managed.id();
        if let Some(x11) = managed.x11() {
            x11.tell_area(Rectangle::new(managed.client_area().loc, size));
        }
        if x.is_some() || y.is_some() {
            let place = managed.client_area().loc;
            let place = Point::from((x.unwrap_or(place.x), y.unwrap_or(place.y)));
            self.move_x11_window(id, place);
        }
    }

    fn configure_notify(
        &mut self,
        _xwm: XwmId,
        window: X11Surface,
        _geometry: Rectangle<i32, Logical>,
        above: Option<X11Id>,
    ) {
        if window.is_override_redirect() {
            self.unmanaged_changed(&window, above.is_some());
        }
    }

    fn property_notify(&mut self, _xwm: XwmId, window: X11Surface, property: WmWindowProperty) {
        let Some(id) = self.window_of(&window) else { return };
        let changed = match property {
            WmWindowProperty::Title | WmWindowProperty::Class => {
                self.windows.get_mut(id).is_some_and(Window::read_names)
            }
            WmWindowProperty::TransientFor => {
                self.refresh_x11_parents();
                false
            }
            WmWindowProperty::MotifHints | WmWindowProperty::WindowType => true,
            _ => false,
        };
        if changed {
            self.queue_redraw();
        }
    }

    fn maximize_request(&mut self, _xwm: XwmId, window: X11Surface) {
        self.extend_x11_window(&window, |_| Extent::Maximized);
    }

    fn unmaximize_request(&mut self, _xwm: XwmId, window: X11Surface) {
        self.extend_x11_window(&window, |window| match window.extent() {
            Extent::Maximized => Extent::Floating,
            other => other,
        });
    }

    fn fullscreen_request(&mut self, _xwm: XwmId, window: X11Surface) {
        self.extend_x11_window(&window, |_| Extent::Fullscreen);
    }

    fn unfullscreen_request(&mut self, _xwm: XwmId, window: X11Surface) {
        self.extend_x11_window(&window, |window| match window.extent() {
            Extent::Fullscreen => window.behind(),
            other => other,
        });
    }

    fn minimize_request(&mut self, _xwm: XwmId, window: X11Surface) {
        if let Some(id) = self.window_of(&window) {
            self.minimize_window(id);
        }
    }

    fn resize_request(&mut self, _xwm: XwmId, window: X11Surface, _button: u32, edge: ResizeEdge) {
        use ResizeEdge::{Bottom, BottomLeft, BottomRight, Left, Right, Top, TopLeft, TopRight};
        self.drag_x11_window(
            &window,
            Drag::Resize(ResizeEdges {
                left: matches!(edge, Left | TopLeft | BottomLeft),
                right: matches!(edge, Right | TopRight | BottomRight),
                top: matches!(edge, Top | TopLeft | TopRight),
                bottom: matches!(edge, Bottom | BottomLeft | BottomRight),
            }),
        );
    }

    fn move_request(&mut self, _xwm: XwmId, window: X11Surface, _button: u32) {
        self.drag_x11_window(&window, Drag::Move);
    }

    fn allow_selection_access(&mut self, _xwm: XwmId, selection: SelectionTarget) -> bool {
        self.x11_may_read(selection)
    }

    fn send_selection(
        &mut self,
        _xwm: XwmId,
        selection: SelectionTarget,
        mime_type: String,
        fd: OwnedFd,
    ) {
        self.send_selection_to_x11(selection, mime_type, fd);
    }

    fn new_selection(&mut self, _xwm: XwmId, selection: SelectionTarget, types: Vec<String>) {
        self.x11_set_selection(selection, types);
    }

    fn cleared_selection(&mut self, _xwm: XwmId, selection: SelectionTarget) {
        self.x11_cleared_selection(selection);
    }

    fn disconnected(&mut self, xwm: XwmId) {
        self.x11_manager_lost(xwm);
    }
}

impl State {
    fn window_of(&self, x11: &X11Surface) -> Option<WindowId> {
        let is_it = |window: &&Window| window.x11().is_some_and(|it| it.x11() == x11);
        self.windows.iter().find(is_it).map(Window::id)
    }

    fn extend_x11_window(&mut self, x11: &X11Surface, wanted: impl FnOnce(&Window) -> Extent) {
        let Some(id) = self.window_of(x11) else { return };
        let Some(extent) = self.windows.get(id).map(wanted) else { return };
        self.extend_window(id, extent, None);
    }

    fn move_x11_window(&mut self, id: WindowId, place: Point<i32, Logical>) {
        if let Some(window) = self.windows.get_mut(id).filter(|window| window.was_placed()) {
            window.move_to(Point::from((limits::position(place.x), limits::position(place.y))));
            self.keep_windows_within_reach();
            self.queue_redraw();
        }
    }

    /// Begin a drag that a program asks for, if a button is held that was pressed on its window.
    fn drag_x11_window(&mut self, x11: &X11Surface, drag: Drag) {
        let Some(id) = self.window_of(x11) else { return };
        let Some(pointer) = self.seat.get_pointer() else { return };
        let Some(start) = pointer.grab_start_data() else { return };
        let on_it = |surface: &WlSurface| {
            self.windows.get(id).is_some_and(|window| window.wl_surface() == surface)
        };
        if start.focus.as_ref().is_some_and(|(surface, _)| on_it(surface)) {
            let start = GrabStartData { focus: None, ..start };
            self.start_drag(id, drag, start, SERIAL_COUNTER.next_serial());
        }
    }

    /// A window was laid above all others: X11 programs think of their windows in that order, too.
    pub(crate) fn raise_in_x11(&mut self, id: WindowId) {
        if let Some(window) = self.windows.get(id).and_then(Window::x11) {
            self.xwayland.server.tell(|manager| manager.raise_window(window.x11()));
        }
    }
}

impl XWaylandShellHandler for State {
    fn xwayland_shell_state(&mut self) -> &mut XWaylandShellState {
        &mut self.protocols.xwayland_shell
    }
}

smithay::delegate_xwayland_shell!(State);
