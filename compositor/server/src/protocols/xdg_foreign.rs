//! `zxdg_exporter_v2` and `zxdg_importer_v2`: a program lets another put a dialogue over its window, as
//! a portal does, by a handle that only they know. A handle is good within its domain; to everybody
//! else it is one that there is not.
//!
//! Smithay has them, but tells nobody whose a handle is, takes surfaces that are no windows, and does not
//! tell importers that a window is gone.

use std::{collections::HashMap, fmt};

use rustix::rand::{GetRandomFlags, getrandom};
use smithay::{
    reexports::{
        wayland_protocols::xdg::foreign::zv2::server::{
            zxdg_exported_v2::{self, ZxdgExportedV2},
            zxdg_exporter_v2::{self, ZxdgExporterV2},
            zxdg_imported_v2::{self, ZxdgImportedV2},
            zxdg_importer_v2::{self, ZxdgImporterV2},
        },
        wayland_server::{
            Client, DataInit, Dispatch, DisplayHandle, GlobalDispatch, New, Resource,
            backend::{ClientId, ObjectId},
            protocol::wl_surface::WlSurface,
        },
    },
    utils::IsAlive,
    wayland::{
        compositor::with_states,
        shell::{is_toplevel_equivalent, is_valid_parent, xdg::XdgToplevelSurfaceData},
    },
};

use crate::{
    client::{ClientOrigin, origin_of},
    handlers::limits,
    state::State,
    trust::gate::sees_newest,
};

/// Handles that one client has out at once.
const MOST_EXPORTS: usize = 256;
/// Windows of others that one client refers to at once.
const MOST_IMPORTS: usize = 256;

/// What an exported window is called. Nobody guesses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Handle(u128);

impl Handle {
    fn new() -> Result<Handle, rustix::io::Errno> {
        let mut bytes = [0; 16];
        // getrandom(2) never returns less than was asked for up to 256 bytes.
        rustix::io::retry_on_intr(|| getrandom(&mut bytes, GetRandomFlags::empty()))?;
        Ok(Handle(u128::from_ne_bytes(bytes)))
    }

    /// The handle that is written so, if it is one.
    fn parse(text: &str) -> Option<Handle> {
        let handle = Handle(u128::from_str_radix(text, 16).ok()?);
        // Each has one spelling.
        (handle.to_string() == text).then_some(handle)
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

/// All windows that may be referred to.
#[derive(Debug, Default)]
pub(crate) struct Exports(HashMap<Handle, Export>);

#[derive(Debug)]
struct Export {
    surface: WlSurface,
    origin: ClientOrigin,
    imports: Vec<Import>,
}

/// Somebody's reference to a window, and the dialogues that lie over it for that.
#[derive(Debug)]
struct Import {
    imported: ZxdgImportedV2,
    children: Vec<WlSurface>,
}

impl Exports {
    /// How many windows the client of an object has exported.
    fn exports_of(&self, object: &ObjectId) -> usize {
        self.0.values().filter(|export| export.surface.id().same_client_as(object)).count()
    }

    /// How many references to windows it has.
    fn imports_of(&self, object: &ObjectId) -> usize {
        let imports = self.0.values().flat_map(|export| &export.imports);
        imports.filter(|import| import.imported.id().same_client_as(object)).count()
    }

    /// A window is gone, and with it all that was known of it.
    pub(crate) fn window_destroyed(&mut self, surface: &WlSurface) {
        for (_, export) in self.0.extract_if(|_, export| export.surface == *surface) {
            export.withdraw();
        }
    }
}

impl Export {
    fn withdraw(self) {
        for import in self.imports {
            import.end(&self.surface);
            import.imported.destroyed();
        }
    }
}

impl Import {
    /// Its dialogues are windows of their own again, unless they have found another parent.
    fn end(&self, parent: &WlSurface) {
        for child in self.children.iter().filter(|child| child.alive()) {
            change_parent(child, |current| {
                if current.as_ref() == Some(parent) {
                    *current = None;
                }
            });
        }
    }
}

fn change_parent(child: &WlSurface, change: impl FnOnce(&mut Option<WlSurface>)) {
    with_states(child, |states| {
        let role = states.data_map.get::<XdgToplevelSurfaceData>();
        if let Some(mut role) = role.and_then(|role| role.lock().ok()) {
            change(&mut role.parent);
        }
    });
}

impl GlobalDispatch<ZxdgExporterV2, ()> for State {
    fn bind(
        _: &mut State,
        _: &DisplayHandle,
        _: &Client,
        exporter: New<ZxdgExporterV2>,
        (): &(),
        data_init: &mut DataInit<'_, State>,
    ) {
        data_init.init(exporter, ());
    }

    fn can_view(client: Client, (): &()) -> bool {
        sees_newest(&client, ZxdgExporterV2::interface().name)
    }
}

impl GlobalDispatch<ZxdgImporterV2, ()> for State {
    fn bind(
        _: &mut State,
        _: &DisplayHandle,
        _: &Client,
        importer: New<ZxdgImporterV2>,
        (): &(),
        data_init: &mut DataInit<'_, State>,
    ) {
        data_init.init(importer, ());
    }

    fn can_view(client: Client, (): &()) -> bool {
        sees_newest(&client, ZxdgImporterV2::interface().name)
    }
}

impl Dispatch<ZxdgExporterV2, ()> for State {
    fn request(
        state: &mut State,
        client: &Client,
        exporter: &ZxdgExporterV2,
        request: zxdg_exporter_v2::Request,
        (): &(),
        _: &DisplayHandle,
        data_init: &mut DataInit<'_, State>,
    ) {
        let zxdg_exporter_v2::Request::ExportToplevel { id, surface } = request else { return };
        let handle = Handle::new();
        // Before anything is refused: a new object has to be made in any case.
        let exported = data_init.init(id, handle.ok());
        if !is_toplevel_equivalent(&surface) {
            let message = "only a toplevel can be exported";
            exporter.post_error(zxdg_exporter_v2::Error::InvalidSurface, message);
        } else if state.exports.exports_of(&surface.id()) >= MOST_EXPORTS {
            limits::exceeded(exporter, "too many exported windows");
        } else {
            match handle {
                Ok(handle) => {
                    let origin = origin_of(client);
                    let export = Export { surface, origin, imports: Vec::new() };
                    state.exports.0.insert(handle, export);
                    exported.handle(handle.to_string());
                }
                Err(error) => {
                    limits::exceeded(exporter, &format!("no random number for a handle: {error}"));
                }
            }
        }
    }
}

impl Dispatch<ZxdgExportedV2, Option<Handle>> for State {
    fn request(
        _: &mut State,
        _: &Client,
        _: &ZxdgExportedV2,
        _: zxdg_exported_v2::Request,
        _: &Option<Handle>,
        _: &DisplayHandle,
        _: &mut DataInit<'_, State>,
    ) {
        // There is none but the one that destroys it.
    }

    fn destroyed(state: &mut State, _: ClientId, _: &ZxdgExportedV2, handle: &Option<Handle>) {
        if let Some(export) = handle.and_then(|handle| state.exports.0.remove(&handle)) {
            export.withdraw();
        }
    }
}

impl Dispatch<ZxdgImporterV2, ()> for State {
    fn request(
        state: &mut State,
        client: &Client,
        importer: &ZxdgImporterV2,
        request: zxdg_importer_v2::Request,
        (): &(),
        _: &DisplayHandle,
        data_init: &mut DataInit<'_, State>,
    ) {
        let zxdg_importer_v2::Request::ImportToplevel { id, handle } = request else { return };
        let handle = Handle::parse(&handle);
        let imported = data_init.init(id, handle);
        if state.exports.imports_of(&importer.id()) >= MOST_IMPORTS {
            limits::exceeded(importer, "too many imported windows");
            return;
        }
        let export = handle.and_then(|handle| state.exports.0.get_mut(&handle));
        // Who is of another domain learns no more than that there is no such handle.
        match export.filter(|export| export.origin == origin_of(client)) {
            Some(export) => export.imports.push(Import { imported, children: Vec::new() }),
            None => imported.destroyed(),
        }
    }
}

impl Dispatch<ZxdgImportedV2, Option<Handle>> for State {
    fn request(
        state: &mut State,
        _: &Client,
        imported: &ZxdgImportedV2,
        request: zxdg_imported_v2::Request,
        handle: &Option<Handle>,
        _: &DisplayHandle,
        _: &mut DataInit<'_, State>,
    ) {
        let zxdg_imported_v2::Request::SetParentOf { surface: child } = request else { return };
        if !is_toplevel_equivalent(&child) {
            let message = "only a toplevel can be given a parent";
            imported.post_error(zxdg_imported_v2::Error::InvalidSurface, message);
            return;
        }
        let Some(export) = handle.and_then(|handle| state.exports.0.get_mut(&handle)) else {
            return;
        };
        let mut imports = export.imports.iter_mut();
        let Some(import) = imports.find(|import| import.imported == *imported) else { return };
        // In a circle they would lie above each other; that another program has made it one is not
        // this one's fault.
        if !is_valid_parent(&child, &export.surface) {
            return;
        }
        change_parent(&child, |parent| *parent = Some(export.surface.clone()));
        import.children.retain(|other| other.alive() && *other != child);
        import.children.push(child);
    }

    fn destroyed(
        state: &mut State,
        _: ClientId,
        imported: &ZxdgImportedV2,
        handle: &Option<Handle>,
    ) {
        let Some(export) = handle.and_then(|handle| state.exports.0.get_mut(&handle)) else {
            return;
        };
        for import in export.imports.extract_if(.., |import| import.imported == *imported) {
            import.end(&export.surface);
        }
    }
}
