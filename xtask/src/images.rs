//! What emulated machines boot: made once for each version of its recipe, and then only looked up.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::paths;

/// Makes images by the first file of the recipe, a program, in a directory below `directory`, unless
/// they are there. Where they are.
pub(crate) fn provide(recipe: &[PathBuf], directory: &Path) -> anyhow::Result<PathBuf> {
    let program = recipe.first().context("a recipe has a program")?;
    let mut hasher = DefaultHasher::new();
    for part in recipe {
        fs::read(part).with_context(|| format!("no {}", part.display()))?.hash(&mut hasher);
    }
    let made = directory.join(format!("images-{:016x}", hasher.finish()));
    if !made.exists() {
        println!("{}: takes a minute or two, once", paths::shown(program));
        // Under another name until they are whole.
        let unfinished = made.with_extension("unfinished");
        remove(&unfinished)?;
        run(Command::new(program).arg(&unfinished))?;
        fs::rename(&unfinished, &made).context("cannot name the images")?;
    }
    Ok(made)
}

/// Removes a directory with all that is in it, if it is there.
pub(crate) fn remove(directory: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", directory.display()))
        }
        _ => Ok(()),
    }
}

/// Runs a program, which has to succeed.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().to_owned();
    let status = command.status().with_context(|| format!("cannot run {}", program.display()))?;
    if !status.success() {
        bail!("{} failed: {status}", program.display());
    }
    Ok(())
}
