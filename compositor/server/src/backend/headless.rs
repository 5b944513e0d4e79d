//! No screen: pictures are drawn by Pixman into memory. Exact to the pixel on every machine.

use std::collections::HashMap;

use smithay::{
    backend::{
        allocator::Fourcc,
        renderer::{
            Bind, ExportMem, Offscreen, damage::OutputDamageTracker, pixman::PixmanRenderer,
        },
    },
    output::{Mode, Output, PhysicalProperties, Subpixel},
    reexports::pixman,
    utils::{Buffer, Physical, Rectangle, Size, Transform},
};

use super::{BackendError, FoundOutput, Rendered};
use crate::{
    config::Config,
    image::Image,
    outputs::{change::millimetres, settings::OutputConfig},
    render::elements::{self, Scene},
};

/// As on the command line.
pub const NAME: &str = "headless";

/// The renderer, and for each output the memory it draws into.
pub struct Headless {
    renderer: PixmanRenderer,
    pictures: HashMap<Output, Picture>,
}

/// The memory of one output.
struct Picture {
    pixels: pixman::Image<'static, 'static>,
    size: Size<i32, Physical>,
    transform: Transform,
    damage: OutputDamageTracker,
    drawn: bool,
}

fn error(what: &'static str) -> impl Fn(&dyn std::fmt::Display) -> BackendError {
    move |reason| BackendError { backend: NAME, what, reason: reason.to_string() }
}

impl Headless {
    /// Start it, with its outputs.
    pub fn start(config: &Config) -> Result<(Headless, Vec<FoundOutput>), BackendError> {
        let renderer = PixmanRenderer::new().map_err(|e| error("cannot start")(&e))?;
        let one = [OutputConfig::default()];
        let configured = if config.outputs.is_empty() { &one[..] } else { &config.outputs };
        let outputs = (1..).zip(configured).map(|(number, output)| {
            let numbered = format!("HEADLESS-{number}");
            let name = output.name.as_ref().map_or(numbered, |name| name.as_str().to_owned());
            found(name, output, config)
        });
        let outputs = outputs.collect();
        Ok((Headless { renderer, pictures: HashMap::new() }, outputs))
    }

    /// Any mode can be had as long as there is memory for it, which is made here.
    pub fn set_mode(&mut self, output: &Output, mode: Mode) -> Result<(), BackendError> {
        let picture = self.picture(mode.size, output.current_transform())?;
        self.pictures.insert(output.clone(), picture);
        Ok(())
    }

    /// Let go of an output's memory.
    pub fn forget(&mut self, output: &Output) {
        self.pictures.remove(output);
    }

    fn picture(
        &mut self,
        size: Size<i32, Physical>,
        transform: Transform,
    ) -> Result<Picture, BackendError> {
        let pixels = self
            .renderer
            .create_buffer(Fourcc::Argb8888, in_memory(size))
            .map_err(|e| error("cannot make memory for its pictures")(&e))?;
        let damage = OutputDamageTracker::new(size, 1.0, transform);
        Ok(Picture { pixels, size, transform, damage, drawn: false })
    }

    /// Draw what has changed since the last picture.
    pub fn render(&mut self, output: &Output, scene: &Scene<'_>) -> Result<Rendered, BackendError> {
        let size = output.current_mode().map(|mode| mode.size).unwrap_or_default();
        let transform = output.current_transform();
        let fits = |picture: &Picture| picture.size == size && picture.transform == transform;
        if !self.pictures.get(output).is_some_and(fits) {
            let picture = self.picture(size, transform)?;
            self.pictures.insert(output.clone(), picture);
        }
        let elements = elements::build(&mut self.renderer, scene);
        let Some(picture) = self.pictures.get_mut(output) else {
            return Err(error("has no memory for the output")(&output.name()));
        };
        let mut target = self
            .renderer
            .bind(&mut picture.pixels)
            .map_err(|e| error("cannot draw into its memory")(&e))?;
        // The memory still holds the last picture, once there is one.
        let age = usize::from(picture.drawn);
        let result = picture
            .damage
            .render_output(
                &mut self.renderer,
                &mut target,
                age,
                &elements,
                scene.background.to_renderer(),
            )
            .map_err(|e| error("cannot draw")(&e))?;
        picture.drawn = true;
        let changed = result.damage.is_some();
        Ok(Rendered { changed, tells_when_seen: false, states: result.states })
    }

    /// Copy out the last picture.
    pub fn read_back(&mut self, output: &Output) -> Result<Image, BackendError> {
        let failed = error("cannot copy its picture");
        let Some(picture) = self.pictures.get_mut(output) else {
            return Err(failed(&"nothing was drawn yet"));
        };
        let target = self.renderer.bind(&mut picture.pixels).map_err(|e| failed(&e))?;
        let area = Rectangle::from_size(in_memory(picture.size));
        let copy = self
            .renderer
            .copy_framebuffer(&target, area, Fourcc::Xrgb8888)
            .map_err(|e| failed(&e))?;
        let rows = self.renderer.map_texture(&copy).map_err(|e| failed(&e))?;
        // Sizes of outputs are at most 16384 and never negative.
        Image::from_bgrx(picture.size.w as u32, picture.size.h as u32, rows).map_err(|e| failed(&e))
    }
}

/// An output of our own making.
pub fn found(name: String, set: &OutputConfig, config: &Config) -> FoundOutput {
    let size = set.size.unwrap_or(config.size);
    let refresh = set.refresh.unwrap_or(config.refresh);
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

fn in_memory(size: Size<i32, Physical>) -> Size<i32, Buffer> {
    Size::from((size.w, size.h))
}
