//! The compositor as WLCS, the Wayland conformance test suite, loads it.
//!
//! ```sh
//! cargo build -p hyper-dmabuf-wlcs
//! /usr/lib/x86_64-linux-gnu/wlcs/wlcs target/debug/libhyper_dmabuf_wlcs.so
//! ```
//!
//! A suite's clients are local ones, or those of a guest: with its proxy in `HYPER_DMABUF_PROXY` they
//! connect to that. The compositor runs in a thread; WLCS's calls become commands to it, and return when
//! they are done.

mod guest;
mod mark;

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use calloop::channel;
use hyper_dmabuf_compositor::backend::BackendKind;
use hyper_dmabuf_compositor::client::ClientOrigin;
use hyper_dmabuf_compositor::config::{BarPlace, Config, IdentityConfig, Refresh};
use hyper_dmabuf_compositor::input::Input;
use hyper_dmabuf_compositor::server::Server;
use hyper_dmabuf_compositor::state::State;
use smithay::utils::{Logical, Point};
use wayland_sys::client::{wl_display, wl_proxy};
use wayland_sys::common::{wl_fixed_t, wl_fixed_to_double};
use wlcs::ffi_display_server_api::{
    WlcsExtensionDescriptor, WlcsIntegrationDescriptor, WlcsServerIntegration,
};
use wlcs::ffi_wrappers::wlcs_server;
use wlcs::{Pointer, Touch, Wlcs, extension_list, wlcs_server_integration};

use guest::Guest;
use mark::Mark;

wlcs_server_integration!(Compositor);

/// Where the pointer is before a test moves it: in a corner where no test has a surface. Over one, that
/// surface would be told of the way to where the test wants the pointer, or not, as the race goes.
const AWAY: Input = Input::PointerMotion { x: 1279.0, y: 1023.0 };

/// How long a surface is looked for. Only one that has no window is never found.
const PATIENCE: Duration = Duration::from_secs(5);

type Command = Box<dyn FnOnce(&mut State) + Send>;

/// The compositor of one test.
struct Compositor {
    running: Option<Running>,
    descriptor: WlcsIntegrationDescriptor,
}

struct Running {
    commands: channel::Sender<Command>,
    thread: JoinHandle<()>,
    /// Where the clients are, unless they are local.
    guest: Option<Guest>,
}

/// What WLCS asks before it runs a test that needs one of them.
static EXTENSIONS: &[WlcsExtensionDescriptor] = extension_list!(
    ("wl_compositor", 6),
    ("wl_subcompositor", 1),
    ("wl_shm", 2),
    ("wl_seat", 9),
    ("wl_output", 4),
    ("wl_data_device_manager", 3),
    ("xdg_wm_base", 6),
    ("zxdg_output_manager_v1", 3),
    ("wp_viewporter", 1),
    ("zwp_primary_selection_device_manager_v1", 1),
    ("zwp_relative_pointer_manager_v1", 1),
    ("wp_fractional_scale_manager_v1", 1),
    ("zxdg_decoration_manager_v1", 1),
    ("zwlr_layer_shell_v1", 4),
    ("zwlr_foreign_toplevel_manager_v1", 3),
    ("zwlr_virtual_pointer_manager_v1", 2),
    ("zwp_pointer_constraints_v1", 1),
    ("zwp_text_input_manager_v3", 1),
    ("zwp_input_method_manager_v2", 1),
);

/// The same of a guest, which is not offered what is for local tools.
static GUESTS_EXTENSIONS: &[WlcsExtensionDescriptor] = extension_list!(
    ("wl_compositor", 6),
    ("wl_subcompositor", 1),
    ("wl_shm", 2),
    ("wl_seat", 9),
    ("wl_output", 4),
    ("wl_data_device_manager", 3),
    ("xdg_wm_base", 6),
    ("zxdg_output_manager_v1", 3),
    ("wp_viewporter", 1),
    ("zwp_primary_selection_device_manager_v1", 1),
    ("zwp_relative_pointer_manager_v1", 1),
    ("wp_fractional_scale_manager_v1", 1),
    ("zxdg_decoration_manager_v1", 1),
    ("zwp_pointer_constraints_v1", 1),
    ("zwp_text_input_manager_v3", 1),
);

/// Puts the marked window or panel at a place. Whether there is any.
fn place(state: &mut State, mark: Mark, place: Point<i32, Logical>) -> bool {
    let is_panel = state.pin_panel(|surface| mark.is_on(surface), place);
    let window = state.windows.iter_mut().find(|window| mark.is_on(window.wl_surface()));
    let Some(window) = window else { return is_panel };
    window.move_to(place);
    state.queue_redraw();
    true
}

/// Does something in the compositor's thread and waits for the result.
fn run<R: Send + 'static>(
    commands: &channel::Sender<Command>,
    what: impl FnOnce(&mut State) -> R + Send + 'static,
) -> Option<R> {
    let (sender, receiver) = mpsc::channel();
    let command: Command = Box::new(move |state| {
        let _ = sender.send(what(state));
    });
    commands.send(command).ok()?;
    receiver.recv().ok()
}

impl Wlcs for Compositor {
    type Pointer = TestPointer;
    type Touch = TestFinger;

    fn new() -> Self {
        let in_guest = std::env::var_os("HYPER_DMABUF_PROXY").is_some();
        let extensions = if in_guest { GUESTS_EXTENSIONS } else { EXTENSIONS };
        let descriptor = WlcsIntegrationDescriptor {
            version: 1,
            num_extensions: extensions.len(),
            supported_extensions: extensions.as_ptr(),
        };
        Compositor { running: None, descriptor }
    }

    fn start(&mut self) {
        let (commands, receiver) = channel::channel::<Command>();
        let mut guest = Guest::wanted();
        let domains = guest.iter().map(Guest::config).collect();
        let thread = thread::spawn(move || {
            let config = Config {
                // As WLCS's own tests of pointers expect of an output.
                size: "1280x1024".parse().expect("a size"),
                refresh: Refresh::AS_SOON_AS_POSSIBLE,
                domains,
                // The suite places windows where the bar would be.
                identity: IdentityConfig { bar: Some(BarPlace::None) },
                ..Config::default()
            };
            let mut server = Server::new(config, BackendKind::Headless).expect("a compositor");
            // The suite's own client commits buffers too early up to version 1.5.
            server.state.forgive_unconfigured_buffers = true;
            server.state.listen_for_domains().expect("a socket for the guest");
            let handle = server.state.loop_handle.clone();
            let inserted = handle.insert_source(receiver, |event, _, state| match event {
                channel::Event::Msg(command) => command(state),
                channel::Event::Closed => {
                    if let Some(signal) = &state.loop_signal {
                        signal.stop();
                        signal.wakeup();
                    }
                }
            });
            inserted.expect("a channel in the loop");
            server.run().expect("the event loop");
        });
        // The first thing that it does shows that it awaits the guest.
        let _ = run(&commands, |state| state.inject(AWAY));
        if let Some(guest) = &mut guest {
            guest.start().expect("the guest's proxy");
        }
        self.running = Some(Running { commands, thread, guest });
    }

    fn stop(&mut self) {
        if let Some(Running { commands, thread, guest }) = self.running.take() {
            drop((guest, commands));
            let _ = thread.join();
        }
    }

    fn create_client_socket(&self) -> std::io::Result<OwnedFd> {
        let running = self.running.as_ref().ok_or_else(|| std::io::Error::other("not started"))?;
        if let Some(guest) = &running.guest {
            return Ok(guest.connect()?.into());
        }
        let (ours, theirs) = UnixStream::pair()?;
        run(&running.commands, |state| state.insert_client(theirs, ClientOrigin::Local))
            .ok_or_else(|| std::io::Error::other("the compositor is gone"))??;
        Ok(ours.into())
    }

    fn position_window_absolute(
        &self,
        display: *mut wl_display,
        surface: *mut wl_proxy,
        x: i32,
        y: i32,
    ) {
        let Some(Running { commands, .. }) = &self.running else { return };
        // SAFETY: WLCS passes its own live display and surface, and waits meanwhile.
        let mark = unsafe { Mark::set(display, surface) };
        let deadline = Instant::now() + PATIENCE;
        // What the surface says is on its way, by a guest's proxy perhaps.
        while Instant::now() < deadline {
            match run(commands, move |state| place(state, mark, (x, y).into())) {
                Some(false) => thread::yield_now(),
                Some(true) | None => return,
            }
        }
        eprintln!("a surface that is to be moved to {x},{y} is nowhere");
    }

    fn create_pointer(&mut self) -> Option<TestPointer> {
        let commands = self.running.as_ref()?.commands.clone();
        Some(TestPointer { commands })
    }

    fn create_touch(&mut self) -> Option<TestFinger> {
        Some(TestFinger { commands: self.running.as_ref()?.commands.clone() })
    }

    fn get_descriptor(&self) -> &WlcsIntegrationDescriptor {
        &self.descriptor
    }
}

/// WLCS's pointer.
struct TestPointer {
    commands: channel::Sender<Command>,
}

impl TestPointer {
    fn inject(&self, input: Input) {
        run(&self.commands, move |state| state.inject(input));
    }
}

impl Pointer for TestPointer {
    fn move_absolute(&mut self, x: wl_fixed_t, y: wl_fixed_t) {
        let (x, y) = (wl_fixed_to_double(x), wl_fixed_to_double(y));
        self.inject(Input::PointerMotion { x, y });
    }

    fn move_relative(&mut self, x: wl_fixed_t, y: wl_fixed_t) {
        self.inject(Input::PointerMotionBy {
            dx: wl_fixed_to_double(x),
            dy: wl_fixed_to_double(y),
        });
    }

    fn button_up(&mut self, button: i32) {
        self.inject(Input::PointerButton { button: button as u32, pressed: false });
    }

    fn button_down(&mut self, button: i32) {
        self.inject(Input::PointerButton { button: button as u32, pressed: true });
    }
}

/// WLCS's one finger.
struct TestFinger {
    commands: channel::Sender<Command>,
}

impl TestFinger {
    fn inject(&self, input: Input) {
        run(&self.commands, move |state| state.inject(input));
    }

    fn at(&self, x: wl_fixed_t, y: wl_fixed_t, down: bool) {
        // Whole pixels, whatever the bindings' type says (wlcs/touch.h).
        let (x, y) = (f64::from(x), f64::from(y));
        self.inject(Input::Touch { finger: 0, x, y, down });
    }
}

impl Touch for TestFinger {
    fn touch_down(&mut self, x: wl_fixed_t, y: wl_fixed_t) {
        self.at(x, y, true);
    }

    fn touch_move(&mut self, x: wl_fixed_t, y: wl_fixed_t) {
        self.at(x, y, false);
    }

    fn touch_up(&mut self) {
        self.inject(Input::TouchUp { finger: 0 });
    }
}
