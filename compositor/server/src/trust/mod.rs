//! What a domain may do: which protocols its programs are offered, how much they may ask for, and what a
//! person lets through from one domain to another. Everything here is decided in the display domain;
//! nothing relies on what runs in a guest.

pub mod consent;
mod contents;
mod copying;
pub(crate) mod crossing;
pub(crate) mod gate;
pub mod notes;
mod offer;
mod pasting;
mod pipe;
pub mod policy;
pub mod protocols;
