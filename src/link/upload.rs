//! From the app to the link: what one local socket has sent and the peer has credit for.

use std::collections::VecDeque;

use super::agenda::Agenda;
use super::attachment::Outbound;
use super::credit::{Allowance, SendCredit};
use super::frame::{Frame, HEADER, Payload};
use super::limits::{ATTACHMENT_COST, TURN};
use super::local_socket::{LocalSocket, Received};
use super::number::StreamId;
use super::pipes::Pipes;
use super::reason::{Reason, ReasonCode};

/// What is on its way from one app. Nothing is read from the socket until what was read before
/// has been sent, so at most one message of the app is held here, and only if it has descriptors.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) credit: SendCredit,
    /// There may be something to read.
    pub(super) readable: bool,
    /// The socket has said that its other end is closed, or closed for writing.
    pub(super) hung_up: bool,
    attachments: VecDeque<Outbound>,
    bytes: Vec<u8>,
}

/// What an upload needs from the link for one turn.
pub(super) struct Supplies<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) scratch: &'a mut [u8],
    pub(super) pipes: &'a mut Pipes,
    pub(super) agenda: &'a mut Agenda,
    pub(super) descriptors: &'a Allowance,
    /// Largest content of a file that the peer takes, in bytes.
    pub(super) largest_file: u32,
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing to send, or no credit: an event or a frame starts the next turn.
    Idle,
    /// The turn is used up; there may be more.
    More,
    /// The app has hung up and everything it sent has been sent on.
    HungUp,
}

impl Upload {
    pub(super) fn new(credit: u32) -> Upload {
        Upload {
            credit: SendCredit::new(credit),
            readable: true,
            hung_up: false,
            attachments: VecDeque::new(),
            bytes: Vec::new(),
        }
    }

    /// Sends one turn's worth. An error closes the stream.
    pub(super) fn take_turn(
        &mut self,
        stream: StreamId,
        socket: &LocalSocket,
        supplies: &mut Supplies<'_>,
    ) -> Result<Turn, Reason> {
        let end_of_turn = supplies.out.len() + TURN;
        loop {
            // Below a frame's own size the rest of a turn is not worth a system call.
            let left = end_of_turn.saturating_sub(supplies.out.len() + HEADER);
            if left < HEADER {
                return Ok(Turn::More);
            }
            let most = left.min(self.credit.available() as usize).min(supplies.scratch.len());
            if let Some(attachment) = self.attachments.pop_front() {
                match self.send_attachment(stream, attachment, most, supplies)? {
                    None => continue,
                    Some(waiting) => {
                        self.attachments.push_front(waiting);
                        return Ok(Turn::Idle);
                    }
                }
            }
            if !self.bytes.is_empty() {
                let count = most.min(self.bytes.len());
                if !self.send_data(stream, count, supplies.out) {
                    return Ok(Turn::Idle);
                }
                continue;
            }
            if !self.readable {
                return Ok(Turn::Idle);
            }
            let Some(buffer) = supplies.scratch.get_mut(..most).filter(|b| !b.is_empty()) else {
                return Ok(Turn::Idle);
            };
            match socket.receive(buffer)? {
                Received::Nothing => {
                    self.readable = false;
                    return Ok(if self.hung_up { Turn::HungUp } else { Turn::Idle });
                }
                Received::HungUp => return Ok(Turn::HungUp),
                Received::Bytes { count, descriptors } if descriptors.is_empty() => {
                    let payload = buffer.get(..count).and_then(Payload::new);
                    if let Some(payload) = payload
                        && self.credit.spend(payload.length())
                    {
                        Frame::Data { stream, payload }.encode(supplies.out);
                    }
                    // Fewer bytes than fit are all there are; but only a further read tells
                    // that nothing follows what arrived before a hang-up.
                    if count < most && !self.hung_up {
                        self.readable = false;
                        return Ok(Turn::Idle);
                    }
                }
                Received::Bytes { count, descriptors } => {
                    self.bytes.extend_from_slice(buffer.get(..count).unwrap_or_default());
                    for descriptor in descriptors {
                        let (largest, allowance) = (supplies.largest_file, supplies.descriptors);
                        let attachment = Outbound::classify(descriptor, largest, allowance)?;
                        self.attachments.push_back(attachment);
                    }
                }
            }
        }
    }

    /// Sends the next frame of an attachment; gives it back when there is no credit for it.
    fn send_attachment(
        &mut self,
        stream: StreamId,
        attachment: Outbound,
        most: usize,
        supplies: &mut Supplies<'_>,
    ) -> Result<Option<Outbound>, Reason> {
        match attachment {
            Outbound::Pipe { end, direction, _permit } => {
                if !self.credit.spend(ATTACHMENT_COST) {
                    return Ok(Some(Outbound::Pipe { end, direction, _permit }));
                }
                let (pipe, side) = supplies.pipes.open(end, direction, supplies.agenda)?;
                Frame::Pipe { stream, pipe, side }.encode(supplies.out);
                Ok(None)
            }
            Outbound::File { file, size, sent: None, _permit } => {
                if !self.credit.spend(ATTACHMENT_COST) {
                    return Ok(Some(Outbound::File { file, size, sent: None, _permit }));
                }
                Frame::File { stream, size }.encode(supplies.out);
                if size > 0 {
                    let begun = Outbound::File { file, size, sent: Some(0), _permit };
                    self.attachments.push_front(begun);
                }
                Ok(None)
            }
            Outbound::File { file, size, sent: Some(sent), _permit } => {
                let most = most.min((size - sent) as usize);
                let Some(buffer) = supplies.scratch.get_mut(..most).filter(|b| !b.is_empty())
                else {
                    return Ok(Some(Outbound::File { file, size, sent: Some(sent), _permit }));
                };
                // At an offset, for the position is shared with the app.
                let count =
                    rustix::io::pread(&file, &mut *buffer, u64::from(sent)).map_err(|error| {
                        Reason::new(ReasonCode::Unsupported, format!("cannot read a file: {error}"))
                    })?;
                let Some(payload) = buffer.get(..count).and_then(Payload::new) else {
                    let text = "a file became shorter while it was sent";
                    return Err(Reason::new(ReasonCode::Unsupported, text));
                };
                // `most` is within the credit.
                let _ = self.credit.spend(payload.length());
                Frame::Content { stream, payload }.encode(supplies.out);
                let sent = sent + payload.length();
                if sent < size {
                    let rest = Outbound::File { file, size, sent: Some(sent), _permit };
                    self.attachments.push_front(rest);
                }
                Ok(None)
            }
        }
    }

    /// Sends the first `count` bytes of what is held; false without credit for any.
    fn send_data(&mut self, stream: StreamId, count: usize, out: &mut Vec<u8>) -> bool {
        let Some(payload) = self.bytes.get(..count).and_then(Payload::new) else { return false };
        if !self.credit.spend(payload.length()) {
            return false;
        }
        Frame::Data { stream, payload }.encode(out);
        self.bytes.drain(..count);
        true
    }
}
