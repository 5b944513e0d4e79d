//! xenstore: the small tree of names and values through which domains find each other.
//!
//! [`wire`] says what a message looks like. [`Xenstore`] sends and receives them without waiting; its
//! methods that are not called `send_` something wait, for programs that have nothing else to do.

mod client;
mod path;
pub mod wire;

#[cfg(test)]
pub(super) use client::Pace;
pub use client::{CallError, Incoming, OpenError, RequestId, WatchEvent, Xenstore};
pub(super) use client::{number, strings};
pub use path::{BadPath, StorePath};
