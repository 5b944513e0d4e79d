//! Programs that write Wayland as bytes, behind links that are driven from the test's own thread. How
//! much of what they said was handled is known from the compositor's own count of surfaces: now and then
//! they make one.

use std::{
    io::{ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use hyper_dmabuf::{
    hypervisor::shm::{self, DEFAULT_PAGES, DomainMemory},
    link::{Limits, Link, LinkEvent, Role},
};
use hyper_dmabuf_compositor::server::Server;

/// Requests and events by their numbers in wayland.xml.
pub(super) const DESTROY: u32 = 0;
pub(super) const ADD: u32 = 1;
pub(super) const DAMAGE: u32 = 2;
pub(super) const SET_INPUT_REGION: u32 = 5;
pub(super) const COMMIT: u32 = 6;
pub(super) const CREATE_REGION: u32 = 1;
const CREATE_SURFACE: u32 = 0;
const GET_REGISTRY: u32 = 1;
const BIND: u32 = 0;

/// Objects of every program.
const DISPLAY: u32 = 1;
const REGISTRY: u32 = 2;
pub(super) const COMPOSITOR: u32 = 3;
const SURFACE: u32 = 4;
/// Free for what is made and destroyed at once.
pub(super) const SPARE: u32 = 5;
const FIRST_TO_COUNT: u32 = 6;

/// What a program says in all.
const BYTES: usize = 256 * 1024;

/// A message as it is on the wire.
pub(super) fn message(object: u32, opcode: u32, arguments: &[u32]) -> Vec<u8> {
    let size = 8 + 4 * arguments.len() as u32;
    let words = [&[object, size << 16 | opcode], arguments].concat();
    words.into_iter().flat_map(u32::to_ne_bytes).collect()
}

struct Program {
    app: UnixStream,
    to_say: Vec<u8>,
    said: usize,
}

/// The programs of a domain, and its links.
pub(super) struct Flood {
    links: Vec<Link>,
    programs: Vec<Program>,
    /// Bytes from one surface that is made to the next.
    step: usize,
    _memory: DomainMemory,
}

impl Flood {
    /// Connect to where the domain `noisy` is awaited, and get everything ready to say `words`.
    pub(super) fn begin(
        server: &mut Server,
        socket: &Path,
        links: usize,
        programs_of_each: usize,
        words: fn(u32) -> Vec<u8>,
    ) -> Flood {
        let memory = DomainMemory::new(DEFAULT_PAGES).unwrap();
        let links = (0..links).map(|_| {
            let transport = shm::connect(socket, &memory).unwrap();
            Link::new(transport, Role::Guest, Limits::default()).unwrap()
        });
        let words = words(SURFACE);
        let step = words.len() + message(COMPOSITOR, CREATE_SURFACE, &[0]).len();
        let (links, programs) = (links.collect(), Vec::new());
        let mut flood = Flood { links, programs, step, _memory: memory };
        for link in 0..flood.links.len() {
            flood.until(server, |flood| {
                let events = std::iter::from_fn(|| flood.links[link].next_event());
                events.into_iter().any(|event| matches!(event, LinkEvent::Ready { .. }))
            });
            for _ in 0..programs_of_each {
                let program = flood.program(server, link, &words);
                flood.programs.push(program);
            }
        }
        flood
    }

    fn program(&mut self, server: &mut Server, link: usize, words: &[u8]) -> Program {
        let (mut app, end) = UnixStream::pair().unwrap();
        app.set_nonblocking(true).unwrap();
        self.links[link].open(end).unwrap();
        app.write_all(&message(DISPLAY, GET_REGISTRY, &[REGISTRY])).unwrap();
        let mut told = Vec::new();
        self.until(server, |_| {
            read(&mut app, &mut told);
            number_of_compositor(&told).is_some()
        });
        let number = number_of_compositor(&told).unwrap();
        let name = b"wl_compositor\0\0\0".as_chunks().0.iter().copied().map(u32::from_ne_bytes);
        let name: Vec<u32> = name.collect();
        let bind = [&[number, 14], name.as_slice(), &[4, COMPOSITOR]].concat();
        app.write_all(&message(REGISTRY, BIND, &bind)).unwrap();
        let surface = |number| message(COMPOSITOR, CREATE_SURFACE, &[number]);
        app.write_all(&surface(SURFACE)).unwrap();
        // No number may be left out.
        let spare = message(COMPOSITOR, CREATE_REGION, &[SPARE]);
        app.write_all(&[spare, message(SPARE, DESTROY, &[])].concat()).unwrap();
        let steps = (0..(BYTES / self.step) as u32).map(|at| surface(FIRST_TO_COUNT + at));
        let to_say = steps.flat_map(|surface| [words, &surface].concat()).collect();
        Program { app, to_say, said: 0 }
    }

    /// Whether anything is left that they say.
    pub(super) fn goes_on(&self, server: &Server) -> bool {
        self.handled(server) < self.programs.len() * (BYTES / self.step + 1) * self.step
    }

    /// Every program says as much as is taken, and hears what it is told.
    pub(super) fn say_all_that_is_taken(&mut self) {
        for program in &mut self.programs {
            while program.said < program.to_say.len() {
                match program.app.write(&program.to_say[program.said..]) {
                    Ok(count) => program.said += count,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => panic!("{error}"),
                }
            }
            read(&mut program.app, &mut Vec::new());
        }
        self.links.iter_mut().for_each(|link| link.dispatch().unwrap());
    }

    /// Bytes that were handled, but for those after the last surface.
    pub(super) fn handled(&self, server: &Server) -> usize {
        let reports = server.state.domain_reports();
        let noisy = reports.iter().find(|report| report.name == "noisy").unwrap();
        noisy.surfaces as usize * self.step
    }

    /// Bytes that may have been handled and are not counted yet.
    pub(super) fn in_between(&self) -> usize {
        self.programs.len() * self.step
    }

    fn until(&mut self, server: &mut Server, mut done: impl FnMut(&mut Flood) -> bool) {
        for _ in 0..1000 {
            self.links.iter_mut().for_each(|link| link.dispatch().unwrap());
            server.dispatch(Some(Duration::ZERO)).unwrap();
            if done(self) {
                return;
            }
        }
        panic!("the compositor does not answer");
    }
}

fn read(app: &mut UnixStream, told: &mut Vec<u8>) {
    // Ends with `WouldBlock`; what was read until then is kept.
    let _ = app.read_to_end(told);
}

/// `wl_registry.global` has the number, the name's length, and the name.
fn number_of_compositor(told: &[u8]) -> Option<u32> {
    let name = b"wl_compositor\0";
    let at = told.windows(name.len()).position(|bytes| bytes == name)?;
    Some(u32::from_ne_bytes(told[at - 8..at - 4].try_into().unwrap()))
}
