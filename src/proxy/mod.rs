//! `hyper-dmabuf-proxy`: shows unmodified programs of a guest in the display domain.
//!
//! ```text
//! app ═ Wayland socket ═ App (one a program) ═ stream of the link ═ compositor
//!                          │ wl_shm buffers
//!                          ▼
//!                        Sharing: IDs and granted pages of this domain
//! ```
//!
//! Every message is forwarded with the numbers of its objects exchanged, since the proxy keeps
//! objects of its own on the host's side; only `wl_shm_pool`s end here. A buffer of a pool becomes an
//! export when it is first attached: of the app's own pages where they can be granted as they are,
//! else of a shadow, to which what changed is copied before a commit goes on. See `docs/proxy.md`.
//!
//! One thread carries all apps, and none of them can make it wait: see `app` and `endpoint` for the
//! bounds, and `pool_file` for the files that apps hand over.

mod app;
mod buffer;
mod buffers;
mod causes;
mod child;
mod clock;
mod damage;
mod descriptors;
mod dmabuf;
mod dmabuf_file;
mod endpoint;
mod events;
mod fence;
mod interfaces;
mod layout;
mod listener;
mod native;
mod native_requests;
mod objects;
mod pool_file;
mod registry;
mod requests;
mod run;
mod sharing;
mod statistics;
mod surface;
mod terms;
mod trace;
mod upstream;
mod wire;

pub use listener::ListenError;
pub use run::{Config, ProxyError, run};
pub use terms::{GpuChoice, VersionLimit};
pub use trace::TraceFilter;
pub use upstream::UpstreamError;
