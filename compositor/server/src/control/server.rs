//! The compositor's end of the control socket.

use std::{
    cell::Cell,
    fs,
    io::{self, ErrorKind, Read, Write},
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    rc::Rc,
};

use smithay::reexports::calloop::{Interest, LoopHandle, Mode, PostAction, generic::Generic};

use super::messages::{Answer, Request};
use crate::state::State;

/// The longest line that is read.
const LONGEST_LINE: usize = 4096;
/// How many may be connected at once.
const MOST_CONNECTIONS: usize = 16;

/// A control socket that is open. Its file goes when this is dropped.
#[derive(Debug)]
pub struct ControlSocket(PathBuf);

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // It may be gone already; nothing is left to do then.
        let _ = fs::remove_file(&self.0);
    }
}

/// Open the control socket at `path`. A socket that is there already is of a compositor that died:
/// the lock on the Wayland socket's name has shown that none lives.
pub fn listen(loop_handle: &LoopHandle<'static, State>, path: &Path) -> io::Result<ControlSocket> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    let socket = ControlSocket(path.to_path_buf());
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    let connections = Rc::new(Cell::new(0));
    let source = Generic::new(listener, Interest::READ, Mode::Level);
    loop_handle
        .insert_source(source, move |_, listener, state| {
            loop {
                match listener.accept() {
                    Ok((stream, _)) => {
                        if let Err(error) = accept(state, stream, &connections) {
                            tracing::warn!(%error, "a control connection failed");
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        return Ok(PostAction::Continue);
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept control connections");
                        return Ok(PostAction::Continue);
                    }
                }
            }
        })
        .map_err(|error| io::Error::other(error.to_string()))?;
    Ok(socket)
}

/// A place among the connections that may be open at once.
struct Place(Rc<Cell<usize>>);

impl Place {
    fn take(connections: &Rc<Cell<usize>>) -> Option<Place> {
        if connections.get() >= MOST_CONNECTIONS {
            return None;
        }
        connections.set(connections.get() + 1);
        Some(Place(connections.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// One connection and what was read from it without being a whole line yet.
struct Connection {
    stream: UnixStream,
    incoming: Vec<u8>,
    _place: Place,
}

fn accept(state: &State, stream: UnixStream, connections: &Rc<Cell<usize>>) -> io::Result<()> {
    let place = Place::take(connections).ok_or_else(|| io::Error::other("too many are open"))?;
    stream.set_nonblocking(true)?;
    let connection = Connection { stream, incoming: Vec::new(), _place: place };
    await_request(&state.loop_handle, connection)
}

/// Read until a line is whole, then answer it.
fn await_request(
    loop_handle: &LoopHandle<'static, State>,
    connection: Connection,
) -> io::Result<()> {
    // A descriptor of its own: while this source runs, another one may be waiting already.
    let source = Generic::new(connection.stream.try_clone()?, Interest::READ, Mode::Level);
    let mut connection = Some(connection);
    loop_handle
        .insert_source(source, move |_, _, state| {
            let Some(mut open) = connection.take() else { return Ok(PostAction::Remove) };
            match open.read_line() {
                Ok(Line::NotYet) => {
                    connection = Some(open);
                    return Ok(PostAction::Continue);
                }
                Ok(Line::Whole(line)) => {
                    let answer = answer(state, &line);
                    if let Err(error) = send(&state.loop_handle.clone(), open, answer) {
                        tracing::debug!(%error, "a control connection ended");
                    }
                }
                Ok(Line::End) => {}
                Err(error) => tracing::debug!(%error, "a control connection ended"),
            }
            Ok(PostAction::Remove)
        })
        .map(|_| ())
        .map_err(|error| io::Error::other(error.to_string()))
}

/// What reading gave.
enum Line {
    NotYet,
    Whole(Vec<u8>),
    End,
}

impl Connection {
    fn read_line(&mut self) -> io::Result<Line> {
        let mut buffer = [0; 1024];
        loop {
            if let Some(end) = self.incoming.iter().position(|byte| *byte == b'\n') {
                let rest = self.incoming.split_off(end + 1);
                return Ok(Line::Whole(std::mem::replace(&mut self.incoming, rest)));
            }
            if self.incoming.len() > LONGEST_LINE {
                return Err(io::Error::other("a line is too long"));
            }
            match (&self.stream).read(&mut buffer) {
                Ok(0) => return Ok(Line::End),
                Ok(length) => self.incoming.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Line::NotYet),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Write all of `bytes` as the other side takes them, then await the next request.
fn send(
    loop_handle: &LoopHandle<'static, State>,
    connection: Connection,
    bytes: Vec<u8>,
) -> io::Result<()> {
    let source = Generic::new(connection.stream.try_clone()?, Interest::WRITE, Mode::Level);
    let mut connection = Some(connection);
    let mut sent = 0;
    loop_handle
        .insert_source(source, move |_, stream, state| {
            while sent < bytes.len() {
                match (&**stream).write(&bytes[sent..]) {
                    Ok(length) => sent += length,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        return Ok(PostAction::Continue);
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => {
                        tracing::debug!(%error, "a control connection ended");
                        return Ok(PostAction::Remove);
                    }
                }
            }
            if let Some(connection) = connection.take()
                && let Err(error) = await_request(&state.loop_handle.clone(), connection)
            {
                tracing::debug!(%error, "a control connection ended");
            }
            Ok(PostAction::Remove)
        })
        .map(|_| ())
        .map_err(|error| io::Error::other(error.to_string()))
}

/// Do what a line asks. The bytes to send.
fn answer(state: &mut State, line: &[u8]) -> Vec<u8> {
    let mut following = Vec::new();
    let answer = match serde_json::from_slice(line) {
        Ok(Request::Windows) => Answer::Windows(state.window_reports()),
        Ok(Request::Window(request)) => match state.control_window(&request) {
            Ok(()) => Answer::Windows(state.window_reports()),
            Err(error) => Answer::Error(error.to_string()),
        },
        Ok(Request::Log { filter }) => match state.change_log_filter(&filter) {
            Ok(()) => Answer::Done,
            Err(error) => Answer::Error(error),
        },
        Ok(Request::Statistics) => Answer::Statistics(state.statistics()),
        Ok(Request::Reload) => match state.reload() {
            Ok(report) => Answer::Reloaded(report),
            Err(error) => Answer::Error(error.to_string()),
        },
        Ok(Request::Domains) => Answer::Domains(state.domain_reports()),
        Ok(Request::Policy { domain }) => match state.policy_reports(domain.as_deref()) {
            Ok(reports) => Answer::Policy(reports),
            Err(error) => Answer::Error(error.to_string()),
        },
        Ok(Request::Buffers) => Answer::Buffers(state.buffer_reports()),
        Ok(Request::Outputs) => Answer::Outputs(state.output_reports()),
        Ok(Request::SetOutput(wanted)) => match state.set_output(&wanted) {
            Ok(()) => Answer::Outputs(state.output_reports()),
            Err(error) => Answer::Error(error.to_string()),
        },
        Ok(Request::Screenshot { output }) => {
            let picture = match output {
                Some(name) => state.screenshot_of(&name),
                None => state.screenshot(),
            };
            let png = picture
                .map_err(|error| error.to_string())
                .and_then(|image| image.to_png().map_err(|error| error.to_string()));
            match png {
                Ok(png) => {
                    following = png;
                    Answer::Screenshot { bytes: following.len() }
                }
                Err(error) => Answer::Error(error),
            }
        }
        Err(error) => {
            Answer::Error(format!("this compositor does not understand the request: {error}"))
        }
    };
    // Reports hold only text and numbers, which always can be written as JSON.
    let mut bytes = serde_json::to_vec(&answer)
        .unwrap_or_else(|_| br#"{"error":"the answer cannot be written"}"#.to_vec());
    bytes.push(b'\n');
    bytes.append(&mut following);
    bytes
}
