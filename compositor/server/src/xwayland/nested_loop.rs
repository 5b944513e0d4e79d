//! An event loop within the compositor's, in which Smithay's window manager for X11 has its sources.
//!
//! Smithay waits for Xwayland in the callbacks of those, which are its own. So that they are watched, and
//! nothing else is, they are called from a loop that is turned within a watch.

use std::{io, os::fd::AsFd, time::Duration};

use smithay::reexports::calloop::{
    EventLoop, Interest, LoopHandle, Mode, PostAction, generic::Generic,
};

use crate::state::State;

/// Make one that is turned by `outer`, for as long as that runs.
pub(super) fn within(outer: &LoopHandle<'static, State>) -> io::Result<LoopHandle<'static, State>> {
    let mut inner =
        EventLoop::<State>::try_new().map_err(|error| io::Error::other(error.to_string()))?;
    let handle = inner.handle();
    // It is readable whenever one of its sources is. The window manager uses no timers, which that would
    // not show.
    let readable = inner.as_fd().try_clone_to_owned()?;
    let source = Generic::new(readable, Interest::READ, Mode::Level);
    let inserted = outer.insert_source(source, move |_, _, state| {
        let turned = state.tell_x11(|state| inner.dispatch(Some(Duration::ZERO), state));
        if let Err(error) = turned {
            tracing::error!(%error, "the window manager for X11 programs has failed");
        }
        Ok(PostAction::Continue)
    });
    inserted.map_err(|error| io::Error::other(error.error.to_string()))?;
    Ok(handle)
}
