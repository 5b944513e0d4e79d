//! Waiting for a GPU to have written what is about to be shown, while everything else goes on.

use std::os::fd::OwnedFd;
use std::time::Duration;

use calloop::generic::Generic;
use calloop::timer::{TimeoutAction, Timer};
use calloop::{Interest, LoopHandle, Mode, PostAction, RegistrationToken};
use rustix::event::{PollFd, PollFlags, Timespec};

/// The longest that a commit waits: a GPU that hangs must not freeze what it draws for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whether a fence has passed. (A descriptor that cannot be asked counts as passed.)
pub(super) fn has_passed(fence: &OwnedFd) -> bool {
    let mut polled = [PollFd::new(fence, PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::event::poll(&mut polled, Some(&now)) != Ok(0)
}

/// A fence in the event loop, until this is dropped.
#[derive(Debug)]
pub(super) struct Awaited<T: 'static> {
    handle: LoopHandle<'static, T>,
    tokens: [RegistrationToken; 2],
}

impl<T> Awaited<T> {
    /// Calls back when the fence has passed (true), or when it has taken too long.
    pub(super) fn new(
        handle: &LoopHandle<'static, T>,
        fence: OwnedFd,
        mut passed: impl FnMut(&mut T, bool) + Clone + 'static,
    ) -> calloop::Result<Awaited<T>> {
        let mut too_late = passed.clone();
        let source = Generic::new(fence, Interest::READ, Mode::Level);
        let passed = handle.insert_source(source, move |_, _, data| {
            passed(data, true);
            Ok(PostAction::Disable)
        });
        let passed = passed.map_err(|error| error.error)?;
        let timer = handle.insert_source(Timer::from_duration(PATIENCE), move |_, (), data| {
            too_late(data, false);
            TimeoutAction::Drop
        });
        match timer {
            Ok(timer) => Ok(Awaited { handle: handle.clone(), tokens: [passed, timer] }),
            Err(error) => {
                handle.remove(passed);
                Err(error.error)
            }
        }
    }
}

impl<T> Drop for Awaited<T> {
    fn drop(&mut self) {
        for token in self.tokens {
            self.handle.remove(token);
        }
    }
}

#[cfg(test)]
mod tests {
    use calloop::EventLoop;
    use rustix::event::EventfdFlags;

    use super::*;

    fn fence() -> (OwnedFd, OwnedFd) {
        let fence = rustix::event::eventfd(0, EventfdFlags::CLOEXEC).unwrap();
        let signal = fence.try_clone().unwrap();
        (fence, signal)
    }

    #[test]
    fn a_fence_that_passes_is_told_once() {
        let mut event_loop: EventLoop<'static, Vec<bool>> = EventLoop::try_new().unwrap();
        let (fence, signal) = fence();
        assert!(!has_passed(&fence));
        let told = |told: &mut Vec<bool>, passed| told.push(passed);
        let awaited = Awaited::new(&event_loop.handle(), fence, told).unwrap();
        let mut said = Vec::new();
        event_loop.dispatch(Some(Duration::ZERO), &mut said).unwrap();
        assert!(said.is_empty());
        rustix::io::write(&signal, &1u64.to_ne_bytes()).unwrap();
        assert!(has_passed(&signal));
        for _ in 0..2 {
            event_loop.dispatch(Some(Duration::ZERO), &mut said).unwrap();
        }
        assert_eq!(said, [true]);
        drop(awaited);
    }

    #[test]
    fn a_fence_that_never_passes_is_given_up() {
        let mut event_loop: EventLoop<'static, Vec<bool>> = EventLoop::try_new().unwrap();
        let (fence, _signal) = fence();
        let told = |told: &mut Vec<bool>, passed| told.push(passed);
        let _awaited = Awaited::new(&event_loop.handle(), fence, told).unwrap();
        let mut said = Vec::new();
        while said.is_empty() {
            event_loop.dispatch(None, &mut said).unwrap();
        }
        assert_eq!(said, [false]);
    }
}
