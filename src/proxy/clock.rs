//! Times in messages, moved from the display domain's clock to this domain's and back. The only place
//! that does so.

use super::wire::{Field, Message, Value};
use crate::link::ClockOffset;

/// Where a message has a time, and in what unit. The number is that of the first argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Time {
    /// One word; wraps around.
    Milliseconds(usize),
    /// Two words, the high one first.
    Microseconds(usize),
    /// Two words of seconds, the high one first, and one of nanoseconds.
    Timespec(usize),
}

/// Replaces the time in a message, if there is one: it is by one clock, and `offset` is how far the clock
/// of who reads it is ahead of that.
pub(super) fn translate(
    offset: ClockOffset,
    time: Option<Time>,
    fields: &[Field<'_>],
    message: &mut Message,
) {
    if offset.nanoseconds() == 0 {
        return;
    }
    let Some(time) = time else { return };
    let word = |index: usize| match fields.get(index) {
        Some(Field { at, value: Value::Uint(word) }) => Some((*at, u64::from(*word))),
        _ => None,
    };
    let offset = i128::from(offset.nanoseconds());
    match time {
        Time::Milliseconds(index) => {
            let Some((at, time)) = word(index) else { return };
            let moved = i128::from(time) + offset.div_euclid(1_000_000);
            message.replace(at, moved as u32);
        }
        Time::Microseconds(index) => {
            let (Some((high_at, high)), Some((low_at, low))) = (word(index), word(index + 1))
            else {
                return;
            };
            let moved = i128::from(high << 32 | low) + offset.div_euclid(1000);
            message.replace(high_at, (moved >> 32) as u32);
            message.replace(low_at, moved as u32);
        }
        Time::Timespec(index) => {
            let words = (word(index), word(index + 1), word(index + 2));
            let (Some((high_at, high)), Some((low_at, low)), Some((at, nanoseconds))) = words
            else {
                return;
            };
            if nanoseconds >= 1_000_000_000 {
                // Is no time, which is for who reads it to say.
                return;
            }
            let time = i128::from(high << 32 | low) * 1_000_000_000 + i128::from(nanoseconds);
            // What was before the clock began was long ago.
            let moved = (time + offset).max(0);
            let seconds = moved.div_euclid(1_000_000_000);
            message.replace(high_at, (seconds >> 32) as u32);
            message.replace(low_at, seconds as u32);
            message.replace(at, moved.rem_euclid(1_000_000_000) as u32);
        }
    }
}

/// In requests.
pub(super) fn time_in_request(interface: &str, request: &str) -> Option<Time> {
    (interface == "wp_commit_timer_v1" && request == "set_timestamp").then_some(Time::Timespec(0))
}

/// In what a callback brings that tells when to draw. What other callbacks bring is no time.
pub(super) const FRAME: Option<Time> = Some(Time::Milliseconds(0));

/// In events that always have the same meaning.
pub(super) fn time_in(interface: &str, event: &str) -> Option<Time> {
    Some(match (interface, event) {
        ("wp_presentation_feedback", "presented") => Time::Timespec(0),
        ("zwp_input_timestamps_v1", "timestamp") => Time::Timespec(0),
        ("zwp_relative_pointer_v1", "relative_motion") => Time::Microseconds(0),
        ("wl_pointer", "motion" | "axis" | "axis_stop") => Time::Milliseconds(0),
        ("wl_pointer", "button") => Time::Milliseconds(1),
        ("wl_keyboard", "key") => Time::Milliseconds(1),
        ("wl_touch", "down" | "up") => Time::Milliseconds(1),
        ("wl_touch", "motion") => Time::Milliseconds(0),
        ("wl_data_device", "motion") => Time::Milliseconds(0),
        ("zwp_tablet_tool_v2", "frame") => Time::Milliseconds(0),
        (
            "zwp_tablet_pad_ring_v2" | "zwp_tablet_pad_strip_v2" | "zwp_tablet_pad_dial_v2",
            "frame",
        ) => Time::Milliseconds(0),
        ("zwp_tablet_pad_v2", "button") => Time::Milliseconds(0),
        (
            "zwp_pointer_gesture_swipe_v1"
            | "zwp_pointer_gesture_pinch_v1"
            | "zwp_pointer_gesture_hold_v1",
            "begin" | "end",
        ) => Time::Milliseconds(1),
        ("zwp_pointer_gesture_swipe_v1" | "zwp_pointer_gesture_pinch_v1", "update") => {
            Time::Milliseconds(0)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use wayland_backend::protocol::ArgumentType::Uint;

    use super::super::wire::{HEADER, parse};
    use super::*;

    fn moved(nanoseconds: i64, interface: &str, event: &str, words: &[u32]) -> Vec<u32> {
        moved_by(nanoseconds, time_in(interface, event), words)
    }

    fn moved_by(nanoseconds: i64, time: Option<Time>, words: &[u32]) -> Vec<u32> {
        let message = words.iter().fold(Message::new(1, 0), |message, word| message.uint(*word));
        let bytes = message.finish();
        let signature = vec![Uint; words.len()];
        let fields = parse(&signature, &bytes[HEADER..]).unwrap();
        let mut message = Message::with_payload(1, 0, &bytes[HEADER..]);
        let offset = ClockOffset::from_nanoseconds(nanoseconds);
        translate(offset, time, &fields, &mut message);
        let bytes = message.finish();
        let fields = parse(&signature, &bytes[HEADER..]).unwrap();
        let word = |field: &Field<'_>| match field.value {
            Value::Uint(word) => word,
            _ => unreachable!(),
        };
        fields.iter().map(word).collect()
    }

    #[test]
    fn each_kind_of_time_is_moved() {
        let presented = ("wp_presentation_feedback", "presented");
        let words = [0, u32::MAX, 999_999_999, 7];
        assert_eq!(moved(1, presented.0, presented.1, &words), [1, 0, 0, 7]);
        assert_eq!(moved(-1, presented.0, presented.1, &[1, 0, 0, 7]), words);
        assert_eq!(moved(-2_000_000, "wl_pointer", "motion", &[1, 5]), [u32::MAX, 5]);
        assert_eq!(moved(5_000_000, "wl_keyboard", "key", &[9, 10, 1]), [9, 15, 1]);
        let relative = moved(2000, "zwp_relative_pointer_v1", "relative_motion", &[0, u32::MAX]);
        assert_eq!(relative, [1, 1]);
        assert_eq!(moved(5, "wl_pointer", "frame", &[3]), [3]);
    }

    #[test]
    fn a_time_in_a_request_is_moved_the_other_way() {
        let time = time_in_request("wp_commit_timer_v1", "set_timestamp");
        let ahead = -3_000_000_001;
        assert_eq!(moved_by(ahead, time, &[1, 2, 0]), [0, u32::MAX - 1, 999_999_999]);
        assert_eq!(moved_by(ahead, time, &[0, 1, 0]), [0, 0, 0]);
        assert_eq!(moved_by(ahead, time, &[0, 9, 1_000_000_000]), [0, 9, 1_000_000_000]);
        assert_eq!(moved_by(ahead, time_in_request("wl_surface", "damage"), &[5]), [5]);
    }

    #[test]
    fn every_time_in_the_table_is_a_number_of_its_event() {
        for interface in super::super::interfaces::reachable() {
            for event in interface.events {
                let Some(time) = time_in(interface.name, event.name) else { continue };
                let (first, words) = match time {
                    Time::Milliseconds(first) => (first, 1),
                    Time::Microseconds(first) => (first, 2),
                    Time::Timespec(first) => (first, 3),
                };
                let all_numbers = event.signature[first..first + words].iter().all(|a| *a == Uint);
                assert!(all_numbers, "{interface}.{}", event.name);
            }
        }
    }
}
