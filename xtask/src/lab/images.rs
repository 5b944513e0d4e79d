//! What the lab boots: made once for each version of its recipe, and then only looked up.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::demo::{self, Programs};
use crate::images::{self, remove, run};
use crate::paths;

/// What `lab/images` made.
pub(crate) struct Images {
    directory: PathBuf,
}

impl Images {
    /// Makes them, unless they are there.
    pub(crate) fn provide(lab: &Path) -> anyhow::Result<Images> {
        let mut recipe = vec![scripts().join("dom0-init")];
        let module = paths::root().join("packaging/dkms");
        for entry in fs::read_dir(&module).with_context(|| format!("no {}", module.display()))? {
            recipe.push(entry?.path());
        }
        recipe.sort();
        recipe.insert(0, scripts().join("images"));
        let directory = images::provide(&recipe, lab)?;
        Ok(Images { directory })
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Fills the directory that the machine sees: the programs, the guests' images, and these parts of
    /// the tests.
    pub(crate) fn share<'a>(
        &self,
        programs: &'a Programs,
        shared: &Path,
        parts: &[String],
        keep: bool,
    ) -> anyhow::Result<()> {
        remove(shared)?;
        fs::create_dir_all(shared).with_context(|| format!("cannot make {}", shared.display()))?;
        let built = |program: &'a Option<PathBuf>| {
            program.as_ref().context("the lab's programs were not built")
        };
        let (lab, proxy) = (built(&programs.lab)?, built(&programs.proxy)?);
        let dmabuf = built(&programs.dmabuf)?;
        for program in [lab, &programs.compositor, &programs.control] {
            let name = program.file_name().context("a program has a name")?;
            run(Command::new("strip").arg("-o").arg(shared.join(name)).arg(program))?;
        }
        let modules = self.file("guest-modules");
        let unmodified = demo::UNMODIFIED.map(|name| Path::new("/usr/bin").join(name));
        let image = |name, programs: &[&PathBuf]| {
            run(Command::new(scripts().join("guest-image"))
                .args([&shared.join(name), &modules])
                .args(programs))
        };
        image("guest.img", &[lab, &programs.guest])?;
        let proxied: Vec<&PathBuf> =
            [lab, proxy, &programs.guest, dmabuf].into_iter().chain(&unmodified).collect();
        image("apps.img", &proxied)?;
        run(Command::new(scripts().join("display-image"))
            .args([&shared.join("display.img"), &shared.join("guest.img"), &self.file("udev")])
            .args([&programs.compositor, &programs.control]))?;
        fs::copy(self.file("vmlinux"), shared.join("vmlinux"))?;
        fs::copy(scripts().join("scenario"), shared.join("scenario"))?;
        fs::create_dir_all(shared.join("parts"))?;
        for part in parts {
            fs::copy(scripts().join("parts").join(part), shared.join("parts").join(part))?;
        }
        fs::write(shared.join("size"), demo::SIZE)?;
        // For QEMU to save its screen there.
        fs::write(shared.join("host"), shared.as_os_str().as_encoded_bytes())?;
        // To have the same random moments as a run before.
        if let Some(seed) = env::var_os("LAB_SEED") {
            fs::write(shared.join("seed"), seed.as_encoded_bytes())?;
        }
        if keep {
            fs::write(shared.join("keep"), "")?;
        }
        Ok(())
    }
}

/// The names of the tests' parts.
pub(crate) fn parts() -> anyhow::Result<Vec<String>> {
    let mut parts = Vec::new();
    for entry in fs::read_dir(scripts().join("parts")).context("the lab has no parts")? {
        parts.push(entry?.file_name().to_string_lossy().into_owned());
    }
    parts.sort();
    Ok(parts)
}

fn scripts() -> PathBuf {
    paths::root().join("lab")
}
