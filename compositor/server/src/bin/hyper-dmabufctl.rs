//! Look at a running compositor, and compare pictures of it.

use std::{
    io::{ErrorKind, IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::Duration,
};

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use hyper_dmabuf::command_line;
use hyper_dmabuf_compositor::{
    cli::explain,
    config::OutputSize,
    control::{
        client::Control,
        live::Live,
        messages::{Answer, OutputRequest, ReloadReport, Request, WindowRequest},
    },
    image::{Image, compare, side_by_side},
    outputs::settings::{OutputPosition, OutputScale, OutputTransform},
    trust::policy::DecidedBy,
};

/// Look at the hyper-dmabuf-compositor that WAYLAND_DISPLAY names, and compare pictures of it.
#[derive(Parser)]
#[command(name = "hyper-dmabufctl", version, max_term_width = 100, flatten_help = true)]
struct Cli {
    /// Write answers as JSON, for programs
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Save what is seen as a PNG
    Screenshot {
        /// The file to write
        #[arg(value_name = "FILE.png")]
        file: PathBuf,
        /// What is seen on this output alone, not on all of them
        #[arg(long, value_name = "NAME")]
        output: Option<String>,
    },
    /// List all outputs, or change one
    Outputs {
        /// The one to change
        #[arg(value_name = "NAME", requires = "change")]
        name: Option<String>,
        #[command(flatten)]
        change: Change,
    },
    /// List all windows, lowest first
    Windows,
    /// Show a window, wherever it is, and give it the focus
    Focus {
        /// Its number, as `windows` lists it
        #[arg(value_name = "ID")]
        id: u64,
    },
    /// Ask the program of a window to close it
    Close {
        /// Its number, as `windows` lists it
        #[arg(value_name = "ID")]
        id: u64,
    },
    /// Put a window elsewhere
    Move {
        /// Its number, as `windows` lists it
        #[arg(value_name = "ID")]
        id: u64,
        /// Where what its program draws is to lie
        #[arg(value_name = "X+Y", allow_hyphen_values = true)]
        to: OutputPosition,
    },
    /// Say what the compositor logs from now on, as RUST_LOG does when it starts
    Log {
        /// For example debug, or info,smithay=debug
        #[arg(value_name = "FILTER")]
        filter: String,
    },
    /// Show what happens from moment to moment: frames, latency, bytes copied, imports
    ///
    /// On a terminal until Ctrl+C. With --json, each moment is a line.
    Top {
        /// Seconds between two moments
        #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = interval)]
        interval: f64,
        /// End after so many moments
        #[arg(long, value_name = "N")]
        count: Option<u64>,
    },
    /// Let the compositor read its configuration again, and say what is different
    Reload,
    /// List all buffers that guests share
    Buffers,
    /// List all domains
    Domains,
    /// List all protocols: whether a domain's programs are offered each, and why
    Policy {
        /// The domain; what all domains are offered, if none is named
        #[arg(value_name = "NAME")]
        domain: Option<String>,
    },
    /// Compare two PNGs pixel by pixel: exit 0 if equal, 1 if different, 2 if that cannot be told
    Diff {
        /// The picture that is expected
        #[arg(value_name = "A.png")]
        a: PathBuf,
        /// The picture that is compared with it
        #[arg(value_name = "B.png")]
        b: PathBuf,
        /// Where to write A, B and the differing pixels side by side, if they differ
        #[arg(short, long, value_name = "DIFF.png", default_value = "diff.png")]
        output: PathBuf,
    },
}

/// What is to change about an output.
#[derive(clap::Args)]
#[group(id = "change", multiple = true, requires = "name")]
struct Change {
    /// Switch it on
    #[arg(long, conflicts_with = "off")]
    on: bool,
    /// Switch it off; windows move to another
    #[arg(long)]
    off: bool,
    /// Its pixels
    #[arg(long, value_name = "WxH")]
    size: Option<OutputSize>,
    /// How many of its pixels there are to one of a window's, from 0.5 to 8
    #[arg(long)]
    scale: Option<OutputScale>,
    /// How it is mounted: normal, 90, 180, 270, flipped, flipped-90, flipped-180 or flipped-270
    #[arg(long)]
    transform: Option<OutputTransform>,
    /// Where its upper left corner lies among the others
    #[arg(long, value_name = "X+Y", allow_hyphen_values = true)]
    position: Option<OutputPosition>,
}

impl Change {
    fn of(&self, name: &str) -> Request {
        Request::SetOutput(OutputRequest {
            name: name.to_owned(),
            on: self.on.then_some(true).or(self.off.then_some(false)),
            size: self.size,
            scale: self.scale,
            transform: self.transform,
            position: self.position,
        })
    }
}

fn main() -> ExitCode {
    let cli: Cli = match command_line::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    match run(&cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("hyper-dmabufctl: {}", explain(&error));
            ExitCode::from(2)
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    match &cli.command {
        Command::Screenshot { file, output } => {
            let request = Request::Screenshot { output: output.clone() };
            let (_, png) = Control::from_environment()?.ask(request)?;
            std::fs::write(file, &png)
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        Command::Diff { a, b, output } => return diff(cli, a, b, output),
        Command::Outputs { name: None, .. } => show(cli, Request::Outputs)?,
        Command::Outputs { name: Some(name), change } => show(cli, change.of(name))?,
        Command::Windows => show(cli, Request::Windows)?,
        &Command::Focus { id } => show(cli, Request::Window(WindowRequest::Focus { id }))?,
        &Command::Close { id } => show(cli, Request::Window(WindowRequest::Close { id }))?,
        &Command::Move { id, to } => show(cli, Request::Window(WindowRequest::Move { id, to }))?,
        Command::Log { filter } => show(cli, Request::Log { filter: filter.clone() })?,
        &Command::Top { interval, count } => top(cli, interval, count)?,
        Command::Reload => return reload(cli),
        Command::Buffers => show(cli, Request::Buffers)?,
        Command::Domains => show(cli, Request::Domains)?,
        Command::Policy { domain } => show(cli, Request::Policy { domain: domain.clone() })?,
    }
    Ok(ExitCode::SUCCESS)
}

fn diff(cli: &Cli, a: &Path, b: &Path, output: &Path) -> anyhow::Result<ExitCode> {
    let (first, second) = (Image::read(a)?, Image::read(b)?);
    let Some(difference) = compare(&first, &second) else {
        if cli.json {
            println!("{}", serde_json::json!({ "equal": true }));
        }
        return Ok(ExitCode::SUCCESS);
    };
    side_by_side(&first, &second)?.write(output)?;
    let (left, top, right, bottom) = difference.bounds;
    if cli.json {
        let report = serde_json::json!({
            "equal": false, "pixels": difference.pixels, "output": output,
            "bounds": { "x": left, "y": top, "width": right - left + 1, "height": bottom - top + 1 },
        });
        println!("{report}");
    } else {
        if (first.width(), first.height()) != (second.width(), second.height()) {
            println!(
                "the sizes differ: {}x{} and {}x{}",
                first.width(),
                first.height(),
                second.width(),
                second.height()
            );
        }
        let differ = if difference.pixels == 1 { "pixel differs" } else { "pixels differ" };
        println!(
            "{} {differ}, from {left},{top} to {right},{bottom}; see {}",
            difference.pixels,
            output.display()
        );
    }
    Ok(ExitCode::from(1))
}

fn show(cli: &Cli, request: Request) -> anyhow::Result<()> {
    let (answer, _) = Control::from_environment()?.ask(request)?;
    print(cli, answer)
}

fn print(cli: &Cli, answer: Answer) -> anyhow::Result<()> {
    if cli.json {
        let text = match &answer {
            Answer::Windows(windows) => serde_json::to_string_pretty(windows),
            Answer::Domains(domains) => serde_json::to_string_pretty(domains),
            Answer::Buffers(buffers) => serde_json::to_string_pretty(buffers),
            Answer::Outputs(outputs) => serde_json::to_string_pretty(outputs),
            Answer::Reloaded(report) => serde_json::to_string_pretty(report),
            Answer::Policy(protocols) => serde_json::to_string_pretty(protocols),
            Answer::Done => Ok("{}".to_owned()),
            Answer::Screenshot { .. } | Answer::Statistics(_) | Answer::Error(_) => {
                bail!("the compositor answered something else")
            }
        };
        println!("{}", text?);
        return Ok(());
    }
    let table = match answer {
        Answer::Windows(windows) => table(
            &["ID", "DOMAIN", "APP", "GEOMETRY", "STATE", "TITLE"],
            windows.into_iter().map(|window| {
                let place = window.geometry;
                let state = match (window.mapped, window.activated) {
                    (false, _) => "hidden",
                    (true, true) => "active",
                    (true, false) => "shown",
                };
                vec![
                    window.id.to_string(),
                    window
                        .domain
                        .unwrap_or(if window.x11 { "(local, X11)" } else { "(local)" }.to_owned()),
                    window.app_id,
                    format!("{}x{}+{}+{}", place.width, place.height, place.x, place.y),
                    state.to_owned(),
                    window.title,
                ]
            }),
        ),
        Answer::Outputs(outputs) => table(
            &["NAME", "STATE", "PIXELS", "SCALE", "TRANSFORM", "GEOMETRY", "PICTURES", "PLANES"],
            outputs.into_iter().map(|output| {
                let place = output.geometry;
                let planes = match (output.cursor_plane, output.direct_surfaces) {
                    (false, 0) => String::new(),
                    (true, 0) => "cursor".to_owned(),
                    (false, surfaces) => format!("{surfaces} surfaces"),
                    (true, surfaces) => format!("cursor, {surfaces} surfaces"),
                };
                vec![
                    output.name,
                    if output.on { "on" } else { "off" }.to_owned(),
                    format!("{}x{}", output.width, output.height),
                    format!("{:.4}", output.scale)
                        .trim_end_matches('0')
                        .trim_end_matches('.')
                        .to_owned(),
                    output.transform.to_string(),
                    format!("{}x{}+{}+{}", place.width, place.height, place.x, place.y),
                    output.pictures.to_string(),
                    planes,
                ]
            }),
        ),
        Answer::Domains(domains) => table(
            &[
                "NAME", "NUMBER", "COLOUR", "STATE", "CLIENTS", "WINDOWS", "SURFACES", "POOLS",
                "BUFFERS", "IDS", "PAGES", "ADDRESS",
            ],
            domains.into_iter().map(|domain| {
                let of = |count: u32, limit: u32| format!("{count}/{limit}");
                let limits = domain.limits;
                vec![
                    domain.name,
                    domain.number.to_string(),
                    domain.colour.to_string(),
                    format!("{:?}", domain.state).to_lowercase(),
                    of(domain.clients as u32, limits.clients),
                    of(domain.windows as u32, limits.windows),
                    of(domain.surfaces, limits.surfaces),
                    of(domain.pools, limits.pools),
                    of(domain.buffers, limits.buffers),
                    of(domain.ids, limits.ids),
                    of(domain.pages, limits.pages),
                    domain.address.unwrap_or_default(),
                ]
            }),
        ),
        Answer::Policy(protocols) => table(
            &["PROTOCOL", "OFFERED", "CLASS", "DECIDED BY", "WHY"],
            protocols.into_iter().map(|protocol| {
                let offered = protocol.version.map(|version| format!("up to {version}"));
                let by = match protocol.by {
                    DecidedBy::Class => "its class",
                    DecidedBy::AllDomains => "[protocols]",
                    DecidedBy::ThisDomain => "[domain.protocols]",
                };
                vec![
                    protocol.interface,
                    offered.unwrap_or_else(|| "no".to_owned()),
                    protocol.class.name().to_owned(),
                    by.to_owned(),
                    protocol.why,
                ]
            }),
        ),
        Answer::Buffers(buffers) => table(
            &[
                "ID", "DOMAIN", "SIZE", "FORMAT", "STATE", "MAPPINGS", "USERS", "FRAMES", "COPIED",
                "BY GUEST",
            ],
            buffers.into_iter().map(|buffer| {
                vec![
                    buffer.id,
                    buffer.domain,
                    format!("{}x{}", buffer.width, buffer.height),
                    buffer.format,
                    buffer.state,
                    buffer.mappings.to_string(),
                    buffer.users.to_string(),
                    buffer.frames.to_string(),
                    buffer.bytes_copied.to_string(),
                    buffer.bytes_copied_by_guest.to_string(),
                ]
            }),
        ),
        Answer::Reloaded(report) => reloaded(&report),
        Answer::Done => return Ok(()),
        Answer::Screenshot { .. } | Answer::Statistics(_) | Answer::Error(_) => {
            bail!("the compositor answered something else")
        }
    };
    print!("{table}");
    Ok(())
}

/// A time that is neither too short to count in nor too long to wait.
fn interval(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.05..=3600.0).contains(seconds));
    seconds.ok_or_else(|| "write a number of seconds from 0.05 to 3600".to_owned())
}

fn top(cli: &Cli, interval: f64, count: Option<u64>) -> anyhow::Result<()> {
    let mut control = Control::from_environment()?;
    let mut ask = || match control.ask(Request::Statistics)? {
        (Answer::Statistics(statistics), _) => Ok(statistics),
        _ => bail!("the compositor answered something else"),
    };
    let mut output = std::io::stdout().lock();
    let on_terminal = !cli.json && output.is_terminal();
    if on_terminal {
        write!(output, "\x1b[2J")?;
    }
    let mut before = ask()?;
    for _ in 0..count.unwrap_or(u64::MAX) {
        thread::sleep(Duration::from_secs_f64(interval));
        let now = ask()?;
        let live = Live::between(&before, &now);
        before = now;
        let text = match (cli.json, on_terminal) {
            (true, _) => serde_json::to_string(&live)? + "\n",
            (false, true) => live.on_terminal(),
            (false, false) => format!("{live}\n"),
        };
        let written = output.write_all(text.as_bytes()).and_then(|()| output.flush());
        match written {
            // Whoever read has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            written => written?,
        }
    }
    Ok(())
}

/// Exit 1 if something that is configured could not be done.
fn reload(cli: &Cli) -> anyhow::Result<ExitCode> {
    let (answer, _) = Control::from_environment()?.ask(Request::Reload)?;
    let failed = matches!(&answer, Answer::Reloaded(report) if !report.failed.is_empty());
    print(cli, answer)?;
    Ok(if failed { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// What came of reading the configuration again, a line for each thing.
fn reloaded(report: &ReloadReport) -> String {
    let changed = report.changed.iter().map(|what| format!("{what}: changed\n"));
    let later = report.at_next_start.iter().map(|what| format!("{what}: at the next start\n"));
    let failed = report.failed.iter().map(|what| format!("failed: {what}\n"));
    let lines: String = changed.chain(later).chain(failed).collect();
    if lines.is_empty() { "nothing is different\n".to_owned() } else { lines }
}

/// Rows in columns as wide as their widest cell.
fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut lines = vec![header.iter().map(ToString::to_string).collect::<Vec<_>>()];
    lines.extend(rows);
    let widths: Vec<usize> = (0..header.len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}
