//! The numbers of all requests, against the kernel's own headers.

use std::path::Path;
use std::process::Command;

use super::{evtchn, gntalloc, gntdev, gntdev_dmabuf, udmabuf};

/// Prints what the headers of linux-libc-dev say.
const PROGRAM: &str = r#"
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
typedef uint32_t grant_ref_t;
typedef uint16_t domid_t;
#include <linux/udmabuf.h>
#include <xen/evtchn.h>
#include <xen/gntalloc.h>
#include <xen/gntdev.h>
#define SAY(name) printf(#name " %lu\n", (unsigned long)(name))
int main(void)
{
	SAY(IOCTL_GNTDEV_MAP_GRANT_REF);
	SAY(IOCTL_GNTDEV_SET_UNMAP_NOTIFY);
	SAY(IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS);
	SAY(IOCTL_GNTDEV_DMABUF_IMP_TO_REFS);
	SAY(UDMABUF_CREATE);
	SAY(IOCTL_GNTALLOC_ALLOC_GREF);
	SAY(IOCTL_GNTALLOC_SET_UNMAP_NOTIFY);
	SAY(IOCTL_EVTCHN_BIND_INTERDOMAIN);
	SAY(IOCTL_EVTCHN_BIND_UNBOUND_PORT);
	SAY(IOCTL_EVTCHN_NOTIFY);
}
"#;

/// What this crate says, and what `_IOC` makes of the structures' sizes on x86 and ARM.
fn ours() -> Vec<(&'static str, u64, u64)> {
    let numbers = [
        ("IOCTL_GNTDEV_MAP_GRANT_REF", gntdev::MAP_GRANT_REF, 0x0018_4700),
        ("IOCTL_GNTDEV_SET_UNMAP_NOTIFY", gntdev::SET_UNMAP_NOTIFY, 0x0010_4707),
        ("IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS", gntdev_dmabuf::EXP_FROM_REFS, 0x0014_4709),
        ("IOCTL_GNTDEV_DMABUF_IMP_TO_REFS", gntdev_dmabuf::IMP_TO_REFS, 0x0014_470b),
        ("UDMABUF_CREATE", udmabuf::CREATE, 0x4018_7542),
        ("IOCTL_GNTALLOC_ALLOC_GREF", gntalloc::ALLOC_GREF, 0x0018_4705),
        ("IOCTL_GNTALLOC_SET_UNMAP_NOTIFY", gntalloc::SET_UNMAP_NOTIFY, 0x0010_4707),
        ("IOCTL_EVTCHN_BIND_INTERDOMAIN", evtchn::BIND_INTERDOMAIN, 0x0008_4501),
        ("IOCTL_EVTCHN_BIND_UNBOUND_PORT", evtchn::BIND_UNBOUND_PORT, 0x0004_4502),
        ("IOCTL_EVTCHN_NOTIFY", evtchn::NOTIFY, 0x0004_4504),
    ];
    numbers.into_iter().map(|(name, ours, table)| (name, u64::from(ours), table)).collect()
}

#[test]
fn requests_have_the_numbers_of_the_table() {
    for (name, ours, table) in ours() {
        assert_eq!(ours, table, "{name}: {ours:#x}, not {table:#x}");
    }
}

#[test]
fn requests_have_the_numbers_of_the_kernels_headers() {
    if !Path::new("/usr/include/xen/gntdev.h").exists() {
        println!("not checked: /usr/include/xen/gntdev.h (linux-libc-dev) is not installed");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (source, program) = (directory.path().join("numbers.c"), directory.path().join("numbers"));
    std::fs::write(&source, PROGRAM).unwrap();
    let compiled = Command::new("cc").arg("-o").args([&program, &source]).output();
    let Ok(compiled) = compiled else {
        println!("not checked: there is no C compiler (cc)");
        return;
    };
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let said = Command::new(&program).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let expected: String =
        ours().iter().map(|(name, ours, _)| format!("{name} {ours}\n")).collect();
    assert_eq!(said, expected);
}
