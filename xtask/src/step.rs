//! One step of a chore: a command with a name, whose output goes to a log file.

use std::fmt;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Signal, set_parent_process_death_signal};

use crate::paths;

/// How long a step may take: many times what the longest does. One that hangs is ended by then and
/// named, while the others still have their say.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// How coreutils' timeout ends if the command did not, by itself or only by SIGKILL.
const TIMED_OUT: [i32; 2] = [124, 137];

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
    run_within(LIMIT, name, command)
}

fn run_within(limit: Duration, name: &'static str, command: &mut Command) -> Outcome {
    let begun = Instant::now();
    let (verdict, output) = match logged(name, &mut bounded(limit, command)) {
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

/// The command, ended with all that it has started if it takes too long, or if this program ends.
fn bounded(limit: Duration, command: &Command) -> Command {
    let mut bounded = Command::new("timeout");
    bounded.arg("--kill-after=10").arg(format!("{}s", limit.as_secs_f64()));
    bounded.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => bounded.env(name, value),
            None => bounded.env_remove(name),
        };
    }
    // It is in a process group of its own, which Ctrl-C does not reach, and hands this signal on.
    // SAFETY: between fork and exec only a system call is made, and nothing is allocated.
    unsafe {
        bounded.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::TERM))?));
    }
    bounded
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
        .with_context(|| format!("cannot run {name}: is coreutils' timeout installed?"))?;
    // Tests may write anything; what is no text is of no use here.
    let mut output = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
    if status.code().is_some_and(|code| TIMED_OUT.contains(&code)) {
        output.push_str("\nIt took too long and was ended.\n");
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::until;

    #[test]
    fn a_step_that_hangs_is_ended_with_what_it_started() {
        let mut hanging = Command::new("sh");
        hanging.args(["-c", "sleep 1000 & echo $!; wait"]);
        let outcome = run_within(Duration::from_millis(300), "test-of-hanging", &mut hanging);
        assert_eq!(outcome.verdict, Verdict::Failed);
        assert!(outcome.output.contains("took too long"), "{}", outcome.output);
        let child = outcome.output.lines().next().unwrap_or_default();
        let gone = || {
            let state = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            Ok((state.is_empty() || state.contains(") Z ")).then_some(()))
        };
        until(Instant::now() + Duration::from_secs(60), "its child has ended", gone).unwrap();
    }
}
