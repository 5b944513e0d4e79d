//! Looking at a picture.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::Context;

/// Whether a pixel of the picture has exactly this colour.
pub(crate) fn shows(file: &Path, colour: [u8; 3]) -> anyhow::Result<bool> {
    let what = || format!("no picture in {}", file.display());
    let decoder = png::Decoder::new(BufReader::new(File::open(file).with_context(what)?));
    let mut reader = decoder.read_info().with_context(what)?;
    let size = reader.output_buffer_size().with_context(what)?;
    let mut bytes = vec![0; size];
    let info = reader.next_frame(&mut bytes).with_context(what)?;
    let pixels = bytes.chunks_exact(info.color_type.samples());
    Ok(pixels.into_iter().any(|pixel| pixel.starts_with(&colour)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_is_found_only_where_it_is() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut encoder = png::Encoder::new(file.reopen().unwrap(), 2, 1);
        encoder.set_color(png::ColorType::Rgb);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&[1, 2, 3, 4, 5, 6]).unwrap();
        writer.finish().unwrap();
        assert!(shows(file.path(), [4, 5, 6]).unwrap());
        assert!(!shows(file.path(), [3, 4, 5]).unwrap());
    }
}
