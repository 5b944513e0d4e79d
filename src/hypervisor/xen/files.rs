//! Granting pages of other programs' files as they are: a memfd's pages as a udmabuf, and its pages as
//! grants. Nothing is copied.
//!
//! It takes a kernel that can (`CONFIG_UDMABUF`, `CONFIG_XEN_GNTDEV_DMABUF`) in a domain with hardware
//! support (PVH, HVM). In a paravirtual one the kernel says that it has granted, but takes the
//! machine's frames for the domain's own: it must not even be tried there.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;

use super::device::DeviceError;
use super::gntdev::RequestError;
use super::gntdev_dmabuf::{self, GrantedDmabuf};
use super::udmabuf::{MOST_PAGES, SIZE_LIMIT, UdmabufDevice};
use crate::domain::DomainId;
use crate::grant::{GrantError, GrantRef, PAGE_SIZE, PageCount, size_of_dmabuf};

/// Where the kernel tells what kind of domain this is.
const GUEST_TYPE: &str = "/sys/hypervisor/guest_type";

/// What it takes to grant pages of files.
#[derive(Debug)]
pub(super) struct FileGrants {
    udmabuf: UdmabufDevice,
}

/// Why pages of files cannot be granted in this domain.
#[derive(Debug, thiserror::Error)]
pub(super) enum CannotGrantFiles {
    #[error(
        "this is a domain of type {0:?}, and only PVH and HVM guests can (type = \"pvh\" in its xl.cfg)"
    )]
    Domain(String),
    #[error("{GUEST_TYPE} cannot be read: {0}")]
    Unknown(std::io::Error),
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error(
        "the driver gntdev of this kernel cannot grant dma-bufs (CONFIG_XEN_GNTDEV_DMABUF): \
         packaging/dkms builds one that can"
    )]
    Driver,
    #[error("a page of a file cannot be granted: {0}")]
    Refused(Errno),
}

/// Pages of a file that are granted, one piece for each udmabuf.
#[derive(Debug)]
pub(super) struct FilePages {
    pub(super) references: Vec<GrantRef>,
    _pieces: Vec<GrantedDmabuf>,
}

/// Whether the kernel would tell the truth in a domain of this type.
fn is_sound(guest_type: &str) -> bool {
    matches!(guest_type, "PVH" | "HVM")
}

impl FileGrants {
    /// Finds out whether it works here, by granting a page to this domain's own peer, domain `to`,
    /// for a moment.
    pub(super) fn probe(to: DomainId) -> Result<FileGrants, CannotGrantFiles> {
        let guest_type = std::fs::read_to_string(GUEST_TYPE).map_err(CannotGrantFiles::Unknown)?;
        let guest_type = guest_type.trim_end();
        if !is_sound(guest_type) {
            return Err(CannotGrantFiles::Domain(guest_type.to_owned()));
        }
        let grants = FileGrants { udmabuf: UdmabufDevice::open()? };
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let granted = rustix::fs::memfd_create("hyper-dmabuf probe", flags)
            .and_then(|file| {
                rustix::fs::ftruncate(&file, PAGE_SIZE as u64)?;
                rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK)?;
                Ok(file)
            })
            .map_err(RequestError::System)
            .and_then(|file| {
                let one = PageCount::new(1).ok_or(RequestError::System(Errno::INVAL))?;
                grants.piece(file.as_fd(), 0, one, to)
            });
        match granted {
            Ok(_) => Ok(grants),
            Err(RequestError::System(Errno::NOTTY)) => Err(CannotGrantFiles::Driver),
            Err(RequestError::System(cause)) => Err(CannotGrantFiles::Refused(cause)),
            Err(RequestError::Device(error)) => Err(error.into()),
        }
    }

    fn piece(
        &self,
        file: BorrowedFd<'_>,
        first: u32,
        pages: PageCount,
        to: DomainId,
    ) -> Result<GrantedDmabuf, RequestError> {
        let dmabuf = self.udmabuf.create(file, first, pages).map_err(RequestError::System)?;
        // The driver has a hold of the dma-buf of its own from here on.
        GrantedDmabuf::new(dmabuf.as_fd(), pages.get() as usize, to)
    }

    /// Grants `pages` pages of `file` from page `first` on to domain `to`, for writing, since the
    /// driver knows nothing else. A dma-buf is granted as a whole, or not at all.
    pub(super) fn grant(
        &self,
        file: BorrowedFd<'_>,
        first: u32,
        pages: PageCount,
        to: DomainId,
    ) -> Result<FilePages, GrantError> {
        if let Some(bytes) = size_of_dmabuf(file) {
            let whole = bytes == pages.bytes() as u64;
            if first != 0 || !whole || pages.get() as usize > gntdev_dmabuf::MOST_PAGES {
                return Err(GrantError::Unsuitable("of a dma-buf all pages are granted, or none"));
            }
            let all = GrantedDmabuf::new(file, pages.get() as usize, to);
            let all = all.map_err(|error| explain(error, pages))?;
            return Ok(FilePages { references: all.references().to_vec(), _pieces: vec![all] });
        }
        let (mut references, mut granted) = (Vec::new(), Vec::new());
        let mut done = 0;
        while let Some(piece) = PageCount::new((pages.get() - done).min(MOST_PAGES)) {
            let at = first.checked_add(done).ok_or(GrantError::Unsuitable("it is too large"))?;
            let grants = self.piece(file, at, piece, to).map_err(|error| explain(error, pages))?;
            references.extend_from_slice(grants.references());
            granted.push(grants);
            done += piece.get();
        }
        Ok(FilePages { references, _pieces: granted })
    }
}

fn explain(error: RequestError, wanted: PageCount) -> GrantError {
    match error {
        RequestError::Device(error) => GrantError::Unavailable(error.to_string()),
        RequestError::System(Errno::NOSPC) => GrantError::Limit {
            wanted,
            limit: 0,
            remedy: "this domain's grant table is full: raise max_grant_frames in its xl.cfg (512 \
                     pages each)",
        },
        RequestError::System(Errno::INVAL) if size_limit() < u64::from(MOST_PAGES) => {
            GrantError::Limit {
                wanted,
                limit: size_limit(),
                remedy: "as root, write 64 into /sys/module/udmabuf/parameters/size_limit_mb",
            }
        }
        RequestError::System(Errno::INVAL | Errno::BADFD) => GrantError::Unsuitable(
            "it has to be a memfd with F_SEAL_SHRINK and without F_SEAL_WRITE",
        ),
        RequestError::System(cause) => {
            GrantError::System { what: "grant pages of a file as they are", cause }
        }
    }
}

/// The most pages of one udmabuf, as the driver has it now.
fn size_limit() -> u64 {
    let mebibytes = std::fs::read_to_string(SIZE_LIMIT).ok();
    let mebibytes: Option<u64> = mebibytes.and_then(|text| text.trim().parse().ok());
    mebibytes.map_or(u64::MAX, |mebibytes| mebibytes.saturating_mul(256))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paravirtual_domains_are_not_even_tried() {
        assert!(is_sound("PVH") && is_sound("HVM"));
        assert!(!is_sound("PV") && !is_sound("") && !is_sound("Xen"));
    }

    #[test]
    fn errors_say_what_to_do() {
        let wanted = PageCount::new(2025).unwrap();
        let said = |errno| explain(RequestError::System(errno), wanted).to_string();
        assert!(said(Errno::NOSPC).contains("max_grant_frames"), "{}", said(Errno::NOSPC));
        assert!(said(Errno::BADFD).contains("F_SEAL_SHRINK"), "{}", said(Errno::BADFD));
        assert!(CannotGrantFiles::Domain("PV".into()).to_string().contains("PVH"));
        assert!(CannotGrantFiles::Driver.to_string().contains("packaging/dkms"));
    }
}
