//! Opening the kernel's devices, with errors that say what is missing.

use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// Why a device of Xen cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot open {path}: {cause}: {}", advice(.module, *.cause))]
pub struct DeviceError {
    path: &'static str,
    module: &'static str,
    /// What the kernel said.
    pub cause: Errno,
}

fn advice(module: &str, cause: Errno) -> String {
    match cause {
        Errno::NOENT | Errno::NXIO | Errno::NODEV => {
            if module.starts_with("xen-") {
                format!("is this a domain of Xen, and is the module {module} loaded?")
            } else {
                format!("has this kernel {module}, and is it loaded?")
            }
        }
        Errno::ACCESS | Errno::PERM => {
            "this user may not: see packaging/udev/70-hyper-dmabuf-xen.rules".to_owned()
        }
        _ => "the system is out of something".to_owned(),
    }
}

/// Opens `path`, which the kernel's `module` offers.
pub(super) fn open(
    path: &'static str,
    module: &'static str,
    extra: OFlags,
) -> Result<OwnedFd, DeviceError> {
    rustix::fs::open(path, OFlags::RDWR | OFlags::CLOEXEC | extra, Mode::empty())
        .map_err(|cause| DeviceError { path, module, cause })
}
