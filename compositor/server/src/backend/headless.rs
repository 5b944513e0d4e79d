//! No screen: pictures are drawn by Pixman into memory. Exact to the pixel on every machine.

use smithay::{
    backend::{
        allocator::Fourcc,
        renderer::{
            Bind, ExportMem, Offscreen, damage::OutputDamageTracker, pixman::PixmanRenderer,
        },
    },
    output::{Mode, Output, PhysicalProperties, Scale, Subpixel},
    reexports::pixman,
    utils::{Buffer, Rectangle, Size, Transform},
};

use super::{BackendError, Rendered};
use crate::{
    config::Config,
    image::Image,
    render::elements::{self, Scene},
};

/// As on the command line.
pub const NAME: &str = "headless";

/// The renderer, and the memory it draws into.
pub struct Headless {
    renderer: PixmanRenderer,
    picture: pixman::Image<'static, 'static>,
    size: Size<i32, Buffer>,
    damage: OutputDamageTracker,
    drawn: bool,
}

fn error(what: &'static str) -> impl Fn(&dyn std::fmt::Display) -> BackendError {
    move |reason| BackendError { backend: NAME, what, reason: reason.to_string() }
}

impl Headless {
    /// Start it, with its one output.
    pub fn start(config: &Config) -> Result<(Headless, Output), BackendError> {
        let (width, height) = (i32::from(config.size.width), i32::from(config.size.height));
        let size = Size::from((width, height));
        let mut renderer = PixmanRenderer::new().map_err(|e| error("cannot start")(&e))?;
        let picture = renderer
            .create_buffer(Fourcc::Argb8888, size)
            .map_err(|e| error("cannot make memory for its pictures")(&e))?;

        let properties = PhysicalProperties {
            // 96 dots an inch, so that no client thinks of scaling.
            size: ((width * 254 + 480) / 960, (height * 254 + 480) / 960).into(),
            subpixel: Subpixel::None,
            make: "hyper-dmabuf".into(),
            model: "headless".into(),
        };
        let output = Output::new("HEADLESS-1".into(), properties);
        let mode = Mode { size: (width, height).into(), refresh: config.refresh.millihertz() };
        output.set_preferred(mode);
        output.change_current_state(
            Some(mode),
            Some(Transform::Normal),
            Some(Scale::Integer(1)),
            Some((0, 0).into()),
        );
        let damage = OutputDamageTracker::new((width, height), 1.0, Transform::Normal);
        Ok((Headless { renderer, picture, size, damage, drawn: false }, output))
    }

    /// Draw what has changed since the last picture.
    pub fn render(&mut self, scene: &Scene<'_>) -> Result<Rendered, BackendError> {
        let elements = elements::build(&mut self.renderer, scene);
        let mut target = self
            .renderer
            .bind(&mut self.picture)
            .map_err(|e| error("cannot draw into its memory")(&e))?;
        // The memory still holds the last picture, once there is one.
        let age = usize::from(self.drawn);
        let result = self
            .damage
            .render_output(
                &mut self.renderer,
                &mut target,
                age,
                &elements,
                scene.background.to_renderer(),
            )
            .map_err(|e| error("cannot draw")(&e))?;
        self.drawn = true;
        Ok(Rendered { changed: result.damage.is_some(), states: result.states })
    }

    /// Copy out the last picture.
    pub fn read_back(&mut self) -> Result<Image, BackendError> {
        let failed = error("cannot copy its picture");
        let target = self.renderer.bind(&mut self.picture).map_err(|e| failed(&e))?;
        let copy = self
            .renderer
            .copy_framebuffer(&target, Rectangle::from_size(self.size), Fourcc::Xrgb8888)
            .map_err(|e| failed(&e))?;
        let rows = self.renderer.map_texture(&copy).map_err(|e| failed(&e))?;
        // Sizes of outputs are at most 16384 and never negative.
        Image::from_bgrx(self.size.w as u32, self.size.h as u32, rows).map_err(|e| failed(&e))
    }
}
