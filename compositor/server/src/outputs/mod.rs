//! Outputs: which there are, where each lies, and what happens to windows when that changes.

pub mod change;
pub mod layout;
pub(crate) mod reconfigure;
mod report;
pub mod settings;

use smithay::{
    output::{Output, Scale},
    reexports::wayland_server::protocol::wl_output::WlOutput,
    utils::{Logical, Point, Rectangle, Size},
};

use crate::render::present::OutputView;

pub use change::OutputChange;

/// Names an output for as long as the compositor runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OutputId(pub u64);

/// The area that windows find when there is no output at all.
const NO_OUTPUT: (i32, i32) = (1280, 800);

/// All outputs, those that are off as well.
#[derive(Default)]
pub struct Outputs {
    views: Vec<OutputView>,
    last_id: u64,
    /// Counts changes, for those who must know whether what they have seen is still so.
    pub(crate) serial: u32,
}

impl Outputs {
    /// A name that no output has had.
    pub(crate) fn next_id(&mut self) -> OutputId {
        self.last_id += 1;
        OutputId(self.last_id)
    }

    pub(crate) fn push(&mut self, view: OutputView) {
        self.views.push(view);
    }

    pub(crate) fn remove(&mut self, id: OutputId) -> Option<OutputView> {
        let index = self.views.iter().position(|view| view.id == id)?;
        Some(self.views.remove(index))
    }

    /// All of them, in the order in which they came.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &OutputView> {
        self.views.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut OutputView> {
        self.views.iter_mut()
    }

    /// Those that are on.
    pub fn shown(&self) -> impl Iterator<Item = &OutputView> {
        self.views.iter().filter(|view| view.is_on())
    }

    /// The output of this name.
    pub fn get(&self, id: OutputId) -> Option<&OutputView> {
        self.views.iter().find(|view| view.id == id)
    }

    pub(crate) fn get_mut(&mut self, id: OutputId) -> Option<&mut OutputView> {
        self.views.iter_mut().find(|view| view.id == id)
    }

    /// The output that is called so.
    pub fn by_name(&self, name: &str) -> Option<&OutputView> {
        self.views.iter().find(|view| view.output.name() == name)
    }

    /// The output that a client means, if it is on.
    pub fn by_resource(&self, resource: &WlOutput) -> Option<&OutputView> {
        self.by_output(&Output::from_resource(resource)?)
    }

    /// The output that Smithay knows as this, if it is on.
    pub fn by_output(&self, output: &Output) -> Option<&OutputView> {
        self.shown().find(|view| view.output == *output)
    }

    /// The areas of those that are on.
    pub fn areas(&self) -> Vec<Rectangle<i32, Logical>> {
        self.shown().map(OutputView::area).collect()
    }

    /// The output on which most of `what` lies, or the nearest; `None` if all are off.
    pub fn showing(&self, what: Rectangle<i32, Logical>) -> Option<&OutputView> {
        self.shown().nth(layout::showing(&self.areas(), what)?)
    }

    /// The output of a point, or the nearest; `None` if all are off.
    pub fn at(&self, point: Point<f64, Logical>) -> Option<&OutputView> {
        self.shown().nth(layout::nearest(&self.areas(), point)?)
    }

    /// Whether a point is on an output that is on.
    pub fn contains(&self, point: Point<f64, Logical>) -> bool {
        self.shown().any(|view| view.area().to_f64().contains(point))
    }

    /// The nearest point on an output that is on.
    pub fn confine(&self, point: Point<f64, Logical>) -> Point<f64, Logical> {
        let area = self.at(point).map_or(Rectangle::from_size(NO_OUTPUT.into()), OutputView::area);
        layout::confined(area, point)
    }

    /// The area of the output on which most of `what` lies.
    pub fn area_for(&self, what: Rectangle<i32, Logical>) -> Rectangle<i32, Logical> {
        self.showing(what).map_or(Rectangle::from_size(NO_OUTPUT.into()), OutputView::area)
    }

    /// The area of the output of a point.
    pub fn area_at(&self, point: Point<f64, Logical>) -> Rectangle<i32, Logical> {
        self.at(point).map_or(Rectangle::from_size(NO_OUTPUT.into()), OutputView::area)
    }

    /// The smallest rectangle around all that are on.
    pub fn bounds(&self) -> Rectangle<i32, Logical> {
        layout::bounds(self.areas()).unwrap_or(Rectangle::from_size(NO_OUTPUT.into()))
    }

    /// The width of the narrowest and the height of the lowest output.
    pub fn smallest_size(&self) -> Size<i32, Logical> {
        let sizes = self.areas().into_iter().map(|area| area.size);
        let least = sizes.reduce(|a, b| Size::from((a.w.min(b.w), a.h.min(b.h))));
        least.unwrap_or(NO_OUTPUT.into())
    }

    /// The scales of those that are on, each once.
    pub fn scales(&self) -> Vec<f64> {
        let mut scales: Vec<f64> = self.shown().map(OutputView::scale).collect();
        scales.sort_by(f64::total_cmp);
        scales.dedup();
        scales
    }
}

/// A scale as Smithay's outputs have it.
pub(crate) fn smithay_scale(factor: f64) -> Scale {
    if factor.fract() == 0.0 { Scale::Integer(factor as i32) } else { Scale::Fractional(factor) }
}
