//! Where a domain meets the display domain: a unix socket for each domain. The first message brings
//! the domain's memory, and a socket to introduce files on, if it will; what follows on the same
//! connection is the link.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

use super::foreign::{ForeignDomain, IntroductionError};
use super::memory::DomainMemory;
use crate::domain::DomainId;

/// What accompanies the memory. One message of its own, so that nothing of the link is read with it.
const GREETING: &[u8; 8] = b"HDMASHM1";

/// Why a domain could not reach the display domain.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nobody listens there.
    #[error(
        "cannot connect to {path}: is the compositor running with --domain NAME=shm:{path}, \
         and may this user reach the socket?"
    )]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        cause: io::Error,
    },
    /// The memory could not be sent.
    #[error("cannot hand this domain's memory over at {path}")]
    Introduce {
        /// The socket.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        cause: rustix::io::Errno,
    },
}

/// Connects to the display domain at `path` and hands `memory` over. The link follows on the
/// socket that is returned.
pub fn connect(path: &Path, memory: &DomainMemory) -> Result<UnixStream, ConnectError> {
    let socket = UnixStream::connect(path)
        .map_err(|cause| ConnectError::Connect { path: path.to_owned(), cause })?;
    let introductions = memory
        .introductions()
        .map_err(|cause| ConnectError::Introduce { path: path.to_owned(), cause })?;
    let files: Vec<BorrowedFd<'_>> =
        std::iter::once(memory.as_fd()).chain(introductions.as_ref().map(AsFd::as_fd)).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&files)); // Fits: the space is made for it.
    rustix::net::sendmsg(&socket, &[IoSlice::new(GREETING)], &mut control, SendFlags::NOSIGNAL)
        .map_err(|cause| ConnectError::Introduce { path: path.to_owned(), cause })?;
    Ok(socket)
}

/// The display domain's end: waits at a socket for one domain.
#[derive(Debug)]
pub struct Listener {
    socket: UnixListener,
    path: PathBuf,
}

impl Listener {
    /// Listens at `path`. A socket left there by a process that is gone is replaced.
    pub fn bind(path: &Path) -> io::Result<Listener> {
        match UnixListener::bind(path) {
            Ok(socket) => Self::listen(socket, path),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                if UnixStream::connect(path).is_ok() {
                    return Err(error);
                }
                std::fs::remove_file(path)?;
                Self::listen(UnixListener::bind(path)?, path)
            }
            Err(error) => Err(error),
        }
    }

    fn listen(socket: UnixListener, path: &Path) -> io::Result<Listener> {
        socket.set_nonblocking(true)?;
        Ok(Listener { socket, path: path.to_owned() })
    }

    /// The next connection, or `None` when nobody waits. It has not introduced itself yet.
    pub fn accept(&self) -> io::Result<Option<Arrival>> {
        match self.socket.accept() {
            Ok((socket, _)) => {
                socket.set_nonblocking(true)?;
                Ok(Some(Arrival { socket }))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A connection whose memory has not come yet.
#[derive(Debug)]
pub struct Arrival {
    socket: UnixStream,
}

/// What became of an [`Arrival`] that was looked at.
#[derive(Debug)]
pub enum Introduction {
    /// Nothing has come yet: look again when the socket is readable.
    Pending,
    /// The memory is here, and the link may begin on the socket.
    Done(ForeignDomain, UnixStream),
}

impl Arrival {
    /// Looks whether the memory has come, without waiting. The connection is that of `domain`,
    /// because of the socket that it arrived at. Until the memory is here, an arrival costs one
    /// descriptor: whoever watches it needs none of its own.
    pub fn introduction(
        &self,
        domain: DomainId,
        us: DomainId,
    ) -> Result<Introduction, IntroductionError> {
        let system = |what| move |cause| IntroductionError::System { what, cause };
        let mut greeting = [0; GREETING.len()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = rustix::net::recvmsg(
            &self.socket,
            &mut [IoSliceMut::new(&mut greeting)],
            &mut control,
            RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC,
        );
        let received = match received {
            Ok(received) => received,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {
                return Ok(Introduction::Pending);
            }
            Err(cause) => return Err(system("receive the domain's memory")(cause)),
        };
        let files: Vec<OwnedFd> = control
            .drain()
            .filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(files) => Some(files),
                _ => None,
            })
            .flatten()
            .collect();
        let mut files = files.into_iter();
        let (Some(file), introductions, None) = (files.next(), files.next(), files.next()) else {
            return Err(IntroductionError::BadLayout("one file, or two, must come with it"));
        };
        if received.bytes != GREETING.len() || greeting != *GREETING {
            return Err(IntroductionError::BadLayout("it did not come with the greeting"));
        }
        let domain = ForeignDomain::introduce_with_files(file, introductions, domain, us)?;
        let socket = rustix::io::fcntl_dupfd_cloexec(&self.socket, 0)
            .map_err(system("go on with the connection"))?;
        Ok(Introduction::Done(domain, socket.into()))
    }
}

impl AsFd for Arrival {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
