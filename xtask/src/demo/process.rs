//! A program of the demo: it is ended when its `Process` goes, and with this program whatever
//! happens to it.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};
use rustix::process::{Signal, set_parent_process_death_signal};

use crate::paths;

/// How many of a log's last lines are shown when something went wrong.
const TAIL: usize = 20;

/// A program that runs.
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it; what it writes goes to `NAME.log` in `out`.
    pub(crate) fn start(
        name: &'static str,
        command: &mut Command,
        out: &Path,
    ) -> anyhow::Result<Process> {
        let log = out.join(name).with_extension("log");
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        // SAFETY: between fork and exec only a system call is made, and nothing is allocated.
        unsafe {
            command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
        }
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        Ok(Process { name, child, log })
    }

    /// An error if it has ended: nothing here ends by itself.
    pub(crate) fn alive(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait().context("cannot look after a program")? {
            bail!("{} ended by itself, with {status}", self.name);
        }
        Ok(())
    }

    /// The end of its log, under a title.
    pub(crate) fn log_tail(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let tail = &lines[lines.len().saturating_sub(TAIL)..];
        let mut text = format!("---- {}, from {}\n", self.name, paths::shown(&self.log));
        for line in tail {
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already; then there is only its status to take.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, out: &Path) -> Process {
        Process::start("shell", Command::new("sh").args(["-c", script]), out).unwrap()
    }

    #[test]
    fn an_end_is_noticed_and_the_log_tells_why() {
        let out = tempfile::tempdir().unwrap();
        let mut process = shell("echo no such socket >&2; exit 7", out.path());
        process.child.wait().unwrap();
        let error = process.alive().unwrap_err().to_string();
        assert!(error.contains("shell") && error.contains('7'), "{error}");
        assert!(process.log_tail().contains("no such socket\n"));
    }

    #[test]
    fn nothing_outlives_its_process() {
        let out = tempfile::tempdir().unwrap();
        let mut process = shell("exec sleep 1000", out.path());
        process.alive().unwrap();
        let directory = format!("/proc/{}", process.child.id());
        assert!(Path::new(&directory).exists());
        drop(process);
        assert!(!Path::new(&directory).exists());
    }
}
