//! `cargo xtask screen`: the compositor on a real screen, keyboard and tablet: those of a machine that
//! QEMU emulates, with Debian's kernel, its virtio-gpu, seatd and udev.
//!
//! What is seen on that screen is compared with what the headless back end shows of the same windows,
//! pixel for pixel.

mod guest;
mod images;
mod machine;
mod monitor;
mod picture;
mod planes;
mod scenario;
mod shell;

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use self::images::Images;
use self::machine::Machine;
use self::scenario::Scenario;
use crate::demo;
use crate::paths;
use crate::system_packages::{self, BUILD, RUN, SCREEN};

/// How long the machine may run. It takes about one minute where nothing else runs, and many times
/// that where much does.
const PATIENCE: Duration = Duration::from_secs(1200);

/// Why this cannot run on this system, if it cannot.
pub(crate) fn impossible() -> Option<String> {
    crate::lab::impossible()
}

pub(crate) fn run() -> anyhow::Result<()> {
    if let Some(reason) = impossible() {
        bail!("the screen cannot be tested: {reason}");
    }
    system_packages::provide(&[BUILD, RUN, SCREEN])?;
    let programs = demo::build(true)?;
    let directory = paths::target().join("screen");
    let images = Images::provide(&directory)?;
    // The same windows, without a screen.
    let expected = demo::show(&programs, &directory.join("headless"), &demo::GUESTS, &["--still"])?;

    let run = directory.join("run");
    let initramfs = images.fill(&programs, &run)?;
    let begun = Instant::now();
    let machine = Machine::boot(&images, &initramfs, &run, begun + PATIENCE)?;
    println!("screen: the machine is up after {:.1} s", begun.elapsed().as_secs_f64());
    let mut scenario = Scenario::new(machine, &run, &expected);
    let result = scenario.play();
    println!("screen: the machine ran for {:.1} s", begun.elapsed().as_secs_f64());
    let log = scenario.compositor_log();
    fs::write(run.join("compositor.log"), &log).context("cannot keep the compositor's log")?;
    if let Err(error) = result {
        println!("---- the compositor's log\n{log}");
        return Err(error.context(format!("pictures are in {}", paths::shown(&run))));
    }
    Ok(())
}
