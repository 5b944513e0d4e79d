//! What stands in for a descriptor: a file's content, or a pipe.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, MemfdFlags, Mode, OFlags, SealFlags};
use rustix::io::Errno;

use super::credit::{Allowance, Permit};
use super::pipe::Direction;
use super::reason::{Reason, ReasonCode};

/// A descriptor from a local app that goes to the other end.
#[derive(Debug)]
pub(super) enum Outbound {
    /// A file: `sent` is `None` until the other end has been told its size.
    File { file: OwnedFd, size: u32, sent: Option<u32>, _permit: Permit },
    /// One end of a pipe.
    Pipe { end: OwnedFd, direction: Direction, _permit: Permit },
}

impl Outbound {
    /// Finds out what a descriptor is; `largest` bounds the content of a file, in bytes.
    pub(super) fn classify(
        descriptor: OwnedFd,
        largest: u32,
        descriptors: &Allowance,
    ) -> Result<Outbound, Reason> {
        let permit = waiting_permit(descriptors)?;
        let unreadable = |error: Errno| {
            Reason::new(
                ReasonCode::Unsupported,
                format!("a descriptor tells nothing of itself: {error}"),
            )
        };
        let status = rustix::fs::fstat(&descriptor).map_err(unreadable)?;
        let flags = rustix::fs::fcntl_getfl(&descriptor).map_err(unreadable)?;
        let kind = FileType::from_raw_mode(status.st_mode);
        let access = if flags.contains(OFlags::PATH) { None } else { Some(flags & OFlags::RWMODE) };
        match (kind, access) {
            (FileType::RegularFile, Some(OFlags::RDONLY | OFlags::RDWR)) => {
                match u32::try_from(status.st_size) {
                    Ok(size) if size <= largest => {
                        Ok(Outbound::File { file: descriptor, size, sent: None, _permit: permit })
                    }
                    _ => Err(Reason::new(
                        ReasonCode::Limit,
                        format!("a file of {} bytes, where {largest} may cross", status.st_size),
                    )),
                }
            }
            (FileType::Fifo, Some(OFlags::RDONLY)) => Ok(Outbound::Pipe {
                end: descriptor,
                direction: Direction::FromHere,
                _permit: permit,
            }),
            (FileType::Fifo, Some(OFlags::WRONLY)) => Ok(Outbound::Pipe {
                end: descriptor,
                direction: Direction::ToHere,
                _permit: permit,
            }),
            (kind, _) => Err(Reason::new(
                ReasonCode::Unsupported,
                format!(
                    "a descriptor that cannot cross: {kind:?}, opened {:?}",
                    flags & OFlags::RWMODE
                ),
            )),
        }
    }
}

/// A descriptor that waits for the bytes that it comes with.
#[derive(Debug)]
pub(super) struct Waiting {
    descriptor: OwnedFd,
    _descriptor_permit: Permit,
    _content_permit: Option<Permit>,
}

impl Waiting {
    pub(super) fn pipe(descriptor: OwnedFd, descriptors: &Allowance) -> Result<Waiting, Reason> {
        Ok(Waiting {
            descriptor,
            _descriptor_permit: waiting_permit(descriptors)?,
            _content_permit: None,
        })
    }
}

impl AsFd for Waiting {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// The content of a file that is arriving.
#[derive(Debug)]
pub(super) struct ArrivingFile {
    memory: OwnedFd,
    size: u32,
    written: u32,
    descriptor_permit: Permit,
    content_permit: Permit,
}

impl ArrivingFile {
    /// Begins a file; `size`, in bytes, is already known to be within the limit. Memory is only
    /// taken as content arrives.
    pub(super) fn begin(
        size: u32,
        descriptors: &Allowance,
        content: &Allowance,
    ) -> Result<ArrivingFile, Reason> {
        Ok(ArrivingFile {
            descriptor_permit: waiting_permit(descriptors)?,
            content_permit: content.take(size).ok_or_else(|| {
                Reason::new(ReasonCode::Resources, "too much file content waits for the apps here")
            })?,
            memory: create_memory().map_err(no_memory)?,
            size,
            written: 0,
        })
    }

    /// Bytes that are still to come.
    pub(super) fn missing(&self) -> u32 {
        self.size - self.written
    }

    /// Adds content, at most [`Self::missing`] bytes of it.
    pub(super) fn add(&mut self, mut bytes: &[u8]) -> Result<(), Reason> {
        while !bytes.is_empty() {
            let count = rustix::io::pwrite(&self.memory, bytes, u64::from(self.written))
                .map_err(no_memory)?;
            bytes = bytes.get(count..).unwrap_or_default();
            self.written += count as u32;
        }
        Ok(())
    }

    /// Seals the complete file for the app.
    pub(super) fn finish(self) -> Result<Waiting, Reason> {
        let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
        rustix::fs::fcntl_add_seals(&self.memory, seals).map_err(no_memory)?;
        Ok(Waiting {
            descriptor: read_only(self.memory),
            _descriptor_permit: self.descriptor_permit,
            _content_permit: Some(self.content_permit),
        })
    }
}

fn create_memory() -> Result<OwnedFd, Errno> {
    const NAME: &str = "hyper-dmabuf-link-file";
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match rustix::fs::memfd_create(NAME, flags | MemfdFlags::NOEXEC_SEAL) {
        // Before Linux 6.3.
        Err(Errno::INVAL) => rustix::fs::memfd_create(NAME, flags),
        result => result,
    }
}

/// The same memory without write access: before Linux 6.7 a write-sealed file that is open for
/// writing cannot be mapped shared, which old clients do with keymaps.
fn read_only(memory: OwnedFd) -> OwnedFd {
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fd/{}", memory.as_raw_fd());
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    // Without /proc the sealed file itself does for everybody else.
    rustix::fs::open(path, flags, Mode::empty()).unwrap_or(memory)
}

fn waiting_permit(descriptors: &Allowance) -> Result<Permit, Reason> {
    descriptors.take(1).ok_or_else(|| {
        Reason::new(ReasonCode::Resources, "too many descriptors wait for the apps here")
    })
}

fn no_memory(error: Errno) -> Reason {
    Reason::new(ReasonCode::Resources, format!("cannot keep the content of a file: {error}"))
}
