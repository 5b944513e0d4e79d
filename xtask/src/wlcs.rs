//! `cargo xtask wlcs`: the Wayland conformance test suite, against what is known to fail.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail, ensure};

use crate::paths;

/// Where the suite's clients are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clients {
    /// In the display domain.
    Local,
    /// In a guest, behind its proxy.
    OfGuest,
}

/// The environment's word for a guest's proxy, as tests/wlcs reads it.
const PROXY: &str = "HYPER_DMABUF_PROXY";

/// Builds what is tested, then runs the suite with local clients, and with those of a guest.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let runner = runner()?;
    build()?;
    let mut news = Vec::new();
    for clients in [Clients::Local, Clients::OfGuest] {
        news.extend(run_with(&runner, clients)?);
    }
    if news.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("otherwise than {LIST} says:\n  {}", news.join("\n  "));
    Ok(ExitCode::FAILURE)
}

/// As `cargo xtask test` builds everything, so that there is nothing to do after it.
fn build() -> anyhow::Result<()> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--workspace", "--all-features", "--all-targets"]);
    ensure!(cargo.status().context("cannot run cargo")?.success(), "the build failed");
    Ok(())
}

const LIST: &str = "tests/wlcs/expected-failures.txt";

/// Tests that did otherwise than is known.
fn run_with(runner: &Path, clients: Clients) -> anyhow::Result<Vec<String>> {
    let known = fs::read_to_string(paths::root().join(LIST))
        .with_context(|| format!("cannot read {LIST}"))?;
    let built = paths::target().join("debug");
    let mut command = Command::new(runner);
    command.arg(built.join("libhyper_dmabuf_wlcs.so")).env_remove(PROXY);
    let whose = match clients {
        Clients::Local => "local clients",
        Clients::OfGuest => {
            command.env(PROXY, built.join("hyper-dmabuf-proxy"));
            "a guest's clients"
        }
    };
    let output = command.output().with_context(|| format!("cannot run {}", runner.display()))?;
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    print!("{output}");
    let ended = output.contains("Global test environment tear-down");
    ensure!(ended, "the suite broke off with {whose}");

    let results = Results::read(&output);
    let known = listed(&known, clients);
    let news = results.failed.difference(&known).map(|test| ("fails", test));
    let news = news.chain(known.intersection(&results.passed).map(|test| ("passes now", test)));
    let news = news.map(|(what, test)| format!("{test} {what} with {whose}")).collect();
    let (passed, failed) = (results.passed.len(), results.failed.len());
    println!("{whose}: {passed} passed, {failed} failed as known");
    Ok(news)
}

/// Debian keeps the runner in a directory of the machine's kind.
fn runner() -> anyhow::Result<PathBuf> {
    for entry in fs::read_dir("/usr/lib").context("cannot list /usr/lib")?.flatten() {
        let runner = entry.path().join("wlcs/wlcs");
        if runner.is_file() {
            return Ok(runner);
        }
    }
    bail!("WLCS is not installed: Debian's package is wlcs")
}

/// The tests of a list; `#` begins a remark, `guest:` what is known of a guest's clients only.
fn listed(text: &str, clients: Clients) -> BTreeSet<String> {
    let lines = text.lines().map(str::trim);
    let tests = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let known = tests.filter_map(|line| match line.strip_prefix("guest:") {
        Some(test) => matches!(clients, Clients::OfGuest).then(|| test.trim()),
        None => Some(line),
    });
    known.map(str::to_owned).collect()
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Results {
    passed: BTreeSet<String>,
    failed: BTreeSet<String>,
}

impl Results {
    /// Reads what Google Test prints when a test ends. The summary names tests again, without times.
    fn read(output: &str) -> Results {
        let mut results = Results::default();
        for line in output.lines().filter(|line| line.ends_with(" ms)")) {
            let into = if line.starts_with("[       OK ] ") {
                &mut results.passed
            } else if line.starts_with("[  FAILED  ] ") {
                &mut results.failed
            } else {
                continue;
            };
            // After the name comes a time, or first ", where GetParam() = …".
            let name = line.split("] ").nth(1).unwrap_or_default();
            let name = name.split([',', ' ']).next().unwrap_or_default();
            into.insert(name.to_owned());
        }
        results
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read_once_and_by_name() {
        let output = "\
[ RUN      ] A.one
[       OK ] A.one (3 ms)
[     SKIP ] A.two (5 ms)
[  FAILED  ] B/C.three/4, where GetParam() = ((ptr = 0x5, value = 4-byte object <1>) (17 ms)
[----------] 3 tests from A (25 ms total)
[  FAILED  ] 1 test failed:
[  FAILED  ] B/C.three/4";
        let results = Results::read(output);
        assert_eq!(results.passed, listed("A.one", Clients::Local));
        assert_eq!(results.failed, listed("# why\nB/C.three/4\nguest: D.five\n", Clients::Local));
    }
}
