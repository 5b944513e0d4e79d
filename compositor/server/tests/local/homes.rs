//! Windows whose output goes, and comes back.

use hyper_dmabuf_compositor::{
    backend::headless,
    config::OutputSize,
    keys::Action,
    outputs::{OutputChange, settings::OutputConfig},
    server::Server,
};
use smithay::utils::{Logical, Point};

use crate::client::{Client, server_with};

/// Two outputs beside each other.
fn two_outputs() -> Server {
    server_with("400x300", "[[output]]\nname = \"LEFT\"\n[[output]]\nname = \"RIGHT\"")
}

fn place(server: &Server, title: &str) -> Point<i32, Logical> {
    let window = server.state.windows.iter().find(|window| window.title() == title);
    window.unwrap().client_area().loc
}

fn put(server: &mut Server, title: &str, x: i32, y: i32) {
    let window = server.state.windows.iter_mut().find(|window| window.title() == title);
    window.unwrap().move_to((x, y).into());
}

fn switch(server: &mut Server, name: &str, on: bool) {
    let id = server.state.outputs.by_name(name).unwrap().id;
    let change = OutputChange { on: Some(on), ..OutputChange::default() };
    server.state.change_output(id, change).unwrap();
}

#[test]
fn windows_return_to_their_output_unless_somebody_has_moved_them() {
    let mut server = two_outputs();
    let mut client = Client::local(&mut server);
    let titles = ["stays", "returns", "is moved"];
    let _windows = titles.map(|title| client.window(&mut server, title, (80, 60), [9; 4]));
    for (title, x) in titles.into_iter().zip([30, 450, 550]) {
        put(&mut server, title, x, 100);
    }
    switch(&mut server, "RIGHT", false);
    assert!(titles.iter().all(|title| place(&server, title).x < 400), "within reach");
    put(&mut server, "is moved", 77, 88);
    switch(&mut server, "RIGHT", true);
    assert_eq!(place(&server, "stays"), (30, 100).into());
    assert_eq!(place(&server, "returns"), (450, 100).into());
    assert_eq!(place(&server, "is moved"), (77, 88).into());
    // Once it is back it is not sent there again.
    put(&mut server, "returns", 40, 60);
    switch(&mut server, "RIGHT", false);
    switch(&mut server, "RIGHT", true);
    assert_eq!(place(&server, "returns"), (40, 60).into());
}

#[test]
fn windows_return_to_an_output_that_was_unplugged_with_all_others() {
    let mut server = two_outputs();
    let mut client = Client::local(&mut server);
    let _windows = ["left", "right"].map(|title| {
        let window = client.window(&mut server, title, (80, 60), [9; 4]);
        client.roundtrip(&mut server);
        window
    });
    put(&mut server, "left", 30, 100);
    put(&mut server, "right", 450, 100);
    server.state.act(Action::Maximize);
    client.roundtrip(&mut server);
    let filled = place(&server, "right");
    for name in ["RIGHT", "LEFT"] {
        let id = server.state.outputs.by_name(name).unwrap().id;
        server.state.remove_output(id);
    }
    client.roundtrip(&mut server);
    let size = OutputSize::new(400, 300);
    let config = OutputConfig { size, ..OutputConfig::default() };
    for name in ["LEFT", "RIGHT"] {
        let found = headless::found(name.to_owned(), &config);
        server.state.add_output(found);
    }
    client.roundtrip(&mut server);
    assert_eq!(place(&server, "left"), (30, 100).into());
    assert_eq!(place(&server, "right"), filled);
}
