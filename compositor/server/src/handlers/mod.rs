//! The compositor's half of each Wayland protocol that Smithay implements: one file a protocol.

mod activation;
mod buffer;
pub(crate) mod commit_timing;
mod compositor;
mod cursor;
mod data_control;
mod data_device;
mod delegated;
pub(crate) mod dmabuf;
#[cfg(feature = "drm")]
pub(crate) mod explicit_sync;
mod fences;
mod foreign_toplevel;
mod idle;
mod input_method;
pub mod keyboard_focus;
mod layer_shell;
pub mod limits;
mod listeners;
mod output;
mod pointer_constraints;
mod presentation;
mod seat;
mod security_context;
mod selection_sources;
mod session_lock;
mod shm;
mod shortcuts_inhibit;
mod small;
mod subsurfaces;
mod text_commits;
mod xdg_decoration;
mod xdg_shell;
mod xdg_wm_base;

pub(crate) use data_device::{SelectionFromX11, SelectionOwners};
pub(crate) use pointer_constraints::Held;
pub(crate) use text_commits::TextCommits;
