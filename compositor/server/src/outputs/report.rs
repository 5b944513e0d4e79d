//! What can be told of outputs, and changing them from outside.

use smithay::output::Mode;

use super::{
    change::{OutputChange, OutputError},
    settings::OutputTransform,
};
use crate::{
    control::messages::{OutputReport, OutputRequest},
    state::State,
};

impl State {
    /// All outputs.
    pub fn output_reports(&self) -> Vec<OutputReport> {
        let report = |view: &crate::render::present::OutputView| {
            let mode = view.output.current_mode();
            let pixels = mode.map(|mode| mode.size).unwrap_or_default();
            OutputReport {
                name: view.output.name(),
                on: view.is_on(),
                width: pixels.w,
                height: pixels.h,
                refresh: mode.map_or(0, |mode| mode.refresh),
                scale: view.scale(),
                transform: OutputTransform(view.output.current_transform()),
                geometry: view.area().into(),
                pictures: view.pictures_since_start,
                cursor_plane: view.planes.cursor,
                direct_surfaces: view.planes.surfaces,
            }
        };
        self.outputs.iter().map(report).collect()
    }

    /// Change an output as somebody outside wants it.
    pub fn set_output(&mut self, wanted: &OutputRequest) -> Result<(), OutputError> {
        let Some(view) = self.outputs.by_name(&wanted.name) else {
            return Err(OutputError::Unknown(wanted.name.clone()));
        };
        let mode = wanted.size.map(|size| Mode {
            size: (i32::from(size.width), i32::from(size.height)).into(),
            // As often as it can.
            refresh: 0,
        });
        let change = OutputChange {
            on: wanted.on,
            mode,
            scale: wanted.scale,
            transform: wanted.transform.map(|transform| transform.0),
            position: wanted.position,
        };
        self.change_output(view.id, change)
    }
}
