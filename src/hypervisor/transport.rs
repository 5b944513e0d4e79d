//! A guest's end of a link, whichever back end it was chosen from.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use super::xen::GuestChannel;
use crate::link::Transport;

/// What carries a guest's link.
#[derive(Debug)]
pub enum GuestTransport {
    /// On one machine without a hypervisor.
    Shm(UnixStream),
    /// On Xen.
    Xen(Box<GuestChannel>),
}

impl AsFd for GuestTransport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            GuestTransport::Shm(socket) => socket.as_fd(),
            GuestTransport::Xen(channel) => channel.as_fd(),
        }
    }
}

impl Transport for GuestTransport {
    fn is_readable_when_writable(&self) -> bool {
        match self {
            GuestTransport::Shm(socket) => socket.is_readable_when_writable(),
            GuestTransport::Xen(channel) => channel.is_readable_when_writable(),
        }
    }

    fn acknowledge(&mut self) -> io::Result<()> {
        match self {
            GuestTransport::Shm(socket) => socket.acknowledge(),
            GuestTransport::Xen(channel) => channel.acknowledge(),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            GuestTransport::Shm(socket) => Transport::read(socket, buffer),
            GuestTransport::Xen(channel) => channel.read(buffer),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            GuestTransport::Shm(socket) => Transport::write(socket, bytes),
            GuestTransport::Xen(channel) => channel.write(bytes),
        }
    }
}
