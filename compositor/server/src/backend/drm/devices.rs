//! Input devices come and go, and are set as they are configured.

use smithay::{
    backend::input::InputEvent,
    reexports::input::{
        self, Device, DeviceCapability, DeviceConfigError, Event as LibinputEvent,
        ScrollMethod as LibinputScroll, SendEventsMode, TapButtonMap,
        event::{
            DeviceEvent, EventTrait, GestureEvent, KeyboardEvent, PointerEvent, TabletToolEvent,
            TouchEvent,
            gesture::{GestureHoldEvent, GesturePinchEvent, GestureSwipeEvent},
        },
    },
    wayland::tablet_manager::{TabletDescriptor, TabletSeatTrait},
};

use crate::{
    devices::{
        AccelProfile, ClickMethod, DeviceConfig, DeviceKind, ScrollMethod, TapButtons, Used,
        settings,
    },
    state::State,
};

impl State {
    /// Take what libinput has to tell without being woken for it. What it finds when it takes the seat or
    /// has it back, and what is let go of when it gives the seat away, it queues and wakes nobody.
    pub(super) fn seat_taken_or_given(&mut self) {
        let Some(mut libinput) = self.drm().map(|drm| drm.libinput.clone()) else { return };
        for event in &mut libinput {
            let event = match event {
                LibinputEvent::Device(DeviceEvent::Added(it)) => {
                    InputEvent::DeviceAdded { device: it.device() }
                }
                LibinputEvent::Device(DeviceEvent::Removed(it)) => {
                    InputEvent::DeviceRemoved { device: it.device() }
                }
                LibinputEvent::Keyboard(KeyboardEvent::Key(event)) => {
                    InputEvent::Keyboard { event }
                }
                LibinputEvent::Pointer(PointerEvent::Button(event)) => {
                    InputEvent::PointerButton { event }
                }
                LibinputEvent::Touch(TouchEvent::Up(event)) => InputEvent::TouchUp { event },
                LibinputEvent::Touch(TouchEvent::Cancel(event)) => {
                    InputEvent::TouchCancel { event }
                }
                LibinputEvent::Gesture(GestureEvent::Swipe(GestureSwipeEvent::End(event))) => {
                    InputEvent::GestureSwipeEnd { event }
                }
                LibinputEvent::Gesture(GestureEvent::Pinch(GesturePinchEvent::End(event))) => {
                    InputEvent::GesturePinchEnd { event }
                }
                LibinputEvent::Gesture(GestureEvent::Hold(GestureHoldEvent::End(event))) => {
                    InputEvent::GestureHoldEnd { event }
                }
                LibinputEvent::Tablet(TabletToolEvent::Tip(event)) => {
                    InputEvent::TabletToolTip { event }
                }
                LibinputEvent::Tablet(TabletToolEvent::Button(event)) => {
                    InputEvent::TabletToolButton { event }
                }
                LibinputEvent::Tablet(TabletToolEvent::Proximity(event)) => {
                    InputEvent::TabletToolProximity { event }
                }
                _ => continue,
            };
            self.device_input(event);
        }
    }

    pub(super) fn device_added(&mut self, mut device: Device) {
        let name = device.name().to_owned();
        let kind = kind(&device);
        tracing::info!(%name, ?kind, "an input device is there");
        let wanted = settings(&self.config.devices, &name, kind);
        for setting in apply(&mut device, &wanted) {
            // A rule for all devices is right for those that have it.
            tracing::debug!(%name, setting, "the device does not have this setting");
        }
        if kind == Some(DeviceKind::Tablet) {
            let seat = self.seat.tablet_seat();
            seat.add_tablet::<State>(&self.display_handle, &TabletDescriptor::from(&device));
        }
    }

    pub(super) fn device_removed(&mut self, device: &Device) {
        tracing::info!(name = %device.name(), "an input device is gone");
        if kind(device) == Some(DeviceKind::Tablet) {
            let seat = self.seat.tablet_seat();
            seat.remove_tablet(&TabletDescriptor::from(device));
            if seat.count_tablets() == 0 {
                seat.clear_tools();
            }
        }
    }

    /// How a device is set.
    pub(super) fn settings_of(&self, device: &Device) -> DeviceConfig {
        settings(&self.config.devices, device.name(), kind(device))
    }
}

/// What a device is, of what there are settings for.
fn kind(device: &Device) -> Option<DeviceKind> {
    let has = |capability| device.has_capability(capability);
    if has(DeviceCapability::TabletTool) {
        Some(DeviceKind::Tablet)
    } else if has(DeviceCapability::Touch) {
        Some(DeviceKind::Touch)
    } else if has(DeviceCapability::Pointer) && device.config_tap_finger_count() > 0 {
        Some(DeviceKind::Touchpad)
    } else if has(DeviceCapability::Pointer) {
        Some(DeviceKind::Mouse)
    } else if has(DeviceCapability::Keyboard) {
        Some(DeviceKind::Keyboard)
    } else {
        None
    }
}

/// Set a device. Which of the settings it does not have.
fn apply(device: &mut Device, wanted: &DeviceConfig) -> Vec<&'static str> {
    let mut refused = Vec::new();
    let mut check = |setting, result: Option<Result<(), DeviceConfigError>>| {
        if let Some(Err(_)) = result {
            refused.push(setting);
        }
    };
    check("used", wanted.used.map(|used| device.config_send_events_set_mode(when(used))));
    check("tap", wanted.tap.map(|on| device.config_tap_set_enabled(on)));
    check("tap_drag", wanted.tap_drag.map(|on| device.config_tap_set_drag_enabled(on)));
    check(
        "tap_drag_lock",
        wanted.tap_drag_lock.map(|on| device.config_tap_set_drag_lock_enabled(on)),
    );
    check(
        "tap_buttons",
        wanted.tap_buttons.map(|buttons| {
            device.config_tap_set_button_map(match buttons {
                TapButtons::LeftRightMiddle => TapButtonMap::LeftRightMiddle,
                TapButtons::LeftMiddleRight => TapButtonMap::LeftMiddleRight,
            })
        }),
    );
    check(
        "natural_scroll",
        wanted.natural_scroll.map(|on| device.config_scroll_set_natural_scroll_enabled(on)),
    );
    check(
        "accel_profile",
        wanted.accel_profile.map(|profile| {
            device.config_accel_set_profile(match profile {
                AccelProfile::Flat => input::AccelProfile::Flat,
                AccelProfile::Adaptive => input::AccelProfile::Adaptive,
            })
        }),
    );
    check(
        "accel_speed",
        wanted.accel_speed.map(|speed| device.config_accel_set_speed(speed.value())),
    );
    check(
        "scroll_method",
        wanted.scroll_method.map(|method| {
            device.config_scroll_set_method(match method {
                ScrollMethod::None => LibinputScroll::NoScroll,
                ScrollMethod::TwoFinger => LibinputScroll::TwoFinger,
                ScrollMethod::Edge => LibinputScroll::Edge,
                ScrollMethod::OnButtonDown => LibinputScroll::OnButtonDown,
            })
        }),
    );
    check(
        "scroll_button",
        wanted.scroll_button.map(|button| device.config_scroll_set_button(button)),
    );
    check(
        "click_method",
        wanted.click_method.map(|method| {
            device.config_click_set_method(match method {
                ClickMethod::ButtonAreas => input::ClickMethod::ButtonAreas,
                ClickMethod::Clickfinger => input::ClickMethod::Clickfinger,
            })
        }),
    );
    check("left_handed", wanted.left_handed.map(|on| device.config_left_handed_set(on)));
    check(
        "middle_emulation",
        wanted.middle_emulation.map(|on| device.config_middle_emulation_set_enabled(on)),
    );
    check(
        "disable_while_typing",
        wanted.disable_while_typing.map(|on| device.config_dwt_set_enabled(on)),
    );
    refused
}

fn when(used: Used) -> SendEventsMode {
    match used {
        Used::Always => SendEventsMode::ENABLED,
        Used::Never => SendEventsMode::DISABLED,
        Used::WithoutMouse => SendEventsMode::DISABLED_ON_EXTERNAL_MOUSE,
    }
}
