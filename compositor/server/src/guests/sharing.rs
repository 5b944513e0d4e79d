//! What clients may share: the compositor's half of `hyper_dmabuf_v1`, and `wl_shm`.

use hyper_dmabuf::domain::DomainId;
use smithay::{
    reexports::{calloop::LoopHandle, wayland_server::Client},
    wayland::shm::{ShmHandler, ShmState},
};
use smithay_hyper_dmabuf::{BufferState, HyperDmabufHandler, HyperDmabufState, Origin, Show};

use crate::{client::ClientState, control::messages::BufferReport, state::State};

impl HyperDmabufHandler for State {
    fn hyper_dmabuf_state(&mut self) -> &mut HyperDmabufState {
        &mut self.protocols.hyper_dmabuf
    }

    fn loop_handle(&self) -> LoopHandle<'static, State> {
        self.loop_handle.clone()
    }

    fn origin(&self, client: &Client) -> Option<Origin> {
        let data = client.get_data::<ClientState>()?;
        let (domain, show) = match data.origin.domain() {
            Some(domain) if domain.is_staged() => (domain.id, Show::Staged),
            Some(domain) => (domain.id, Show::Direct),
            None => (self.protocols.hyper_dmabuf.domain(), Show::Direct),
        };
        let limits = data.origin.domain().map(|domain| domain.limits().import());
        let limits = limits.unwrap_or_default();
        Some(Origin { domain, memory: data.memory(), limits, show })
    }
}

impl ShmHandler for State {
    fn shm_state(&self) -> &ShmState {
        &self.protocols.shm
    }
}

impl State {
    /// All buffers that clients share by ID.
    pub fn buffer_reports(&self) -> Vec<BufferReport> {
        let name = |id: DomainId| {
            let known = self.domains.iter().find(|known| known.domain.id == id);
            known.map_or_else(|| "local".to_owned(), |known| known.domain.name.clone())
        };
        let reports = self.protocols.hyper_dmabuf.report();
        let reports = reports.into_iter().map(|buffer| BufferReport {
            id: format!("{:#010x}", buffer.handle),
            domain: name(buffer.domain),
            width: buffer.buffer.map_or(0, |shape| shape.width.max(0) as u32),
            height: buffer.buffer.map_or(0, |shape| shape.height.max(0) as u32),
            format: buffer.buffer.map_or_else(String::new, |shape| format!("{:?}", shape.format)),
            state: match buffer.state {
                BufferState::Exported => "exported".to_owned(),
                BufferState::Leaving => "leaving".to_owned(),
                BufferState::Unexported => "unexported".to_owned(),
            },
            mappings: buffer.mappings as u32,
            users: buffer.users as u32,
            frames: buffer.frames,
            bytes_copied: buffer.bytes_copied,
            bytes_copied_by_guest: buffer.copied_by_exporter.unwrap_or_default(),
        });
        reports.collect()
    }
}
