//! The pictures of one window: drawn in turn, each shown while the next one is drawn.

use smithay::{
    backend::renderer::element::RenderElementStates,
    utils::{Buffer, Physical, Rectangle, Size, Transform},
};

use super::{
    canvas::{Canvas, Changes},
    error,
};
use crate::{
    backend::{BackendError, drawer::Drawer},
    render::elements::Scene,
};

/// One is shown, one is on its way, one is drawn; a host that keeps more than that is at fault.
const MOST: usize = 4;

/// The pictures of a window. The host knows each by a `B`.
pub(super) struct Swapchain<B> {
    changes: Option<Changes>,
    pictures: Vec<Picture<B>>,
    /// Pictures that were drawn.
    drawn: usize,
}

struct Picture<B> {
    // Before the memory that the host has it of.
    buffer: B,
    canvas: Canvas,
    /// The host reads it.
    shown: bool,
    /// Which of all pictures it holds, counted from 1; 0 if none yet.
    holds: usize,
}

/// A picture for the host to show.
pub(super) struct Drawn<'a, B> {
    pub(super) buffer: &'a B,
    pub(super) canvas: &'a Canvas,
    /// Which pixels differ from those of the picture before.
    pub(super) changed: Vec<Rectangle<i32, Buffer>>,
}

impl<B> Default for Swapchain<B> {
    fn default() -> Swapchain<B> {
        Swapchain { changes: None, pictures: Vec::new(), drawn: 0 }
    }
}

impl<B> Swapchain<B> {
    /// Draw what has changed since the last picture, if anything has.
    pub(super) fn draw(
        &mut self,
        (size, transform): (Size<i32, Physical>, Transform),
        drawer: &mut Drawer,
        scene: &Scene<'_>,
        share: impl FnOnce(&Canvas) -> Result<B, BackendError>,
    ) -> Result<(Option<Drawn<'_, B>>, RenderElementStates), BackendError> {
        let failed = error("cannot draw");
        let alike = |changes: &Changes| (changes.size, changes.transform) == (size, transform);
        if !self.changes.as_ref().is_some_and(alike) {
            self.forget();
        }
        let changes = self.changes.get_or_insert_with(|| Changes::new(size, transform));
        // The one that was drawn last needs the least to be drawn.
        let free = self.pictures.iter().enumerate().filter(|(_, picture)| !picture.shown);
        let index = match free.max_by_key(|(_, picture)| picture.holds) {
            Some((index, _)) => index,
            None if self.pictures.len() == MOST => {
                return Err(failed(&"the host gives no picture back"));
            }
            None => {
                let canvas = Canvas::new(drawer, size).map_err(|e| failed(&e))?;
                let buffer = share(&canvas)?;
                self.pictures.push(Picture { buffer, canvas, shown: false, holds: 0 });
                self.pictures.len() - 1
            }
        };
        let picture = &mut self.pictures[index];
        let age = if picture.holds == 0 { 0 } else { self.drawn + 1 - picture.holds };
        // After a failure it holds no picture to go on from.
        picture.holds = 0;
        let (changed, states) =
            picture.canvas.draw(drawer, changes, age, scene).map_err(|e| failed(&e))?;
        if changed.is_empty() {
            picture.holds = self.drawn + 1 - age;
            return Ok((None, states));
        }
        self.drawn += 1;
        picture.holds = self.drawn;
        picture.shown = true;
        let Picture { buffer, canvas, .. } = picture;
        Ok((Some(Drawn { buffer, canvas, changed }), states))
    }

    /// The host reads a picture no more.
    pub(super) fn give_back(&mut self, is_it: impl Fn(&B) -> bool) {
        for picture in self.pictures.iter_mut().filter(|picture| is_it(&picture.buffer)) {
            picture.shown = false;
        }
    }

    /// Let go of all pictures: the next one is drawn as a whole.
    pub(super) fn forget(&mut self) {
        *self = Swapchain::default();
    }
}
