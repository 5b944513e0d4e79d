//! What a person does to windows by shortcuts, and local tools for a person: minimising, tiling,
//! workspaces, choosing another window.

use smithay::{
    reexports::wayland_server::protocol::wl_output::WlOutput,
    utils::{Logical, Point},
};

use super::window::{Extent, Half, Room, Window, WindowId};
use crate::{keys::Action, state::State};

/// How near to an edge a window is dropped that is to fill a half.
const EDGE: f64 = 2.0;

impl State {
    /// Do what a shortcut is for.
    pub fn act(&mut self, action: Action) {
        if self.is_locked() {
            return;
        }
        let active = self.windows.active().map(Window::id);
        match (action, active) {
            (Action::Run(line), _) => self.run_program(&line),
            (Action::Restore, _) => self.restore_window(),
            (Action::NextWindow, _) => self.focus_next(false),
            (Action::PreviousWindow, _) => self.focus_next(true),
            (Action::Workspace(number), _) => self.show_workspace(number),
            (Action::TakeShortcuts, _) => self.take_back(),
            (Action::CopyOut, _) => self.copy_out(),
            (Action::PasteIn, _) => self.paste_in(),
            (Action::HostShortcuts, _) => self.backend.toggle_host_shortcuts(),
            (Action::Nothing, _) | (_, None) => {}
            (Action::Allow, Some(id)) => self.allow(id),
            (Action::WholeScreen, Some(id)) => self.toggle_whole_screen(id),
            (Action::Close, Some(id)) => {
                if let Some(window) = self.windows.get(id) {
                    window.close();
                }
            }
            (Action::Maximize, Some(id)) => self.toggle_extent(id, Extent::Maximized),
            (Action::Fullscreen, Some(id)) => self.toggle_extent(id, Extent::Fullscreen),
            (Action::TileLeft, Some(id)) => self.toggle_extent(id, Extent::Tiled(Half::Left)),
            (Action::TileRight, Some(id)) => self.toggle_extent(id, Extent::Tiled(Half::Right)),
            (Action::Minimize, Some(id)) => self.minimize_window(id),
            (Action::MoveToWorkspace(number), Some(id)) => self.move_to_workspace(id, number),
        }
    }

    fn toggle_extent(&mut self, id: WindowId, extent: Extent) {
        let now = self.windows.get(id).map(Window::extent);
        let wanted = if now == Some(extent) { Extent::Floating } else { extent };
        self.extend_window(id, wanted, None);
    }

    /// Let a window fill a part of the room, by itself on the output where it is, or return from
    /// there.
    pub(crate) fn extend_window(
        &mut self,
        id: WindowId,
        extent: Extent,
        output: Option<&WlOutput>,
    ) {
        let Some(window) = self.windows.get(id) else { return };
        let wanted = output.and_then(|output| self.outputs.by_resource(output));
        let room = wanted.map_or_else(|| self.room_of(window), |view| self.room_on(view));
        self.extend_window_in(id, extent, room);
    }

    /// A program wants a window maximised, or no longer. One that fills the screen goes on to do so, and
    /// is it afterwards.
    pub(crate) fn maximize_window(&mut self, id: WindowId, maximized: bool) {
        let Some(window) = self.windows.get_mut(id) else { return };
        let wanted = if maximized { Extent::Maximized } else { Extent::Floating };
        let extent = match window.extent() {
            Extent::Fullscreen => {
                if maximized || window.behind() == Extent::Maximized {
                    window.set_behind(wanted);
                }
                Extent::Fullscreen
            }
            // To leave what one is not in changes nothing, but is answered.
            other if !maximized && other != Extent::Maximized => other,
            _ => wanted,
        };
        self.extend_window(id, extent, None);
    }

    fn extend_window_in(&mut self, id: WindowId, extent: Extent, room: Room) {
        if let Some(window) = self.windows.get_mut(id) {
            window.set_extent(extent, room, &self.theme);
            let surface = window.wl_surface().clone();
            self.tell_scale(&surface);
            self.queue_redraw();
        }
    }

    /// A window was dragged and let go here: at an edge it fills what the edge stands for.
    pub(crate) fn dropped_at(&mut self, id: WindowId, pointer: Point<f64, Logical>) {
        let room = self.room_at(pointer);
        let area = room.output.to_f64();
        let from = pointer - area.loc;
        // Where the pointer could go on to another output there is no edge.
        let ends = |dx: f64, dy: f64| {
            !self.outputs.contains(pointer + Point::from((dx * EDGE, dy * EDGE)))
        };
        let extent = if from.x < EDGE && ends(-1.0, 0.0) {
            Extent::Tiled(Half::Left)
        } else if from.x >= area.size.w - EDGE && ends(1.0, 0.0) {
            Extent::Tiled(Half::Right)
        } else if from.y < EDGE && ends(0.0, -1.0) {
            Extent::Maximized
        } else {
            return;
        };
        self.extend_window_in(id, extent, room);
    }

    /// Take a window out of sight, until it is asked for.
    pub(crate) fn minimize_window(&mut self, id: WindowId) {
        let Some(window) = self.windows.get_mut(id) else { return };
        window.set_minimized(true);
        let was_active = window.is_active();
        // The next to be restored is the topmost.
        self.windows.raise(id);
        if was_active {
            self.focus_topmost();
        }
        self.queue_redraw();
    }

    /// Bring back the window that was minimised last on this workspace.
    fn restore_window(&mut self) {
        let current = self.windows.workspace();
        let minimized = |window: &&Window| {
            window.is_mapped() && window.is_minimized() && window.workspace() == current
        };
        let last = self.windows.iter().rev().find(minimized).map(Window::id);
        if let Some(id) = last {
            self.bring_window(id);
        }
    }

    /// Show a window wherever it is, and give it the focus.
    pub(crate) fn bring_window(&mut self, id: WindowId) {
        let Some(window) = self.windows.get_mut(id).filter(|window| window.is_mapped()) else {
            return;
        };
        window.set_minimized(false);
        let workspace = window.workspace();
        self.windows.show_workspace(workspace);
        self.focus_window(Some(id));
    }

    /// Give the focus to the lowest window, which has waited longest; or back to the one before.
    fn focus_next(&mut self, back: bool) {
        let waits = |window: &&Window| window.is_visible() && !window.is_active();
        let next = if back || self.windows.active().is_none() {
            self.windows.iter().rev().find(waits).map(Window::id)
        } else {
            self.windows.iter().find(waits).map(Window::id)
        };
        if next.is_some() {
            self.focus_window(next);
        }
    }

    /// Show another workspace.
    pub(crate) fn show_workspace(&mut self, number: u8) {
        self.windows.show_workspace(number);
        self.focus_topmost();
        self.queue_redraw();
    }

    fn move_to_workspace(&mut self, id: WindowId, number: u8) {
        if let Some(window) = self.windows.get_mut(id) {
            window.set_workspace(number);
        }
        self.show_workspace(self.windows.workspace());
    }
}
