//! `/dev/xen/evtchn`: event channels, one to a descriptor.
//!
//! An event says only that something has happened. The driver masks a port when it raises an
//! event, until [`EventChannel::acknowledge`].

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::OFlags;
use rustix::io::{self, Errno};
use rustix::ioctl::Opcode;

use super::device::{self, DeviceError};
use super::ioctl::{number, request};
use crate::domain::DomainId;

/// `IOCTL_EVTCHN_BIND_INTERDOMAIN`
pub const BIND_INTERDOMAIN: Opcode = number(b'E', 1, 8);
/// `IOCTL_EVTCHN_BIND_UNBOUND_PORT`
pub const BIND_UNBOUND_PORT: Opcode = number(b'E', 2, 4);
/// `IOCTL_EVTCHN_NOTIFY`
pub const NOTIFY: Opcode = number(b'E', 4, 4);

/// Ports that are read at once. One descriptor here has one port, so one would do.
const PORTS: usize = 8;

/// One end of an event channel. Dropped, it is closed.
#[derive(Debug)]
pub struct EventChannel {
    device: OwnedFd,
    port: u32,
}

/// Why there is no event channel.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// There is no device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The hypervisor refuses.
    #[error("cannot bind an event channel with domain {domain}: {cause}")]
    Refused {
        /// Who was to be at the other end.
        domain: DomainId,
        /// What the kernel said.
        cause: Errno,
    },
}

impl EventChannel {
    /// A new channel that `domain` may bind the other end of.
    ///
    /// # Errors
    /// There is no device, or no port is left.
    pub fn offer(domain: DomainId) -> Result<EventChannel, BindError> {
        Self::bind(BIND_UNBOUND_PORT, &mut [u32::from(domain.number())], domain)
    }

    /// The other end of the channel that `domain` offered as `port`.
    ///
    /// # Errors
    /// There is no device, or `domain` did not offer that port to this domain.
    pub fn connect(domain: DomainId, port: u32) -> Result<EventChannel, BindError> {
        Self::bind(BIND_INTERDOMAIN, &mut [u32::from(domain.number()), port], domain)
    }

    fn bind(
        opcode: Opcode,
        words: &mut [u32],
        domain: DomainId,
    ) -> Result<EventChannel, BindError> {
        let device = device::open("/dev/xen/evtchn", "xen-evtchn", OFlags::NONBLOCK)?;
        // SAFETY: both requests read the words of their structure, one or two, and write nothing.
        let port = unsafe { request(&device, opcode, words) };
        let port = port.map_err(|cause| BindError::Refused { domain, cause })?;
        // The kernel returns ports, which are never negative.
        Ok(EventChannel { device, port: port.unsigned_abs() })
    }

    /// The number of this end.
    pub fn port(&self) -> u32 {
        self.port
    }

    /// Raises an event at the other end, if there is one.
    ///
    /// # Errors
    /// Only if the port is not bound, which it is as long as `self` lives.
    pub fn notify(&self) -> io::Result<()> {
        // SAFETY: the driver reads one word and writes nothing.
        unsafe { request(&self.device, NOTIFY, &mut [self.port]) }.map(drop)
    }

    /// Takes the event that made the descriptor readable, so that the next one is told; false if there
    /// was none. What the event is about is to be looked at after this, never before.
    ///
    /// # Errors
    /// The driver lost events, which one port cannot make it do.
    pub fn acknowledge(&self) -> io::Result<bool> {
        let mut ports = [0; PORTS * size_of::<u32>()];
        let bytes = match io::retry_on_intr(|| io::read(&self.device, &mut ports)) {
            Ok(bytes) => bytes,
            Err(Errno::AGAIN) => return Ok(false),
            Err(error) => return Err(error),
        };
        // Written back, they are unmasked; the driver takes them whole.
        io::retry_on_intr(|| io::write(&self.device, &ports[..bytes])).map(|_| true)
    }
}

impl AsFd for EventChannel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}
