//! What programs commit of their text, while the input method is too busy to read it.

use hyper_dmabuf_compositor::server::Server;
use wayland_protocols::wp::text_input::zv3::client::{
    zwp_text_input_manager_v3::ZwpTextInputManagerV3, zwp_text_input_v3::ZwpTextInputV3,
};
use wayland_protocols_misc::zwp_input_method_v2::client::{
    zwp_input_method_manager_v2::ZwpInputMethodManagerV2,
    zwp_input_method_v2::{Event, ZwpInputMethodV2},
};

use crate::{
    client::{Client, server, work},
    nonsense::click,
};

const ORANGE: [u8; 4] = [0x20, 0x80, 0xf0, 0];
/// The longest text that a message can carry with what else is in it.
const LONG: usize = 3900;

/// An input method, and a program of a guest in whose text input a person types.
fn typing(server: &mut Server) -> ((Client, ZwpInputMethodV2), (Client, ZwpTextInputV3)) {
    let mut tool = Client::local(server);
    let manager: ZwpInputMethodManagerV2 = tool.bind(1);
    let method = manager.get_input_method(&tool.seat, &tool.handle(), ());
    tool.roundtrip(server);
    let origin = work(server);
    let mut guest = Client::new(server, origin);
    let inputs: ZwpTextInputManagerV3 = guest.bind(1);
    let input = inputs.get_text_input(&guest.seat, &guest.handle(), ());
    guest.window(server, "letter", (60, 40), ORANGE);
    click(server, "letter");
    input.enable();
    input.commit();
    guest.roundtrip(server);
    tool.roundtrip(server);
    assert!(tool.take_events(&method).iter().any(|event| matches!(event, Event::Activate)));
    ((tool, method), (guest, input))
}

fn write(input: &ZwpTextInputV3, number: usize) {
    input.set_surrounding_text(format!("{number:0LONG$}"), 0, 0);
    input.commit();
}

#[test]
fn texts_wait_for_an_input_method_that_does_not_read() {
    let mut server = server("320x240");
    let ((mut tool, method), (mut guest, input)) = typing(&mut server);
    // In all more than the compositor keeps for who does not read.
    for number in 1..=900 {
        write(&input, number);
        if number % 20 == 0 {
            guest.roundtrip(&mut server);
        }
    }
    assert_eq!(guest.error(), None);
    tool.roundtrip(&mut server);
    tool.roundtrip(&mut server);
    assert_eq!(tool.error(), None);
    let events = tool.events(&method);
    let done = events.iter().filter(|event| matches!(event, Event::Done)).count();
    assert_eq!(done, 900, "each commit is told of");
    let texts = events.iter().filter_map(|event| match event {
        Event::SurroundingText { text, .. } => text.parse().ok(),
        _ => None,
    });
    let texts: Vec<usize> = texts.collect();
    assert_eq!(texts.last(), Some(&900), "the last text is known");
    assert!(texts.len() < 300 && texts.is_sorted(), "{} texts", texts.len());
    // From now on nothing waits.
    write(&input, 7);
    guest.roundtrip(&mut server);
    tool.roundtrip(&mut server);
    let events = tool.take_events(&method);
    let last = events.iter().rev().find_map(|event| match event {
        Event::SurroundingText { text, .. } => text.parse().ok(),
        _ => None,
    });
    assert_eq!(last, Some(7usize));
}

#[test]
fn a_flood_of_texts_ends_its_sender_and_not_the_input_method() {
    let mut server = server("320x240");
    let ((mut tool, method), (mut guest, input)) = typing(&mut server);
    for round in 0..30 {
        (0..20).for_each(|number| write(&input, 20 * round + number));
        (0..500).for_each(|_| input.commit());
        guest.roundtrip(&mut server);
    }
    assert_eq!(guest.error(), Some(("wl_display".to_owned(), 3)), "asked for too much");
    tool.roundtrip(&mut server);
    tool.roundtrip(&mut server);
    assert_eq!(tool.error(), None);
    let deactivated = |event: &&Event| matches!(event, Event::Deactivate);
    assert!(tool.events(&method).into_iter().any(|event| deactivated(&event)), "it lives on");
}
