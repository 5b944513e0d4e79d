//! The emulated machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::Context;

use super::console;
use super::images::Images;
use crate::demo::{self, Process, until};
use crate::paths;

/// Without SMAP, because QEMU's emulation of it faults a paravirtual dom0. Without RDTSCP and XSAVE
/// for guests with hardware support: the emulated AMD gives Xen no lengths of instructions.
const PROCESSOR: &str = "max,-smap,-rdtscp,-xsave";
/// Room for a list of all grants in Xen's log, which the scenario counts; for grants of 256 MiB; for
/// mapping these twice, as placing them does, in two entries of a page each. One processor for dom0:
/// on two, Linux once in a while dies at its start, where one patches code that the other runs, and
/// QEMU lets that one run what has been replaced.
const XEN: &str = "console=com1 com1=115200,8n1 dom0_mem=2G,max:2G dom0_max_vcpus=1 loglvl=all \
                   guest_loglvl=all conring_size=4m gnttab_max_frames=256 \
                   gnttab_max_maptrack_frames=1088";
/// How often it is started if it dies before dom0 does anything: that is the emulation's doing.
const STARTS: usize = 3;

/// A machine that runs Xen. It ends with this value.
pub(crate) struct Machine {
    qemu: Process,
    console: PathBuf,
}

impl Machine {
    /// Starts it, until dom0 begins with the scenario.
    pub(crate) fn boot(
        images: &Images,
        lab: &Path,
        shared: &Path,
        deadline: Instant,
    ) -> anyhow::Result<Machine> {
        let mut left = STARTS;
        loop {
            left -= 1;
            let mut machine = Machine::start(images, lab, shared)?;
            let begun = || {
                machine.qemu.alive()?;
                Ok(shared.join("begun").exists().then_some(()))
            };
            match until(deadline, "dom0 is up", begun) {
                Ok(()) => return Ok(machine),
                Err(error) if left == 0 => return Err(error.context("the lab does not come up")),
                Err(error) => println!("lab: the machine did not come up, once more: {error:#}"),
            }
        }
    }

    fn start(images: &Images, lab: &Path, shared: &Path) -> anyhow::Result<Machine> {
        let (console, log) = (lab.join("console"), shared.join("serial.log"));
        let monitor = lab.join("monitor").display().to_string();
        let (width, height) = demo::SIZE.split_once('x').context("a size has two sides")?;
        let [console_text, log, shared] =
            [&console, &log, &shared.to_owned()].map(|path| path.display().to_string());
        let (linux, root) = (images.file("vmlinuz"), images.file("dom0.img"));
        let (linux, root) = (linux.display(), root.display());
        let mut command = Command::new("qemu-system-x86_64");
        command
            .args(["-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", PROCESSOR])
            .args(["-smp", "2", "-m", "4608", "-display", "none", "-no-reboot"])
            .args(["-monitor", "none", "-nic", "none"])
            // Of dom0's own.
            .args(["-vga", "none", "-device"])
            .arg(format!("virtio-gpu-pci,id=gpu,xres={width},yres={height}"))
            .args(["-device", "virtio-keyboard-pci", "-device", "virtio-tablet-pci"])
            .arg("-chardev")
            .arg(format!("socket,id=com1,path={console_text},server=on,wait=off,logfile={log}"))
            .args(["-serial", "chardev:com1"])
            // What dom0 writes to this port is for QEMU's monitor, which types and clicks for it. A serial
            // port would not do: it echoes what the monitor says until it is told not to.
            .arg("-chardev")
            .arg(format!("socket,id=monitor,path={monitor},server=on,wait=off"))
            .args(["-mon", "chardev=monitor,mode=control", "-chardev"])
            .arg(format!("socket,id=port,path={monitor}"))
            .args([
                "-device",
                "virtio-serial-pci",
                "-device",
                "virtserialport,chardev=port,name=monitor",
            ])
            .arg("-virtfs")
            .arg(format!("local,path={shared},mount_tag=lab,security_model=none"))
            .arg("-kernel")
            .arg(images.file("xen"))
            .args(["-append", XEN])
            // As Xen's modules: dom0's kernel with its arguments, and its root.
            .arg("-initrd")
            .arg(format!("{linux} console=hvc0 loglevel=4,{root}"));
        Ok(Machine { qemu: Process::start("qemu", &mut command, lab)?, console })
    }

    /// What dom0 writes there when it has done everything.
    pub(crate) fn wait_for(&mut self, file: &Path, deadline: Instant) -> anyhow::Result<String> {
        let Machine { qemu, .. } = self;
        let look = || {
            // Read before it is asked whether the machine runs, which it may not any more.
            let written = fs::read_to_string(file).ok().filter(|text| text.ends_with('\n'));
            if written.is_none() {
                qemu.alive()?;
            }
            Ok(written)
        };
        until(deadline, "the lab has run its scenario", look)
            .with_context(|| format!("the lab broke\n{}", qemu.log_tail()))
    }

    /// Leaves it running: here with a shell in dom0, or where this is no terminal, until this
    /// program is ended.
    pub(crate) fn keep(&mut self) -> anyhow::Result<()> {
        if console::is_there() {
            println!("here is a shell in dom0; Ctrl-] ends the machine");
            return console::join(&self.console);
        }
        println!(
            "the machine goes on until this program is ended; a shell in dom0 is at the socket"
        );
        println!("  {}", paths::shown(&self.console));
        while self.qemu.alive().is_ok() {
            std::thread::park_timeout(std::time::Duration::from_secs(1));
        }
        Ok(())
    }
}
