//! Who has the focus, told at one fixed place.

use smithay::utils::{Logical, Rectangle};

use super::window::Window;
use crate::{
    client::ClientOrigin,
    render::{
        identity_bar::{self, BarText, Who},
        present::OutputView,
    },
    state::State,
};

impl State {
    /// What the identity bar leaves of an output.
    pub(crate) fn open_area(&self, view: &OutputView) -> Rectangle<i32, Logical> {
        identity_bar::rest(&self.theme, view.area())
    }

    /// Whether the identity bar is drawn on an output: where there is one, and no window was given
    /// its place too, or there is something to tell.
    pub(crate) fn bar_is_shown(&self, full_screen: bool) -> bool {
        self.theme.identity_bar().is_some() && (self.is_telling() || !full_screen)
    }

    /// Bring the identity bar up to date before a picture.
    pub(crate) fn refresh_identity_bar(&mut self) {
        if !std::mem::take(&mut self.identity_bar_due) || self.theme.identity_bar().is_none() {
            return;
        }
        let active = self.windows.active();
        let who = match active.map(Window::origin) {
            _ if self.panel_has_keyboard() => Who::Local,
            None => Who::Nobody,
            Some(ClientOrigin::Local) => Who::Local,
            Some(ClientOrigin::Domain(domain)) => Who::Domain(domain.name.clone(), domain.colour()),
        };
        let title = active.map(|window| window.title().to_owned()).unwrap_or_default();
        let text = BarText { who, title, note: self.shown_note() };
        let sizes: Vec<_> = self
            .outputs
            .shown()
            .filter_map(|view| {
                let bar = identity_bar::area(&self.theme, view.area())?;
                let size = bar.size.to_f64().to_physical(view.scale()).to_i32_round();
                Some((size, view.scale()))
            })
            .collect();
        self.identity_bar.update(&self.theme, &self.fonts, &text, &sizes);
    }
}
