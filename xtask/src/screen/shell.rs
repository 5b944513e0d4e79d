//! A shell in the machine, at a port of its own. (At a serial port lines were lost now and then.)

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// How long a command may say nothing.
const PATIENCE: Duration = Duration::from_secs(120);
/// What the machine writes when a command has ended; its status follows.
const ENDED: &str = "ended with ";

/// A connection to the shell.
pub(crate) struct Shell {
    stream: BufReader<UnixStream>,
    deadline: Instant,
}

impl Shell {
    /// Connects, once QEMU listens.
    pub(crate) fn connect(path: &Path, deadline: Instant) -> anyhow::Result<Option<Shell>> {
        let Ok(stream) = UnixStream::connect(path) else { return Ok(None) };
        Ok(Some(Shell { stream: BufReader::new(stream), deadline }))
    }

    /// Waits for the machine to be up.
    pub(crate) fn await_ready(&mut self) -> anyhow::Result<()> {
        while self.line()?.trim() != "ready" {}
        Ok(())
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let left = self.deadline.saturating_duration_since(Instant::now()).min(PATIENCE);
        if left.is_zero() {
            bail!("the machine's time is over");
        }
        self.stream.get_ref().set_read_timeout(Some(left))?;
        let mut line = Vec::new();
        let read = self.stream.read_until(b'\n', &mut line);
        if read.context("the machine's shell does not answer")? == 0 {
            bail!("the machine's shell is gone");
        }
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    /// Runs a line there. What it wrote, and whether it succeeded.
    pub(crate) fn attempt(&mut self, line: &str) -> anyhow::Result<(String, bool)> {
        writeln!(self.stream.get_mut(), "{line}").context("the machine's shell is gone")?;
        let mut output = String::new();
        loop {
            let line = self.line().with_context(|| format!("while it runs `{line}`"))?;
            // What a command wrote may not end with the end of a line.
            if let Some((rest, status)) = line.trim_end().split_once(ENDED) {
                output.push_str(rest);
                return Ok((output, status == "0"));
            }
            output.push_str(&line);
        }
    }

    /// Runs a line there that is to succeed. What it wrote.
    pub(crate) fn run(&mut self, line: &str) -> anyhow::Result<String> {
        let (output, succeeded) = self.attempt(line)?;
        if !succeeded {
            bail!("in the machine, `{line}` failed: {output}");
        }
        Ok(output)
    }
}
