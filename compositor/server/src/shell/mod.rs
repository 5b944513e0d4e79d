//! Windows: what they are, where they go, how they are moved.

mod actions;
pub mod covering;
mod departure;
mod focus;
pub mod grabs;
pub mod hit;
pub(crate) mod homes;
mod identity;
pub(crate) mod labels;
pub mod layers;
pub mod lock;
pub mod placement;
pub mod popups;
pub mod role;
pub mod stack;
pub(crate) mod stage;
pub mod window;
