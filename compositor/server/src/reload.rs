//! The configuration, read again while the compositor runs.
//!
//! What is different is found first ([`difference`]); then each change is made by whom it concerns. A
//! configuration that is wrong changes nothing.

mod watch;

use crate::{
    config::{Change, Config, ConfigError, difference},
    control::messages::ReloadReport,
    keyboard::KeyboardError,
    state::State,
};

pub use watch::WatchError;

/// Reads the configuration as it was read at the start: the file, with the command line over it.
pub type ReadConfig = Box<dyn Fn() -> Result<Config, ConfigError>>;

/// Why the configuration is kept as it was.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// There is nothing to read.
    #[error("this compositor was started without --config, and so has no file to read again")]
    NoFile,
    /// What is to be read is wrong, or not there.
    #[error("{0}. The configuration stays as it was")]
    Config(#[from] ConfigError),
    /// The keyboard cannot be as configured.
    #[error("{0}. The configuration stays as it was")]
    Keyboard(#[from] KeyboardError),
}

impl State {
    /// Let the configuration be read again.
    pub fn allow_reload(&mut self, read: impl Fn() -> Result<Config, ConfigError> + 'static) {
        self.read_config = Some(Box::new(read));
    }

    /// Read the configuration again, and do what it says from now on. The log says what came of it.
    pub fn reload(&mut self) -> Result<ReloadReport, ReloadError> {
        let result = self.read_again();
        match &result {
            Ok(report) => report.log(),
            Err(error) => tracing::error!("{error}"),
        }
        result
    }

    fn read_again(&mut self) -> Result<ReloadReport, ReloadError> {
        let read = self.read_config.as_ref().ok_or(ReloadError::NoFile)?;
        let new = read()?;
        let changes = difference(&self.config, &new);
        // The one thing that shows only when it is tried.
        if changes.contains(&Change::KeyboardLayout) {
            self.change_layout(&new.keyboard)?;
        }
        let old = std::mem::replace(&mut self.config, new);
        let mut report = ReloadReport::default();
        for change in changes {
            if let Change::AtNextStart(what) = change {
                report.at_next_start.push(what.to_owned());
                continue;
            }
            match self.follow(&change, &old) {
                Ok(()) => report.changed.push(change.to_string()),
                Err(error) => report.failed.push(format!("{change}: {error}")),
            }
        }
        // Not only what is configured may be new.
        if let Err(error) = self.find_fonts_anew() {
            report.failed.push(format!("fonts: {error}"));
        }
        // Whether there is an identity bar may depend on whether there are domains.
        if self.theme.identity_bar() != self.config.identity_bar() {
            self.follow_theme();
        }
        Ok(report)
    }

    /// Frames and the identity bar look as they are configured now.
    fn follow_theme(&mut self) {
        self.theme = self.config.frame_theme();
        self.panels_follow_outputs();
        self.keep_windows_within_reach();
        self.draw_labels_anew();
    }

    /// Do what a change asks for; the new configuration is in place already.
    fn follow(&mut self, change: &Change, old: &Config) -> Result<(), String> {
        match change {
            Change::Background | Change::Frames => self.follow_theme(),
            Change::Cursor => {
                self.cursor.shown =
                    self.config.cursor.unwrap_or_else(|| self.backend.shows_cursor());
                self.queue_redraw();
            }
            Change::KeyRepeat => self.change_repeat(&self.config.keyboard.clone()),
            // Each key is looked up in the configuration when it is pressed, and what it may carry over
            // then; the layout is done, and fonts are looked for whatever is different.
            Change::Fonts | Change::Keys | Change::Clipboard | Change::KeyboardLayout => {}
            Change::Outputs => return self.reconfigure_outputs(old),
            Change::DomainRemoved(name) => self.domain_removed(name),
            Change::DomainAdded(domain) => return self.domain_added(domain),
            Change::DomainChanged(domain) => self.domain_changed(domain),
            Change::Protocols | Change::Limits => self.rules_changed(),
            Change::AnyDomain => return self.any_domain_changed(),
            Change::AtNextStart(_) => {}
        }
        Ok(())
    }
}

impl ReloadReport {
    fn log(&self) {
        if self.changed.is_empty() && self.at_next_start.is_empty() && self.failed.is_empty() {
            tracing::info!("the configuration was read again: nothing is different");
        }
        if !self.changed.is_empty() {
            tracing::info!(changed = self.changed.join(", "), "the configuration was read again");
        }
        for what in &self.at_next_start {
            tracing::warn!("{what} is configured differently: it takes effect at the next start");
        }
        for failed in &self.failed {
            tracing::error!("the configuration cannot be followed: {failed}");
        }
    }
}
