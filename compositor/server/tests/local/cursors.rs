//! Cursors of a theme, of which this test makes one.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use hyper_dmabuf_compositor::server::Server;
use tempfile::TempDir;

use crate::client::server_with;

const RED: u32 = 0xffff_0000;
const GREEN: u32 = 0xff00_ff00;
const SIDE: u32 = 8;
/// Longer than any test waits.
const HOUR: u32 = 3_600_000;
const PATIENCE: Duration = Duration::from_secs(60);

/// A cursor of plain pictures, each of a colour and seen for so many milliseconds, in Xcursor's format.
fn cursor(pictures: &[(u32, u32)]) -> Vec<u8> {
    const IMAGE: u32 = 0xfffd_0002;
    let mut words = vec![u32::from_le_bytes(*b"Xcur"), 16, 0x1_0000, pictures.len() as u32];
    let length = 4 * (9 + SIDE * SIDE);
    for index in 0..pictures.len() as u32 {
        words.extend([IMAGE, SIDE, 16 + 12 * pictures.len() as u32 + length * index]);
    }
    for (colour, delay) in pictures {
        words.extend([36, IMAGE, SIDE, 1, SIDE, SIDE, 0, 0, *delay]);
        words.extend(std::iter::repeat_n(*colour, (SIDE * SIDE) as usize));
    }
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}

fn themed(theme: &Path, pictures: &[(u32, u32)], shown: bool) -> Server {
    fs::create_dir_all(theme.join("cursors")).expect("a directory");
    fs::write(theme.join("cursors/default"), cursor(pictures)).expect("a cursor");
    let more = format!("cursor = {shown}\ncursor_theme = \"{}\"\n", theme.display());
    let mut server = server_with("64x64", &more);
    server.state.queue_redraw();
    server.dispatch(Some(Duration::ZERO)).expect("a turn");
    server
}

fn pixel_below_the_tip(server: &mut Server) -> (u8, u8, u8) {
    // Nobody has moved the pointer: it is in the corner.
    let seen = server.state.screenshot().expect("a screenshot");
    let pixel = seen.pixel(1, 1).expect("on the output");
    (pixel.red, pixel.green, pixel.blue)
}

#[test]
fn the_pictures_of_a_moving_cursor_follow_each_other() {
    let theme = TempDir::new().expect("a directory");
    let begun = Instant::now();
    let mut server = themed(theme.path(), &[(RED, 30), (GREEN, HOUR)], true);
    // Nothing else happens that would be drawn.
    let drawn = server.state.pictures_drawn();
    while server.state.pictures_drawn() == drawn {
        assert!(begun.elapsed() < PATIENCE, "the second picture does not come");
        server.dispatch(Some(PATIENCE)).expect("a turn");
    }
    assert!(begun.elapsed() >= Duration::from_millis(30), "it came too early");
    assert_eq!(pixel_below_the_tip(&mut server), (0, 0xff, 0));
    assert_eq!(server.state.pictures_drawn(), drawn + 1, "and stays");
    assert!(server.state.cursor_moves_by_itself(), "until the first one comes again");
}

#[test]
fn a_cursor_that_is_still_or_not_shown_sets_no_timer() {
    let still = TempDir::new().expect("a directory");
    let mut server = themed(still.path(), &[(RED, 30)], true);
    assert_eq!(pixel_below_the_tip(&mut server), (0xff, 0, 0));
    assert!(!server.state.cursor_moves_by_itself(), "there is one picture");
    let timeless = TempDir::new().expect("a directory");
    let mut server = themed(timeless.path(), &[(RED, 0), (GREEN, 0)], true);
    assert_eq!(pixel_below_the_tip(&mut server), (0xff, 0, 0));
    assert!(!server.state.cursor_moves_by_itself(), "no picture takes any time");
    let moving = TempDir::new().expect("a directory");
    let server = themed(moving.path(), &[(RED, 30), (GREEN, 30)], false);
    assert!(!server.state.cursor_moves_by_itself(), "it is not shown");
}
