//! What is seen: the list of things to draw, the frames and their text, and when to draw.

pub mod canvas;
pub mod cursor;
pub mod cursor_theme;
pub mod elements;
pub mod frame_decoration;
pub mod identity_bar;
pub mod latency;
mod moving_cursor;
pub mod present;
pub mod redraw;
pub mod screenshot;
pub mod text;
