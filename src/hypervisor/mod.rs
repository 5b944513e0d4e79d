//! What stands behind grants and links: the only room that names a back end.

mod shared;
pub mod shm;
mod transport;
pub mod xen;

pub use shared::{SharedMemory, SharedPages};
pub use transport::GuestTransport;
