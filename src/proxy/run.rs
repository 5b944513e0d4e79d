//! The proxy as a whole: one thread, one event loop, any number of apps.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use calloop::generic::Generic;
use calloop::{Dispatcher, EventLoop, Interest, LoopHandle, Mode, PostAction, RegistrationToken};

use super::app::{App, Turn, display_error};
use super::causes::with_causes;
use super::child::Program;
use super::descriptors;
use super::endpoint::Endpoint;
use super::fence::Awaited;
use super::listener::{ListenError, Listener};
use super::statistics::Statistics;
use super::terms::{GpuChoice, Terms, VersionLimit};
use super::trace::{self, Trace, TraceFilter};
use super::upstream::{News, Upstream, UpstreamError};
use super::wire::Message;
use crate::client::Address;
use crate::link::StreamId;

/// Apps at a time: what a link carries, see [`crate::link::Limits`].
const MOST_APPS: usize = 64;

/// How soon buffers are asked for again that were still mapped when their app ended.
const RECLAIM: Duration = Duration::from_millis(50);

/// How the proxy is to run.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the display domain is.
    pub link: Address,
    /// The name of the socket for apps; the first that is free if `None`.
    pub socket: Option<String>,
    /// Which messages are written to stderr, if any.
    pub trace: Option<TraceFilter>,
    /// What programs are told to draw with, if they draw by a GPU.
    pub gpu: GpuChoice,
    /// Interfaces that are offered in older versions, or not at all.
    pub limits: Vec<VersionLimit>,
    /// A program to run, and to end with; none if empty.
    pub command: Vec<OsString>,
}

/// Why the proxy ended, or did not begin.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The display domain is not there.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// There is no socket for apps.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The device that programs are to draw with is none.
    #[error("cannot use the GPU {}: {cause}", path.display())]
    Gpu {
        /// What was given.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        cause: io::Error,
    },
    /// The program cannot be started.
    #[error("cannot start the program {0}")]
    Program(#[source] io::Error),
    /// The event loop failed.
    #[error("the event loop failed: {0}")]
    EventLoop(String),
}

impl From<calloop::Error> for ProxyError {
    fn from(error: calloop::Error) -> Self {
        ProxyError::EventLoop(error.to_string())
    }
}

/// Which of an app's two connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    App,
    Host,
}

/// Names an app, and is never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct AppNumber(u64);

struct Proxy {
    config: Config,
    handle: LoopHandle<'static, Proxy>,
    listener: Rc<Listener>,
    upstream: Option<(Upstream, RegistrationToken)>,
    /// Connected, while the link is not open yet.
    waiting: Vec<UnixStream>,
    apps: BTreeMap<AppNumber, Running>,
    next: u64,
    /// Apps that may have something to do.
    awake: BTreeSet<AppNumber>,
    link_awake: bool,
    reclaiming: bool,
    statistics: Statistics,
    program: Option<Program>,
    exit: Option<u8>,
    terms: Rc<Terms>,
}

/// An app, and what wakes it.
struct Running {
    app: App,
    stream: StreamId,
    sides: [Watch; 2],
    /// What its next commit waits for.
    fence: Option<Awaited<Proxy>>,
}

/// A socket in the event loop.
struct Watch {
    dispatcher: Dispatcher<'static, Generic<Rc<UnixStream>>, Proxy>,
    token: RegistrationToken,
    handle: LoopHandle<'static, Proxy>,
    for_room: bool,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.handle.remove(self.token);
    }
}

impl Watch {
    fn new(
        handle: &LoopHandle<'static, Proxy>,
        socket: Rc<UnixStream>,
        number: AppNumber,
        side: Side,
    ) -> calloop::Result<Watch> {
        let source = Generic::new(socket, Interest::READ, Mode::Edge);
        let dispatcher = Dispatcher::new(source, move |ready, _, proxy: &mut Proxy| {
            proxy.woke(number, side, ready.readable, ready.writable);
            Ok(PostAction::Continue)
        });
        let token = handle.register_dispatcher(dispatcher.clone())?;
        Ok(Watch { dispatcher, token, handle: handle.clone(), for_room: false })
    }

    /// Room to write is only asked for after a write found none.
    fn watch_for_room(&mut self, wanted: bool) -> calloop::Result<()> {
        if self.for_room == wanted {
            return Ok(());
        }
        self.for_room = wanted;
        self.dispatcher.as_source_mut().interest =
            if wanted { Interest::BOTH } else { Interest::READ };
        self.handle.update(&self.token)
    }
}

/// Runs until the program ends, or for good if there is none. The program's exit status.
///
/// # Errors
/// The display domain cannot be reached, there is no socket for apps, or the program cannot be
/// started. Later a display domain that goes away ends the apps, and the proxy waits for new ones.
pub fn run(config: Config) -> Result<u8, ProxyError> {
    let mut event_loop: EventLoop<'static, Proxy> = EventLoop::try_new()?;
    let gpu = config.gpu.choose().map_err(|(path, cause)| {
        let path = path.to_owned();
        ProxyError::Gpu { path, cause }
    })?;
    let upstream = Upstream::connect(&config.link)?;
    let listener = Rc::new(Listener::open(config.socket.as_deref())?);
    let mut proxy = Proxy {
        config,
        handle: event_loop.handle(),
        listener,
        upstream: None,
        waiting: Vec::new(),
        apps: BTreeMap::new(),
        next: 1,
        awake: BTreeSet::new(),
        link_awake: true,
        reclaiming: false,
        statistics: Statistics::default(),
        program: None,
        exit: None,
        terms: Rc::default(),
    };
    proxy.watch_upstream(upstream)?;
    proxy.listen()?;
    tracing::info!("apps connect with WAYLAND_DISPLAY={}", proxy.listener.name());
    proxy.start_program()?;
    // Only now: programs should begin with the limits that they are used to.
    let most_files = descriptors::share(MOST_APPS as u64);
    proxy.terms = Rc::new(Terms { most_files, gpu, limits: proxy.config.limits.clone() });
    loop {
        let more = proxy.link_awake || !proxy.awake.is_empty();
        event_loop.dispatch(more.then_some(Duration::ZERO), &mut proxy)?;
        proxy.turn()?;
        if let Some(status) = proxy.exit {
            proxy.end();
            return Ok(status);
        }
    }
}

impl Proxy {
    fn watch<F: FnMut(&mut Proxy) + 'static>(
        &self,
        descriptor: OwnedFd,
        mut woke: F,
    ) -> calloop::Result<RegistrationToken> {
        let source = Generic::new(descriptor, Interest::READ, Mode::Level);
        let callback = move |_, _: &mut _, proxy: &mut Proxy| {
            woke(proxy);
            Ok(PostAction::Continue)
        };
        self.handle.insert_source(source, callback).map_err(|error| error.error)
    }

    fn watch_upstream(&mut self, upstream: Upstream) -> Result<(), ProxyError> {
        let descriptor = upstream.descriptor().map_err(calloop::Error::from)?;
        let token = self.watch(descriptor, |proxy| proxy.link_awake = true)?;
        self.upstream = Some((upstream, token));
        self.link_awake = true;
        Ok(())
    }

    fn listen(&mut self) -> Result<(), ProxyError> {
        // Closed in programs that are started: one that held its own server's socket open would never
        // see the end of the proxy.
        let descriptor = self.listener.as_fd().try_clone_to_owned();
        let descriptor = descriptor.map_err(calloop::Error::from)?;
        self.watch(descriptor, |proxy| proxy.accept())?;
        Ok(())
    }

    fn start_program(&mut self) -> Result<(), ProxyError> {
        if self.config.command.is_empty() {
            return Ok(());
        }
        let (program, ended) = Program::start(&self.config.command, self.listener.name())
            .map_err(ProxyError::Program)?;
        self.program = Some(program);
        self.watch(ended, |proxy| {
            if let Some(mut program) = proxy.program.take() {
                proxy.exit = Some(program.exit_status());
            }
        })?;
        Ok(())
    }

    fn accept(&mut self) {
        loop {
            match self.listener.accept() {
                Ok(Some(socket)) if self.apps.len() + self.waiting.len() >= MOST_APPS => {
                    refuse(socket, &format!("{MOST_APPS} programs are connected: end one first"));
                }
                Ok(Some(socket)) => {
                    self.waiting.push(socket);
                    self.link_awake = true;
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a program");
                    return;
                }
            }
        }
    }

    fn woke(&mut self, number: AppNumber, side: Side, readable: bool, writable: bool) {
        let Some(running) = self.apps.get_mut(&number) else { return };
        match side {
            Side::App => running.app.app.woke(readable, writable),
            Side::Host => running.app.host.woke(readable, writable),
        }
        self.awake.insert(number);
    }

    /// Does what has come up.
    fn turn(&mut self) -> Result<(), ProxyError> {
        if std::mem::take(&mut self.link_awake) {
            self.turn_link()?;
            self.let_in();
        }
        for number in std::mem::take(&mut self.awake) {
            self.turn_app(number)?;
        }
        Ok(())
    }

    fn turn_link(&mut self) -> Result<(), ProxyError> {
        // A link that went is made anew when somebody needs it.
        if self.upstream.is_none() && !self.waiting.is_empty() {
            match Upstream::connect(&self.config.link) {
                Ok(upstream) => self.watch_upstream(upstream)?,
                Err(error) => {
                    let error = with_causes(&error);
                    tracing::warn!("{error}");
                    for socket in self.waiting.drain(..) {
                        refuse(socket, &error);
                    }
                }
            }
        }
        let Some((upstream, _)) = &mut self.upstream else { return Ok(()) };
        for news in upstream.news().map_err(calloop::Error::from)? {
            match news {
                News::Ready => tracing::debug!("the link is open"),
                News::StreamClosed(stream, reason) => {
                    let closed = self.apps.values().find(|running| running.stream == stream);
                    if let Some(running) = closed {
                        tracing::info!("{}: stream closed: {reason}", running.app.trace.name());
                    }
                }
                News::Closed(reason) => {
                    tracing::warn!("the display domain is gone: {reason}");
                    self.upstream_gone();
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn upstream_gone(&mut self) {
        let Some((mut upstream, token)) = self.upstream.take() else { return };
        self.handle.remove(token);
        // Their streams have ended: what came before is told yet.
        let numbers: Vec<AppNumber> = self.apps.keys().copied().collect();
        for number in numbers {
            let Some(mut running) = self.apps.remove(&number) else { continue };
            if let Some(sharing) = upstream.sharing() {
                running.app.turn(sharing);
                running.app.release(sharing);
            }
            self.ended(&running);
        }
        if let Some(sharing) = upstream.sharing() {
            sharing.peer_gone();
        }
        self.link_awake = !self.waiting.is_empty();
    }

    /// Gives each app that waits a stream, once the link is open.
    fn let_in(&mut self) {
        if self.waiting.is_empty() || !self.link_is_open() {
            return;
        }
        for socket in std::mem::take(&mut self.waiting) {
            let Some((upstream, _)) = &mut self.upstream else { return };
            let Some((own, _)) = upstream.sharing().map(|sharing| sharing.domains()) else {
                return;
            };
            let opened = upstream.open();
            let (stream, host) = match opened {
                Ok(opened) => opened,
                Err(error) => {
                    tracing::warn!("no stream for a program: {error}");
                    refuse(socket, &error.to_string());
                    continue;
                }
            };
            self.link_awake = true;
            let number = AppNumber(self.next);
            self.next += 1;
            let name = format!("domain {own}, {} #{stream}", program_of(&socket));
            let trace = Trace::new(name, self.config.trace.clone());
            let app = App::new(Endpoint::new(socket), host, trace, Rc::clone(&self.terms));
            let sides = (|| {
                let app_side = Watch::new(&self.handle, app.app.socket(), number, Side::App)?;
                let host_side = Watch::new(&self.handle, app.host.socket(), number, Side::Host)?;
                calloop::Result::Ok([app_side, host_side])
            })();
            match sides {
                Ok(sides) => {
                    tracing::debug!("{} has connected", app.trace.name());
                    self.apps.insert(number, Running { app, stream, sides, fence: None });
                    self.awake.insert(number);
                }
                Err(error) => tracing::warn!(%error, "cannot watch a program"),
            }
        }
    }

    fn link_is_open(&mut self) -> bool {
        self.upstream.as_mut().is_some_and(|(upstream, _)| upstream.sharing().is_some())
    }

    fn turn_app(&mut self, number: AppNumber) -> Result<(), ProxyError> {
        let Some((upstream, _)) = &mut self.upstream else { return Ok(()) };
        let clock = upstream.clock_offset();
        let (Some(sharing), Some(running)) = (upstream.sharing(), self.apps.get_mut(&number))
        else {
            return Ok(());
        };
        running.app.clock = clock;
        match running.app.turn(sharing) {
            Turn::More => {
                self.awake.insert(number);
            }
            Turn::Idle => {}
            Turn::Over => {
                running.app.release(sharing);
                if let Some(running) = self.apps.remove(&number) {
                    self.ended(&running);
                }
                self.reclaim();
                return Ok(());
            }
        }
        let [app_side, host_side] = &mut running.sides;
        app_side.watch_for_room(running.app.app.is_blocked())?;
        host_side.watch_for_room(running.app.host.is_blocked())?;
        if let Some(fence) = running.app.take_fence() {
            let told = move |proxy: &mut Proxy, passed| proxy.fence_passed(number, passed);
            running.fence = Some(Awaited::new(&self.handle, fence, told)?);
        }
        Ok(())
    }

    /// What an app's commit waited for has come, or will be waited for no longer.
    fn fence_passed(&mut self, number: AppNumber, passed: bool) {
        let Some(running) = self.apps.get_mut(&number) else { return };
        running.fence = None;
        running.app.stop_waiting(passed);
        self.awake.insert(number);
    }

    /// Takes back what was still mapped when its app ended, now or soon.
    fn reclaim(&mut self) {
        let Some((upstream, _)) = &mut self.upstream else { return };
        let Some(sharing) = upstream.sharing() else { return };
        if sharing.reclaim() == 0 || std::mem::replace(&mut self.reclaiming, true) {
            return;
        }
        let timer = calloop::timer::Timer::from_duration(RECLAIM);
        let inserted = self.handle.insert_source(timer, |_, (), proxy: &mut Proxy| {
            proxy.reclaiming = false;
            proxy.reclaim();
            calloop::timer::TimeoutAction::Drop
        });
        if let Err(error) = inserted {
            // The next app that ends tries again.
            tracing::warn!(%error, "cannot wait for buffers of a program that has ended");
            self.reclaiming = false;
        }
    }

    fn ended(&mut self, running: &Running) {
        let (name, statistics) = (running.app.trace.name(), running.app.statistics);
        self.statistics += statistics;
        if self.config.trace.is_some() {
            trace::say(format!("hyper-dmabuf-proxy: {name} has ended: {statistics}"));
        } else {
            tracing::debug!("{name} has ended: {statistics}");
        }
    }

    /// The program has ended, and so does the proxy.
    fn end(&mut self) {
        if let Some((mut upstream, _)) = self.upstream.take() {
            upstream.close();
        }
        for (_, running) in std::mem::take(&mut self.apps) {
            self.ended(&running);
        }
        if self.config.trace.is_some() {
            trace::say(format!("hyper-dmabuf-proxy: all programs: {}", self.statistics));
        }
    }
}

/// Tells an app why it is not let in.
fn refuse(socket: UnixStream, why: &str) {
    let mut end = Endpoint::new(socket);
    let error = Message::new(1, 0).uint(1).uint(display_error::IMPLEMENTATION);
    let text = why.get(..why.floor_char_boundary(1000)).unwrap_or_default();
    end.send(&error.string(text).finish(), Vec::new());
    let _ = end.flush(); // If there is no room in a new socket, there is nobody to tell.
}

/// The name of the program at the other end, as the kernel knows it: for people to read.
fn program_of(socket: &UnixStream) -> String {
    let name = rustix::net::sockopt::socket_peercred(socket).ok().and_then(|peer| {
        let pid = peer.pid.as_raw_nonzero();
        std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()
    });
    let name = name.unwrap_or_else(|| "a program".to_owned());
    name.trim_end().chars().filter(|letter| !letter.is_control()).take(32).collect()
}
