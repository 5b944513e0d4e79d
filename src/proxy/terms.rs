//! What all apps of the proxy are offered alike.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use wayland_backend::protocol::Interface;

use super::dmabuf::Gpu;

/// The terms on which apps are let in.
#[derive(Debug, Default)]
pub(super) struct Terms {
    /// Pools, and planes of dma-bufs, that each app may have open.
    pub(super) most_files: usize,
    /// What programs may draw with.
    pub(super) gpu: Option<Gpu>,
    pub(super) limits: Vec<VersionLimit>,
}

impl Terms {
    /// The version to be offered of an interface, if it is.
    pub(super) fn version(&self, interface: &Interface, version: u32) -> Option<u32> {
        let limits = self.limits.iter().filter(|limit| limit.interface == interface.name);
        let version = limits.map(|limit| limit.version).fold(version, u32::min);
        (version > 0).then_some(version)
    }
}

/// What programs are told to draw with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum GpuChoice {
    /// The first render node of this domain, if there is one.
    #[default]
    First,
    /// Nothing: dma-bufs are not offered.
    None,
    /// This device.
    At(PathBuf),
}

impl GpuChoice {
    pub(super) fn choose(&self) -> Result<Option<Gpu>, (&Path, std::io::Error)> {
        match self {
            GpuChoice::First => Ok(Gpu::first()),
            GpuChoice::None => Ok(None),
            GpuChoice::At(path) => Gpu::at(path).map(Some).map_err(|error| (path.as_path(), error)),
        }
    }
}

impl FromStr for GpuChoice {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<GpuChoice, Self::Err> {
        Ok(match text {
            "auto" => GpuChoice::First,
            "none" => GpuChoice::None,
            path => GpuChoice::At(path.into()),
        })
    }
}

/// A bound on the version of an interface that programs are offered; 0 hides it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionLimit {
    interface: String,
    version: u32,
}

/// A text is no limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected INTERFACE=VERSION, such as xdg_wm_base=5, or wp_presentation=0 to hide it")]
pub struct BadVersionLimit;

impl FromStr for VersionLimit {
    type Err = BadVersionLimit;

    fn from_str(text: &str) -> Result<VersionLimit, BadVersionLimit> {
        let (interface, version) = text.split_once('=').ok_or(BadVersionLimit)?;
        let version = version.parse().map_err(|_| BadVersionLimit)?;
        let named = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        if interface.is_empty() || !interface.chars().all(named) {
            return Err(BadVersionLimit);
        }
        Ok(VersionLimit { interface: interface.to_owned(), version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_they_are_written() {
        let expected = VersionLimit { interface: "xdg_wm_base".into(), version: 5 };
        assert_eq!("xdg_wm_base=5".parse(), Ok(expected));
        for text in ["", "xdg_wm_base", "=5", "xdg_wm_base=", "xdg_wm_base=-1", "a b=1"] {
            assert_eq!(text.parse::<VersionLimit>(), Err(BadVersionLimit), "{text}");
        }
    }
}
