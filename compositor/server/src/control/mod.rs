//! Talking to a running compositor from outside: lines of JSON over a socket beside the Wayland
//! socket, which only the same user can open.

pub mod client;
pub mod live;
pub mod logging;
pub mod messages;
pub mod policy;
pub mod reports;
pub mod server;
pub mod statistics;
pub mod windows;
