//! What the lab runs in the domains of a real Xen: see docs/xen.md.
//!
//! ```text
//! lab owner DISPLAY              in a guest: grant what the other side asks for
//! lab contract GUEST [TEST]      in the display domain: the contract of grants, against an owner
//! lab hold GUEST REF...          map pages for reading until killed
//! ```

mod contract;
mod owner;
mod stream;

use std::process::ExitCode;

use anyhow::{Context, bail};
use hyper_dmabuf::domain::DomainId;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> anyhow::Result<ExitCode> {
    match arguments {
        ["owner", display] => owner::run(domain(display)?).map(|()| ExitCode::SUCCESS),
        ["contract", guest] => contract::run(domain(guest)?, ""),
        ["contract", guest, test] => contract::run(domain(guest)?, test),
        ["hold", guest, references @ ..] => contract::hold(domain(guest)?, references),
        _ => bail!("see the beginning of examples/lab/main.rs"),
    }
}

fn domain(text: &str) -> anyhow::Result<DomainId> {
    text.parse().ok().and_then(DomainId::new).with_context(|| format!("{text:?} is no domain"))
}
