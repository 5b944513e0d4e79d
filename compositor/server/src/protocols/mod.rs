//! Wayland protocols that Smithay 0.7 lacks, written here: each in a file of its own, with the
//! compositor's half in [`crate::handlers`]. None so far.
