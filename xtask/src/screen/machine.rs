//! The emulated machine: a GPU with two connectors, one more with one, a keyboard, a tablet.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::Context;

use super::images::{self, Images};
use super::monitor::Monitor;
use super::shell::Shell;
use crate::demo::{self, Process, until};

/// A machine that runs. It ends with this value.
pub(crate) struct Machine {
    pub(crate) monitor: Monitor,
    pub(crate) shell: Shell,
    qemu: Process,
    _sockets: tempfile::TempDir,
}

impl Machine {
    /// Starts it, until its shell answers.
    pub(crate) fn boot(
        images: &Images,
        initramfs: &Path,
        run: &Path,
        deadline: Instant,
    ) -> anyhow::Result<Machine> {
        let sockets = images::sockets()?;
        let (monitor, shell) = (sockets.path().join("monitor"), sockets.path().join("shell"));
        let [monitor_text, shell_text] = [&monitor, &shell].map(|path| path.display().to_string());
        let (width, height) = demo::SIZE.split_once('x').context("a size has two sides")?;
        let mut command = Command::new("qemu-system-x86_64");
        command
            .args(["-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max"])
            .args(["-smp", "2", "-m", "1024", "-display", "none", "-no-reboot", "-nic", "none"])
            .args(["-vga", "none", "-device"])
            .arg(format!("virtio-gpu-pci,id=gpu,max_outputs=2,xres={width},yres={height}"))
            .args(["-device", "virtio-gpu-pci,id=second,max_outputs=1,xres=800,yres=600"])
            .args(["-device", "virtio-keyboard-pci", "-device", "virtio-tablet-pci"])
            .arg("-qmp")
            .arg(format!("unix:{monitor_text},server=on,wait=off"))
            .arg("-serial")
            .arg(format!("file:{}", run.join("serial.log").display()))
            .arg("-chardev")
            .arg(format!("socket,id=shell,path={shell_text},server=on,wait=off"))
            .args([
                "-device",
                "virtio-serial-pci",
                "-device",
                "virtserialport,chardev=shell,name=shell",
            ])
            .arg("-virtfs")
            .arg(format!(
                "local,path={},mount_tag=shared,security_model=none",
                run.join("shared").display()
            ))
            .arg("-kernel")
            .arg(images.kernel())
            .arg("-initrd")
            .arg(initramfs)
            .args(["-append", "console=ttyS0 console=tty0 loglevel=4 panic=-1"]);
        let mut qemu = Process::start("qemu", &mut command, run)?;
        let both = || {
            qemu.alive()?;
            Ok(Monitor::connect(&monitor)?.zip(Shell::connect(&shell, deadline)?))
        };
        let (monitor, mut shell) = until(deadline, "the machine listens", both)?;
        shell.await_ready().with_context(|| {
            format!("the screen's machine does not come up\n{}", qemu.log_tail())
        })?;
        Ok(Machine { monitor, shell, qemu, _sockets: sockets })
    }

    pub(crate) fn alive(&mut self) -> anyhow::Result<()> {
        self.qemu.alive()
    }
}
