//! What a domain may do: which protocols its programs are offered, how much they may ask for, and what a
//! person may let through to it.
//! Everything here is decided in the display domain; nothing relies on what runs in a guest.

pub mod account;
pub mod consent;
mod contents;
mod copying;
pub(crate) mod crossing;
pub(crate) mod gate;
pub mod limits;
pub mod notes;
mod offer;
mod pasting;
mod pipe;
pub mod policy;
pub mod protocols;
