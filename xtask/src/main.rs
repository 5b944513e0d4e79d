//! The project's chores: `cargo xtask test`, `cargo xtask demo`, `cargo xtask screen` and
//! `cargo xtask lab`.

mod demo;
mod images;
mod lab;
mod load;
mod paths;
mod screen;
mod step;
mod system_packages;
mod test;
mod test_counts;
mod wlcs;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's chores. Each sets up what it needs and then runs, on a fresh Debian or Ubuntu too.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Check everything: format, lints, build, tests, documentation, protocol
    Test,
    /// Run WLCS, the Wayland conformance test suite, and compare with what is known to fail
    Wlcs,
    /// Print what a picture costs the compositor, beside what it costs Weston
    Load,
    /// Show two guests' windows on one screen, and save what is seen as a picture
    ///
    /// Builds with the dev profile, which is there sooner than the release profile with its LTO.
    /// The programs are ended when the picture is taken.
    Demo {
        /// Where the picture and the programs' logs go; target/demo if not given
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Test the compositor on a screen, in an emulated machine
    ///
    /// Boots Debian's kernel under QEMU with a GPU, a keyboard and a tablet, and compares what is seen
    /// there with what the headless back end shows. Needs Debian 12.
    Screen,
    /// Test on a real Xen, in an emulated machine
    ///
    /// Boots Xen with a dom0 and several guests under QEMU, which needs no support from the
    /// processor, and runs the programs of this build in them. Needs Debian 12.
    Lab {
        /// The parts of the tests to run, as the files in lab/parts are named; all if none are given
        #[arg(value_name = "PART")]
        parts: Vec<String>,
        /// Leave the machine running afterwards, with a shell in dom0
        #[arg(long)]
        keep: bool,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().chore {
        Chore::Test => test::run(),
        Chore::Wlcs => wlcs::run(),
        Chore::Load => load::run().map(|()| ExitCode::SUCCESS),
        Chore::Demo { out } => {
            let out = out.unwrap_or_else(|| paths::target().join("demo"));
            demo::run(&out).map(|()| ExitCode::SUCCESS)
        }
        Chore::Screen => screen::run().map(|()| ExitCode::SUCCESS),
        Chore::Lab { parts, keep } => lab::run(&parts, keep).map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error| {
        eprintln!("cargo xtask: {error:#}");
        ExitCode::FAILURE
    })
}
