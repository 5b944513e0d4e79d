//! Which frames of this domain's memory a program's file lies in, for comparing with what is granted.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::process::ExitCode;

use anyhow::{Context, ensure};
use hyper_dmabuf::grant::PAGE_SIZE;
use rustix::mm::{MapFlags, ProtFlags};

/// Bytes of an entry of `/proc/self/pagemap`, and what its bits mean (Linux,
/// Documentation/admin-guide/mm/pagemap.rst).
const ENTRY: usize = 8;
const IS_PRESENT: u64 = 1 << 63;
const FRAME: u64 = (1 << 55) - 1;

/// Prints the number of each frame, in hexadecimal and in order, of the file of memory `name` that
/// the process has open. The frames of a PV domain are the hypervisor's only by a further table.
pub(crate) fn list(process: &str, name: &str) -> anyhow::Result<ExitCode> {
    let file = open(process, name)?;
    let bytes = file.metadata()?.len() as usize;
    let flags = MapFlags::SHARED | MapFlags::POPULATE;
    // SAFETY: a mapping of its own, which nothing else uses and no reference is made into. It lives
    // until this process ends, which is soon.
    let mapped =
        unsafe { rustix::mm::mmap(std::ptr::null_mut(), bytes, ProtFlags::READ, flags, &file, 0) };
    let first = mapped.context("cannot map the file")?.addr() / PAGE_SIZE;
    let table = File::open("/proc/self/pagemap")?;
    for page in first..first + bytes.div_ceil(PAGE_SIZE) {
        let mut entry = [0; ENTRY];
        table.read_exact_at(&mut entry, (page * ENTRY) as u64)?;
        let entry = u64::from_ne_bytes(entry);
        ensure!(entry & IS_PRESENT != 0, "a page of the file is in no frame");
        println!("0x{:06x}", entry & FRAME);
    }
    Ok(ExitCode::SUCCESS)
}

fn open(process: &str, name: &str) -> anyhow::Result<File> {
    let wanted = format!("/memfd:{name} ");
    for entry in fs::read_dir(format!("/proc/{process}/fd"))? {
        let path = entry?.path();
        if fs::read_link(&path)?.to_string_lossy().starts_with(&wanted) {
            return File::open(&path).with_context(|| format!("cannot open {}", path.display()));
        }
    }
    anyhow::bail!("process {process} has no file of memory of the name {name}")
}
