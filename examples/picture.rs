//! A guest that shows a picture in a window, scaled to the window's size, with a marker that moves
//! along its lower edge so that frames keep coming.
//!
//! ```text
//! picture --link ADDRESS [--frames N] [--still] FILE.png
//! ```
//!
//! What is drawn into is memory that the display domain maps. Of each frame only what changed
//! since its buffer was shown last is drawn: the marker.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::Parser;
use hyper_dmabuf::client::{Address, Format, Frame, Guest, Swapchain};
use wayland_client::globals::{GlobalListContents, registry_queue_init};
use wayland_client::protocol::wl_callback::{self, WlCallback};
use wayland_client::protocol::wl_compositor::WlCompositor;
use wayland_client::protocol::wl_registry::{self, WlRegistry};
use wayland_client::protocol::wl_surface::WlSurface;
use wayland_client::{Connection, Dispatch, QueueHandle, delegate_noop};
use wayland_protocols::xdg::shell::client::xdg_surface::{self, XdgSurface};
use wayland_protocols::xdg::shell::client::xdg_toplevel::{self, XdgToplevel};
use wayland_protocols::xdg::shell::client::xdg_wm_base::{self, XdgWmBase};

/// Shows a picture in a window on the display domain's screen.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where the display domain is: shm:PATH, xen:[DOMID], or wayland:[NAME] for a local
    /// compositor.
    #[arg(long, value_name = "ADDRESS")]
    link: Address,
    /// End after this many frames were shown; without it, when the window is closed.
    #[arg(long, value_name = "N")]
    frames: Option<u64>,
    /// Show one frame, and leave it at that.
    #[arg(long)]
    still: bool,
    /// The picture.
    #[arg(value_name = "FILE.png")]
    file: PathBuf,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let picture = Picture::open(&arguments.file)?;
    let guest = Guest::connect(&arguments.link)?;
    let (globals, mut queue) = registry_queue_init::<App>(guest.connection())?;
    let handle = queue.handle();
    let compositor: WlCompositor = globals.bind(&handle, 4..=6, ())?;
    let shell: XdgWmBase = globals.bind(&handle, 1..=6, ())?;
    let sharing = guest.sharing()?;

    let surface = compositor.create_surface(&handle, ());
    let xdg_surface = shell.get_xdg_surface(&surface, &handle, ());
    let toplevel = xdg_surface.get_toplevel(&handle, ());
    let name = arguments.file.file_name().unwrap_or_default().to_string_lossy();
    toplevel.set_title(name.into_owned());
    toplevel.set_app_id("hyper-dmabuf.picture".into());
    surface.commit();

    let size = picture.size();
    let swapchain = Swapchain::new(&sharing, size.0, size.1, Format::Xrgb8888)?;
    let window = Window { surface, xdg_surface, toplevel };
    let painter = Painter::new(picture, size);
    let (asked, configured, waiting, closed) = (size, false, false, false);
    let still = arguments.still;
    let shown = 0;
    let mut app =
        App { window, swapchain, painter, shown, still, asked, configured, waiting, closed };
    while !app.closed && arguments.frames.is_none_or(|frames| app.shown < frames) {
        app.show_next(&handle)?;
        queue
            .blocking_dispatch(&mut app)
            .context("the display domain has closed the connection")?;
    }
    let frames = app.shown;
    app.close();
    sharing.wait_released()?;
    println!("{frames} frames shown, {} bytes copied", sharing.bytes_copied());
    Ok(())
}

struct Window {
    surface: WlSurface,
    xdg_surface: XdgSurface,
    toplevel: XdgToplevel,
}

struct App {
    window: Window,
    swapchain: Swapchain,
    painter: Painter,
    shown: u64,
    still: bool,
    /// The size that the compositor wants.
    asked: (u32, u32),
    configured: bool,
    /// For the last frame to be shown.
    waiting: bool,
    closed: bool,
}

impl App {
    fn show_next(&mut self, handle: &QueueHandle<App>) -> Result<()> {
        self.swapchain.check()?;
        let is_done = self.still && self.shown > 0 && self.asked == self.swapchain.size();
        if !self.configured || self.waiting || is_done {
            return Ok(());
        }
        if self.asked != self.swapchain.size() {
            let (width, height) = self.asked;
            self.swapchain.resize(width, height)?;
            self.painter.resize(self.asked);
        }
        let Some(mut frame) = self.swapchain.acquire()? else { return Ok(()) };
        let damage = self.painter.paint(&mut frame);
        let surface = &self.window.surface;
        frame.attach(surface);
        for area in damage {
            surface.damage_buffer(
                area.x as i32,
                area.y as i32,
                area.width as i32,
                area.height as i32,
            );
        }
        surface.frame(handle, ());
        surface.commit();
        self.waiting = true;
        Ok(())
    }

    fn close(self) {
        self.window.toplevel.destroy();
        self.window.xdg_surface.destroy();
        self.window.surface.destroy();
    }
}

/// Pixels in a row, rows, and the pixels: blue, green, red, unused.
struct Picture {
    width: u32,
    height: u32,
    pixels: Vec<[u8; 4]>,
}

impl Picture {
    fn open(path: &Path) -> Result<Picture> {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let mut decoder = png::Decoder::new(BufReader::new(file));
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let what = || format!("{} is not a PNG picture", path.display());
        let mut reader = decoder.read_info().with_context(what)?;
        let size =
            reader.output_buffer_size().ok_or_else(|| anyhow!("the picture is too large"))?;
        let mut bytes = vec![0; size];
        let info = reader.next_frame(&mut bytes).with_context(what)?;
        let pixels = match info.color_type {
            png::ColorType::Rgb => bytes.chunks_exact(3).map(|p| [p[2], p[1], p[0], 0]).collect(),
            png::ColorType::Rgba => bytes.chunks_exact(4).map(|p| [p[2], p[1], p[0], 0]).collect(),
            png::ColorType::Grayscale => bytes.iter().map(|&grey| [grey, grey, grey, 0]).collect(),
            png::ColorType::GrayscaleAlpha => {
                bytes.chunks_exact(2).map(|p| [p[0], p[0], p[0], 0]).collect()
            }
            png::ColorType::Indexed => bail!("{}: the palette was not expanded", path.display()),
        };
        Ok(Picture { width: info.width, height: info.height, pixels })
    }

    fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// The pixel that is shown at `x`, `y` of a window of this size.
    fn at(&self, x: u32, y: u32, (width, height): (u32, u32)) -> [u8; 4] {
        // In 64 bits, so that no product wraps.
        let scale = |at, from, to| u64::from(at) * u64::from(from) / u64::from(to);
        let (x, y) = (scale(x, self.width, width), scale(y, self.height, height));
        self.pixels[(y * u64::from(self.width) + x) as usize]
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Area {
    x: u32,
    y: u32,
    width: u32,
    height: u32,
}

/// Draws frames; knows what was drawn where in the last few.
struct Painter {
    picture: Picture,
    size: (u32, u32),
    frame: u64,
}

impl Painter {
    const MARKER: u32 = 12;
    const COLOUR: [u8; 4] = [0x30, 0xc8, 0xff, 0];
    /// Pixels that the marker moves in a frame.
    const STEP: u64 = 4;

    fn new(picture: Picture, size: (u32, u32)) -> Painter {
        Painter { picture, size, frame: 0 }
    }

    fn resize(&mut self, size: (u32, u32)) {
        self.size = size;
    }

    /// Where the marker is in frame `frame`.
    fn marker(&self, frame: u64) -> Area {
        let (width, height) = self.size;
        let side = Self::MARKER.min(width).min(height);
        let way = u64::from(width - side) + 1;
        Area { x: (frame * Self::STEP % way) as u32, y: height - side, width: side, height: side }
    }

    /// Draws what the buffer lacks, and returns what differs from the frame before.
    fn paint(&mut self, frame: &mut Frame<'_>) -> [Area; 2] {
        let (width, height) = self.size;
        let whole = Area { x: 0, y: 0, width, height };
        let now = self.marker(self.frame);
        let age = frame.age().filter(|&age| age <= self.frame);
        match age {
            None => self.restore(frame, whole),
            Some(age) => {
                for past in self.frame - age..self.frame {
                    self.restore(frame, self.marker(past));
                }
            }
        }
        fill(frame, now, |_, _| Self::COLOUR);
        let before = match age {
            None => whole,
            Some(_) => self.marker(self.frame.saturating_sub(1)),
        };
        self.frame += 1;
        [before, now]
    }

    fn restore(&self, frame: &mut Frame<'_>, area: Area) {
        fill(frame, area, |x, y| self.picture.at(x, y, self.size));
    }
}

fn fill(frame: &mut Frame<'_>, area: Area, pixel: impl Fn(u32, u32) -> [u8; 4]) {
    let stride = frame.stride();
    let pixels = frame.pixels();
    for y in area.y..area.y + area.height {
        let start = y as usize * stride + area.x as usize * 4;
        let row = &mut pixels[start..start + area.width as usize * 4];
        for (x, target) in (area.x..).zip(row.chunks_exact_mut(4)) {
            target.copy_from_slice(&pixel(x, y));
        }
    }
}

impl Dispatch<XdgToplevel, ()> for App {
    fn event(
        app: &mut Self,
        _: &XdgToplevel,
        event: xdg_toplevel::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        match event {
            xdg_toplevel::Event::Configure { width, height, .. } => {
                if let (Ok(width @ 1..), Ok(height @ 1..)) = (width.try_into(), height.try_into()) {
                    app.asked = (width, height);
                }
            }
            xdg_toplevel::Event::Close => app.closed = true,
            _ => {}
        }
    }
}

impl Dispatch<XdgSurface, ()> for App {
    fn event(
        app: &mut Self,
        surface: &XdgSurface,
        event: xdg_surface::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let xdg_surface::Event::Configure { serial } = event {
            surface.ack_configure(serial);
            app.configured = true;
        }
    }
}

impl Dispatch<XdgWmBase, ()> for App {
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

impl Dispatch<WlCallback, ()> for App {
    fn event(
        app: &mut Self,
        _: &WlCallback,
        _: wl_callback::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        app.waiting = false;
        app.shown += 1;
    }
}

impl Dispatch<WlRegistry, GlobalListContents> for App {
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

delegate_noop!(App: WlCompositor);
delegate_noop!(App: ignore WlSurface);
