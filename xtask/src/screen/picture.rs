//! Pictures of the screen: as QEMU saves them, and as the compositor does.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context, bail};

/// Three bytes a pixel, red, green and blue.
#[derive(PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pixels: Vec<u8>,
}

impl Picture {
    /// A PPM, as QEMU writes it: three lines of text, and then the pixels.
    pub(crate) fn from_ppm(bytes: &[u8]) -> anyhow::Result<Picture> {
        let mut parts = bytes.splitn(4, |byte| byte.is_ascii_whitespace());
        let mut word = || {
            let word = parts.next().context("the picture ends early")?;
            std::str::from_utf8(word).context("the picture is no PPM")
        };
        if word()? != "P6" {
            bail!("the picture is no PPM");
        }
        let (width, height) = (word()?.parse()?, word()?.parse()?);
        let rest = parts.next().context("the picture ends early")?;
        let depth = b"255\n";
        let pixels = rest.strip_prefix(depth).context("the picture has another depth")?.to_vec();
        if pixels.len() != width * height * 3 {
            bail!("a picture of {width}x{height} has {} bytes", pixels.len());
        }
        Ok(Picture { width, height, pixels })
    }

    /// A PNG of the compositor's.
    pub(crate) fn read_png(path: &Path) -> anyhow::Result<Picture> {
        let file = File::open(path).with_context(|| format!("no {}", path.display()))?;
        let mut reader = png::Decoder::new(BufReader::new(file)).read_info()?;
        let mut pixels = vec![0; reader.output_buffer_size().context("the picture is too large")?];
        let info = reader.next_frame(&mut pixels)?;
        pixels.truncate(info.buffer_size());
        if info.color_type != png::ColorType::Rgb {
            bail!("{} has another kind of pixels", path.display());
        }
        Ok(Picture { width: info.width as usize, height: info.height as usize, pixels })
    }

    /// A PPM's file.
    pub(crate) fn read_ppm(path: &Path) -> anyhow::Result<Picture> {
        let bytes = fs::read(path).with_context(|| format!("no {}", path.display()))?;
        Picture::from_ppm(&bytes)
    }

    /// The same, turned by a quarter against the clock.
    pub(crate) fn turned_left(&self) -> Picture {
        let mut pixels = Vec::with_capacity(self.pixels.len());
        for x in (0..self.width).rev() {
            for y in 0..self.height {
                let at = (y * self.width + x) * 3;
                pixels.extend_from_slice(&self.pixels[at..at + 3]);
            }
        }
        Picture { width: self.height, height: self.width, pixels }
    }

    /// The checksum that vkms tells of a screen that shows this: CRC-32, without its inversions, of four
    /// numbers of 16 bits a pixel (vkms_composer.c).
    pub(crate) fn vkms_checksum(&self) -> u32 {
        let mut checksum = 0_u32;
        let mut add = |byte: u8| {
            checksum ^= u32::from(byte);
            for _ in 0..8 {
                checksum = (checksum >> 1) ^ (0xedb8_8320 & (checksum & 1).wrapping_neg());
            }
        };
        for pixel in self.pixels.chunks_exact(3) {
            // Opaque, and then each colour spread from 8 bits to 16.
            for byte in [0xff, pixel[0], pixel[1], pixel[2]] {
                add(byte);
                add(byte);
            }
        }
        checksum
    }

    /// How many pixels differ.
    pub(crate) fn different_from(&self, other: &Picture) -> usize {
        if (self.width, self.height) != (other.width, other.height) {
            return self.width * self.height;
        }
        let pixels = self.pixels.chunks_exact(3).zip(other.pixels.chunks_exact(3));
        pixels.filter(|(a, b)| a != b).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_crc_32_without_inversions() {
        // Of the bytes ff ff 00 00 00 00 00 00, begun with 0, as zlib's crc32 tells: ~crc32(.., ~0).
        let black = Picture { width: 1, height: 1, pixels: vec![0; 3] };
        assert_eq!(black.vkms_checksum(), 0xb47d_4cd6);
    }

    #[test]
    fn a_ppm_is_read_and_compared() {
        let read = |pixels: &[u8]| Picture::from_ppm(&[b"P6\n2 1\n255\n", pixels].concat());
        let picture = read(b"abcd\nf").unwrap();
        assert_eq!((picture.width, picture.height), (2, 1));
        assert_eq!(picture.different_from(&read(b"abcd\nf").unwrap()), 0);
        assert_eq!(picture.different_from(&read(b"abcdef").unwrap()), 1);
        assert!(read(b"abc").is_err());
        let turned = read(b"abcdef").unwrap().turned_left();
        assert_eq!((turned.width, turned.height, &turned.pixels[..]), (1, 2, &b"defabc"[..]));
    }
}
