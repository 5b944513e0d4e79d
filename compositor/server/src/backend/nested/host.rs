//! What a display server that has our windows is asked, and what it tells.

use std::os::fd::OwnedFd;

use smithay::utils::{Physical, Point, Size, Transform};

use crate::{
    backend::{BackendError, Rendered, drawer::Drawer},
    input::Input,
    render::elements::Scene,
};

/// Names a window of ours for as long as the compositor runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct WindowId(pub(super) u32);

/// The pixels of a window, and how many of them there are to one of the host's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shape {
    pub(super) pixels: Size<i32, Physical>,
    pub(super) scale: f64,
}

/// What the host tells. Places are in the window's pixels; a time that it does not tell is now.
#[derive(Debug)]
pub(super) enum Told {
    /// A window has another shape.
    Shape(WindowId),
    /// What was shown last in a window is seen, and it may show more.
    Seen(WindowId),
    /// A window shows nothing of what was drawn: it is to be drawn again.
    Lost(WindowId),
    /// A person wants a window closed.
    Close(WindowId),
    /// The pointer is at this place.
    Pointer { window: WindowId, at: Point<f64, Physical>, time: Option<u32> },
    /// The pointer is on none of our windows.
    PointerLeft,
    /// A finger touches at this place, or moves there.
    Touch { window: WindowId, finger: u32, at: Point<f64, Physical>, down: bool, time: Option<u32> },
    /// Any other input.
    Input { input: Input, time: Option<u32> },
}

/// A display server that has our windows.
pub(super) trait Host {
    /// Open a window that wants this many of the host's pixels.
    fn open(
        &mut self,
        window: WindowId,
        title: &str,
        size: Size<i32, Physical>,
    ) -> Result<(), BackendError>;

    /// Close a window.
    fn close(&mut self, window: WindowId);

    /// Wait until every window that is open has its shape.
    fn settle(&mut self) -> Result<(), BackendError>;

    /// The shape of a window.
    fn shape(&self, window: WindowId) -> Option<Shape>;

    /// The nearest to these pixels that a window can be asked to have, if it may be asked.
    fn fitting(&self, window: WindowId, pixels: Size<i32, Physical>)
    -> Option<Size<i32, Physical>>;

    /// Let a window have pixels that fit.
    fn resize(&mut self, window: WindowId, pixels: Size<i32, Physical>);

    /// Draw what has changed, and have it shown.
    fn show(
        &mut self,
        window: WindowId,
        transform: Transform,
        drawer: &mut Drawer,
        scene: &Scene<'_>,
    ) -> Result<Rendered, BackendError>;

    /// Draw the next picture of a window as a whole, into new memory.
    fn forget_pictures(&mut self, window: WindowId);

    /// Have all keys, those of the host's own shortcuts, too, or leave those to the host.
    fn hold_shortcuts(&mut self, hold: bool);

    /// Whether all keys are asked for.
    fn holds_shortcuts(&self) -> bool;

    /// What is readable when the host tells something.
    fn readable(&self) -> Result<OwnedFd, BackendError>;

    /// Read what the host tells. It fails when the host is gone.
    fn read(&mut self) -> Result<Vec<Told>, BackendError>;
}
