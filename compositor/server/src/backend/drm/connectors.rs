//! Which connectors have a screen, and what drives it.

use smithay::{
    backend::drm::DrmDevice,
    output::{Mode, Output, PhysicalProperties},
    reexports::drm::control::{Device as _, Mode as DrmMode, ModeTypeFlags, connector, crtc},
};

use crate::backend::FoundOutput;
use crate::{
    config::Config,
    outputs::{change::period_of, settings::OutputConfig},
};

/// What has changed since the last look.
#[derive(Default)]
pub(super) struct Difference {
    pub(super) appeared: Vec<FoundOutput>,
    pub(super) gone: Vec<Output>,
}

/// All connectors to which a screen is plugged.
pub(super) fn plugged(device: &DrmDevice) -> Vec<connector::Info> {
    let handles = match device.resource_handles() {
        Ok(resources) => resources.connectors().to_vec(),
        Err(error) => {
            tracing::warn!(%error, "a GPU does not tell its connectors");
            return Vec::new();
        }
    };
    let mut plugged: Vec<_> = handles
        .into_iter()
        .filter_map(|handle| device.get_connector(handle, true).ok())
        .filter(|info| info.state() == connector::State::Connected && !info.modes().is_empty())
        .collect();
    plugged.sort_by_key(|info| (info.interface().as_str(), info.interface_id()));
    plugged
}

/// What can drive a connector and drives nothing yet.
pub(super) fn free_crtc(
    device: &DrmDevice,
    connector: &connector::Info,
    taken: &[crtc::Handle],
) -> Option<crtc::Handle> {
    let resources = device.resource_handles().ok()?;
    let encoders =
        connector.encoders().iter().filter_map(|handle| device.get_encoder(*handle).ok());
    encoders
        .flat_map(|encoder| resources.filter_crtcs(encoder.possible_crtcs()))
        .find(|crtc| !taken.contains(crtc))
}

/// How a connector's screen is to be set.
fn configured(info: &connector::Info, config: &Config) -> OutputConfig {
    let name = name(info);
    let named = |output: &&OutputConfig| {
        output.name.as_ref().is_some_and(|configured| configured.as_str() == name)
    };
    config.outputs.iter().find(named).cloned().unwrap_or_default()
}

/// The mode that a screen begins with: the configured size, else what the screen likes best.
pub(super) fn first_mode(info: &connector::Info, config: &Config) -> Option<DrmMode> {
    let wanted = configured(info, config)
        .size
        .and_then(|size| info.modes().iter().find(|mode| mode.size() == (size.width, size.height)));
    let preferred =
        info.modes().iter().find(|mode| mode.mode_type().contains(ModeTypeFlags::PREFERRED));
    wanted.or(preferred).or(info.modes().first()).copied()
}

/// What a connector is called, such as `HDMI-A-1`.
pub(super) fn name(info: &connector::Info) -> String {
    format!("{}-{}", info.interface().as_str(), info.interface_id())
}

/// A screen as the rest of the compositor sees it.
pub(super) fn output(info: &connector::Info, mode: DrmMode, config: &Config) -> FoundOutput {
    let (width, height) = info.size().unwrap_or_default();
    let properties = PhysicalProperties {
        size: (width as i32, height as i32).into(),
        subpixel: info.subpixel().into(),
        make: "unknown".into(),
        model: info.interface().as_str().into(),
    };
    let output = Output::new(name(info), properties);
    for known in info.modes() {
        output.add_mode(Mode::from(*known));
        if known.mode_type().contains(ModeTypeFlags::PREFERRED) {
            output.set_preferred(Mode::from(*known));
        }
    }
    let mode = Mode::from(mode);
    output.change_current_state(Some(mode), None, None, None);
    FoundOutput { output, period: period_of(mode), config: configured(info, config) }
}
