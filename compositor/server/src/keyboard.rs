//! The seat's keyboard: what its keys mean, and how they repeat.

use smithay::{
    input::{
        Seat, SeatState,
        keyboard::{XkbConfig, xkb},
    },
    reexports::wayland_server::DisplayHandle,
};

use crate::{config::KeyboardConfig, state::State};

/// The keyboard cannot be as it is configured.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot build the keymap (layout `{}`, variant `{}`, model `{}`): {reason}. \
     Check [keyboard] in the configuration, and that the package xkb-data is installed \
     (looked for in $XKB_CONFIG_ROOT or /usr/share/X11/xkb)",
    config.layout, config.variant, config.model
)]
pub struct KeyboardError {
    config: Box<KeyboardConfig>,
    reason: String,
}

impl KeyboardError {
    fn new(config: &KeyboardConfig, reason: impl ToString) -> KeyboardError {
        KeyboardError { config: Box::new(config.clone()), reason: reason.to_string() }
    }
}

fn for_xkb(config: &KeyboardConfig) -> XkbConfig<'_> {
    XkbConfig {
        rules: "",
        model: &config.model,
        layout: &config.layout,
        variant: &config.variant,
        options: config.options.clone(),
    }
}

/// The seat, with a keyboard, a pointer and a touch screen.
pub(crate) fn new_seat(
    seat_state: &mut SeatState<State>,
    handle: &DisplayHandle,
    config: &KeyboardConfig,
) -> Result<Seat<State>, KeyboardError> {
    // Without any directory to look in, xkb gives no context, and the bindings would go on with a
    // null pointer.
    if xkb::Context::new(xkb::CONTEXT_NO_FLAGS).get_raw_ptr().is_null() {
        return Err(KeyboardError::new(config, "there is no directory with keyboard data"));
    }
    let mut seat = seat_state.new_wl_seat(handle, "seat0");
    let (delay, rate) = (i32::from(config.repeat_delay), i32::from(config.repeat_rate));
    seat.add_keyboard(for_xkb(config), delay, rate)
        .map_err(|error| KeyboardError::new(config, error))?;
    seat.add_pointer();
    seat.add_touch();
    Ok(seat)
}

impl State {
    /// Let keys mean what is configured from now on; if that cannot be, they mean what they did.
    pub(crate) fn change_layout(&mut self, config: &KeyboardConfig) -> Result<(), KeyboardError> {
        let Some(keyboard) = self.seat.get_keyboard() else { return Ok(()) };
        let changed = keyboard.set_xkb_config(self, for_xkb(config));
        changed.map_err(|_| KeyboardError::new(config, "xkb does not know it"))
    }

    /// Let held keys repeat as configured.
    pub(crate) fn change_repeat(&mut self, config: &KeyboardConfig) {
        if let Some(keyboard) = self.seat.get_keyboard() {
            let (rate, delay) = (config.repeat_rate, config.repeat_delay);
            keyboard.change_repeat_info(i32::from(rate), i32::from(delay));
        }
    }
}
