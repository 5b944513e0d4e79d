//! When a picture is drawn, by a fence of its dma-buf, as GPUs that draw put there by themselves. vgem has
//! fences that a program makes and signals (linux/include/uapi/drm/vgem_drm.h); after ten seconds one is
//! signalled by itself.

use std::os::fd::BorrowedFd;

use anyhow::Context;
use rustix::ioctl::{Opcode, Setter, Updater, ioctl, opcode};
use smithay::reexports::drm::control::Device as _;

use super::card::Card;

/// `DRM_IOCTL_BASE`.
const GROUP: u8 = b'd';
/// `DRM_COMMAND_BASE + DRM_VGEM_FENCE_ATTACH`.
const ATTACH: Opcode = opcode::read_write::<Attach>(GROUP, 0x41);
/// `DRM_COMMAND_BASE + DRM_VGEM_FENCE_SIGNAL`.
const SIGNAL: Opcode = opcode::write::<Signal>(GROUP, 0x42);
/// `VGEM_FENCE_WRITE`: the buffer is being drawn into.
const WRITE: u32 = 1;

/// `drm_vgem_fence_attach`.
#[repr(C)]
struct Attach {
    handle: u32,
    flags: u32,
    out_fence: u32,
    pad: u32,
}

/// `drm_vgem_fence_signal`.
#[repr(C)]
struct Signal {
    fence: u32,
    flags: u32,
}

pub(crate) struct Fence<'card> {
    vgem: &'card Card,
    number: u32,
}

impl Fence<'_> {
    /// Whoever wants to read this dma-buf is to wait for it.
    pub(crate) fn attach<'card>(
        vgem: &'card Card,
        dmabuf: BorrowedFd<'_>,
    ) -> anyhow::Result<Fence<'card>> {
        let handle = vgem.prime_fd_to_buffer(dmabuf).context("vgem does not take the dma-buf")?;
        let mut attach = Attach { handle: handle.into(), flags: WRITE, out_fence: 0, pad: 0 };
        // SAFETY: `Attach` is laid out as the kernel has it for this request, which reads and writes no more.
        unsafe { ioctl(vgem, Updater::<ATTACH, Attach>::new(&mut attach)) }
            .context("cannot attach a fence")?;
        Ok(Fence { vgem, number: attach.out_fence })
    }

    pub(crate) fn signal(self) -> anyhow::Result<()> {
        let signal = Signal { fence: self.number, flags: 0 };
        // SAFETY: `Signal` is laid out as the kernel has it for this request, which reads no more.
        unsafe { ioctl(self.vgem, Setter::<SIGNAL, Signal>::new(signal)) }
            .context("cannot signal the fence (did it take longer than ten seconds?)")
    }
}
