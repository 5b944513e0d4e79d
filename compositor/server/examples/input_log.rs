//! A window that fills the room, and says what it is told of pens, fingers and the pointer, a line an event.
//! For `cargo xtask screen`: no program of Debian says that of all of them.

use std::{fs::File, io::Write, os::fd::AsFd};

use anyhow::Context;
use rustix::fs::{MemfdFlags, memfd_create};
use wayland_client::{
    Connection, Dispatch, Proxy, QueueHandle, delegate_noop, event_created_child,
    globals::{GlobalListContents, registry_queue_init},
    protocol::{
        wl_buffer::WlBuffer,
        wl_compositor::WlCompositor,
        wl_pointer::WlPointer,
        wl_registry::WlRegistry,
        wl_seat::WlSeat,
        wl_shm::{self, WlShm},
        wl_shm_pool::WlShmPool,
        wl_surface::WlSurface,
        wl_touch::WlTouch,
    },
};
use wayland_protocols::{
    wp::{
        pointer_gestures::zv1::client::{
            zwp_pointer_gesture_hold_v1::ZwpPointerGestureHoldV1,
            zwp_pointer_gesture_pinch_v1::ZwpPointerGesturePinchV1,
            zwp_pointer_gesture_swipe_v1::ZwpPointerGestureSwipeV1,
            zwp_pointer_gestures_v1::ZwpPointerGesturesV1,
        },
        tablet::zv2::client::{
            zwp_tablet_manager_v2::ZwpTabletManagerV2,
            zwp_tablet_seat_v2::{self, ZwpTabletSeatV2},
            zwp_tablet_tool_v2::ZwpTabletToolV2,
            zwp_tablet_v2::ZwpTabletV2,
        },
    },
    xdg::shell::client::{
        xdg_surface::{self, XdgSurface},
        xdg_toplevel::{self, XdgToplevel},
        xdg_wm_base::{self, XdgWmBase},
    },
};

/// What is needed to show the window at the size that it is told.
struct Log {
    shm: WlShm,
    surface: WlSurface,
    size: (i32, i32),
}

fn main() -> anyhow::Result<()> {
    let connection = Connection::connect_to_env().context("is WAYLAND_DISPLAY set?")?;
    let (globals, mut queue) = registry_queue_init::<Log>(&connection)?;
    let handle = queue.handle();
    let compositor: WlCompositor = globals.bind(&handle, 4..=6, ())?;
    let shell: XdgWmBase = globals.bind(&handle, 1..=6, ())?;
    let seat: WlSeat = globals.bind(&handle, 8..=8, ())?;
    let pointer = seat.get_pointer(&handle, ());
    let _touch = seat.get_touch(&handle, ());
    let gestures: ZwpPointerGesturesV1 = globals.bind(&handle, 3..=3, ())?;
    let _swipe = gestures.get_swipe_gesture(&pointer, &handle, ());
    let _pinch = gestures.get_pinch_gesture(&pointer, &handle, ());
    let _hold = gestures.get_hold_gesture(&pointer, &handle, ());
    let tablets: ZwpTabletManagerV2 = globals.bind(&handle, 1..=1, ())?;
    let _tablets = tablets.get_tablet_seat(&seat, &handle, ());
    let surface = compositor.create_surface(&handle, ());
    let toplevel = shell.get_xdg_surface(&surface, &handle, ()).get_toplevel(&handle, ());
    toplevel.set_title("input log".to_owned());
    toplevel.set_maximized();
    surface.commit();
    let mut log = Log { shm: globals.bind(&handle, 1..=1, ())?, surface, size: (0, 0) };
    loop {
        queue.blocking_dispatch(&mut log).context("the compositor is gone")?;
    }
}

impl Log {
    fn show(&self, handle: &QueueHandle<Log>) -> anyhow::Result<()> {
        let (width, height) = (self.size.0.max(1), self.size.1.max(1));
        let mut file = File::from(memfd_create("picture", MemfdFlags::CLOEXEC)?);
        file.write_all(&vec![0x60; (width * height * 4) as usize])?;
        let pool = self.shm.create_pool(file.as_fd(), width * height * 4, handle, ());
        let format = wl_shm::Format::Xrgb8888;
        let buffer = pool.create_buffer(0, width, height, width * 4, format, handle, ());
        self.surface.attach(Some(&buffer), 0, 0);
        self.surface.damage_buffer(0, 0, width, height);
        self.surface.commit();
        Ok(())
    }
}

/// Says each event of these interfaces.
macro_rules! say {
    ($($interface:ty),*) => {$(
        impl Dispatch<$interface, ()> for Log {
            fn event(
                _: &mut Log,
                _: &$interface,
                event: <$interface as Proxy>::Event,
                (): &(),
                _: &Connection,
                _: &QueueHandle<Log>,
            ) {
                println!("{} {event:?}", <$interface>::interface().name);
            }
        }
    )*};
}

say!(
    WlPointer,
    WlTouch,
    ZwpPointerGestureHoldV1,
    ZwpPointerGesturePinchV1,
    ZwpPointerGestureSwipeV1,
    ZwpTabletToolV2,
    ZwpTabletV2
);

impl Dispatch<ZwpTabletSeatV2, ()> for Log {
    fn event(
        _: &mut Log,
        _: &ZwpTabletSeatV2,
        event: zwp_tablet_seat_v2::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Log>,
    ) {
        println!("zwp_tablet_seat_v2 {event:?}");
    }

    event_created_child!(Log, ZwpTabletSeatV2, [
        zwp_tablet_seat_v2::EVT_TABLET_ADDED_OPCODE => (ZwpTabletV2, ()),
        zwp_tablet_seat_v2::EVT_TOOL_ADDED_OPCODE => (ZwpTabletToolV2, ()),
    ]);
}

impl Dispatch<XdgToplevel, ()> for Log {
    fn event(
        log: &mut Log,
        _: &XdgToplevel,
        event: xdg_toplevel::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Log>,
    ) {
        match event {
            xdg_toplevel::Event::Configure { width, height, .. } => log.size = (width, height),
            xdg_toplevel::Event::Close => std::process::exit(0),
            _ => {}
        }
    }
}

impl Dispatch<XdgSurface, ()> for Log {
    fn event(
        log: &mut Log,
        surface: &XdgSurface,
        event: xdg_surface::Event,
        (): &(),
        _: &Connection,
        handle: &QueueHandle<Log>,
    ) {
        if let xdg_surface::Event::Configure { serial } = event {
            surface.ack_configure(serial);
            if let Err(error) = log.show(handle) {
                eprintln!("the window cannot be drawn: {error}");
                std::process::exit(1);
            }
        }
    }
}

impl Dispatch<XdgWmBase, ()> for Log {
    fn event(
        _: &mut Log,
        shell: &XdgWmBase,
        event: xdg_wm_base::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Log>,
    ) {
        if let xdg_wm_base::Event::Ping { serial } = event {
            shell.pong(serial);
        }
    }
}

impl Dispatch<WlRegistry, GlobalListContents> for Log {
    fn event(
        _: &mut Log,
        _: &WlRegistry,
        _: <WlRegistry as Proxy>::Event,
        _: &GlobalListContents,
        _: &Connection,
        _: &QueueHandle<Log>,
    ) {
    }
}

delegate_noop!(Log: WlCompositor);
delegate_noop!(Log: WlShmPool);
delegate_noop!(Log: ZwpPointerGesturesV1);
delegate_noop!(Log: ZwpTabletManagerV2);
delegate_noop!(Log: ignore WlShm);
delegate_noop!(Log: ignore WlBuffer);
delegate_noop!(Log: ignore WlSurface);
delegate_noop!(Log: ignore WlSeat);
