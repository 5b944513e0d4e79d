//! Globals: what the host offers, cut down to what can be carried.

use std::collections::HashMap;

use wayland_backend::protocol::Interface;

use super::interfaces;

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
}

impl Globals {
    /// The host offers a global. What the app is to be told, if anything.
    pub(super) fn offered(&mut self, name: u32, interface: &[u8], version: u32) -> Option<Global> {
        let interface = interfaces::global(interface)?;
        let version = version.min(interface.version);
        let global = Global { interface, version, removed: false };
        self.known.insert(name, global);
        Some(global)
    }

    /// The host takes a global back. Whether the app is to be told.
    pub(super) fn removed(&mut self, name: u32) -> bool {
        match self.known.get_mut(&name) {
            Some(global) => !std::mem::replace(&mut global.removed, true),
            None => false,
        }
    }

    /// The interface that an app may bind with these words, if it may.
    pub(super) fn bindable(
        &self,
        name: u32,
        interface: &[u8],
        version: u32,
    ) -> Option<&'static Interface> {
        let global = self.known.get(&name)?;
        let sound = global.interface.name.as_bytes() == interface
            && (1..=global.version).contains(&version);
        sound.then_some(global.interface)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_is_offered_and_only_what_is_offered_is_bound() {
        let mut globals = Globals::default();
        assert!(globals.offered(1, b"zwlr_screencopy_manager_v1", 3).is_none());
        assert!(globals.offered(2, b"zwp_linux_dmabuf_v1", 5).is_none());
        let shm = globals.offered(3, b"wl_shm", 99).unwrap();
        assert_eq!(shm.version, shm.interface.version, "of the proxy's version");
        assert_eq!(globals.offered(4, b"wl_seat", 5).unwrap().version, 5, "of the host's version");
        assert!(globals.bindable(4, b"wl_seat", 5).is_some());
        for (name, interface, version) in
            [(4, "wl_seat", 6), (4, "wl_seat", 0), (3, "wl_seat", 1), (1, "wl_seat", 1)]
        {
            assert!(globals.bindable(name, interface.as_bytes(), version).is_none());
        }
        assert!(globals.removed(4) && !globals.removed(4) && !globals.removed(1));
        assert!(globals.bindable(4, b"wl_seat", 1).is_some(), "the app may not know yet");
    }
}
