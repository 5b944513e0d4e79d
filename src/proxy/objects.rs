//! The objects of one app, by the numbers that the app and the host know them by.
//!
//! The two count separately, because the proxy has objects of its own on the host's side, and some
//! of the app's are not there (pools) or not yet (buffers). Servers number some objects as well, and
//! there too the two sides count for themselves: libwayland takes such numbers only one after the
//! other, and some of these objects are the proxy's.

use std::collections::HashMap;

use wayland_backend::protocol::Interface;

use super::buffer::{Buffer, Pool};
use super::dmabuf::Params;
use super::interfaces::WL_DISPLAY_INTERFACE;
use super::registry::Globals;
use super::surface::{Surface, Viewport};
use crate::id::HyperDmabufId;

/// Numbers from here on are the server's.
const SERVER: u32 = 0xff00_0000;

/// Objects of one app: more than any program has, and a bound on what it can make the proxy hold.
const MOST: usize = 1 << 18;

/// An object as the app numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct AppId(pub(super) u32);

/// An object as the host numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct HostId(pub(super) u32);

impl AppId {
    pub(super) const DISPLAY: AppId = AppId(1);

    pub(super) fn is_servers(self) -> bool {
        self.0 >= SERVER
    }
}

impl HostId {
    pub(super) const DISPLAY: HostId = HostId(1);
}

/// One of the app's objects.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) interface: &'static Interface,
    pub(super) version: u32,
    /// Where it is on the host's side, if it is.
    pub(super) host: Option<HostId>,
    /// False from its destructor on, until its number is free.
    pub(super) alive: bool,
    pub(super) role: Role,
}

/// What the proxy knows of an object beyond its interface.
#[derive(Debug)]
pub(super) enum Role {
    /// Nothing: its messages are forwarded.
    Plain,
    Registry(Globals),
    Shm,
    Pool(Pool),
    /// Of a pool; those that the host makes itself are plain.
    Buffer(Box<Buffer>),
    Surface(Box<Surface>),
    Viewport(Viewport),
    /// `zwp_linux_dmabuf_v1`, and what is made of it: the host knows nothing of them.
    Dmabuf,
    Feedback,
    Params(Box<Params>),
    /// A `wl_callback` that tells when to draw: what it brings is a time, which it is of no other.
    Frame,
    /// `hyper_dmabuf_manager_v1`, for a program that speaks it.
    Manager,
    /// What such a program exported, by the display domain's name for it.
    Native(HyperDmabufId),
}

impl Role {
    /// The role of an object that is made by forwarding a request.
    pub(super) fn of(interface: &Interface, parent: Option<AppId>) -> Role {
        match (interface.name, parent) {
            ("wl_registry", _) => Role::Registry(Globals::default()),
            ("wl_shm", _) => Role::Shm,
            ("hyper_dmabuf_manager_v1", _) => Role::Manager,
            ("wl_surface", _) => Role::Surface(Box::default()),
            ("wp_viewport", Some(surface)) => Role::Viewport(Viewport { surface }),
            _ => Role::Plain,
        }
    }
}

/// Who has one of the host's numbers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Owner {
    App(AppId),
    Proxy(Hidden),
    /// The host's, of an object that the app is done with: what the host says of it is read, since
    /// descriptors may come with it, and forgotten.
    Forgotten(&'static Interface, u32),
}

/// An object of the proxy's own, in the app's connection to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hidden {
    /// Its `wl_registry`.
    Registry,
    /// Comes when the host has listed its globals.
    Listed,
    Manager,
    Export(HyperDmabufId),
    /// Lives for one `create_buffer`.
    Pool,
}

/// Why a number cannot be a new object's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoNewObject {
    /// It is in use, or the other side's to give.
    BadNumber,
    TooMany,
}

/// The objects of one app.
#[derive(Debug)]
pub(super) struct Objects {
    app: HashMap<AppId, Object>,
    /// By number; the first stands for "none".
    host: Vec<Option<Owner>>,
    /// The last one freed is used first, as Wayland libraries do.
    free: Vec<u32>,
    /// By the numbers that the host gave out.
    hosts: HashMap<HostId, Owner>,
    /// Numbers that were given to the app: so many, and those of them that are free again.
    given: u32,
    given_back: Vec<AppId>,
}

impl Objects {
    pub(super) fn new() -> Objects {
        let display = Object {
            interface: &WL_DISPLAY_INTERFACE,
            version: 1,
            host: Some(HostId::DISPLAY),
            alive: true,
            role: Role::Plain,
        };
        Objects {
            app: HashMap::from([(AppId::DISPLAY, display)]),
            host: vec![None, Some(Owner::App(AppId::DISPLAY))],
            free: Vec::new(),
            hosts: HashMap::new(),
            given: 0,
            given_back: Vec::new(),
        }
    }

    pub(super) fn get(&self, id: AppId) -> Option<&Object> {
        self.app.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: AppId) -> Option<&mut Object> {
        self.app.get_mut(&id)
    }

    /// The host's number of an object that the app may name.
    pub(super) fn host_of(&self, id: AppId) -> Option<HostId> {
        self.app.get(&id).filter(|object| object.alive)?.host
    }

    /// Whose a number of the host's is.
    pub(super) fn owner(&self, id: HostId) -> Option<Owner> {
        if id.0 >= SERVER {
            return self.hosts.get(&id).copied();
        }
        self.host.get(id.0 as usize).copied().flatten()
    }

    /// An object that the app numbered; one on the host's side with it, if `host`.
    pub(super) fn insert(
        &mut self,
        id: AppId,
        interface: &'static Interface,
        version: u32,
        role: Role,
        host: bool,
    ) -> Result<Option<HostId>, NoNewObject> {
        if id.0 == 0 || id.is_servers() || self.app.contains_key(&id) {
            return Err(NoNewObject::BadNumber);
        }
        if self.app.len() >= MOST {
            return Err(NoNewObject::TooMany);
        }
        let host = host.then(|| self.allocate(Owner::App(id)));
        self.app.insert(id, Object { interface, version, host, alive: true, role });
        Ok(host)
    }

    /// An object that the host made; for an app that is done with where it comes from (not
    /// `alive`), one that it never hears of.
    pub(super) fn insert_hosts(
        &mut self,
        id: HostId,
        interface: &'static Interface,
        version: u32,
        alive: bool,
    ) -> Result<Option<AppId>, NoNewObject> {
        if id.0 < SERVER {
            return Err(NoNewObject::BadNumber);
        }
        if !alive {
            if self.hosts.len() >= MOST {
                return Err(NoNewObject::TooMany);
            }
            self.hosts.insert(id, Owner::Forgotten(interface, version));
            return Ok(None);
        }
        let role = Role::of(interface, None);
        let app = self.give(Object { interface, version, host: Some(id), alive, role })?;
        // The host uses a number again only when it has seen the end of what had it.
        self.hosts.insert(id, Owner::App(app));
        Ok(Some(app))
    }

    /// An object of the proxy's own that the app is given.
    pub(super) fn insert_own(
        &mut self,
        interface: &'static Interface,
        version: u32,
        role: Role,
    ) -> Result<AppId, NoNewObject> {
        self.give(Object { interface, version, host: None, alive: true, role })
    }

    fn give(&mut self, object: Object) -> Result<AppId, NoNewObject> {
        if self.app.len() >= MOST || self.hosts.len() >= MOST {
            return Err(NoNewObject::TooMany);
        }
        let id = self.given_back.pop().unwrap_or_else(|| {
            self.given += 1;
            AppId(SERVER + self.given - 1)
        });
        self.app.insert(id, object);
        Ok(id)
    }

    /// A destructor passed. The number stays taken until the host says otherwise, if the app gave
    /// it; if it was given to the app, nobody says more of it.
    pub(super) fn end(&mut self, id: AppId) {
        if !id.is_servers() {
            if let Some(object) = self.app.get_mut(&id) {
                (object.alive, object.role) = (false, Role::Plain);
            }
        } else if let Some(object) = self.app.remove(&id) {
            self.given_back.push(id);
            if let Some(host) = object.host.filter(|host| host.0 >= SERVER) {
                self.hosts.insert(host, Owner::Forgotten(object.interface, object.version));
            }
        }
    }

    /// Gives an object of the app's that had none a place on the host's side.
    pub(super) fn place(&mut self, id: AppId) -> Option<HostId> {
        let host = self.allocate(Owner::App(id));
        let object = self.app.get_mut(&id)?;
        object.host = Some(host);
        Some(host)
    }

    /// A number for an object of the proxy's own.
    pub(super) fn hide(&mut self, hidden: Hidden) -> HostId {
        self.allocate(Owner::Proxy(hidden))
    }

    fn allocate(&mut self, owner: Owner) -> HostId {
        if let Some(id) = self.free.pop() {
            self.host[id as usize] = Some(owner);
            return HostId(id);
        }
        // Below `MOST` and what the proxy hides, which is of the same order: far below `SERVER`.
        self.host.push(Some(owner));
        HostId(self.host.len() as u32 - 1)
    }

    /// The host uses the number no more. The app's object that is gone with it.
    pub(super) fn deleted(&mut self, id: HostId) -> Option<AppId> {
        let place = self.host.get_mut(id.0 as usize)?;
        let owner = place.take()?;
        self.free.push(id.0);
        match owner {
            Owner::App(id) => self.app.remove(&id).map(|_| id),
            Owner::Proxy(_) | Owner::Forgotten(..) => None,
        }
    }

    /// An object that the host never knew is gone. Whether the app waits to be told so.
    pub(super) fn remove(&mut self, id: AppId) -> bool {
        if id.is_servers() {
            self.end(id);
            return false;
        }
        self.app.remove(&id).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(objects: &mut Objects, id: u32) -> Result<Option<HostId>, NoNewObject> {
        objects.insert(AppId(id), &WL_DISPLAY_INTERFACE, 1, Role::Plain, true)
    }

    #[test]
    fn numbers_are_counted_on_each_side() {
        let mut objects = Objects::new();
        assert_eq!(objects.hide(Hidden::Registry), HostId(2));
        assert_eq!(insert(&mut objects, 2), Ok(Some(HostId(3))));
        assert_eq!(objects.host_of(AppId(2)), Some(HostId(3)));
        assert!(matches!(objects.owner(HostId(2)), Some(Owner::Proxy(Hidden::Registry))));
        assert_eq!(objects.deleted(HostId(3)), Some(AppId(2)));
        assert_eq!(objects.deleted(HostId(3)), None, "once");
        assert_eq!(insert(&mut objects, 9), Ok(Some(HostId(3))), "the number is used again");
    }

    #[test]
    fn bad_numbers_are_refused() {
        let mut objects = Objects::new();
        for id in [0, 1, SERVER, u32::MAX] {
            assert_eq!(insert(&mut objects, id), Err(NoNewObject::BadNumber));
        }
        let made = objects.insert_hosts(HostId(5), &WL_DISPLAY_INTERFACE, 1, true);
        assert_eq!(made, Err(NoNewObject::BadNumber));
    }

    /// libwayland takes a number from a server only if it has seen all below it.
    #[test]
    fn what_is_given_to_the_app_is_numbered_without_gaps() {
        let mut objects = Objects::new();
        let display = &WL_DISPLAY_INTERFACE;
        let of_host = |objects: &mut Objects, id| {
            objects.insert_hosts(HostId(SERVER + id), display, 1, true).unwrap().unwrap()
        };
        let own = objects.insert_own(display, 1, Role::Plain).unwrap();
        let first = of_host(&mut objects, 7);
        let second = of_host(&mut objects, 2);
        assert_eq!([own, first, second].map(|id| id.0 - SERVER), [0, 1, 2]);
        assert_eq!(objects.host_of(first), Some(HostId(SERVER + 7)));
        assert!(matches!(objects.owner(HostId(SERVER + 2)), Some(Owner::App(id)) if id == second));

        objects.end(first);
        let forgotten = objects.owner(HostId(SERVER + 7));
        assert!(matches!(forgotten, Some(Owner::Forgotten(..))), "the host may speak of it yet");
        assert!(!objects.remove(own), "nobody waits for a number that was given");
        assert_eq!(of_host(&mut objects, 9), own, "the last one freed");
        assert_eq!(of_host(&mut objects, 7), first);
        assert!(matches!(objects.owner(HostId(SERVER + 7)), Some(Owner::App(id)) if id == first));
    }
}
