//! Wayland protocols that Smithay 0.7 lacks, written here: each in a room of its own.

pub mod output_management;
