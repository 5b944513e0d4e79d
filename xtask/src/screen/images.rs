//! What the machine boots: a kernel and a root, made once, and the programs of this build.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::demo::Programs;
use crate::images::{self, remove, run};
use crate::paths;

/// What `screen/images` made.
pub(crate) struct Images(PathBuf);

impl Images {
    /// Makes them, unless they are there.
    pub(crate) fn provide(directory: &Path) -> anyhow::Result<Images> {
        let recipe = ["images", "init"].map(|part| scripts().join(part));
        Ok(Images(images::provide(&recipe, directory)?))
    }

    pub(crate) fn kernel(&self) -> PathBuf {
        self.0.join("vmlinuz")
    }

    /// Puts the programs beside the root, and makes the empty directory `run`. Where the whole is.
    pub(crate) fn fill(&self, programs: &Programs, run_in: &Path) -> anyhow::Result<PathBuf> {
        remove(run_in)?;
        fs::create_dir_all(run_in.join("shared"))
            .with_context(|| format!("cannot make {}", run_in.display()))?;
        // Too large for the machine's memory.
        run(Command::new(scripts().join("mesa")).arg(run_in.join("shared/mesa")))?;
        let initramfs = run_in.join("initramfs");
        let packed = run_in.join("programs");
        let proxy = programs.proxy.as_ref().context("the guest's proxy was not built")?;
        run(Command::new(scripts().join("programs"))
            .arg(&packed)
            .args([&programs.compositor, &programs.control, &programs.guest, proxy])
            .args(&programs.only_for_screen)
            .args(["/usr/bin/weston-eventdemo", "/usr/bin/foot"]))?;
        // The kernel unpacks one archive over the other.
        let root = self.0.join("root.img");
        let mut whole = fs::read(&root).with_context(|| format!("no {}", root.display()))?;
        whole.extend(fs::read(&packed).with_context(|| format!("no {}", packed.display()))?);
        fs::write(&initramfs, whole)
            .with_context(|| format!("cannot write {}", initramfs.display()))?;
        Ok(initramfs)
    }
}

/// A directory for sockets, whose paths may be no longer than 107 bytes.
pub(crate) fn sockets() -> anyhow::Result<tempfile::TempDir> {
    tempfile::Builder::new()
        .prefix("screen-")
        .tempdir_in(env::temp_dir())
        .context("cannot make a directory for sockets")
}

fn scripts() -> PathBuf {
    paths::root().join("screen")
}
