//! When the configuration is read again: its file has changed, or a signal came.

use std::{
    ffi::{OsStr, OsString},
    io,
    mem::MaybeUninit,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::inotify::{self, CreateFlags, WatchFlags},
    io::Errno,
};
use smithay::reexports::calloop::{Interest, Mode, PostAction, generic::Generic};

use crate::state::State;

/// The file of the configuration cannot be watched.
#[derive(Debug, thiserror::Error)]
#[error(
    "the configuration {} cannot be watched: {cause}. It is read again when asked for, by SIGHUP or \
     hyper-dmabufctl reload", path.display()
)]
pub struct WatchError {
    path: PathBuf,
    cause: io::Error,
}

/// A file that is watched by the directories in which it can be replaced: most editors write another
/// file and give it the name, and a watch of the file itself would end with the old one.
struct Watched {
    inotify: OwnedFd,
    /// The file's name in each directory, by the number of its watch.
    names: Vec<(i32, OsString)>,
}

impl Watched {
    fn new(path: &Path) -> io::Result<Watched> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let mut names = Vec::new();
        let absolute = std::path::absolute(path)?;
        // A link may be replaced, and so may what it leads to. A file that is not there may come.
        let target = std::fs::canonicalize(&absolute).ok();
        for path in target.into_iter().chain([absolute]) {
            if let (Some(directory), Some(name)) = (path.parent(), path.file_name()) {
                // An empty file that was just made would be a whole configuration: it counts once it
                // is written.
                let flags = WatchFlags::CLOSE_WRITE | WatchFlags::MOVED_TO | WatchFlags::ONLYDIR;
                names.push((inotify::add_watch(&inotify, directory, flags)?, name.to_owned()));
            }
        }
        Ok(Watched { inotify, names })
    }
}

/// Take all that is to be told of changes. Whether the file was among them.
fn has_changed(inotify: &OwnedFd, names: &[(i32, OsString)]) -> io::Result<bool> {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut events = inotify::Reader::new(inotify, &mut buffer);
    let mut changed = false;
    loop {
        match events.next() {
            Ok(event) => {
                let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
                changed |= names.iter().any(|(watch, watched)| {
                    *watch == event.wd() && name == Some(watched.as_os_str())
                });
            }
            Err(Errno::AGAIN) => return Ok(changed),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

impl State {
    /// Read the configuration again whenever its file has changed.
    pub fn watch_config(&mut self, path: &Path) -> Result<(), WatchError> {
        let error = |cause| WatchError { path: path.to_path_buf(), cause };
        let Watched { inotify, names } = Watched::new(path).map_err(error)?;
        let source = Generic::new(inotify, Interest::READ, Mode::Level);
        let inserted = self.loop_handle.insert_source(source, move |_, inotify, state| {
            if has_changed(inotify, &names)? {
                // The log says what came of it; there is nobody else to tell.
                let _ = state.reload();
            }
            Ok(PostAction::Continue)
        });
        inserted.map(drop).map_err(|cause| error(io::Error::other(cause.to_string())))
    }

    /// SIGHUP came: from who wants the configuration read again, or, where there is none to be read,
    /// from a terminal that was closed.
    pub(crate) fn hung_up(&mut self) {
        if self.read_config.is_some() {
            let _ = self.reload();
        } else if let Some(signal) = &self.loop_signal {
            tracing::info!("asked to end by SIGHUP");
            signal.stop();
        }
    }
}
