//! How long `wl_display.sync` takes, there and back: straight at the compositor and through the proxy.
//! `cargo bench -p hyper-dmabuf-tests --bench proxy-latency`

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fixture::{Direct, Display, Proxy, Socket};

const PROXY: &str = env!("CARGO_BIN_EXE_hyper-dmabuf-proxy-under-test");
const WARM_UP: usize = 1000;
const ROUNDS: usize = 20_000;

/// The times of round trips, shortest first. No Wayland library is between.
fn times(mut socket: UnixStream) -> Vec<Duration> {
    let sync: Vec<u8> = [1u32, 12 << 16, 2].into_iter().flat_map(u32::to_ne_bytes).collect();
    // callback.done and display.delete_id.
    let mut answer = [0; 24];
    let mut times = Vec::with_capacity(ROUNDS);
    for round in 0..WARM_UP + ROUNDS {
        let begun = Instant::now();
        socket.write_all(&sync).expect("a compositor");
        socket.read_exact(&mut answer).expect("an answer");
        if round >= WARM_UP {
            times.push(begun.elapsed());
        }
    }
    times.sort();
    times
}

fn report(name: &str, times: &[Duration]) {
    let at = |part: usize| times.get(times.len() * part / 1000).copied().unwrap_or_default();
    println!("{name:8} p50 {:>10.1?}  p99 {:>10.1?}  p99.9 {:>10.1?}", at(500), at(990), at(999));
}

fn main() {
    let display = Arc::new(Display::start("400x300", &["work"]));
    let direct = Direct::listen(&display, "work");
    let proxy = Proxy::start(PROXY, &display, "work");
    println!("wl_display.sync, {ROUNDS} round trips:");
    for _ in 0..2 {
        report("direct", &times(direct.connect()));
        report("proxy", &times(proxy.connect()));
    }
}
