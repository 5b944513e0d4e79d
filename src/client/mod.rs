//! A guest's Wayland client library: draw into granted memory, and the display domain shows it.
//!
//! [`Guest`] connects, over a link or to a Wayland socket that offers the protocol. [`Sharing`]
//! exports memory by hyper_dmabuf IDs. A [`Swapchain`] is a few buffers of one size to draw frames
//! into in turn; a [`Pool`] is one piece of memory to cut buffers out of; a [`Surface`] is a
//! `wl_surface` with its swapchain. What is drawn is granted memory itself: nothing is copied, and
//! nothing is allocated or mapped for a frame.
//!
//! When a swapchain, pool or surface is dropped its memory is unexported. Its IDs and pages return
//! when the display domain says that it has released them, never before.
//!
//! The objects have an event queue of their own, which is looked at whenever a method here needs to
//! know; so a program only dispatches the queue that it has anyway.
//!
//! ```no_run
//! use hyper_dmabuf::client::{Format, Guest, Swapchain};
//! # use wayland_client::{Connection, Dispatch, QueueHandle, protocol::*, globals::*};
//! # struct App;
//! # macro_rules! ignore { ($($t:ty, $d:ty);*) => {$(impl Dispatch<$t, $d> for App {
//! #   fn event(_: &mut App, _: &$t, _: <$t as wayland_client::Proxy>::Event, _: &$d,
//! #            _: &Connection, _: &QueueHandle<App>) {} })*} }
//! # ignore!(wl_registry::WlRegistry, GlobalListContents; wl_compositor::WlCompositor, ();
//! #         wl_surface::WlSurface, ());
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let guest = Guest::connect(&"shm:/run/display/work".parse()?)?;
//! let (globals, mut queue) = registry_queue_init::<App>(guest.connection())?;
//! let compositor: wl_compositor::WlCompositor = globals.bind(&queue.handle(), 4..=6, ())?;
//! let surface = compositor.create_surface(&queue.handle(), ());
//! // … give the surface a role, and wait until it is configured …
//!
//! let sharing = guest.sharing()?;
//! let mut swapchain = Swapchain::new(&sharing, 640, 480, Format::Xrgb8888)?;
//! loop {
//!     // Only what changed since the buffer was shown last needs to be drawn: see `Frame::age`.
//!     if let Some(mut frame) = swapchain.acquire()? {
//!         frame.pixels().fill(0x80);
//!         frame.attach(&surface);
//!         surface.damage_buffer(0, 0, 640, 480);
//!         surface.commit();
//!     }
//!     queue.blocking_dispatch(&mut App)?;
//! }
//! # }
//! ```

mod address;
mod exported;
mod guest;
mod pool;
mod reach;
mod sharing;
mod surface;
mod swapchain;

pub use address::{Address, AddressError};
pub use exported::ShareError;
pub use guest::{ConnectError, Guest};
pub use pool::{Pool, PoolBuffer};
pub use reach::ReachError;
pub(crate) use reach::Reached;
pub use sharing::{BindError, Sharing};
pub use surface::Surface;
pub use swapchain::{Frame, Swapchain};

/// The formats of `wl_shm`.
pub use wayland_client::protocol::wl_shm::Format;
