//! What local tools may do that no guest may, and that no guest may do it.

mod capture;
mod client;
mod clipboard;
mod devices;
mod layers;
mod lock;
mod toplevels;
mod windows;
