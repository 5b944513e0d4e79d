//! All windows in the order in which they lie on each other.

use smithay::reexports::wayland_server::protocol::wl_surface::WlSurface;

use super::window::{Window, WindowId};
use crate::client::ClientOrigin;

/// All windows, lowest first. Windows without content are among them and not drawn.
#[derive(Debug, Default)]
pub struct WindowStack {
    windows: Vec<Window>,
    last_id: u64,
    workspace: u8,
}

impl WindowStack {
    /// A name that no window has had.
    pub fn next_id(&mut self) -> WindowId {
        self.last_id += 1;
        WindowId(self.last_id)
    }

    /// The workspace that is shown, counted from 0.
    pub fn workspace(&self) -> u8 {
        self.workspace
    }

    /// Show a workspace.
    pub fn show_workspace(&mut self, number: u8) {
        self.workspace = number;
        for window in &mut self.windows {
            window.set_workspace_shown(window.workspace() == number);
        }
    }

    /// Add a window on top, on the workspace that is shown.
    pub fn push(&mut self, mut window: Window) {
        window.set_workspace(self.workspace);
        self.windows.push(window);
    }

    /// Take a window out.
    pub fn remove(&mut self, surface: &WlSurface) -> Option<Window> {
        let index = self.windows.iter().position(|window| window.wl_surface() == surface)?;
        Some(self.windows.remove(index))
    }

    /// Lay a window above all others, and its dialogues above it.
    pub fn raise(&mut self, id: WindowId) {
        let mut lifted: Vec<WlSurface> = Vec::new();
        let mut next = self.get(id).map(Window::id);
        while let Some(id) = next {
            let Some(index) = self.windows.iter().position(|window| window.id() == id) else {
                return;
            };
            let window = self.windows.remove(index);
            lifted.push(window.wl_surface().clone());
            self.windows.push(window);
            // The lowest of those that belong to what was lifted and still lie below.
            let below = self.windows.len().saturating_sub(lifted.len());
            next = self.windows[..below]
                .iter()
                .find(|window| window.parent().is_some_and(|parent| lifted.contains(&parent)))
                .map(Window::id);
        }
    }

    /// The window of this name.
    pub fn get(&self, id: WindowId) -> Option<&Window> {
        self.windows.iter().find(|window| window.id() == id)
    }

    /// The window of this name, to change it.
    pub fn get_mut(&mut self, id: WindowId) -> Option<&mut Window> {
        self.windows.iter_mut().find(|window| window.id() == id)
    }

    /// The window whose toplevel has this surface.
    pub fn by_surface(&self, surface: &WlSurface) -> Option<&Window> {
        self.windows.iter().find(|window| window.wl_surface() == surface)
    }

    /// The window whose toplevel has this surface, to change it.
    pub fn by_surface_mut(&mut self, surface: &WlSurface) -> Option<&mut Window> {
        self.windows.iter_mut().find(|window| window.wl_surface() == surface)
    }

    /// The window that has the focus.
    pub fn active(&self) -> Option<&Window> {
        self.windows.iter().find(|window| window.is_active())
    }

    /// The topmost window that is drawn.
    pub fn topmost(&self) -> Option<&Window> {
        self.windows.iter().rev().find(|window| window.is_visible())
    }

    /// All windows, lowest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Window> {
        self.windows.iter()
    }

    /// All windows, lowest first, to change them.
    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut Window> {
        self.windows.iter_mut()
    }

    /// All windows, lowest first.
    pub fn as_slice(&self) -> &[Window] {
        &self.windows
    }

    /// How many windows come from there.
    pub fn count_from(&self, origin: &ClientOrigin) -> usize {
        self.windows.iter().filter(|window| window.origin() == origin).count()
    }
}
