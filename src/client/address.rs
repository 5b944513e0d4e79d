//! Where the display domain is found.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::domain::DomainId;

/// Where a guest finds the display domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `shm:PATH`: a link over the unix socket at PATH, on one machine.
    Shm(PathBuf),
    /// `xen:DOMID`: a link to that domain of Xen; `xen:` alone, to the display domain that xenstore
    /// names (`/tool/hyper-dmabuf/display`), or domain 0. It may come up later.
    Xen(Option<DomainId>),
    /// `wayland:NAME`: a Wayland socket that offers `hyper_dmabuf_manager_v1`, by its name in
    /// `$XDG_RUNTIME_DIR` or its path; `wayland:` alone takes `$WAYLAND_DISPLAY`.
    Wayland(Option<PathBuf>),
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address: expected shm:PATH, xen:[DOMID] or wayland:[NAME]")]
pub struct AddressError(String);

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text.split_once(':') {
            Some(("shm", path)) if !path.is_empty() => Ok(Address::Shm(path.into())),
            Some(("xen", "")) => Ok(Address::Xen(None)),
            Some(("xen", number)) => match number.parse().ok().and_then(DomainId::new) {
                Some(domain) => Ok(Address::Xen(Some(domain))),
                None => Err(AddressError(text.to_owned())),
            },
            Some(("wayland", "")) => Ok(Address::Wayland(None)),
            Some(("wayland", name)) => Ok(Address::Wayland(Some(name.into()))),
            _ => Err(AddressError(text.to_owned())),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Shm(path) => write!(f, "shm:{}", path.display()),
            Address::Xen(None) => write!(f, "xen:"),
            Address::Xen(Some(domain)) => write!(f, "xen:{domain}"),
            Address::Wayland(None) => write!(f, "wayland:"),
            Address::Wayland(Some(name)) => write!(f, "wayland:{}", name.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for text in
            ["shm:/run/work.sock", "wayland:", "wayland:wayland-1", "shm:a:b", "xen:", "xen:3"]
        {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        for text in ["", "shm:", "xen:work", "xen:32752", "/run/work.sock"] {
            let error = text.parse::<Address>().unwrap_err();
            assert!(error.to_string().contains("expected shm:PATH"), "{error}");
        }
    }
}
