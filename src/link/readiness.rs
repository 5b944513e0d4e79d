//! One epoll descriptor for everything that a link waits for.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};

use super::number::{PipeId, StreamId};

/// Who is waited for. No key is ever used twice on a link, so a late event finds nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Transport,
    Wake,
    Stream(StreamId),
    Pipe(PipeId),
}

impl Key {
    fn pack(self) -> u64 {
        match self {
            Key::Transport => 0,
            Key::Wake => 1,
            Key::Stream(stream) => 1 << 32 | u64::from(stream.number()),
            Key::Pipe(pipe) => 2 << 32 | u64::from(pipe.number()),
        }
    }

    fn unpack(packed: u64) -> Option<Key> {
        let number = packed as u32;
        match packed >> 32 {
            0 if number == 0 => Some(Key::Transport),
            0 => Some(Key::Wake),
            1 => StreamId::new(number).map(Key::Stream),
            2 => PipeId::new(number).map(Key::Pipe),
            _ => None,
        }
    }
}

/// The epoll descriptor.
#[derive(Clone, Debug)]
pub(super) struct Poller {
    epoll: Arc<OwnedFd>,
}

impl Poller {
    /// Events fetched by one system call.
    const BATCH: usize = 64;

    pub(super) fn new() -> io::Result<Poller> {
        Ok(Poller { epoll: Arc::new(epoll::create(epoll::CreateFlags::CLOEXEC)?) })
    }

    pub(super) fn shared_fd(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.epoll)
    }

    pub(super) fn watch<F: AsFd>(
        &self,
        file: F,
        key: Key,
        flags: EventFlags,
    ) -> io::Result<Watched<F>> {
        epoll::add(&self.epoll, &file, epoll::EventData::new_u64(key.pack()), flags)?;
        Ok(Watched { poller: self.clone(), key, flags, file })
    }

    /// What has become ready; waits for something when `blocking`.
    pub(super) fn ready(&self, blocking: bool) -> io::Result<Vec<(Key, EventFlags)>> {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut events = Vec::with_capacity(Self::BATCH);
        let timeout = if blocking { None } else { Some(&now) };
        rustix::io::retry_on_intr(|| {
            epoll::wait(&self.epoll, spare_capacity(&mut events), timeout)
        })?;
        Ok(events
            .into_iter()
            .filter_map(|event| {
                let (data, flags) = (event.data, event.flags);
                Some((Key::unpack(data.u64())?, flags))
            })
            .collect())
    }
}

/// A file that is watched until it is dropped.
///
/// The explicit removal matters: an app may hold another descriptor of the same open pipe, and
/// closing ours alone would leave it in the epoll set.
#[derive(Debug)]
pub(super) struct Watched<F: AsFd> {
    poller: Poller,
    key: Key,
    flags: EventFlags,
    file: F,
}

impl<F: AsFd> Watched<F> {
    pub(super) fn file(&self) -> &F {
        &self.file
    }

    pub(super) fn file_mut(&mut self) -> &mut F {
        &mut self.file
    }

    /// Waits for other things from now on. An edge-triggered file that is ready already is
    /// reported again.
    pub(super) fn set_flags(&mut self, flags: EventFlags) -> io::Result<()> {
        if flags != self.flags {
            let data = epoll::EventData::new_u64(self.key.pack());
            epoll::modify(&self.poller.epoll, &self.file, data, flags)?;
            self.flags = flags;
        }
        Ok(())
    }
}

impl<F: AsFd> Drop for Watched<F> {
    fn drop(&mut self) {
        // Cannot fail for a file that was added and is still open.
        let _ = epoll::delete(&self.poller.epoll, &self.file);
    }
}

/// Makes the link's descriptor readable from this side: there is work that no file announces.
#[derive(Debug)]
pub(super) struct Wake {
    counter: Watched<OwnedFd>,
}

impl Wake {
    pub(super) fn new(poller: &Poller) -> io::Result<Wake> {
        let counter = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Wake { counter: poller.watch(counter, Key::Wake, EventFlags::IN)? })
    }

    pub(super) fn set(&self) {
        // Fails only at 2^64 - 1 wake-ups, when the counter is readable anyway.
        let _ = rustix::io::write(self.counter.file(), &1u64.to_ne_bytes());
    }

    pub(super) fn clear(&self) {
        // Fails only when it was clear.
        let _ = rustix::io::read(self.counter.file(), &mut [0; 8]);
    }
}
