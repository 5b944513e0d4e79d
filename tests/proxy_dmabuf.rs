//! What the proxy offers to programs that draw by a GPU, and what it answers to bad planes. Where
//! there are real dma-bufs, they are shown in the lab.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt};

use fixture::{Display, Proxy, Socket};
use rustix::fs::MemfdFlags;
use wayland_client::globals::{GlobalListContents, registry_queue_init};
use wayland_client::protocol::wl_buffer::WlBuffer;
use wayland_client::protocol::wl_registry::{self, WlRegistry};
use wayland_client::{Connection, Dispatch, EventQueue, QueueHandle, delegate_noop};
use wayland_protocols::wp::linux_dmabuf::zv1::client::zwp_linux_buffer_params_v1::{
    self as params, Flags, ZwpLinuxBufferParamsV1,
};
use wayland_protocols::wp::linux_dmabuf::zv1::client::zwp_linux_dmabuf_feedback_v1::{
    self as feedback, ZwpLinuxDmabufFeedbackV1,
};
use wayland_protocols::wp::linux_dmabuf::zv1::client::zwp_linux_dmabuf_v1::{
    self as dmabuf, ZwpLinuxDmabufV1,
};

const PROXY: &str = env!("CARGO_BIN_EXE_hyper-dmabuf-proxy-under-test");
const XRGB: u32 = u32::from_le_bytes(*b"XR24");

#[derive(Default)]
struct Told {
    table: Option<(OwnedFd, u32)>,
    devices: Vec<Vec<u8>>,
    indices: Vec<u8>,
    done: bool,
    formats: Vec<u32>,
    failed: usize,
}

struct Program {
    connection: Connection,
    queue: EventQueue<Told>,
    told: Told,
    dmabuf: ZwpLinuxDmabufV1,
}

impl Program {
    fn connect(proxy: &Proxy, version: u32) -> Program {
        let connection = Connection::from_socket(proxy.connect()).unwrap();
        let (globals, queue) = registry_queue_init::<Told>(&connection).unwrap();
        let dmabuf = globals.bind(&queue.handle(), version..=version, ()).unwrap();
        Program { connection, queue, told: Told::default(), dmabuf }
    }

    fn roundtrip(&mut self) {
        self.queue.roundtrip(&mut self.told).unwrap();
    }

    fn params(&self) -> ZwpLinuxBufferParamsV1 {
        self.dmabuf.create_params(&self.queue.handle(), ())
    }

    /// The code of the error that ends the connection.
    fn error(mut self) -> u32 {
        self.queue.roundtrip(&mut self.told).unwrap_err();
        let error = self.connection.protocol_error().expect("a protocol error");
        assert_eq!(error.object_interface, "zwp_linux_buffer_params_v1");
        error.code
    }
}

fn memfd() -> OwnedFd {
    let file = rustix::fs::memfd_create("no dma-buf", MemfdFlags::CLOEXEC).unwrap();
    rustix::fs::ftruncate(&file, 65536).unwrap();
    file
}

#[test]
fn programs_are_told_what_can_be_shown_and_which_device_is_theirs() {
    let display = Display::start("320x240", &["work"]);
    let proxy = Proxy::start_with(PROXY, &display, "work", "--gpu=/dev/null");
    let before = proxy.descriptors();
    for version in 1..=3 {
        let mut old = Program::connect(&proxy, version);
        old.roundtrip();
        assert_eq!(old.told.formats, [u32::from_le_bytes(*b"AR24"), XRGB]);
    }
    let mut program = Program::connect(&proxy, 5);
    let feedback = program.dmabuf.get_default_feedback(&program.queue.handle(), ());
    program.roundtrip();
    let Told { table, devices, indices, done, formats, .. } = &program.told;
    assert!(*done && formats.is_empty());
    let device = std::fs::metadata("/dev/null").unwrap().rdev().to_ne_bytes();
    assert_eq!(*devices, [device, device], "the main device, and the tranche's");
    assert_eq!(*indices, [0u16, 1].map(u16::to_ne_bytes).concat());
    let (table, size) = table.as_ref().unwrap();
    let mut rows = vec![0; *size as usize];
    File::from(table.try_clone().unwrap()).read_exact_at(&mut rows, 0).unwrap();
    assert_eq!(rows, b"AR24\0\0\0\0\0\0\0\0\0\0\0\0XR24\0\0\0\0\0\0\0\0\0\0\0\0");
    feedback.destroy();
    program.roundtrip();
    drop(program);
    proxy.wait_for_descriptors(before);
}

#[test]
fn there_is_nothing_to_draw_with_where_there_is_no_gpu() {
    let display = Display::start("320x240", &["work"]);
    let proxy = Proxy::start_with(PROXY, &display, "work", "--gpu=none");
    let connection = Connection::from_socket(proxy.connect()).unwrap();
    let (globals, _) = registry_queue_init::<Told>(&connection).unwrap();
    let offered = globals.contents().clone_list();
    assert!(offered.iter().all(|global| global.interface != "zwp_linux_dmabuf_v1"));
}

#[test]
fn bad_planes_are_errors_of_the_program_that_sent_them() {
    let display = Display::start("320x240", &["work"]);
    let proxy = Proxy::start_with(PROXY, &display, "work", "--gpu=/dev/null");
    let mut witness = Program::connect(&proxy, 4);
    let before = proxy.descriptors();
    type Crime = fn(&Program, &ZwpLinuxBufferParamsV1);
    let crimes: [(u32, Crime); 8] = [
        // already_used
        (0, |_, params| {
            params.add(memfd().as_fd(), 0, 0, 256, 0, 0);
            params.create(64, 64, XRGB, Flags::empty());
            params.create(64, 64, XRGB, Flags::empty());
        }),
        // plane_idx, plane_set, incomplete
        (1, |_, params| params.add(memfd().as_fd(), 4, 0, 256, 0, 0)),
        (2, |_, params| {
            (0..2).for_each(|_| params.add(memfd().as_fd(), 1, 0, 256, 0, 0));
        }),
        (3, |_, params| params.create(64, 64, XRGB, Flags::empty())),
        // invalid_format: an unknown one, and one of more planes than it has
        (4, |_, params| {
            params.add(memfd().as_fd(), 0, 0, 256, 0, 0);
            params.create(64, 64, u32::from_le_bytes(*b"NV12"), Flags::empty());
        }),
        (4, |_, params| {
            (0..2).for_each(|plane| params.add(memfd().as_fd(), plane, 0, 256, 0, 0));
            params.create(64, 64, XRGB, Flags::empty());
        }),
        // invalid_dimensions
        (5, |_, params| {
            params.add(memfd().as_fd(), 0, 0, 256, 0, 0);
            params.create(64, -1, XRGB, Flags::empty());
        }),
        // invalid_wl_buffer: what is no dma-buf
        (7, |program, params| {
            params.add(memfd().as_fd(), 0, 0, 256, 0, 0);
            params.create_immed(64, 64, XRGB, Flags::empty(), &program.queue.handle(), ());
        }),
    ];
    for (code, crime) in crimes {
        let program = Program::connect(&proxy, 4);
        let params = program.params();
        crime(&program, &params);
        assert_eq!(program.error(), code);
        witness.roundtrip();
    }
    // Who asks, and does not take it for granted, is told and lives on.
    let params = witness.params();
    params.add(memfd().as_fd(), 0, 0, 256, 0, 0);
    params.create(64, 64, XRGB, Flags::empty());
    witness.roundtrip();
    assert_eq!(witness.told.failed, 1);
    params.destroy();
    witness.roundtrip();
    proxy.wait_for_descriptors(before);
}

/// What the proxy answers by itself waits until it is read, and so does all that is asked then.
#[test]
fn a_program_that_asks_and_never_reads_fills_its_queue_and_no_more() {
    let display = Display::start("320x240", &["work"]);
    let proxy = Proxy::start_with(PROXY, &display, "work", "--gpu=/dev/null");
    let mut witness = Program::connect(&proxy, 4);
    let before = proxy.descriptors();
    let mut greedy = proxy.connect();
    let mut say = |object: u32, opcode: u32, words: &[u32]| {
        let size = 8 + 4 * words.len() as u32;
        let words = [&[object, size << 16 | opcode], words].concat();
        greedy.write_all(&words.into_iter().flat_map(u32::to_ne_bytes).collect::<Vec<_>>())
    };
    // A registry, the proxy's own global by the name that it has, and feedback without end.
    say(1, 1, &[2]).unwrap();
    let interface = b"zwp_linux_dmabuf_v1\0".chunks(4);
    let interface = interface.map(|word| u32::from_ne_bytes(word.try_into().unwrap()));
    let bind: Vec<u32> = [u32::MAX, 20].into_iter().chain(interface).chain([4, 3]).collect();
    say(2, 0, &bind).unwrap();
    (4..2000).for_each(|new| say(3, 2, &[new]).unwrap());
    for _ in 0..100 {
        witness.roundtrip();
        let held = proxy.descriptors() - before;
        assert!(held <= 260, "{held} descriptors are held for one program");
    }
    drop(greedy);
    proxy.wait_for_descriptors(before);
}

impl Dispatch<ZwpLinuxDmabufV1, ()> for Told {
    fn event(
        told: &mut Self,
        _: &ZwpLinuxDmabufV1,
        event: dmabuf::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        match event {
            dmabuf::Event::Format { format } => told.formats.push(format),
            dmabuf::Event::Modifier { format, modifier_hi: 0, modifier_lo: 0 } => {
                told.formats.push(format);
            }
            other => panic!("{other:?}"),
        }
    }
}

impl Dispatch<ZwpLinuxDmabufFeedbackV1, ()> for Told {
    fn event(
        told: &mut Self,
        _: &ZwpLinuxDmabufFeedbackV1,
        event: feedback::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        use feedback::Event;
        match event {
            Event::FormatTable { fd, size } => told.table = Some((fd, size)),
            Event::MainDevice { device } | Event::TrancheTargetDevice { device } => {
                told.devices.push(device);
            }
            Event::TrancheFormats { indices } => told.indices = indices,
            Event::Done => told.done = true,
            _ => {}
        }
    }
}

impl Dispatch<ZwpLinuxBufferParamsV1, ()> for Told {
    fn event(
        told: &mut Self,
        _: &ZwpLinuxBufferParamsV1,
        event: params::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let params::Event::Failed = event {
            told.failed += 1;
        }
    }

    wayland_client::event_created_child!(Told, ZwpLinuxBufferParamsV1, [
        params::EVT_CREATED_OPCODE => (WlBuffer, ()),
    ]);
}

impl Dispatch<WlRegistry, GlobalListContents> for Told {
    fn event(
        _: &mut Self,
        _: &WlRegistry,
        _: wl_registry::Event,
        _: &GlobalListContents,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
    }
}

delegate_noop!(Told: ignore WlBuffer);
