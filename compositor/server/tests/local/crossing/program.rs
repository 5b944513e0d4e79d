//! A program with a window and a clipboard, and the person who looks at it.

use std::{
    fs::File,
    io::{ErrorKind, Read, Write},
    os::fd::{AsFd, OwnedFd},
    time::{Duration, Instant},
};

use hyper_dmabuf_compositor::{
    client::ClientOrigin,
    input::{Input, LEFT_BUTTON},
    server::Server,
    trust::notes::Note,
};
use rustix::{
    fs::{OFlags, fcntl_setfl},
    pipe::{PipeFlags, pipe_with},
};
use wayland_client::protocol::{
    wl_data_device::{self, WlDataDevice},
    wl_data_device_manager::WlDataDeviceManager,
    wl_data_offer::{self, WlDataOffer},
    wl_data_source::{self, WlDataSource},
};

use crate::client::{Client, Window, server_with};

const SUPER: u32 = 125;
const SHIFT: u32 = 42;
const C: u32 = 46;
const V: u32 = 47;

/// How long anything may take. Only a broken compositor takes as long.
const PATIENCE: Duration = Duration::from_secs(20);

/// A compositor with the domains `work` and `web`, and more lines in its configuration.
pub(super) fn server(more: &str) -> Server {
    server_with("1200x600", &format!("{more}\n[[domain]]\nname = \"web\"\n"))
}

pub(super) struct Program {
    pub(super) client: Client,
    pub(super) device: WlDataDevice,
    pub(super) devices: WlDataDeviceManager,
    pub(super) window: Window,
    title: String,
}

impl Program {
    /// A program of a domain, or a local one, with a window of this title.
    pub(super) fn new(server: &mut Server, domain: Option<&str>, title: &str) -> Program {
        let origin = match domain {
            Some(name) => {
                ClientOrigin::Domain(server.state.domains.by_name(name).unwrap().domain.clone())
            }
            None => ClientOrigin::Local,
        };
        let mut client = Client::new(server, origin);
        let devices: WlDataDeviceManager = client.bind(3);
        let device = devices.get_data_device(&client.seat, &client.handle(), ());
        let window = client.window(server, title, (200, 100), [0x80, 0x80, 0x80, 0]);
        Program { client, device, devices, window, title: title.to_owned() }
    }

    /// The middle of its window.
    pub(super) fn middle(&self, server: &Server) -> (f64, f64) {
        let windows = server.state.window_reports();
        let place = windows.iter().find(|window| window.title == self.title).unwrap().geometry;
        (f64::from(place.x + place.width / 2), f64::from(place.y + place.height / 2))
    }

    /// A person clicks on its window.
    pub(super) fn focus(&mut self, server: &mut Server) {
        let (x, y) = self.middle(server);
        server.state.inject(Input::PointerMotion { x, y });
        for pressed in [true, false] {
            server.state.inject(Input::PointerButton { button: LEFT_BUTTON, pressed });
        }
        self.client.roundtrip(server);
    }

    pub(super) fn source(&self, kinds: &[&str]) -> WlDataSource {
        let source = self.devices.create_data_source(&self.client.handle(), ());
        kinds.iter().for_each(|kind| source.offer((*kind).to_owned()));
        source
    }

    /// It gets the keyboard and copies something of these kinds.
    pub(super) fn copy(&mut self, server: &mut Server, kinds: &[&str]) -> WlDataSource {
        self.focus(server);
        let source = self.source(kinds);
        self.device.set_selection(Some(&source), 0);
        self.client.roundtrip(server);
        source
    }

    /// What it was asked for, if it was: which kind, and where to write it.
    pub(super) fn asked(
        &mut self,
        server: &mut Server,
        source: &WlDataSource,
    ) -> Option<(String, OwnedFd)> {
        self.client.roundtrip(server);
        self.client.take_events(source).into_iter().find_map(|event| match event {
            wl_data_source::Event::Send { mime_type, fd } => Some((mime_type, fd)),
            _ => None,
        })
    }

    /// It copies something, and a person copies it out.
    pub(super) fn copy_out(&mut self, server: &mut Server, kind: &str, bytes: &[u8]) {
        let source = self.copy(server, &[kind]);
        copy_out(server);
        let (_, pipe) = self.asked(server, &source).expect("it is asked");
        File::from(pipe).write_all(bytes).unwrap();
    }

    /// What it can paste.
    pub(super) fn offer(&mut self, server: &mut Server) -> Option<WlDataOffer> {
        self.client.roundtrip(server);
        let events = self.client.events(&self.device);
        let last = events.into_iter().rev().find_map(|event| match event {
            wl_data_device::Event::Selection { id } => Some(id.clone()),
            _ => None,
        });
        last.flatten()
    }

    /// The kinds of an offer.
    pub(super) fn kinds(&self, offer: &WlDataOffer) -> Vec<String> {
        let events = self.client.events(offer).into_iter();
        let kinds = events.filter_map(|event| match event {
            wl_data_offer::Event::Offer { mime_type } => Some(mime_type.clone()),
            _ => None,
        });
        kinds.collect()
    }

    /// It asks for what an offer stands for, to read it from this pipe.
    pub(super) fn receive(&mut self, server: &mut Server, offer: &WlDataOffer, kind: &str) -> File {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        fcntl_setfl(&reader, OFlags::NONBLOCK).unwrap();
        offer.receive(kind.to_owned(), writer.as_fd());
        self.client.roundtrip(server);
        File::from(reader)
    }

    /// What it gets of an offer.
    pub(super) fn paste(
        &mut self,
        server: &mut Server,
        offer: &WlDataOffer,
        kind: &str,
    ) -> Vec<u8> {
        let pipe = self.receive(server, offer, kind);
        read_all(server, pipe)
    }
}

/// Read to the end, while the compositor writes.
pub(super) fn read_all(server: &mut Server, mut pipe: File) -> Vec<u8> {
    let mut all = Vec::new();
    let start = Instant::now();
    loop {
        match pipe.read_to_end(&mut all) {
            Ok(_) => return all,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
        assert!(start.elapsed() < PATIENCE, "the pipe does not end");
        server.dispatch(Some(Duration::from_millis(1))).unwrap();
    }
}

fn press(server: &mut Server, key: u32) {
    let keys = [SUPER, SHIFT, key];
    for key in keys {
        server.state.inject(Input::Key { key, pressed: true });
    }
    for key in keys.into_iter().rev() {
        server.state.inject(Input::Key { key, pressed: false });
    }
}

pub(super) fn copy_out(server: &mut Server) {
    press(server, C);
}

pub(super) fn paste_in(server: &mut Server) {
    press(server, V);
}

/// What the person is told, once it has this in it.
pub(super) fn told(server: &mut Server, text: &str) -> Note {
    let start = Instant::now();
    loop {
        let note = server.state.last_note();
        if let Some(note) = note.filter(|note| note.text.contains(text)) {
            return note.clone();
        }
        assert!(start.elapsed() < PATIENCE, "never told {text:?}, but {note:?}");
        server.dispatch(Some(Duration::from_millis(1))).unwrap();
    }
}
