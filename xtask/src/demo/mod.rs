//! `cargo xtask demo`: a compositor and two guests that share nothing with it but granted pages.

mod build;
mod control;
mod picture;
mod process;
mod runtime_directory;
mod table;
mod wait;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;

pub(crate) use self::build::{Programs, build};
use self::control::{Buffer, Control, Window};
pub(crate) use self::process::Process;
use self::runtime_directory::RuntimeDirectory;
pub(crate) use self::wait::until;
use crate::paths;
use crate::system_packages::{self, BUILD, RUN};

/// How long the compositor and the guests may take until everything is on the screen.
const PATIENCE: Duration = Duration::from_secs(40);

/// Of the screen.
pub(crate) const SIZE: &str = "1000x420";
const SOCKET: &str = "hyper-dmabuf-demo";

/// A guest: its domain's name, and what it shows.
pub(crate) type Guest = (&'static str, Shows);

#[derive(Clone, Copy)]
pub(crate) enum Shows {
    /// A picture, natively.
    Picture(&'static str),
    /// An unmodified program, through the proxy. It is there when this colour is to be seen.
    Program(&'static str, [u8; 3]),
}

/// Two pictures.
pub(crate) const GUESTS: [Guest; 2] =
    [("work", Shows::Picture("assets/coffee.png")), ("personal", Shows::Picture("assets/cat.png"))];

/// A picture, and beside it a program that knows nothing of this project. The colour is that of its
/// text: see lab/apps/foot.ini.
pub(crate) const WITH_UNMODIFIED: [Guest; 2] =
    [GUESTS[0], ("personal", Shows::Program("foot", [0xff, 0x7f, 0x00]))];

/// The unmodified programs of the lab.
pub(crate) const UNMODIFIED: [&str; 2] = ["foot", "weston-simple-damage"];

pub(crate) fn run(out: &Path) -> anyhow::Result<()> {
    system_packages::provide(&[BUILD, RUN])?;
    println!("building the compositor and a guest, in the dev profile because it is there sooner");
    let programs = build(false)?;
    let begun = Instant::now();
    let picture = show(&programs, out, &GUESTS, &[])?;
    let seconds = begun.elapsed().as_secs_f64();
    println!("screenshot: {} (after the build, {seconds:.1} s)", paths::shown(&picture));
    Ok(())
}

/// Runs everything, native guests with these further arguments, reports, and ends everything. Where
/// the picture is.
pub(crate) fn show(
    programs: &Programs,
    out: &Path,
    guests: &[Guest],
    arguments: &[&str],
) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    // Where a picture of the last time would pass for one of this time.
    let picture = out.join("screen.png");
    match fs::remove_file(&picture) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot replace {}", picture.display()));
        }
        _ => {}
    }

    // Goes last: what is in it is in use until then.
    let directory = RuntimeDirectory::new()?;
    let control = Control::new(&programs.control, directory.path(), SOCKET);
    let deadline = Instant::now() + PATIENCE;

    let mut processes = vec![start_compositor(programs, &directory, out, guests)?];
    wait::until(deadline, "the compositor answers", || {
        alive(&mut processes)?;
        Ok(control.windows()?.map(|_| ()))
    })
    .with_context(|| logs(&processes))?;

    // One after the other, so that the picture is the same every time.
    for &(domain, shows) in guests {
        let guest = match shows {
            Shows::Picture(file) => {
                start_guest(programs, arguments, &directory, out, domain, file)?
            }
            Shows::Program(name, _) => start_program(programs, &directory, out, domain, name)?,
        };
        processes.push(guest);
        wait::until(deadline, &format!("the window of {domain} is shown"), || {
            alive(&mut processes)?;
            let windows = control.windows()?.unwrap_or_default();
            Ok(windows.iter().any(|window| window.is_shown_of(domain)).then_some(()))
        })
        .with_context(|| logs(&processes))?;
        if let Shows::Program(name, colour) = shows {
            wait::until(deadline, &format!("{name} has drawn"), || {
                alive(&mut processes)?;
                control.screenshot(&picture)?;
                Ok(picture::shows(&picture, colour)?.then_some(()))
            })
            .with_context(|| logs(&processes))?;
        }
    }
    let (windows, buffers) = wait::until(deadline, "the compositor tells of both guests", || {
        alive(&mut processes)?;
        Ok(control.windows()?.zip(control.buffers()?))
    })
    .with_context(|| logs(&processes))?;
    control.screenshot(&picture).with_context(|| logs(&processes))?;

    print_report(guests, &windows, &buffers);
    end(processes);
    Ok(picture)
}

fn start_compositor(
    programs: &Programs,
    directory: &RuntimeDirectory,
    out: &Path,
    guests: &[Guest],
) -> anyhow::Result<Process> {
    let mut command = Command::new(&programs.compositor);
    command.args(["--backend", "headless", "--size", SIZE, "--socket", SOCKET]);
    for (domain, _) in guests {
        command.arg("--domain").arg(format!("{domain}={}", directory.address(domain)));
    }
    command.env("XDG_RUNTIME_DIR", directory.path());
    Process::start("compositor", &mut command, out)
}

/// A guest gets the address of its link and a picture; the compositor's Wayland socket is not for it.
fn start_guest(
    programs: &Programs,
    arguments: &[&str],
    directory: &RuntimeDirectory,
    out: &Path,
    domain: &'static str,
    picture: &str,
) -> anyhow::Result<Process> {
    let mut command = Command::new(&programs.guest);
    command.arg("--link").arg(directory.address(domain)).args(arguments);
    command.arg(paths::root().join(picture));
    for variable in ["XDG_RUNTIME_DIR", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"] {
        command.env_remove(variable);
    }
    Process::start(domain, &mut command, out)
}

/// An unmodified program gets a proxy, as in the lab.
fn start_program(
    programs: &Programs,
    directory: &RuntimeDirectory,
    out: &Path,
    domain: &'static str,
    name: &str,
) -> anyhow::Result<Process> {
    let proxy = programs.proxy.as_ref().context("the proxy was not built")?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = proxy.parent().into_iter().map(Path::to_owned);
    let path = std::env::join_paths(found.chain(std::env::split_paths(&path)))?;
    let own = directory.path().join(domain);
    fs::create_dir(&own).with_context(|| format!("cannot make {}", own.display()))?;
    let mut command = Command::new(paths::root().join("lab/apps/run"));
    command.args([directory.address(domain).as_str(), name]);
    command.env("PATH", path).env("XDG_RUNTIME_DIR", own);
    command.env_remove("WAYLAND_DISPLAY").env_remove("WAYLAND_SOCKET").env_remove("KEEP");
    Process::start(domain, &mut command, out)
}

fn alive(processes: &mut [Process]) -> anyhow::Result<()> {
    processes.iter_mut().try_for_each(Process::alive)
}

/// The end of everybody's log, to be shown with an error.
fn logs(processes: &[Process]) -> String {
    let tails: String = processes.iter().map(Process::log_tail).collect();
    format!("the demo failed\n{tails}what happened")
}

fn print_report(guests: &[Guest], windows: &[Window], buffers: &[Buffer]) {
    let header = ["DOMAIN", "WINDOW", "PLACE", "BUFFER", "SIZE", "STATE", "BYTES COPIED"];
    let mut rows = Vec::new();
    for &(domain, _) in guests {
        let window = windows.iter().find(|window| window.is_shown_of(domain));
        let mut name = [domain.to_owned(), String::new(), String::new()];
        if let Some(window) = window {
            name = [domain.to_owned(), window.title.clone(), window.geometry.to_string()];
        }
        for buffer in buffers.iter().filter(|buffer| buffer.domain == domain) {
            let size = format!("{}x{}", buffer.width, buffer.height);
            let copied = buffer.bytes_copied.to_string();
            let [domain, title, place] = std::mem::take(&mut name);
            rows.push([
                domain,
                title,
                place,
                buffer.id.clone(),
                size,
                buffer.state.clone(),
                copied,
            ]);
        }
    }
    print!("{}", table::table(header, &rows));
    let copied: u64 = buffers.iter().map(|buffer| buffer.bytes_copied).sum();
    let (windows, buffers) = (windows.len(), buffers.len());
    println!(
        "{windows} windows, {buffers} shared buffers; the compositor copied {copied} bytes of them"
    );
}

/// The last started ends first.
fn end(mut processes: Vec<Process>) {
    while processes.pop().is_some() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scripts that do as the programs do, as far as the demo can see.
    fn fakes() -> Programs {
        let fake = |name| Path::new(env!("CARGO_MANIFEST_DIR")).join("src/demo/fakes").join(name);
        let (compositor, control) = (fake("compositor"), fake("hyper-dmabufctl"));
        Programs {
            compositor,
            control,
            guest: fake("picture"),
            proxy: None,
            lab: None,
            dmabuf: None,
            only_for_screen: Vec::new(),
        }
    }

    #[test]
    fn both_windows_are_awaited_and_a_picture_is_saved() {
        let out = tempfile::tempdir().unwrap();
        let picture = show(&fakes(), out.path(), &GUESTS, &[]).unwrap();
        assert_eq!(fs::read_to_string(picture).unwrap(), "a picture\n");
        let log = fs::read_to_string(out.path().join("compositor.log")).unwrap();
        let directory = log.lines().last().unwrap();
        assert!(directory.contains("hyper-dmabuf-demo-"), "{log}");
        assert!(!Path::new(directory).exists(), "nothing stays behind");
    }

    #[test]
    fn a_guest_that_dies_is_named_with_its_log() {
        let out = tempfile::tempdir().unwrap();
        // It does not take the arguments of a guest.
        let programs = Programs { guest: "ls".into(), ..fakes() };
        let error = format!("{:#}", show(&programs, out.path(), &GUESTS, &[]).unwrap_err());
        assert!(error.contains("work ended by itself"), "{error}");
        assert!(error.contains("--link"), "its log is shown: {error}");
    }
}
