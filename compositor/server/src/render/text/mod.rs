//! Text as pixels: one line of it, in fonts that cover it.
//!
//! The program has a font of its own, so that what that covers looks the same on every machine.
//! Other letters come from the system's fonts, which are looked for when the first such letter is
//! to be drawn. [`Typeface`] is where callers begin.

mod coverage;
mod face;
mod fonts;
mod library;
mod line;
mod rank;
mod runs;
#[cfg(test)]
mod tests;
mod typeface;

pub use fonts::{FontNews, Fonts};
pub use library::Places;
pub use line::Line;
pub use typeface::{TextPlace, Typeface};
