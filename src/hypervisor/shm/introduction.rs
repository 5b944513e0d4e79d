//! How a domain says that some of its references stand for pages of a file that it was given: one
//! message with the file, on a socket that came with the domain's memory.
//!
//! The kernel has the message in the receiver's queue before the sender goes on. So whoever is asked
//! over the link to map such references finds, if it looks now, what they stand for.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

/// `pages` references from `reference` on stand for the pages from `page` on of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FilePages {
    pub(super) reference: u32,
    pub(super) pages: u32,
    pub(super) page: u32,
}

/// What came.
#[derive(Debug)]
pub(super) enum Received {
    Pages(FilePages, OwnedFd),
    /// Not what the above says.
    Nonsense,
    /// No more for now, or for ever.
    Nothing,
}

const BYTES: usize = 12;

/// The two ends: the domain's and the display domain's.
pub(super) fn pair() -> Result<(OwnedFd, OwnedFd), Errno> {
    let (family, flags) = (AddressFamily::UNIX, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK);
    rustix::net::socketpair(family, SocketType::SEQPACKET, flags, None)
}

/// Says it, or fails at once: the queue of those who do not look is short.
pub(super) fn send(
    socket: BorrowedFd<'_>,
    said: FilePages,
    file: BorrowedFd<'_>,
) -> Result<(), Errno> {
    let files = [file];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&files)); // Fits: the space is made for it.
    let mut bytes = [0; BYTES];
    bytes[..4].copy_from_slice(&said.reference.to_ne_bytes());
    bytes[4..8].copy_from_slice(&said.pages.to_ne_bytes());
    bytes[8..].copy_from_slice(&said.page.to_ne_bytes());
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    rustix::net::sendmsg(socket, &[IoSlice::new(&bytes)], &mut control, flags).map(drop)
}

/// The next one, without waiting.
pub(super) fn receive(socket: BorrowedFd<'_>) -> Received {
    let mut bytes = [0; BYTES];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let received =
        rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags);
    let mut files = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => Some(files),
        _ => None,
    });
    let file = files.next().and_then(|mut files| files.next());
    match received {
        Ok(message) if message.bytes == 0 && file.is_none() => Received::Nothing,
        Ok(message) => {
            let word = |at: usize| {
                u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
            };
            let pages = FilePages { reference: word(0), pages: word(4), page: word(8) };
            let lost = message.flags.intersects(ReturnFlags::CTRUNC | ReturnFlags::TRUNC);
            match file {
                Some(file) if message.bytes == BYTES && !lost => Received::Pages(pages, file),
                _ => Received::Nonsense,
            }
        }
        Err(_) => Received::Nothing,
    }
}
