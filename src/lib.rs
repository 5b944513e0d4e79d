//! Share a guest's surfaces with the display domain by hyper_dmabuf IDs over grant mappings.
//!
//! A guest grants pages to the display domain and [exports](export) them under an [ID](id); the
//! display domain [imports](import) the ID. Both halves are plain state machines: they know no
//! Wayland, and of the hypervisor only the two traits in [`grant`].
//!
//! ```
//! use hyper_dmabuf::domain::DomainId;
//! use hyper_dmabuf::export::Exporter;
//! use hyper_dmabuf::grant::{Access, ForeignMemory};
//! use hyper_dmabuf::hypervisor::shm::{DomainMemory, ForeignDomain, DEFAULT_PAGES};
//! use hyper_dmabuf::id::IdPool;
//! use hyper_dmabuf::import::{Importer, Limits};
//! use std::os::fd::AsFd;
//!
//! // In the guest, domain 3: one megabyte, for the display domain to look at.
//! let guest = DomainId::new(3).unwrap();
//! let memory = DomainMemory::new(DEFAULT_PAGES)?;
//! let mut exporter = Exporter::new(memory.clone(), IdPool::new(guest), DomainId::DISPLAY, 192);
//! let offer = exporter.export(1 << 20, Access::ReadOnly, Vec::new())?;
//! let id = offer.id;
//!
//! // In the display domain: the memory came by the guest's own socket, so it is domain 3's.
//! let file = memory.as_fd().try_clone_to_owned()?;
//! let foreign = ForeignDomain::introduce(file, guest, DomainId::DISPLAY)?;
//! let mut importer = Importer::new();
//! importer.allow(guest, Limits::default());
//! let import = importer.import(&foreign, offer)?;
//! assert_eq!(foreign.mapped_pages(), 256);
//!
//! // The guest takes the buffer back: the ID returns when the display domain has let go.
//! exporter.unexport(&id)?;
//! importer.unexport(&import);
//! drop(import);
//! for released in importer.take_released() {
//!     exporter.released(&released.id)?;
//! }
//! assert_eq!(exporter.counts().ids, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "command-line")]
pub mod command_line;
pub mod domain;
pub mod export;
pub mod grant;
pub mod hypervisor;
pub mod id;
pub mod import;
pub mod link;
pub mod offer;
#[cfg(feature = "proxy")]
pub mod proxy;
