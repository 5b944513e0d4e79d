//! The compositor in windows of other desktops: our own, weston and an X11 server.

mod inner;
mod ours;
mod weston;
mod x11;
