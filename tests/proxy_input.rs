//! What a person does reaches unmodified programs through the proxy as it does without it.

use std::fs;
use std::time::{Duration, Instant};

use fixture::{Display, SideBySide};
use hyper_dmabuf_compositor::image::Image;

const PROXY: &str = env!("CARGO_BIN_EXE_hyper-dmabuf-proxy-under-test");

/// How many pixels have this colour.
fn count(image: &Image, colour: [u8; 3]) -> usize {
    image.pixels().chunks_exact(3).filter(|pixel| *pixel == colour).count()
}

#[test]
fn a_terminal_shows_what_is_typed() {
    let both = SideBySide::start(PROXY, "800x600");
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("script");
    // When the line has come it is shown on red, so that nothing earlier is taken for it.
    let said = r#"read line; printf '\033[41m\033[2J\033[H%s' "$line"; cat"#;
    fs::write(&script, said).unwrap();
    let colours = "--override=colors.background=203060 --override=colors.regular1=ff0000";
    let line = "foot --config=/dev/null --override=cursor.blink=no";
    let _programs = both.run(&format!("{line} {colours} sh {}", script.display()));
    let listens = |display: &Display, seen: &Image| {
        display.windows().len() == 1 && count(seen, [0x20, 0x30, 0x60]) > 100_000
    };
    both.wait_for("typed", listens);
    both.both(|display| display.type_text("what is typed 0123456789\n"));
    let seen = both.wait_for("typed", |_, seen| count(seen, [0xff, 0, 0]) > 100_000);
    let text = seen.pixels().chunks_exact(3).filter(|pixel| pixel[0] < 0xff && pixel[1] > 0x80);
    assert!(text.count() > 500, "the text that was typed is there");
}

/// Two programs of one domain: what is dragged from one and dropped on the other crosses by a pipe
/// between two streams of the link. The flower that arrives is the one that was dragged.
#[test]
fn what_is_dragged_from_one_window_to_another_arrives() {
    const AROUND: i32 = 24;
    let both = SideBySide::start(PROXY, "800x600");
    // Each draws flowers of its own, so they are compared with themselves.
    let _programs = [both.run("weston-dnd"), both.run("weston-dnd")];
    both.both(|display| {
        // The third row begins with none, and goes on with a flower.
        display.wait_until("both windows are drawn", |state| {
            let (windows, seen) = (state.window_reports(), state.screenshot());
            let seen = seen.expect("a screenshot");
            let drawn = windows.iter().filter(|window| {
                let (x, y) = (window.geometry.x, window.geometry.y + 235);
                let has = |x| around(&seen, (x, y), AROUND).iter().any(|pixel| *pixel != BLACK);
                !has(x + 54) && has(x + 134)
            });
            drawn.count() == 2
        });
        let mut windows = display.windows();
        windows.sort_by_key(|window| window.geometry.x);
        let [from, to] = [0, 1].map(|index| &windows[index].geometry);
        let [from, to] = [(from.x + 134, from.y + 235), (to.x + 54, to.y + 235)];
        let flower = around(&display.screenshot(), from, AROUND);
        // Whoever gets the drop says that it wants it when it likes: until then a drop comes to
        // nothing. And one that still looks back at the last drag may not notice a press.
        let deadline = Instant::now() + Duration::from_secs(60);
        while display.run(|state| state.accepted_drops()) == 0 {
            assert!(Instant::now() < deadline, "nobody wants the flower");
            display.point_at(from.0, from.1);
            display.press(true);
            if (0..1000).any(|_| display.run(|state| state.is_dragging())) {
                display.point_at(to.0, to.1);
                (0..100).for_each(|_| display.run(|_| ()));
            }
            display.press(false);
        }
        display.wait_until("the flower is there", move |state| {
            around(&state.screenshot().expect("a screenshot"), to, AROUND) == flower
        });
    });
}

/// What weston-dnd draws flowers on, and what is seen of the background through it.
const BLACK: [u8; 3] = [6, 8, 10];

/// The pixels that are so near to a point.
fn around(image: &Image, (x, y): (i32, i32), near: i32) -> Vec<[u8; 3]> {
    let rows = (y - near)..(y + near);
    let places = rows.flat_map(|y| ((x - near)..(x + near)).map(move |x| (x as u32, y as u32)));
    let colours = places.filter_map(|(x, y)| image.pixel(x, y));
    colours.map(|colour| [colour.red, colour.green, colour.blue]).collect()
}
