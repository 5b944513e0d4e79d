//! A pipe to or from a program, without ever waiting for it.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    time::Duration,
};

use rustix::{
    fs::{FileType, Mode, OFlags, fcntl_setfl, fstat, open},
    pipe::{PipeFlags, pipe_with},
};
use smithay::reexports::calloop::{
    self, Interest, LoopHandle, PostAction, RegistrationToken,
    generic::Generic,
    timer::{TimeoutAction, Timer},
};

use crate::state::State;

/// A pipe that is worked on whenever it is ready, and given up after a while.
pub(super) struct Watched {
    pipe: RegistrationToken,
    deadline: RegistrationToken,
}

impl Watched {
    /// Call `ready` whenever the pipe is, and `late` when the time is up.
    pub(super) fn new(
        handle: &LoopHandle<'static, State>,
        pipe: OwnedFd,
        interest: Interest,
        at_most: Duration,
        ready: fn(&mut State, &OwnedFd),
        late: fn(&mut State),
    ) -> io::Result<Watched> {
        let failed = |error: &dyn ToString| io::Error::other(error.to_string());
        let source = Generic::new(pipe, interest, calloop::Mode::Level);
        let pipe = handle.insert_source(source, move |_, pipe, state| {
            ready(state, pipe);
            Ok(PostAction::Continue)
        });
        let pipe = pipe.map_err(|error| failed(&error))?;
        let deadline = handle.insert_source(Timer::from_duration(at_most), move |_, (), state| {
            late(state);
            TimeoutAction::Drop
        });
        match deadline {
            Ok(deadline) => Ok(Watched { pipe, deadline }),
            Err(error) => {
                handle.remove(pipe);
                Err(failed(&error))
            }
        }
    }

    /// Close the pipe.
    pub(super) fn end(self, handle: &LoopHandle<'static, State>) {
        handle.remove(self.pipe);
        handle.remove(self.deadline);
    }
}

/// A pipe that a program is to write to: the end to read, which does not block, and the program's.
pub(super) fn to_read() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
    fcntl_setfl(&ours, OFlags::NONBLOCK)?;
    Ok((ours, theirs))
}

/// Our own way into a pipe that a program has handed over.
///
/// Whether a write blocks is a flag of the open file, which the program shares and could change under
/// us; opened anew the flag is ours. Of anything else but a pipe that would be a file of the program's
/// choice, opened with our rights.
pub(super) fn to_write(theirs: &OwnedFd) -> io::Result<OwnedFd> {
    if FileType::from_raw_mode(fstat(theirs)?.st_mode) != FileType::Fifo {
        return Err(io::Error::other("it is not a pipe"));
    }
    let path = format!("/proc/self/fd/{}", theirs.as_raw_fd());
    Ok(open(path, OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_a_pipe_is_opened_anew() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let only_to_read = std::fs::File::open(file.path()).unwrap();
        assert!(to_write(&only_to_read.into()).is_err());
    }

    #[test]
    fn a_pipe_blocks_nobody_whatever_its_program_sets() {
        let (_reader, theirs) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let ours = to_write(&theirs).unwrap();
        fcntl_setfl(&theirs, OFlags::empty()).unwrap();
        let chunk = [0; 4096];
        let full = (0..1000).find_map(|_| rustix::io::write(&ours, &chunk).err());
        assert_eq!(full, Some(rustix::io::Errno::AGAIN));
    }
}
