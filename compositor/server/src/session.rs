//! The compositor as a login session's: programs that others start are to find it, and systemd is to
//! know when they can.

use std::{io, process::Command};

use crate::{
    child::{self, Surroundings},
    state::State,
};

/// Hands on what programs need to find the compositor: those that systemd's user manager starts, and
/// those that D-Bus does. Neither has to be there.
const TELL: &str = r#"
    if command -v systemctl >/dev/null; then systemctl --user import-environment "$@"; fi
    if command -v dbus-update-activation-environment >/dev/null
    then dbus-update-activation-environment "$@"; fi
"#;

impl State {
    /// Let systemd and D-Bus know where the compositor is, then tell systemd that it is ready.
    pub fn begin_login_session(&mut self, surroundings: &Surroundings) -> io::Result<()> {
        let mut tell = Command::new("sh");
        tell.args(["-c", TELL, "sh", "WAYLAND_DISPLAY", "XDG_CURRENT_DESKTOP", "XDG_SESSION_TYPE"]);
        surroundings.prepare(&mut tell);
        child::watch(&self.loop_handle, tell.spawn()?, |_, status| {
            if !status.success() {
                tracing::warn!(%status, "programs that systemd or D-Bus start may not find the compositor");
            }
            // Does nothing where nobody waits for it.
            if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
                tracing::warn!(%error, "systemd cannot be told that the compositor is ready");
            }
        })
    }
}
