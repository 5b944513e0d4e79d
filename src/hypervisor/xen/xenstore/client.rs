//! A connection to xenstore, through the kernel or through the daemon's own socket.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::OFlags;
use rustix::io::{self, Errno};

use super::super::device::{self, DeviceError};
use super::path::StorePath;
use super::wire::{Decoder, HEADER, Kind, LONGEST_PAYLOAD, Message, WireError};
use crate::domain::DomainId;

/// Where the daemon listens in its own domain.
const SOCKETS: [&str; 2] = ["/run/xenstored/socket", "/var/run/xenstored/socket"];

/// The most requests that may be unanswered, and the most answers and events that nobody took yet.
const MOST_PENDING: usize = 4096;

/// A connection to xenstore. [`send`](Self::send), what is called `send_` something, and
/// [`dispatch`](Self::dispatch) never wait; what returns an answer does.
///
/// Its descriptor is readable when there is something for [`dispatch`](Self::dispatch) to do; while
/// [`has_unsent`](Self::has_unsent), also when it is writable.
#[derive(Debug)]
pub struct Xenstore {
    file: OwnedFd,
    pace: Pace,
    decoder: Decoder,
    /// What was not written yet; whole messages, of which the first may be begun.
    unsent: VecDeque<Vec<u8>>,
    begun: usize,
    pending: BTreeMap<u32, Kind>,
    last: u32,
    incoming: VecDeque<Incoming>,
}

/// How soon the next request may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::hypervisor::xen) enum Pace {
    /// The daemon's socket keeps what is written.
    AtOnce,
    /// The kernel's device sends a request from the buffer that the next write fills
    /// (`xenbus_dev_request_and_reply`, Linux 6.1): written too early, the second request goes out
    /// under the first one's number and with its length. The answer says that the buffer is free.
    AfterTheAnswer,
}

/// Which request an answer is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(u32);

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// The answer to a request: its bytes, or the name of an error, such as `ENOENT`.
    Answer(RequestId, Result<Vec<u8>, String>),
    /// Something happened to a watched node. Every watch begins with one.
    Event(WatchEvent),
}

/// A change at a watched node or below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchEvent {
    /// The node that changed.
    pub path: String,
    /// What the watch was given to be known by.
    pub token: String,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[error("there is no socket of xenstored, nor the kernel's way to it")]
pub struct OpenError(#[from] DeviceError);

/// Why a request had no good answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// xenstore refuses.
    #[error("xenstore refuses to {what} {path}: {error}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// About which node.
        path: String,
        /// The name of the error, such as `ENOENT`.
        error: String,
    },
    /// The connection broke.
    #[error("the connection to xenstore broke: {0}")]
    Broken(#[from] Errno),
    /// What came is not xenstore's language, or too much came.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The answer makes no sense.
    #[error("xenstore's answer about {0} makes no sense")]
    Nonsense(String),
}

impl CallError {
    /// Whether there is no such node.
    pub fn is_missing(&self) -> bool {
        matches!(self, CallError::Refused { error, .. } if error == "ENOENT")
    }
}

impl Xenstore {
    /// Connects: to the daemon in its own domain, else through the kernel.
    ///
    /// # Errors
    /// This is no domain of Xen, or this user may not.
    pub fn open() -> Result<Xenstore, OpenError> {
        for path in SOCKETS {
            if let Ok(socket) = UnixStream::connect(path)
                && socket.set_nonblocking(true).is_ok()
            {
                return Ok(Self::on(socket.into(), Pace::AtOnce));
            }
        }
        let device = device::open("/dev/xen/xenbus", "xenfs", OFlags::NONBLOCK)?;
        Ok(Self::on(device, Pace::AfterTheAnswer))
    }

    /// A connection over `file`, which does not block.
    pub(in crate::hypervisor::xen) fn on(file: OwnedFd, pace: Pace) -> Xenstore {
        Xenstore {
            file,
            pace,
            decoder: Decoder::default(),
            unsent: VecDeque::new(),
            begun: 0,
            pending: BTreeMap::new(),
            last: 0,
            incoming: VecDeque::new(),
        }
    }

    /// Asks something; the answer comes as [`Incoming::Answer`].
    ///
    /// # Errors
    /// The message is too long, or too many are unanswered.
    pub fn send(
        &mut self,
        kind: Kind,
        transaction: u32,
        payload: Vec<u8>,
    ) -> Result<RequestId, CallError> {
        if self.pending.len() >= MOST_PENDING {
            return Err(CallError::Broken(Errno::NOBUFS));
        }
        // 0 is the kernel's own: see `answered`.
        self.last = self.last.checked_add(1).unwrap_or(1);
        let mut bytes = Vec::with_capacity(HEADER + payload.len());
        Message { kind, request: self.last, transaction, payload }.encode(&mut bytes)?;
        self.unsent.push_back(bytes);
        self.pending.insert(self.last, kind);
        Ok(RequestId(self.last))
    }

    /// Asks for the names below a node.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_directory(&mut self, path: &StorePath) -> Result<RequestId, CallError> {
        self.send(Kind::Directory, 0, terminated(path.as_str()))
    }

    /// Asks for a node's value.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_read(&mut self, path: &StorePath) -> Result<RequestId, CallError> {
        self.send(Kind::Read, 0, terminated(path.as_str()))
    }

    /// Asks for a node to be removed.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_remove(&mut self, path: &StorePath) -> Result<RequestId, CallError> {
        self.send(Kind::Remove, 0, terminated(path.as_str()))
    }

    /// Asks to be told of changes, with `token`.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_watch(&mut self, path: &StorePath, token: &str) -> Result<RequestId, CallError> {
        self.send(Kind::Watch, 0, [terminated(path.as_str()), terminated(token)].concat())
    }

    /// Asks to be told no more.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_unwatch(&mut self, path: &StorePath, token: &str) -> Result<RequestId, CallError> {
        self.send(Kind::Unwatch, 0, [terminated(path.as_str()), terminated(token)].concat())
    }

    /// Asks whether a domain is known: `T` or `F`.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_is_introduced(&mut self, domain: DomainId) -> Result<RequestId, CallError> {
        self.send(Kind::IsDomainIntroduced, 0, terminated(&domain.to_string()))
    }

    /// Writes what can be written, without waiting.
    ///
    /// # Errors
    /// The connection broke.
    pub fn flush(&mut self) -> Result<(), CallError> {
        self.write()
    }

    /// Whether something is still to be written.
    pub fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Writes and reads what can be, without waiting.
    ///
    /// # Errors
    /// The connection broke, or something else than xenstore is there.
    pub fn dispatch(&mut self) -> Result<(), CallError> {
        loop {
            self.write()?;
            // An answer may be what the next request waited for.
            if !self.read_what_came()? || !self.has_unsent() {
                return Ok(());
            }
        }
    }

    /// Whether anything came.
    fn read_what_came(&mut self) -> Result<bool, CallError> {
        let mut buffer = [0; HEADER + LONGEST_PAYLOAD];
        let mut came = false;
        while self.incoming.len() < MOST_PENDING {
            match io::retry_on_intr(|| io::read(&self.file, &mut buffer)) {
                Ok(0) => return Err(Errno::CONNRESET.into()),
                Ok(count) => self.decoder.push(&buffer[..count]),
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            }
            came = true;
            while let Some(message) = self.decoder.next_message()? {
                self.take(message);
            }
        }
        Ok(came)
    }

    /// What came next.
    pub fn next_incoming(&mut self) -> Option<Incoming> {
        self.incoming.pop_front()
    }

    fn write(&mut self) -> Result<(), CallError> {
        // Each message by a write of its own: the kernel's device takes no two at once.
        while let Some(message) = self.unsent.front() {
            if self.begun == 0 && self.pace == Pace::AfterTheAnswer && self.awaits_an_answer() {
                return Ok(());
            }
            match io::retry_on_intr(|| io::write(&self.file, &message[self.begun..])) {
                Ok(count) => self.begun += count,
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            if self.begun == message.len() {
                self.unsent.pop_front();
                self.begun = 0;
            }
        }
        Ok(())
    }

    /// Whether something that was written is not answered.
    fn awaits_an_answer(&self) -> bool {
        self.pending.len() > self.unsent.len()
    }

    fn take(&mut self, message: Message) {
        if message.kind == Kind::WatchEvent {
            if let [path, token] = &strings(&message.payload)[..] {
                let event = WatchEvent { path: path.clone(), token: token.clone() };
                self.incoming.push_back(Incoming::Event(event));
            }
            return;
        }
        let Some(request) = self.answered(&message) else {
            tracing::warn!(kind = ?message.kind, "xenstore answers what nobody asked");
            return;
        };
        let result = match message.kind {
            Kind::Error => Err(strings(&message.payload).into_iter().next().unwrap_or_default()),
            _ => Ok(message.payload),
        };
        self.incoming.push_back(Incoming::Answer(RequestId(request), result));
    }

    /// Which request a message answers. Linux answers watches itself and forgets their number.
    fn answered(&mut self, message: &Message) -> Option<u32> {
        let request = match message.request {
            0 => *self.pending.iter().find(|(_, kind)| **kind == message.kind)?.0,
            request => request,
        };
        self.pending.remove(&request).map(|_| request)
    }

    /// Asks something and waits for the answer. What comes meanwhile is kept.
    ///
    /// # Errors
    /// xenstore refuses, or the connection broke.
    fn ask(
        &mut self,
        kind: Kind,
        transaction: u32,
        payload: Vec<u8>,
        (what, path): (&'static str, &str),
    ) -> Result<Vec<u8>, CallError> {
        let request = self.send(kind, transaction, payload)?;
        loop {
            self.dispatch()?;
            let answer = self.incoming.iter().position(
                |incoming| matches!(incoming, Incoming::Answer(other, _) if *other == request),
            );
            if let Some(Incoming::Answer(_, result)) =
                answer.and_then(|index| self.incoming.remove(index))
            {
                return result.map_err(|error| CallError::Refused {
                    what,
                    path: path.to_owned(),
                    error,
                });
            }
            self.wait()?;
        }
    }

    /// Waits until there is something to dispatch.
    ///
    /// # Errors
    /// As the kernel says.
    pub fn wait(&self) -> Result<(), CallError> {
        let mut flags = PollFlags::IN;
        if self.has_unsent() {
            flags |= PollFlags::OUT;
        }
        io::retry_on_intr(|| {
            rustix::event::poll(&mut [PollFd::from_borrowed_fd(self.file.as_fd(), flags)], None)
        })?;
        Ok(())
    }

    /// Waits for the value of a node.
    ///
    /// # Errors
    /// There is no such node, or this domain may not read it, or the connection broke.
    pub fn read(&mut self, path: &StorePath) -> Result<Vec<u8>, CallError> {
        self.ask(Kind::Read, 0, terminated(path.as_str()), ("read", path.as_str()))
    }

    /// Waits for the names below a node.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn directory(&mut self, path: &StorePath) -> Result<Vec<String>, CallError> {
        let names = terminated(path.as_str());
        Ok(strings(&self.ask(Kind::Directory, 0, names, ("list", path.as_str()))?))
    }

    /// Waits until a node and all below it are gone.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn remove(&mut self, path: &StorePath) -> Result<(), CallError> {
        self.ask(Kind::Remove, 0, terminated(path.as_str()), ("remove", path.as_str())).map(drop)
    }

    /// Waits until changes of a node are told, as [`Incoming::Event`].
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn watch(&mut self, path: &StorePath, token: &str) -> Result<(), CallError> {
        let payload = [terminated(path.as_str()), terminated(token)].concat();
        self.ask(Kind::Watch, 0, payload, ("watch", path.as_str())).map(drop)
    }

    /// The number of the domain that this process is in.
    ///
    /// # Errors
    /// As [`read`](Self::read), and if the toolstack wrote something else there.
    pub fn own_domain(&mut self) -> Result<DomainId, CallError> {
        let path: StorePath = "domid".parse().map_err(|_| CallError::Nonsense("domid".into()))?;
        match self.read(&path) {
            Ok(value) => number(&value)
                .and_then(DomainId::new)
                .ok_or_else(|| CallError::Nonsense(path.to_string())),
            // A control domain that was never given the node.
            Err(error) if error.is_missing() => Ok(DomainId::DISPLAY),
            Err(error) => Err(error),
        }
    }

    /// Makes a node, if it is not there, below which `reader` may list what it is given to read.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn share_directory(
        &mut self,
        path: &StorePath,
        owner: DomainId,
        reader: DomainId,
    ) -> Result<(), CallError> {
        let about = path.as_str();
        self.ask(Kind::Mkdir, 0, terminated(about), ("make", about))?;
        let permissions = [format!("n{owner}"), format!("r{reader}")].map(|text| terminated(&text));
        let payload = [&[terminated(about)], &permissions[..]].concat().concat();
        self.ask(Kind::SetPermissions, 0, payload, ("set who reads", about)).map(drop)
    }

    /// Writes nodes below `base`, which `reader` may read and remove, all at once or not at all.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn publish(
        &mut self,
        base: &StorePath,
        owner: DomainId,
        reader: DomainId,
        nodes: &[(&str, String)],
    ) -> Result<(), CallError> {
        let permissions = [terminated(&format!("n{owner}")), terminated(&format!("b{reader}"))];
        let about = base.as_str();
        loop {
            let started = self.ask(
                Kind::TransactionStart,
                0,
                terminated(""),
                ("begin a transaction for", about),
            )?;
            let transaction: u32 =
                number(&started).ok_or_else(|| CallError::Nonsense(about.to_owned()))?;
            let mut write = |path: &str, value: &[u8]| {
                let payload = [&terminated(path), value].concat();
                self.ask(Kind::Write, transaction, payload, ("write", path))?;
                let payload = [&[terminated(path)], &permissions[..]].concat().concat();
                self.ask(Kind::SetPermissions, transaction, payload, ("set who reads", path))
            };
            let mut written = write(about, b"");
            for (name, value) in nodes {
                written = written.and_then(|_| write(&format!("{about}/{name}"), value.as_bytes()));
            }
            let commit = terminated(if written.is_ok() { "T" } else { "F" });
            let ended = self.ask(Kind::TransactionEnd, transaction, commit, ("commit", about));
            written?;
            match ended {
                // Somebody else changed something meanwhile.
                Err(CallError::Refused { error, .. }) if error == "EAGAIN" => {}
                other => return other.map(drop),
            }
        }
    }
}

impl AsFd for Xenstore {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// A string as messages have it.
fn terminated(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

/// The strings in a payload, each with its terminator. What is no text is marked as such.
pub(in crate::hypervisor::xen) fn strings(payload: &[u8]) -> Vec<String> {
    let payload = payload.strip_suffix(b"\0").unwrap_or(payload);
    if payload.is_empty() {
        return Vec::new();
    }
    payload.split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into()).collect()
}

/// A decimal number, as nodes have them.
pub(in crate::hypervisor::xen) fn number<T: std::str::FromStr>(value: &[u8]) -> Option<T> {
    let value = value.strip_suffix(b"\0").unwrap_or(value);
    // No sign, no spaces: only what a well-behaved writer writes.
    let digits = (1..=10).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    digits.then(|| std::str::from_utf8(value).ok()?.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connection, and a daemon that is written by hand.
    fn pair(pace: Pace) -> (Xenstore, UnixStream) {
        let (ours, daemon) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        daemon.set_nonblocking(true).unwrap();
        (Xenstore::on(ours.into(), pace), daemon)
    }

    fn say(daemon: &UnixStream, kind: Kind, request: u32, payload: &[u8]) {
        let mut bytes = Vec::new();
        let message = Message { kind, request, transaction: 0, payload: payload.into() };
        message.encode(&mut bytes).unwrap();
        rustix::io::write(daemon, &bytes).unwrap();
    }

    fn path(text: &str) -> StorePath {
        text.parse().unwrap()
    }

    #[test]
    fn answers_find_their_requests_in_any_order() {
        let (mut store, daemon) = pair(Pace::AtOnce);
        let read = store.send_read(&path("a")).unwrap();
        let watch = store.send_watch(&path("b"), "token").unwrap();
        let list = store.send_directory(&path("c")).unwrap();
        store.dispatch().unwrap();
        assert!(!store.has_unsent());
        say(&daemon, Kind::Error, list.0, b"ENOENT\0");
        // As Linux answers a watch: without its number.
        say(&daemon, Kind::Watch, 0, b"OK\0");
        say(&daemon, Kind::WatchEvent, 0, b"b/x\0token\0");
        say(&daemon, Kind::Read, read.0, b"value");
        store.dispatch().unwrap();
        let event = WatchEvent { path: "b/x".into(), token: "token".into() };
        let expected = [
            Incoming::Answer(list, Err("ENOENT".into())),
            Incoming::Answer(watch, Ok(b"OK\0".into())),
            Incoming::Event(event),
            Incoming::Answer(read, Ok(b"value".into())),
        ];
        let came: Vec<_> = std::iter::from_fn(|| store.next_incoming()).collect();
        assert_eq!(came, expected);
        assert!(store.pending.is_empty());
    }

    #[test]
    fn the_kernel_is_asked_one_thing_at_a_time() {
        let (mut store, daemon) = pair(Pace::AfterTheAnswer);
        let requests = ["a", "b", "c"].map(|node| store.send_read(&path(node)).unwrap());
        store.flush().unwrap();
        let mut decoder = Decoder::default();
        for (request, node) in requests.iter().zip([b"a\0", b"b\0", b"c\0"]) {
            let mut buffer = [0; 4096];
            let count = rustix::io::read(&daemon, &mut buffer).unwrap();
            decoder.push(&buffer[..count]);
            let asked = decoder.next_message().unwrap().unwrap();
            assert_eq!((asked.request, &asked.payload[..]), (request.0, &node[..]));
            assert_eq!(decoder.next_message(), Ok(None), "it is not answered yet");
            say(&daemon, Kind::WatchEvent, 0, b"x\0token\0");
            store.dispatch().unwrap();
            assert_eq!(
                rustix::io::read(&daemon, &mut buffer),
                Err(Errno::AGAIN),
                "an event is no answer"
            );
            say(&daemon, Kind::Read, asked.request, b"value");
            store.dispatch().unwrap();
        }
        let answers = std::iter::from_fn(|| store.next_incoming())
            .filter(|incoming| matches!(incoming, Incoming::Answer(_, Ok(_))));
        assert_eq!(answers.count(), 3);
    }

    #[test]
    fn a_daemon_that_is_gone_or_confused_is_an_error() {
        let (mut store, daemon) = pair(Pace::AtOnce);
        say(&daemon, Kind::Read, 77, b"nobody asked");
        say(&daemon, Kind::WatchEvent, 0, b"one string only\0");
        store.dispatch().unwrap();
        assert_eq!(store.next_incoming(), None);
        rustix::io::write(&daemon, &[0xff; HEADER]).unwrap();
        assert!(matches!(store.dispatch(), Err(CallError::Wire(_))));
        let (mut store, daemon) = pair(Pace::AtOnce);
        drop(daemon);
        assert!(matches!(store.read(&path("a")), Err(CallError::Broken(_))));
    }

    #[test]
    fn numbers_are_digits_and_nothing_else() {
        assert_eq!(number::<u16>(b"12"), Some(12));
        assert_eq!(number::<u32>(b"7\0"), Some(7));
        for wrong in [&b""[..], b"-1", b"+1", b" 1", b"1 ", b"0x1", b"99999999999", b"\xff"] {
            assert_eq!(number::<u32>(wrong), None, "{wrong:?}");
        }
        assert_eq!(number::<u16>(b"65536"), None);
    }
}
