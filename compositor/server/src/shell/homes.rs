//! A window whose output goes returns to it when that comes back, unless somebody has moved the window
//! meanwhile.

use std::collections::HashMap;

use smithay::utils::{Logical, Point};

use super::window::{Window, WindowId};
use crate::{outputs::OutputId, state::State};

/// Windows that are away from their outputs.
#[derive(Default)]
pub(crate) struct Homes(HashMap<WindowId, Home>);

/// Where a window was.
struct Home {
    /// The name of the output: that of a connector, or as it was configured.
    output: String,
    /// From the output's upper left corner.
    place: Point<i32, Logical>,
    /// Where it lies while it is away; not known before it was moved within reach.
    refuge: Option<Point<i32, Logical>>,
}

fn location(window: &Window) -> Point<i32, Logical> {
    window.client_area().loc
}

impl State {
    /// An output is about to go: remember which windows are on it.
    pub(crate) fn remember_windows_of(&mut self, id: OutputId) {
        let Some(view) = self.outputs.get(id).filter(|view| view.is_on()) else { return };
        let (output, corner) = (view.output.name(), view.area().loc);
        for window in self.windows.iter().filter(|window| window.was_placed()) {
            let main = self.outputs.showing(window.outer_area(&self.theme));
            if main.is_none_or(|main| main.id != id) {
                continue;
            }
            let known = self.homes.0.get_mut(&window.id());
            match known.filter(|home| home.refuge == Some(location(window))) {
                // It was here only until its own output comes back.
                Some(home) => home.refuge = None,
                None => {
                    let place = location(window) - corner;
                    let home = Home { output: output.clone(), place, refuge: None };
                    self.homes.0.insert(window.id(), home);
                }
            }
        }
    }

    /// Outputs came or went, and all windows are within reach: those return whose output is there.
    /// Whether any did.
    pub(crate) fn return_windows(&mut self) -> bool {
        let mut returned = false;
        let (outputs, windows) = (&self.outputs, &mut self.windows);
        self.homes.0.retain(|id, home| {
            let Some(window) = windows.get_mut(*id) else { return false };
            let refuge = *home.refuge.get_or_insert_with(|| location(window));
            if refuge != location(window) {
                return false;
            }
            let Some(view) = outputs.by_name(&home.output).filter(|view| view.is_on()) else {
                return true;
            };
            window.move_to(view.area().loc + home.place);
            returned = true;
            false
        });
        returned
    }
}
