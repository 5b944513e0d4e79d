//! What draws: the processor (Pixman) or OpenGL ES, each into memory that can be read back. Everything
//! else is written for any renderer.

use std::{collections::HashMap, fmt::Display};

#[cfg(all(feature = "drm", feature = "gles"))]
use smithay::backend::{allocator::gbm::GbmDevice, drm::DrmDeviceFd, egl::EGLDevice};
#[cfg(feature = "gles")]
use smithay::backend::{
    egl::{EGLContext, EGLDisplay, native::EGLSurfacelessDisplay},
    renderer::{
        ImportDma,
        gles::{GlesRenderbuffer, GlesRenderer},
    },
};
use smithay::{
    backend::{
        allocator::{Format, Fourcc, dmabuf::Dmabuf},
        renderer::{
            Bind, ExportMem, ImportAll, ImportMem, Offscreen, Renderer,
            damage::OutputDamageTracker, element::RenderElementStates, pixman::PixmanRenderer,
        },
    },
    output::Output,
    reexports::pixman,
    utils::{Buffer, Physical, Rectangle, Size, Transform},
};

use crate::{
    config::RendererChoice,
    image::{Image, ImageError},
    render::elements::{self, Scene},
};

/// Why nothing is drawn.
#[derive(Debug, thiserror::Error)]
#[error("{renderer} {what}: {reason}")]
pub struct DrawError {
    renderer: &'static str,
    what: &'static str,
    reason: String,
}

/// How OpenGL ES is called.
const OPENGL: &str = "OpenGL ES";

/// A renderer, and for each output the memory it draws into.
pub enum Drawer {
    /// The processor. The same pixels on every machine.
    Pixman(Box<InMemory<PixmanRenderer, pixman::Image<'static, 'static>>>),
    /// OpenGL ES.
    #[cfg(feature = "gles")]
    Gles(Box<InMemory<GlesRenderer, GlesRenderbuffer>>),
}

/// Does the same for whatever renderer there is.
macro_rules! any {
    ($drawer:expr, $memory:ident => $body:expr) => {
        match $drawer {
            Drawer::Pixman($memory) => $body,
            #[cfg(feature = "gles")]
            Drawer::Gles($memory) => $body,
        }
    };
}

impl Drawer {
    /// Start a renderer. What is left to choose is the processor: no GPU is needed to draw into
    /// memory, and the pictures are the same everywhere.
    pub fn start(choice: RendererChoice) -> Result<Drawer, DrawError> {
        match choice {
            RendererChoice::Auto | RendererChoice::Pixman => Drawer::pixman(),
            #[cfg(feature = "gles")]
            RendererChoice::Gles => Drawer::gles(),
            #[cfg(not(feature = "gles"))]
            RendererChoice::Gles => {
                Err(failed(OPENGL, "is not there")(&"this was built without the feature `gles`"))
            }
        }
    }

    fn pixman() -> Result<Drawer, DrawError> {
        const NAME: &str = "Pixman";
        let renderer = PixmanRenderer::new().map_err(|e| failed(NAME, "cannot start")(&e))?;
        Ok(Drawer::Pixman(Box::new(InMemory {
            name: NAME,
            renderer,
            pictures: HashMap::new(),
            drawn_as: Fourcc::Argb8888,
            read_as: (Fourcc::Xrgb8888, Image::from_bgrx),
        })))
    }

    #[cfg(feature = "gles")]
    fn gles() -> Result<Drawer, DrawError> {
        // SAFETY: the native display is none at all, which stays valid for ever.
        let display = unsafe { EGLDisplay::new(EGLSurfacelessDisplay) };
        Drawer::gles_of(display.map_err(|e| failed(OPENGL, "cannot start")(&e))?)
    }

    /// OpenGL ES on this GPU. Unless it is asked for, only if the GPU does it: Mesa lets the processor
    /// do it elsewhere, which Pixman does better.
    #[cfg(all(feature = "drm", feature = "gles"))]
    pub fn gles_on(gbm: GbmDevice<DrmDeviceFd>, asked_for: bool) -> Result<Drawer, DrawError> {
        let error = failed(OPENGL, "cannot start");
        // SAFETY: the display is made of the device's own descriptor, which it keeps open.
        let display = unsafe { EGLDisplay::new(gbm) }.map_err(|e| error(&e))?;
        let device = EGLDevice::device_for_display(&display).map_err(|e| error(&e))?;
        if device.is_software() && !asked_for {
            return Err(error(&"the processor would do it"));
        }
        Drawer::gles_of(display)
    }

    #[cfg(feature = "gles")]
    fn gles_of(display: EGLDisplay) -> Result<Drawer, DrawError> {
        let error = failed(OPENGL, "cannot start");
        let context = EGLContext::new(&display).map_err(|e| error(&e))?;
        // SAFETY: the context was made here and goes into the renderer, so that it is current in no
        // other thread.
        let renderer = unsafe { GlesRenderer::new(context) }.map_err(|e| error(&e))?;
        Ok(Drawer::Gles(Box::new(InMemory {
            name: OPENGL,
            renderer,
            pictures: HashMap::new(),
            drawn_as: Fourcc::Abgr8888,
            read_as: (Fourcc::Abgr8888, Image::from_rgbx),
        })))
    }

    /// Whether what is in `wl_shm` buffers has to be copied to be drawn: the processor reads it where
    /// it is.
    pub fn uploads(&self) -> bool {
        !matches!(self, Drawer::Pixman(_))
    }

    /// What it is called.
    pub fn name(&self) -> &'static str {
        any!(self, memory => memory.name)
    }

    /// Draw what has changed since the last picture of this output; whether anything had.
    pub fn draw(
        &mut self,
        output: &Output,
        scene: &Scene<'_>,
    ) -> Result<(bool, RenderElementStates), DrawError> {
        any!(self, memory => memory.draw(output, scene))
    }

    /// Copy out the last picture of an output.
    pub fn read_back(&mut self, output: &Output) -> Result<Image, DrawError> {
        any!(self, memory => memory.read_back(output))
    }

    /// Let go of an output's memory.
    pub fn forget(&mut self, output: &Output) {
        any!(self, memory => { memory.pictures.remove(output); })
    }

    /// The dma-bufs that it draws without a copy. Pixman is not asked: it would have to map them,
    /// which those made of grants cannot be.
    pub fn dmabuf_formats(&self) -> Vec<Format> {
        match self {
            Drawer::Pixman(_) => Vec::new(),
            #[cfg(feature = "gles")]
            Drawer::Gles(memory) => memory.renderer.dmabuf_formats().into_iter().collect(),
        }
    }

    /// Whether it can draw this dma-buf.
    pub fn accepts(&mut self, dmabuf: &Dmabuf) -> bool {
        match self {
            Drawer::Pixman(_) => {
                tracing::debug!(?dmabuf, "Pixman draws no dma-bufs");
                false
            }
            #[cfg(feature = "gles")]
            Drawer::Gles(memory) => match memory.renderer.import_dmabuf(dmabuf, None) {
                Ok(_) => true,
                Err(error) => {
                    tracing::debug!(%error, "a dma-buf cannot be drawn");
                    false
                }
            },
        }
    }
}

pub(super) fn failed(
    renderer: &'static str,
    what: &'static str,
) -> impl Fn(&dyn Display) -> DrawError {
    move |reason| DrawError { renderer, what, reason: reason.to_string() }
}

/// Where a picture was changed, if anywhere.
type Damage<'a> = Option<&'a Vec<Rectangle<i32, Physical>>>;

/// How rows of a renderer's pixels become a picture.
type FromRows = fn(u32, u32, &[u8]) -> Result<Image, ImageError>;

/// A renderer that draws into memory of the kind `P`.
pub struct InMemory<R, P> {
    name: &'static str,
    renderer: R,
    pictures: HashMap<Output, Picture<P>>,
    drawn_as: Fourcc,
    read_as: (Fourcc, FromRows),
}

/// The memory of one output.
struct Picture<P> {
    pixels: P,
    size: Size<i32, Physical>,
    transform: Transform,
    damage: OutputDamageTracker,
    drawn: bool,
}

impl<R, P> InMemory<R, P>
where
    R: Renderer + Offscreen<P> + Bind<P> + ExportMem + ImportAll + ImportMem,
    R::TextureId: Clone + Send + 'static,
    R::Error: Display,
{
    /// The renderer, to draw into other memory.
    #[cfg(feature = "drm")]
    pub fn renderer(&mut self) -> &mut R {
        &mut self.renderer
    }

    fn draw(
        &mut self,
        output: &Output,
        scene: &Scene<'_>,
    ) -> Result<(bool, RenderElementStates), DrawError> {
        let size = output.current_mode().map(|mode| mode.size).unwrap_or_default();
        let transform = output.current_transform();
        let mut picture = match self.pictures.remove(output) {
            Some(picture) if (picture.size, picture.transform) == (size, transform) => picture,
            _ => self.picture(size, transform)?,
        };
        // The memory still holds the last picture, once there is one.
        let age = usize::from(picture.drawn);
        let Picture { pixels, damage, .. } = &mut picture;
        let (changed, states) = self.paint(pixels, damage, age, scene)?;
        let changed = changed.is_some();
        picture.drawn = true;
        // Only now: after a failure the memory holds no picture to go on from.
        self.pictures.insert(output.clone(), picture);
        Ok((changed, states))
    }

    /// Draw into memory that holds the picture of `age` pictures ago, or none if that is 0. Where it
    /// was changed, as the output is looked at.
    pub(super) fn paint<'a>(
        &mut self,
        pixels: &mut P,
        damage: &'a mut OutputDamageTracker,
        age: usize,
        scene: &Scene<'_>,
    ) -> Result<(Damage<'a>, RenderElementStates), DrawError> {
        #[cfg(test)]
        faults::fail().map_err(|e| failed(self.name, "cannot draw")(&e))?;
        let elements = elements::build(&mut self.renderer, scene);
        let mut target = self
            .renderer
            .bind(pixels)
            .map_err(|e| failed(self.name, "cannot draw into its memory")(&e))?;
        let background = scene.background.to_renderer();
        let result = damage
            .render_output(&mut self.renderer, &mut target, age, &elements, background)
            .map_err(|e| failed(self.name, "cannot draw")(&e))?;
        Ok((result.damage, result.states))
    }

    /// Memory to draw into.
    pub(super) fn memory(&mut self, size: Size<i32, Physical>) -> Result<P, DrawError> {
        self.renderer
            .create_buffer(self.drawn_as, in_memory(size))
            .map_err(|e| failed(self.name, "cannot make memory for a picture")(&e))
    }

    fn picture(
        &mut self,
        size: Size<i32, Physical>,
        transform: Transform,
    ) -> Result<Picture<P>, DrawError> {
        let pixels = self.memory(size)?;
        let damage = OutputDamageTracker::new(size, 1.0, transform);
        Ok(Picture { pixels, size, transform, damage, drawn: false })
    }

    fn read_back(&mut self, output: &Output) -> Result<Image, DrawError> {
        let failed = failed(self.name, "cannot copy a picture");
        let Some(mut picture) = self.pictures.remove(output) else {
            return Err(failed(&"nothing was drawn yet"));
        };
        let (size, from_rows) = (picture.size, self.read_as.1);
        let area = Rectangle::from_size(in_memory(size));
        let read = self.copy(&mut picture.pixels, area, |rows| {
            // Sizes of outputs are at most 16384 and never negative.
            from_rows(size.w as u32, size.h as u32, rows)
        });
        self.pictures.insert(output.clone(), picture);
        read?.map_err(|e| failed(&e))
    }

    /// Hand the rows of an area to `take`, in the format that is read.
    pub(super) fn copy<T>(
        &mut self,
        pixels: &mut P,
        area: Rectangle<i32, Buffer>,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, DrawError> {
        let failed = failed(self.name, "cannot copy a picture");
        let target = self.renderer.bind(pixels).map_err(|e| failed(&e))?;
        let format = self.read_as.0;
        let copy = self.renderer.copy_framebuffer(&target, area, format).map_err(|e| failed(&e))?;
        drop(target);
        self.renderer.map_texture(&copy).map(take).map_err(|e| failed(&e))
    }
}

pub(super) fn in_memory(size: Size<i32, Physical>) -> Size<i32, Buffer> {
    Size::from((size.w, size.h))
}

/// Faults that no renderer here has when it is wanted.
#[cfg(test)]
pub(super) mod faults {
    use std::cell::Cell;

    thread_local! {
        static LEFT: Cell<u32> = const { Cell::new(0) };
    }

    /// Let so many pictures of this thread fail.
    pub(in crate::backend) fn next(count: u32) {
        LEFT.set(count);
    }

    /// How many are still to fail.
    pub(in crate::backend) fn left() -> u32 {
        LEFT.get()
    }

    pub(super) fn fail() -> Result<(), &'static str> {
        match LEFT.get() {
            0 => Ok(()),
            left => {
                LEFT.set(left - 1);
                Err("it was to fail")
            }
        }
    }
}
