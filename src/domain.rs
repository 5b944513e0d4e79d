//! Who is who: the number of a domain.

use std::fmt;

/// The number of a domain, as the hypervisor tells it; never taken from a message.
///
/// Sixteen bits wide, as in Xen's public headers (`domid_t`). The eight bits that a
/// [`HyperDmabufId`](crate::id::HyperDmabufId) carries are a hint for people, not an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DomainId(u16);

impl DomainId {
    /// The domain that owns the screen when nothing else is said: Xen's dom0.
    pub const DISPLAY: DomainId = DomainId(0);

    /// The first number that never names a domain (`DOMID_FIRST_RESERVED`, xen/include/public/xen.h).
    pub const FIRST_RESERVED: u16 = 0x7ff0;

    /// The domain with this number, or `None` for the numbers that Xen reserves.
    pub const fn new(number: u16) -> Option<DomainId> {
        if number < Self::FIRST_RESERVED { Some(DomainId(number)) } else { None }
    }

    /// The number.
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for DomainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_xens_public_headers() {
        let widest: xen_sys::domid_t = DomainId::FIRST_RESERVED - 1;
        assert_eq!(DomainId::new(widest).map(DomainId::number), Some(widest));
        assert_eq!(DomainId::new(widest + 1), None);
        assert_eq!(DomainId::DISPLAY.number(), 0);
    }
}
