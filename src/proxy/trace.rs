//! Messages as people read them: the format of `WAYLAND_DEBUG`, with the domain and the stream.

use std::collections::VecDeque;
use std::fmt::Write;
use std::io::Write as _;

use rustix::time::{ClockId, clock_gettime};
use wayland_backend::protocol::{Interface, MessageDesc};

use super::wire::{self, Value};

/// Messages that are kept of each app, for when it dies of an error.
const KEPT: usize = 64;

/// Bytes of a message that are kept.
const KEPT_BYTES: usize = 96;

/// Writes a line to stderr, by one system call: others may write there as well, and no line of theirs
/// comes in between.
pub(super) fn say(mut line: String) {
    line.push('\n');
    let _ = std::io::stderr().write_all(line.as_bytes()); // Nobody is left to be told.
}

/// What is shown of the messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceFilter {
    /// Beginnings of `interface.message`; with none, all are shown.
    beginnings: Vec<String>,
}

impl TraceFilter {
    fn shows(&self, interface: &str, message: &str) -> bool {
        self.beginnings.is_empty()
            || self.beginnings.iter().any(|beginning| match beginning.split_once('.') {
                None => interface.starts_with(beginning.as_str()),
                Some((wanted, rest)) => interface == wanted && message.starts_with(rest),
            })
    }
}

impl std::str::FromStr for TraceFilter {
    type Err = std::convert::Infallible;

    /// Beginnings with commas between them: `wl_surface,wl_shm_pool.create`.
    fn from_str(text: &str) -> Result<TraceFilter, Self::Err> {
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        Ok(TraceFilter { beginnings: words.map(str::to_owned).collect() })
    }
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    ToHost,
    ToApp,
}

/// A message that was kept.
#[derive(Debug)]
struct Kept {
    microseconds: u64,
    direction: Direction,
    object: u32,
    interface: &'static Interface,
    message: &'static MessageDesc,
    payload: Vec<u8>,
    whole: bool,
}

/// The messages of one app.
#[derive(Debug)]
pub(super) struct Trace {
    /// Who says it: domain, stream and program.
    name: String,
    filter: Option<TraceFilter>,
    kept: VecDeque<Kept>,
}

impl Trace {
    pub(super) fn new(name: String, filter: Option<TraceFilter>) -> Trace {
        Trace { name, filter, kept: VecDeque::with_capacity(KEPT) }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// A message passes.
    pub(super) fn message(
        &mut self,
        direction: Direction,
        object: u32,
        interface: &'static Interface,
        message: &'static MessageDesc,
        payload: &[u8],
    ) {
        if self.kept.len() >= KEPT {
            self.kept.pop_front();
        }
        let microseconds = microseconds();
        let begin = payload.get(..KEPT_BYTES).unwrap_or(payload);
        let whole = begin.len() == payload.len();
        let kept = Kept {
            microseconds,
            direction,
            object,
            interface,
            message,
            payload: begin.into(),
            whole,
        };
        if let Some(filter) = &self.filter
            && filter.shows(interface.name, message.name)
        {
            say(kept.line(&self.name, payload));
        }
        self.kept.push_back(kept);
    }

    /// What became of a buffer.
    pub(super) fn note(&self, what: impl FnOnce() -> String) {
        if let Some(filter) = &self.filter
            && filter.shows("wl_buffer", "note")
        {
            say(format!("{} {{{}}} -- {}", stamp(microseconds()), self.name, what()));
        }
    }

    /// The last messages, for an app that dies of an error.
    pub(super) fn dump(&self) -> String {
        let mut text = String::new();
        for kept in &self.kept {
            let _ = write!(text, "\n  {}", kept.line(&self.name, &kept.payload)); // Never fails.
        }
        text
    }
}

impl Kept {
    fn line(&self, name: &str, payload: &[u8]) -> String {
        let arrow = if self.direction == Direction::ToHost { " -> " } else { " " };
        let (interface, object) = (self.interface, self.object);
        let stamp = stamp(self.microseconds);
        let mut line = format!("{stamp} {{{name}}}{arrow}{interface}@{object}.");
        line.push_str(self.message.name);
        line.push('(');
        match wire::parse(self.message.signature, payload) {
            Ok(fields) => {
                for (index, field) in fields.iter().enumerate() {
                    if index > 0 {
                        line.push_str(", ");
                    }
                    self.argument(&mut line, field.value);
                }
            }
            Err(wire::Malformed) if !self.whole => line.push('…'),
            Err(wire::Malformed) => line.push_str("malformed"),
        }
        line.push(')');
        line
    }

    fn argument(&self, line: &mut String, value: Value<'_>) {
        // Writing to a string never fails.
        let _ = match value {
            Value::Int(value) => write!(line, "{value}"),
            Value::Uint(value) => write!(line, "{value}"),
            Value::Fixed(value) => write!(line, "{}", f64::from(value) / 256.0),
            Value::String(None) => write!(line, "nil"),
            Value::String(Some(text)) => write!(line, "{:?}", String::from_utf8_lossy(text)),
            Value::Object(0) => write!(line, "nil"),
            Value::Object(id) => write!(line, "#{id}"),
            Value::NewId(id) => {
                let interface =
                    self.message.child_interface.map_or("[unknown]", |child| child.name);
                write!(line, "new id {interface}@{id}")
            }
            Value::Array(bytes) => write!(line, "array[{}]", bytes.len()),
            Value::Descriptor => write!(line, "fd"),
        };
    }
}

fn microseconds() -> u64 {
    let now = clock_gettime(ClockId::Realtime);
    now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1000
}

fn stamp(microseconds: u64) -> String {
    // As libwayland counts: milliseconds of 32 bits of microseconds.
    let microseconds = microseconds & 0xffff_ffff;
    format!("[{:7}.{:03}]", microseconds / 1000, microseconds % 1000)
}

#[cfg(test)]
mod tests {
    use super::super::interfaces;
    use super::super::wire::{HEADER, Message};
    use super::*;

    fn pass(trace: &mut Trace, object: u32) {
        let display = &interfaces::WL_DISPLAY_INTERFACE;
        let bytes = Message::new(1, 0).uint(object).finish();
        trace.message(Direction::ToHost, 1, display, &display.requests[0], &bytes[HEADER..]);
    }

    #[test]
    fn the_last_messages_are_kept() {
        let mut trace = Trace::new("work#3".into(), None);
        (0..2 * KEPT as u32).for_each(|object| pass(&mut trace, object));
        let dump = trace.dump();
        assert_eq!(dump.lines().count(), 1 + KEPT);
        assert!(dump.ends_with("{work#3} -> wl_display@1.sync(new id wl_callback@127)"), "{dump}");
    }

    #[test]
    fn filters_are_beginnings() {
        let filter: TraceFilter = "wl_surface, wl_shm_pool.create".parse().unwrap();
        assert!(
            filter.shows("wl_surface", "commit") && filter.shows("wl_shm_pool", "create_buffer")
        );
        assert!(!filter.shows("wl_shm_pool", "destroy") && !filter.shows("wl_shm", "create_pool"));
        assert!(TraceFilter::default().shows("wl_shm", "create_pool"));
    }
}
