//! The display domain's Wayland compositor: guests' windows beside local ones.
//!
//! Begin reading at [`server`], which is the event loop, and [`state`], which is what lives in it.
//! Requests of clients arrive in [`handlers`], windows are kept by [`shell`], [`render`] decides
//! what is seen and when, and [`backend`] draws and shows it.

pub mod backend;
pub mod child;
pub mod cli;
pub mod client;
pub mod colour;
pub mod config;
pub mod control;
pub mod descriptors;
pub mod devices;
pub mod domain;
pub mod guests;
pub mod handlers;
pub mod image;
pub mod input;
pub mod keyboard;
pub mod keys;
pub mod outputs;
pub mod protocols;
pub mod reload;
pub mod render;
pub mod server;
pub mod session;
pub mod shell;
pub mod state;
pub mod title;
mod touch;
pub mod trust;
pub mod xwayland;
