//! The byte stream under a link.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use rustix::net::{RecvFlags, SendFlags};

/// A reliable, ordered, non-blocking byte stream between two domains.
///
/// The descriptor of [`AsFd`] is watched level-triggered. Neither [`read`](Self::read) nor
/// [`write`](Self::write) may ever block.
pub trait Transport: AsFd {
    /// True where the descriptor becomes readable also when there is room to write again, and is
    /// of no use to wait for writability (Xen's event channels). False for sockets. Always the same
    /// for one transport.
    fn is_readable_when_writable(&self) -> bool {
        false
    }

    /// Called once when the descriptor has become ready, before anything is read or written;
    /// event channels are cleared and unmasked here.
    ///
    /// # Errors
    /// Any error closes the link.
    fn acknowledge(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Reads what has arrived. Fewer bytes than `buffer` has room for mean that nothing is left;
    /// 0 means that the peer has hung up.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when nothing has arrived; any other closes the link.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes as much of `bytes` as there is room for, and says how much that was.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when there is no room; any other means that the peer no
    /// longer reads (what it has said is still read to the end).
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
}

/// One host, no hypervisor. The socket need not be set to non-blocking.
impl Transport for UnixStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (_, count) = rustix::net::recv(&*self, buffer, RecvFlags::DONTWAIT)?;
        Ok(count)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::net::send(&*self, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
    }
}
