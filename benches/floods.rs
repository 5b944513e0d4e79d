//! When a program has its frames, alone and while programs of another domain say all that they can:
//! `cargo bench -p hyper-dmabuf-tests --bench floods`, or only some of them: `-- trees regions`. Printed, not
//! judged: what else the machine does is in the figures.

#[path = "floods/kinds.rs"]
mod kinds;
#[path = "floods/program.rs"]
mod program;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fixture::Display;
use hyper_dmabuf_compositor::config::Refresh;
use program::Program;

/// The output.
const SIZE: &str = "1280x800";
/// Pictures a second.
const REFRESH: u32 = 60;
/// Programs that flood at once.
const PROGRAMS: usize = 4;
const WARM_UP: usize = 30;
/// Frames that are measured beside each flood.
const FRAMES: usize = 300;

/// Times from one frame that is seen to the next, shortest first.
fn frames(neighbour: &mut Program) -> Vec<Duration> {
    let window = neighbour.window("neighbour", (400, 300));
    let mut times = Vec::with_capacity(FRAMES);
    let mut seen = Instant::now();
    for number in 0..WARM_UP + FRAMES {
        neighbour.draw(&window, number as u32);
        neighbour.until_seen(&window);
        let time = std::mem::replace(&mut seen, Instant::now()).elapsed();
        if number >= WARM_UP {
            times.push(time);
        }
    }
    times.sort();
    times
}

/// The median, the 99th percentile and the longest, in milliseconds.
fn figures(times: &[Duration]) -> [f64; 3] {
    let at = |part: usize| times.get(times.len() * part / 100).copied();
    let longest = times.last().copied();
    [at(50), at(99), longest].map(|time| time.unwrap_or_default().as_secs_f64() * 1000.0)
}

fn report(name: &str, of: [f64; 3], alone: [f64; 3]) {
    let [median, late, longest] = of;
    let ratio = |at: usize| of[at] / alone[at];
    println!("{name:40} {median:8.2} {late:8.2} {longest:8.2} {:8.2} {:8.2}", ratio(0), ratio(1));
}

fn main() {
    let display = Arc::new(Display::start_with(SIZE, &["quiet", "noisy"], |config| {
        config.refresh = Refresh::try_from(REFRESH).expect("a refresh rate");
    }));
    println!("{FRAMES} frames of a program, in ms, and their ratios to those alone:");
    println!(
        "{:40} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "", "median", "99 %", "longest", "median", "99 %"
    );
    let measure = || figures(&frames(&mut Program::connect(&display, "quiet")));
    let alone = measure();
    report("alone", alone, alone);
    let wanted: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|it| name.contains(it));
    for kind in kinds::KINDS.into_iter().filter(|kind| is_wanted(kind.name)) {
        let end = Arc::new(AtomicBool::new(false));
        let programs = (0..PROGRAMS).map(|_| {
            let (display, end) = (Arc::clone(&display), Arc::clone(&end));
            thread::spawn(move || {
                // They have what others leave of the processors, as if they had their own: what is measured
                // is what the compositor does for them.
                let _ = rustix::process::nice(19);
                let mut rounds = 0u64;
                while !end.load(Ordering::Relaxed) {
                    let mut program = Program::connect(&display, "noisy");
                    rounds += (kind.flood)(&mut program, &end);
                }
                rounds
            })
        });
        let programs: Vec<_> = programs.collect();
        let beside = measure();
        end.store(true, Ordering::Relaxed);
        let said: u64 = programs.into_iter().filter_map(|program| program.join().ok()).sum();
        report(&format!("{} ({said})", kind.name), beside, alone);
    }
    let again = measure();
    report("alone again", again, alone);
}
