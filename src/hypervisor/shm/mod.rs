//! One machine, no hypervisor: domains are processes.
//!
//! A domain's shareable memory is one sealed memfd, a grant reference is the number of a page in
//! it, and its first pages are its grant table (`table.rs`), which says who may map what and how, in
//! the flags of Xen's own table. The display domain gets the memfd when the domain [`connect`]s to a
//! socket, and knows whose it is by which socket that was.
//!
//! References can also stand for pages of files that the domain was given by its programs: the
//! references are reserved in the memory, which has nothing behind them, and a message on a socket
//! that came with the memory says of which file they are (`introduction.rs`).
//!
//! What the memfd's seals promise: it cannot shrink, so pages that were checked stay there, and no
//! access faults. What they cannot: the owner may write at any time, as on Xen.

mod files;
mod foreign;
mod introduction;
mod memory;
mod rendezvous;
mod table;
#[cfg(test)]
mod tests;

use std::num::NonZeroU32;

pub use foreign::{ForeignDomain, IntroductionError};
pub use memory::{DomainMemory, GrantedRange};
pub use rendezvous::{Arrival, ConnectError, Introduction, Listener, connect};

use crate::grant::PageCount;

/// The most pieces that one buffer may lie in. The kernel allows a process 65 530 mappings
/// (`vm.max_map_count`); a domain that allocates sensibly needs one.
pub const MAX_PIECES: usize = 256;

/// Pages of shareable memory that a domain has unless it is told otherwise: 1 GiB, taken from the
/// machine only as it is used.
pub const DEFAULT_PAGES: PageCount = PageCount::from_non_zero(NonZeroU32::new(262_144).unwrap());
