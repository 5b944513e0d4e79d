//! QEMU's monitor, which speaks lines of JSON: what is seen, and the keyboard and the tablet.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};

/// How long QEMU may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// The far end of a tablet, whatever the size of the screen.
const TABLET: f64 = 32767.0;

/// A connection to the monitor.
pub(crate) struct Monitor(BufReader<UnixStream>);

impl Monitor {
    /// Connects, once it listens.
    pub(crate) fn connect(path: &Path) -> anyhow::Result<Option<Monitor>> {
        let Ok(stream) = UnixStream::connect(path) else { return Ok(None) };
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut monitor = Monitor(BufReader::new(stream));
        // It greets first.
        monitor.0.read_line(&mut String::new())?;
        monitor.ask("qmp_capabilities", json!({}))?;
        Ok(Some(monitor))
    }

    fn ask(&mut self, what: &str, arguments: Value) -> anyhow::Result<Value> {
        let request = json!({ "execute": what, "arguments": arguments });
        writeln!(self.0.get_mut(), "{request}").context("QEMU's monitor is gone")?;
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).context("QEMU's monitor does not answer")? == 0 {
                bail!("QEMU's monitor is gone");
            }
            let answer: Value = serde_json::from_str(&line).context("QEMU says no JSON")?;
            if let Some(error) = answer.get("error") {
                bail!("QEMU's monitor refuses {what}: {error}");
            }
            // What happens meanwhile is told in between.
            if let Some(answer) = answer.get("return") {
                return Ok(answer.clone());
            }
        }
    }

    /// Saves what the screen at a connector of a GPU, counted from 0, shows.
    pub(crate) fn screendump(
        &mut self,
        gpu: &str,
        connector: u8,
        file: &Path,
    ) -> anyhow::Result<()> {
        let arguments = json!({ "filename": file, "device": gpu, "head": connector });
        self.ask("screendump", arguments).map(drop)
    }

    /// Presses keys, each while those before it are held, and lets them go.
    pub(crate) fn keys(&mut self, keys: &[&str]) -> anyhow::Result<()> {
        let keys: Vec<Value> =
            keys.iter().map(|key| json!({ "type": "qcode", "data": key })).collect();
        self.ask("send-key", json!({ "keys": keys })).map(drop)
    }

    /// Moves the tablet's pen to this part of its width and height.
    pub(crate) fn point(&mut self, x: f64, y: f64) -> anyhow::Result<()> {
        let axis = |axis: &str, part: f64| {
            let value = (part * TABLET).round() as i64;
            json!({ "type": "abs", "data": { "axis": axis, "value": value } })
        };
        self.ask("input-send-event", json!({ "events": [axis("x", x), axis("y", y)] })).map(drop)
    }

    /// Presses the left button, or lets it go.
    pub(crate) fn button(&mut self, down: bool) -> anyhow::Result<()> {
        let event = json!({ "type": "btn", "data": { "button": "left", "down": down } });
        self.ask("input-send-event", json!({ "events": [event] })).map(drop)
    }
}
