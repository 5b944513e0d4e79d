//! The display domain, reached over a link: the one place where an address chooses a back end.

use super::Address;
use crate::grant::GrantError;
use crate::hypervisor::shm::{self, DEFAULT_PAGES, DomainMemory};
use crate::hypervisor::{GuestTransport, SharedMemory, xen};

/// What a link begins with.
#[derive(Debug)]
pub(crate) struct Reached {
    pub(crate) transport: GuestTransport,
    /// What can be shared over it: introduced already.
    pub(crate) memory: SharedMemory,
}

/// Why the display domain could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    /// No link can be made to such an address.
    #[error("{0} is the address of no link: shm:PATH and xen:[DOMID] are")]
    NoLink(Address),
    /// There is no memory to share.
    #[error("cannot make this domain's shareable memory")]
    Memory(#[from] GrantError),
    /// Nobody answers at the other end of the link.
    #[error(transparent)]
    Rendezvous(#[from] shm::ConnectError),
    /// No link can be offered to the display domain.
    #[error("cannot offer a link to the display domain")]
    Xen(#[from] xen::RendezvousError),
}

impl Address {
    /// Reaches the display domain. Of shareable memory nothing is taken from the machine yet:
    /// [`DEFAULT_PAGES`] of it on one machine, and room for so many pages of files; as much as the
    /// kernel grants on Xen, where the display domain may come up later.
    pub(crate) fn reach(&self, pages_of_files: u32) -> Result<Reached, ReachError> {
        match self {
            Address::Shm(path) => {
                let memory = DomainMemory::with_room_for_files(DEFAULT_PAGES, pages_of_files)?;
                let transport = GuestTransport::Shm(shm::connect(path, &memory)?);
                Ok(Reached { transport, memory: SharedMemory::Shm(memory) })
            }
            Address::Xen(display) => {
                let transport = GuestTransport::Xen(Box::new(xen::connect(*display)?));
                let memory = SharedMemory::Xen(xen::OwnMemory::new());
                Ok(Reached { transport, memory })
            }
            Address::Wayland(_) => Err(ReachError::NoLink(self.clone())),
        }
    }
}
