//! Titles in the scripts of the world, in the fonts of Debian that `cargo xtask setup` installs.

use std::{fs, path::PathBuf, time::Duration};

use hyper_dmabuf_compositor::{client::ClientOrigin, config::Config, server::Server};

use crate::{
    client::{Client, server_with},
    windows::assert_looks_like,
};

const BLUE: [u8; 4] = [0xb0, 0x60, 0x20, 0];

/// No other fonts, whatever there are.
const FONTS: &str = "font_directories = [
    \"/usr/share/fonts/truetype/lohit-devanagari\",
    \"/usr/share/fonts/truetype/tlwg\",
    \"/usr/share/fonts/truetype/wqy\",
    \"/usr/share/fonts/truetype/ancient-scripts\",
]
";

const TITLES: [&str; 10] = [
    "مرحبا بالعالم",
    "שלום עולם",
    "हिन्दी में दस्तावेज़",
    "ภาษาไทยที่นี่",
    "中文文件",
    "日本語のファイル",
    "한국어 문서",
    "🚀 🐧 😀",
    "abc שלום 123 ภาษา def",
    "عنوان طويل جدا لا يتسع له شريط النافذة أبدا",
];

/// Let the compositor find and read the fonts that it misses.
fn await_fonts(server: &mut Server) {
    server.dispatch(Some(Duration::ZERO)).unwrap();
    while server.state.awaits_fonts() {
        server.dispatch(Some(Duration::from_secs(60))).unwrap();
    }
}

fn a_server(fonts: &str) -> Server {
    server_with("640x440", &format!("{fonts}identity.bar = \"top\"\n"))
}

fn fonts_of(config: &str) -> Option<Vec<PathBuf>> {
    Config::from_toml(config).unwrap().font_directories
}

fn a_guest(server: &mut Server) -> Client {
    let work = server.state.domains.by_name("work").unwrap().domain.clone();
    Client::new(server, ClientOrigin::Domain(work))
}

#[test]
fn titles_are_drawn_in_fonts_that_cover_them() {
    let mut server = a_server(FONTS);
    let mut guest = a_guest(&mut server);
    for title in TITLES {
        guest.window(&mut server, title, (180, 30), BLUE);
    }
    await_fonts(&mut server);
    assert_looks_like("titles-of-the-world", &server.state.screenshot().unwrap());
}

#[test]
fn labels_are_drawn_anew_when_their_fonts_arrive() {
    let mut server = a_server(FONTS);
    let mut guest = a_guest(&mut server);
    guest.window(&mut server, "Latin", (180, 30), BLUE);
    await_fonts(&mut server);
    let drawn = server.state.pictures_drawn();
    guest.window(&mut server, "ภาษาไทย", (180, 30), BLUE);
    await_fonts(&mut server);
    let arrived = server.state.screenshot().unwrap();
    assert!(server.state.pictures_drawn() > drawn);
    // Where there are no fonts, the same title is boxes.
    let mut bare = a_server("font_directories = []\n");
    let mut other = a_guest(&mut bare);
    other.window(&mut bare, "Latin", (180, 30), BLUE);
    other.window(&mut bare, "ภาษาไทย", (180, 30), BLUE);
    await_fonts(&mut bare);
    assert_ne!(bare.state.screenshot().unwrap().pixels(), arrived.pixels());
}

#[test]
fn fonts_that_are_installed_are_there_when_the_configuration_is_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let config = format!("font_directories = [\"{}\"]\n", directory.path().display());
    let mut server = a_server(&config);
    let same = server.state.config.clone();
    server.state.allow_reload(move || Ok(same.clone()));
    let mut guest = a_guest(&mut server);
    guest.window(&mut server, "ภาษาไทย", (180, 30), BLUE);
    await_fonts(&mut server);
    let boxes = server.state.screenshot().unwrap();
    let font = fs::read_dir("/usr/share/fonts/truetype/tlwg").unwrap().next().unwrap().unwrap();
    let installed = directory.path().join(font.file_name());
    fs::copy(font.path(), &installed).unwrap();
    server.state.reload().unwrap();
    await_fonts(&mut server);
    let letters = server.state.screenshot().unwrap();
    assert_ne!(letters.pixels(), boxes.pixels());
    fs::remove_file(installed).unwrap();
    server.state.reload().unwrap();
    await_fonts(&mut server);
    assert_eq!(server.state.screenshot().unwrap().pixels(), boxes.pixels());
}

#[test]
fn fonts_are_looked_for_where_it_is_configured_now() {
    let mut server = a_server("font_directories = []\n");
    let elsewhere = Config { font_directories: fonts_of(FONTS), ..server.state.config.clone() };
    server.state.allow_reload(move || Ok(elsewhere.clone()));
    let boxes = {
        let mut bare = a_server("font_directories = []\n");
        let mut guest = a_guest(&mut bare);
        guest.window(&mut bare, "ภาษาไทย", (180, 30), BLUE);
        await_fonts(&mut bare);
        bare.state.screenshot().unwrap()
    };
    server.state.reload().unwrap();
    let mut guest = a_guest(&mut server);
    guest.window(&mut server, "ภาษาไทย", (180, 30), BLUE);
    await_fonts(&mut server);
    assert_ne!(server.state.screenshot().unwrap().pixels(), boxes.pixels());
}
