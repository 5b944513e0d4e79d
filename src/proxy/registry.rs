//! Globals: what the host offers, cut down to what can be carried.

use std::collections::HashMap;

use wayland_backend::protocol::Interface;

use super::dmabuf;
use super::interfaces;
use super::terms::Terms;

/// The name of the proxy's own global; a host numbers its globals from below.
const OWN: u32 = u32::MAX;

/// The globals that one of the app's registries was told of, by name.
#[derive(Debug, Default)]
pub(super) struct Globals {
    known: HashMap<u32, Global>,
}

/// A global as an app sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Global {
    pub(super) interface: &'static Interface,
    /// The newest version that both the host and the proxy know.
    pub(super) version: u32,
    /// An app that binds it now was only too slow; the host knows what to do.
    removed: bool,
    /// Served by the proxy.
    pub(super) is_own: bool,
}

impl Globals {
    /// The host offers a global. What the app is to be told, if anything.
    pub(super) fn offered(
        &mut self,
        name: u32,
        interface: &[u8],
        version: u32,
        terms: &Terms,
    ) -> Option<Global> {
        let interface = interfaces::global(interface).filter(|_| name != OWN)?;
        let version = terms.version(interface, version.min(interface.version))?;
        let global = Global { interface, version, removed: false, is_own: false };
        self.known.insert(name, global);
        Some(global)
    }

    /// The global that the proxy serves itself, and its name; `None` if it has no device for it.
    pub(super) fn own(&mut self, terms: &Terms) -> Option<(u32, Global)> {
        terms.gpu.as_ref()?;
        let interface = &dmabuf::INTERFACE;
        let version = terms.version(interface, dmabuf::VERSION)?;
        let global = Global { interface, version, removed: false, is_own: true };
        self.known.insert(OWN, global);
        Some((OWN, global))
    }

    /// The host takes a global back. Whether the app is to be told.
    pub(super) fn removed(&mut self, name: u32) -> bool {
        match self.known.get_mut(&name) {
            Some(global) => !std::mem::replace(&mut global.removed, true),
            None => false,
        }
    }

    /// The interface that an app may bind with these words, if it may.
    pub(super) fn bindable(&self, name: u32, interface: &[u8], version: u32) -> Option<Global> {
        let global = *self.known.get(&name)?;
        let sound = global.interface.name.as_bytes() == interface
            && (1..=global.version).contains(&version);
        sound.then_some(global)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_is_offered_and_only_what_is_offered_is_bound() {
        let (mut globals, terms) = (Globals::default(), Terms::default());
        let offer = |globals: &mut Globals, name, interface: &str, version| {
            globals.offered(name, interface.as_bytes(), version, &terms)
        };
        assert!(offer(&mut globals, 1, "zwlr_screencopy_manager_v1", 3).is_none());
        assert!(offer(&mut globals, 2, "zwp_linux_dmabuf_v1", 5).is_none());
        let shm = offer(&mut globals, 3, "wl_shm", 99).unwrap();
        assert_eq!(shm.version, shm.interface.version, "of the proxy's version");
        let seat = offer(&mut globals, 4, "wl_seat", 5).unwrap();
        assert_eq!(seat.version, 5, "of the host's version");
        assert!(globals.own(&terms).is_none(), "there is no device for dma-bufs");
        assert!(globals.bindable(4, b"wl_seat", 5).is_some());
        for (name, interface, version) in
            [(4, "wl_seat", 6), (4, "wl_seat", 0), (3, "wl_seat", 1), (1, "wl_seat", 1)]
        {
            assert!(globals.bindable(name, interface.as_bytes(), version).is_none());
        }
        assert!(globals.removed(4) && !globals.removed(4) && !globals.removed(1));
        assert!(globals.bindable(4, b"wl_seat", 1).is_some(), "the app may not know yet");
    }

    #[test]
    fn limits_cut_versions_and_hide() {
        let mut globals = Globals::default();
        let limits = ["wl_seat=3", "wl_shm=0"].map(|limit| limit.parse().unwrap()).to_vec();
        let terms = Terms { limits, ..Terms::default() };
        assert_eq!(globals.offered(1, b"wl_seat", 9, &terms).unwrap().version, 3);
        assert_eq!(globals.offered(2, b"wl_seat", 2, &terms).unwrap().version, 2);
        assert!(globals.offered(3, b"wl_shm", 1, &terms).is_none());
        assert!(globals.bindable(3, b"wl_shm", 1).is_none());
    }
}
