//! A directory for the demo's sockets that only this user can enter, and that goes with the demo.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use tempfile::TempDir;

/// The directory.
pub(crate) struct RuntimeDirectory {
    directory: TempDir,
    /// Removes it when this program is killed: its input ends then.
    cleaner: Child,
}

impl RuntimeDirectory {
    pub(crate) fn new() -> anyhow::Result<RuntimeDirectory> {
        use std::os::unix::process::CommandExt;
        let directory = tempfile::Builder::new()
            .prefix("hyper-dmabuf-demo-")
            .tempdir()
            .context("cannot make a directory for sockets")?;
        let cleaner = Command::new("sh")
            .args(["-c", r#"read -r _; rm -rf -- "$1""#, "cleaner"])
            .arg(directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0) // So that Ctrl-C does not end it.
            .spawn()
            .context("cannot run sh")?;
        Ok(RuntimeDirectory { directory, cleaner })
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Where the compositor awaits a domain.
    pub(crate) fn address(&self, domain: &str) -> String {
        format!("shm:{}", self.path().join(domain).with_extension("sock").display())
    }
}

impl Drop for RuntimeDirectory {
    fn drop(&mut self) {
        drop(self.cleaner.stdin.take());
        // It fails only if it was killed; `directory` is removed in any case.
        let _ = self.cleaner.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_stays_behind() {
        let directory = RuntimeDirectory::new().unwrap();
        let path = directory.path().to_owned();
        std::fs::write(path.join("work.sock"), "").unwrap();
        assert_eq!(directory.address("work"), format!("shm:{}/work.sock", path.display()));
        drop(directory);
        assert!(!path.exists());
    }
}
