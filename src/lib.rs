//! Share a guest's surfaces with the display domain by hyper_dmabuf IDs over grant mappings.

pub mod domain;
pub mod grant;
pub mod hypervisor;
pub mod id;
