//! Windows of another desktop, one for each output: for trying things out, and for having guests' windows
//! beside those of a desktop that is there already.
//!
//! Pictures are drawn into memory that the host reads, so that nothing is needed of its GPU. The host
//! says when it has shown one; while it shows none, nothing is drawn.

mod canvas;
mod events;
mod host;
mod keys;
mod swapchain;
mod wayland;
mod x11;

use std::{collections::HashMap, fmt::Display};

use calloop::ping::make_ping;
use smithay::{
    output::{Mode, Output, PhysicalProperties, Subpixel},
    reexports::calloop::LoopHandle,
    utils::{Physical, Point, Size},
};

use super::{
    BackendError, FoundOutput, Rendered,
    drawer::Drawer,
    remedy::{Remedied, Remedy, renew},
};
use crate::{
    config::{Config, OutputSize},
    image::Image,
    outputs::{
        change::millimetres,
        settings::{OutputConfig, OutputScale},
    },
    render::elements::Scene,
    state::State,
};
use host::{Host, Shape, WindowId};

/// As on the command line.
pub const NAME: &str = "nested";

/// The host's display server with our windows.
pub struct Nested {
    drawer: Drawer,
    host: Box<dyn Host>,
    windows: HashMap<Output, Window>,
}

/// The window of an output.
struct Window {
    id: WindowId,
    /// The host's scale, as the output follows it.
    scale: f64,
}

fn error(what: &'static str) -> impl Fn(&dyn Display) -> BackendError {
    move |reason| BackendError { backend: NAME, what, reason: reason.to_string() }
}

/// Whether a desktop is there to be nested in.
pub(super) fn is_possible() -> bool {
    wayland_is_named() || is_set("DISPLAY")
}

fn wayland_is_named() -> bool {
    is_set("WAYLAND_DISPLAY") || is_set("WAYLAND_SOCKET")
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}

impl Nested {
    /// Open the windows.
    pub fn start(
        config: &Config,
        loop_handle: &LoopHandle<'static, State>,
    ) -> Result<(Nested, Vec<FoundOutput>), BackendError> {
        let drawer = Drawer::start(config.renderer).map_err(|e| error("cannot start")(&e))?;
        let (wake, early) = make_ping().map_err(|e| error("cannot wait for the host")(&e))?;
        let host: Box<dyn Host> = if wayland_is_named() {
            Box::new(wayland::Wayland::connect()?)
        } else if is_set("DISPLAY") {
            Box::new(x11::X11::connect(wake)?)
        } else {
            let reason = "set WAYLAND_DISPLAY or DISPLAY, or choose another --backend";
            return Err(error("finds no desktop to be in")(&reason));
        };
        let mut nested = Nested { drawer, host, windows: HashMap::new() };
        let one = [OutputConfig::default()];
        let configured = if config.outputs.is_empty() { &one[..] } else { &config.outputs };
        let mut opened = Vec::new();
        for (number, output) in (1..).zip(configured) {
            let numbered = format!("WINDOW-{number}");
            let name = output.name.as_ref().map_or(numbered, |name| name.as_str().to_owned());
            let window = WindowId(number);
            nested.host.open(window, &title(&name), size(output, config))?;
            opened.push((window, name, output));
        }
        nested.host.settle()?;
        let mut found = Vec::new();
        for (window, name, output) in opened {
            let shape =
                nested.host.shape(window).ok_or_else(|| error("has lost a window")(&name))?;
            let output = output_of(shape, name, output, config);
            if output.config.off {
                nested.host.close(window);
            }
            let window = Window { id: window, scale: shape.scale };
            nested.windows.insert(output.output.clone(), window);
            found.push(output);
        }
        events::listen(nested.host.as_ref(), early, loop_handle)?;
        Ok((nested, found))
    }

    /// What draws.
    pub fn drawer(&mut self) -> &mut Drawer {
        &mut self.drawer
    }

    fn window(&self, output: &Output) -> Result<WindowId, BackendError> {
        let window = self.windows.get(output).map(|window| window.id);
        window.ok_or_else(|| error("has no window")(&output.name()))
    }

    /// The nearest that the host lets the window have.
    pub fn find_mode(&self, output: &Output, wanted: Mode) -> Option<Mode> {
        let refresh = output.current_mode().map_or(60_000, |mode| mode.refresh);
        let side = |side: i32| u16::try_from(side).unwrap_or_default();
        OutputSize::new(side(wanted.size.w), side(wanted.size.h))?;
        let size = self.host.fitting(self.window(output).ok()?, wanted.size)?;
        Some(Mode { size, refresh })
    }

    /// Let a window have other pixels.
    pub fn set_mode(&mut self, output: &Output, mode: Mode) -> Result<(), BackendError> {
        let window = self.window(output)?;
        self.host.resize(window, mode.size);
        self.drawer.forget(output);
        Ok(())
    }

    /// Open a window again, or close it.
    pub fn switch(&mut self, output: &Output, on: bool) -> Result<(), BackendError> {
        let window = self.window(output)?;
        let is_open = self.host.shape(window).is_some();
        if on && !is_open {
            let size = output.current_mode().map(|mode| mode.size).unwrap_or_default();
            self.host.open(window, &title(&output.name()), size)?;
        } else if !on {
            self.host.close(window);
            self.drawer.forget(output);
        }
        Ok(())
    }

    /// Close the window of an output for good.
    pub fn forget(&mut self, output: &Output) {
        self.drawer.forget(output);
        if let Some(window) = self.windows.remove(output) {
            self.host.close(window.id);
        }
    }

    /// Draw what has changed since the last picture, and have the host show it.
    pub fn render(&mut self, output: &Output, scene: &Scene<'_>) -> Result<Rendered, BackendError> {
        let window = self.window(output)?;
        let transform = output.current_transform();
        self.host.show(window, transform, &mut self.drawer, scene)
    }

    /// Draw a picture only to be looked at here.
    pub fn capture(&mut self, output: &Output, scene: &Scene<'_>) -> Result<Image, BackendError> {
        let drawn = self.drawer.draw(output, scene).and_then(|_| self.drawer.read_back(output));
        drawn.map_err(|e| error("cannot draw a picture to look at")(&e))
    }

    /// Put a new renderer in the place of one that fails, and memory that suits it.
    pub fn remedy(&mut self, remedy: Remedy) -> Result<Remedied, BackendError> {
        let remedied = renew(&mut self.drawer, remedy)?;
        self.windows.values().for_each(|window| self.host.forget_pictures(window.id));
        Ok(remedied)
    }

    /// Have the keys of the host's own shortcuts, or leave them to it again.
    pub fn toggle_shortcuts(&mut self) {
        let hold = !self.host.holds_shortcuts();
        self.host.hold_shortcuts(hold);
        let whose = if hold { "go to this" } else { "are the host's own" };
        tracing::info!("the host's shortcuts {whose}");
    }
}

/// The output that a window of this shape shows.
fn output_of(shape: Shape, name: String, set: &OutputConfig, config: &Config) -> FoundOutput {
    let refresh = set.refresh.unwrap_or(config.refresh);
    let properties = PhysicalProperties {
        size: millimetres(shape.pixels).into(),
        subpixel: Subpixel::Unknown,
        make: "hyper-dmabuf".into(),
        model: "window".into(),
    };
    let output = Output::new(name, properties);
    let mode = Mode { size: shape.pixels, refresh: refresh.millihertz() };
    output.set_preferred(mode);
    output.change_current_state(Some(mode), None, None, None);
    // What is configured is how much larger than the host's windows those in here are.
    let scale = OutputScale::new(set.scale.factor() * shape.scale).unwrap_or(set.scale);
    let config = OutputConfig { scale, ..set.clone() };
    FoundOutput { output, period: refresh.period(), config }
}

fn title(output: &str) -> String {
    format!("{output} - hyper-dmabuf")
}

/// How large a window is to be.
fn size(set: &OutputConfig, config: &Config) -> Size<i32, Physical> {
    let size = set.size.unwrap_or(config.size);
    Size::from((i32::from(size.width), i32::from(size.height)))
}

/// A place in a window's pixels that the host counts in its own.
fn pixels(x: f64, y: f64, scale: f64) -> Point<f64, Physical> {
    Point::from((x * scale, y * scale))
}
