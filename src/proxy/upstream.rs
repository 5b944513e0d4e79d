//! The link to the display domain, and what is shared over it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use super::sharing::Sharing;
use crate::client::{Address, ReachError, Reached};
use crate::hypervisor::{GuestTransport, SharedMemory};
use crate::link::{
    ClockOffset, Limits, Link, LinkError, LinkEvent, OpenError, Reason, ReasonCode, Role, StreamId,
};

/// Pages of apps' own files that are shown at a time, where room is to be made for them: 2 GiB, which
/// costs nothing here.
const PAGES_OF_FILES: u32 = 1 << 19;

/// A link, open or about to be.
#[derive(Debug)]
pub(super) struct Upstream {
    link: Link<GuestTransport>,
    memory: SharedMemory,
    /// From the handshake on.
    sharing: Option<Sharing>,
    /// As it was told to people.
    clock: ClockOffset,
}

/// Why the display domain could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// There is no way to it.
    #[error(transparent)]
    Reach(#[from] ReachError),
    /// The link could not be set up.
    #[error("cannot set the link up")]
    Link(#[from] LinkError),
}

/// What the link has to tell.
#[derive(Debug)]
pub(super) enum News {
    Ready,
    StreamClosed(StreamId, Reason),
    Closed(Reason),
}

impl Upstream {
    pub(super) fn connect(address: &Address) -> Result<Upstream, UpstreamError> {
        let Reached { transport, memory } = address.reach(PAGES_OF_FILES)?;
        let link = Link::new(transport, Role::Guest, Limits::default())?;
        Ok(Upstream { link, memory, sharing: None, clock: ClockOffset::NONE })
    }

    /// What becomes readable when [`news`](Self::news) has something to do.
    pub(super) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.link.as_fd().try_clone_to_owned()
    }

    /// Moves what there is to move.
    pub(super) fn news(&mut self) -> io::Result<Vec<News>> {
        self.link.dispatch()?;
        let mut news = Vec::new();
        while let Some(event) = self.link.next_event() {
            match event {
                LinkEvent::Ready { guest, display } => {
                    self.sharing = Some(Sharing::new(self.memory.clone(), guest, display));
                    news.push(News::Ready);
                }
                // Only guests open streams, and only the display domain counts what they bring.
                LinkEvent::Opened { .. } | LinkEvent::Excess { .. } => {}
                LinkEvent::StreamClosed { stream, reason, .. } => {
                    news.push(News::StreamClosed(stream, reason));
                }
                LinkEvent::Closed { reason, .. } => news.push(News::Closed(reason)),
            }
        }
        self.tell_clock();
        Ok(news)
    }

    fn tell_clock(&mut self) {
        let before = std::mem::replace(&mut self.clock, self.link.clock_offset());
        if self.clock == before {
            return;
        }
        let ahead = self.clock.nanoseconds() as f64 / 1e9;
        if before == ClockOffset::NONE {
            tracing::info!("this domain's clock is {ahead:.6} s ahead of the display domain's");
        } else {
            tracing::debug!("this domain's clock is {ahead:.6} s ahead of the display domain's");
        }
    }

    /// What is shared; `None` before the handshake.
    pub(super) fn sharing(&mut self) -> Option<&mut Sharing> {
        self.sharing.as_mut()
    }

    /// How far this domain's clock is ahead of the display domain's.
    pub(super) fn clock_offset(&self) -> ClockOffset {
        self.link.clock_offset()
    }

    /// A stream of its own for one app.
    pub(super) fn open(&mut self) -> Result<(StreamId, UnixStream), OpenError> {
        let (ours, links) = UnixStream::pair()?;
        let stream = self.link.open(links)?;
        Ok((stream, ours))
    }

    /// Says goodbye: every stream ends.
    pub(super) fn close(&mut self) {
        self.link.close(Reason::new(ReasonCode::Finished, "the proxy has ended"));
        let _ = self.link.dispatch(); // As far as it goes without waiting.
    }
}
