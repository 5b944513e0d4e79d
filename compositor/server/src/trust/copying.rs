//! Taking what a domain has in its clipboard.

use std::{io, mem, os::fd::OwnedFd, time::Duration};

use rustix::{buffer::spare_capacity, io::Errno};
use smithay::{
    reexports::calloop::Interest,
    wayland::selection::data_device::request_data_device_client_selection,
};
use zeroize::Zeroizing;

use super::{
    contents::{Contents, Unfit},
    crossing::{Crossing, note},
    notes::Note,
    pipe::{self, Watched},
};
use crate::{client::ClientOrigin, config::MimeType, state::State};

/// What a program is writing to us.
pub(crate) struct Copying {
    pub(super) from: ClientOrigin,
    kind: MimeType,
    /// With room for all that may come and one byte more, so that it is never moved in memory.
    bytes: Zeroizing<Vec<u8>>,
    largest: usize,
    pub(super) pipe: Watched,
}

/// Why nothing was copied.
#[derive(Debug, thiserror::Error)]
enum NotCopied {
    #[error("that is not allowed: `out` in its [domain.clipboard] is false")]
    Denied,
    #[error("its clipboard is empty")]
    Nothing,
    #[error(
        "what is in its clipboard is of no kind that may cross: `types` in [clipboard] lists those"
    )]
    Kind,
    #[error("it is larger than the {0} bytes that `largest` in [clipboard] allows")]
    TooLarge(usize),
    #[error("its program has not handed it over within {} s", .0.as_secs())]
    Late(Duration),
    #[error(transparent)]
    Unfit(#[from] Unfit),
    #[error("{0}")]
    System(#[from] io::Error),
}

impl State {
    /// Take what the domain with the keyboard has in its clipboard. What was taken before is gone, so
    /// that nobody pastes that by mistake.
    pub(crate) fn copy_out(&mut self) {
        self.end_crossing();
        let Some(from) = self.keyboard_origin() else {
            let text = "nothing copied out: no window has the keyboard".to_owned();
            return self.tell_user(Note { domain: None, text });
        };
        match self.begin_copying(&from) {
            Ok(copying) => self.crossing = Crossing::Copying(copying),
            Err(why) => self.tell_not_copied(&from, &why),
        }
    }

    fn begin_copying(&mut self, from: &ClientOrigin) -> Result<Copying, NotCopied> {
        if !self.config.clipboard_of(from).copy_out {
            return Err(NotCopied::Denied);
        }
        let offered = self.selections.clipboard_of(from).ok_or(NotCopied::Nothing)?;
        let settings = &self.config.clipboard;
        let kind =
            settings.types.iter().find(|kind| offered.iter().any(|name| name == kind.as_str()));
        let kind = kind.ok_or(NotCopied::Kind)?.clone();
        let (wait, largest) = (settings.wait.duration(), settings.largest.bytes());
        let (ours, theirs) = pipe::to_read()?;
        request_data_device_client_selection(&self.seat, kind.as_str().to_owned(), theirs)
            .map_err(|_| NotCopied::Nothing)?;
        let pipe = Watched::new(
            &self.loop_handle,
            ours,
            Interest::READ,
            wait,
            State::copy_on,
            State::copied_too_late,
        )?;
        let bytes = Zeroizing::new(Vec::with_capacity(largest + 1));
        Ok(Copying { from: from.clone(), kind, bytes, largest, pipe })
    }

    /// Read some more.
    fn copy_on(&mut self, pipe: &OwnedFd) {
        let Crossing::Copying(copying) = &mut self.crossing else { return };
        let outcome = match rustix::io::read(pipe, spare_capacity(&mut *copying.bytes)) {
            Err(Errno::AGAIN | Errno::INTR) => return,
            Err(error) => Err(io::Error::from(error).into()),
            Ok(0) => Ok(()),
            Ok(_) if copying.bytes.len() > copying.largest => {
                Err(NotCopied::TooLarge(copying.largest))
            }
            Ok(_) => return,
        };
        self.finish_copying(outcome);
    }

    fn copied_too_late(&mut self) {
        let wait = self.config.clipboard.wait.duration();
        self.finish_copying(Err(NotCopied::Late(wait)));
    }

    fn finish_copying(&mut self, outcome: Result<(), NotCopied>) {
        let Copying { from, kind, bytes, pipe, .. } = match mem::take(&mut self.crossing) {
            Crossing::Copying(copying) => copying,
            other => return self.crossing = other,
        };
        pipe.end(&self.loop_handle);
        match outcome.and_then(|()| Ok(Contents::new(kind, bytes)?)) {
            Ok(contents) => self.hold(from, contents),
            Err(why) => self.tell_not_copied(&from, &why),
        }
    }

    fn tell_not_copied(&mut self, from: &ClientOrigin, why: &NotCopied) {
        self.tell_user(note(from, format!("nothing copied out: {why}")));
    }
}
