//! One step of a chore: a command with a name, whose output goes to a log file.

use std::fmt;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::paths;

/// How a step ended.
pub(crate) struct Outcome {
    pub(crate) name: &'static str,
    pub(crate) verdict: Verdict,
    /// Everything it wrote.
    pub(crate) output: String,
    took: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Ok,
    Failed,
    Skipped,
}

impl Outcome {
    /// The step could not be done, which is as bad as if it had failed.
    pub(crate) fn failed(name: &'static str, reason: &str) -> Outcome {
        let (verdict, took) = (Verdict::Failed, Duration::ZERO);
        let outcome = Outcome { name, verdict, output: reason.to_owned(), took };
        println!("{outcome}: {reason}");
        outcome
    }

    /// The step was not done, for this reason.
    pub(crate) fn skipped(name: &'static str, reason: &str) -> Outcome {
        let (verdict, took) = (Verdict::Skipped, Duration::ZERO);
        let outcome = Outcome { name, verdict, output: reason.to_owned(), took };
        println!("{outcome}");
        outcome
    }
}

/// Runs a command in the repository, and prints one line when it has ended; the whole output
/// before it if it failed.
pub(crate) fn run(name: &'static str, command: &mut Command) -> Outcome {
    let begun = Instant::now();
    let (verdict, output) = match logged(name, command) {
        Ok(end) => end,
        Err(error) => (Verdict::Failed, format!("{error:#}\n")),
    };
    let outcome = Outcome { name, verdict, output, took: begun.elapsed() };
    if verdict == Verdict::Failed {
        // In one call, so that steps beside this one do not write into it.
        println!("---- {name}\n{}---- end of {name}\n{outcome}", outcome.output);
    } else {
        println!("{outcome}");
    }
    outcome
}

fn logged(name: &str, command: &mut Command) -> anyhow::Result<(Verdict, String)> {
    let path = log_path(name);
    fs::create_dir_all(paths::logs())
        .with_context(|| format!("cannot make {}", paths::logs().display()))?;
    let log = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    command.current_dir(paths::root()).env("CARGO_TERM_COLOR", "never");
    command.stdin(std::process::Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let status = command
        .status()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    // Tests may write anything; what is no text is of no use here.
    let output = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
    Ok((if status.success() { Verdict::Ok } else { Verdict::Failed }, output))
}

/// Where a step's output is kept.
fn log_path(name: &str) -> PathBuf {
    paths::logs().join(format!("{name}.log"))
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name;
        match self.verdict {
            Verdict::Ok => write!(f, "{name:<10} ok      {:>6.1} s", self.took.as_secs_f64()),
            Verdict::Failed => write!(f, "{name:<10} FAILED  {:>6.1} s", self.took.as_secs_f64()),
            Verdict::Skipped => write!(f, "{name:<10} skipped: {}", self.output),
        }
    }
}
