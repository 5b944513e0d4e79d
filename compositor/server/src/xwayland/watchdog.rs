//! Nobody waits for Xwayland for long.
//!
//! Smithay's window manager waits for answers in the thread that draws. An X11 program can keep Xwayland
//! busy for minutes with one request, or have it answer nobody else by grabbing the server (Xwayland 22.1
//! ignores that), and X11 tells nobody which program it was. So a thread sees to it that no question
//! takes long: it closes the window manager's connection, so that whoever waits there goes on, and kills
//! Xwayland. While nothing is asked, it sleeps.

use std::{
    io,
    net::Shutdown,
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use rustix::process::{Signal, pidfd_send_signal};

/// How long an answer is awaited: these many slices, and what is left of the one in which it was asked for.
/// Of a time in which the whole machine stood still, only one slice counts.
const SLICES: u32 = 4;
const SLICE: Duration = Duration::from_millis(250);

/// Watches until it is dropped.
#[derive(Debug)]
pub(super) struct Watchdog(Watch);

/// What is done within a watch is ended when it takes too long.
#[derive(Clone, Debug)]
pub(super) struct Watch(Arc<Watched>);

#[derive(Debug)]
struct Watched {
    connection: UnixStream,
    process: Option<OwnedFd>,
    now: Mutex<Now>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Now {
    /// Something may wait for Xwayland.
    asking: bool,
    /// How often that began, which tells one question from the next.
    questions: u64,
    /// The thread waits for a question, not for time to pass.
    asleep: bool,
    /// The connection was closed.
    bitten: bool,
    /// Nothing is to be watched any more.
    over: bool,
}

impl Watchdog {
    /// Watch over those who use this connection to Xwayland, which is this process.
    pub(super) fn over(connection: &UnixStream, process: Option<OwnedFd>) -> io::Result<Watchdog> {
        let watched = Arc::new(Watched {
            connection: connection.try_clone()?,
            process,
            now: Mutex::default(),
            changed: Condvar::new(),
        });
        let by_thread = Arc::clone(&watched);
        thread::Builder::new().name("x11-watchdog".into()).spawn(move || by_thread.watch())?;
        Ok(Watchdog(Watch(watched)))
    }

    /// For those who ask Xwayland something.
    pub(super) fn watch(&self) -> Watch {
        self.0.clone()
    }

    /// Whether it took too long once, so that the connection is closed.
    pub(super) fn has_bitten(&self) -> bool {
        self.0.0.lock().bitten
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.0.0.lock().over = true;
        self.0.0.changed.notify_all();
    }
}

impl Watch {
    /// Ask Xwayland something, or send it what it may be slow to take.
    pub(super) fn during<R>(&self, ask: impl FnOnce() -> R) -> R {
        let mut now = self.0.lock();
        if now.asking {
            drop(now);
            return ask();
        }
        now.asking = true;
        now.questions += 1;
        if now.asleep {
            self.0.changed.notify_all();
        }
        drop(now);
        let answer = ask();
        self.0.lock().asking = false;
        answer
    }
}

/// Ask something within a watch, where there is one.
pub(super) fn within<R>(watch: Option<&Watch>, ask: impl FnOnce() -> R) -> R {
    match watch {
        Some(watch) => watch.during(ask),
        None => ask(),
    }
}

impl Watched {
    /// Nobody panics with the lock.
    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self) {
        let mut now = self.lock();
        loop {
            now.asleep = true;
            let woken = self.changed.wait_while(now, |now| !now.asking && !now.over);
            now = woken.unwrap_or_else(PoisonError::into_inner);
            now.asleep = false;
            let question = now.questions;
            let mut slices = 0;
            while slices < SLICES && now.asking && now.questions == question && !now.over {
                let slept = self.changed.wait_timeout_while(now, SLICE, |now| !now.over);
                now = slept.unwrap_or_else(PoisonError::into_inner).0;
                slices += 1;
            }
            if now.over {
                return;
            }
            if slices == SLICES && now.asking && now.questions == question {
                break;
            }
        }
        now.bitten = true;
        drop(now);
        tracing::error!(
            "Xwayland is killed, and all X11 programs with it: it did not answer for {:?}, as when one \
             of them keeps it busy or to itself, and everything else had to wait",
            SLICE * SLICES
        );
        if let Err(error) = self.connection.shutdown(Shutdown::Both) {
            tracing::error!(%error, "the connection to Xwayland cannot be closed");
        }
        let killed = self.process.as_ref().map(|it| pidfd_send_signal(it, Signal::KILL));
        if let Some(Err(error)) = killed {
            tracing::error!(%error, "Xwayland cannot be killed");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_question_that_nobody_answers_ends() {
        let (mut ours, _theirs) = UnixStream::pair().unwrap();
        let watchdog = Watchdog::over(&ours, None).unwrap();
        let watch = watchdog.watch();
        let read = watch.during(|| watch.during(|| ours.read(&mut [0])));
        assert_eq!(read.unwrap(), 0, "the connection is closed");
        assert!(watchdog.has_bitten());
    }

    /// Every question is short, all together are not.
    #[test]
    fn questions_that_are_answered_do_not_end() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let watchdog = Watchdog::over(&ours, None).unwrap();
        let watch = watchdog.watch();
        let until = std::time::Instant::now() + 2 * SLICE * SLICES;
        while std::time::Instant::now() < until {
            watch.during(|| ());
            watch.during(thread::yield_now);
        }
        assert!(!watchdog.has_bitten());
    }
}
