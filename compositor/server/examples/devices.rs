//! Input devices that the kernel makes up: a tablet with a pen, a touchpad, and a touch screen. For
//! `cargo xtask screen`, where QEMU has none.
//!
//! It makes all three, and then does for each line that it reads what that names: `pen`, `swipe`, `pinch`,
//! `scroll` or `touch`.

use std::{io, thread, time::Duration};

use anyhow::{Context, bail};
use evdev::{
    AbsInfo, AbsoluteAxisCode as Axis, AttributeSet, EventType, InputEvent, KeyCode, PropType,
    UinputAbsSetup, uinput::VirtualDevice,
};

/// How long fingers stay at a place before they move on: libinput takes what is faster for a jump.
const STEP: Duration = Duration::from_millis(12);
/// Units a millimetre.
const RESOLUTION: i32 = 40;
/// Width and height of every device: 100 mm each.
const SIDE: i32 = 100 * RESOLUTION;

/// A finger's place.
type Place = (i32, i32);

fn main() -> anyhow::Result<()> {
    let mut pen = tablet().context("cannot make a tablet: is /dev/uinput there?")?;
    let mut touchpad = fingers("Test touchpad", PropType::POINTER)?;
    let mut screen = fingers("Test touch screen", PropType::DIRECT)?;
    println!("the devices are there");
    for line in io::stdin().lines() {
        match line?.as_str() {
            "pen" => write(&mut pen)?,
            "swipe" => move_fingers(&mut touchpad, |step| {
                (0..3).map(|finger| (800 + finger * 800 + step * 60, 2000)).collect()
            })?,
            "pinch" => move_fingers(&mut touchpad, |step| {
                vec![(1900 - step * 50, 2000), (2100 + step * 50, 2000)]
            })?,
            "scroll" => move_fingers(&mut touchpad, |step| {
                vec![(1500, 1000 + step * 60), (2300, 1000 + step * 60)]
            })?,
            "touch" => move_fingers(&mut screen, |step| vec![(2000 + step * 10, 2000)])?,
            other => bail!("nothing is called {other:?}"),
        }
        println!("done");
    }
    Ok(())
}

fn axis(axis: Axis, least: i32, greatest: i32, resolution: i32) -> UinputAbsSetup {
    UinputAbsSetup::new(axis, AbsInfo::new(0, least, greatest, 0, 0, resolution))
}

fn tablet() -> io::Result<VirtualDevice> {
    let keys = [KeyCode::BTN_TOOL_PEN, KeyCode::BTN_TOUCH, KeyCode::BTN_STYLUS];
    VirtualDevice::builder()?
        .name("Test tablet")
        .with_keys(&keys.into_iter().collect::<AttributeSet<_>>())?
        .with_properties(&[PropType::DIRECT].into_iter().collect::<AttributeSet<_>>())?
        .with_absolute_axis(&axis(Axis::ABS_X, 0, SIDE, RESOLUTION))?
        .with_absolute_axis(&axis(Axis::ABS_Y, 0, SIDE, RESOLUTION))?
        .with_absolute_axis(&axis(Axis::ABS_PRESSURE, 0, 1000, 0))?
        .with_absolute_axis(&axis(Axis::ABS_DISTANCE, 0, 60, 0))?
        .with_absolute_axis(&axis(Axis::ABS_TILT_X, -60, 60, 57))?
        .with_absolute_axis(&axis(Axis::ABS_TILT_Y, -60, 60, 57))?
        .build()
}

fn fingers(name: &str, property: PropType) -> io::Result<VirtualDevice> {
    let keys = [
        KeyCode::BTN_TOUCH,
        KeyCode::BTN_LEFT,
        KeyCode::BTN_TOOL_FINGER,
        KeyCode::BTN_TOOL_DOUBLETAP,
        KeyCode::BTN_TOOL_TRIPLETAP,
    ];
    // A touch screen does not tell how many fingers there are.
    let known = if property == PropType::DIRECT { &keys[..1] } else { &keys[..] };
    VirtualDevice::builder()?
        .name(name)
        .with_keys(&known.iter().copied().collect::<AttributeSet<_>>())?
        .with_properties(&[property].into_iter().collect::<AttributeSet<_>>())?
        .with_absolute_axis(&axis(Axis::ABS_X, 0, SIDE, RESOLUTION))?
        .with_absolute_axis(&axis(Axis::ABS_Y, 0, SIDE, RESOLUTION))?
        .with_absolute_axis(&axis(Axis::ABS_MT_SLOT, 0, 4, 0))?
        .with_absolute_axis(&axis(Axis::ABS_MT_TRACKING_ID, 0, 65535, 0))?
        .with_absolute_axis(&axis(Axis::ABS_MT_POSITION_X, 0, SIDE, RESOLUTION))?
        .with_absolute_axis(&axis(Axis::ABS_MT_POSITION_Y, 0, SIDE, RESOLUTION))?
        .build()
}

fn key(key: KeyCode, value: i32) -> InputEvent {
    InputEvent::new(EventType::KEY.0, key.0, value)
}

fn absolute(axis: Axis, value: i32) -> InputEvent {
    InputEvent::new(EventType::ABSOLUTE.0, axis.0, value)
}

/// The pen comes near, is pressed, is tilted, its button is pressed, and it goes.
fn write(pen: &mut VirtualDevice) -> io::Result<()> {
    let at = |x, y| [absolute(Axis::ABS_X, x), absolute(Axis::ABS_Y, y)];
    let near = [key(KeyCode::BTN_TOOL_PEN, 1), absolute(Axis::ABS_DISTANCE, 20)];
    let down = [
        absolute(Axis::ABS_DISTANCE, 0),
        absolute(Axis::ABS_PRESSURE, 500),
        key(KeyCode::BTN_TOUCH, 1),
    ];
    let tilted = [absolute(Axis::ABS_TILT_X, 30), absolute(Axis::ABS_TILT_Y, -20)];
    let up = [absolute(Axis::ABS_PRESSURE, 0), key(KeyCode::BTN_TOUCH, 0)];
    for (x, events) in [
        (2000, &near[..]),
        (2010, &down),
        (2050, &tilted),
        (2060, &[key(KeyCode::BTN_STYLUS, 1)]),
        (2065, &[key(KeyCode::BTN_STYLUS, 0)]),
        (2070, &up),
        (2075, &[key(KeyCode::BTN_TOOL_PEN, 0)]),
    ] {
        pen.emit(&[&at(x, 2000), events].concat())?;
        thread::sleep(STEP);
    }
    Ok(())
}

/// Fingers touch, move step by step, and are lifted.
fn move_fingers(device: &mut VirtualDevice, places: impl Fn(i32) -> Vec<Place>) -> io::Result<()> {
    const STEPS: i32 = 20;
    let count = places(0).len();
    let tool = match count {
        1 => KeyCode::BTN_TOOL_FINGER,
        2 => KeyCode::BTN_TOOL_DOUBLETAP,
        _ => KeyCode::BTN_TOOL_TRIPLETAP,
    };
    for step in 0..STEPS {
        let mut events = Vec::new();
        for (slot, (x, y)) in (0..).zip(places(step)) {
            events.push(absolute(Axis::ABS_MT_SLOT, slot));
            if step == 0 {
                events.push(absolute(Axis::ABS_MT_TRACKING_ID, 100 + slot));
            }
            events.push(absolute(Axis::ABS_MT_POSITION_X, x));
            events.push(absolute(Axis::ABS_MT_POSITION_Y, y));
            if slot == 0 {
                events.extend([absolute(Axis::ABS_X, x), absolute(Axis::ABS_Y, y)]);
            }
        }
        if step == 0 {
            events.extend([key(KeyCode::BTN_TOUCH, 1), key(tool, 1)]);
        }
        device.emit(&events)?;
        thread::sleep(STEP);
    }
    let lift = |slot| [absolute(Axis::ABS_MT_SLOT, slot), absolute(Axis::ABS_MT_TRACKING_ID, -1)];
    let mut events: Vec<_> = (0..count as i32).flat_map(lift).collect();
    events.extend([key(tool, 0), key(KeyCode::BTN_TOUCH, 0)]);
    device.emit(&events)
}
