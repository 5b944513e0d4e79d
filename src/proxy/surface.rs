//! What an app says about a surface, as far as it tells which pixels of which buffer changed.
//!
//! Damage says how this frame differs from the last one. A buffer that was last shown three frames
//! ago lacks the damage of all three: so each commit's damage is remembered for every buffer that
//! the surface has shown, until that buffer is copied.
//!
//! Buffers are named here by their numbers, which outlive them. If another buffer gets the number,
//! it is taken for changed where it is not, at worst: it begins as changed in all its pixels.

use super::damage::{Geometry, Rectangle, Region};
use super::objects::AppId;

/// Rectangles of one commit that are looked at; with more, all is taken for changed.
const MOST_RECTANGLES: usize = 256;

/// Buffers of one surface whose damage is remembered. One that falls out is copied whole.
const MOST_BUFFERS: usize = 16;

/// A `wp_viewport`, and the surface that it is of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Viewport {
    pub(super) surface: AppId,
}

/// A `wl_surface`.
#[derive(Debug, Default)]
pub(super) struct Surface {
    pending: Pending,
    geometry: Geometry,
    /// What it shows, and how large that is.
    pub(super) current: Option<Attached>,
    /// The buffers that it has shown, the last one last.
    shown: Vec<AppId>,
}

/// A buffer at a surface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attached {
    pub(super) buffer: AppId,
    pub(super) size: (i32, i32),
}

#[derive(Debug, Default)]
struct Pending {
    /// Attached since the last commit: something, or nothing.
    attach: Option<Option<Attached>>,
    geometry: Option<Geometry>,
    surface_damage: Vec<Rectangle>,
    buffer_damage: Vec<Rectangle>,
    /// More than is looked at.
    everything: bool,
}

/// What a commit means for the buffers of a surface.
#[derive(Debug)]
pub(super) struct Committed {
    /// What is shown now.
    pub(super) buffer: Option<AppId>,
    /// How it differs from what was shown before.
    pub(super) damage: Region,
    /// Other buffers, which lack this damage now.
    pub(super) others: Vec<AppId>,
    /// Buffers whose damage is remembered no more.
    pub(super) forgotten: Vec<AppId>,
}

impl Surface {
    pub(super) fn attach(&mut self, buffer: Option<Attached>) {
        self.pending.attach = Some(buffer);
    }

    /// The buffer that the next commit is to show, if it is to show another.
    pub(super) fn newly_attached(&self) -> Option<AppId> {
        self.pending.attach.flatten().map(|attached| attached.buffer)
    }

    pub(super) fn damage(&mut self, rectangle: Option<Rectangle>, of_buffer: bool) {
        let pending = &mut self.pending;
        let list = if of_buffer { &mut pending.buffer_damage } else { &mut pending.surface_damage };
        if list.len() >= MOST_RECTANGLES {
            pending.everything = true;
        } else {
            list.extend(rectangle);
        }
    }

    /// Changes how the buffer is shown, from the next commit on.
    pub(super) fn change_geometry(&mut self, change: impl FnOnce(&mut Geometry)) {
        change(self.pending.geometry.get_or_insert(self.geometry));
    }

    pub(super) fn commit(&mut self) -> Committed {
        let pending = std::mem::take(&mut self.pending);
        let before = (self.geometry, self.current.map(|current| current.size));
        self.geometry = pending.geometry.unwrap_or(self.geometry);
        if let Some(attached) = pending.attach {
            self.current = attached;
        }
        let Some(Attached { buffer, size }) = self.current else {
            // Whatever is shown next is new.
            let forgotten = std::mem::take(&mut self.shown);
            let (damage, others) = (Region::EMPTY, Vec::new());
            return Committed { buffer: None, damage, others, forgotten };
        };
        // Damage of a frame that was seen otherwise, or of another size, says nothing about the
        // rest of the buffer.
        let unclear = pending.everything || before != (self.geometry, Some(size));
        let mut damage = if unclear { Region::All } else { Region::EMPTY };
        if !unclear {
            pending.buffer_damage.into_iter().for_each(|one| damage.add(one));
            for rectangle in pending.surface_damage {
                damage.add_all(&self.geometry.to_buffer(rectangle, size));
            }
        }
        let mut forgotten = Vec::new();
        // The first time that this surface shows it, somebody else may have shown it before.
        if !self.shown.contains(&buffer) {
            forgotten.push(buffer);
        }
        self.shown.retain(|known| *known != buffer);
        let others = self.shown.clone();
        self.shown.push(buffer);
        if self.shown.len() > MOST_BUFFERS {
            forgotten.push(self.shown.remove(0));
        }
        Committed { buffer: Some(buffer), damage, others, forgotten }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: (i32, i32) = (100, 100);

    fn frame(surface: &mut Surface, buffer: u32, damage: (i32, i32)) -> Committed {
        surface.attach(Some(Attached { buffer: AppId(buffer), size: SIZE }));
        surface.damage(Rectangle::new(damage.0, damage.1, 1, 1), true);
        surface.commit()
    }

    #[test]
    fn a_frame_is_remembered_for_the_other_buffers() {
        let mut surface = Surface::default();
        let first = frame(&mut surface, 5, (0, 0));
        assert_eq!((first.damage, first.others), (Region::All, vec![]));
        let second = frame(&mut surface, 6, (1, 1));
        assert_eq!(second.damage, Region::Some(vec![Rectangle::new(1, 1, 1, 1).unwrap()]));
        assert_eq!((second.others, second.forgotten), (vec![AppId(5)], vec![AppId(6)]));
        let third = frame(&mut surface, 5, (2, 2));
        assert_eq!((third.others, third.forgotten), (vec![AppId(6)], vec![]));
    }

    #[test]
    fn what_is_unclear_is_everything() {
        let mut surface = Surface::default();
        frame(&mut surface, 5, (0, 0));
        surface.change_geometry(|geometry| geometry.scale = 2);
        assert_eq!(frame(&mut surface, 5, (0, 0)).damage, Region::All);
        assert_ne!(frame(&mut surface, 5, (0, 0)).damage, Region::All);
        surface.attach(Some(Attached { buffer: AppId(7), size: (50, 50) }));
        assert_eq!(surface.commit().damage, Region::All, "another size");
        for _ in 0..=MOST_RECTANGLES {
            surface.damage(Rectangle::new(0, 0, 1, 1), false);
        }
        assert_eq!(surface.commit().damage, Region::All, "too much to look at");
    }

    #[test]
    fn a_surface_that_was_emptied_begins_anew() {
        let mut surface = Surface::default();
        frame(&mut surface, 5, (0, 0));
        surface.attach(None);
        let emptied = surface.commit();
        assert_eq!((emptied.buffer, emptied.forgotten), (None, vec![AppId(5)]));
        assert_eq!(frame(&mut surface, 5, (0, 0)).damage, Region::All);
    }
}
