//! Guests: how a domain's programs arrive, and what they share.
//!
//! [`State::listen_for_domains`](crate::state::State::listen_for_domains) opens one socket for each
//! configured domain. Who connects there is that domain, whatever it says. A connection first brings
//! the domain's memory (`arrival`); then it is a link (`links`), and each of its streams an ordinary
//! Wayland client. `sharing` tells the plug-in which client refers to which memory.
//!
//! On Xen nobody connects: domains and what they offer are found in xenstore (`discovery`), and the
//! hypervisor knows whose memory is whose.

mod arrival;
mod configured;
mod discovery;
mod links;
mod meter;
mod portion;
mod sharing;

pub use arrival::ListenError;
pub use links::Guests;
pub use portion::BYTES_IN_A_TURN;
pub(crate) use portion::Turn;
