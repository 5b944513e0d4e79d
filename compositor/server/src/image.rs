//! Pictures as plain bytes: reading and writing PNG, and telling two of them apart.

use std::{
    fs,
    io::{self, BufWriter},
    path::{Path, PathBuf},
};

use smithay::utils::{Physical, Rectangle, Size, Transform};

use crate::colour::Colour;

/// A picture: three bytes (red, green, blue) a pixel, rows from the top, no padding.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

/// The largest side of a picture that is read or made.
const LARGEST_SIDE: u32 = 32_768;

/// The most bytes that decoding a picture may take.
const LARGEST_DECODED: usize = 512 << 20;

/// Why a picture could not be read, written or made.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The file could not be opened, created or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The bytes are no PNG, or none that is read here.
    #[error("not a readable PNG: {0}")]
    Decode(#[from] png::DecodingError),
    /// Writing the PNG failed.
    #[error("cannot write the PNG: {0}")]
    Encode(#[from] png::EncodingError),
    /// A size of nothing, or beyond the limit, or pixels that do not fit it.
    #[error("a picture of {width}x{height} with {bytes} bytes of pixels is not possible")]
    Size {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Bytes that were given.
        bytes: usize,
    },
    /// A kind of PNG that is not read.
    #[error("PNGs of the kind {0} are not read; use 8-bit RGB or RGBA")]
    Kind(String),
}

impl Image {
    /// A picture from its pixels.
    pub fn from_rgb(width: u32, height: u32, pixels: Vec<u8>) -> Result<Image, ImageError> {
        let fits = (1..=LARGEST_SIDE).contains(&width)
            && (1..=LARGEST_SIDE).contains(&height)
            && pixels.len() == width as usize * height as usize * 3;
        if !fits {
            return Err(ImageError::Size { width, height, bytes: pixels.len() });
        }
        Ok(Image { width, height, pixels })
    }

    /// A picture from the renderer's rows: blue, green, red and a byte that is ignored.
    pub fn from_bgrx(width: u32, height: u32, rows: &[u8]) -> Result<Image, ImageError> {
        let pixels =
            rows.chunks_exact(4).flat_map(|pixel| [pixel[2], pixel[1], pixel[0]]).collect();
        Image::from_rgb(width, height, pixels)
    }

    /// A picture from rows of red, green, blue and a byte that is ignored.
    pub fn from_rgbx(width: u32, height: u32, rows: &[u8]) -> Result<Image, ImageError> {
        let pixels = rows.chunks_exact(4).flat_map(|pixel| &pixel[..3]).copied().collect();
        Image::from_rgb(width, height, pixels)
    }

    /// A picture of one colour.
    pub(crate) fn filled(width: u32, height: u32, colour: Colour) -> Result<Image, ImageError> {
        let error = ImageError::Size { width, height, bytes: 0 };
        if width == 0 || height == 0 || width > LARGEST_SIDE * 3 || height > LARGEST_SIDE {
            return Err(error);
        }
        let pixels =
            [colour.red, colour.green, colour.blue].repeat(width as usize * height as usize);
        Ok(Image { width, height, pixels })
    }

    /// The picture that a person sees on an output that shows this one and is mounted so.
    pub fn as_seen_through(self, transform: Transform) -> Image {
        if transform == Transform::Normal {
            return self;
        }
        // A transform says how the output is turned; what is drawn is turned back.
        let drawn = transform.invert();
        let size = Size::<i32, Physical>::from((self.width as i32, self.height as i32));
        let seen = transform.transform_size(size);
        let mut image = Image {
            width: seen.w as u32,
            height: seen.h as u32,
            pixels: vec![0; self.pixels.len()],
        };
        for y in 0..seen.h {
            for x in 0..seen.w {
                let pixel = Rectangle::<i32, Physical>::new((x, y).into(), (1, 1).into());
                let at = drawn.transform_rect_in(pixel, &seen).loc;
                if let Some(colour) = self.pixel(at.x as u32, at.y as u32) {
                    image.set_pixel(x as u32, y as u32, colour);
                }
            }
        }
        image
    }

    /// Put another picture into this one at `at`, stretched to `size` by repeating pixels. What does
    /// not fit is left out.
    pub(crate) fn put(&mut self, other: &Image, at: (u32, u32), size: (u32, u32)) {
        for y in 0..size.1.min(self.height.saturating_sub(at.1)) {
            for x in 0..size.0.min(self.width.saturating_sub(at.0)) {
                let from = |place: u32, size: u32, own: u32| {
                    (u64::from(place) * u64::from(own) / u64::from(size)) as u32
                };
                let (other_x, other_y) =
                    (from(x, size.0, other.width), from(y, size.1, other.height));
                if let Some(colour) = other.pixel(other_x, other_y) {
                    self.set_pixel(at.0 + x, at.1 + y, colour);
                }
            }
        }
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The pixels, three bytes each.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The colour of one pixel, or `None` outside the picture.
    pub fn pixel(&self, x: u32, y: u32) -> Option<Colour> {
        if x >= self.width || y >= self.height {
            return None;
        }
        let start = self.offset(x, y);
        Some(Colour::new(self.pixels[start], self.pixels[start + 1], self.pixels[start + 2]))
    }

    fn offset(&self, x: u32, y: u32) -> usize {
        (y as usize * self.width as usize + x as usize) * 3
    }

    fn set_pixel(&mut self, x: u32, y: u32, colour: Colour) {
        let start = self.offset(x, y);
        self.pixels[start..start + 3].copy_from_slice(&[colour.red, colour.green, colour.blue]);
    }

    /// The picture as PNG. The same picture always gives the same bytes.
    pub fn to_png(&self) -> Result<Vec<u8>, ImageError> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(BufWriter::new(&mut bytes), self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.pixels)?;
        writer.finish()?;
        Ok(bytes)
    }

    /// Read a picture from PNG bytes. Transparency is put on black.
    pub fn from_png(bytes: &[u8]) -> Result<Image, ImageError> {
        let limits = png::Limits { bytes: LARGEST_DECODED };
        let mut decoder = png::Decoder::new_with_limits(io::Cursor::new(bytes), limits);
        decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
        let mut reader = decoder.read_info()?;
        let (width, height) = (reader.info().width, reader.info().height);
        let size_error = ImageError::Size { width, height, bytes: 0 };
        let Some(needed) = reader.output_buffer_size().filter(|size| *size <= LARGEST_DECODED)
        else {
            return Err(size_error);
        };
        let mut data = vec![0; needed];
        let frame = reader.next_frame(&mut data)?;
        let data = &data[..frame.buffer_size()];
        let pixels = match frame.color_type {
            png::ColorType::Rgb => data.to_vec(),
            png::ColorType::Rgba => data
                .chunks_exact(4)
                .flat_map(|pixel| {
                    let over_black = |part: u8| (u16::from(part) * u16::from(pixel[3]) / 255) as u8;
                    [over_black(pixel[0]), over_black(pixel[1]), over_black(pixel[2])]
                })
                .collect(),
            png::ColorType::Grayscale => data.iter().flat_map(|grey| [*grey; 3]).collect(),
            other => return Err(ImageError::Kind(format!("{other:?}"))),
        };
        Image::from_rgb(frame.width, frame.height, pixels)
    }

    /// Read a PNG file.
    pub fn read(path: &Path) -> Result<Image, ImageError> {
        let bytes = fs::read(path)
            .map_err(|source| ImageError::File { path: path.to_path_buf(), source })?;
        Image::from_png(&bytes)
    }

    /// Write a PNG file.
    pub fn write(&self, path: &Path) -> Result<(), ImageError> {
        let bytes = self.to_png()?;
        fs::write(path, bytes)
            .map_err(|source| ImageError::File { path: path.to_path_buf(), source })
    }
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Image({}x{})", self.width, self.height)
    }
}

/// How two pictures differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Pixels that are not the same, those that only one of the pictures has among them.
    pub pixels: u64,
    /// The leftmost, topmost, rightmost and bottommost pixel that differs.
    pub bounds: (u32, u32, u32, u32),
}

/// Compare two pictures exactly. `None` when they are the same in size and in every pixel.
pub fn compare(a: &Image, b: &Image) -> Option<Difference> {
    if a == b {
        return None;
    }
    let mut difference = Difference { pixels: 0, bounds: (u32::MAX, u32::MAX, 0, 0) };
    for y in 0..a.height.max(b.height) {
        for x in 0..a.width.max(b.width) {
            if a.pixel(x, y) != b.pixel(x, y) {
                difference.pixels += 1;
                let (left, top, right, bottom) = difference.bounds;
                difference.bounds = (left.min(x), top.min(y), right.max(x), bottom.max(y));
            }
        }
    }
    Some(difference)
}

/// How far two pictures of one size are apart: how many pixels differ by more than `tolerance` in a
/// colour, and by how much any differs at most.
pub fn distance(a: &Image, b: &Image, tolerance: u8) -> (usize, u8) {
    let pixels = a.pixels.chunks_exact(3).zip(b.pixels.chunks_exact(3));
    let farthest =
        pixels.map(|(a, b)| a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or_default());
    farthest.fold((0, 0), |(beyond, most), apart| {
        (beyond + usize::from(apart > tolerance), most.max(apart))
    })
}

/// What marks a pixel that differs.
const MARK: Colour = Colour::new(255, 0, 128);
/// What lies between the three pictures, and where one of them has nothing.
const GAP: Colour = Colour::new(32, 32, 32);
/// The width of the gap.
const GAP_WIDTH: u32 = 8;

/// One picture that shows two beside each other, and third a faded copy of the second with every
/// differing pixel marked.
pub fn side_by_side(a: &Image, b: &Image) -> Result<Image, ImageError> {
    let width = a.width.max(b.width);
    let height = a.height.max(b.height);
    let mut picture = Image::filled(width * 3 + GAP_WIDTH * 2, height, GAP)?;
    for y in 0..height {
        for x in 0..width {
            let (left, right) = (a.pixel(x, y), b.pixel(x, y));
            if let Some(colour) = left {
                picture.set_pixel(x, y, colour);
            }
            if let Some(colour) = right {
                picture.set_pixel(x + width + GAP_WIDTH, y, colour);
            }
            let third =
                if left != right { MARK } else { right.unwrap_or(GAP).mixed(Colour::WHITE, 208) };
            if left.is_some() || right.is_some() {
                picture.set_pixel(x + (width + GAP_WIDTH) * 2, y, third);
            }
        }
    }
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(width: u32, height: u32) -> Image {
        Image::filled(width, height, Colour::new(90, 90, 90)).unwrap()
    }

    #[test]
    fn equal_pictures_do_not_differ() {
        assert_eq!(compare(&grey(5, 4), &grey(5, 4)), None);
    }

    #[test]
    fn the_farthest_pixel_is_told() {
        let (a, mut b) = (grey(5, 4), grey(5, 4));
        b.set_pixel(3, 2, Colour::new(90, 95, 90));
        b.set_pixel(1, 1, Colour::new(88, 90, 90));
        assert_eq!(distance(&a, &b, 2), (1, 5));
    }

    #[test]
    fn one_pixel_is_found_and_marked() {
        let (a, mut b) = (grey(5, 4), grey(5, 4));
        b.set_pixel(3, 2, Colour::new(90, 91, 90));
        assert_eq!(compare(&a, &b), Some(Difference { pixels: 1, bounds: (3, 2, 3, 2) }));
        let shown = side_by_side(&a, &b).unwrap();
        assert_eq!((shown.width(), shown.height()), (5 * 3 + 16, 4));
        assert_eq!(shown.pixel(3, 2), a.pixel(3, 2));
        assert_eq!(shown.pixel(5 + 8 + 3, 2), b.pixel(3, 2));
        assert_eq!(shown.pixel(2 * (5 + 8) + 3, 2), Some(MARK));
        assert_ne!(shown.pixel(2 * (5 + 8) + 2, 2), Some(MARK));
    }

    #[test]
    fn another_size_differs_by_what_only_one_has() {
        let difference = compare(&grey(5, 4), &grey(6, 3)).unwrap();
        assert_eq!(difference, Difference { pixels: 3 + 5, bounds: (0, 0, 5, 3) });
        side_by_side(&grey(5, 4), &grey(6, 3)).unwrap();
    }

    #[test]
    fn png_keeps_every_pixel() {
        let mut image = grey(7, 3);
        image.set_pixel(6, 2, Colour::new(1, 2, 3));
        assert_eq!(Image::from_png(&image.to_png().unwrap()).unwrap(), image);
    }

    #[test]
    fn wrong_bytes_and_sizes_are_errors() {
        assert!(Image::from_png(b"no picture").is_err());
        assert!(Image::from_rgb(0, 1, vec![]).is_err());
        assert!(Image::from_rgb(2, 2, vec![0; 11]).is_err());
        assert!(Image::from_rgb(u32::MAX, u32::MAX, vec![]).is_err());
    }
}
