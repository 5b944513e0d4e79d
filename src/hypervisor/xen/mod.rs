//! Xen: domains are virtual machines, and the hypervisor knows who maps what.
//!
//! Everything goes through the kernel's drivers under `/dev/xen`, by ioctls that are spelled out
//! here: no C library is needed.
//!
//! | file | driver | what |
//! |---|---|---|
//! | [`gntalloc`] | `/dev/xen/gntalloc` | fresh pages, granted to another domain |
//! | [`gntdev`] | `/dev/xen/gntdev` | mapping pages that another domain granted |
//! | [`gntdev_dmabuf`] | `/dev/xen/gntdev` | grants as dma-bufs, and dma-bufs as grants |
//! | [`udmabuf`] | `/dev/udmabuf` | pages of a memfd as a dma-buf |
//! | [`evtchn`] | `/dev/xen/evtchn` | event channels |
//! | [`xenstore`] | `/dev/xen/xenbus` | where domains find each other |
//! | [`vchan`] | | byte streams between two domains, over the above |
//! | [`discovery`](Discovery), [`rendezvous`](connect) | | how a guest and the display domain meet |
//! | [`memory`](OwnMemory), `files` | | [`GrantPages`](crate::grant::GrantPages), [`GrantFile`](crate::grant::GrantFile) |
//! | [`foreign`](ForeignDomain) | | [`ForeignMemory`](crate::grant::ForeignMemory) |

mod device;
mod discovery;
pub mod evtchn;
mod files;
mod foreign;
pub mod gntalloc;
pub mod gntdev;
pub mod gntdev_dmabuf;
mod ioctl;
mod memory;
mod rendezvous;
#[cfg(test)]
mod tests;
pub mod udmabuf;
pub mod vchan;
pub mod xenstore;

pub use device::DeviceError;
pub use discovery::{Discovered, Discovery, DiscoveryError, OfferName, SIGHT};
pub use foreign::ForeignDomain;
pub use memory::{GrantedPages, OwnMemory};
pub use rendezvous::{GuestChannel, RendezvousError, connect};
