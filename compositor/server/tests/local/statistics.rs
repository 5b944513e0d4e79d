//! What is counted, for `hyper-dmabufctl top`.

use std::time::Duration;

use crate::client::{Client, server, server_with};

const ORANGE: [u8; 4] = [0x20, 0x80, 0xf0, 0];

#[test]
fn a_change_is_counted_from_its_commit_until_it_is_seen() {
    let mut server = server("320x240");
    server.state.await_vblanks_by_hand();
    let mut client = Client::local(&mut server);
    let window = client.window(&mut server, "drawing", (100, 80), ORANGE);
    let far = |server: &hyper_dmabuf_compositor::server::Server| {
        Duration::from_micros(server.state.statistics().time)
    };
    let now = far(&server);
    server.state.vblank_by_hand(now);
    // What came with the window is drawn.
    client.roundtrip(&mut server);
    let now = far(&server);
    server.state.vblank_by_hand(now);

    let before = server.state.statistics().outputs.remove(0);
    client.show(&window.surface, (100, 80), [0; 4]);
    client.roundtrip(&mut server);
    let now = far(&server) + Duration::from_secs(3);
    server.state.vblank_by_hand(now);
    // Seen once more, with nothing new on it.
    server.state.vblank_by_hand(now + Duration::from_secs(9));
    let after = server.state.statistics().outputs.remove(0);
    assert_eq!((after.pictures, after.seen), (before.pictures + 1, before.seen + 1));
    let latency = Duration::from_micros(after.latency - before.latency);
    assert!((3..4).contains(&latency.as_secs()), "{latency:?}");
}

#[test]
fn what_opengl_es_has_to_copy_is_what_has_changed() {
    for (renderer, expected) in [("pixman", 0), ("gles", 30 * 20 * 4)] {
        let mut server = server_with("320x240", &format!("renderer = \"{renderer}\""));
        let mut client = Client::local(&mut server);
        let window = client.window(&mut server, "drawing", (100, 80), ORANGE);
        let before = server.state.statistics().bytes_uploaded;
        window.surface.attach(Some(&client.buffer((100, 80), ORANGE)), 0, 0);
        window.surface.damage_buffer(10, 10, 30, 20);
        window.surface.commit();
        client.roundtrip(&mut server);
        assert_eq!(server.state.statistics().bytes_uploaded - before, expected, "{renderer}");
    }
}
