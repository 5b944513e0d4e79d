//! Dialogues over windows of other programs: within a domain, and never across.

use hyper_dmabuf_compositor::{
    client::ClientOrigin,
    input::{Input, LEFT_BUTTON},
    server::Server,
};
use wayland_client::protocol::wl_surface::WlSurface;
use wayland_protocols::xdg::foreign::zv2::client::{
    zxdg_exported_v2::{self, ZxdgExportedV2},
    zxdg_exporter_v2::ZxdgExporterV2,
    zxdg_imported_v2::{self, ZxdgImportedV2},
    zxdg_importer_v2::ZxdgImporterV2,
};

use crate::{
    client::{Client, Window, server, server_with, work},
    exchange::domain,
};

const ORANGE: [u8; 4] = [0x20, 0x80, 0xf0, 0];
const TEAL: [u8; 4] = [0x80, 0x80, 0x10, 0];

fn export(
    client: &mut Client,
    server: &mut Server,
    surface: &WlSurface,
) -> (ZxdgExportedV2, String) {
    let exporter: ZxdgExporterV2 = client.bind(1);
    let exported = exporter.export_toplevel(surface, &client.handle(), ());
    client.roundtrip(server);
    let [zxdg_exported_v2::Event::Handle { handle }] = client.events(&exported)[..] else {
        panic!("there is one handle")
    };
    let handle = handle.clone();
    (exported, handle)
}

fn import(client: &mut Client, server: &mut Server, handle: &str) -> ZxdgImportedV2 {
    let importer: ZxdgImporterV2 = client.bind(1);
    let imported = importer.import_toplevel(handle.to_owned(), &client.handle(), ());
    client.roundtrip(server);
    imported
}

/// How often an importer was told that there is no such window.
fn refusals(client: &Client, imported: &ZxdgImportedV2) -> usize {
    let events = client.events(imported).into_iter();
    events.filter(|event| matches!(event, zxdg_imported_v2::Event::Destroyed)).count()
}

/// Show a dialogue that was given a parent before it was seen.
fn dialogue(client: &mut Client, server: &mut Server, over: &ZxdgImportedV2) -> Window {
    let dialogue = client.toplevel(server, "dialogue");
    over.set_parent_of(&dialogue.surface);
    client.show(&dialogue.surface, (100, 50), TEAL);
    client.roundtrip(server);
    dialogue
}

fn middle(server: &Server, title: &str) -> (i32, i32) {
    let reports = server.state.window_reports();
    let frame = &reports.iter().find(|window| window.title == title).unwrap().frame;
    (frame.x + frame.width / 2, frame.y + frame.height / 2)
}

/// All windows, lowest first, after one was clicked beside what lies in its middle.
fn order_after_click(server: &mut Server, title: &str) -> Vec<String> {
    let reports = server.state.window_reports();
    let frame = &reports.iter().find(|window| window.title == title).unwrap().frame;
    let (x, y) = (f64::from(frame.x + 20), f64::from(frame.y + 60));
    server.state.inject(Input::PointerMotion { x, y });
    for pressed in [true, false] {
        server.state.inject(Input::PointerButton { button: LEFT_BUTTON, pressed });
    }
    server.state.window_reports().into_iter().map(|window| window.title).collect()
}

#[test]
fn a_dialogue_lies_over_the_window_of_another_program_of_its_domain() {
    let mut server = server("640x400");
    let origin = work(&server);
    for origin in [origin, ClientOrigin::Local] {
        let mut program = Client::new(&mut server, origin.clone());
        let main = program.window(&mut server, "main", (300, 200), ORANGE);
        let (exported, handle) = export(&mut program, &mut server, &main.surface);
        let mut portal = Client::new(&mut server, origin);
        let imported = import(&mut portal, &mut server, &handle);
        let file_dialogue = dialogue(&mut portal, &mut server, &imported);
        assert_eq!(middle(&server, "dialogue"), middle(&server, "main"));
        assert_eq!(order_after_click(&mut server, "main"), ["main", "dialogue"]);

        // What is taken back leaves no trace, and the handle is good for nothing.
        exported.destroy();
        program.roundtrip(&mut server);
        portal.roundtrip(&mut server);
        assert_eq!(refusals(&portal, &imported), 1);
        assert_eq!(order_after_click(&mut server, "main"), ["dialogue", "main"]);
        let late = import(&mut portal, &mut server, &handle);
        assert_eq!(refusals(&portal, &late), 1);

        // A window that goes takes its handles with it.
        let (_exported, handle) = export(&mut program, &mut server, &main.surface);
        let again = import(&mut portal, &mut server, &handle);
        again.set_parent_of(&file_dialogue.surface);
        portal.roundtrip(&mut server);
        assert_eq!(server.state.windows.iter().filter(|it| it.parent().is_some()).count(), 1);
        main.toplevel.destroy();
        program.roundtrip(&mut server);
        portal.roundtrip(&mut server);
        assert_eq!(refusals(&portal, &again), 1);
        assert!(server.state.windows.iter().all(|window| window.parent().is_none()));
        for client in [&program, &portal] {
            assert_eq!(client.error(), None);
        }
        file_dialogue.toplevel.destroy();
        portal.roundtrip(&mut server);
    }
}

#[test]
fn whoever_imported_a_window_lets_go_of_it() {
    let mut server = server("640x400");
    let mut program = Client::local(&mut server);
    let main = program.window(&mut server, "main", (300, 200), ORANGE);
    let (_exported, handle) = export(&mut program, &mut server, &main.surface);
    let imported = import(&mut program, &mut server, &handle);
    dialogue(&mut program, &mut server, &imported);
    assert!(server.state.windows.iter().any(|window| window.parent().is_some()));
    imported.destroy();
    program.roundtrip(&mut server);
    assert!(server.state.windows.iter().all(|window| window.parent().is_none()));
}

#[test]
fn no_handle_leads_into_another_domain() {
    let mut server = server_with("900x400", "[[domain]]\nname = \"bank\"\n");
    let (work, bank) = (domain(&server, "work"), domain(&server, "bank"));
    let ways =
        [(work.clone(), bank), (work.clone(), ClientOrigin::Local), (ClientOrigin::Local, work)];
    for (from, to) in ways {
        let mut program = Client::new(&mut server, from);
        let main = program.window(&mut server, "main", (300, 200), ORANGE);
        let (_exported, handle) = export(&mut program, &mut server, &main.surface);
        let mut other = Client::new(&mut server, to);
        let upper = handle.to_uppercase();
        let zero = "0".repeat(32);
        for handle in [&*handle, &*upper, &*zero, "", "+1", "\u{20ac}"] {
            let imported = import(&mut other, &mut server, handle);
            assert_eq!(refusals(&other, &imported), 1, "{handle:?}");
            let dialogue = dialogue(&mut other, &mut server, &imported);
            assert!(server.state.windows.iter().all(|window| window.parent().is_none()));
            dialogue.toplevel.destroy();
            imported.destroy();
        }
        other.roundtrip(&mut server);
        program.roundtrip(&mut server);
        assert_eq!((program.error(), other.error()), (None, None));
        main.toplevel.destroy();
        program.roundtrip(&mut server);
    }
}

#[test]
fn windows_do_not_lie_over_each_other_in_a_circle() {
    let mut server = server("640x400");
    let mut program = Client::local(&mut server);
    let main = program.window(&mut server, "main", (300, 200), ORANGE);
    let (_main, handle) = export(&mut program, &mut server, &main.surface);
    let over_main = import(&mut program, &mut server, &handle);
    let dialogue = dialogue(&mut program, &mut server, &over_main);
    let (_dialogue, handle) = export(&mut program, &mut server, &dialogue.surface);
    let over_dialogue = import(&mut program, &mut server, &handle);
    over_dialogue.set_parent_of(&main.surface);
    over_main.set_parent_of(&main.surface);
    program.roundtrip(&mut server);
    assert_eq!(program.error(), None);
    assert_eq!(order_after_click(&mut server, "main"), ["main", "dialogue"]);
}

/// What a program does wrong, and the interface of the error that ends it.
type Misuse = (&'static str, &'static str, fn(&mut Client, &mut Server));

#[test]
fn only_windows_are_exported_and_only_so_many() {
    let mut server = server("640x400");
    let origin = work(&server);
    let misuses: [Misuse; 4] = [
        ("a surface without a role", "zxdg_exporter_v2", |client, _| {
            let exporter: ZxdgExporterV2 = client.bind(1);
            exporter.export_toplevel(&client.surface(), &client.handle(), ());
        }),
        ("a parent of a surface without a role", "zxdg_imported_v2", |client, server| {
            import(client, server, "nonsense").set_parent_of(&client.surface());
        }),
        ("too many handles", "wl_display", |client, server| {
            let window = client.toplevel(server, "generous");
            let exporter: ZxdgExporterV2 = client.bind(1);
            for _ in 0..257 {
                exporter.export_toplevel(&window.surface, &client.handle(), ());
            }
        }),
        ("too many imports", "wl_display", |client, server| {
            let window = client.toplevel(server, "wanted");
            let (_, handle) = export(client, server, &window.surface);
            let importer: ZxdgImporterV2 = client.bind(1);
            for _ in 0..257 {
                importer.import_toplevel(handle.clone(), &client.handle(), ());
            }
        }),
    ];
    let mut neighbour = Client::new(&mut server, origin.clone());
    for (what, interface, misuse) in misuses {
        let mut client = Client::new(&mut server, origin.clone());
        misuse(&mut client, &mut server);
        client.roundtrip(&mut server);
        let error = client.error().map(|(interface, _)| interface);
        assert_eq!(error.as_deref(), Some(interface), "{what}");
        neighbour.roundtrip(&mut server);
        assert_eq!(neighbour.error(), None, "{what}");
    }
}
