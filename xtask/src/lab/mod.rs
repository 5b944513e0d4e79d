//! `cargo xtask lab`: the programs of this build on a real Xen, in an emulated machine.
//!
//! QEMU's emulation needs no support from the processor, so this runs wherever the tests do. What is
//! booted is made once, by `lab/images`; what is tested is in `lab/parts`, which `lab/scenario` runs in dom0.

mod console;
mod images;
mod machine;

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use self::images::Images;
use self::machine::Machine;
use crate::demo;
use crate::paths;
use crate::system_packages::{self, BUILD, LAB, RUN};

/// How long the machine may run. It takes about five minutes where nothing else runs, and many times
/// that where much does.
const PATIENCE: Duration = Duration::from_secs(1500);

/// Why the lab cannot run on this system, if it cannot.
pub(crate) fn impossible() -> Option<String> {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let is = |wanted: &str| release.lines().any(|line| line == wanted);
    if is("ID=debian") && is("VERSION_CODENAME=bookworm") {
        return None;
    }
    Some("its images are made of Debian 12's packages, and this is another system".to_owned())
}

/// The tests' parts, by machine, so that each of two takes about as long: what a processor emulates is
/// the time of the lab.
const MACHINES: [&[&str]; 2] = [
    &["grants", "native", "unmodified", "numbers", "speed", "display-domain", "limits"],
    &["moments", "pause", "screen", "suspend", "users"],
];

/// Runs these parts of the tests on one machine, or all on several if none are named.
pub(crate) fn run(parts: &[String], keep: bool) -> anyhow::Result<()> {
    if let Some(reason) = impossible() {
        bail!("the lab cannot run: {reason}");
    }
    let known = images::parts()?;
    if let Some(unknown) = parts.iter().find(|part| !known.contains(part)) {
        bail!("the lab has no part {unknown}; it has {}", known.join(", "));
    }
    let machines = assign(parts, keep, &known)?;
    system_packages::provide(&[BUILD, RUN, LAB])?;
    let programs = demo::build(true)?;
    let directory = paths::target().join("lab");
    let begun = Instant::now();
    let images = Images::provide(&directory)?;
    println!("images: {:.1} s", begun.elapsed().as_secs_f64());

    // What the guests are to look like: the same programs, without a hypervisor.
    let native = demo::show(&programs, &directory.join("shm"), &demo::GUESTS, &["--still"])?;
    let out = directory.join("shm-unmodified");
    let unmodified = demo::show(&programs, &out, &demo::WITH_UNMODIFIED, &["--still"])?;

    let runs = directory.join("run");
    crate::images::remove(&runs)?;
    let mut rooms = Vec::new();
    for (number, parts) in machines.iter().enumerate() {
        let room = runs.join((number + 1).to_string());
        let shared = room.join("shared");
        images.share(&programs, &shared, parts, keep)?;
        // For the scenario to wait for, since nothing else tells when a program has drawn.
        for (picture, name) in [(&native, "native.png"), (&unmodified, "unmodified.png")] {
            fs::copy(picture, shared.join(name)).context("cannot copy a picture")?;
        }
        rooms.push(room);
    }
    let outcomes: Vec<anyhow::Result<()>> = thread::scope(|scope| {
        let images = &images;
        let running: Vec<_> =
            rooms.iter().map(|room| scope.spawn(move || test(images, room, keep))).collect();
        let joined = running.into_iter().map(|machine| machine.join());
        joined
            .map(|outcome| outcome.unwrap_or_else(|_| bail!("a machine's thread panicked")))
            .collect()
    });
    outcomes.into_iter().collect()
}

/// Which parts run on which machine.
fn assign(wanted: &[String], keep: bool, known: &[String]) -> anyhow::Result<Vec<Vec<String>>> {
    if !wanted.is_empty() {
        return Ok(vec![wanted.to_vec()]);
    }
    if keep {
        return Ok(vec![known.to_vec()]);
    }
    if let Some(left) =
        known.iter().find(|part| !MACHINES.iter().any(|has| has.contains(&&***part)))
    {
        bail!("no machine has the part {left}: see MACHINES in xtask/src/lab/mod.rs");
    }
    Ok(MACHINES.iter().map(|parts| parts.iter().map(|part| (*part).to_owned()).collect()).collect())
}

/// Runs a machine with what is shared in its room.
fn test(images: &Images, room: &Path, keep: bool) -> anyhow::Result<()> {
    let shared = room.join("shared");
    let begun = Instant::now();
    let deadline = begun + PATIENCE;
    let mut machine = Machine::boot(images, room, &shared, deadline)?;
    let status = machine.wait_for(&shared.join("status"), deadline);
    let log = fs::read(shared.join("log")).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    println!("{log}lab: the machine ran for {:.1} s", begun.elapsed().as_secs_f64());
    let status = status?;
    if keep {
        machine.keep()?;
    }
    if status.trim() != "0" {
        bail!("tests failed in the lab; logs are in {}", paths::shown(&shared));
    }
    Ok(())
}
