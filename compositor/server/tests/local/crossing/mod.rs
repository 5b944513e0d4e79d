//! What a person carries from one domain to another by two keys, and that nothing else crosses.

mod bounds;
mod program;

use std::os::fd::AsFd;

use hyper_dmabuf_compositor::input::{Input, LEFT_BUTTON};
use wayland_client::protocol::{wl_data_source, wl_output::WlOutput, wl_pointer};
use wayland_protocols::{
    ext::{
        data_control::v1::client::{
            ext_data_control_device_v1, ext_data_control_manager_v1::ExtDataControlManagerV1,
        },
        session_lock::v1::client::ext_session_lock_manager_v1::ExtSessionLockManagerV1,
    },
    wp::{
        keyboard_shortcuts_inhibit::zv1::client::zwp_keyboard_shortcuts_inhibit_manager_v1::ZwpKeyboardShortcutsInhibitManagerV1,
        primary_selection::zv1::client::{
            zwp_primary_selection_device_manager_v1::ZwpPrimarySelectionDeviceManagerV1,
            zwp_primary_selection_device_v1,
        },
    },
};

use program::{Program, copy_out, paste_in, server, told};

use crate::{client::server_with, windows::assert_looks_like};

const TEXT: &str = "text/plain;charset=utf-8";

#[test]
fn a_copy_crosses_by_both_keys_and_once() {
    let mut server = server("");
    let mut work = Program::new(&mut server, Some("work"), "work");
    let mut web = Program::new(&mut server, Some("web"), "web");

    // The second key alone gives nothing.
    let source = work.copy(&mut server, &["text/html", "text/plain", TEXT]);
    web.focus(&mut server);
    assert_eq!(web.offer(&mut server), None);
    paste_in(&mut server);
    told(&mut server, "nothing to paste: nothing was copied out");
    assert_eq!(web.offer(&mut server), None);

    // Nor does the first.
    work.focus(&mut server);
    copy_out(&mut server);
    let (kind, pipe) = work.asked(&mut server, &source).expect("it is asked");
    assert_eq!(kind, TEXT);
    drop(pipe);
    told(&mut server, "nothing copied out: its program handed over nothing");
    work.copy_out(&mut server, TEXT, b"a secret");
    let note = told(&mut server, "copied out: text, 8 bytes. Super+Shift+v offers it");
    assert_eq!(note.domain.expect("a domain").0, "work");
    assert!(!note.text.contains("secret"));
    web.focus(&mut server);
    assert_eq!(web.offer(&mut server), None);

    paste_in(&mut server);
    let note = told(&mut server, "may paste, once, from work: text, 8 bytes");
    assert_eq!(note.domain.expect("a domain").0, "web");
    let offer = web.offer(&mut server).expect("it is offered");
    assert_eq!(web.kinds(&offer), [TEXT, "text/plain", "UTF8_STRING"]);
    assert_eq!(web.paste(&mut server, &offer, "text/html"), b"", "of no kind but those");
    assert_eq!(web.paste(&mut server, &offer, "UTF8_STRING"), b"a secret");
    told(&mut server, "pasted from work: text, 8 bytes");
    assert_eq!(web.paste(&mut server, &offer, TEXT), b"", "once only");
    paste_in(&mut server);
    told(&mut server, "nothing to paste: nothing was copied out");
    work.focus(&mut server);
    web.focus(&mut server);
    assert_eq!(web.offer(&mut server), None);

    // Where it came from all is as it was.
    let mut other = Program::new(&mut server, Some("work"), "other");
    other.focus(&mut server);
    assert!(other.offer(&mut server).is_some());
}

/// A person sees what goes where.
#[test]
fn both_keys_are_answered_on_the_screen() {
    let more = "identity.bar = \"top\"\n[[domain]]\nname = \"web\"\ncolour = \"#a83f3a\"\n";
    let mut server = server_with("960x240", more);
    let mut work = Program::new(&mut server, Some("work"), "work");
    let mut web = Program::new(&mut server, Some("web"), "web");
    work.copy_out(&mut server, TEXT, b"a secret");
    told(&mut server, "copied out: text");
    assert_looks_like("copied-out", &server.state.screenshot().unwrap());
    web.focus(&mut server);
    paste_in(&mut server);
    assert_looks_like("pasted-in", &server.state.screenshot().unwrap());
}

#[test]
fn only_the_domain_that_has_the_keyboard_may_paste() {
    let mut server = server("");
    let mut work = Program::new(&mut server, Some("work"), "work");
    let mut web = Program::new(&mut server, Some("web"), "web");
    let mut second = Program::new(&mut server, Some("web"), "second");
    let mut local = Program::new(&mut server, None, "local");
    work.copy_out(&mut server, TEXT, b"a secret");
    told(&mut server, "copied out: text");
    web.focus(&mut server);
    paste_in(&mut server);
    let offer = web.offer(&mut server).expect("it is offered");

    // Within the domain the offer goes with the keyboard.
    second.focus(&mut server);
    assert!(second.offer(&mut server).is_some());
    assert_eq!(web.offer(&mut server), None);
    // Nobody has the keyboard for a moment.
    server.state.inject(Input::PointerMotion { x: 1199.0, y: 599.0 });
    server.state.inject(Input::PointerButton { button: LEFT_BUTTON, pressed: true });
    server.state.inject(Input::PointerButton { button: LEFT_BUTTON, pressed: false });
    second.focus(&mut server);
    assert!(second.offer(&mut server).is_some());
    local.focus(&mut server);
    told(&mut server, "may no longer paste from work: another domain");
    for program in [&mut local, &mut second, &mut web] {
        assert_eq!(program.offer(&mut server), None);
    }
    assert_eq!(web.paste(&mut server, &offer, TEXT), b"", "by an offer of before");
    web.focus(&mut server);
    assert_eq!(web.offer(&mut server), None, "it has to be offered anew");

    // And local programs are one more domain.
    local.focus(&mut server);
    paste_in(&mut server);
    assert_eq!(web.paste(&mut server, &offer, TEXT), b"", "while it is offered to others");
    let offer = local.offer(&mut server).expect("it is offered");
    assert_eq!(local.paste(&mut server, &offer, TEXT), b"a secret");
    told(&mut server, "(local) pasted from work");
    local.copy_out(&mut server, TEXT, b"by hand");
    told(&mut server, "(local) copied out: text, 7 bytes");
    web.focus(&mut server);
    paste_in(&mut server);
    let offer = web.offer(&mut server).expect("it is offered");
    assert_eq!(web.paste(&mut server, &offer, TEXT), b"by hand");
}

#[test]
fn what_the_target_has_copied_itself_makes_way_and_takes_it_back() {
    let mut server = server("");
    let mut work = Program::new(&mut server, Some("work"), "work");
    let mut web = Program::new(&mut server, Some("web"), "web");
    work.copy_out(&mut server, TEXT, b"from work");
    told(&mut server, "copied out: text");
    let own = web.copy(&mut server, &["text/plain"]);
    paste_in(&mut server);
    let offer = web.offer(&mut server).expect("it is offered");
    assert_eq!(web.kinds(&offer).len(), 3);
    let events = web.client.events(&own);
    assert!(matches!(events[..], [wl_data_source::Event::Cancelled]), "{events:?}");

    // What it copies next is what it pastes.
    web.copy(&mut server, &["image/png"]);
    told(&mut server, "may no longer paste from work: it has copied");
    let offer = web.offer(&mut server).expect("its own");
    assert_eq!(web.kinds(&offer), ["image/png"]);
    paste_in(&mut server);
    let offer = web.offer(&mut server).expect("it is offered again");
    assert_eq!(web.paste(&mut server, &offer, TEXT), b"from work");
}

#[test]
fn tools_neither_see_what_crosses_nor_take_it_away() {
    let mut server = server("");
    let mut work = Program::new(&mut server, Some("work"), "work");
    let mut local = Program::new(&mut server, None, "local");
    let mut tool = Program::new(&mut server, None, "tool");
    let manager: ExtDataControlManagerV1 = tool.client.bind(1);
    let control = manager.get_data_device(&tool.client.seat, &tool.client.handle(), ());
    work.copy_out(&mut server, TEXT, b"a secret");
    told(&mut server, "copied out: text");
    tool.client.roundtrip(&mut server);
    tool.client.take_events(&control);

    local.focus(&mut server);
    paste_in(&mut server);
    assert!(local.offer(&mut server).is_some());
    tool.client.roundtrip(&mut server);
    assert!(tool.client.events(&control).is_empty(), "{:?}", tool.client.events(&control));

    let source = manager.create_data_source(&tool.client.handle(), ());
    source.offer("text/plain".into());
    control.set_selection(Some(&source));
    tool.client.roundtrip(&mut server);
    let seen = tool.client.events(&control);
    assert!(matches!(
        seen[..],
        [
            ext_data_control_device_v1::Event::DataOffer { .. },
            ext_data_control_device_v1::Event::Selection { id: Some(_) }
        ]
    ));
    let offer = local.offer(&mut server).expect("it is offered still");
    assert_eq!(local.paste(&mut server, &offer, TEXT), b"a secret");
    told(&mut server, "(local) pasted from work");
    work.focus(&mut server);
    local.focus(&mut server);
    let offer = local.offer(&mut server).expect("what the tool has set");
    assert_eq!(local.kinds(&offer), ["text/plain"]);
}

#[test]
fn the_primary_selection_never_crosses() {
    let mut server = server("");
    let mut work = Program::new(&mut server, Some("work"), "work");
    let mut web = Program::new(&mut server, Some("web"), "web");
    let devices = [&work, &web].map(|program| {
        let manager: ZwpPrimarySelectionDeviceManagerV1 = program.client.bind(1);
        let handle = program.client.handle();
        (manager.get_device(&program.client.seat, &handle, ()), manager)
    });
    let [(primary, manager), (seen, _)] = devices;
    work.focus(&mut server);
    let source = manager.create_source(&work.client.handle(), ());
    source.offer(TEXT.into());
    primary.set_selection(Some(&source), 0);
    work.client.roundtrip(&mut server);
    copy_out(&mut server);
    told(&mut server, "nothing copied out: its clipboard is empty");

    work.copy_out(&mut server, TEXT, b"from the clipboard");
    told(&mut server, "copied out: text");
    web.focus(&mut server);
    paste_in(&mut server);
    assert!(web.offer(&mut server).is_some());
    let events = web.client.events(&seen);
    assert!(
        events.iter().all(|event| {
            matches!(event, zwp_primary_selection_device_v1::Event::Selection { id: None })
        }),
        "{events:?}"
    );
    work.client.roundtrip(&mut server);
    assert!(work.client.events(&source).is_empty(), "it is not asked for");
}

#[test]
fn what_is_dragged_does_not_cross() {
    let mut server = server("");
    let mut work = Program::new(&mut server, Some("work"), "work");
    let mut web = Program::new(&mut server, Some("web"), "web");
    let pointer = work.client.seat.get_pointer(&work.client.handle(), ());
    work.focus(&mut server);
    web.client.roundtrip(&mut server);
    web.client.take_events(&web.device);
    work.client.take_events(&pointer);
    server.state.inject(Input::PointerButton { button: LEFT_BUTTON, pressed: true });
    work.client.roundtrip(&mut server);
    let serial = work.client.events(&pointer).into_iter().find_map(|event| match event {
        wl_pointer::Event::Button { serial, .. } => Some(*serial),
        _ => None,
    });
    let source = work.source(&[TEXT]);
    work.device.start_drag(Some(&source), &work.window.surface, None, serial.unwrap());
    work.client.roundtrip(&mut server);
    assert!(server.state.is_dragging());
    let (x, y) = web.middle(&server);
    server.state.inject(Input::PointerMotion { x, y });
    server.state.inject(Input::PointerButton { button: LEFT_BUTTON, pressed: false });
    web.client.roundtrip(&mut server);
    assert!(web.client.events(&web.device).is_empty());
    assert_eq!(server.state.accepted_drops(), 0);
}

#[test]
fn no_program_can_have_the_keys_for_itself() {
    let mut server = server("");
    let mut work = Program::new(&mut server, Some("work"), "work");
    let mut web = Program::new(&mut server, Some("web"), "web");
    for program in [&work, &web] {
        let manager: ZwpKeyboardShortcutsInhibitManagerV1 = program.client.bind(1);
        let (surface, seat) = (&program.window.surface, &program.client.seat);
        manager.inhibit_shortcuts(surface, seat, &program.client.handle(), ());
    }
    work.copy_out(&mut server, TEXT, b"a secret");
    told(&mut server, "copied out: text");
    web.focus(&mut server);
    paste_in(&mut server);
    let offer = web.offer(&mut server).expect("it is offered");
    assert_eq!(web.paste(&mut server, &offer, TEXT), b"a secret");
}

#[test]
fn a_locked_session_takes_the_offer_away() {
    let mut server = server("");
    let mut work = Program::new(&mut server, Some("work"), "work");
    let mut local = Program::new(&mut server, None, "local");
    work.copy_out(&mut server, TEXT, b"a secret");
    told(&mut server, "copied out: text");
    local.focus(&mut server);
    paste_in(&mut server);
    let offer = local.offer(&mut server).expect("it is offered");

    let mut locker = Program::new(&mut server, None, "locker");
    let manager: ExtSessionLockManagerV1 = locker.client.bind(1);
    let handle = locker.client.handle();
    let lock = manager.lock(&handle, ());
    let (output, surface): (WlOutput, _) = (locker.client.bind(4), locker.client.surface());
    lock.get_lock_surface(&surface, &output, &handle, ());
    locker.client.roundtrip(&mut server);
    locker.client.show(&surface, (1200, 600), [0; 4]);
    locker.client.roundtrip(&mut server);
    told(&mut server, "(local) may no longer paste from work");
    assert_eq!(locker.offer(&mut server), None);
    assert_eq!(local.offer(&mut server), None);
    assert_eq!(local.paste(&mut server, &offer, TEXT), b"");
    paste_in(&mut server);
    assert_eq!(locker.offer(&mut server), None);
}

/// A file that is handed over in place of a pipe is not written to, though the compositor could.
#[test]
fn nothing_is_written_to_what_is_not_a_pipe() {
    let mut server = server("");
    let mut work = Program::new(&mut server, Some("work"), "work");
    let mut web = Program::new(&mut server, Some("web"), "web");
    work.copy_out(&mut server, TEXT, b"a secret");
    told(&mut server, "copied out: text");
    web.focus(&mut server);
    paste_in(&mut server);
    let offer = web.offer(&mut server).expect("it is offered");
    let file = tempfile::NamedTempFile::new().unwrap();
    let only_to_read = std::fs::File::open(file.path()).unwrap();
    offer.receive(TEXT.into(), only_to_read.as_fd());
    web.client.roundtrip(&mut server);
    assert_eq!(web.paste(&mut server, &offer, TEXT), b"a secret");
    assert_eq!(std::fs::read(file.path()).unwrap(), b"");
}
