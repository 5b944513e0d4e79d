//! Commits that are not to be seen before a time.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use wayland_protocols::wp::{
    commit_timing::v1::client::{
        wp_commit_timer_v1::WpCommitTimerV1, wp_commit_timing_manager_v1::WpCommitTimingManagerV1,
    },
    presentation_time::client::{wp_presentation::WpPresentation, wp_presentation_feedback::Event},
};

use crate::client::{Client, server_with};

/// Blue, green, red.
const ORANGE: [u8; 4] = [0x20, 0x80, 0xf0, 0];
const TEAL: [u8; 4] = [0x80, 0x80, 0x10, 0];
/// More than any wish of a program, and less than patience.
const AHEAD: Duration = Duration::from_millis(150);

/// The time of the presentation clock.
fn now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

fn set(timer: &WpCommitTimerV1, time: Duration) {
    let seconds = time.as_secs();
    timer.set_timestamp((seconds >> 32) as u32, seconds as u32, time.subsec_nanos());
}

#[test]
fn a_commit_with_a_time_is_not_seen_before_it_and_others_are_seen_meanwhile() {
    let mut server = server_with("320x200", "[[output]]\nrefresh = 50\n");
    let mut client = Client::local(&mut server);
    let manager: WpCommitTimingManagerV1 = client.bind(1);
    let presentation: WpPresentation = client.bind(1);
    let seen_at = |client: &mut Client, server: &mut _, title: &str, wanted: Duration| {
        let window = client.window(server, title, (60, 40), ORANGE);
        let timer = manager.get_timer(&window.surface, &client.handle(), ());
        set(&timer, wanted);
        let feedback = presentation.feedback(&window.surface, &client.handle(), ());
        client.show(&window.surface, (60, 40), TEAL);
        loop {
            client.roundtrip(server);
            let seen = client.events(&feedback).into_iter().find_map(|event| match event {
                Event::Presented { tv_sec_hi, tv_sec_lo, tv_nsec, .. } => {
                    let seconds = (u64::from(*tv_sec_hi) << 32) | u64::from(*tv_sec_lo);
                    Some(Duration::new(seconds, *tv_nsec))
                }
                _ => None,
            });
            if let Some(seen) = seen {
                return seen;
            }
        }
    };
    // One for a time that is over is seen at once.
    let wanted = now() + AHEAD;
    let over = seen_at(&mut client, &mut server, "over", now() - AHEAD);
    let seen = seen_at(&mut client, &mut server, "later", wanted);
    assert!(over < wanted, "{over:?} is not before {wanted:?}");
    assert!(seen >= wanted, "{seen:?} is before {wanted:?}");
    assert_eq!(client.error(), None);
}

#[test]
fn a_commit_that_waits_for_ever_holds_up_nobody_else() {
    let mut server = server_with("320x200", "[[output]]\nrefresh = 50\n");
    let mut client = Client::local(&mut server);
    let manager: WpCommitTimingManagerV1 = client.bind(1);
    let window = client.window(&mut server, "never", (60, 40), ORANGE);
    let timer = manager.get_timer(&window.surface, &client.handle(), ());
    timer.set_timestamp(u32::MAX, u32::MAX, 999_999_999);
    client.show(&window.surface, (60, 40), TEAL);
    client.roundtrip(&mut server);
    let before = server.state.screenshot().unwrap();
    let mut other = Client::local(&mut server);
    let theirs = other.window(&mut server, "another", (60, 40), ORANGE);
    other.show(&theirs.surface, (60, 40), TEAL);
    other.roundtrip(&mut server);
    let after = server.state.screenshot().unwrap();
    assert_ne!(before.pixels(), after.pixels(), "another window is seen");
    drop(client);
    other.roundtrip(&mut server);
    assert_eq!(server.state.window_reports().len(), 1, "what waited is gone with its program");
}
