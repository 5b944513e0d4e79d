//! What stands behind grants and links: the only room that names a back end.

pub mod shm;
pub mod xen;
