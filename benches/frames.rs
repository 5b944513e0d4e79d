//! What a buffer and a frame cost, each as a ratio to the least that it could cost, measured in one
//! run: `cargo bench -p hyper-dmabuf-tests`.

use std::hint::black_box;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use fixture::{App, Display, Pattern};
use hyper_dmabuf::domain::DomainId;
use hyper_dmabuf::export::Exporter;
use hyper_dmabuf::grant::Access;
use hyper_dmabuf::hypervisor::shm::{DEFAULT_PAGES, DomainMemory, ForeignDomain};
use hyper_dmabuf::id::IdPool;
use hyper_dmabuf::import::{Importer, Limits};

/// Name, width and height.
const SIZES: [(&str, u32, u32); 3] =
    [("1080p", 1920, 1080), ("4K", 3840, 2160), ("8K", 7680, 4320)];

fn main() {
    imports();
    frames();
}

/// The median of as many runs as take about a second; at least five.
fn median(mut run: impl FnMut() -> Duration) -> Duration {
    let start = Instant::now();
    let mut times = Vec::new();
    while times.len() < 5 || start.elapsed() < Duration::from_secs(1) {
        times.push(run());
    }
    times.sort();
    times[times.len() / 2]
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Exporting and importing a buffer once for good, against copying it once, as for a single frame.
fn imports() {
    let guest = DomainId::new(1).unwrap();
    println!("a buffer's life without its frames: grant, list, export, check, map, release");
    println!("{:6} {:>12} {:>12} {:>8}", "size", "life", "one copy", "ratio");
    for (name, width, height) in SIZES {
        let bytes = width as usize * height as usize * 4;
        let memory = DomainMemory::new(DEFAULT_PAGES).unwrap();
        let file = memory.as_fd().try_clone_to_owned().unwrap();
        let foreign = ForeignDomain::introduce(file, guest, DomainId::DISPLAY).unwrap();
        let mut exporter =
            Exporter::new(memory.clone(), IdPool::new(guest), DomainId::DISPLAY, 192);
        let mut importer = Importer::new();
        importer.allow(guest, Limits::default());
        let ours = median(|| {
            let start = Instant::now();
            let offer = exporter.export(bytes, Access::ReadOnly, Vec::new()).unwrap();
            let import = importer.import(&foreign, offer).unwrap();
            let view = black_box(import.view().unwrap());
            drop(view);
            for released in importer.take_released() {
                exporter.released(&released.id).unwrap();
            }
            start.elapsed()
        });
        let (source, mut target) = (vec![1u8; bytes], vec![0u8; bytes]);
        let copy = median(|| {
            let start = Instant::now();
            black_box(&mut target).copy_from_slice(black_box(&source));
            start.elapsed()
        });
        let (ours, copy) = (milliseconds(ours), milliseconds(copy));
        println!("{name:6} {ours:9.3} ms {copy:9.3} ms {:8.3}", ours / copy);
    }
}

/// A guest's frame from drawing its corner to its being composed, shown from the guest's own pages
/// and from a copy.
fn frames() {
    println!("\na frame that is drawn anew as a whole: link, commit, compose");
    println!("{:6} {:>12} {:>12} {:>8}", "size", "own pages", "copied", "ratio");
    for (name, width, height) in &SIZES[..2] {
        let [direct, staged] = [false, true].map(|staged| {
            let display = Display::start_with("3900x2300", &["work"], |config| {
                config.domains[0].staged = staged;
            });
            let mut app = App::connect(&display, "work");
            let mut window = app.window("frames", *width, *height, Pattern::Plain(0x0020_4060));
            let mut shade = 0u8;
            let time = median(|| {
                let start = Instant::now();
                shade = shade.wrapping_add(1);
                while !window.surface.draw(|frame| frame.pixels()[0] = shade).unwrap() {
                    app.roundtrip().unwrap();
                }
                app.roundtrip().unwrap();
                display.run(|state| state.render_now().unwrap());
                start.elapsed()
            });
            drop(window);
            time
        });
        let (direct, staged) = (milliseconds(direct), milliseconds(staged));
        println!("{name:6} {direct:9.3} ms {staged:9.3} ms {:8.1}", staged / direct);
    }
}
