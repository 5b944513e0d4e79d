//! Guests' hyper_dmabuf buffers for any Smithay compositor.
//!
//! A client of another domain exports memory by ID; this crate imports it and makes genuine Smithay
//! buffers of it: `wl_shm` pools whose pages *are* the guest's, and planes of linux-dmabuf params.
//! There is no new kind of `wl_buffer`, so damage, release, viewports and every check that Smithay
//! makes work as they do for a local client.
//!
//! # How to use it
//!
//! ```no_run
//! use smithay::reexports::calloop::LoopHandle;
//! use smithay::reexports::wayland_server::{Client, protocol::wl_surface::WlSurface};
//! use smithay_hyper_dmabuf::{HyperDmabufHandler, HyperDmabufState, Origin};
//! # use smithay::wayland::{buffer::BufferHandler, compositor::*, dmabuf::*, shm::*};
//! # use smithay::reexports::wayland_server::protocol::wl_buffer::WlBuffer;
//!
//! struct Compositor {
//!     hyper_dmabuf: HyperDmabufState,
//!     loop_handle: LoopHandle<'static, Compositor>,
//!     // …
//! #   compositor: CompositorState, shm: ShmState, dmabuf: DmabufState,
//! }
//!
//! impl HyperDmabufHandler for Compositor {
//!     fn hyper_dmabuf_state(&mut self) -> &mut HyperDmabufState {
//!         &mut self.hyper_dmabuf
//!     }
//!     fn loop_handle(&self) -> LoopHandle<'static, Self> {
//!         self.loop_handle.clone()
//!     }
//!     fn origin(&self, client: &Client) -> Option<Origin> {
//!         // By the link that the client came by, never by what it says.
//! #       let _ = client;
//!         None
//!     }
//! }
//!
//! // These stand in for `smithay::delegate_shm!`, which lets a client panic the compositor.
//! smithay_hyper_dmabuf::delegate_hyper_dmabuf!(Compositor);
//!
//! impl CompositorHandler for Compositor {
//!     fn new_surface(&mut self, surface: &WlSurface) {
//!         HyperDmabufState::new_surface::<Self>(surface);
//!     }
//! #   fn compositor_state(&mut self) -> &mut CompositorState { &mut self.compositor }
//! #   fn client_compositor_state<'a>(&self, _: &'a Client) -> &'a CompositorClientState { todo!() }
//! #   fn commit(&mut self, _: &WlSurface) {}
//!     // …
//! }
//! # impl BufferHandler for Compositor { fn buffer_destroyed(&mut self, _: &WlBuffer) {} }
//! # impl ShmHandler for Compositor { fn shm_state(&self) -> &ShmState { &self.shm } }
//! # impl DmabufHandler for Compositor {
//! #   fn dmabuf_state(&mut self) -> &mut DmabufState { &mut self.dmabuf }
//! #   fn dmabuf_imported(&mut self, _: &DmabufGlobal, dmabuf: smithay::backend::allocator::dmabuf::Dmabuf, _: ImportNotifier) {
//! #     self.hyper_dmabuf.dmabuf_imported(&dmabuf);
//! #   }
//! # }
//! # smithay::delegate_compositor!(Compositor);
//! # smithay::delegate_dmabuf!(Compositor);
//! ```
//!
//! and once after each turn of the event loop `HyperDmabufState::refresh(&mut compositor)`, which
//! tells exporters of what nobody uses any more.

mod buffer;
mod manager;
mod plane;
mod pool;
mod report;
mod shm;
mod unfinished;

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use hyper_dmabuf::domain::DomainId;
use hyper_dmabuf::grant::ForeignMemory;
use hyper_dmabuf::id::HyperDmabufId;
use hyper_dmabuf::import::{Importer, Limits};
use hyper_dmabuf_protocol::server::hyper_dmabuf_manager_v1::HyperDmabufManagerV1;
use hyper_dmabuf_protocol::server::hyper_dmabuf_v1::HyperDmabufV1;
use smithay::reexports::calloop::LoopHandle;
use smithay::reexports::wayland_server::backend::{GlobalId, ObjectId};
use smithay::reexports::wayland_server::protocol::wl_surface::WlSurface;
use smithay::reexports::wayland_server::{Client, DisplayHandle, GlobalDispatch, Resource};

pub use buffer::BufferUserData;
pub use manager::{GlobalData, ManagerUserData};
pub use pool::PoolBuffer;
pub use report::{BufferReport, BufferState};

/// The newest version of `hyper_dmabuf_manager_v1` that is served.
pub const VERSION: u32 = 1;

/// Where a client comes from, as far as sharing buffers goes.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Its domain, as told by the link it came by.
    pub domain: DomainId,
    /// The domain's memory, by the same link; or none for a client that may attach its own.
    pub memory: Option<Arc<dyn ForeignMemory>>,
    /// How much the domain may share.
    pub limits: Limits,
    /// How its pages are shown.
    pub show: Show,
}

/// How a guest's pages get to the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Show {
    /// They are drawn themselves: nothing is copied. What the guest writes after a commit may be
    /// seen before the next one.
    #[default]
    Direct,
    /// They are copied at each commit, and the copy is drawn.
    Staged,
}

/// What the compositor does for the plug-in.
pub trait HyperDmabufHandler: Sized + 'static {
    /// The plug-in's state.
    fn hyper_dmabuf_state(&mut self) -> &mut HyperDmabufState;

    /// The event loop that the compositor runs in: delayed unexports are its timers.
    fn loop_handle(&self) -> LoopHandle<'static, Self>;

    /// Where `client` comes from. `None` refuses it whatever it asks for.
    fn origin(&self, client: &Client) -> Option<Origin>;
}

/// The plug-in's state: one for each compositor.
#[derive(Debug)]
pub struct HyperDmabufState {
    global: GlobalId,
    us: DomainId,
    importer: Importer,
    /// Every object of a buffer, to send it what concerns it.
    objects: HashMap<(DomainId, HyperDmabufId), HashMap<ObjectId, HyperDmabufV1>>,
    pools: pool::Pools,
    planes: plane::Planes,
    /// What Smithay maps until a guest's pages take its place. Nothing is ever written to it.
    blank: OwnedFd,
}

impl HyperDmabufState {
    /// Makes the global, for the display domain `us`.
    ///
    /// # Errors
    /// The system refused an empty file (a memfd) that pools begin as.
    pub fn new<D>(display: &DisplayHandle, us: DomainId) -> std::io::Result<HyperDmabufState>
    where
        D: GlobalDispatch<HyperDmabufManagerV1, GlobalData> + 'static,
    {
        Self::new_with_filter::<D, _>(display, us, |_| true)
    }

    /// As [`new`](Self::new); clients for which `filter` is false do not see the global.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn new_with_filter<D, F>(
        display: &DisplayHandle,
        us: DomainId,
        filter: F,
    ) -> std::io::Result<HyperDmabufState>
    where
        D: GlobalDispatch<HyperDmabufManagerV1, GlobalData> + 'static,
        F: Fn(&Client) -> bool + Send + Sync + 'static,
    {
        let data = GlobalData::new(filter);
        Ok(HyperDmabufState {
            global: display.create_global::<D, HyperDmabufManagerV1, _>(VERSION, data),
            us,
            importer: Importer::new(),
            objects: HashMap::new(),
            pools: pool::Pools::default(),
            planes: plane::Planes::default(),
            blank: pool::blank_file()?,
        })
    }

    /// The display domain that clients are told to share with.
    pub fn domain(&self) -> DomainId {
        self.us
    }

    /// Sets it, for a compositor that finds out later where it runs: before any guest is let in.
    pub fn set_domain(&mut self, us: DomainId) {
        self.us = us;
    }

    /// The global, to remove it.
    pub fn global(&self) -> GlobalId {
        self.global.clone()
    }

    /// To be called for every new surface: the first commit of a buffer of a guest's pool is when
    /// the guest's pages take their place in it.
    pub fn new_surface<D: HyperDmabufHandler>(surface: &WlSurface) {
        pool::watch_commits::<D>(surface);
    }

    /// To be called after each turn of the event loop: ends what nobody uses any more and tells the
    /// exporters. Costs nothing when nothing ended.
    pub fn refresh(&mut self) {
        self.pools.refresh();
        self.planes.refresh();
        for released in self.importer.take_released() {
            tracing::debug!(domain = %released.domain, id = %released.id, "released");
            let key = (released.domain, released.id);
            let Some(objects) = self.objects.get_mut(&key) else { continue };
            objects.retain(|_, object| {
                let told = buffer::released(object);
                object.is_alive() && !told
            });
            if objects.is_empty() {
                self.objects.remove(&key);
            }
        }
    }

    /// The buffers there are and what is done with them, for people to read.
    pub fn report(&self) -> Vec<BufferReport> {
        report::report(self)
    }

    /// Bytes that were copied out of a domain's buffers to be shown, since the start.
    pub fn bytes_staged(&self, domain: DomainId) -> u64 {
        self.pools.staged(domain)
    }

    /// The importer, to look at its accounts.
    pub fn importer(&self) -> &Importer {
        &self.importer
    }
}

/// Delegates the protocol's objects and, in place of `smithay::delegate_shm!`, those of `wl_shm` to
/// [`HyperDmabufState`]. The type also needs `smithay::delegate_dmabuf!`.
#[macro_export]
macro_rules! delegate_hyper_dmabuf {
    ($ty:ty) => {
        const _: () = {
            use server::protocol::{wl_buffer, wl_shm, wl_shm_pool};
            use $crate::reexports::protocol;
            use $crate::reexports::smithay::reexports::wayland_server as server;
            use $crate::reexports::smithay::wayland::shm;

    server::delegate_global_dispatch!($ty: [
                protocol::hyper_dmabuf_manager_v1::HyperDmabufManagerV1: $crate::GlobalData
            ] => $crate::HyperDmabufState);
    server::delegate_dispatch!($ty: [
                protocol::hyper_dmabuf_manager_v1::HyperDmabufManagerV1: $crate::ManagerUserData
            ] => $crate::HyperDmabufState);
    server::delegate_dispatch!($ty: [
                protocol::hyper_dmabuf_v1::HyperDmabufV1: $crate::BufferUserData
            ] => $crate::HyperDmabufState);

    server::delegate_global_dispatch!($ty: [wl_shm::WlShm: ()] => shm::ShmState);
    server::delegate_dispatch!($ty: [wl_shm::WlShm: ()] => shm::ShmState);
    server::delegate_dispatch!($ty: [
                wl_shm_pool::WlShmPool: shm::ShmPoolUserData
            ] => $crate::HyperDmabufState);
    server::delegate_dispatch!($ty: [
                wl_buffer::WlBuffer: shm::ShmBufferUserData
            ] => $crate::HyperDmabufState);
        };
    };
}

/// What [`delegate_hyper_dmabuf!`] names.
#[doc(hidden)]
pub mod reexports {
    pub use hyper_dmabuf_protocol::server as protocol;
    pub use smithay;
}
