//! Planes of linux-dmabuf params by ID, in the smallest compositor that has the plug-in.
//!
//! No back end that runs everywhere maps pages as a dma-buf, and no renderer without a GPU takes
//! one; so the file behind the plane is the domain's memory itself, and the compositor accepts it
//! unseen. What is tested is that the plane reaches Smithay as it was meant, and that the buffer is
//! in use for exactly as long as Smithay's dma-buf lives.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

use hyper_dmabuf::domain::DomainId;
use hyper_dmabuf::export::Exporter;
use hyper_dmabuf::grant::{
    Access, ForeignMemory, GrantRef, MapError, Mapping, PAGE_SIZE, PageCount,
};
use hyper_dmabuf::hypervisor::shm::{DEFAULT_PAGES, DomainMemory, ForeignDomain};
use hyper_dmabuf::id::IdPool;
use hyper_dmabuf::import::{Account, Limits};
use hyper_dmabuf_protocol::client::hyper_dmabuf_manager_v1::{
    self as manager, Capability, Flag, HyperDmabufManagerV1,
};
use hyper_dmabuf_protocol::client::hyper_dmabuf_v1::{self as buffer, Error, HyperDmabufV1};
use smithay::backend::allocator::dmabuf::Dmabuf;
use smithay::backend::allocator::{Buffer, Format, Fourcc, Modifier};
use smithay::reexports::calloop::{EventLoop, LoopHandle};
use smithay::reexports::wayland_server;
use smithay::wayland::buffer::BufferHandler;
use smithay::wayland::dmabuf::{DmabufGlobal, DmabufHandler, DmabufState, ImportNotifier};
use smithay::wayland::shm::{ShmHandler, ShmState};
use smithay_hyper_dmabuf::{
    HyperDmabufHandler, HyperDmabufState, Origin, Show, delegate_hyper_dmabuf,
};
use wayland_client::globals::{GlobalList, GlobalListContents, registry_queue_init};
use wayland_client::protocol::wl_buffer::WlBuffer;
use wayland_client::protocol::wl_registry::{self, WlRegistry};
use wayland_client::{Connection, Dispatch, EventQueue, QueueHandle, WEnum, delegate_noop};
use wayland_protocols::wp::linux_dmabuf::zv1::client::zwp_linux_buffer_params_v1::{
    Flags, ZwpLinuxBufferParamsV1,
};
use wayland_protocols::wp::linux_dmabuf::zv1::client::zwp_linux_dmabuf_v1::ZwpLinuxDmabufV1;

const GUEST: DomainId = DomainId::new(3).unwrap();

/// A domain's memory whose pages can be had as "dma-bufs".
#[derive(Debug)]
struct AsDmabufs {
    memory: ForeignDomain,
    file: OwnedFd,
    able: bool,
}

#[derive(Debug)]
struct MappedAsDmabuf {
    mapping: Box<dyn Mapping>,
    file: Option<OwnedFd>,
}

impl ForeignMemory for AsDmabufs {
    fn domain(&self) -> DomainId {
        self.memory.domain()
    }

    fn map(&self, references: &[GrantRef], access: Access) -> Result<Box<dyn Mapping>, MapError> {
        let mapping = self.memory.map(references, access)?;
        let file = self.able.then(|| self.file.try_clone().unwrap());
        Ok(Box::new(MappedAsDmabuf { mapping, file }))
    }

    fn mapped_pages(&self) -> usize {
        self.memory.mapped_pages()
    }

    fn maps_as_dmabuf(&self) -> bool {
        self.able
    }
}

impl Mapping for MappedAsDmabuf {
    fn pages(&self) -> PageCount {
        self.mapping.pages()
    }

    fn access(&self) -> Access {
        self.mapping.access()
    }

    unsafe fn place(&self, at: NonNull<u8>) -> Result<(), MapError> {
        // SAFETY: as the caller promises.
        unsafe { self.mapping.place(at) }
    }

    fn dmabuf(&self) -> Option<OwnedFd> {
        self.file.as_ref().map(|file| file.try_clone().unwrap())
    }
}

/// The smallest compositor that has the plug-in.
struct Compositor {
    hyper_dmabuf: HyperDmabufState,
    shm: ShmState,
    dmabuf: DmabufState,
    loop_handle: LoopHandle<'static, Compositor>,
    memory: Arc<AsDmabufs>,
    /// What a renderer would keep.
    shown: Option<Dmabuf>,
}

struct NoClientData;
impl wayland_server::backend::ClientData for NoClientData {}

impl HyperDmabufHandler for Compositor {
    fn hyper_dmabuf_state(&mut self) -> &mut HyperDmabufState {
        &mut self.hyper_dmabuf
    }

    fn loop_handle(&self) -> LoopHandle<'static, Self> {
        self.loop_handle.clone()
    }

    fn origin(&self, _: &wayland_server::Client) -> Option<Origin> {
        let memory: Arc<dyn ForeignMemory> = self.memory.clone();
        let (limits, show) = (Limits::default(), Show::Direct);
        Some(Origin { domain: GUEST, memory: Some(memory), limits, show })
    }
}

delegate_hyper_dmabuf!(Compositor);

impl ShmHandler for Compositor {
    fn shm_state(&self) -> &ShmState {
        &self.shm
    }
}

impl BufferHandler for Compositor {
    fn buffer_destroyed(&mut self, _: &wayland_server::protocol::wl_buffer::WlBuffer) {}
}

impl DmabufHandler for Compositor {
    fn dmabuf_state(&mut self) -> &mut DmabufState {
        &mut self.dmabuf
    }

    fn dmabuf_imported(&mut self, _: &DmabufGlobal, dmabuf: Dmabuf, notifier: ImportNotifier) {
        self.hyper_dmabuf.dmabuf_imported(&dmabuf);
        self.shown = Some(dmabuf);
        notifier.successful::<Compositor>().unwrap();
    }
}

smithay::delegate_dmabuf!(Compositor);

/// A compositor and one client, which take turns in one thread.
struct Rig {
    event_loop: EventLoop<'static, Compositor>,
    display: wayland_server::Display<Compositor>,
    compositor: Compositor,
    exporter: Exporter<DomainMemory>,
    connection: Connection,
    queue: EventQueue<Told>,
    told: Told,
    manager: HyperDmabufManagerV1,
    linux_dmabuf: ZwpLinuxDmabufV1,
}

#[derive(Debug, Default)]
struct Told {
    capabilities: Option<Capability>,
    events: Vec<&'static str>,
}

impl Rig {
    fn new(able: bool) -> Rig {
        let memory = DomainMemory::new(DEFAULT_PAGES).unwrap();
        let file = || memory.as_fd().try_clone_to_owned().unwrap();
        let foreign = ForeignDomain::introduce(file(), GUEST, DomainId::DISPLAY).unwrap();
        let foreign = AsDmabufs { memory: foreign, file: file(), able };
        let exporter = Exporter::new(memory.clone(), IdPool::new(GUEST), DomainId::DISPLAY, 192);

        let event_loop = EventLoop::try_new().unwrap();
        let mut display = wayland_server::Display::<Compositor>::new().unwrap();
        let mut handle = display.handle();
        let mut dmabuf = DmabufState::new();
        let format = Format { code: Fourcc::Xrgb8888, modifier: Modifier::Linear };
        dmabuf.create_global::<Compositor>(&handle, [format]);
        let mut compositor = Compositor {
            hyper_dmabuf: HyperDmabufState::new::<Compositor>(&handle, DomainId::DISPLAY).unwrap(),
            shm: ShmState::new::<Compositor>(&handle, []),
            dmabuf,
            loop_handle: event_loop.handle(),
            memory: Arc::new(foreign),
            shown: None,
        };
        let (ours, theirs) = UnixStream::pair().unwrap();
        handle.insert_client(theirs, Arc::new(NoClientData)).unwrap();
        let connection = Connection::from_socket(ours).unwrap();
        // The registry waits for its answer, so somebody else has to serve meanwhile.
        let client = connection.clone();
        let registry = std::thread::spawn(move || registry_queue_init::<Told>(&client).unwrap());
        while !registry.is_finished() {
            display.dispatch_clients(&mut compositor).unwrap();
            display.flush_clients().unwrap();
            std::thread::yield_now();
        }
        let (globals, queue): (GlobalList, EventQueue<Told>) = registry.join().unwrap();
        let manager = globals.bind(&queue.handle(), 1..=1, ()).unwrap();
        let linux_dmabuf = globals.bind(&queue.handle(), 3..=3, ()).unwrap();
        let told = Told::default();
        let mut rig = Rig {
            event_loop,
            display,
            compositor,
            exporter,
            connection,
            queue,
            told,
            manager,
            linux_dmabuf,
        };
        rig.turn();
        rig
    }

    /// Lets the compositor handle all that was sent, and the client what was answered.
    fn turn(&mut self) {
        let _ = self.connection.flush();
        self.event_loop.dispatch(Duration::ZERO, &mut self.compositor).unwrap();
        self.display.dispatch_clients(&mut self.compositor).unwrap();
        self.compositor.hyper_dmabuf.refresh();
        self.display.flush_clients().unwrap();
        if let Some(guard) = self.queue.prepare_read() {
            let _ = guard.read();
        }
        let _ = self.queue.dispatch_pending(&mut self.told);
    }

    fn export(&mut self, bytes: usize) -> HyperDmabufV1 {
        let offer = self.exporter.export(bytes, Access::ReadOnly, Vec::new()).unwrap();
        let [handle, a, b, c] = offer.id.to_words();
        let (pages, root, length) = (offer.pages, offer.root.0, offer.length);
        let (flags, queue) = (Flag::empty(), self.queue.handle());
        self.manager.export(handle, a, b, c, pages, root, 0, length, flags, vec![], &queue, ())
    }

    fn account(&self) -> Account {
        self.compositor.hyper_dmabuf.importer().account(GUEST)
    }

    fn error(&mut self) -> (u32, String) {
        self.turn();
        let error = self.connection.protocol_error().expect("a protocol error");
        (error.code, error.message)
    }
}

#[test]
fn plane_by_id_is_in_use_for_as_long_as_the_dmabuf() {
    let mut rig = Rig::new(true);
    assert!(rig.told.capabilities.unwrap().contains(Capability::Plane));
    let buffer = rig.export(64 * 256);
    let params = rig.linux_dmabuf.create_params(&rig.queue.handle(), ());
    buffer.add_plane(&params, 0, 1024, 256, 0, 0);
    let format = Fourcc::Xrgb8888 as u32;
    let wl_buffer = params.create_immed(64, 60, format, Flags::empty(), &rig.queue.handle(), ());
    params.destroy();
    rig.turn();
    assert_eq!(rig.told.events, ["ready"]);
    let dmabuf = rig.compositor.shown.clone().expect("the dma-buf reached the compositor");
    assert_eq!((dmabuf.size().w, dmabuf.size().h, dmabuf.num_planes()), (64, 60, 1));
    assert_eq!(dmabuf.offsets().collect::<Vec<_>>(), [1024]);
    assert_eq!(dmabuf.strides().collect::<Vec<_>>(), [256]);
    drop(dmabuf);

    buffer.unexport(0);
    wl_buffer.destroy();
    rig.turn();
    rig.turn();
    assert_eq!(rig.told.events, ["ready", "unexported"], "a renderer still has it");
    assert_eq!(rig.account(), Account { buffers: 1, pages: (64 * 256 / PAGE_SIZE) as u32 });
    rig.compositor.shown = None;
    rig.turn();
    assert_eq!(rig.told.events, ["ready", "unexported", "released"]);
    assert_eq!(rig.account(), Account::default());
}

#[test]
fn params_that_are_given_up_use_nothing() {
    let mut rig = Rig::new(true);
    let buffer = rig.export(64 * 256);
    let params = rig.linux_dmabuf.create_params(&rig.queue.handle(), ());
    buffer.add_plane(&params, 0, 0, 256, 0, 0);
    buffer.unexport(0);
    rig.turn();
    assert_eq!(rig.told.events, ["ready", "unexported"]);
    params.destroy();
    rig.turn();
    rig.turn();
    assert_eq!(rig.told.events, ["ready", "unexported", "released"]);
}

#[test]
fn row_outside_of_the_buffer_is_refused() {
    for (offset, stride) in [(64 * 256 - 255, 256), (0, 0), (u32::MAX, u32::MAX), (0, u32::MAX)] {
        let mut rig = Rig::new(true);
        let buffer = rig.export(64 * 256);
        let params = rig.linux_dmabuf.create_params(&rig.queue.handle(), ());
        buffer.add_plane(&params, 0, offset, stride, 0, 0);
        let (code, message) = rig.error();
        assert_eq!(code, Error::InvalidPlane as u32, "{message}");
    }
}

#[test]
fn buffer_that_cannot_be_a_dmabuf_says_so() {
    let mut rig = Rig::new(false);
    assert!(!rig.told.capabilities.unwrap().contains(Capability::Plane));
    let buffer = rig.export(64 * 256);
    let params = rig.linux_dmabuf.create_params(&rig.queue.handle(), ());
    buffer.add_plane(&params, 0, 0, 256, 0, 0);
    let (code, message) = rig.error();
    assert_eq!(code, Error::NotADmabuf as u32);
    assert!(message.contains("use create_pool"), "{message}");
}

impl Dispatch<HyperDmabufManagerV1, ()> for Told {
    fn event(
        told: &mut Self,
        _: &HyperDmabufManagerV1,
        event: manager::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let manager::Event::Capabilities { capabilities: WEnum::Value(served) } = event {
            told.capabilities = Some(served);
        }
    }
}

impl Dispatch<HyperDmabufV1, ()> for Told {
    fn event(
        told: &mut Self,
        _: &HyperDmabufV1,
        event: buffer::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        told.events.push(match event {
            buffer::Event::Ready { .. } => "ready",
            buffer::Event::Unexported => "unexported",
            buffer::Event::Released => "released",
            _ => "another",
        });
    }
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

delegate_noop!(Told: ignore ZwpLinuxDmabufV1);
delegate_noop!(Told: ignore ZwpLinuxBufferParamsV1);
delegate_noop!(Told: ignore WlBuffer);
