//! What is said on the control socket. Each message is one line of JSON.

use hyper_dmabuf::domain::DomainId;
use serde::{Deserialize, Serialize};

use super::statistics::Statistics;
use crate::{
    colour::Colour,
    config::OutputSize,
    domain::LinkState,
    outputs::settings::{OutputPosition, OutputScale, OutputTransform},
    trust::{limits::DomainLimits, policy::DecidedBy, protocols::Class},
};

/// What is appended to the name of the Wayland socket to make the control socket's.
pub const SOCKET_SUFFIX: &str = ".control";

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "request", deny_unknown_fields)]
pub enum Request {
    /// A picture of what is seen.
    Screenshot {
        /// On which output; on all if not said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<String>,
    },
    /// All outputs.
    Outputs,
    /// Change an output; the answer is all outputs.
    SetOutput(OutputRequest),
    /// All windows.
    Windows,
    /// Do something with a window; the answer is all windows.
    Window(WindowRequest),
    /// What is logged from now on, in the syntax of `RUST_LOG`; the answer is [`Answer::Done`].
    Log {
        /// For example `debug`, or `info,smithay=debug`.
        filter: String,
    },
    /// All buffers that guests share.
    Buffers,
    /// All domains.
    Domains,
    /// All that is counted.
    Statistics,
    /// Read the configuration again; the answer is what is different.
    Reload,
    /// What a domain's programs are offered.
    Policy {
        /// Its name; what all are offered, if not said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        domain: Option<String>,
    },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// A picture: so many bytes of PNG follow the line.
    Screenshot {
        /// How many bytes follow.
        bytes: usize,
    },
    /// All windows, lowest first.
    Windows(Vec<WindowReport>),
    /// All buffers that guests share.
    Buffers(Vec<BufferReport>),
    /// All domains.
    Domains(Vec<DomainReport>),
    /// All outputs.
    Outputs(Vec<OutputReport>),
    /// All that is counted.
    Statistics(Statistics),
    /// The configuration was read again.
    Reloaded(ReloadReport),
    /// What a domain's programs are offered, protocol by protocol.
    Policy(Vec<ProtocolReport>),
    /// It is done, and there is no more to say.
    Done,
    /// It could not be done.
    Error(String),
}

/// What came of reading the configuration again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadReport {
    /// What is different now.
    pub changed: Vec<String>,
    /// What is configured differently and takes effect at the next start.
    pub at_next_start: Vec<String>,
    /// What could not be done, and why.
    pub failed: Vec<String>,
}

/// What is to be done with a window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "action", deny_unknown_fields)]
pub enum WindowRequest {
    /// Show it, wherever it is, and give it the focus.
    Focus {
        /// Its number.
        id: u64,
    },
    /// Ask its program to close it.
    Close {
        /// Its number.
        id: u64,
    },
    /// Put it elsewhere.
    Move {
        /// Its number.
        id: u64,
        /// Where its client's pixels are to lie.
        to: OutputPosition,
    },
}

/// What is to change about an output. What is not said stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputRequest {
    /// Which.
    pub name: String,
    /// Whether it shows anything.
    #[serde(default)]
    pub on: Option<bool>,
    /// Its pixels, `WIDTHxHEIGHT`.
    #[serde(default)]
    pub size: Option<OutputSize>,
    /// Pixels of the output to one of a window's.
    #[serde(default)]
    pub scale: Option<OutputScale>,
    /// How it is mounted.
    #[serde(default)]
    pub transform: Option<OutputTransform>,
    /// Its upper left corner, `X+Y` in pixels of windows.
    #[serde(default)]
    pub position: Option<OutputPosition>,
}

/// One output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutputReport {
    /// What it is called.
    pub name: String,
    /// Whether it shows anything.
    pub on: bool,
    /// Width in its own pixels.
    pub width: i32,
    /// Height in its own pixels.
    pub height: i32,
    /// Thousandths of pictures a second.
    pub refresh: i32,
    /// Pixels of the output to one of a window's.
    pub scale: f64,
    /// How it is mounted.
    pub transform: OutputTransform,
    /// Where it lies, in pixels of windows.
    pub geometry: Geometry,
    /// Pictures drawn on it since the start.
    pub pictures: u64,
    /// Whether the cursor has a plane of its own, so that moving it draws nothing.
    pub cursor_plane: bool,
    /// How many surfaces of clients the screen reads where they are: nothing draws them.
    pub direct_surfaces: u32,
}

/// A rectangle in pixels of windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Geometry {
    /// The left edge.
    pub x: i32,
    /// The upper edge.
    pub y: i32,
    /// The width.
    pub width: i32,
    /// The height.
    pub height: i32,
}

/// One window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowReport {
    /// Its number, never used again.
    pub id: u64,
    /// The name of its domain; nothing for a local window.
    pub domain: Option<String>,
    /// Whether its program speaks X11.
    #[serde(default)]
    pub x11: bool,
    /// The name of the application, cleaned.
    pub app_id: String,
    /// The title, cleaned.
    pub title: String,
    /// Where the client's pixels lie.
    pub geometry: Geometry,
    /// Where the window lies, frame and all.
    pub frame: Geometry,
    /// Whether it has something to show.
    pub mapped: bool,
    /// Whether it is on the workspace that is shown, and not minimised.
    pub visible: bool,
    /// Whether it has the focus.
    pub activated: bool,
}

/// One buffer that a guest shares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BufferReport {
    /// Its hyper_dmabuf ID.
    pub id: String,
    /// The name of its domain.
    pub domain: String,
    /// Width in pixels, once known.
    pub width: u32,
    /// Height in pixels, once known.
    pub height: u32,
    /// The format of its pixels, once known.
    pub format: String,
    /// Where it is in its life.
    pub state: String,
    /// How often it is mapped.
    pub mappings: u32,
    /// How many things here use it.
    pub users: u32,
    /// Commits that showed it.
    pub frames: u64,
    /// Bytes that were copied out of it; none where it is shown without a copy.
    pub bytes_copied: u64,
    /// Bytes that the guest says it has copied into it: its proxy does, for programs that do not
    /// seal their pools.
    pub bytes_copied_by_guest: u64,
}

/// One domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainReport {
    /// Its name.
    pub name: String,
    /// Its number.
    pub number: u16,
    /// The colour of its frames.
    pub colour: Colour,
    /// Where it is reached, if it was configured.
    pub address: Option<String>,
    /// How the link stands.
    pub state: LinkState,
    /// How many of its programs are connected.
    pub clients: usize,
    /// How many windows they have.
    pub windows: usize,
    /// How many surfaces.
    pub surfaces: u32,
    /// How many pools of memory.
    pub pools: u32,
    /// How many buffers in those.
    pub buffers: u32,
    /// How many buffers they share by ID.
    pub ids: u32,
    /// How many pages those have.
    pub pages: u32,
    /// How much of each there may be.
    pub limits: DomainLimits,
}

/// One protocol, and whether a domain is offered it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtocolReport {
    /// The interface that programs bind.
    pub interface: String,
    /// The newest version that is offered; nothing if none is.
    pub version: Option<u32>,
    /// What kind of protocol it is.
    pub class: Class,
    /// What decided.
    pub by: DecidedBy,
    /// What there is to say for or against it.
    pub why: String,
}

impl DomainReport {
    /// The number as the rest of the program has it.
    pub fn id(&self) -> Option<DomainId> {
        DomainId::new(self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_answers_are_stable() {
        assert_eq!(
            serde_json::to_string(&Request::Screenshot { output: None }).unwrap(),
            r#"{"request":"screenshot"}"#
        );
        assert_eq!(
            serde_json::to_string(&Answer::Screenshot { bytes: 7 }).unwrap(),
            r#"{"screenshot":{"bytes":7}}"#
        );
        assert_eq!(serde_json::to_string(&Answer::Windows(vec![])).unwrap(), r#"{"windows":[]}"#);
        assert!(serde_json::from_str::<Request>(r#"{"request":"reboot"}"#).is_err());
    }
}
