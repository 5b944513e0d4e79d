//! Guests that send nonsense: a clear protocol error to that client, and nothing to anybody else.

use std::os::fd::AsFd;
use std::sync::Arc;

use fixture::{App, Direct, Display, Lost, Pattern, Socket};
use hyper_dmabuf::client::Address;
use hyper_dmabuf::domain::DomainId;
use hyper_dmabuf::grant::directory::Directory;
use hyper_dmabuf::grant::{Access, GrantPages, GrantedMemory, PageCount};
use hyper_dmabuf::hypervisor::SharedPages;
use hyper_dmabuf_compositor::image::Image;
use hyper_dmabuf_protocol::client::hyper_dmabuf_manager_v1::{
    Error as ManagerError, Flag, HyperDmabufManagerV1,
};
use hyper_dmabuf_protocol::client::hyper_dmabuf_v1::{Error as BufferError, HyperDmabufV1};
use wayland_client::protocol::wl_output::WlOutput;
use wayland_client::protocol::wl_shm::{Error as ShmError, Format};
use wayland_protocols_wlr::screencopy::v1::client::zwlr_screencopy_manager_v1::ZwlrScreencopyManagerV1;

/// The words of an ID of domain 1, which `work` is.
const ID: [u32; 4] = [0x0100_0007, 11, 22, 33];

/// A display with a neighbour whose window must not change.
struct Street {
    display: Display,
    neighbour: App,
    window: fixture::Window,
    before: Image,
}

impl Street {
    fn new() -> Street {
        let display = Display::start("400x300", &["work", "neighbour"]);
        let mut neighbour = App::connect(&display, "neighbour");
        let window = neighbour.window("quiet", 200, 100, Pattern::Gradient);
        let before = display.screenshot();
        Street { display, neighbour, window, before }
    }

    /// Somebody does something; it is answered with this error, which says this.
    fn refuse(&mut self, object: &str, code: u32, says: &str, what: impl FnOnce(&mut Raw)) {
        let mut raw = Raw::connect(&self.display);
        what(&mut raw);
        let Lost(error) = raw.app.roundtrip().expect_err("it must be refused");
        let error = error.unwrap_or_else(|| panic!("a protocol error that says {says:?}"));
        assert_eq!((error.object_interface.as_str(), error.code), (object, code), "{error:?}");
        assert!(error.message.contains(says), "{:?} should say {says:?}", error.message);
        drop(raw);
        self.nothing_happened();
    }

    fn nothing_happened(&mut self) {
        self.neighbour.roundtrip().expect("the neighbour lives on");
        self.display.wait_until("the guest is gone", |state| {
            state.domain_reports()[0].clients == 0
                && state.hyper_dmabuf().importer().account(DomainId::new(1).unwrap())
                    == Default::default()
        });
        assert!(self.display.screenshot() == self.before, "the picture has changed");
        // And it can still draw.
        self.neighbour.draw(&mut self.window, Pattern::Gradient);
        assert!(self.display.screenshot() == self.before);
    }
}

/// A program that makes its own requests.
struct Raw {
    app: App,
    manager: HyperDmabufManagerV1,
}

/// A buffer as `export` wants it, to be made wrong.
#[derive(Clone)]
struct Export {
    id: [u32; 4],
    pages: u32,
    root: u32,
    offset: u32,
    length: u32,
    flags: u32,
    metadata: Vec<u8>,
}

/// Granted pages and their directory.
struct Pages {
    memory: SharedPages,
    directory: Directory<SharedPages>,
}

impl Raw {
    fn connect(display: &Display) -> Raw {
        Self::connect_to(&display.address("work"))
    }

    fn connect_to(address: &Address) -> Raw {
        let app = App::connect_to(address).expect("a connection");
        let manager = app.globals.bind(&app.handle(), 1..=1, ()).expect("the protocol");
        Raw { app, manager }
    }

    /// Grants pages to the display domain.
    fn pages(&self, count: u32) -> Pages {
        let memory = self.app.guest.memory();
        let count = PageCount::new(count).unwrap();
        let pages = memory.grant(count, DomainId::DISPLAY, Access::ReadOnly).unwrap();
        let directory = Directory::build(memory, pages.references(), DomainId::DISPLAY).unwrap();
        Pages { memory: pages, directory }
    }

    /// What would be right for these pages.
    fn export_of(&self, pages: &Pages) -> Export {
        let count = pages.memory.references().len() as u32;
        let (root, length) = (pages.directory.root().0, count * 4096);
        Export { id: ID, pages: count, root, offset: 0, length, flags: 0, metadata: vec![] }
    }

    fn send(&self, export: Export) -> HyperDmabufV1 {
        let [handle, a, b, c] = export.id;
        self.manager.export(
            handle,
            a,
            b,
            c,
            export.pages,
            export.root,
            export.offset,
            export.length,
            Flag::from_bits_retain(export.flags),
            export.metadata,
            &self.app.handle(),
            (),
        )
    }
}

const MANAGER: &str = "hyper_dmabuf_manager_v1";
const BUFFER: &str = "hyper_dmabuf_v1";

/// One export that is wrong in one way.
fn refuse_export(says: &str, code: ManagerError, change: impl FnOnce(&mut Export)) {
    let mut street = Street::new();
    let mut held = None;
    street.refuse(MANAGER, code as u32, says, |raw| {
        let pages = raw.pages(4);
        let mut export = raw.export_of(&pages);
        change(&mut export);
        raw.send(export);
        held = Some(pages);
    });
}

#[test]
fn right_export_is_accepted() {
    let mut street = Street::new();
    let mut raw = Raw::connect(&street.display);
    let pages = raw.pages(4);
    let buffer = raw.send(raw.export_of(&pages));
    buffer.query();
    raw.app.roundtrip().unwrap();
    let events = raw.app.take_buffer_events();
    assert_eq!(events, ["ready", "info Value(Exported) 1 users 16384 bytes"]);
    buffer.unexport(0);
    raw.app.roundtrip().unwrap();
    raw.app.roundtrip().unwrap();
    assert_eq!(raw.app.take_buffer_events(), ["unexported", "released"]);
    pages.memory.end().unwrap();
    pages.directory.into_memory().end().unwrap();
    drop(raw);
    street.nothing_happened();
}

#[test]
fn id_of_another_domain() {
    refuse_export("not one of domain 1", ManagerError::ForeignDomain, |export| {
        export.id[0] = 0x0200_0007;
    });
}

#[test]
fn root_that_is_not_granted() {
    for root in [0, 1, u32::MAX, 100_000] {
        refuse_export("root page cannot be mapped", ManagerError::InvalidDirectory, |export| {
            export.root = root;
        });
    }
}

#[test]
fn directory_that_points_nowhere() {
    let mut street = Street::new();
    let mut held = None;
    street.refuse(MANAGER, ManagerError::InvalidDirectory as u32, "pages of references", |raw| {
        // A page of data in place of the root: its words are zeros.
        let pages = raw.pages(4);
        let mut export = raw.export_of(&pages);
        export.root = pages.memory.references()[0].0;
        raw.send(export);
        held = Some(pages);
    });
}

#[test]
fn data_page_that_was_taken_back() {
    let mut street = Street::new();
    let mut held = None;
    street.refuse(MANAGER, ManagerError::InvalidDirectory as u32, "is not granted", |raw| {
        let pages = raw.pages(4);
        let export = raw.export_of(&pages);
        pages.memory.end().unwrap();
        raw.send(export);
        held = Some(pages.directory);
    });
}

#[test]
fn pages_granted_for_reading_exported_as_writable() {
    refuse_export("granted for reading only", ManagerError::InvalidDirectory, |export| {
        export.flags = 1;
    });
}

#[test]
fn undefined_flag() {
    refuse_export("undefined flag", ManagerError::InvalidFlags, |export| export.flags = 6);
}

#[test]
fn sizes_that_contradict_each_other() {
    let cases: [fn(&mut Export); 8] = [
        |export| export.length = 4 * 4096 + 1,
        |export| export.length = 3 * 4096,
        |export| export.length = 0,
        |export| export.offset = 4096,
        |export| export.pages = 0,
        |export| export.length = u32::MAX,
        |export| (export.pages, export.length) = (1 << 19, 1 << 31),
        |export| (export.pages, export.offset, export.length) = (u32::MAX, u32::MAX, u32::MAX),
    ];
    for change in cases {
        refuse_export("pages", ManagerError::InvalidSize, change);
    }
}

#[test]
fn metadata_over_the_limit() {
    refuse_export("193 bytes of metadata", ManagerError::MetadataTooLarge, |export| {
        export.metadata = vec![7; 193];
    });
    let mut street = Street::new();
    let mut held = None;
    let code = BufferError::MetadataTooLarge as u32;
    street.refuse(BUFFER, code, "193 bytes of metadata", |raw| {
        let pages = raw.pages(1);
        raw.send(raw.export_of(&pages)).set_metadata(vec![7; 193]);
        held = Some(pages);
    });
}

#[test]
fn id_that_is_in_use() {
    let mut street = Street::new();
    let mut held = None;
    street.refuse(MANAGER, ManagerError::DuplicateId as u32, "in use", |raw| {
        let pages = raw.pages(1);
        raw.send(raw.export_of(&pages));
        raw.send(raw.export_of(&pages));
        held = Some(pages);
    });
}

#[test]
fn id_that_was_forged_or_is_anothers() {
    let mut street = Street::new();
    let neighbours = street.window.surface.swapchain().ids().next().unwrap().to_words();
    let guesses = [ID, [0; 4], neighbours, [neighbours[0], 1, 2, 3]];
    for [handle, a, b, c] in guesses {
        street.refuse(MANAGER, ManagerError::UnknownId as u32, "no buffer", |raw| {
            raw.manager.import(handle, a, b, c, &raw.app.handle(), ());
        });
    }
}

#[test]
fn import_that_lost_a_race_is_no_error() {
    let street = Street::new();
    let mut raw = Raw::connect(&street.display);
    let pages = raw.pages(1);
    let buffer = raw.send(raw.export_of(&pages));
    let [handle, a, b, c] = ID;
    let other = raw.manager.import(handle, a, b, c, &raw.app.handle(), ());
    buffer.set_metadata(b"new".to_vec());
    raw.app.roundtrip().unwrap();
    assert_eq!(
        raw.app.take_buffer_events(),
        ["ready", "ready", "metadata ", "metadata new", "metadata new"]
    );
    buffer.unexport(0);
    let late = raw.manager.import(handle, a, b, c, &raw.app.handle(), ());
    raw.app.roundtrip().unwrap();
    let events = raw.app.take_buffer_events();
    assert_eq!(events, ["unexported", "unexported", "failed Value(Unexported)"]);
    late.destroy();
    other.destroy();
    raw.app.roundtrip().unwrap();
    raw.app.roundtrip().unwrap();
    assert_eq!(raw.app.take_buffer_events(), ["released"]);
}

#[test]
fn unexport_waits_for_its_delay_and_can_be_hurried() {
    let street = Street::new();
    let mut raw = Raw::connect(&street.display);
    let pages = raw.pages(1);
    let buffer = raw.send(raw.export_of(&pages));
    // An hour; then not.
    buffer.unexport(3_600_000);
    buffer.query();
    raw.app.roundtrip().unwrap();
    let events = raw.app.take_buffer_events();
    assert_eq!(events, ["ready", "info Value(UnexportScheduled) 1 users 4096 bytes"]);
    buffer.unexport(1);
    while raw.app.take_buffer_events().len() < 2 {
        raw.app.roundtrip().unwrap();
    }
}

#[test]
fn importer_may_not_do_what_is_the_exporters() {
    let mut street = Street::new();
    let requests: [fn(&HyperDmabufV1); 2] =
        [|buffer| buffer.set_metadata(vec![]), |buffer| buffer.unexport(0)];
    for request in requests {
        let mut held = None;
        street.refuse(BUFFER, BufferError::NotExporter as u32, "exporter", |raw| {
            let pages = raw.pages(1);
            raw.send(raw.export_of(&pages));
            let [handle, a, b, c] = ID;
            request(&raw.manager.import(handle, a, b, c, &raw.app.handle(), ()));
            held = Some(pages);
        });
    }
}

#[test]
fn stride_under_the_width_and_other_shapes() {
    let mut street = Street::new();
    let wrong: [(i32, i32, i32, i32); 8] = [
        (0, 64, 16, 255),
        (0, 64, 17, 256),
        (1, 64, 16, 256),
        (-4, 64, 16, 256),
        (0, 0, 16, 256),
        (0, i32::MAX, 1, i32::MAX),
        (0, 1, i32::MAX, i32::MAX),
        (i32::MAX, 1, 1, i32::MIN),
    ];
    for (offset, width, height, stride) in wrong {
        let mut held = None;
        street.refuse("wl_shm_pool", ShmError::InvalidStride as u32, "", |raw| {
            let pages = raw.pages(1);
            let pool = raw.send(raw.export_of(&pages)).create_pool(&raw.app.handle(), ());
            pool.create_buffer(
                offset,
                width,
                height,
                stride,
                Format::Xrgb8888,
                &raw.app.handle(),
                (),
            );
            held = Some(pages);
        });
    }
}

#[test]
fn pool_may_not_be_resized_or_made_twice_or_of_an_offset() {
    let mut street = Street::new();
    for size in [0, -1, 4096, 1 << 20, i32::MAX, i32::MIN] {
        let mut held = None;
        street.refuse("wl_shm_pool", ShmError::InvalidFd as u32, "for good", |raw| {
            let pages = raw.pages(1);
            raw.send(raw.export_of(&pages)).create_pool(&raw.app.handle(), ()).resize(size);
            held = Some(pages);
        });
    }
    let mut held = None;
    street.refuse(BUFFER, BufferError::PoolExists as u32, "destroy", |raw| {
        let pages = raw.pages(1);
        let buffer = raw.send(raw.export_of(&pages));
        buffer.create_pool(&raw.app.handle(), ());
        buffer.create_pool(&raw.app.handle(), ());
        held = Some(pages);
    });
    let mut held = None;
    street.refuse(BUFFER, BufferError::NotPoolable as u32, "begins at a page", |raw| {
        let pages = raw.pages(1);
        let export = Export { offset: 16, length: 4000, ..raw.export_of(&pages) };
        raw.send(export).create_pool(&raw.app.handle(), ());
        held = Some(pages);
    });
    let mut held = None;
    street.refuse(BUFFER, BufferError::Unexported as u32, "unexported", |raw| {
        let pages = raw.pages(1);
        let buffer = raw.send(raw.export_of(&pages));
        buffer.unexport(0);
        buffer.create_pool(&raw.app.handle(), ());
        held = Some(pages);
    });
}

#[test]
fn what_is_not_served_says_so() {
    let mut street = Street::new();
    let mut held = None;
    street.refuse(BUFFER, BufferError::Unsupported as u32, "not served", |raw| {
        let pages = raw.pages(1);
        raw.send(raw.export_of(&pages)).get_fd();
        held = Some(pages);
    });
    street.refuse(MANAGER, ManagerError::Unsupported as u32, "not served", |raw| {
        raw.manager.watch(&raw.app.handle(), ());
    });
    street.refuse(MANAGER, ManagerError::Unsupported as u32, "local clients", |raw| {
        // The link carries a small file by content; a large one would end the connection.
        let file = tempfile::tempfile().unwrap();
        raw.manager.attach_memory(file.as_fd());
    });
}

#[test]
fn connections_that_are_no_guests_are_turned_away() {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    let mut street = Street::new();
    let connect = || UnixStream::connect(street.display.path("work")).unwrap();
    // A message without a file, and a Wayland client at the wrong door.
    for nonsense in [&b"HDMASHM1"[..], b"\x01\x00\x00\x00\x01\x00\x0c\x00\x02\x00\x00\x00"] {
        let mut socket = connect();
        std::io::Write::write_all(&mut socket, nonsense).unwrap();
        assert_eq!(socket.read(&mut [0; 16]).unwrap_or(0), 0, "the connection is closed");
    }
    // Silent ones do not keep others out, up to a bound.
    let silent: Vec<UnixStream> = (0..40).map(|_| connect()).collect();
    let raw = Raw::connect(&street.display);
    drop((raw, silent));
    street.nothing_happened();
}

/// Writing to such pages would be the compositor's end.
#[test]
fn the_screen_is_not_copied_into_pages_granted_for_reading() {
    let display = Arc::new(Display::start("64x64", &["work"]));
    let local = Direct::listen_for_local(&display);
    let path = local.directory().join(local.name());
    let mut raw = Raw::connect_to(&Address::Wayland(Some(path)));
    let introduction = raw.app.guest.memory().introduction().expect("an introduction");
    raw.manager.attach_memory(introduction);
    let pages = raw.pages(4);
    let mut export = raw.export_of(&pages);
    export.id[0] = 7;
    let handle = raw.app.handle();
    let pool = raw.send(export).create_pool(&handle, ());
    let buffer = pool.create_buffer(0, 64, 64, 256, Format::Xrgb8888, &handle, ());
    let screencopy: ZwlrScreencopyManagerV1 =
        raw.app.globals.bind(&handle, 1..=1, ()).expect("a local tool");
    let output: WlOutput = raw.app.globals.bind(&handle, 1..=1, ()).expect("an output");
    let frame = screencopy.capture_output(0, &output, &handle, ());
    raw.app.roundtrip().expect("nothing is wrong so far");
    frame.copy(&buffer);
    let Lost(error) = raw.app.roundtrip().expect_err("it must be refused");
    let error = error.expect("a protocol error");
    assert_eq!((error.object_interface.as_str(), error.code), ("zwlr_screencopy_frame_v1", 1));
    display.screenshot();
}
