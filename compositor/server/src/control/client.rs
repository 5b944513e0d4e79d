//! The other end of the control socket, for `hyper-dmabufctl` and for tests.

use std::{
    env,
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use super::messages::{Answer, Request, SOCKET_SUFFIX};

/// The longest answer that is read.
const LONGEST_ANSWER: u64 = 1 << 30;
/// How long a compositor may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why nothing could be asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No compositor is named.
    #[error(
        "{0} is not set: run this where the compositor's clients run, or set it to the name given to --socket"
    )]
    NoVariable(&'static str),
    /// The socket does not answer.
    #[error("no hyper-dmabuf-compositor answers at {}: {source}. Check WAYLAND_DISPLAY", path.display())]
    Connect {
        /// Which socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the compositor stopped answering: {0}")]
    Broken(#[from] io::Error),
    /// The answer makes no sense.
    #[error("the compositor's answer cannot be understood ({0}): are both of the same version?")]
    Answer(String),
    /// The compositor could not do it.
    #[error("the compositor says: {0}")]
    Refused(String),
}

/// A connection to a compositor.
pub struct Control(BufReader<UnixStream>);

/// The control socket that belongs to a Wayland socket.
pub fn socket_path(wayland_socket: &Path) -> PathBuf {
    let mut name = wayland_socket.as_os_str().to_owned();
    name.push(SOCKET_SUFFIX);
    PathBuf::from(name)
}

impl Control {
    /// Connect to the compositor that `WAYLAND_DISPLAY` names.
    pub fn from_environment() -> Result<Control, ControlError> {
        let name =
            env::var_os("WAYLAND_DISPLAY").ok_or(ControlError::NoVariable("WAYLAND_DISPLAY"))?;
        let wayland_socket = if Path::new(&name).is_absolute() {
            PathBuf::from(name)
        } else {
            let directory = env::var_os("XDG_RUNTIME_DIR")
                .ok_or(ControlError::NoVariable("XDG_RUNTIME_DIR"))?;
            PathBuf::from(directory).join(name)
        };
        Control::connect(&socket_path(&wayland_socket))
    }

    /// Connect to a control socket.
    pub fn connect(path: &Path) -> Result<Control, ControlError> {
        let stream = UnixStream::connect(path)
            .map_err(|source| ControlError::Connect { path: path.to_path_buf(), source })?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Control(BufReader::new(stream)))
    }

    /// Ask, and return the answer with what follows it.
    pub fn ask(&mut self, request: Request) -> Result<(Answer, Vec<u8>), ControlError> {
        let mut line = serde_json::to_vec(&request)
            .map_err(|error| ControlError::Answer(error.to_string()))?;
        line.push(b'\n');
        self.0.get_mut().write_all(&line)?;
        let mut line = String::new();
        (&mut self.0).take(LONGEST_ANSWER).read_line(&mut line)?;
        let answer =
            serde_json::from_str(&line).map_err(|error| ControlError::Answer(error.to_string()))?;
        let mut following = Vec::new();
        match answer {
            Answer::Error(error) => return Err(ControlError::Refused(error)),
            Answer::Screenshot { bytes } => {
                let length = u64::try_from(bytes).unwrap_or(u64::MAX);
                if length > LONGEST_ANSWER {
                    return Err(ControlError::Answer(format!("a picture of {length} bytes")));
                }
                following.resize(bytes, 0);
                self.0.read_exact(&mut following)?;
            }
            _ => {}
        }
        Ok((answer, following))
    }
}
