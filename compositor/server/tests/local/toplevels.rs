//! The list of windows, for panels and docks.

use wayland_protocols::ext::foreign_toplevel_list::v1::client::{
    ext_foreign_toplevel_handle_v1,
    ext_foreign_toplevel_list_v1::{self, ExtForeignToplevelListV1},
};
use wayland_protocols_wlr::foreign_toplevel::v1::client::{
    zwlr_foreign_toplevel_handle_v1::{self, State, ZwlrForeignToplevelHandleV1},
    zwlr_foreign_toplevel_manager_v1::{self, ZwlrForeignToplevelManagerV1},
};

use crate::client::{Client, server, work};

const ORANGE: [u8; 4] = [0x20, 0x80, 0xf0, 0];

fn handles(
    client: &Client,
    manager: &ZwlrForeignToplevelManagerV1,
) -> Vec<ZwlrForeignToplevelHandleV1> {
    let events = client.events(manager);
    let handles = events.into_iter().filter_map(|event| match event {
        zwlr_foreign_toplevel_manager_v1::Event::Toplevel { toplevel } => Some(toplevel.clone()),
        _ => None,
    });
    handles.collect()
}

fn states(client: &Client, handle: &ZwlrForeignToplevelHandleV1) -> Vec<State> {
    let events = client.events(handle);
    let last = events.iter().rev().find_map(|event| match event {
        zwlr_foreign_toplevel_handle_v1::Event::State { state } => Some(state),
        _ => None,
    });
    let states = last.unwrap().chunks_exact(4);
    states.map(|state| u32::from_ne_bytes(state.try_into().unwrap()).try_into().unwrap()).collect()
}

#[test]
fn tools_know_all_windows_and_work_them() {
    let mut server = server("640x400");
    let origin = work(&server);
    let mut guest = Client::new(&mut server, origin);
    assert!(guest.try_bind::<ZwlrForeignToplevelManagerV1>(1).is_none());
    assert!(guest.try_bind::<ExtForeignToplevelListV1>(1).is_none());
    let mut tool = Client::local(&mut server);
    let list: ExtForeignToplevelListV1 = tool.bind(1);
    let manager: ZwlrForeignToplevelManagerV1 = tool.bind(3);
    let window = guest.window(&mut server, "accounts", (200, 100), ORANGE);
    let mut local = Client::local(&mut server);
    local.window(&mut server, "local", (200, 100), ORANGE);
    tool.roundtrip(&mut server);

    let [first, second]: [_; 2] = handles(&tool, &manager).try_into().unwrap();
    let titles = |handle: &ZwlrForeignToplevelHandleV1, tool: &Client| -> Vec<String> {
        let events = tool.events(handle).into_iter().filter_map(|event| match event {
            zwlr_foreign_toplevel_handle_v1::Event::Title { title } => Some(title.clone()),
            _ => None,
        });
        events.collect()
    };
    assert_eq!(titles(&first, &tool), ["[work] accounts"], "the domain stands first");
    assert_eq!(titles(&second, &tool), ["local"]);
    assert_eq!(states(&tool, &first), [State::Activated]);
    let listed = tool.events(&list).len();
    assert_eq!(listed, 2);
    let ext_foreign_toplevel_list_v1::Event::Toplevel { toplevel } = tool.events(&list)[0] else {
        panic!("no window")
    };
    let toplevel = toplevel.clone();
    assert!(tool.events(&toplevel).iter().any(|event| matches!(
        event,
        ext_foreign_toplevel_handle_v1::Event::Title { title } if title == "[work] accounts"
    )));

    window.toplevel.set_title("budget".into());
    guest.roundtrip(&mut server);
    first.set_minimized();
    tool.roundtrip(&mut server);
    assert_eq!(titles(&first, &tool).last().unwrap(), "[work] budget");
    assert_eq!(states(&tool, &first), [State::Minimized]);
    assert_eq!(states(&tool, &second), [State::Activated]);
    assert!(!server.state.window_reports().iter().any(|w| w.title == "budget" && w.visible));
    first.activate(&tool.seat.clone());
    first.set_maximized();
    tool.roundtrip(&mut server);
    let mut now = states(&tool, &first);
    now.sort_by_key(|state| *state as u32);
    assert_eq!(now, [State::Maximized, State::Activated]);
    first.close();
    tool.roundtrip(&mut server);
    guest.roundtrip(&mut server);
    let told = guest.events(&window.toplevel);
    assert!(told.iter().any(|event| format!("{event:?}").starts_with("Close")));

    // One who comes later hears the same.
    let mut late = Client::local(&mut server);
    let others: ZwlrForeignToplevelManagerV1 = late.bind(3);
    late.roundtrip(&mut server);
    assert_eq!(handles(&late, &others).len(), 2);
    window.toplevel.destroy();
    guest.roundtrip(&mut server);
    tool.roundtrip(&mut server);
    assert!(matches!(
        tool.events(&first).last(),
        Some(zwlr_foreign_toplevel_handle_v1::Event::Closed)
    ));
    assert!(matches!(
        tool.events(&toplevel).last(),
        Some(ext_foreign_toplevel_handle_v1::Event::Closed)
    ));
}

#[test]
fn a_window_that_fills_the_screen_is_maximised_afterwards() {
    let mut server = server("640x400");
    let mut tool = Client::local(&mut server);
    let manager: ZwlrForeignToplevelManagerV1 = tool.bind(3);
    let mut local = Client::local(&mut server);
    let window = local.window(&mut server, "film", (200, 100), ORANGE);
    let mut is = |local: &mut Client, state| {
        local.roundtrip(&mut server);
        tool.roundtrip(&mut server);
        let told = handles(&tool, &manager);
        let by_tool = states(&tool, &told[0]).contains(&state);
        (told[0].clone(), by_tool)
    };
    window.toplevel.set_fullscreen(None);
    let (handle, fullscreen) = is(&mut local, State::Fullscreen);
    assert!(fullscreen);
    handle.set_maximized();
    assert!(is(&mut local, State::Fullscreen).1, "a tool does not end it by that");
    handle.unset_fullscreen();
    assert!(is(&mut local, State::Maximized).1);

    window.toplevel.set_fullscreen(None);
    window.toplevel.unset_maximized();
    assert!(is(&mut local, State::Fullscreen).1, "nor does its own program");
    window.toplevel.unset_fullscreen();
    assert!(!is(&mut local, State::Maximized).1);
    assert_eq!(local.configured(&window).0, (200, 100));
}
