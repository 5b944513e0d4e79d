//! How many files may be open: a guest's link alone may need over a thousand (see
//! [`hyper_dmabuf::link`]), and most systems begin with 1024 for all.

use std::{io, os::unix::process::CommandExt, process::Command};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The limit that this program was started with.
#[derive(Clone, Copy, Debug)]
pub struct InheritedLimit(Rlimit);

/// Raise the limit as far as the system lets. Programs that are started are to get the limit that
/// there was: one that uses `select(2)` must not be given more than 1024.
pub fn raise_limit() -> InheritedLimit {
    let inherited = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: inherited.maximum, maximum: inherited.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "cannot raise the number of files that may be open");
    }
    InheritedLimit(inherited)
}

impl InheritedLimit {
    /// Start a program with this limit.
    pub fn give_to(self, command: &mut Command) {
        let restore = move || setrlimit(Resource::Nofile, self.0).map_err(io::Error::from);
        // SAFETY: between fork and exec only async-signal-safe things may be done. This is one
        // system call; it neither allocates nor takes a lock.
        unsafe { command.pre_exec(restore) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_get_the_limit_that_there_was() {
        let before = getrlimit(Resource::Nofile);
        let lower = Rlimit { current: Some(512), maximum: before.maximum };
        setrlimit(Resource::Nofile, lower).unwrap();
        let inherited = raise_limit();
        assert_eq!(getrlimit(Resource::Nofile).current, before.maximum);
        let mut command = Command::new("sh");
        inherited.give_to(command.args(["-c", "ulimit -S -n"]));
        let output = command.output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "512");
        setrlimit(Resource::Nofile, before).unwrap();
    }
}
