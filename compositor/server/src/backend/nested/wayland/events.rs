//! What the desktop tells of our windows.

use smithay::utils::Size;
use wayland_client::{
    Connection, Dispatch, Proxy, QueueHandle, delegate_noop,
    globals::GlobalListContents,
    protocol::{
        wl_buffer::{self, WlBuffer},
        wl_callback::{self, WlCallback},
        wl_compositor::WlCompositor,
        wl_output::{self, WlOutput},
        wl_registry::{self, WlRegistry},
        wl_shm::WlShm,
        wl_shm_pool::WlShmPool,
        wl_surface::{self, WlSurface},
    },
};
use wayland_protocols::{
    wp::{
        fractional_scale::v1::client::{
            wp_fractional_scale_manager_v1::WpFractionalScaleManagerV1,
            wp_fractional_scale_v1::{self, WpFractionalScaleV1},
        },
        keyboard_shortcuts_inhibit::zv1::client::{
            zwp_keyboard_shortcuts_inhibit_manager_v1::ZwpKeyboardShortcutsInhibitManagerV1,
            zwp_keyboard_shortcuts_inhibitor_v1::ZwpKeyboardShortcutsInhibitorV1,
        },
        viewporter::client::{wp_viewport::WpViewport, wp_viewporter::WpViewporter},
    },
    xdg::{
        decoration::zv1::client::{
            zxdg_decoration_manager_v1::ZxdgDecorationManagerV1,
            zxdg_toplevel_decoration_v1::ZxdgToplevelDecorationV1,
        },
        shell::client::{
            xdg_surface::{self, XdgSurface},
            xdg_toplevel::{self, XdgToplevel},
            xdg_wm_base::{self, XdgWmBase},
        },
    },
};

use super::{Client, Window};
use crate::backend::nested::host::{Told, WindowId};

impl Client {
    /// Change a window, and tell if it has another shape then.
    fn change(&mut self, id: WindowId, change: impl FnOnce(&mut Window)) {
        let Some(window) = self.window_mut(id) else { return };
        let before = window.shape();
        change(window);
        if window.shape() != before {
            self.told.push(Told::Shape(id));
        }
    }

    /// The greatest scale of the outputs that a window is on, where the host tells no finer one.
    fn follow_outputs(&mut self, id: WindowId) {
        let scales = self.output_scales.clone();
        self.change(id, |window| {
            let on = scales.iter().filter(|(output, _)| window.on.contains(output));
            if let Some(scale) = on.map(|(_, scale)| *scale).max()
                && !window.scales_freely()
            {
                window.scale = f64::from(scale);
            }
        });
    }
}

impl Dispatch<XdgToplevel, WindowId> for Client {
    fn event(
        client: &mut Client,
        _: &XdgToplevel,
        event: xdg_toplevel::Event,
        id: &WindowId,
        _: &Connection,
        _: &QueueHandle<Client>,
    ) {
        match event {
            xdg_toplevel::Event::Configure { width, height, states } => {
                use xdg_toplevel::State;
                let has = |wanted: State| {
                    let numbers = states.chunks_exact(4).flat_map(TryInto::try_into);
                    numbers.map(u32::from_ne_bytes).any(|state| state == wanted as u32)
                };
                let bound = [
                    State::Maximized,
                    State::Fullscreen,
                    State::TiledLeft,
                    State::TiledRight,
                    State::TiledTop,
                    State::TiledBottom,
                ];
                let is_free = !bound.into_iter().any(has);
                if let Some(window) = client.window_mut(*id) {
                    window.asked = Size::from((width, height));
                    window.is_free = is_free;
                }
            }
            xdg_toplevel::Event::Close => client.told.push(Told::Close(*id)),
            _ => {}
        }
    }
}

impl Dispatch<XdgSurface, WindowId> for Client {
    fn event(
        client: &mut Client,
        xdg_surface: &XdgSurface,
        event: xdg_surface::Event,
        id: &WindowId,
        _: &Connection,
        _: &QueueHandle<Client>,
    ) {
        let xdg_surface::Event::Configure { serial } = event else { return };
        xdg_surface.ack_configure(serial);
        let mut was_awaited = false;
        client.change(*id, |window| {
            let side = |asked: i32, now: i32| if asked > 0 { asked } else { now };
            let (asked, now) = (window.asked, window.size);
            window.size = Size::from((side(asked.w, now.w), side(asked.h, now.h)));
            window.is_configured = true;
            was_awaited = std::mem::take(&mut window.is_awaited);
        });
        if was_awaited {
            client.told.push(Told::Lost(*id));
        }
    }
}

impl Dispatch<WpFractionalScaleV1, WindowId> for Client {
    fn event(
        client: &mut Client,
        _: &WpFractionalScaleV1,
        event: wp_fractional_scale_v1::Event,
        id: &WindowId,
        _: &Connection,
        _: &QueueHandle<Client>,
    ) {
        if let wp_fractional_scale_v1::Event::PreferredScale { scale } = event {
            client.change(*id, |window| {
                if window.scales_freely() {
                    window.scale = f64::from(scale.max(1)) / 120.0;
                }
            });
        }
    }
}

impl Dispatch<WlSurface, WindowId> for Client {
    fn event(
        client: &mut Client,
        _: &WlSurface,
        event: wl_surface::Event,
        id: &WindowId,
        _: &Connection,
        _: &QueueHandle<Client>,
    ) {
        let Some(window) = client.window_mut(*id) else { return };
        match event {
            wl_surface::Event::Enter { output } => window.on.push(output),
            wl_surface::Event::Leave { output } => window.on.retain(|other| *other != output),
            _ => return,
        }
        client.follow_outputs(*id);
    }
}

impl Dispatch<WlOutput, ()> for Client {
    fn event(
        client: &mut Client,
        output: &WlOutput,
        event: wl_output::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Client>,
    ) {
        if let wl_output::Event::Scale { factor } = event {
            let known = client.output_scales.iter_mut().find(|(known, _)| known == output);
            known.into_iter().for_each(|(_, scale)| *scale = factor.max(1));
            let windows: Vec<_> = client.windows.iter().map(|window| window.id).collect();
            windows.into_iter().for_each(|id| client.follow_outputs(id));
        }
    }
}

impl Dispatch<WlCallback, WindowId> for Client {
    fn event(
        client: &mut Client,
        _: &WlCallback,
        event: wl_callback::Event,
        id: &WindowId,
        _: &Connection,
        _: &QueueHandle<Client>,
    ) {
        if let wl_callback::Event::Done { .. } = event {
            client.told.push(Told::Seen(*id));
        }
    }
}

impl Dispatch<WlBuffer, WindowId> for Client {
    fn event(
        client: &mut Client,
        buffer: &WlBuffer,
        event: wl_buffer::Event,
        id: &WindowId,
        _: &Connection,
        _: &QueueHandle<Client>,
    ) {
        if let (wl_buffer::Event::Release, Some(window)) = (event, client.window_mut(*id)) {
            window.pictures.give_back(|shared| shared.0 == *buffer);
        }
    }
}

impl Dispatch<XdgWmBase, ()> for Client {
    fn event(
        _: &mut Client,
        shell: &XdgWmBase,
        event: xdg_wm_base::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Client>,
    ) {
        if let xdg_wm_base::Event::Ping { serial } = event {
            shell.pong(serial);
        }
    }
}

impl Dispatch<WlRegistry, GlobalListContents> for Client {
    fn event(
        client: &mut Client,
        registry: &WlRegistry,
        event: wl_registry::Event,
        _: &GlobalListContents,
        _: &Connection,
        handle: &QueueHandle<Client>,
    ) {
        if let wl_registry::Event::Global { name, interface, version } = event
            && interface == WlOutput::interface().name
        {
            let output = registry.bind(name, version.min(2), handle, ());
            client.output_scales.push((output, 1));
        }
    }
}

delegate_noop!(Client: WlCompositor);
delegate_noop!(Client: WlShmPool);
delegate_noop!(Client: WpViewporter);
delegate_noop!(Client: WpViewport);
delegate_noop!(Client: WpFractionalScaleManagerV1);
delegate_noop!(Client: ZxdgDecorationManagerV1);
delegate_noop!(Client: ZwpKeyboardShortcutsInhibitManagerV1);
delegate_noop!(Client: ignore WlShm);
delegate_noop!(Client: ignore ZxdgToplevelDecorationV1);
delegate_noop!(Client: ignore ZwpKeyboardShortcutsInhibitorV1);
