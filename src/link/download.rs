//! From the link to the app: what has arrived for one local socket.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};

use super::attachment::{ArrivingFile, Waiting};
use super::credit::{Allowance, ReceiveWindow};
use super::frame::Payload;
use super::limits::{ATTACHMENT_COST, MAX_ATTACHMENTS};
use super::local_socket::{LocalSocket, Sent};
use super::portion::Left;
use super::reason::{Reason, ReasonCode};
use super::violation::Violation;

/// Bytes that are gathered into one write to the app.
const GATHER: usize = 64 * 1024;

/// What waits for one app. All of it is under the stream's credit; file content, whose credit is
/// given back on arrival, is under the link's allowance.
#[derive(Debug)]
pub(super) struct Download {
    pub(super) window: ReceiveWindow,
    /// The app has closed its socket: whatever still arrives is dropped.
    pub(super) deaf: bool,
    /// Content of this file is arriving.
    file: Option<ArrivingFile>,
    /// Complete attachments, whose bytes are still to come.
    attachments: Vec<Waiting>,
    queue: VecDeque<Message>,
}

/// Bytes for the app; the descriptors go with the first of them.
#[derive(Debug)]
struct Message {
    descriptors: Vec<Waiting>,
    bytes: Vec<u8>,
    sent: usize,
}

/// The credit that these cost, in bytes; they are a window's worth at most.
fn credit_of(descriptors: &[Waiting]) -> u32 {
    descriptors.len() as u32 * ATTACHMENT_COST
}

/// How far giving an app what has arrived for it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivered {
    /// The app has everything, or no room for more: its socket tells when it has.
    AsMuchAsFits,
    /// There is more, for the next dispatch.
    HeldBack,
}

/// What a frame can lead to that is not in order.
#[derive(Debug)]
pub(super) enum Fault {
    /// The stream has to close.
    Stream(Reason),
    /// The link has to close.
    Link(Violation),
}

impl From<Violation> for Fault {
    fn from(violation: Violation) -> Fault {
        Fault::Link(violation)
    }
}

impl From<Reason> for Fault {
    fn from(reason: Reason) -> Fault {
        Fault::Stream(reason)
    }
}

impl Download {
    pub(super) fn new(window: u32) -> Download {
        Download {
            window: ReceiveWindow::new(window),
            deaf: false,
            file: None,
            attachments: Vec::new(),
            queue: VecDeque::new(),
        }
    }

    /// Nothing is left that the app could still be given.
    pub(super) fn is_done(&self) -> bool {
        self.deaf || self.queue.is_empty()
    }

    pub(super) fn data(&mut self, payload: Payload<'_>) -> Result<(), Violation> {
        self.outside_file("Data")?;
        self.window.received(payload.length())?;
        let descriptors = std::mem::take(&mut self.attachments);
        if self.deaf {
            // Dropped is drained too: without credit the peer could not even find that its own
            // app has hung up.
            self.window.drained(payload.length() + credit_of(&descriptors));
            return Ok(());
        }
        match self.queue.back_mut() {
            Some(last) if descriptors.is_empty() && last.bytes.len() < GATHER => {
                last.bytes.extend_from_slice(payload.bytes());
            }
            _ => {
                let bytes = payload.bytes().to_vec();
                self.queue.push_back(Message { descriptors, bytes, sent: 0 });
            }
        }
        Ok(())
    }

    pub(super) fn file(
        &mut self,
        size: u32,
        largest: u32,
        descriptors: &Allowance,
        content: &Allowance,
    ) -> Result<(), Fault> {
        self.outside_file("File")?;
        self.announced()?;
        if size > largest {
            return Err(Violation::FileTooLarge(size).into());
        }
        self.file = Some(ArrivingFile::begin(size, descriptors, content)?);
        self.finish_file()
    }

    pub(super) fn content(&mut self, payload: Payload<'_>) -> Result<(), Fault> {
        let file = self.file.as_mut().ok_or(Violation::ContentWithoutFile)?;
        if payload.length() > file.missing() {
            return Err(Violation::ContentBeyondFile.into());
        }
        self.window.received(payload.length())?;
        file.add(payload.bytes())?;
        // A file may be larger than the whole window, so its credit returns at once.
        self.window.drained(payload.length());
        self.finish_file()
    }

    fn finish_file(&mut self) -> Result<(), Fault> {
        if let Some(file) = self.file.take_if(|file| file.missing() == 0) {
            self.attachments.push(file.finish()?);
        }
        Ok(())
    }

    /// A Pipe frame has arrived; [`Self::pipe`] follows unless this fails.
    pub(super) fn announce_pipe(&mut self) -> Result<(), Violation> {
        self.outside_file("Pipe")?;
        self.announced()
    }

    pub(super) fn pipe(&mut self, end: Waiting) {
        self.attachments.push(end);
    }

    fn announced(&mut self) -> Result<(), Violation> {
        if self.attachments.len() >= MAX_ATTACHMENTS {
            return Err(Violation::TooManyAttachments);
        }
        self.window.received(ATTACHMENT_COST)
    }

    fn outside_file(&self, frame: &'static str) -> Result<(), Violation> {
        if self.file.is_some() { Err(Violation::InsideFile(frame)) } else { Ok(()) }
    }

    /// Gives the app what it has room for, and no more than is left. An error closes the stream.
    pub(super) fn deliver(
        &mut self,
        socket: &mut LocalSocket,
        left: &mut Left,
    ) -> Result<Delivered, Reason> {
        if self.deaf || self.queue.is_empty() {
            return Ok(Delivered::AsMuchAsFits);
        }
        while let Some(message) = self.queue.front_mut() {
            if left.is_used_up() {
                return Ok(Delivered::HeldBack);
            }
            let descriptors: Vec<BorrowedFd<'_>> =
                message.descriptors.iter().map(AsFd::as_fd).collect();
            let bytes = message.bytes.get(message.sent..).unwrap_or_default();
            match socket.send(left.of(bytes), &descriptors)? {
                Sent::Blocked => return Ok(Delivered::AsMuchAsFits),
                Sent::HungUp => {
                    self.deaf = true;
                    for message in self.queue.drain(..) {
                        let unsent = message.bytes.len() - message.sent;
                        self.window.drained(unsent as u32 + credit_of(&message.descriptors));
                    }
                    return Ok(Delivered::AsMuchAsFits);
                }
                // A socket that takes nothing of something would keep us here for ever.
                Sent::Bytes(0) => {
                    return Err(Reason::new(ReasonCode::Lost, "the app's socket takes no bytes"));
                }
                Sent::Bytes(count) => {
                    left.used(count);
                    let attached = credit_of(&message.descriptors);
                    message.descriptors.clear();
                    message.sent += count;
                    self.window.drained(count as u32 + attached);
                    if message.sent >= message.bytes.len() {
                        self.queue.pop_front();
                    }
                }
            }
        }
        socket.watch_for_room(false)?;
        Ok(Delivered::AsMuchAsFits)
    }

    /// Bytes held for the app.
    #[cfg(test)]
    pub(super) fn buffered(&self) -> usize {
        self.queue.iter().map(|message| message.bytes.len()).sum()
    }
}
