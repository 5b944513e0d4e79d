//! One app: its connection, the stream to the host that is its own, and what is between them.
//!
//! Nothing here waits. Each side is read only while the other has room, so an app that does not
//! read stops its own stream and nobody else's, and no more than a few messages are held for it.

use std::collections::{HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use super::buffer::Content;
use super::endpoint::{Broken, Endpoint};
use super::fence;
use super::native::Natives;
use super::objects::{AppId, Hidden, HostId, Objects, Role};
use super::sharing::{Held, Sharing};
use super::statistics::Statistics;
use super::terms::Terms;
use super::trace::Trace;
use super::wire::{HEADER, Header, Message};
use crate::id::HyperDmabufId;
use crate::link::ClockOffset;

/// Rounds of one turn: then the other apps have theirs.
const ROUNDS: usize = 8;

/// Bytes of an error's text that an app is told.
const MOST_TEXT: usize = 1000;

/// `wl_display.error` and `wl_display.delete_id`, by their numbers.
const ERROR: u16 = 0;
const DELETE_ID: u16 = 1;

/// `wl_display.sync` and `wl_display.get_registry`, by their numbers.
const SYNC: u16 = 0;
const GET_REGISTRY: u16 = 1;

/// `wl_surface.commit`, by its number.
const COMMIT: u16 = 6;

/// Errors of `wl_display`.
pub(super) mod display_error {
    pub(in crate::proxy) const INVALID_OBJECT: u32 = 0;
    pub(in crate::proxy) const INVALID_METHOD: u32 = 1;
    pub(in crate::proxy) const NO_MEMORY: u32 = 2;
    pub(in crate::proxy) const IMPLEMENTATION: u32 = 3;
}

/// One app.
#[derive(Debug)]
pub(super) struct App {
    pub(super) app: Endpoint,
    pub(super) host: Endpoint,
    pub(super) objects: Objects,
    pub(super) trace: Trace,
    /// As of now; it changes while the link is open.
    pub(super) clock: ClockOffset,
    pub(super) statistics: Statistics,
    /// False until the host has listed its globals to the proxy.
    pub(super) listed: bool,
    pub(super) manager: Option<HostId>,
    /// The exports of its buffers: `hyper_dmabuf_v1` objects.
    pub(super) exports: HashMap<HyperDmabufId, HostId>,
    /// All that it has exported.
    pub(super) held: Held,
    /// What the app exported itself, if it is one that does.
    pub(super) natives: Natives,
    /// Formats of `wl_shm` beyond the two that everybody has.
    pub(super) formats: HashSet<u32>,
    /// Each open pool has one of it, so that they can be counted.
    pub(super) open_files: Rc<()>,
    pub(super) terms: Rc<Terms>,
    /// What a commit waits for, until the event loop takes it.
    fence: Option<OwnedFd>,
    writers: Writers,
    scratch: Vec<u8>,
}

/// What is known of the writers of the buffer that is to be committed next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writers {
    /// Nothing: they are asked at the commit.
    Unknown,
    /// They write, and the commit waits; so does all that the app has asked for since.
    AtWork,
    /// They are done, or were waited for long enough.
    Done,
}

/// Why an app's connection ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The app broke a protocol.
    #[error("protocol error {code} on object {}: {text}", object.0)]
    Protocol { object: AppId, code: u32, text: String },
    /// The host raised an error, which the app has been told.
    #[error("the display domain raised a protocol error: {0}")]
    Raised(String),
    /// The host says what nobody understands.
    #[error("the display domain sent what is no Wayland: {0}")]
    Host(String),
    /// The connection to the app failed.
    #[error("the connection to the app: {0}")]
    App(Broken),
    /// The stream to the host failed.
    #[error("the stream to the display domain: {0}")]
    Stream(Broken),
}

impl Fault {
    pub(super) fn new(object: AppId, code: u32, text: impl Into<String>) -> Fault {
        Fault::Protocol { object, code, text: text.into() }
    }

    pub(super) fn display(code: u32, text: impl Into<String>) -> Fault {
        Fault::new(AppId::DISPLAY, code, text)
    }
}

/// What a turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing more until something happens.
    Idle,
    /// More could be done at once.
    More,
    /// The app or its stream is gone.
    Over,
}

impl App {
    /// An app that has just connected, and the proxy's end of a new stream to the host.
    pub(super) fn new(app: Endpoint, host: UnixStream, trace: Trace, terms: Rc<Terms>) -> App {
        let mut this = App {
            app,
            host: Endpoint::new(host),
            objects: Objects::new(),
            trace,
            clock: ClockOffset::NONE,
            statistics: Statistics::default(),
            listed: false,
            manager: None,
            exports: HashMap::new(),
            held: Held::default(),
            natives: Natives::default(),
            formats: HashSet::from([0, 1]), // Argb8888 and Xrgb8888.
            open_files: Rc::new(()),
            terms,
            fence: None,
            writers: Writers::Unknown,
            scratch: Vec::new(),
        };
        let registry = this.objects.hide(Hidden::Registry);
        let listed = this.objects.hide(Hidden::Listed);
        this.tell_host(Message::new(HostId::DISPLAY.0, GET_REGISTRY).uint(registry.0));
        this.tell_host(Message::new(HostId::DISPLAY.0, SYNC).uint(listed.0));
        this
    }

    /// Carries what there is to carry, for a while.
    pub(super) fn turn(&mut self, sharing: &mut Sharing) -> Turn {
        match self.carry(sharing) {
            Ok(turn) => turn,
            Err(fault) => {
                self.end(&fault);
                Turn::Over
            }
        }
    }

    fn carry(&mut self, sharing: &mut Sharing) -> Result<Turn, Fault> {
        for _ in 0..ROUNDS {
            // First, since it makes the room without which nothing is carried.
            self.host.flush().map_err(Fault::Stream)?;
            self.app.flush().map_err(Fault::App)?;
            let mut moved = self.carry_requests(sharing)?;
            moved |= self.carry_events(sharing)?;
            if !moved {
                let app_done = self.app.has_ended() && self.host.waiting() == 0;
                let host_done = self.host.has_ended() && self.app.waiting() == 0;
                return Ok(if app_done || host_done { Turn::Over } else { Turn::Idle });
            }
        }
        Ok(Turn::More)
    }

    /// Requests that have come, and one read's more. Whether there was anything.
    fn carry_requests(&mut self, sharing: &mut Sharing) -> Result<bool, Fault> {
        let mut moved = false;
        while self.listed && self.host.has_room() && self.app.has_room() {
            if self.waits_for_writers() {
                return Ok(moved);
            }
            let mut message = std::mem::take(&mut self.scratch);
            let next = next(&mut self.app, &mut message).map_err(|header| {
                let text = format!("a message of {} bytes", header.size);
                Fault::display(display_error::INVALID_METHOD, text)
            })?;
            let Some(header) = next else {
                self.scratch = message;
                self.app.check_descriptors().map_err(Fault::App)?;
                let read = !moved && self.app.read().map_err(Fault::App)?;
                if !read {
                    return Ok(moved);
                }
                moved = true;
                continue;
            };
            moved = true;
            let result = self.request(header, message.get(HEADER..).unwrap_or_default(), sharing);
            self.scratch = message;
            result?;
        }
        Ok(moved)
    }

    /// Whether the next request is a commit of what somebody still writes into. Everything behind it
    /// waits as well, so that the app's order is kept.
    fn waits_for_writers(&mut self) -> bool {
        if self.writers == Writers::AtWork {
            return true;
        }
        let Ok(Some((header, _))) = self.app.peek() else { return false };
        if header.opcode != COMMIT {
            return false;
        }
        let Some(object) = self.objects.get(AppId(header.object)) else { return false };
        let Role::Surface(surface) = &object.role else { return false };
        let Some(buffer) = surface.newly_attached() else { return false };
        if std::mem::replace(&mut self.writers, Writers::Unknown) == Writers::Done {
            return false;
        }
        let Some(object) = self.objects.get(buffer) else { return false };
        let Role::Buffer(buffer) = &object.role else { return false };
        let Content::Dmabuf(file) = &buffer.content else { return false };
        let Some(fence) = file.writers().filter(|fence| !fence::has_passed(fence)) else {
            return false;
        };
        (self.fence, self.writers) = (Some(fence), Writers::AtWork);
        true
    }

    /// What is to be waited for, once.
    pub(super) fn take_fence(&mut self) -> Option<OwnedFd> {
        self.fence.take()
    }

    /// The fence has passed, or will not be waited for any longer.
    pub(super) fn stop_waiting(&mut self, passed: bool) {
        if !passed {
            tracing::warn!("{}: a GPU takes too long: shown as it is", self.trace.name());
        }
        self.writers = Writers::Done;
    }

    /// Events that have come, and one read's more. Whether there was anything.
    fn carry_events(&mut self, sharing: &mut Sharing) -> Result<bool, Fault> {
        let mut moved = false;
        while self.app.has_room() && self.host.has_room() {
            let mut message = std::mem::take(&mut self.scratch);
            let next = next(&mut self.host, &mut message)
                .map_err(|header| Fault::Host(format!("a message of {} bytes", header.size)))?;
            let Some(header) = next else {
                self.scratch = message;
                self.host.check_descriptors().map_err(Fault::Stream)?;
                let read = !moved && self.host.read().map_err(Fault::Stream)?;
                if !read {
                    return Ok(moved);
                }
                moved = true;
                continue;
            };
            moved = true;
            let result = self.event(header, message.get(HEADER..).unwrap_or_default(), sharing);
            self.scratch = message;
            result?;
        }
        Ok(moved)
    }

    /// Says why it ends: to the app if it can be told, and to people.
    fn end(&mut self, fault: &Fault) {
        if let Fault::Protocol { object, code, text } = fault {
            self.tell_error(*object, *code, text);
        }
        // Once: what there is no room for now, nobody waits for.
        let _ = self.app.flush();
        let (name, last) = (self.trace.name(), self.trace.dump());
        tracing::warn!("{name}: {fault}. Its last messages:{last}");
    }

    pub(super) fn tell_error(&mut self, object: AppId, code: u32, text: &str) {
        let text = text.get(..text.floor_char_boundary(MOST_TEXT)).unwrap_or_default();
        let error = Message::new(AppId::DISPLAY.0, ERROR);
        self.tell_app(error.uint(object.0).uint(code).string(text));
    }

    /// The app may use the number again.
    pub(super) fn tell_deleted(&mut self, id: AppId) {
        self.tell_app(Message::new(AppId::DISPLAY.0, DELETE_ID).uint(id.0));
    }

    pub(super) fn tell_app(&mut self, message: Message) {
        self.app.send(&message.finish(), Vec::new());
    }

    pub(super) fn tell_host(&mut self, message: Message) {
        self.host.send(&message.finish(), Vec::new());
    }

    /// The app is gone, and its stream: nothing of its buffers is shown any more.
    pub(super) fn release(&mut self, sharing: &mut Sharing) {
        for id in self.exports.drain().map(|(id, _)| id).chain(self.natives.drain()) {
            sharing.stream_ended(&id);
        }
    }
}

/// Takes the next whole message out of an end, if there is one.
fn next(end: &mut Endpoint, message: &mut Vec<u8>) -> Result<Option<Header>, Header> {
    message.clear();
    let Some((header, bytes)) = end.peek()? else { return Ok(None) };
    message.extend_from_slice(bytes);
    end.consume(header.size);
    Ok(Some(header))
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};

    use super::super::buffer::Buffer;
    use super::super::dmabuf_file::DmabufFile;
    use super::super::layout::Layout;
    use super::*;
    use crate::domain::DomainId;
    use crate::grant::PageCount;
    use crate::hypervisor::SharedMemory;
    use crate::hypervisor::shm::DomainMemory;

    /// An app that has been let in, its program's end, the host's end, and what is shared.
    fn app() -> (App, UnixStream, UnixStream, Sharing) {
        let ((program, ours), (theirs, host)) =
            (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
        program.set_nonblocking(true).unwrap();
        host.set_nonblocking(true).unwrap();
        let memory = DomainMemory::new(PageCount::new(16).unwrap()).unwrap();
        let memory = SharedMemory::Shm(memory);
        let sharing = Sharing::new(memory, DomainId::new(3).unwrap(), DomainId::DISPLAY);
        let terms = Rc::new(Terms { most_files: 16, ..Terms::default() });
        let mut app = App::new(Endpoint::new(ours), theirs, Trace::new("test".into(), None), terms);
        app.listed = true;
        (app, program, host, sharing)
    }

    fn settle(app: &mut App, sharing: &mut Sharing) {
        while app.turn(sharing) == Turn::More {}
    }

    fn drain(socket: &mut UnixStream) -> usize {
        let (mut count, mut buffer) = (0, [0; 4096]);
        loop {
            match socket.read(&mut buffer) {
                Ok(read) => count += read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return count,
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn the_manager_is_hidden_where_pages_of_programs_cannot_be_granted() {
        let (mut app, mut program, mut host, mut sharing) = app();
        assert!(!sharing.grants_files());
        settle(&mut app, &mut sharing);
        drain(&mut host);
        program.write_all(&Message::new(1, GET_REGISTRY).uint(2).finish()).unwrap();
        app.app.woke(true, true);
        settle(&mut app, &mut sharing);
        let mut request = [0; 12];
        host.read_exact(&mut request).unwrap();
        let registry = u32::from_ne_bytes([request[8], request[9], request[10], request[11]]);
        for (name, interface) in [(1, "hyper_dmabuf_manager_v1"), (2, "wl_shm")] {
            let global = Message::new(registry, 0).uint(name).string(interface).uint(1);
            host.write_all(&global.finish()).unwrap();
        }
        app.host.woke(true, true);
        settle(&mut app, &mut sharing);
        let mut told = vec![0; 4096];
        let count = program.read(&mut told).unwrap();
        assert_eq!(told[..count], Message::new(2, 0).uint(2).string("wl_shm").uint(1).finish());
    }

    /// The words of the messages that have come, without their headers.
    fn received(socket: &mut UnixStream) -> Vec<Vec<u32>> {
        let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(read) = socket.read(&mut buffer) {
            bytes.extend_from_slice(&buffer[..read]);
        }
        let words: Vec<u32> = bytes
            .chunks_exact(4)
            .map(|word| u32::from_ne_bytes([word[0], word[1], word[2], word[3]]))
            .collect();
        let (mut messages, mut rest) = (Vec::new(), &words[..]);
        while let [_, second, ..] = rest {
            let (message, after) = rest.split_at((second >> 16) as usize / 4);
            messages.push(message[2..].to_vec());
            rest = after;
        }
        messages
    }

    #[test]
    fn when_to_draw_is_told_by_the_programs_own_clock() {
        let (mut app, mut program, mut host, mut sharing) = app();
        app.clock = ClockOffset::from_nanoseconds(5_000_000);
        let mut asks = |app: &mut App, host: &mut UnixStream, messages: Vec<Message>| {
            for message in messages {
                program.write_all(&message.finish()).unwrap();
            }
            app.app.woke(true, true);
            settle(app, &mut sharing);
            received(host)
        };
        let registry = Message::new(1, GET_REGISTRY).uint(2);
        let asked = asks(&mut app, &mut host, vec![registry]);
        let registry = *asked.last().and_then(|words| words.last()).unwrap();
        let compositor = Message::new(registry, 0).uint(1).string("wl_compositor").uint(4);
        host.write_all(&compositor.finish()).unwrap();
        app.host.woke(true, true);
        let bind = Message::new(2, 0).uint(1).string("wl_compositor").uint(4).uint(3);
        let (surface, frame) = (Message::new(3, 0).uint(4), Message::new(4, 3).uint(5));
        asks(&mut app, &mut host, Vec::new());
        let asked =
            asks(&mut app, &mut host, vec![bind, surface, frame, Message::new(1, 0).uint(6)]);
        let [.., frame, sync] = &asked[..] else { panic!("{asked:?}") };
        for callback in [frame, sync] {
            host.write_all(&Message::new(callback[0], 0).uint(1000).finish()).unwrap();
        }
        app.host.woke(true, true);
        asks(&mut app, &mut host, Vec::new());
        let told = received(&mut program);
        assert_eq!(told[told.len() - 2..], [[1005], [1000]], "the other one is no time");
    }

    /// What the host was told since it was looked at last: objects and opcodes.
    fn told(host: &mut UnixStream) -> Vec<(u32, u16)> {
        let mut bytes = vec![0; 1 << 16];
        let count = host.read(&mut bytes).unwrap_or(0);
        let (mut rest, mut told) = (&bytes[..count], Vec::new());
        while let Some(header) = Header::read(rest) {
            told.push((header.object, header.opcode));
            rest = &rest[usize::from(header.size)..];
        }
        told
    }

    #[test]
    fn a_commit_waits_for_the_writers_of_its_dmabuf_and_so_does_what_comes_after_it() {
        let (mut app, mut program, mut host, mut sharing) = app();
        app.manager = Some(app.objects.hide(Hidden::Manager));
        let surface = Role::Surface(Box::default());
        let interface = &wayland_client::protocol::__interfaces::WL_SURFACE_INTERFACE;
        let surface = app.objects.insert(AppId(3), interface, 4, surface, true);
        let surface = surface.unwrap().unwrap().0;
        let other = app.objects.insert(AppId(6), interface, 4, Role::Plain, true);
        let other = other.unwrap().unwrap().0;
        let fence = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).unwrap();
        let content = Content::Dmabuf(Rc::new(DmabufFile::awaiting(fence, 4096)));
        let layout = Layout { offset: 0, width: 32, height: 32, stride: 128, format: 1 };
        let buffer = Role::Buffer(Box::new(Buffer::new(content, layout)));
        let interface = &wayland_client::protocol::__interfaces::WL_BUFFER_INTERFACE;
        app.objects.insert(AppId(4), interface, 1, buffer, false).unwrap();
        settle(&mut app, &mut sharing);
        told(&mut host);

        let attach = Message::new(3, 1).uint(4).int(0).int(0).finish();
        let commit = Message::new(3, COMMIT).finish();
        let sync = Message::new(1, SYNC).uint(5).finish();
        program.write_all(&[attach, commit, sync].concat()).unwrap();
        app.app.woke(true, false);
        settle(&mut app, &mut sharing);
        assert_eq!(told(&mut host).last(), Some(&(surface, 1)), "attached, and no more");
        assert!(app.take_fence().is_some() && app.take_fence().is_none(), "told once");

        // What the host says arrives meanwhile.
        host.write_all(&Message::new(1, DELETE_ID).uint(other).finish()).unwrap();
        app.host.woke(true, false);
        settle(&mut app, &mut sharing);
        assert!(drain(&mut program) > 0 && told(&mut host).is_empty());

        // It never passes: shown as it is.
        app.stop_waiting(false);
        settle(&mut app, &mut sharing);
        assert_eq!(told(&mut host), [(surface, COMMIT), (1, SYNC)]);
    }

    #[test]
    fn a_host_that_reads_on_is_all_that_it_takes_to_go_on() {
        let (mut app, mut program, mut host, mut sharing) = app();
        settle(&mut app, &mut sharing);
        let beginning = drain(&mut host);
        assert!(beginning > 0, "the proxy asks for the globals");
        // As much as fits on the way to a host that does not read.
        let (mut asked, mut refused) = (0, false);
        loop {
            let sync = Message::new(1, SYNC).uint(2 + asked).finish();
            match program.write(&sync) {
                Ok(written) => {
                    assert_eq!(written, sync.len());
                    (asked, refused) = (asked + 1, false);
                }
                Err(_) if refused => break,
                Err(_) => {
                    refused = true;
                    app.app.woke(true, true);
                    settle(&mut app, &mut sharing);
                }
            }
        }
        assert!(app.host.is_blocked(), "{asked} messages");
        // Only the host's side wakes it now, as often as the host makes room.
        let mut arrived = 0;
        loop {
            let read = drain(&mut host);
            if read == 0 {
                break;
            }
            arrived += read;
            // Nobody watches for room that is not waited for.
            if app.host.is_blocked() {
                app.host.woke(false, true);
                settle(&mut app, &mut sharing);
            }
        }
        assert_eq!(arrived, asked as usize * 12);
    }
}
