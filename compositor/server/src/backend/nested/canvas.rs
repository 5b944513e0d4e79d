//! Pictures in memory that the host's display server reads.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd},
};

use memmap2::MmapMut;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
#[cfg(feature = "gles")]
use smithay::backend::renderer::gles::GlesRenderbuffer;
use smithay::{
    backend::renderer::{damage::OutputDamageTracker, element::RenderElementStates},
    reexports::pixman,
    utils::{Buffer, Physical, Rectangle, Size, Transform},
};

use crate::{
    backend::drawer::{DrawError, Drawer, failed, in_memory},
    render::elements::Scene,
};

/// Bytes of a pixel: blue, green, red, and one that means nothing.
pub(super) const PIXEL: usize = 4;

/// The memory of one picture.
pub(super) struct Canvas {
    // Before the memory that it may point into.
    pixels: Pixels,
    memory: Memory,
}

enum Pixels {
    /// Pixman draws into the memory itself.
    Shared(pixman::Image<'static, 'static>),
    /// OpenGL ES draws here, and what has changed is copied.
    #[cfg(feature = "gles")]
    Copied(GlesRenderbuffer),
}

struct Memory {
    file: File,
    bytes: MmapMut,
    size: Size<i32, Physical>,
}

/// Knows what has changed between the pictures of an output.
pub(super) struct Changes {
    damage: OutputDamageTracker,
    pub(super) size: Size<i32, Physical>,
    pub(super) transform: Transform,
}

impl Changes {
    pub(super) fn new(size: Size<i32, Physical>, transform: Transform) -> Changes {
        Changes { damage: OutputDamageTracker::new(size, 1.0, transform), size, transform }
    }
}

impl Memory {
    fn new(size: Size<i32, Physical>) -> io::Result<Memory> {
        let file = memfd_create("picture", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        ftruncate(&file, bytes_of(size) as u64)?;
        // So that the host need not fear that it goes away.
        fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::SEAL)?;
        let file = File::from(file);
        // SAFETY: it cannot be made shorter, so that all of the mapping stays. The host has it to read:
        // it is the display server that this program trusts with all its pictures.
        let bytes = unsafe { MmapMut::map_mut(&file)? };
        Ok(Memory { file, bytes, size })
    }

    /// Its rows, for Pixman to draw into.
    fn as_pixman(&mut self) -> Result<pixman::Image<'static, 'static>, pixman::CreateFailed> {
        let (width, height) = (self.size.w as usize, self.size.h as usize);
        let bits = self.bytes.as_mut_ptr().cast();
        // SAFETY: the mapping begins at a page, has this many rows of this length, does not move, and
        // is dropped after the image: see `Canvas`. While that lives nothing else here uses it.
        unsafe {
            pixman::Image::from_raw_mut(
                pixman::FormatCode::X8R8G8B8,
                width,
                height,
                bits,
                width * PIXEL,
                false,
            )
        }
    }

    /// Take over an area of pixels, which are red, green, blue, and one that means nothing.
    #[cfg(feature = "gles")]
    fn take_rgbx(&mut self, area: Rectangle<i32, Buffer>, pixels: &[u8]) {
        let (left, width) = (area.loc.x as usize * PIXEL, area.size.w as usize * PIXEL);
        let rows = self.bytes.chunks_exact_mut(self.size.w as usize * PIXEL);
        for (row, from) in rows.skip(area.loc.y as usize).zip(pixels.chunks_exact(width)) {
            let to = row[left..left + width].chunks_exact_mut(PIXEL);
            for (to, from) in to.zip(from.chunks_exact(PIXEL)) {
                to.copy_from_slice(&[from[2], from[1], from[0], u8::MAX]);
            }
        }
    }
}

impl Canvas {
    /// Memory for pictures of this size.
    pub(super) fn new(drawer: &mut Drawer, size: Size<i32, Physical>) -> Result<Canvas, DrawError> {
        let failed = failed(drawer.name(), "cannot share memory for a picture");
        let mut memory = Memory::new(size).map_err(|e| failed(&e))?;
        let pixels = match drawer {
            Drawer::Pixman(_) => {
                Pixels::Shared(memory.as_pixman().map_err(|_| failed(&"it is too large"))?)
            }
            #[cfg(feature = "gles")]
            Drawer::Gles(gles) => Pixels::Copied(gles.memory(size)?),
        };
        Ok(Canvas { pixels, memory })
    }

    /// Draw what has changed since the picture that it holds, which is that of `age` pictures ago, or
    /// none if that is 0. Which of its pixels are others now.
    pub(super) fn draw(
        &mut self,
        drawer: &mut Drawer,
        changes: &mut Changes,
        age: usize,
        scene: &Scene<'_>,
    ) -> Result<(Vec<Rectangle<i32, Buffer>>, RenderElementStates), DrawError> {
        let upright = changes.transform.transform_size(changes.size);
        // What is looked at was turned to be shown: here it is as it is mounted.
        let transform = changes.transform.invert();
        let mounted = |area: &Rectangle<i32, Physical>| {
            let area = transform.transform_rect_in(*area, &upright);
            Rectangle::new((area.loc.x, area.loc.y).into(), in_memory(area.size))
        };
        let damage = &mut changes.damage;
        match (drawer, &mut self.pixels) {
            (Drawer::Pixman(pixman), Pixels::Shared(image)) => {
                let (changed, states) = pixman.paint(image, damage, age, scene)?;
                Ok((changed.into_iter().flatten().map(mounted).collect(), states))
            }
            #[cfg(feature = "gles")]
            (Drawer::Gles(gles), Pixels::Copied(drawn)) => {
                let (changed, states) = gles.paint(drawn, damage, age, scene)?;
                let changed: Vec<_> = changed.into_iter().flatten().map(mounted).collect();
                for area in &changed {
                    gles.copy(drawn, *area, |pixels| self.memory.take_rgbx(*area, pixels))?;
                }
                Ok((changed, states))
            }
            #[cfg(feature = "gles")]
            (drawer, _) => {
                let reason = "another renderer has made it";
                Err(failed(drawer.name(), "cannot draw into memory")(&reason))
            }
        }
    }

    pub(super) fn size(&self) -> Size<i32, Physical> {
        self.memory.size
    }

    /// Bytes of a row.
    pub(super) fn stride(&self) -> i32 {
        self.memory.size.w * PIXEL as i32
    }

    /// All of it, for a display server that cannot map it.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.memory.bytes
    }

    pub(super) fn file(&self) -> BorrowedFd<'_> {
        self.memory.file.as_fd()
    }
}

fn bytes_of(size: Size<i32, Physical>) -> usize {
    // Sides of outputs are positive and at most 16384: it is a GiB at most.
    size.w as usize * size.h as usize * PIXEL
}
