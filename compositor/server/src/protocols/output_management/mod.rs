//! `zwlr_output_manager_v1`: outputs as `wlr-randr`, `kanshi` and settings programs see and change
//! them. For local programs only: how the screens are set is no guest's business.

mod configuration;

use smithay::{
    output::Mode,
    reexports::{
        wayland_protocols_wlr::output_management::v1::server::{
            zwlr_output_head_v1::{self, ZwlrOutputHeadV1},
            zwlr_output_manager_v1::{self, ZwlrOutputManagerV1},
            zwlr_output_mode_v1::{self, ZwlrOutputModeV1},
        },
        wayland_server::{
            Client, DataInit, Dispatch, DisplayHandle, GlobalDispatch, New, Resource,
            backend::{ClientId, GlobalId},
        },
    },
};

use crate::{client::is_trusted, outputs::OutputId, render::present::OutputView, state::State};

/// The highest version that is offered: the next one sets adaptive synchronisation.
const VERSION: u32 = 3;

/// All programs that watch the outputs.
pub struct OutputManagement {
    _global: GlobalId,
    managers: Vec<Manager>,
}

/// What one program was told.
struct Manager {
    resource: ZwlrOutputManagerV1,
    heads: Vec<Head>,
}

/// An output as a program knows it.
struct Head {
    id: OutputId,
    resource: ZwlrOutputHeadV1,
    modes: Vec<ZwlrOutputModeV1>,
}

/// Which mode of which output.
#[derive(Debug)]
pub struct HeadMode {
    output: OutputId,
    mode: Mode,
}

impl OutputManagement {
    /// Offer it.
    pub(crate) fn new(display: &DisplayHandle) -> OutputManagement {
        let _global = display.create_global::<State, ZwlrOutputManagerV1, ()>(VERSION, ());
        OutputManagement { _global, managers: Vec::new() }
    }
}

impl State {
    /// Tell those who watch how the outputs are now.
    pub(crate) fn output_management_changed(&mut self) {
        let mut managers = std::mem::take(&mut self.protocols.output_management.managers);
        managers.retain_mut(|manager| self.tell(manager).is_some());
        self.protocols.output_management.managers = managers;
    }

    /// Tell one; `None` if it is gone.
    fn tell(&self, manager: &mut Manager) -> Option<()> {
        let client = manager.resource.client()?;
        manager.heads.retain(|head| {
            let is_there = self.outputs.get(head.id).is_some();
            if !is_there {
                head.modes.iter().for_each(ZwlrOutputModeV1::finished);
                head.resource.finished();
            }
            is_there
        });
        for view in self.outputs.iter() {
            let known = manager.heads.iter().position(|head| head.id == view.id);
            let head = match known {
                Some(index) => &mut manager.heads[index],
                None => {
                    let version = manager.resource.version();
                    let resource = client
                        .create_resource::<_, _, State>(&self.display_handle, version, view.id)
                        .ok()?;
                    manager.resource.head(&resource);
                    describe(&resource, view);
                    manager.heads.push(Head { id: view.id, resource, modes: Vec::new() });
                    manager.heads.last_mut()?
                }
            };
            self.tell_head(&client, head, view)?;
        }
        manager.resource.done(self.outputs.serial);
        Some(())
    }

    /// Tell what can change about an output.
    fn tell_head(&self, client: &Client, head: &mut Head, view: &OutputView) -> Option<()> {
        let mode_of =
            |resource: &ZwlrOutputModeV1| resource.data::<HeadMode>().map(|data| data.mode);
        for mode in view.output.modes() {
            if head.modes.iter().any(|known| mode_of(known) == Some(mode)) {
                continue;
            }
            let data = HeadMode { output: view.id, mode };
            let version = head.resource.version();
            let resource = client
                .create_resource::<ZwlrOutputModeV1, _, State>(&self.display_handle, version, data)
                .ok()?;
            head.resource.mode(&resource);
            resource.size(mode.size.w, mode.size.h);
            resource.refresh(mode.refresh);
            if view.output.preferred_mode() == Some(mode) {
                resource.preferred();
            }
            head.modes.push(resource);
        }
        head.resource.enabled(i32::from(view.is_on()));
        if view.is_on() {
            let current = view.output.current_mode();
            if let Some(mode) = head.modes.iter().find(|known| mode_of(known) == current) {
                head.resource.current_mode(mode);
            }
            let area = view.area();
            head.resource.position(area.loc.x, area.loc.y);
            head.resource.transform(view.output.current_transform().into());
            head.resource.scale(view.scale());
        }
        Some(())
    }
}

/// Tell what never changes about an output.
fn describe(head: &ZwlrOutputHeadV1, view: &OutputView) {
    let properties = view.output.physical_properties();
    head.name(view.output.name());
    head.description(view.output.description());
    head.physical_size(properties.size.w, properties.size.h);
    if head.version() >= zwlr_output_head_v1::EVT_MAKE_SINCE {
        head.make(properties.make);
        head.model(properties.model);
    }
}

impl GlobalDispatch<ZwlrOutputManagerV1, ()> for State {
    fn bind(
        state: &mut State,
        _display: &DisplayHandle,
        _client: &Client,
        resource: New<ZwlrOutputManagerV1>,
        (): &(),
        data_init: &mut DataInit<'_, State>,
    ) {
        let mut manager = Manager { resource: data_init.init(resource, ()), heads: Vec::new() };
        if state.tell(&mut manager).is_some() {
            state.protocols.output_management.managers.push(manager);
        }
    }

    fn can_view(client: Client, (): &()) -> bool {
        is_trusted(&client)
    }
}

impl Dispatch<ZwlrOutputManagerV1, ()> for State {
    fn request(
        state: &mut State,
        _client: &Client,
        manager: &ZwlrOutputManagerV1,
        request: zwlr_output_manager_v1::Request,
        (): &(),
        _display: &DisplayHandle,
        data_init: &mut DataInit<'_, State>,
    ) {
        match request {
            zwlr_output_manager_v1::Request::CreateConfiguration { id, serial } => {
                data_init.init(id, configuration::Configuration::new(serial));
            }
            zwlr_output_manager_v1::Request::Stop => {
                manager.finished();
                state.forget(manager);
            }
            _ => {}
        }
    }

    fn destroyed(state: &mut State, _: ClientId, manager: &ZwlrOutputManagerV1, (): &()) {
        state.forget(manager);
    }
}

impl State {
    fn forget(&mut self, manager: &ZwlrOutputManagerV1) {
        self.protocols.output_management.managers.retain(|known| known.resource != *manager);
    }
}

impl Dispatch<ZwlrOutputHeadV1, OutputId> for State {
    fn request(
        _state: &mut State,
        _client: &Client,
        _head: &ZwlrOutputHeadV1,
        _request: zwlr_output_head_v1::Request,
        _output: &OutputId,
        _display: &DisplayHandle,
        _data_init: &mut DataInit<'_, State>,
    ) {
        // It can only be released, and it is not told of any more: sending to it does nothing.
    }
}

impl Dispatch<ZwlrOutputModeV1, HeadMode> for State {
    fn request(
        _state: &mut State,
        _client: &Client,
        _mode: &ZwlrOutputModeV1,
        _request: zwlr_output_mode_v1::Request,
        _data: &HeadMode,
        _display: &DisplayHandle,
        _data_init: &mut DataInit<'_, State>,
    ) {
    }
}
