//! What is logged, changed while the compositor runs.

use crate::state::State;

/// Sets what is logged, or says why not.
pub type SetFilter = Box<dyn Fn(&str) -> Result<(), String>>;

impl State {
    /// Let the control socket change what is logged.
    pub fn allow_log_filter(&mut self, set: impl Fn(&str) -> Result<(), String> + 'static) {
        self.set_log_filter = Some(Box::new(set));
    }

    /// Log from now on what the filter says, in the syntax of `RUST_LOG`.
    pub(crate) fn change_log_filter(&self, filter: &str) -> Result<(), String> {
        match &self.set_log_filter {
            Some(set) => {
                set(filter)?;
                tracing::info!(filter, "what is logged was changed");
                Ok(())
            }
            None => Err("what this compositor logs is not its own to say".to_owned()),
        }
    }
}
