//! The `hyper_dmabuf_v1` Wayland protocol: a hyper_dmabuf ID wherever Wayland passes a file
//! descriptor of memory. The text of the protocol is `hyper-dmabuf-v1.xml` beside this crate; the
//! two modules are its bindings, generated from it.

/// The protocol as seen by a client in a guest.
#[cfg(feature = "client")]
#[allow(missing_docs, non_upper_case_globals, non_camel_case_types, unused, clippy::all)]
#[allow(clippy::undocumented_unsafe_blocks, unreachable_pub)]
pub mod client {
    use wayland_client;
    use wayland_client::protocol::*;
    use wayland_protocols::wp::linux_dmabuf::zv1::client::*;

    /// What the bindings' messages look like on the wire.
    pub mod __interfaces {
        use wayland_client::protocol::__interfaces::*;
        use wayland_protocols::wp::linux_dmabuf::zv1::client::__interfaces::*;
        wayland_scanner::generate_interfaces!("./hyper-dmabuf-v1.xml");
    }
    use self::__interfaces::*;

    wayland_scanner::generate_client_code!("./hyper-dmabuf-v1.xml");
}

/// The protocol as seen by a compositor in the display domain.
#[cfg(feature = "server")]
#[allow(missing_docs, non_upper_case_globals, non_camel_case_types, unused, clippy::all)]
#[allow(clippy::undocumented_unsafe_blocks, unreachable_pub)]
pub mod server {
    use wayland_protocols::wp::linux_dmabuf::zv1::server::*;
    use wayland_server;
    use wayland_server::protocol::*;

    /// What the bindings' messages look like on the wire.
    pub mod __interfaces {
        use wayland_protocols::wp::linux_dmabuf::zv1::server::__interfaces::*;
        use wayland_server::backend as wayland_backend;
        use wayland_server::protocol::__interfaces::*;
        wayland_scanner::generate_interfaces!("./hyper-dmabuf-v1.xml");
    }
    use self::__interfaces::*;

    wayland_scanner::generate_server_code!("./hyper-dmabuf-v1.xml");
}
