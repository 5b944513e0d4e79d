//! The device that dma-bufs are made on.

use std::{
    fs::{self, File},
    os::fd::{AsFd, BorrowedFd},
    path::Path,
};

use anyhow::{Context, anyhow};
use smithay::reexports::drm::{
    self,
    buffer::{Buffer, DrmFourcc},
    control::{Device as _, dumbbuffer::DumbBuffer},
};

pub(crate) struct Card(File);

impl AsFd for Card {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl drm::Device for Card {}
impl drm::control::Device for Card {}

impl Card {
    /// The one of the device with this number, which may be only the half of it that draws.
    pub(crate) fn open(number: u64) -> anyhow::Result<Card> {
        let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
        Card::open_half(&format!("/sys/dev/char/{major}:{minor}/device/drm"))
    }

    /// vgem, the kernel's driver of a GPU that is not there.
    pub(crate) fn open_vgem() -> anyhow::Result<Card> {
        Card::open_half("/sys/devices/platform/vgem/drm")
    }

    fn open_half(halves: &str) -> anyhow::Result<Card> {
        for half in fs::read_dir(halves).with_context(|| format!("there is no {halves}"))? {
            let name = half?.file_name();
            if name.to_string_lossy().starts_with("card") {
                let path = Path::new("/dev/dri").join(name);
                return Ok(Card(File::options().read(true).write(true).open(path)?));
            }
        }
        Err(anyhow!("{halves} has no card"))
    }

    /// A picture of this number: stripes of a brightness of its own.
    pub(crate) fn picture(
        &self,
        (width, height): (i32, i32),
        number: u8,
    ) -> anyhow::Result<DumbBuffer> {
        let size = (width as u32, height as u32);
        let mut buffer = self.create_dumb_buffer(size, DrmFourcc::Xrgb8888, 32)?;
        let pitch = buffer.pitch() as usize;
        let mut pixels = self.map_dumb_buffer(&mut buffer)?;
        for (y, row) in pixels.chunks_mut(pitch).enumerate() {
            let brightness = (y * 2 % 256) as u8;
            row.chunks_mut(4)
                .for_each(|pixel| pixel.copy_from_slice(&[brightness, number, 0x80, 0]));
        }
        drop(pixels);
        Ok(buffer)
    }
}
