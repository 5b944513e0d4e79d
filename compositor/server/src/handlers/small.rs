//! Protocols that need no more than to be there: Smithay keeps their state with the surface, and
//! its renderer reads it from there.

use smithay::{
    reexports::wayland_server::protocol::wl_surface::WlSurface,
    utils::Transform,
    wayland::{
        compositor::{
            TraversalAction, send_surface_state, with_states, with_surface_tree_downward,
        },
        fractional_scale::{FractionalScaleHandler, with_fractional_scale},
        shell::xdg::dialog::XdgDialogHandler,
    },
};

use crate::{
    render::present::OutputView,
    shell::{layers::Panel, lock::Lock, stage::root_of},
    state::State,
};

impl XdgDialogHandler for State {}

impl FractionalScaleHandler for State {
    fn new_fractional_scale(&mut self, surface: WlSurface) {
        let scale = self.scale_for(&surface);
        with_states(&surface, |states| {
            with_fractional_scale(states, |fractional| fractional.set_preferred_scale(scale));
        });
    }
}

impl State {
    /// The scale of the output where a surface is, or will be.
    fn scale_for(&self, surface: &WlSurface) -> f64 {
        let root = root_of(surface);
        let owner = self.owner_of(&root);
        let locks = self.lock.as_ref().and_then(|lock| lock.output_of(&owner));
        let fixed = locks.or(self.panels.by_surface(&owner).map(Panel::output));
        if let Some(view) = fixed.and_then(|id| self.outputs.get(id)) {
            return view.scale();
        }
        let window = self.windows.by_surface(&owner).filter(|window| window.has_place());
        let area = match window {
            Some(window) => window.outer_area(&self.theme),
            None => self.output_area(),
        };
        self.outputs.showing(area).map_or(1.0, OutputView::scale)
    }

    /// Tell a surface and all below it at which scale to draw.
    pub(crate) fn tell_scale(&self, root: &WlSurface) {
        let scale = self.scale_for(root);
        with_surface_tree_downward(
            root,
            (),
            |_, _, ()| TraversalAction::DoChildren(()),
            |surface, states, ()| {
                // What is told already is not told again.
                send_surface_state(surface, states, scale.ceil() as i32, Transform::Normal);
                with_fractional_scale(states, |fractional| fractional.set_preferred_scale(scale));
            },
            |_, _, ()| true,
        );
    }

    /// Outputs have changed: tell all windows, panels and popups at which scale to draw.
    pub(crate) fn tell_scales(&self) {
        for window in self.windows.iter() {
            window.with_root_surfaces(|surface| self.tell_scale(surface));
        }
        for panel in self.panels.iter() {
            panel.with_root_surfaces(|surface| self.tell_scale(surface));
        }
        for (_, surface) in self.lock.iter().flat_map(Lock::surfaces) {
            self.tell_scale(surface);
        }
    }
}
