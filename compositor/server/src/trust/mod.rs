//! What a domain may do: which protocols its programs are offered, and how much they may ask for.
//! Everything here is decided in the display domain; nothing relies on what runs in a guest.

pub mod consent;
pub(crate) mod gate;
pub mod notes;
pub mod policy;
pub mod protocols;
