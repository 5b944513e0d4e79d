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
