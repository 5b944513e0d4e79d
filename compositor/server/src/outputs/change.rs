//! Outputs come, change and go; windows stay within reach.

use std::time::Duration;

use smithay::{
    desktop::utils::with_surfaces_surface_tree,
    output::{Mode, Output},
    reexports::wayland_server::{DisplayHandle, protocol::wl_surface::WlSurface},
    utils::{Logical, Physical, Point, Rectangle, Size, Transform},
};

use super::{
    OutputId, layout,
    settings::{OutputPosition, OutputScale},
    smithay_scale,
};
use crate::{
    backend::{BackendError, FoundOutput},
    render::present::OutputView,
    shell::{
        lock::Lock,
        placement,
        window::{Extent, Window},
    },
    state::State,
};

/// What is to change about an output; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OutputChange {
    /// Whether it shows anything.
    pub on: Option<bool>,
    /// Its pixels, and how many thousandths of pictures a second it shows.
    pub mode: Option<Mode>,
    /// Pixels of the output to one of a window's.
    pub scale: Option<OutputScale>,
    /// How it is mounted.
    pub transform: Option<Transform>,
    /// Its upper left corner.
    pub position: Option<OutputPosition>,
}

impl OutputChange {
    /// What makes an output what it is now.
    fn back_to(view: &OutputView) -> OutputChange {
        OutputChange {
            on: Some(view.is_on()),
            mode: view.output.current_mode(),
            scale: OutputScale::new(view.scale()),
            transform: Some(view.output.current_transform()),
            position: Some(OutputPosition(view.output.current_location())),
        }
    }
}

/// Why an output is not changed.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// There is none of this name.
    #[error("there is no output {0}: `hyper-dmabufctl outputs` lists them")]
    Unknown(String),
    /// It cannot have this mode.
    #[error("the output {name} has no mode {width}x{height}")]
    Mode {
        /// Which output.
        name: String,
        /// The width that was asked for.
        width: i32,
        /// The height that was asked for.
        height: i32,
    },
    /// The back end cannot do it.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

fn unknown(id: OutputId) -> OutputError {
    OutputError::Unknown(format!("number {}", id.0))
}

impl State {
    /// An output is there. It is switched on unless its configuration says otherwise.
    pub fn add_output(&mut self, found: FoundOutput) -> OutputId {
        let FoundOutput { output, period, config } = found;
        let id = self.outputs.next_id();
        let transform = config.transform.0;
        let scale = smithay_scale(config.scale.factor());
        output.change_current_state(output.current_mode(), Some(transform), Some(scale), None);
        self.outputs.push(OutputView::new(id, output, period));
        let change = OutputChange {
            on: Some(!config.off),
            position: config.position,
            ..OutputChange::default()
        };
        if let Err(error) = self.change_output(id, change) {
            tracing::error!(%error, "an output cannot be switched on");
        }
        id
    }

    /// An output is not there any more.
    pub fn remove_output(&mut self, id: OutputId) {
        self.remember_windows_of(id);
        if let Some(mut view) = self.outputs.remove(id) {
            tracing::info!(output = %view.output.name(), "an output is gone");
            self.backend.output_gone(&view.output);
            self.leave_output(&view.output);
            withdraw(&mut view, &self.display_handle);
            self.outputs_changed();
        }
    }

    /// Change an output.
    pub fn change_output(&mut self, id: OutputId, change: OutputChange) -> Result<(), OutputError> {
        self.change_outputs(vec![(id, change)])
    }

    /// Change outputs, all of them or, if one cannot be changed so, none.
    pub fn change_outputs(
        &mut self,
        changes: Vec<(OutputId, OutputChange)>,
    ) -> Result<(), OutputError> {
        self.test_outputs(&changes)?;
        let mut done = Vec::new();
        let mut result = Ok(());
        for (id, change) in changes {
            let before = self.outputs.get(id).map(OutputChange::back_to);
            match self.apply(id, change) {
                Ok(()) => done.extend(before.map(|before| (id, before))),
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        if result.is_err() {
            for (id, before) in done.into_iter().rev() {
                if let Err(error) = self.apply(id, before) {
                    tracing::error!(%error, "an output cannot be set back");
                }
            }
        }
        self.outputs_changed();
        result
    }

    /// Whether outputs can be changed so, as far as that can be told without doing it.
    pub fn test_outputs(&self, changes: &[(OutputId, OutputChange)]) -> Result<(), OutputError> {
        for (id, change) in changes {
            let view = self.outputs.get(*id).ok_or_else(|| unknown(*id))?;
            if let Some(mode) = change.mode
                && self.backend.find_mode(&view.output, mode).is_none()
            {
                let (name, width, height) = (view.output.name(), mode.size.w, mode.size.h);
                return Err(OutputError::Mode { name, width, height });
            }
        }
        Ok(())
    }

    fn apply(&mut self, id: OutputId, change: OutputChange) -> Result<(), OutputError> {
        if change.on == Some(false) {
            self.remember_windows_of(id);
        }
        let others = self.outputs.shown().filter(|view| view.id != id);
        let next = layout::next_position(others.map(OutputView::area));
        let view = self.outputs.get_mut(id).ok_or_else(|| unknown(id))?;
        let before = view.output.current_mode();
        let mode = change.mode.and_then(|mode| self.backend.find_mode(&view.output, mode));
        if let Some(mode) = mode.filter(|mode| Some(*mode) != before) {
            self.backend.set_mode(&view.output, mode)?;
            view.period = view.period.and_then(|_| period_of(mode));
        }
        let (was_on, on) = (view.is_on(), change.on.unwrap_or(view.is_on()));
        if on != was_on {
            self.backend.switch(&view.output, on)?;
        }
        let position = match change.position {
            Some(position) => Some(position.0),
            None if on && !view.was_placed => Some(next),
            None => None,
        };
        view.was_placed |= position.is_some();
        let scale = change.scale.map(|scale| smithay_scale(scale.factor()));
        view.output.change_current_state(mode, change.transform, scale, position);
        if on && !was_on {
            view.global = Some(view.output.create_global::<State>(&self.display_handle));
        }
        if !on && was_on {
            withdraw(view, &self.display_handle);
            let output = view.output.clone();
            self.leave_output(&output);
        }
        Ok(())
    }

    /// Something about the outputs is not as it was.
    pub(crate) fn outputs_changed(&mut self) {
        self.outputs.serial = self.outputs.serial.wrapping_add(1);
        self.panels_follow_outputs();
        self.keep_windows_within_reach();
        if self.return_windows() {
            // The output may have other pixels than before.
            self.keep_windows_within_reach();
        }
        self.lock_follows_outputs();
        self.bring_pointer_back();
        self.tell_scales();
        self.output_management_changed();
        self.queue_redraw();
    }

    /// Windows that fill an output fill the one that they are now on; others are moved if nobody
    /// could take hold of them any more.
    pub(crate) fn keep_windows_within_reach(&mut self) {
        let areas = self.outputs.areas();
        if areas.is_empty() {
            // They wait where they are for an output to come.
            return;
        }
        self.refit_all_windows();
        let floating = |window: &&mut Window| window.extent() == Extent::Floating;
        for window in self.windows.iter_mut().filter(floating) {
            let outer = window.outer_area(&self.theme);
            let area = self.outputs.area_for(outer);
            let bar_size = Size::from((outer.size.w, self.theme.bar_height()));
            if window.was_placed()
                && !layout::is_reachable(&areas, Rectangle::new(outer.loc, bar_size))
            {
                let inset = window.client_area().loc - outer.loc;
                window.move_to(placement::clamp(area, outer.size, outer.loc) + inset);
            }
        }
    }

    /// No surface is on this output any more.
    fn leave_output(&self, output: &Output) {
        let leave = |root: &WlSurface| {
            with_surfaces_surface_tree(root, |surface, _| output.leave(surface));
        };
        self.windows.iter().for_each(|window| window.with_root_surfaces(leave));
        self.panels.iter().for_each(|panel| panel.with_root_surfaces(leave));
        self.lock.iter().flat_map(Lock::surfaces).for_each(|(_, surface)| leave(surface));
    }

    /// Let the pointer be on an output, though a program holds it elsewhere.
    fn bring_pointer_back(&mut self) {
        let location = self.outputs.confine(self.pointer_location);
        if location != self.pointer_location {
            self.release_pointer();
            let time = self.clock.now().as_millis();
            self.pointer_motion(location, Point::default(), time);
            self.pointer_at = location;
        }
    }

    /// The area of the output where the pointer is: where new windows go.
    pub fn output_area(&self) -> Rectangle<i32, Logical> {
        self.outputs.area_at(self.pointer_location)
    }
}

/// Clients see an output no more, and no picture of it is awaited.
fn withdraw(view: &mut OutputView, display: &DisplayHandle) {
    if let Some(global) = view.global.take() {
        display.remove_global::<State>(global);
    }
    view.forget_waiting();
}

/// The time between two pictures of a mode.
pub(crate) fn period_of(mode: Mode) -> Option<Duration> {
    let millihertz = u64::try_from(mode.refresh).ok().filter(|refresh| *refresh > 0)?;
    Some(Duration::from_nanos(1_000_000_000_000 / millihertz))
}

/// The pixels of an output, at a scale at which nobody thinks of scaling: 96 dots an inch.
pub(crate) fn millimetres(pixels: Size<i32, Physical>) -> (i32, i32) {
    ((pixels.w * 254 + 480) / 960, (pixels.h * 254 + 480) / 960)
}
