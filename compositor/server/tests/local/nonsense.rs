//! Guests that ask for nonsense by the smaller protocols they are offered: each is told of its error, or
//! nothing happens; another domain's program goes on, and the screen looks as it did.

use hyper_dmabuf_compositor::{
    image::Image,
    input::{Input, LEFT_BUTTON},
    server::Server,
};
use wayland_client::{Proxy, WEnum, protocol::wl_subcompositor::WlSubcompositor};
use wayland_protocols::{
    wp::{
        alpha_modifier::v1::client::wp_alpha_modifier_v1::WpAlphaModifierV1,
        commit_timing::v1::client::wp_commit_timing_manager_v1::WpCommitTimingManagerV1,
        content_type::v1::client::{
            wp_content_type_manager_v1::WpContentTypeManagerV1, wp_content_type_v1,
        },
        cursor_shape::v1::client::{
            wp_cursor_shape_device_v1, wp_cursor_shape_manager_v1::WpCursorShapeManagerV1,
        },
        fifo::v1::client::wp_fifo_manager_v1::WpFifoManagerV1,
        pointer_gestures::zv1::client::zwp_pointer_gestures_v1::ZwpPointerGesturesV1,
        presentation_time::client::wp_presentation::WpPresentation,
        tablet::zv2::client::zwp_tablet_manager_v2::ZwpTabletManagerV2,
        text_input::zv3::client::{
            zwp_text_input_manager_v3::ZwpTextInputManagerV3,
            zwp_text_input_v3::{self, ZwpTextInputV3},
        },
        viewporter::client::wp_viewporter::WpViewporter,
    },
    xdg::{
        activation::v1::client::{
            xdg_activation_token_v1::{self, XdgActivationTokenV1},
            xdg_activation_v1::XdgActivationV1,
        },
        dialog::v1::client::xdg_wm_dialog_v1::XdgWmDialogV1,
    },
};
use wayland_protocols_misc::zwp_input_method_v2::client::{
    zwp_input_method_manager_v2::ZwpInputMethodManagerV2,
    zwp_input_method_v2::{self, ZwpInputMethodV2},
};

use crate::{
    client::{Client, server_with},
    exchange::domain,
};

const ORANGE: [u8; 4] = [0x20, 0x80, 0xf0, 0];
const TEAL: [u8; 4] = [0x80, 0x80, 0x10, 0];

/// How a client errs, by an interface and the number of the error.
type Error = Option<(&'static str, u32)>;
/// What a guest does, and how that ends.
type Nonsense = (&'static str, fn(&mut Client, &mut Server), Error);

/// `wl_display.error.implementation`: asked for too much.
const EXPELLED: Error = Some(("wl_display", 3));

/// A compositor with a program of the domain `bank`, of whom guests of `work` are to notice nothing.
struct Bystander {
    server: Server,
    client: Client,
    screen: Image,
}

impl Bystander {
    fn new() -> Bystander {
        let mut server = server_with("320x240", "[[domain]]\nname = \"bank\"\n");
        let bank = domain(&server, "bank");
        let mut client = Client::new(&mut server, bank);
        client.window(&mut server, "bank", (120, 80), TEAL);
        let screen = server.state.screenshot().unwrap();
        Bystander { server, client, screen }
    }

    fn guest(&mut self) -> Client {
        let work = domain(&self.server, "work");
        Client::new(&mut self.server, work)
    }

    /// Once the guests are gone, nothing is left of them.
    fn assert_unharmed(&mut self, by: &str) {
        self.client.roundtrip(&mut self.server);
        assert_eq!(self.client.error(), None, "{by}");
        let screen = self.server.state.screenshot().unwrap();
        assert_eq!(screen.pixels(), self.screen.pixels(), "{by}");
    }
}

/// Each by a guest of its own.
fn try_all(all: &[Nonsense]) {
    let mut bystander = Bystander::new();
    for (what, nonsense, error) in all {
        let mut guest = bystander.guest();
        nonsense(&mut guest, &mut bystander.server);
        guest.roundtrip(&mut bystander.server);
        let error = error.map(|(interface, code)| (interface.to_owned(), code));
        assert_eq!(guest.error(), error, "{what}");
        drop(guest);
        bystander.assert_unharmed(what);
    }
}

pub(crate) fn click(server: &mut Server, title: &str) {
    let reports = server.state.window_reports();
    let place = reports.iter().find(|report| report.title == title).unwrap().geometry;
    server.state.inject(Input::PointerMotion { x: (place.x + 5).into(), y: (place.y + 5).into() });
    for pressed in [true, false] {
        server.state.inject(Input::PointerButton { button: LEFT_BUTTON, pressed });
    }
}

#[test]
fn kinds_of_content() {
    try_all(&[
        (
            "two for one surface",
            |guest, _| {
                let manager: WpContentTypeManagerV1 = guest.bind(1);
                let surface = guest.surface();
                for _ in 0..2 {
                    manager.get_surface_content_type(&surface, &guest.handle(), ());
                }
            },
            Some(("wp_content_type_manager_v1", 0)),
        ),
        (
            "an unknown kind, then one for a surface that is gone",
            |guest, _| {
                let manager: WpContentTypeManagerV1 = guest.bind(1);
                let surface = guest.surface();
                let content = manager.get_surface_content_type(&surface, &guest.handle(), ());
                let unknown = wp_content_type_v1::Request::SetContentType {
                    content_type: WEnum::Unknown(u32::MAX),
                };
                content.send_request(unknown).unwrap();
                surface.commit();
                surface.destroy();
                content.set_content_type(wp_content_type_v1::Type::Game);
                content.destroy();
            },
            None,
        ),
    ]);
}

#[test]
fn alpha_modifiers() {
    try_all(&[
        (
            "two for one surface",
            |guest, _| {
                let manager: WpAlphaModifierV1 = guest.bind(1);
                let surface = guest.surface();
                for _ in 0..2 {
                    manager.get_surface(&surface, &guest.handle(), ());
                }
            },
            Some(("wp_alpha_modifier_v1", 0)),
        ),
        (
            "for a surface that is gone",
            |guest, _| {
                let manager: WpAlphaModifierV1 = guest.bind(1);
                let surface = guest.surface();
                let modifier = manager.get_surface(&surface, &guest.handle(), ());
                surface.destroy();
                modifier.set_multiplier(7);
            },
            Some(("wp_alpha_modifier_surface_v1", 0)),
        ),
        (
            "every factor",
            |guest, server| {
                let manager: WpAlphaModifierV1 = guest.bind(1);
                let window = guest.window(server, "faint", (60, 40), ORANGE);
                let modifier = manager.get_surface(&window.surface, &guest.handle(), ());
                for factor in [0, 1, u32::MAX / 2, u32::MAX] {
                    modifier.set_multiplier(factor);
                    guest.show(&window.surface, (60, 40), ORANGE);
                    guest.roundtrip(server);
                    server.state.screenshot().unwrap();
                }
            },
            None,
        ),
    ]);
}

#[test]
fn dialogues() {
    try_all(&[
        (
            "two for one window",
            |guest, server| {
                let manager: XdgWmDialogV1 = guest.bind(1);
                let window = guest.toplevel(server, "dialogue");
                for _ in 0..2 {
                    manager.get_xdg_dialog(&window.toplevel, &guest.handle(), ());
                }
            },
            Some(("xdg_wm_dialog_v1", 0)),
        ),
        (
            "modal after its window is gone",
            |guest, server| {
                let manager: XdgWmDialogV1 = guest.bind(1);
                let window = guest.window(server, "dialogue", (60, 40), ORANGE);
                let dialog = manager.get_xdg_dialog(&window.toplevel, &guest.handle(), ());
                window.toplevel.destroy();
                dialog.set_modal();
                window.xdg_surface.destroy();
                dialog.unset_modal();
                window.surface.destroy();
                dialog.set_modal();
                dialog.destroy();
            },
            None,
        ),
    ]);
}

#[test]
fn viewports() {
    /// Cut so from a window's buffer, and scale it so.
    fn view(
        guest: &mut Client,
        server: &mut Server,
        source: Option<[f64; 4]>,
        destination: Option<(i32, i32)>,
    ) {
        let viewporter: WpViewporter = guest.bind(1);
        let window = guest.window(server, "view", (60, 40), ORANGE);
        let viewport = viewporter.get_viewport(&window.surface, &guest.handle(), ());
        if let Some([x, y, width, height]) = source {
            viewport.set_source(x, y, width, height);
        }
        if let Some((width, height)) = destination {
            viewport.set_destination(width, height);
        }
        window.surface.commit();
        guest.roundtrip(server);
        server.state.screenshot().unwrap();
    }
    try_all(&[
        (
            "two for one surface",
            |guest, _| {
                let viewporter: WpViewporter = guest.bind(1);
                let surface = guest.surface();
                for _ in 0..2 {
                    viewporter.get_viewport(&surface, &guest.handle(), ());
                }
            },
            Some(("wl_surface", 0)),
        ),
        (
            "from outside of all numbers",
            |guest, server| view(guest, server, Some([f64::NEG_INFINITY, 0.0, 1.0, 1.0]), None),
            Some(("wp_viewport", 0)),
        ),
        (
            "an infinite source",
            |guest, server| view(guest, server, Some([0.0, 0.0, f64::INFINITY, 1.0]), Some((1, 1))),
            Some(("wp_viewport", 2)),
        ),
        (
            "no number at all",
            |guest, server| view(guest, server, Some([f64::NAN; 4]), Some((1, 1))),
            Some(("wp_viewport", 0)),
        ),
        (
            "as large as can be written",
            |guest, server| view(guest, server, None, Some((i32::MAX, i32::MAX))),
            None,
        ),
        (
            "the least bit of a pixel over everything",
            |guest, server| {
                let bit = 1.0 / 256.0;
                view(guest, server, Some([59.0, 39.0, bit, bit]), Some((i32::MAX, 1)));
            },
            None,
        ),
        (
            "a negative size",
            |guest, server| view(guest, server, None, Some((i32::MIN, -1))),
            Some(("wp_viewport", 0)),
        ),
        (
            "of a surface that is gone",
            |guest, _| {
                let viewporter: WpViewporter = guest.bind(1);
                let surface = guest.surface();
                let viewport = viewporter.get_viewport(&surface, &guest.handle(), ());
                surface.destroy();
                viewport.set_destination(1, 1);
            },
            Some(("wp_viewport", 3)),
        ),
    ]);
}

#[test]
fn presentation_feedbacks() {
    try_all(&[
        (
            "too many for a surface that is never shown",
            |guest, _| {
                let presentation: WpPresentation = guest.bind(1);
                let surface = guest.surface();
                for _ in 0..1100 {
                    presentation.feedback(&surface, &guest.handle(), ());
                }
            },
            EXPELLED,
        ),
        (
            "one at each of very many commits, then of a surface that is gone",
            |guest, _| {
                let presentation: WpPresentation = guest.bind(1);
                let surface = guest.surface();
                for _ in 0..3000 {
                    presentation.feedback(&surface, &guest.handle(), ());
                    surface.commit();
                }
                presentation.feedback(&surface, &guest.handle(), ());
                surface.destroy();
            },
            None,
        ),
    ]);
}

#[test]
fn barriers_between_pictures() {
    try_all(&[
        (
            "two for one surface",
            |guest, _| {
                let manager: WpFifoManagerV1 = guest.bind(1);
                let surface = guest.surface();
                for _ in 0..2 {
                    manager.get_fifo(&surface, &guest.handle(), ());
                }
            },
            Some(("wl_surface", 0)),
        ),
        (
            "of a surface that is gone",
            |guest, _| {
                let manager: WpFifoManagerV1 = guest.bind(1);
                let surface = guest.surface();
                let fifo = manager.get_fifo(&surface, &guest.handle(), ());
                surface.destroy();
                fifo.wait_barrier();
            },
            Some(("wp_fifo_v1", 0)),
        ),
        (
            "more pictures than can ever be shown",
            |guest, server| {
                let manager: WpFifoManagerV1 = guest.bind(1);
                let window = guest.window(server, "film", (60, 40), ORANGE);
                let fifo = manager.get_fifo(&window.surface, &guest.handle(), ());
                for _ in 0..2000 {
                    fifo.set_barrier();
                    fifo.wait_barrier();
                    window.surface.commit();
                }
            },
            EXPELLED,
        ),
        (
            "of a subsurface that waits for its parent",
            |guest, server| {
                let manager: WpFifoManagerV1 = guest.bind(1);
                let subcompositor: WlSubcompositor = guest.bind(1);
                let window = guest.window(server, "film", (60, 40), ORANGE);
                let child = guest.surface();
                subcompositor.get_subsurface(&child, &window.surface, &guest.handle(), ());
                let fifo = manager.get_fifo(&child, &guest.handle(), ());
                for _ in 0..2000 {
                    fifo.set_barrier();
                    fifo.wait_barrier();
                    child.commit();
                }
                window.surface.commit();
            },
            None,
        ),
    ]);
}

#[test]
fn times_of_pictures() {
    try_all(&[
        (
            "two for one surface",
            |guest, _| {
                let manager: WpCommitTimingManagerV1 = guest.bind(1);
                let surface = guest.surface();
                for _ in 0..2 {
                    manager.get_timer(&surface, &guest.handle(), ());
                }
            },
            Some(("wl_surface", 0)),
        ),
        (
            "too many nanoseconds",
            |guest, _| {
                let manager: WpCommitTimingManagerV1 = guest.bind(1);
                let timer = manager.get_timer(&guest.surface(), &guest.handle(), ());
                timer.set_timestamp(0, 0, 1_000_000_000);
            },
            Some(("wp_commit_timer_v1", 0)),
        ),
        (
            "two times for one picture",
            |guest, _| {
                let manager: WpCommitTimingManagerV1 = guest.bind(1);
                let timer = manager.get_timer(&guest.surface(), &guest.handle(), ());
                timer.set_timestamp(0, 1, 0);
                timer.set_timestamp(0, 2, 0);
            },
            Some(("wp_commit_timer_v1", 1)),
        ),
        (
            "of a surface that is gone",
            |guest, _| {
                let manager: WpCommitTimingManagerV1 = guest.bind(1);
                let surface = guest.surface();
                let timer = manager.get_timer(&surface, &guest.handle(), ());
                surface.destroy();
                timer.set_timestamp(0, 1, 0);
            },
            Some(("wp_commit_timer_v1", 2)),
        ),
        (
            "more pictures for the end of time than can ever be shown",
            |guest, server| {
                let manager: WpCommitTimingManagerV1 = guest.bind(1);
                let window = guest.window(server, "film", (60, 40), ORANGE);
                let timer = manager.get_timer(&window.surface, &guest.handle(), ());
                for _ in 0..2000 {
                    timer.set_timestamp(u32::MAX, u32::MAX, 999_999_999);
                    window.surface.commit();
                }
            },
            EXPELLED,
        ),
    ]);
}

#[test]
fn cursor_shapes() {
    try_all(&[(
        "by a wrong serial, of no shape, and after the pointer is gone",
        |guest, server| {
            let window = guest.window(server, "pointed at", (60, 40), ORANGE);
            let pointer = guest.seat.get_pointer(&guest.handle(), ());
            let manager: WpCursorShapeManagerV1 = guest.bind(1);
            let device = manager.get_pointer(&pointer, &guest.handle(), ());
            let shape = |serial, shape| {
                let request = wp_cursor_shape_device_v1::Request::SetShape { serial, shape };
                device.send_request(request).unwrap();
            };
            for serial in [0, 1, u32::MAX / 2, u32::MAX] {
                shape(serial, WEnum::Value(wp_cursor_shape_device_v1::Shape::Wait));
                shape(serial, WEnum::Unknown(0));
                shape(serial, WEnum::Unknown(u32::MAX));
            }
            pointer.release();
            shape(1, WEnum::Value(wp_cursor_shape_device_v1::Shape::Wait));
            window.surface.commit();
        },
        None,
    )]);
}

#[test]
fn objects_that_hear_of_a_seat() {
    try_all(&[
        (
            "pointers and keyboards",
            |guest, _| {
                for _ in 0..520 {
                    guest.seat.get_pointer(&guest.handle(), ());
                    guest.seat.get_keyboard(&guest.handle(), ());
                }
            },
            EXPELLED,
        ),
        (
            "gestures",
            |guest, _| {
                let pointer = guest.seat.get_pointer(&guest.handle(), ());
                let gestures: ZwpPointerGesturesV1 = guest.bind(3);
                for _ in 0..350 {
                    gestures.get_swipe_gesture(&pointer, &guest.handle(), ());
                    gestures.get_pinch_gesture(&pointer, &guest.handle(), ());
                    gestures.get_hold_gesture(&pointer, &guest.handle(), ());
                }
            },
            EXPELLED,
        ),
        (
            "tablets' seats",
            |guest, _| {
                let tablets: ZwpTabletManagerV2 = guest.bind(1);
                for _ in 0..1100 {
                    tablets.get_tablet_seat(&guest.seat, &guest.handle(), ());
                }
            },
            EXPELLED,
        ),
        (
            "text inputs",
            |guest, _| {
                let inputs: ZwpTextInputManagerV3 = guest.bind(1);
                for _ in 0..1100 {
                    inputs.get_text_input(&guest.seat, &guest.handle(), ());
                }
            },
            EXPELLED,
        ),
        (
            "all of them, given back each time, and gestures of a pointer that is gone",
            |guest, _| {
                let gestures: ZwpPointerGesturesV1 = guest.bind(3);
                let tablets: ZwpTabletManagerV2 = guest.bind(1);
                let inputs: ZwpTextInputManagerV3 = guest.bind(1);
                for _ in 0..1100 {
                    let pointer = guest.seat.get_pointer(&guest.handle(), ());
                    let swipe = gestures.get_swipe_gesture(&pointer, &guest.handle(), ());
                    pointer.release();
                    swipe.destroy();
                    guest.seat.get_keyboard(&guest.handle(), ()).release();
                    tablets.get_tablet_seat(&guest.seat, &guest.handle(), ()).destroy();
                    inputs.get_text_input(&guest.seat, &guest.handle(), ()).destroy();
                }
            },
            None,
        ),
    ]);
}

/// Everything that a text input can be told, with no sense in it.
fn babble(input: &ZwpTextInputV3) {
    input.enable();
    input.set_surrounding_text("x".repeat(3900), i32::MAX, i32::MIN);
    input.set_cursor_rectangle(i32::MAX, i32::MIN, i32::MIN, i32::MAX);
    let cause = zwp_text_input_v3::Request::SetTextChangeCause { cause: WEnum::Unknown(u32::MAX) };
    input.send_request(cause).unwrap();
    let content = zwp_text_input_v3::Request::SetContentType {
        hint: WEnum::Unknown(u32::MAX),
        purpose: WEnum::Unknown(u32::MAX),
    };
    input.send_request(content).unwrap();
    input.commit();
}

#[test]
fn text_inputs() {
    let mut bystander = Bystander::new();
    let mut tool = Client::local(&mut bystander.server);
    let manager: ZwpInputMethodManagerV2 = tool.bind(1);
    let method: ZwpInputMethodV2 = manager.get_input_method(&tool.seat, &tool.handle(), ());
    tool.roundtrip(&mut bystander.server);

    let mut guest = bystander.guest();
    let inputs: ZwpTextInputManagerV3 = guest.bind(1);
    let input = inputs.get_text_input(&guest.seat, &guest.handle(), ());
    babble(&input);
    guest.roundtrip(&mut bystander.server);
    tool.roundtrip(&mut bystander.server);
    let is_active = |tool: &Client| {
        let events = tool.events(&method);
        events.iter().any(|event| matches!(event, zwp_input_method_v2::Event::Activate))
    };
    assert!(!is_active(&tool), "it has no focus");

    guest.window(&mut bystander.server, "babble", (60, 40), ORANGE);
    click(&mut bystander.server, "babble");
    for _ in 0..20 {
        (0..50).for_each(|_| babble(&input));
        guest.roundtrip(&mut bystander.server);
        tool.roundtrip(&mut bystander.server);
        assert_eq!((guest.error(), tool.error()), (None, None));
    }
    assert!(is_active(&tool), "it has the focus");
    drop((guest, method));
    drop(tool);
    bystander.client.roundtrip(&mut bystander.server);
    click(&mut bystander.server, "bank");
    bystander.assert_unharmed("babble");
}

/// As many tokens as are wanted, each asked for with this serial.
fn tokens(client: &mut Client, server: &mut Server, serial: u32, count: usize) -> Vec<String> {
    let activation: XdgActivationV1 = client.bind(1);
    let asked: Vec<XdgActivationTokenV1> = (0..count)
        .map(|_| {
            let token = activation.get_activation_token(&client.handle(), ());
            token.set_serial(serial, &client.seat);
            token.commit();
            token
        })
        .collect();
    client.roundtrip(server);
    let named = asked.iter().flat_map(|token| client.events(token));
    named
        .filter_map(|event| match event {
            xdg_activation_token_v1::Event::Done { token } => Some(token.clone()),
            _ => None,
        })
        .collect()
}

#[test]
fn leaves_to_take_the_focus() {
    use wayland_client::protocol::wl_keyboard;
    try_all(&[(
        "a token that is made twice",
        |guest, _| {
            let activation: XdgActivationV1 = guest.bind(1);
            let token = activation.get_activation_token(&guest.handle(), ());
            token.commit();
            token.commit();
        },
        Some(("xdg_activation_token_v1", 0)),
    )]);

    let mut bystander = Bystander::new();
    let server = &mut bystander.server;
    let active = |server: &Server| {
        let mut reports = server.state.window_reports().into_iter();
        reports.find(|report| report.activated).map(|report| report.title)
    };
    let work = domain(server, "work");
    let mut guest = Client::new(server, work.clone());
    let mut sibling = Client::new(server, work);
    let siblings = sibling.window(server, "sibling", (60, 40), ORANGE);
    let keyboard = guest.seat.get_keyboard(&guest.handle(), ());
    guest.window(server, "guest", (60, 40), ORANGE);
    click(server, "guest");
    guest.roundtrip(server);
    assert_eq!(active(server).as_deref(), Some("guest"));
    let serial = guest.events(&keyboard).iter().rev().find_map(|event| match event {
        wl_keyboard::Event::Enter { serial, .. } => Some(*serial),
        _ => None,
    });
    let given = tokens(&mut guest, server, serial.unwrap(), 1100);
    assert_eq!(given.len(), 1100, "each is answered");
    assert_eq!(guest.error(), None);
    let activate = |client: &mut Client, server: &mut Server, token: &str, surface: &_| {
        client.bind::<XdgActivationV1>(1).activate(token.to_owned(), surface);
        client.roundtrip(server);
    };
    // The last came when too many were out.
    activate(&mut sibling, server, &given[1099], &siblings.surface);
    assert_eq!(active(server).as_deref(), Some("guest"));
    // Another domain's opens nothing, nor one that nobody gave; and it is spent.
    let other = bystander.client.window(server, "other", (60, 40), TEAL);
    for token in [&given[0], "", "no such token", &"x".repeat(3000)] {
        activate(&mut bystander.client, server, token, &other.surface);
        assert_eq!(active(server).as_deref(), Some("guest"));
    }
    activate(&mut sibling, server, &given[0], &siblings.surface);
    assert_eq!(active(server).as_deref(), Some("guest"));
    activate(&mut sibling, server, &given[1], &siblings.surface);
    assert_eq!(active(server).as_deref(), Some("sibling"));
    assert_eq!(bystander.client.error(), None);
}
