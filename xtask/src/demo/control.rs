//! Asking the compositor, by `hyper-dmabufctl --json`. The fields are those of its
//! `control::messages` that the demo shows.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A compositor that is asked.
pub(crate) struct Control {
    program: PathBuf,
    directory: PathBuf,
    socket: String,
}

/// One window.
#[derive(Deserialize)]
pub(crate) struct Window {
    domain: Option<String>,
    pub(crate) title: String,
    pub(crate) geometry: Geometry,
    mapped: bool,
}

/// Where a window's pixels are on the screen.
#[derive(Deserialize)]
pub(crate) struct Geometry {
    x: i32,
    y: i32,
    width: i32,
    height: i32,
}

/// One buffer that a guest shares.
#[derive(Deserialize)]
pub(crate) struct Buffer {
    pub(crate) id: String,
    pub(crate) domain: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) state: String,
    pub(crate) bytes_copied: u64,
}

impl Window {
    pub(crate) fn is_shown_of(&self, domain: &str) -> bool {
        self.mapped && self.domain.as_deref() == Some(domain)
    }
}

impl fmt::Display for Geometry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Geometry { x, y, width, height } = self;
        write!(f, "{width}x{height}{x:+}{y:+}")
    }
}

impl Control {
    pub(crate) fn new(program: &Path, directory: &Path, socket: &str) -> Control {
        Control {
            program: program.to_owned(),
            directory: directory.to_owned(),
            socket: socket.to_owned(),
        }
    }

    /// All windows; `None` while the compositor does not answer.
    pub(crate) fn windows(&self) -> anyhow::Result<Option<Vec<Window>>> {
        self.list("windows")
    }

    /// All shared buffers; `None` while the compositor does not answer.
    pub(crate) fn buffers(&self) -> anyhow::Result<Option<Vec<Buffer>>> {
        self.list("buffers")
    }

    /// Saves what is seen.
    pub(crate) fn screenshot(&self, file: &Path) -> anyhow::Result<()> {
        let output = self.ask(|command| command.arg("screenshot").arg(file))?;
        if !output.status.success() {
            bail!("no screenshot: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }

    fn list<T: DeserializeOwned>(&self, what: &str) -> anyhow::Result<Option<Vec<T>>> {
        let output = self.ask(|command| command.args([what, "--json"]))?;
        if !output.status.success() {
            return Ok(None);
        }
        let list = serde_json::from_slice(&output.stdout);
        list.with_context(|| format!("`hyper-dmabufctl {what} --json` says something unknown"))
    }

    fn ask(&self, arguments: impl FnOnce(&mut Command) -> &mut Command) -> anyhow::Result<Output> {
        let mut command = Command::new(&self.program);
        command.env("XDG_RUNTIME_DIR", &self.directory).env("WAYLAND_DISPLAY", &self.socket);
        arguments(&mut command).output().context("cannot run hyper-dmabufctl")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_written_as_x_does() {
        let place = Geometry { x: 20, y: -5, width: 480, height: 320 };
        assert_eq!(place.to_string(), "480x320+20-5");
    }

    #[test]
    fn only_a_mapped_window_of_the_domain_counts() {
        let window = |domain: &str, mapped: bool| -> Window {
            let text = format!(
                r#"{{"id": 3, "domain": {domain}, "app_id": "picture", "title": "a", "mapped": {mapped},
                "geometry": {{"x": 1, "y": 2, "width": 3, "height": 4}}, "activated": true}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        assert!(window("\"work\"", true).is_shown_of("work"));
        assert!(!window("\"work\"", false).is_shown_of("work"));
        assert!(!window("\"work\"", true).is_shown_of("personal"));
        assert!(!window("null", true).is_shown_of("work"));
    }
}
