//! What happens in a compositor from moment to moment, as `hyper-dmabufctl top` shows it.

use std::fmt::{self, Write};

use serde::Serialize;

use super::statistics::Statistics;

/// What happened between two moments.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Live {
    /// Seconds between the two.
    pub seconds: f64,
    /// The outputs that there are.
    pub outputs: Vec<LiveOutput>,
    /// Bytes a second that the renderer had to copy because programs changed them.
    pub bytes_uploaded: f64,
    /// The domains that there are.
    pub domains: Vec<LiveDomain>,
}

/// What an output shows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LiveOutput {
    /// What it is called.
    pub name: String,
    /// Pictures a second.
    pub frames: f64,
    /// Milliseconds from a change until it was seen, on average; nothing if nothing changed.
    pub latency: Option<f64>,
}

/// What a domain shares.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LiveDomain {
    /// The domain, or nothing for local programs.
    pub name: Option<String>,
    /// Buffers that are imported.
    pub imports: u32,
    /// Their pages.
    pub pages: u32,
    /// Bytes a second that are copied out of them to be shown.
    pub bytes_staged: f64,
}

impl Live {
    /// What happened from `before` until `now`. Who came meanwhile is counted from its beginning.
    pub fn between(before: &Statistics, now: &Statistics) -> Live {
        // At least a microsecond: both may be of the same moment.
        let seconds = now.time.saturating_sub(before.time).max(1) as f64 / 1e6;
        let since = |now: u64, before: u64| now.saturating_sub(before) as f64;
        let outputs = now.outputs.iter().map(|output| {
            let was = before.outputs.iter().find(|was| was.name == output.name);
            let was = was.cloned().unwrap_or_default();
            let seen = since(output.seen, was.seen);
            LiveOutput {
                name: output.name.clone(),
                frames: since(output.pictures, was.pictures) / seconds,
                latency: (seen > 0.0).then(|| since(output.latency, was.latency) / seen / 1e3),
            }
        });
        let domains = now.domains.iter().map(|domain| {
            let was = before.domains.iter().find(|was| was.name == domain.name);
            let staged_before = was.map_or(0, |was| was.bytes_staged);
            LiveDomain {
                name: domain.name.clone(),
                imports: domain.imports,
                pages: domain.pages,
                bytes_staged: since(domain.bytes_staged, staged_before) / seconds,
            }
        });
        Live {
            seconds,
            outputs: outputs.collect(),
            bytes_uploaded: since(now.bytes_uploaded, before.bytes_uploaded) / seconds,
            domains: domains.collect(),
        }
    }
}

/// Bytes, as people read them.
struct Bytes(f64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut value, mut units) = (self.0, ["B", "KiB", "MiB", "GiB"].into_iter());
        let mut unit = units.next().unwrap_or_default();
        for next in units {
            if value < 1024.0 {
                break;
            }
            (value, unit) = (value / 1024.0, next);
        }
        // Padded as one text.
        f.pad(&format!("{value:.1} {unit}"))
    }
}

impl fmt::Display for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:16} {:>10} {:>12}", "OUTPUT", "FRAMES/s", "LATENCY")?;
        for LiveOutput { name, frames, latency } in &self.outputs {
            let latency = latency.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1} ms"));
            writeln!(f, "{name:16} {frames:>10.1} {latency:>12}")?;
        }
        writeln!(f, "\n{:16} {:>10} {:>12} {:>14}", "DOMAIN", "IMPORTS", "MEMORY", "COPIED/s")?;
        for domain in &self.domains {
            let name = domain.name.as_deref().unwrap_or("(local)");
            let memory = Bytes(f64::from(domain.pages) * 4096.0);
            let (imports, copied) = (domain.imports, Bytes(domain.bytes_staged));
            writeln!(f, "{name:16} {imports:>10} {memory:>12} {copied:>14}")?;
        }
        writeln!(f, "\nuploaded by OpenGL ES {}/s", Bytes(self.bytes_uploaded))
    }
}

impl Live {
    /// As it is written over what a terminal shows: from the upper left corner, the rest erased.
    pub fn on_terminal(&self) -> String {
        let mut text = String::from("\x1b[H");
        for line in self.to_string().lines() {
            // Writing to a string does not fail.
            let _ = write!(text, "{line}\x1b[K\r\n");
        }
        text + "\x1b[J"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::statistics::{DomainStatistics, OutputStatistics};

    fn statistics(time: u64, counted: u64) -> Statistics {
        let output = OutputStatistics {
            name: "A".into(),
            pictures: 60 * counted,
            seen: 50 * counted,
            latency: 0,
        };
        Statistics {
            time,
            outputs: vec![OutputStatistics { latency: 8000 * output.seen, ..output }],
            domains: vec![DomainStatistics {
                name: Some("work".into()),
                imports: 3,
                pages: 256,
                bytes_staged: counted << 20,
            }],
            bytes_uploaded: counted << 11,
        }
    }

    #[test]
    fn what_happened_is_told_for_each_second() {
        let live = Live::between(&statistics(5_000_000, 7), &statistics(7_000_000, 9));
        assert_eq!(live.seconds, 2.0);
        assert_eq!((live.outputs[0].frames, live.outputs[0].latency), (60.0, Some(8.0)));
        assert_eq!((live.domains[0].imports, live.domains[0].bytes_staged), (3, 1_048_576.0));
        assert_eq!(live.bytes_uploaded, 2048.0);
        let text = live.to_string();
        for expected in ["60.0", "8.0 ms", "1.0 MiB", "2.0 KiB/s"] {
            assert!(text.contains(expected), "{expected} is not in {text}");
        }
    }

    #[test]
    fn nothing_is_nothing_and_who_is_new_begins_at_nothing() {
        let same = statistics(5_000_000, 7);
        let live = Live::between(&same, &same);
        assert_eq!((live.outputs[0].frames, live.outputs[0].latency), (0.0, None));
        let live = Live::between(&Statistics::default(), &statistics(1_000_000, 1));
        assert_eq!(live.outputs[0].frames, 60.0);
    }
}
