//! Pictures of what is seen.

use smithay::utils::{Logical, Point, Rectangle};

use crate::{
    backend::{Backend, BackendError},
    colour::Colour,
    image::{Image, ImageError},
    outputs::{OutputId, change::OutputError},
    state::State,
};

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum ScreenshotError {
    /// The output is not there or cannot be drawn.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// It is drawn but not to be had.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The outputs lie too far apart for one picture.
    #[error("the outputs do not fit into one picture: name one with --output")]
    Size(#[from] ImageError),
    /// There is nothing to see.
    #[error("no output is on")]
    NoOutput,
}

/// Where there is no output.
const NOWHERE: Colour = Colour::new(0, 0, 0);

impl State {
    /// What is seen once everything that has changed is drawn: of one output, its own pixels, the
    /// right way up; of several, all of them where they lie, at the greatest scale of theirs.
    pub fn screenshot(&mut self) -> Result<Image, ScreenshotError> {
        let ids: Vec<_> = self.outputs.shown().map(|view| view.id).collect();
        match ids[..] {
            [] => Err(ScreenshotError::NoOutput),
            [only] => self.picture_of(only),
            _ => self.picture_of_all(&ids),
        }
    }

    /// What the output of this name shows.
    pub fn screenshot_of(&mut self, name: &str) -> Result<Image, ScreenshotError> {
        let view = self.outputs.by_name(name).filter(|view| view.is_on());
        let id = view.map(|view| view.id).ok_or_else(|| OutputError::Unknown(name.to_owned()))?;
        self.picture_of(id)
    }

    /// The pixels of the output of this name as they were drawn last: as it is mounted.
    pub fn scanned_out(&mut self, name: &str) -> Result<Image, ScreenshotError> {
        let view = self.outputs.by_name(name).filter(|view| view.is_on());
        let id = view.map(|view| view.id).ok_or_else(|| OutputError::Unknown(name.to_owned()))?;
        let captured = self.with_scene(id, Backend::capture).ok_or(ScreenshotError::NoOutput)?;
        Ok(captured?)
    }

    fn picture_of(&mut self, id: OutputId) -> Result<Image, ScreenshotError> {
        let pixels = self.pixels_of(id)?;
        let Some(view) = self.outputs.get(id) else { return Err(ScreenshotError::NoOutput) };
        Ok(pixels.as_seen_through(view.output.current_transform()))
    }

    /// The pixels of an output once everything that has changed is drawn: as it is mounted.
    pub(crate) fn pixels_of(&mut self, id: OutputId) -> Result<Image, ScreenshotError> {
        let Some(view) = self.outputs.get(id) else { return Err(ScreenshotError::NoOutput) };
        let unseen = view.redraw.is_queued() || view.has_unseen_changes();
        if unseen && self.backend.keeps_pictures() {
            self.render_output(id)?;
        }
        let captured = self.with_scene(id, Backend::capture).ok_or(ScreenshotError::NoOutput)?;
        Ok(captured?)
    }

    fn picture_of_all(&mut self, ids: &[OutputId]) -> Result<Image, ScreenshotError> {
        let bounds = self.outputs.bounds();
        let scale = self.outputs.scales().into_iter().fold(0.5, f64::max);
        let pixels = |length: i32| (f64::from(length) * scale).round() as u32;
        let mut whole = Image::filled(pixels(bounds.size.w), pixels(bounds.size.h), NOWHERE)?;
        for id in ids {
            let part = self.picture_of(*id)?;
            let Some(view) = self.outputs.get(*id) else { continue };
            let area: Rectangle<i32, Logical> = view.area();
            let at: Point<i32, Logical> = area.loc - bounds.loc;
            let (width, height) = (pixels(area.size.w), pixels(area.size.h));
            whole.put(&part, (pixels(at.x), pixels(at.y)), (width, height));
        }
        Ok(whole)
    }
}
