//! `zwlr_output_configuration_v1`: what a program wants the outputs to be, all at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use smithay::{
    output::Mode,
    reexports::{
        wayland_protocols_wlr::output_management::v1::server::{
            zwlr_output_configuration_head_v1::{self, ZwlrOutputConfigurationHeadV1},
            zwlr_output_configuration_v1::{self, ZwlrOutputConfigurationV1},
            zwlr_output_head_v1::ZwlrOutputHeadV1,
        },
        wayland_server::{
            Client, DataInit, Dispatch, DisplayHandle, Resource, WEnum,
            protocol::wl_output::Transform,
        },
    },
};

use super::HeadMode;
use crate::{
    config::OutputSize,
    outputs::{
        OutputChange, OutputId,
        settings::{OutputPosition, OutputScale},
    },
    state::State,
};

/// A change that is being put together.
type Wanted = Arc<Mutex<OutputChange>>;

/// A configuration that is being put together.
pub struct Configuration {
    /// What the outputs were like when the program looked.
    serial: u32,
    heads: Mutex<Heads>,
}

#[derive(Default)]
struct Heads {
    used: bool,
    changes: Vec<(OutputId, Wanted)>,
}

impl Configuration {
    pub(super) fn new(serial: u32) -> Configuration {
        Configuration { serial, heads: Mutex::default() }
    }
}

/// One output of a configuration.
pub struct ConfigurationHead {
    output: OutputId,
    wanted: Wanted,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Dispatch<ZwlrOutputConfigurationV1, Configuration> for State {
    fn request(
        state: &mut State,
        _client: &Client,
        configuration: &ZwlrOutputConfigurationV1,
        request: zwlr_output_configuration_v1::Request,
        data: &Configuration,
        _display: &DisplayHandle,
        data_init: &mut DataInit<'_, State>,
    ) {
        use zwlr_output_configuration_v1::Request;
        let mut heads = locked(&data.heads);
        if heads.used && !matches!(request, Request::Destroy) {
            configuration.post_error(
                zwlr_output_configuration_v1::Error::AlreadyUsed,
                "the configuration was tried or applied already",
            );
            return;
        }
        match request {
            Request::EnableHead { id, head } => {
                if let Some((output, wanted)) = heads.add(configuration, &head, true) {
                    data_init.init(id, ConfigurationHead { output, wanted });
                }
            }
            Request::DisableHead { head } => {
                heads.add(configuration, &head, false);
            }
            Request::Apply | Request::Test => {
                heads.used = true;
                if data.serial != state.outputs.serial {
                    configuration.cancelled();
                    return;
                }
                let changes: Vec<_> = heads
                    .changes
                    .iter()
                    .map(|(output, wanted)| (*output, locked(wanted).clone()))
                    .collect();
                let done = match request {
                    Request::Test => state.test_outputs(&changes),
                    _ => state.change_outputs(changes),
                };
                match done {
                    Ok(()) => configuration.succeeded(),
                    Err(error) => {
                        tracing::warn!(%error, "a program wants what the outputs cannot do");
                        configuration.failed();
                    }
                }
            }
            _ => {}
        }
    }
}

impl Heads {
    /// Say for the first time something about an output.
    fn add(
        &mut self,
        configuration: &ZwlrOutputConfigurationV1,
        head: &ZwlrOutputHeadV1,
        on: bool,
    ) -> Option<(OutputId, Wanted)> {
        let output = *head.data::<OutputId>()?;
        if self.changes.iter().any(|(other, _)| *other == output) {
            configuration.post_error(
                zwlr_output_configuration_v1::Error::AlreadyConfiguredHead,
                "the output is in the configuration already",
            );
            return None;
        }
        let wanted = Arc::new(Mutex::new(OutputChange { on: Some(on), ..OutputChange::default() }));
        self.changes.push((output, wanted.clone()));
        Some((output, wanted))
    }
}

/// Set what must not be set twice.
fn once<T>(place: &mut Option<T>, value: T, head: &ZwlrOutputConfigurationHeadV1) {
    if place.replace(value).is_some() {
        head.post_error(
            zwlr_output_configuration_head_v1::Error::AlreadySet,
            "that is set already",
        );
    }
}

impl Dispatch<ZwlrOutputConfigurationHeadV1, ConfigurationHead> for State {
    fn request(
        _state: &mut State,
        _client: &Client,
        head: &ZwlrOutputConfigurationHeadV1,
        request: zwlr_output_configuration_head_v1::Request,
        data: &ConfigurationHead,
        _display: &DisplayHandle,
        _data_init: &mut DataInit<'_, State>,
    ) {
        use zwlr_output_configuration_head_v1::{Error, Request};
        let mut wanted = locked(&data.wanted);
        match request {
            Request::SetMode { mode } => match mode.data::<HeadMode>() {
                Some(mode) if mode.output == data.output => {
                    once(&mut wanted.mode, mode.mode, head);
                }
                _ => head.post_error(Error::InvalidMode, "the mode is another output's"),
            },
            Request::SetCustomMode { width, height, refresh } => {
                let size = u16::try_from(width).ok().zip(u16::try_from(height).ok());
                if size.and_then(|(width, height)| OutputSize::new(width, height)).is_none()
                    || !(0..=1_000_000).contains(&refresh)
                {
                    head.post_error(Error::InvalidCustomMode, "no output can be like that");
                    return;
                }
                once(&mut wanted.mode, Mode { size: (width, height).into(), refresh }, head);
            }
            Request::SetPosition { x, y } => match OutputPosition::new(x, y) {
                Some(position) => once(&mut wanted.position, position, head),
                None => head.post_error(Error::AlreadySet, "the position is too far off"),
            },
            Request::SetTransform { transform } => match transform {
                WEnum::Value(transform) => {
                    once(&mut wanted.transform, Transform::into(transform), head);
                }
                WEnum::Unknown(_) => {
                    head.post_error(Error::InvalidTransform, "there is no such transform");
                }
            },
            Request::SetScale { scale } => match OutputScale::new(scale) {
                Some(scale) => once(&mut wanted.scale, scale, head),
                None => head.post_error(Error::InvalidScale, "a scale is from 0.5 to 8"),
            },
            _ => {}
        }
    }
}
