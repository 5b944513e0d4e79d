//! What an exporter tells the display domain about a buffer: the contents of one `export` request.

use crate::grant::{Access, GrantRef};
use crate::id::HyperDmabufId;

/// The most metadata a buffer has unless the display domain says otherwise, in bytes
/// (`MAX_SIZE_PRIV_DATA`, hyper_dmabuf.h).
pub const DEFAULT_METADATA_LIMIT: u32 = 192;

/// One buffer, offered for import. On the importer's side nothing in it has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What the buffer shall be known by.
    pub id: HyperDmabufId,
    /// How many pages it lies in.
    pub pages: u32,
    /// The root page of the directory of their references.
    pub root: GrantRef,
    /// Bytes before the buffer in its first page.
    pub offset: u32,
    /// Bytes in the buffer.
    pub length: u32,
    /// What the pages are granted for.
    pub access: Access,
    /// The exporter's own bytes, for those who import the buffer.
    pub metadata: Vec<u8>,
}

/// Bytes that an exporter says it has copied into a buffer, in the buffer's metadata: `copied=4096`.
/// For people who look for copies; the display domain believes nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopiedByExporter(pub u64);

impl CopiedByExporter {
    const KEY: &str = "copied=";

    /// As metadata.
    pub fn to_metadata(self) -> Vec<u8> {
        format!("{}{}", Self::KEY, self.0).into_bytes()
    }

    /// What metadata says, if it is about that.
    pub fn read(metadata: &[u8]) -> Option<CopiedByExporter> {
        let digits = str::from_utf8(metadata).ok()?.strip_prefix(Self::KEY)?;
        let sound = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
        sound.then(|| digits.parse().ok().map(CopiedByExporter)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_copied_is_read_as_it_is_written_and_nothing_else_is() {
        for bytes in [0, 4096, u64::MAX] {
            let copied = CopiedByExporter(bytes);
            let metadata = copied.to_metadata();
            assert!(metadata.len() <= DEFAULT_METADATA_LIMIT as usize);
            assert_eq!(CopiedByExporter::read(&metadata), Some(copied));
        }
        let others: [&[u8]; 7] = [
            b"",
            b"copied=",
            b"copied=-1",
            b"copied=+1",
            b"copied=1 ",
            b"copied=99999999999999999999",
            b"\xffcopied=1",
        ];
        for metadata in others {
            assert_eq!(CopiedByExporter::read(metadata), None, "{metadata:?}");
        }
    }
}
