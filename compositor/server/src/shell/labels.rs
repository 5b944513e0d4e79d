//! What the compositor writes itself, when the fonts for it arrive.

use std::io;

use calloop::{
    RegistrationToken,
    channel::{Event, channel},
};
use smithay::reexports::calloop::LoopHandle;

use crate::{
    config::Config,
    render::text::{Fonts, Places},
    state::State,
};

/// The fonts that are configured, and what has labels drawn anew when they arrive.
///
/// # Errors
///
/// If the event loop cannot be woken.
pub(crate) fn fonts(
    config: &Config,
    loop_handle: &LoopHandle<'static, State>,
) -> io::Result<(Fonts, RegistrationToken)> {
    let places = config.font_directories.clone().map_or(Places::System, Places::Directories);
    let (sender, arrivals) = channel();
    let inserted = loop_handle.insert_source(arrivals, |event, (), state| match event {
        Event::Msg(news) => {
            if state.fonts.learn(news) {
                state.draw_labels_anew();
            }
        }
        Event::Closed => state.fonts.lost(),
    });
    let arrivals = inserted.map_err(|error| io::Error::other(error.to_string()))?;
    // Nobody listens when the compositor is at its end, or looks for fonts anew.
    Ok((Fonts::new(places, move |news| drop(sender.send(news))), arrivals))
}

impl State {
    /// Look for fonts anew: some may have been installed, or are not there any more. What is on the screen
    /// stays until they are found.
    pub(crate) fn find_fonts_anew(&mut self) -> io::Result<()> {
        let (fonts, arrivals) = fonts(&self.config, &self.loop_handle)?;
        self.loop_handle.remove(std::mem::replace(&mut self.font_arrivals, arrivals));
        if std::mem::replace(&mut self.fonts, fonts).were_needed() {
            self.fonts.find();
        }
        Ok(())
    }

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
