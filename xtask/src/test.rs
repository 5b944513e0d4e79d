//! `cargo xtask test`: every check there is, each a step.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::Instant;

use anyhow::Context;

use crate::step::{self, Outcome, Verdict};
use crate::system_packages::{self, BUILD, LAB, PROGRAMS, RUN, SCREEN, TEST, TOOLS, X11};
use crate::test_counts::{Counts, summaries};
use crate::{lab, paths, screen};

/// This program, even when the build step has put a new one in its place, for another to start.
fn itself() -> Command {
    Command::new(format!("/proc/{}/exe", std::process::id()))
}

pub(crate) fn run() -> anyhow::Result<ExitCode> {
    // All at once and first: two steps cannot install at the same time.
    let for_lab = if lab::impossible().is_none() { LAB } else { &[] };
    let for_screen = if screen::impossible().is_none() { SCREEN } else { &[] };
    system_packages::provide(&[BUILD, RUN, TEST, PROGRAMS, TOOLS, X11, for_lab, for_screen])?;
    println!("logs are in {}", paths::shown(&paths::logs()));
    let begun = Instant::now();
    let protocols = protocols()?;

    // Cargo's steps share one target directory, and with it a lock and what they compile: one
    // after the other they are fastest. The small ones need neither.
    let outcomes: Vec<Outcome> = thread::scope(|scope| {
        let small = scope.spawn(|| vec![format(), protocol(&protocols)]);
        let mut outcomes = compiled();
        outcomes.extend(small.join().unwrap_or_default());
        outcomes
    });

    let counts: Counts =
        outcomes.iter().flat_map(|outcome| summaries(&outcome.output)).map(|(_, n)| n).sum();
    let failed: Vec<&str> = outcomes
        .iter()
        .filter(|outcome| outcome.verdict == Verdict::Failed)
        .map(|outcome| outcome.name)
        .collect();
    let (steps, seconds) = (outcomes.len(), begun.elapsed().as_secs());
    println!("{steps} steps in {seconds} s, {} failed", failed.len());
    let Counts { passed, failed: broken } = counts;
    if failed.is_empty() {
        println!("{passed} passed, {broken} failed");
        Ok(ExitCode::SUCCESS)
    } else {
        println!("{passed} passed, {broken} failed; steps that FAILED: {}", failed.join(", "));
        Ok(ExitCode::FAILURE)
    }
}

/// What needs the workspace compiled.
fn compiled() -> Vec<Outcome> {
    let all = ["--workspace", "--all-features"];
    let clippy = step::run(
        "clippy",
        cargo("clippy").args(all).args(["--all-targets", "--", "-D", "warnings"]),
    );
    let build = step::run("build", cargo("build").args(all).arg("--all-targets"));
    let mut outcomes = vec![clippy];
    if build.verdict == Verdict::Ok {
        // The lab and the screen wait for their machines more than they compute.
        let [lab, screen] = thread::scope(|scope| {
            let lab = scope.spawn(lab);
            let screen = scope.spawn(screen);
            outcomes.push(tests(all));
            outcomes.push(told(step::run("doctests", cargo("test").arg("--doc").args(all))));
            outcomes.push(conformance());
            [lab.join(), screen.join()]
        });
        outcomes.push(lab.unwrap_or_else(|_| Outcome::failed("lab", "its thread panicked")));
        outcomes.push(screen.unwrap_or_else(|_| Outcome::failed("screen", "its thread panicked")));
    } else {
        for name in ["tests", "doctests", "wlcs", "lab", "screen"] {
            outcomes.push(Outcome::skipped(name, "the build failed"));
        }
    }
    outcomes.push(build);
    let doc = ["doc", "--no-deps"];
    let doc = step::run(
        "doc",
        Command::new("cargo").args(doc).args(all).env("RUSTDOCFLAGS", "-D warnings"),
    );
    outcomes.push(doc);
    outcomes
}

/// With cargo-nextest if it is there: it runs the tests of all binaries at once.
fn tests(all: [&str; 2]) -> Outcome {
    let nextest = succeeds(Command::new("cargo").args(["nextest", "--version"]));
    let mut command = if nextest {
        let mut command = cargo("nextest");
        command.args(["run", "--no-fail-fast"]);
        command
    } else {
        let mut command = cargo("test");
        command.args(["--lib", "--bins", "--tests", "--examples", "--no-fail-fast"]);
        command
    };
    told(step::run("tests", command.args(all)))
}

/// On a real Xen, in an emulated machine.
fn lab() -> Outcome {
    if let Some(reason) = lab::impossible() {
        return Outcome::skipped("lab", &reason);
    }
    told(step::run("lab", itself().arg("lab")))
}

/// On a screen, in an emulated machine.
fn screen() -> Outcome {
    if let Some(reason) = screen::impossible() {
        return Outcome::skipped("screen", &reason);
    }
    told(step::run("screen", itself().arg("screen")))
}

/// In a process of its own, so that its output is kept as every step's is.
fn conformance() -> Outcome {
    let outcome = step::run("wlcs", itself().arg("wlcs"));
    for line in outcome.output.lines().filter(|line| line.ends_with("failed as known")) {
        println!("           {line}");
    }
    outcome
}

/// Shows what the test runner says of a step's tests.
fn told(outcome: Outcome) -> Outcome {
    for (line, _) in summaries(&outcome.output) {
        println!("           {line}");
    }
    outcome
}

fn format() -> Outcome {
    step::run("format", cargo("fmt").args(["--all", "--check"]))
}

/// Every protocol against wayland.dtd, which wayland-scanner has built in.
fn protocol(files: &[PathBuf]) -> Outcome {
    if !succeeds(Command::new("wayland-scanner").arg("--version")) {
        return Outcome::skipped("protocol", "wayland-scanner is not installed");
    }
    let script = r#"for file in "$@"; do
        wayland-scanner --strict client-header "$file" /dev/null || exit 1
    done"#;
    step::run("protocol", Command::new("sh").args(["-c", script, "protocol"]).args(files))
}

fn protocols() -> anyhow::Result<Vec<PathBuf>> {
    let directory = paths::root().join("protocol");
    let entries = std::fs::read_dir(&directory)
        .with_context(|| format!("cannot list {}", directory.display()))?;
    let files = entries.map(|entry| Ok(entry?.path()));
    let files: Vec<PathBuf> = files.collect::<std::io::Result<_>>()?;
    Ok(files.into_iter().filter(|file| file.extension().is_some_and(|e| e == "xml")).collect())
}

fn cargo(subcommand: &str) -> Command {
    let mut command = Command::new("cargo");
    command.arg(subcommand);
    command
}

fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}
