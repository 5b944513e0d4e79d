//! The buffers there are, for people to read. Never a key.

use hyper_dmabuf::domain::DomainId;
use hyper_dmabuf::grant::Access;
use hyper_dmabuf::offer::CopiedByExporter;
use hyper_dmabuf_protocol::server::hyper_dmabuf_v1::State;
use smithay::reexports::wayland_server::Resource;
use std::collections::HashMap;

use crate::HyperDmabufState;
use crate::buffer::BufferUserData;
use crate::pool::PoolBuffer;

/// One imported buffer.
#[derive(Clone, Debug)]
pub struct BufferReport {
    /// The ID's handle; the key is not told.
    pub handle: u32,
    /// The domain that exported it.
    pub domain: DomainId,
    /// Bytes in it.
    pub length: u32,
    /// What the display domain may do with its pages.
    pub access: Access,
    /// Where in its life it is.
    pub state: BufferState,
    /// The `wl_buffer` that was last made of it.
    pub buffer: Option<PoolBuffer>,
    /// In how many places its pages are to be seen: one, once it was shown.
    pub mappings: usize,
    /// Objects, pools and dma-bufs that use it.
    pub users: usize,
    /// Commits that showed it.
    pub frames: u64,
    /// Bytes of it that the display domain copied to show it: 0 where its pages are shown
    /// themselves.
    pub bytes_copied: u64,
    /// Bytes that its exporter says it has copied into it, if it says so.
    pub copied_by_exporter: Option<u64>,
}

/// Where in its life a buffer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BufferState {
    /// It can be imported.
    Exported,
    /// It is to be unexported soon.
    Leaving,
    /// It is unexported, but somebody still uses it.
    Unexported,
}

pub(crate) fn report(this: &HyperDmabufState) -> Vec<BufferReport> {
    let imports = this.importer.imports();
    let mut buffers: Vec<BufferReport> = imports
        .map(|import| {
            let key = (import.domain(), import.id());
            let objects = this.objects.get(&key).into_iter().flat_map(HashMap::values);
            let mut states =
                objects.filter_map(|object| object.data::<BufferUserData>()?.exporter_state());
            let state = match states.next() {
                Some(State::UnexportScheduled) => BufferState::Leaving,
                _ if this.importer.is_exported(&import) => BufferState::Exported,
                _ => BufferState::Unexported,
            };
            let shown = this.pools.shown(&import);
            BufferReport {
                handle: import.id().handle(),
                domain: import.domain(),
                length: import.length(),
                access: import.access(),
                state,
                buffer: shown.buffer,
                mappings: import.placements(),
                // The import in hand is no use.
                users: import.users().saturating_sub(1),
                frames: shown.frames,
                bytes_copied: shown.bytes_copied,
                copied_by_exporter: CopiedByExporter::read(&import.metadata())
                    .map(|CopiedByExporter(bytes)| bytes),
            }
        })
        .collect();
    buffers.sort_by_key(|buffer| (buffer.domain, buffer.handle));
    buffers
}
