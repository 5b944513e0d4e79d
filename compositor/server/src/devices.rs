//! How input devices are set: `[[device]]` in the configuration.

use serde::Deserialize;

use crate::{config::ValueError, outputs::settings::OutputName};

/// Settings of the devices that it is about. What is left out stays as libinput has it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeviceConfig {
    /// The device of this name, as the log tells it; without a name, all.
    pub name: Option<String>,
    /// Devices of this kind; without one, of all kinds.
    pub kind: Option<DeviceKind>,
    /// When it is used.
    pub used: Option<Used>,
    /// A touch of a touchpad is a click.
    pub tap: Option<bool>,
    /// A touch after a tap drags.
    pub tap_drag: Option<bool>,
    /// The finger may be lifted for a moment while it drags.
    pub tap_drag_lock: Option<bool>,
    /// What two and three fingers tap.
    pub tap_buttons: Option<TapButtons>,
    /// What is scrolled goes where the fingers go.
    pub natural_scroll: Option<bool>,
    /// How fast the pointer is, from -1 to 1.
    pub accel_speed: Option<AccelSpeed>,
    /// Whether the pointer is faster the faster the hand is.
    pub accel_profile: Option<AccelProfile>,
    /// What scrolls.
    pub scroll_method: Option<ScrollMethod>,
    /// The button that scrolls, in the kernel's numbers.
    pub scroll_button: Option<u32>,
    /// How a touchpad without buttons clicks.
    pub click_method: Option<ClickMethod>,
    /// The buttons are swapped.
    pub left_handed: Option<bool>,
    /// The left and the right button together are the middle one.
    pub middle_emulation: Option<bool>,
    /// A touchpad rests while somebody types.
    pub disable_while_typing: Option<bool>,
    /// The output that a touch screen or a tablet belongs to; without one, all of them.
    pub output: Option<OutputName>,
}

/// What a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceKind {
    /// Keys.
    Keyboard,
    /// A mouse, a trackball or a stick.
    Mouse,
    /// A touchpad.
    Touchpad,
    /// A touch screen.
    Touch,
    /// A tablet with a pen.
    Tablet,
}

/// When a device is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Used {
    /// Whenever it is there.
    Always,
    /// Never.
    Never,
    /// While no mouse is plugged in.
    WithoutMouse,
}

/// What two and three fingers tap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TapButtons {
    /// Two the right button, three the middle one.
    LeftRightMiddle,
    /// Two the middle button, three the right one.
    LeftMiddleRight,
}

/// Whether the pointer is faster the faster the hand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccelProfile {
    /// No.
    Flat,
    /// Yes.
    Adaptive,
}

/// What scrolls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScrollMethod {
    /// Nothing but a wheel.
    None,
    /// Two fingers.
    TwoFinger,
    /// A finger at the edge.
    Edge,
    /// Movement while a button is held.
    OnButtonDown,
}

/// How a touchpad without buttons clicks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClickMethod {
    /// Its lower edge has areas for the buttons.
    ButtonAreas,
    /// The number of fingers is the button.
    Clickfinger,
}

/// How fast a pointer is.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub struct AccelSpeed(f64);

impl AccelSpeed {
    /// From -1 to 1.
    pub fn value(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for AccelSpeed {
    type Error = ValueError;

    fn try_from(speed: f64) -> Result<AccelSpeed, ValueError> {
        let is_one = (-1.0..=1.0).contains(&speed);
        is_one
            .then_some(AccelSpeed(speed))
            .ok_or_else(|| ValueError::new(speed, "a speed: write a number from -1 to 1"))
    }
}

/// The settings of one device: of all that are about it, the last word on each.
pub fn settings(all: &[DeviceConfig], name: &str, kind: Option<DeviceKind>) -> DeviceConfig {
    let about = |config: &&DeviceConfig| {
        config.name.as_deref().is_none_or(|wanted| wanted == name)
            && (config.kind.is_none() || config.kind == kind)
    };
    all.iter().filter(about).fold(DeviceConfig::default(), |before, now| DeviceConfig {
        name: None,
        kind: None,
        used: now.used.or(before.used),
        tap: now.tap.or(before.tap),
        tap_drag: now.tap_drag.or(before.tap_drag),
        tap_drag_lock: now.tap_drag_lock.or(before.tap_drag_lock),
        tap_buttons: now.tap_buttons.or(before.tap_buttons),
        natural_scroll: now.natural_scroll.or(before.natural_scroll),
        accel_speed: now.accel_speed.or(before.accel_speed),
        accel_profile: now.accel_profile.or(before.accel_profile),
        scroll_method: now.scroll_method.or(before.scroll_method),
        scroll_button: now.scroll_button.or(before.scroll_button),
        click_method: now.click_method.or(before.click_method),
        left_handed: now.left_handed.or(before.left_handed),
        middle_emulation: now.middle_emulation.or(before.middle_emulation),
        disable_while_typing: now.disable_while_typing.or(before.disable_while_typing),
        output: now.output.clone().or(before.output),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn what_is_said_last_of_a_device_holds() {
        let config = Config::from_toml(
            r#"
            [[device]]
            natural_scroll = true
            accel_speed = -0.5
            [[device]]
            kind = "touchpad"
            tap = true
            accel_speed = 0.25
            [[device]]
            name = "ACME Pad"
            tap = false
            "#,
        )
        .unwrap();
        let of = |name, kind| settings(&config.devices, name, Some(kind));
        let mouse = of("Some mouse", DeviceKind::Mouse);
        assert_eq!((mouse.tap, mouse.natural_scroll), (None, Some(true)));
        assert_eq!(mouse.accel_speed.map(AccelSpeed::value), Some(-0.5));
        let touchpad = of("Some pad", DeviceKind::Touchpad);
        assert_eq!((touchpad.tap, touchpad.natural_scroll), (Some(true), Some(true)));
        assert_eq!(of("ACME Pad", DeviceKind::Touchpad).tap, Some(false));
    }

    #[test]
    fn wrong_settings_are_reported_where_they_stand() {
        for (text, place) in [
            ("[[device]]\naccel_speed = 2.0\n", "line 2, column 15"),
            ("[[device]]\nkind = \"mice\"\n", "line 2, column 8"),
            ("[[device]]\ntaps = true\n", "line 2, column 1"),
        ] {
            let message = Config::from_toml(text).unwrap_err().to_string();
            assert!(message.contains(place), "{text:?} gave {message}");
        }
    }
}
