//! No screen: pictures are drawn into memory. By Pixman they are exact to the pixel on every machine.

use smithay::{
    output::{Mode, Output, PhysicalProperties, Subpixel},
    utils::Size,
};

use super::{
    BackendError, FoundOutput, Rendered,
    drawer::{DrawError, Drawer},
};
use crate::{
    config::Config,
    image::Image,
    outputs::{change::millimetres, reconfigure::NamedOutput, settings::OutputConfig},
    render::elements::Scene,
};

/// As on the command line.
pub const NAME: &str = "headless";

/// What draws, and nothing that shows it.
pub struct Headless {
    drawer: Drawer,
}

fn error(what: &'static str) -> impl Fn(DrawError) -> BackendError {
    move |reason| BackendError { backend: NAME, what, reason: reason.to_string() }
}

impl Headless {
    /// Start it, with its outputs.
    pub fn start(config: &Config) -> Result<(Headless, Vec<FoundOutput>), BackendError> {
        let drawer = Drawer::start(config.renderer).map_err(error("cannot start"))?;
        let outputs = configured(config).into_iter().map(|(name, output)| found(name, &output));
        Ok((Headless { drawer }, outputs.collect()))
    }

    /// What draws.
    pub fn drawer(&mut self) -> &mut Drawer {
        &mut self.drawer
    }

    /// Draw what has changed since the last picture.
    pub fn render(&mut self, output: &Output, scene: &Scene<'_>) -> Result<Rendered, BackendError> {
        let drawn = self.drawer.draw(output, scene).map_err(error("cannot draw"));
        drawn.map(|(changed, states)| Rendered::all_drawn(changed, false, states))
    }

    /// Copy out the last picture.
    pub fn read_back(&mut self, output: &Output) -> Result<Image, BackendError> {
        self.drawer.read_back(output).map_err(error("has no picture"))
    }
}

/// The outputs that there are to be, each with a name, a size and a rate.
pub(super) fn configured(config: &Config) -> Vec<NamedOutput> {
    let one = [OutputConfig::default()];
    let configured = if config.outputs.is_empty() { &one[..] } else { &config.outputs };
    let outputs = (1..).zip(configured).map(|(number, output)| {
        let name = match &output.name {
            Some(name) => name.to_string(),
            None => format!("HEADLESS-{number}"),
        };
        let size = Some(output.size.unwrap_or(config.size));
        let refresh = Some(output.refresh.unwrap_or(config.refresh));
        (name, OutputConfig { size, refresh, ..output.clone() })
    });
    outputs.collect()
}

/// An output of our own making.
pub fn found(name: String, set: &OutputConfig) -> FoundOutput {
    let size = set.size.unwrap_or_default();
    let refresh = set.refresh.unwrap_or_default();
    let pixels = Size::from((i32::from(size.width), i32::from(size.height)));
    let properties = PhysicalProperties {
        size: millimetres(pixels).into(),
        subpixel: Subpixel::None,
        make: "hyper-dmabuf".into(),
        model: "headless".into(),
    };
    let output = Output::new(name, properties);
    let mode = Mode { size: pixels, refresh: refresh.millihertz() };
    output.set_preferred(mode);
    output.change_current_state(Some(mode), None, None, None);
    FoundOutput { output, period: refresh.period(), config: set.clone() }
}
