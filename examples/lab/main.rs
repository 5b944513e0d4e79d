//! What the lab runs in the domains of a real Xen: see docs/xen.md.
//!
//! ```text
//! lab owner DISPLAY              in a guest: grant what the other side asks for
//! lab owner-of-files DISPLAY     the same with pages of files, as programs hand them over
//! lab contract GUEST [TEST]      in the display domain: the contract of grants, against an owner
//! lab contract-of-files GUEST [TEST]
//! lab hold GUEST REF...          map pages for reading until killed
//! lab say DOMAIN LINE            to the vchan that a domain offers, and print what it answers
//! lab keep CMD ARG...            in a guest: run a program for ever, and kill it whenever the
//!                                display domain writes this domain's data/hyper-dmabuf-lab-kill
//! lab hostile                    in a guest: offer what no honest guest does
//! ```

mod contract;
mod hostile;
mod keep;
mod owner;
mod stream;

use std::process::ExitCode;

use anyhow::{Context, bail};
use hyper_dmabuf::domain::DomainId;
use hyper_dmabuf::grant::contract::Files;
use hyper_dmabuf::hypervisor::xen::OwnMemory;

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
        ["owner", display] => owner::run(domain(display)?, &OwnMemory::new()),
        ["owner-of-files", display] => owner::run(domain(display)?, &Files(OwnMemory::new())),
        ["contract", guest, test @ ..] => {
            contract::run::<false>(domain(guest)?, test.first().unwrap_or(&""))
        }
        ["contract-of-files", guest, test @ ..] => {
            contract::run::<true>(domain(guest)?, test.first().unwrap_or(&""))
        }
        ["say", server, line] => {
            let mut lines = stream::Lines::connect(domain(server)?)?;
            lines.send(line)?;
            println!("heard {}", lines.receive()?.context("the other half has ended")?);
            // The other half may not have read yet what it was told; it ends first.
            while let Ok(Some(_)) = lines.receive() {}
            Ok(ExitCode::SUCCESS)
        }
        ["keep", program, arguments @ ..] => keep::run(program, arguments),
        ["hostile"] => hostile::run(),
        ["hold", guest, references @ ..] => contract::hold(domain(guest)?, references),
        _ => bail!("see the beginning of examples/lab/main.rs"),
    }
}

fn domain(text: &str) -> anyhow::Result<DomainId> {
    text.parse().ok().and_then(DomainId::new).with_context(|| format!("{text:?} is no domain"))
}
