//! A locked session, and whether somebody is there.

use hyper_dmabuf_compositor::{
    colour::Colour,
    input::{Input, LEFT_BUTTON},
    server::Server,
};
use wayland_client::protocol::{
    wl_keyboard::{self, WlKeyboard},
    wl_output::WlOutput,
    wl_pointer::{self, WlPointer},
    wl_surface::WlSurface,
};
use wayland_protocols::{
    ext::{
        idle_notify::v1::client::{
            ext_idle_notification_v1, ext_idle_notifier_v1::ExtIdleNotifierV1,
        },
        session_lock::v1::client::{
            ext_session_lock_manager_v1::ExtSessionLockManagerV1, ext_session_lock_surface_v1,
            ext_session_lock_v1,
        },
    },
    wp::idle_inhibit::zv1::client::zwp_idle_inhibit_manager_v1::ZwpIdleInhibitManagerV1,
};

use crate::client::{Client, server, work};

const ORANGE: [u8; 4] = [0x20, 0x80, 0xf0, 0];
const TEAL: [u8; 4] = [0x80, 0x80, 0x10, 0];
const BLACK: Option<Colour> = Some(Colour::new(0, 0, 0));

fn seen(pixel: [u8; 4]) -> Option<Colour> {
    Some(Colour::new(pixel[2], pixel[1], pixel[0]))
}

struct Listener {
    client: Client,
    keyboard: WlKeyboard,
    pointer: WlPointer,
}

impl Listener {
    fn new(client: Client) -> Listener {
        let keyboard = client.seat.get_keyboard(&client.handle(), ());
        let pointer = client.seat.get_pointer(&client.handle(), ());
        Listener { client, keyboard, pointer }
    }

    /// How much input it was told of since the last time.
    fn heard(&mut self, server: &mut Server) -> usize {
        self.client.roundtrip(server);
        let keys = self.client.take_events(&self.keyboard);
        let keys = keys.iter().filter(|event| matches!(event, wl_keyboard::Event::Key { .. }));
        let buttons = self.client.take_events(&self.pointer);
        let is_input = |event: &&wl_pointer::Event| {
            matches!(event, wl_pointer::Event::Button { .. } | wl_pointer::Event::Motion { .. })
        };
        keys.count() + buttons.iter().filter(is_input).count()
    }
}

fn do_something(server: &mut Server) {
    for x in [150.0, 151.0] {
        server.state.inject(Input::PointerMotion { x, y: 100.0 });
    }
    for pressed in [true, false] {
        server.state.inject(Input::PointerButton { button: LEFT_BUTTON, pressed });
        server.state.inject(Input::Key { key: 30, pressed });
    }
}

fn lock_surface(
    client: &mut Client,
    server: &mut Server,
    lock: &ext_session_lock_v1::ExtSessionLockV1,
) -> WlSurface {
    let output: WlOutput = client.bind(4);
    let surface = client.surface();
    let role = lock.get_lock_surface(&surface, &output, &client.handle(), ());
    client.roundtrip(server);
    let told = client.events(&role);
    let ext_session_lock_surface_v1::Event::Configure { serial, width, height } = told[0] else {
        panic!("not configured")
    };
    role.ack_configure(*serial);
    let size = (*width as i32, *height as i32);
    client.show(&surface, size, TEAL);
    client.roundtrip(server);
    surface
}

#[test]
fn a_locked_session_shows_nothing_and_hears_nothing_for_others() {
    let mut server = server("320x240");
    let origin = work(&server);
    let mut guest = Listener::new(Client::new(&mut server, origin));
    let window = guest.client.window(&mut server, "secret", (280, 160), ORANGE);
    do_something(&mut server);
    assert!(guest.heard(&mut server) > 0);
    // It holds the pointer as the session is locked.
    server.state.inject(Input::PointerButton { button: LEFT_BUTTON, pressed: true });

    let mut locker = Listener::new(Client::local(&mut server));
    let manager: ExtSessionLockManagerV1 = locker.client.bind(1);
    let lock = manager.lock(&locker.client.handle(), ());
    locker.client.roundtrip(&mut server);
    let image = server.state.screenshot().unwrap();
    assert!(image.pixels().iter().all(|part| *part == 0), "black before the locker draws");
    assert!(matches!(locker.client.events(&lock)[..], [ext_session_lock_v1::Event::Locked]));
    guest.heard(&mut server);
    server.state.inject(Input::PointerButton { button: LEFT_BUTTON, pressed: false });
    do_something(&mut server);
    assert_eq!(guest.heard(&mut server), 0, "nobody hears, if there is nothing to lock with");

    let surface = lock_surface(&mut locker.client, &mut server, &lock);
    let image = server.state.screenshot().unwrap();
    assert!((0..240).all(|y| image.pixel(150, y) == seen(TEAL)));
    guest.client.show(&window.surface, (280, 160), ORANGE);
    do_something(&mut server);
    assert_eq!(guest.heard(&mut server), 0);
    assert!(locker.heard(&mut server) >= 4, "the locker hears");
    // A new window of the guest's gets neither.
    guest.client.window(&mut server, "another", (280, 160), ORANGE);
    do_something(&mut server);
    assert_eq!(guest.heard(&mut server), 0);
    assert_eq!(server.state.screenshot().unwrap().pixel(150, 100), seen(TEAL));

    // A second locker comes too late, and cannot unlock.
    let mut second = Client::local(&mut server);
    let manager: ExtSessionLockManagerV1 = second.bind(1);
    let late = manager.lock(&second.handle(), ());
    second.roundtrip(&mut server);
    assert!(matches!(second.events(&late)[..], [ext_session_lock_v1::Event::Finished]));
    late.unlock_and_destroy();
    second.roundtrip(&mut server);
    assert_eq!(second.error(), Some(("ext_session_lock_v1".to_owned(), 1)));
    assert!(server.state.is_locked());

    surface.destroy();
    lock.unlock_and_destroy();
    locker.client.roundtrip(&mut server);
    assert!(!server.state.is_locked());
    do_something(&mut server);
    assert!(guest.heard(&mut server) > 0);
    assert_eq!(server.state.screenshot().unwrap().pixel(150, 100), seen(ORANGE));
}

#[test]
fn a_session_stays_locked_when_its_locker_dies() {
    let mut server = server("320x240");
    let mut client = Client::local(&mut server);
    client.window(&mut server, "secret", (280, 160), ORANGE);
    let mut locker = Client::local(&mut server);
    let manager: ExtSessionLockManagerV1 = locker.bind(1);
    let lock = manager.lock(&locker.handle(), ());
    lock_surface(&mut locker, &mut server, &lock);
    drop(locker);
    client.roundtrip(&mut server);
    assert!(server.state.is_locked());
    assert_eq!(server.state.screenshot().unwrap().pixel(150, 100), BLACK);

    // Another one takes over.
    let mut locker = Client::local(&mut server);
    let manager: ExtSessionLockManagerV1 = locker.bind(1);
    let lock = manager.lock(&locker.handle(), ());
    lock_surface(&mut locker, &mut server, &lock);
    assert_eq!(server.state.screenshot().unwrap().pixel(150, 100), seen(TEAL));
    lock.unlock_and_destroy();
    locker.roundtrip(&mut server);
    assert_eq!(server.state.screenshot().unwrap().pixel(150, 100), seen(ORANGE));
}

#[test]
fn tools_are_told_when_nobody_is_there() {
    let mut server = server("320x240");
    let mut tool = Client::local(&mut server);
    let notifier: ExtIdleNotifierV1 = tool.bind(2);
    let handle = tool.handle();
    let seat = tool.seat.clone();
    // One may follow the other at once: each is looked for after the one before.
    let mut heard = 0;
    let mut until = |server: &mut Server, tool: &mut Client, notification, idle: bool| {
        for _ in 0..2000 {
            tool.roundtrip(server);
            let events = tool.events(notification);
            let is_idle = |event: &&_| matches!(event, ext_idle_notification_v1::Event::Idled);
            let found = events.into_iter().skip(heard).position(|event| is_idle(&event) == idle);
            if let Some(index) = found {
                heard += index + 1;
                return;
            }
        }
        panic!("never told");
    };
    let notification = notifier.get_idle_notification(1, &seat, &handle, ());
    until(&mut server, &mut tool, &notification, true);
    server.state.inject(Input::Key { key: 30, pressed: true });
    until(&mut server, &mut tool, &notification, false);
    until(&mut server, &mut tool, &notification, true);

    // A window that is seen says that somebody is there.
    let origin = work(&server);
    let mut guest = Client::new(&mut server, origin);
    assert!(guest.try_bind::<ExtIdleNotifierV1>(1).is_none());
    let inhibit: ZwpIdleInhibitManagerV1 = guest.bind(1);
    let window = guest.toplevel(&mut server, "film");
    inhibit.create_inhibitor(&window.surface, &guest.handle(), ());
    guest.roundtrip(&mut server);
    assert!(!server.state.is_idle_inhibited(), "it is not seen yet");
    guest.show(&window.surface, (100, 50), ORANGE);
    guest.roundtrip(&mut server);
    assert!(server.state.is_idle_inhibited());
    until(&mut server, &mut tool, &notification, false);
    window.toplevel.destroy();
    guest.roundtrip(&mut server);
    assert!(!server.state.is_idle_inhibited());
    until(&mut server, &mut tool, &notification, true);
}

#[test]
fn idle_inhibitors_have_a_bound_for_each_client() {
    let mut server = server("320x240");
    let origin = work(&server);
    let (mut guest, mut other) =
        (Client::new(&mut server, origin.clone()), Client::new(&mut server, origin));
    let window = guest.window(&mut server, "guest", (100, 50), ORANGE);
    let manager: ZwpIdleInhibitManagerV1 = guest.bind(1);
    for _ in 0..64 {
        manager.create_inhibitor(&window.surface, &guest.handle(), ());
    }
    guest.roundtrip(&mut server);
    assert_eq!(guest.error(), None);
    manager.create_inhibitor(&window.surface, &guest.handle(), ());
    guest.roundtrip(&mut server);
    assert!(guest.error().is_some());
    other.window(&mut server, "other", (100, 50), ORANGE);
    assert_eq!(other.error(), None);
    assert!(!server.state.is_idle_inhibited(), "they went with their client");
}
