//! What the compositor writes itself, when the fonts for it arrive.

use std::io;

use calloop::channel::{Event, channel};
use smithay::reexports::calloop::LoopHandle;

use crate::{
    render::text::{Fonts, Places},
    state::State,
};

/// The fonts of `places`, whose arrival has labels drawn anew.
///
/// # Errors
///
/// If the event loop cannot be woken.
pub(crate) fn fonts(places: Places, loop_handle: &LoopHandle<'static, State>) -> io::Result<Fonts> {
    let (sender, arrivals) = channel();
    let inserted = loop_handle.insert_source(arrivals, |event, (), state| match event {
        Event::Msg(news) => {
            if state.fonts.learn(news) {
                state.draw_labels_anew();
            }
        }
        Event::Closed => state.fonts.lost(),
    });
    inserted.map_err(|error| io::Error::other(error.to_string()))?;
    // Nobody listens when the compositor is at its end.
    Ok(Fonts::new(places, move |news| drop(sender.send(news))))
}

impl State {
    /// Draw all frames and the identity bar anew.
    pub(crate) fn draw_labels_anew(&mut self) {
        self.identity_bar.forget();
        self.windows.iter_mut().for_each(|window| window.forget_frame());
        self.queue_redraw();
    }

    /// Whether fonts are looked for or read, after which labels are drawn anew.
    pub fn awaits_fonts(&self) -> bool {
        self.fonts.are_awaited()
    }
}
