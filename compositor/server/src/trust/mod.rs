//! Keeping domains apart that do not trust each other, and what a person may let through.

mod contents;
mod copying;
pub(crate) mod crossing;
pub mod notes;
mod offer;
mod pasting;
mod pipe;
