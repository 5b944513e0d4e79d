//! Where things are.

use std::env;
use std::path::{Path, PathBuf};

/// The repository.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Cargo's target directory.
pub(crate) fn target() -> PathBuf {
    // Joining an absolute path gives that path.
    root().join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// The directory of the steps' logs.
pub(crate) fn logs() -> PathBuf {
    target().join("xtask")
}

/// A path as it is best shown: relative to the working directory where it lies below it.
pub(crate) fn shown(path: &Path) -> String {
    let working = env::current_dir().unwrap_or_default();
    path.strip_prefix(&working).unwrap_or(path).display().to_string()
}
