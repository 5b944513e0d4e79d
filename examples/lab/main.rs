//! What the lab runs in the domains of a real Xen: see docs/xen.md.
//!
//! ```text
//! lab owner DISPLAY              in a guest: grant what the other side asks for
//! lab owner-of-files DISPLAY     the same with pages of files, as programs hand them over
//! lab contract GUEST [TEST]      in the display domain: the contract of grants, against an owner
//! lab contract-of-files GUEST [TEST]
//! lab speed GUEST                in the display domain: what importing costs, with an owner
//! lab large GUEST                map more than gntdev maps at once, of an owner
//! lab fill GUEST LEFT            map until about so many mappings are left, until killed
//! lab frames PROCESS NAME        in a guest: the frames of a file of memory that a process has open
//! lab grants DOMAIN              in a guest: how many pages can be granted, and what is said then
//! lab hold GUEST REF...          map pages for reading until killed
//! lab say DOMAIN LINE            to the vchan that a domain offers, and print what it answers
//! lab keep CMD ARG...            in a guest: run a program for ever, and kill it whenever the
//!                                display domain writes this domain's data/hyper-dmabuf-lab-kill
//! lab hostile                    in a guest: offer what no honest guest does
//! lab read NODE                  print what a node of xenstore says, as this domain sees it
//! lab shell DISPLAY              in a guest: run what the display domain asks for
//! lab ask GUEST COMMAND          in the display domain: ask it
//! ```

mod contract;
mod frames;
mod hostile;
mod keep;
mod large;
mod owner;
mod shell;
mod speed;
mod stream;

use std::process::ExitCode;

use anyhow::{Context, bail};
use hyper_dmabuf::domain::DomainId;
use hyper_dmabuf::grant::contract::Files;
use hyper_dmabuf::hypervisor::xen::OwnMemory;
use hyper_dmabuf::hypervisor::xen::xenstore::Xenstore;

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
            let test = test.first().unwrap_or(&"");
            contract::with_owner(domain(guest)?, || contract::run::<false>(test))
        }
        ["contract-of-files", guest, test @ ..] => {
            let test = test.first().unwrap_or(&"");
            contract::with_owner(domain(guest)?, || contract::run::<true>(test))
        }
        ["speed", guest] => {
            let guest = domain(guest)?;
            contract::with_owner(guest, || speed::run(guest))
        }
        ["large", guest] => contract::with_owner(domain(guest)?, large::map),
        ["fill", guest, left] => {
            let (guest, left) = (domain(guest)?, left.parse()?);
            contract::with_owner(guest, || large::fill(guest, left))
        }
        ["frames", process, name] => frames::list(process, name),
        ["grants", to] => owner::count(domain(to)?),
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
        ["read", path] => {
            let value = Xenstore::open()?.read(&path.parse()?)?;
            println!("{}", String::from_utf8_lossy(&value));
            Ok(ExitCode::SUCCESS)
        }
        ["shell", display] => shell::serve(domain(display)?),
        ["ask", guest, command] => shell::ask(domain(guest)?, command),
        ["hold", guest, references @ ..] => contract::hold(domain(guest)?, references),
        _ => bail!("see the beginning of examples/lab/main.rs"),
    }
}

fn domain(text: &str) -> anyhow::Result<DomainId> {
    text.parse().ok().and_then(DomainId::new).with_context(|| format!("{text:?} is no domain"))
}
