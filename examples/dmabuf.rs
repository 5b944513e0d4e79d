//! A program that shows a dma-buf, as one does that draws by a GPU, where there is no GPU: its dma-buf
//! is made of ordinary memory, by the kernel's udmabuf. With `--shm`, the same picture is shown by
//! `wl_shm`, to be compared.
//!
//! ```text
//! hyper-dmabuf-proxy --link xen: --gpu /dev/null -- dmabuf
//! ```

use std::os::fd::{AsFd, OwnedFd};

use anyhow::Context;
use clap::Parser;
use hyper_dmabuf::grant::PageCount;
use hyper_dmabuf::hypervisor::xen::udmabuf::UdmabufDevice;
use rustix::fs::{MemfdFlags, SealFlags};
use wayland_client::globals::{GlobalListContents, registry_queue_init};
use wayland_client::protocol::wl_buffer::WlBuffer;
use wayland_client::protocol::wl_compositor::WlCompositor;
use wayland_client::protocol::wl_registry::{self, WlRegistry};
use wayland_client::protocol::wl_shm::{Format, WlShm};
use wayland_client::protocol::wl_shm_pool::WlShmPool;
use wayland_client::protocol::wl_surface::WlSurface;
use wayland_client::{Connection, Dispatch, QueueHandle, delegate_noop};
use wayland_protocols::wp::linux_dmabuf::zv1::client::zwp_linux_buffer_params_v1::{
    self as params, Flags, ZwpLinuxBufferParamsV1,
};
use wayland_protocols::wp::linux_dmabuf::zv1::client::zwp_linux_dmabuf_v1::ZwpLinuxDmabufV1;
use wayland_protocols::xdg::shell::client::xdg_surface::{self, XdgSurface};
use wayland_protocols::xdg::shell::client::xdg_toplevel::{self, XdgToplevel};
use wayland_protocols::xdg::shell::client::xdg_wm_base::{self, XdgWmBase};

/// Pixels of each side; 4 bytes each, so 64 pages.
const SIDE: i32 = 256;
const STRIDE: i32 = SIDE * 4;
const BYTES: i32 = SIDE * STRIDE;

/// Shows a dma-buf in a window.
#[derive(Debug, Parser)]
struct Cli {
    /// Show the same picture by wl_shm.
    #[arg(long)]
    shm: bool,
}

#[derive(Debug, Default)]
struct State {
    configured: bool,
    made: Option<WlBuffer>,
    failed: bool,
    closed: bool,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let connection = Connection::connect_to_env().context("no compositor")?;
    let (globals, mut queue) = registry_queue_init::<State>(&connection)?;
    let handle = queue.handle();
    let mut state = State::default();
    let compositor: WlCompositor = globals.bind(&handle, 1..=4, ())?;
    let shell: XdgWmBase = globals.bind(&handle, 1..=1, ())?;
    let surface = compositor.create_surface(&handle, ());
    let xdg_surface = shell.get_xdg_surface(&surface, &handle, ());
    let toplevel = xdg_surface.get_toplevel(&handle, ());
    toplevel.set_title("A dma-buf".to_owned());
    surface.commit();
    while !state.configured {
        queue.blocking_dispatch(&mut state)?;
    }
    let memory = picture().context("cannot make the picture's memory")?;
    if cli.shm {
        let shm: WlShm = globals.bind(&handle, 1..=1, ())?;
        let pool = shm.create_pool(memory.as_fd(), BYTES, &handle, ());
        let format = Format::Xrgb8888;
        state.made = Some(pool.create_buffer(0, SIDE, SIDE, STRIDE, format, &handle, ()));
    } else {
        let dmabuf: ZwpLinuxDmabufV1 =
            globals.bind(&handle, 3..=3, ()).context("no dma-bufs are offered")?;
        let pages = PageCount::for_bytes(BYTES as usize).context("there are pages")?;
        let buffer = UdmabufDevice::open()?.create(memory.as_fd(), 0, pages)?;
        let params = dmabuf.create_params(&handle, ());
        params.add(buffer.as_fd(), 0, 0, STRIDE as u32, 0, 0);
        params.create(SIDE, SIDE, u32::from_le_bytes(*b"XR24"), Flags::empty());
        while state.made.is_none() {
            anyhow::ensure!(!state.failed, "the dma-buf is refused");
            queue.blocking_dispatch(&mut state)?;
        }
        params.destroy();
    }
    surface.attach(state.made.as_ref(), 0, 0);
    surface.damage(0, 0, SIDE, SIDE);
    surface.commit();
    while !state.closed {
        queue.blocking_dispatch(&mut state)?;
    }
    Ok(())
}

/// Memory with a picture in it, which no two pixels of are alike.
fn picture() -> rustix::io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = rustix::fs::memfd_create("picture", flags)?;
    rustix::fs::ftruncate(&file, BYTES as u64)?;
    rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK)?;
    let pixels = (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| x << 16 | y << 8 | 0x40));
    let bytes: Vec<u8> = pixels.flat_map(i32::to_ne_bytes).collect();
    let mut written = 0;
    while written < bytes.len() {
        written += rustix::io::pwrite(&file, &bytes[written..], written as u64)?;
    }
    Ok(file)
}

impl Dispatch<XdgSurface, ()> for State {
    fn event(
        state: &mut Self,
        surface: &XdgSurface,
        event: xdg_surface::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let xdg_surface::Event::Configure { serial } = event {
            surface.ack_configure(serial);
            state.configured = true;
        }
    }
}

impl Dispatch<XdgToplevel, ()> for State {
    fn event(
        state: &mut Self,
        _: &XdgToplevel,
        event: xdg_toplevel::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        state.closed |= matches!(event, xdg_toplevel::Event::Close);
    }
}

impl Dispatch<XdgWmBase, ()> for State {
    fn event(
        _: &mut Self,
        shell: &XdgWmBase,
        event: xdg_wm_base::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let xdg_wm_base::Event::Ping { serial } = event {
            shell.pong(serial);
        }
    }
}

impl Dispatch<ZwpLinuxBufferParamsV1, ()> for State {
    fn event(
        state: &mut Self,
        _: &ZwpLinuxBufferParamsV1,
        event: params::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        match event {
            params::Event::Created { buffer } => state.made = Some(buffer),
            params::Event::Failed => state.failed = true,
            _ => {}
        }
    }

    wayland_client::event_created_child!(State, ZwpLinuxBufferParamsV1, [
        params::EVT_CREATED_OPCODE => (WlBuffer, ()),
    ]);
}

impl Dispatch<WlRegistry, GlobalListContents> for State {
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

delegate_noop!(State: WlCompositor);
delegate_noop!(State: WlShmPool);
delegate_noop!(State: ignore WlShm);
delegate_noop!(State: ignore WlSurface);
delegate_noop!(State: ignore WlBuffer);
delegate_noop!(State: ignore ZwpLinuxDmabufV1);
