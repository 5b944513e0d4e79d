//! A window whose pixels lie in a dma-buf of the device that the compositor names, and that says how it is
//! told to be seen, a line an event. For `cargo xtask screen`: programs of Debian that make such buffers
//! need a GPU that draws.
//!
//! It fills the screen, or stays a window with `--window`. For each line that it reads it shows a new
//! picture. With `--timeline` or `--fence` each is only to be seen once one more line was read; with a
//! timeline it also says when nobody reads the one before any more.

mod card;
mod fence;
mod timeline;

use std::{
    io::{self, PipeReader, Read, Write},
    os::fd::AsFd,
    thread,
};

use anyhow::Context;
use card::Card;
use fence::Fence;
use rustix::event::{PollFd, PollFlags, poll};
use smithay::reexports::drm::{
    RDWR,
    buffer::{Buffer, DrmFourcc},
    control::Device as _,
};
use timeline::Timeline;
use wayland_client::{
    Connection, Dispatch, EventQueue, Proxy, QueueHandle, WEnum, delegate_noop,
    globals::{GlobalListContents, registry_queue_init},
    protocol::{
        wl_buffer::WlBuffer, wl_compositor::WlCompositor, wl_registry::WlRegistry,
        wl_surface::WlSurface,
    },
};
use wayland_protocols::{
    wp::{
        linux_dmabuf::zv1::client::{
            zwp_linux_buffer_params_v1::{Flags, ZwpLinuxBufferParamsV1},
            zwp_linux_dmabuf_feedback_v1::{self, TrancheFlags, ZwpLinuxDmabufFeedbackV1},
            zwp_linux_dmabuf_v1::ZwpLinuxDmabufV1,
        },
        linux_drm_syncobj::v1::client::{
            wp_linux_drm_syncobj_manager_v1::WpLinuxDrmSyncobjManagerV1,
            wp_linux_drm_syncobj_surface_v1::WpLinuxDrmSyncobjSurfaceV1,
            wp_linux_drm_syncobj_timeline_v1::WpLinuxDrmSyncobjTimelineV1,
        },
        presentation_time::client::{
            wp_presentation::WpPresentation,
            wp_presentation_feedback::{self, Kind, WpPresentationFeedback},
        },
    },
    xdg::shell::client::{
        xdg_surface::{self, XdgSurface},
        xdg_toplevel::{self, XdgToplevel},
        xdg_wm_base::{self, XdgWmBase},
    },
};

/// A window's size where it may choose.
const SIZE: (i32, i32) = (400, 300);

/// Waits for the next line, and hears what the compositor says meanwhile. Whether there was one more.
fn line(
    queue: &mut EventQueue<Told>,
    told: &mut Told,
    mut lines: &PipeReader,
) -> anyhow::Result<bool> {
    loop {
        queue.flush()?;
        queue.dispatch_pending(told)?;
        let Some(guard) = queue.prepare_read() else { continue };
        let [is_told, has_line] = {
            let mut ready = [
                PollFd::from_borrowed_fd(guard.connection_fd(), PollFlags::IN),
                PollFd::new(lines, PollFlags::IN),
            ];
            poll(&mut ready, None)?;
            ready.map(|it| !it.revents().is_empty())
        };
        if is_told {
            guard.read().context("the compositor is gone")?;
            queue.dispatch_pending(told)?;
        }
        if has_line {
            return Ok(lines.read(&mut [0])? > 0);
        }
    }
}

#[derive(Default)]
struct Told {
    size: (i32, i32),
    configured: bool,
    device: Option<u64>,
    all_told: bool,
    scanout: bool,
    presented: u32,
}

fn main() -> anyhow::Result<()> {
    let asked_for = |what| std::env::args().any(|argument| argument == what);
    let windowed = asked_for("--window");
    let connection = Connection::connect_to_env().context("is WAYLAND_DISPLAY set?")?;
    let (globals, mut queue) = registry_queue_init::<Told>(&connection)?;
    let handle = queue.handle();
    let compositor: WlCompositor = globals.bind(&handle, 4..=6, ())?;
    let shell: XdgWmBase = globals.bind(&handle, 1..=6, ())?;
    let dmabuf: ZwpLinuxDmabufV1 = globals.bind(&handle, 4..=5, ())?;
    let presentation: WpPresentation = globals.bind(&handle, 1..=1, ())?;
    let surface = compositor.create_surface(&handle, ());
    let toplevel = shell.get_xdg_surface(&surface, &handle, ()).get_toplevel(&handle, ());
    toplevel.set_title("direct".to_owned());
    if !windowed {
        toplevel.set_fullscreen(None);
    }
    let _feedback = dmabuf.get_surface_feedback(&surface, &handle, ());
    surface.commit();
    let mut told = Told::default();
    await_told(&mut queue, &mut told, |told| told.configured && told.all_told)?;
    let card = Card::open(told.device.context("no device was named")?)?;

    let vgem = if asked_for("--fence") { Some(Card::open_vgem()?) } else { None };
    let timeline = if asked_for("--timeline") {
        let manager: WpLinuxDrmSyncobjManagerV1 = globals.bind(&handle, 1..=1, ())?;
        Some(Timeline::new(&card, &manager, &surface, &handle)?)
    } else {
        None
    };
    // A byte for each line, which can be awaited together with the compositor.
    let (lines, mut told_of_lines) = io::pipe()?;
    thread::spawn(move || io::stdin().lines().try_for_each(|_| told_of_lines.write_all(&[0])));
    let size = if told.size.0 > 0 && !windowed { told.size } else { SIZE };
    // Those shown before are kept: the screen may still read them.
    let mut shown = Vec::new();
    for number in 0_u8.. {
        let picture = card.picture(size, number.wrapping_mul(64))?;
        let descriptor = card.buffer_to_prime_fd(picture.handle(), RDWR)?;
        let params = dmabuf.create_params(&handle, ());
        params.add(descriptor.as_fd(), 0, 0, picture.pitch(), 0, 0);
        let format = DrmFourcc::Xrgb8888 as u32;
        let buffer = params.create_immed(size.0, size.1, format, Flags::empty(), &handle, ());
        presentation.feedback(&surface, &handle, ());
        surface.attach(Some(&buffer), 0, 0);
        surface.damage_buffer(0, 0, size.0, size.1);
        if let Some(timeline) = &timeline {
            timeline.name_points(number);
        }
        let fence =
            vgem.as_ref().map(|vgem| Fence::attach(vgem, descriptor.as_fd())).transpose()?;
        surface.commit();
        if timeline.is_some() || fence.is_some() {
            println!("picture {number} is not drawn yet");
            line(&mut queue, &mut told, &lines)?;
        }
        timeline.as_ref().map(|timeline| timeline.draw(&card, number)).transpose()?;
        fence.map(Fence::signal).transpose()?;
        await_told(&mut queue, &mut told, |told| told.presented > u32::from(number))?;
        if let (Some(timeline), Some(before)) = (&timeline, number.checked_sub(1)) {
            timeline.await_release(&card, before)?;
        }
        shown.push((buffer, picture));
        if !line(&mut queue, &mut told, &lines)? {
            // Nobody asks for more: it stays as it is.
            await_told(&mut queue, &mut told, |_| false)?;
        }
    }
    Ok(())
}

fn await_told(
    queue: &mut EventQueue<Told>,
    told: &mut Told,
    enough: impl Fn(&Told) -> bool,
) -> anyhow::Result<()> {
    while !enough(told) {
        queue.blocking_dispatch(told).context("the compositor is gone")?;
    }
    Ok(())
}

impl Dispatch<ZwpLinuxDmabufFeedbackV1, ()> for Told {
    fn event(
        told: &mut Told,
        _: &ZwpLinuxDmabufFeedbackV1,
        event: zwp_linux_dmabuf_feedback_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Told>,
    ) {
        use zwp_linux_dmabuf_feedback_v1::Event;
        match event {
            Event::MainDevice { device } => {
                told.device = device.try_into().ok().map(u64::from_ne_bytes);
                told.scanout = false;
            }
            Event::TrancheFlags { flags: WEnum::Value(flags) } => {
                told.scanout |= flags.contains(TrancheFlags::Scanout);
            }
            Event::Done => {
                told.all_told = true;
                let best = if told.scanout { "for the screen" } else { "to be drawn" };
                println!("best are buffers {best}");
            }
            _ => {}
        }
    }
}

impl Dispatch<WpPresentationFeedback, ()> for Told {
    fn event(
        told: &mut Told,
        _: &WpPresentationFeedback,
        event: wp_presentation_feedback::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Told>,
    ) {
        match event {
            wp_presentation_feedback::Event::Presented { flags: WEnum::Value(flags), .. } => {
                let how = if flags.contains(Kind::ZeroCopy) { "by itself" } else { "drawn" };
                println!("picture {} is seen {how}", told.presented);
                told.presented += 1;
            }
            wp_presentation_feedback::Event::Discarded => {
                println!("picture {} is never seen", told.presented);
                told.presented += 1;
            }
            _ => {}
        }
    }
}

impl Dispatch<XdgToplevel, ()> for Told {
    fn event(
        told: &mut Told,
        _: &XdgToplevel,
        event: xdg_toplevel::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Told>,
    ) {
        match event {
            xdg_toplevel::Event::Configure { width, height, .. } => told.size = (width, height),
            xdg_toplevel::Event::Close => std::process::exit(0),
            _ => {}
        }
    }
}

impl Dispatch<XdgSurface, ()> for Told {
    fn event(
        told: &mut Told,
        surface: &XdgSurface,
        event: xdg_surface::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Told>,
    ) {
        if let xdg_surface::Event::Configure { serial } = event {
            surface.ack_configure(serial);
            told.configured = true;
        }
    }
}

impl Dispatch<XdgWmBase, ()> for Told {
    fn event(
        _: &mut Told,
        shell: &XdgWmBase,
        event: xdg_wm_base::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Told>,
    ) {
        if let xdg_wm_base::Event::Ping { serial } = event {
            shell.pong(serial);
        }
    }
}

impl Dispatch<WlRegistry, GlobalListContents> for Told {
    fn event(
        _: &mut Told,
        _: &WlRegistry,
        _: <WlRegistry as Proxy>::Event,
        _: &GlobalListContents,
        _: &Connection,
        _: &QueueHandle<Told>,
    ) {
    }
}

delegate_noop!(Told: WlCompositor);
delegate_noop!(Told: ignore WlSurface);
delegate_noop!(Told: ignore WlBuffer);
delegate_noop!(Told: ignore ZwpLinuxDmabufV1);
delegate_noop!(Told: ignore ZwpLinuxBufferParamsV1);
delegate_noop!(Told: ignore WpPresentation);
delegate_noop!(Told: WpLinuxDrmSyncobjManagerV1);
delegate_noop!(Told: WpLinuxDrmSyncobjSurfaceV1);
delegate_noop!(Told: WpLinuxDrmSyncobjTimelineV1);
