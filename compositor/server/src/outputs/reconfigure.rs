//! Outputs that are configured differently while the compositor runs.

use smithay::{output::Mode, utils::Size};

use super::{
    OutputChange,
    settings::{OutputConfig, OutputName},
};
use crate::{
    config::{Config, Refresh},
    render::present::OutputView,
    state::State,
};

/// An output as it is configured, with the name that it has.
pub(crate) type NamedOutput = (String, OutputConfig);

/// The outputs that have a name in the configuration, as a real screen's must.
pub(crate) fn named(config: &Config) -> Vec<NamedOutput> {
    let name = |output: &OutputConfig| output.name.as_ref().map(OutputName::to_string);
    config.outputs.iter().filter_map(|output| Some((name(output)?, output.clone()))).collect()
}

/// What makes an output what is configured. A place that is not configured stays as it is.
fn change_to(view: &OutputView, config: &OutputConfig) -> OutputChange {
    let mode = config.size.map(|size| Mode {
        size: Size::from((i32::from(size.width), i32::from(size.height))),
        refresh: config.refresh.map_or(0, Refresh::millihertz),
    });
    OutputChange {
        on: Some(!config.off),
        mode: mode.or_else(|| view.output.preferred_mode()),
        scale: Some(config.scale),
        transform: Some(config.transform.0),
        position: config.position,
    }
}

impl State {
    /// Set the outputs that are configured differently than by `old`. Those that were changed by hand
    /// meanwhile stay so, if the configuration says of them what it did.
    pub(crate) fn reconfigure_outputs(&mut self, old: &Config) -> Result<(), String> {
        let new = self.config.clone();
        self.backend.set_config(&new);
        let (before, now) = (self.backend.configured(old), self.backend.configured(&new));
        let mut errors = Vec::new();
        for (name, config) in &now {
            let is_as_before = before.iter().any(|(other, was)| other == name && was == config);
            if !is_as_before && let Err(error) = self.set_as_configured(name, config) {
                errors.push(error);
            }
        }
        let is_kept = |name: &String| now.iter().any(|(other, _)| other == name);
        for (name, _) in before.iter().filter(|(name, _)| !is_kept(name)) {
            let Some(id) = self.outputs.by_name(name).map(|view| view.id) else { continue };
            if self.backend.makes_outputs() {
                self.remove_output(id);
            } else if let Err(error) = self.set_as_configured(name, &OutputConfig::default()) {
                errors.push(error);
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors.join("; ")) }
    }

    fn set_as_configured(&mut self, name: &str, config: &OutputConfig) -> Result<(), String> {
        let Some(view) = self.outputs.by_name(name) else {
            if let Some(found) = self.backend.make_output(name, config) {
                self.add_output(found);
            }
            // Of a real screen that is not plugged, the configuration is read when it is.
            return Ok(());
        };
        let (id, change) = (view.id, change_to(view, config));
        self.change_output(id, change).map_err(|error| error.to_string())?;
        if self.backend.makes_outputs()
            && let Some(view) = self.outputs.get_mut(id)
        {
            view.period = config.refresh.and_then(Refresh::period);
        }
        Ok(())
    }
}
