//! The local end of a stream: bytes and descriptors of one Wayland connection.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

use super::limits::MAX_ATTACHMENTS;
use super::number::StreamId;
use super::readiness::{Key, Poller, Watched};
use super::reason::{Reason, ReasonCode};

/// Room for the control data of the largest burst; too small a buffer corrupts streams.
const CONTROL: usize = rustix::cmsg_space!(ScmRights(MAX_ATTACHMENTS));

// Edge-triggered, because a stream without credit leaves its socket readable. Room to write is
// only asked for after a write found none, so that an app that reads does not wake the link.
const LISTENING: EventFlags = EventFlags::IN.union(EventFlags::RDHUP).union(EventFlags::ET);

/// One end of a socket pair, or an accepted connection. Shut down when dropped, so that the app
/// sees a closed connection even if somebody else holds the same socket.
#[derive(Debug)]
pub(super) struct LocalSocket {
    socket: Watched<UnixStream>,
}

/// What came from the app.
#[derive(Debug)]
pub(super) enum Received {
    Bytes { count: usize, descriptors: Vec<OwnedFd> },
    Nothing,
    HungUp,
}

/// What became of bytes for the app.
#[derive(Debug)]
pub(super) enum Sent {
    Bytes(usize),
    Blocked,
    HungUp,
}

impl LocalSocket {
    pub(super) fn new(socket: UnixStream, stream: StreamId, poller: &Poller) -> io::Result<Self> {
        Ok(LocalSocket { socket: poller.watch(socket, Key::Stream(stream), LISTENING)? })
    }

    /// Takes what the app has sent. The kernel ends a message after the bytes that carried
    /// descriptors, so these descriptors belong to these bytes.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> Result<Received, Reason> {
        let mut space = [MaybeUninit::uninit(); CONTROL];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let mut slices = [IoSliceMut::new(buffer)];
        let message =
            match rustix::net::recvmsg(self.socket.file(), &mut slices, &mut control, flags) {
                Ok(message) => message,
                Err(Errno::AGAIN | Errno::INTR) => return Ok(Received::Nothing),
                Err(Errno::CONNRESET) => return Ok(Received::HungUp),
                Err(error) => return Err(broken("read from", error)),
            };
        if message.flags.contains(ReturnFlags::CTRUNC) {
            // The kernel dropped some: what the app meant can no longer be told.
            let text = "descriptors were lost on the way from the app: too many are open here";
            return Err(Reason::new(ReasonCode::Resources, text));
        }
        let mut descriptors = Vec::new();
        for ancillary in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = ancillary {
                descriptors.extend(rights);
            }
        }
        Ok(match message.bytes {
            0 => Received::HungUp,
            count => Received::Bytes { count, descriptors },
        })
    }

    /// Hands bytes to the app, and the descriptors with the first of them: either all the
    /// descriptors and at least one byte, or nothing.
    pub(super) fn send(
        &mut self,
        bytes: &[u8],
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<Sent, Reason> {
        let mut space = [MaybeUninit::uninit(); CONTROL];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(Reason::new(
                ReasonCode::Limit,
                "more descriptors than a message can carry",
            ));
        }
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let slices = [IoSlice::new(bytes)];
        match rustix::net::sendmsg(self.socket.file(), &slices, &mut control, flags) {
            Ok(count) => Ok(Sent::Bytes(count)),
            Err(Errno::AGAIN | Errno::INTR) => {
                self.watch_for_room(true)?;
                Ok(Sent::Blocked)
            }
            Err(Errno::PIPE | Errno::CONNRESET) => Ok(Sent::HungUp),
            Err(error) => Err(broken("write to", error)),
        }
    }

    pub(super) fn watch_for_room(&mut self, wanted: bool) -> Result<(), Reason> {
        let flags = if wanted { LISTENING | EventFlags::OUT } else { LISTENING };
        self.socket.set_flags(flags).map_err(|error| {
            Reason::new(ReasonCode::Resources, format!("cannot wait for the app: {error}"))
        })
    }
}

impl Drop for LocalSocket {
    fn drop(&mut self) {
        // An error means that the app was faster.
        let _ = self.socket.file().shutdown(Shutdown::Both);
    }
}

fn broken(what: &str, error: Errno) -> Reason {
    Reason::new(ReasonCode::Resources, format!("cannot {what} the app: {error}"))
}
