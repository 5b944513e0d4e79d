//! A domain whose programs say as much as its links take: in no turn of the event loop is more of it
//! handled than is stated, so that a neighbour has its frames as if it were alone.

mod flood;

use std::time::Duration;

use flood::Flood;
use hyper_dmabuf_compositor::{guests::BYTES_IN_A_TURN, server::Server};
use wayland_client::protocol::wl_callback::WlCallback;

use crate::{
    client::{Client, Window, server_with},
    exchange::domain,
};

const TEAL: [u8; 4] = [0x80, 0x80, 0x10, 0];

/// What one turn may have left in the programs' sockets the next one handles, too.
const MOST_IN_A_TURN: usize = 2 * BYTES_IN_A_TURN;
/// Turns until a neighbour who commits hears that its picture is seen: the one that reads the commit
/// draws, and pictures are seen at once here; the answer leaves with it.
const TURNS_FOR_A_FRAME: usize = 1;

/// A program of another domain that draws a frame whenever it is told that the last one is seen.
struct Neighbour {
    client: Client,
    window: Window,
    awaited: WlCallback,
    frames: usize,
}

impl Neighbour {
    fn new(server: &mut Server) -> Neighbour {
        let bank = domain(server, "bank");
        let mut client = Client::new(server, bank);
        let window = client.window(server, "neighbour", (100, 60), TEAL);
        let awaited = window.surface.frame(&client.handle(), ());
        window.surface.commit();
        client.roundtrip(server);
        let mut neighbour = Neighbour { client, window, awaited, frames: 0 };
        assert!(neighbour.go_on(), "a frame is seen while nobody floods");
        neighbour
    }

    /// Draw the next frame, if the last one is seen. Whether it is.
    fn go_on(&mut self) -> bool {
        self.client.hear();
        assert_eq!(self.client.error(), None);
        if self.client.take_events(&self.awaited).is_empty() {
            return false;
        }
        self.frames += 1;
        self.awaited = self.window.surface.frame(&self.client.handle(), ());
        self.window.surface.damage_buffer(0, 0, 100, 60);
        self.window.surface.commit();
        self.client.connection.flush().unwrap();
        true
    }
}

/// What a flood is of, and its bytes for a surface: everything that may be said again and again.
type Words = (&'static str, fn(u32) -> Vec<u8>);

const FLOODS: [Words; 3] = [
    ("damage of surfaces that are never shown", |surface| {
        flood::message(surface, flood::DAMAGE, &[0, 0, 64, 64]).repeat(8)
    }),
    ("commits with all of a surface damaged", |surface| {
        let [damage, commit] = [
            flood::message(surface, flood::DAMAGE, &[0, 0, 1 << 20, 1 << 20]),
            flood::message(surface, flood::COMMIT, &[]),
        ];
        [damage, commit].concat().repeat(4)
    }),
    ("regions of many rectangles", |surface| {
        let region = flood::message(flood::COMPOSITOR, flood::CREATE_REGION, &[flood::SPARE]);
        let add = flood::message(flood::SPARE, flood::ADD, &[0, 0, 1 << 20, 1 << 20]).repeat(40);
        let set = flood::message(surface, flood::SET_INPUT_REGION, &[flood::SPARE]);
        let destroy = flood::message(flood::SPARE, flood::DESTROY, &[]);
        [region, add, set, destroy].concat()
    }),
];

fn no_neighbour_waits(links: usize, programs_of_each: usize) {
    for (what, words) in FLOODS {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("noisy");
        let domains = format!(
            "[[domain]]\nname = \"bank\"\n[[domain]]\nname = \"noisy\"\naddress = \"shm:{}\"\n",
            socket.display()
        );
        let mut server = server_with("480x300", &domains);
        server.state.listen_for_domains().unwrap();
        let mut neighbour = Neighbour::new(&mut server);
        let before = server.state.screenshot().unwrap();
        let mut flood = Flood::begin(&mut server, &socket, links, programs_of_each, words);
        let mut waited = 0;
        let (mut handled, frames) = (flood.handled(&server), neighbour.frames);
        let mut all = 0;
        while flood.goes_on(&server) {
            flood.say_all_that_is_taken();
            server.dispatch(Some(Duration::ZERO)).unwrap();
            let now = flood.handled(&server);
            let in_this_turn = now - std::mem::replace(&mut handled, now);
            assert!(
                in_this_turn <= MOST_IN_A_TURN + flood.in_between(),
                "{what}: {in_this_turn} bytes in a turn"
            );
            all += in_this_turn;
            waited += 1;
            if neighbour.go_on() {
                waited = 0;
            }
            assert!(waited < TURNS_FOR_A_FRAME, "{what}: {waited} turns for a frame");
        }
        assert!(all > 20 * MOST_IN_A_TURN, "{what}: {all} bytes are no flood");
        let frames = neighbour.frames - frames;
        assert!(frames >= all / MOST_IN_A_TURN, "{what}: {frames} frames beside {all} bytes");
        assert_eq!(server.state.screenshot().unwrap().pixels(), before.pixels(), "{what}");
    }
}

#[test]
fn a_flood_of_many_programs_leaves_a_neighbour_its_frames() {
    no_neighbour_waits(1, 8);
}

#[test]
fn a_flood_over_many_links_leaves_a_neighbour_its_frames() {
    no_neighbour_waits(8, 1);
}
