//! What can be told of the compositor's windows, domains and buffers.

use smithay::utils::{Logical, Rectangle};

use super::messages::{DomainReport, Geometry, WindowReport};
use crate::{
    client::{ClientOrigin, ClientState},
    state::State,
    trust::account::Counted,
};

impl From<Rectangle<i32, Logical>> for Geometry {
    fn from(area: Rectangle<i32, Logical>) -> Geometry {
        Geometry { x: area.loc.x, y: area.loc.y, width: area.size.w, height: area.size.h }
    }
}

impl State {
    /// All windows, lowest first.
    pub fn window_reports(&self) -> Vec<WindowReport> {
        let report = |window: &crate::shell::window::Window| WindowReport {
            id: window.id().0,
            domain: window.origin().domain().map(|domain| domain.name.clone()),
            x11: window.x11().is_some(),
            app_id: window.app_id().to_owned(),
            title: window.title().to_owned(),
            geometry: window.client_area().into(),
            frame: window.outer_area(&self.theme).into(),
            mapped: window.is_mapped(),
            visible: window.is_visible(),
            activated: window.is_active(),
        };
        self.windows.iter().map(report).collect()
    }

    /// All domains.
    pub fn domain_reports(&self) -> Vec<DomainReport> {
        let clients = self.clients();
        self.domains
            .iter()
            .map(|known| {
                let origin = ClientOrigin::Domain(known.domain.clone());
                let (account, shared) = (
                    &known.domain.account,
                    self.hyper_dmabuf().importer().account(known.domain.id),
                );
                DomainReport {
                    name: known.domain.name.clone(),
                    number: known.domain.id.number(),
                    colour: known.domain.colour(),
                    address: known.address.as_ref().map(ToString::to_string),
                    state: known.link,
                    clients: clients.iter().filter(|other| **other == origin).count(),
                    windows: self.windows.count_from(&origin),
                    surfaces: account.count(Counted::Surface),
                    pools: account.count(Counted::Pool),
                    buffers: account.count(Counted::Buffer),
                    ids: shared.buffers,
                    pages: shared.pages,
                    limits: known.domain.limits(),
                }
            })
            .collect()
    }

    /// Where each connected client comes from.
    fn clients(&self) -> Vec<ClientOrigin> {
        let backend = self.display_handle.backend_handle();
        let mut ids = Vec::new();
        // The backend is locked within the closure, so nothing may be asked of it there.
        backend.with_all_clients(|id| ids.push(id));
        ids.into_iter()
            .filter_map(|id| backend.get_client_data(id).ok())
            .filter_map(|data| data.downcast_ref::<ClientState>().map(|data| data.origin.clone()))
            .collect()
    }
}
