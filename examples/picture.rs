//! A guest that shows a picture.
fn main() {}
