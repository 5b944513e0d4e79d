//! A shell in a guest, for the display domain's tests: one line asks, one line answers, with the
//! status and all that was written, in hexadecimal so that it is one line.

use std::fmt::Write;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, Stdio};

use anyhow::Context;
use hyper_dmabuf::domain::DomainId;
use hyper_dmabuf::grant::{Access, GrantPages, PageCount};
use hyper_dmabuf::hypervisor::xen::OwnMemory;

use crate::stream::Lines;

/// In a guest: does what it is asked, for one after the other.
pub(crate) fn serve(display: DomainId) -> anyhow::Result<ExitCode> {
    // Each time that gntalloc (of Linux 6.12) is refused a grant because the table is full, it counts
    // one page less than it has given out. Below zero it gives out nothing any more.
    let spare = PageCount::new(64).context("some pages")?;
    let _spare = OwnMemory::new().grant(spare, display, Access::ReadOnly)?;
    loop {
        let mut lines = Lines::offer(display)?;
        // Whoever asked may be killed at any time.
        while let Ok(Some(line)) = lines.receive() {
            let done = Command::new("sh").args(["-c", &line]).stdin(Stdio::null()).output();
            let done = done.context("there is no shell")?;
            let signal = done.status.signal().map(|signal| 128 + signal);
            let status = done.status.code().or(signal).unwrap_or(255);
            let mut answer = format!("{status} ");
            for byte in done.stdout.iter().chain(&done.stderr) {
                write!(answer, "{byte:02x}")?;
            }
            if lines.send(&answer).is_err() {
                break;
            }
        }
    }
}

/// In the display domain: asks, shows what was written, and ends as the command did.
pub(crate) fn ask(guest: DomainId, command: &str) -> anyhow::Result<ExitCode> {
    let mut lines = Lines::connect(guest)?;
    lines.send(command)?;
    let answer = lines.receive()?.context("the guest has ended")?;
    // Where nothing was written there is no space either.
    let (status, written) = answer.split_once(' ').unwrap_or((&answer, ""));
    let (digits, _) = written.as_bytes().as_chunks::<2>();
    let bytes: Result<Vec<u8>, _> =
        digits.iter().map(|pair| u8::from_str_radix(&String::from_utf8_lossy(pair), 16)).collect();
    std::io::stdout().write_all(&bytes?)?;
    Ok(ExitCode::from(status.parse::<u8>()?))
}
