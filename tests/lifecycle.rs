//! IDs, grants, mappings and descriptors, counted: what is held while a buffer lives, and that all
//! of it is given back, whoever ends first.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;

use fixture::{App, Census, Display, Pattern, STEPS, ScriptedGuest};
use hyper_dmabuf::client::{Format, Guest, Pool};
use hyper_dmabuf::export::Counts;
use hyper_dmabuf_compositor::client::ClientOrigin;
use hyper_dmabuf_compositor::config::DomainConfig;
use hyper_dmabuf_compositor::domain::{DomainAddress, LinkState};
use rusty_fork::rusty_fork_test;

const SCRIPTED_GUEST: &str = env!("CARGO_BIN_EXE_scripted-guest");

/// Smithay starts threads and opens files when they are needed first; they stay. The guest is a
/// process of its own, so that nothing of it is left in this one.
fn warm_up(display: &Display) {
    ScriptedGuest::start(SCRIPTED_GUEST, display, "work").finish();
    display.screenshot();
    wait_until_gone(display);
}

fn wait_until_gone(display: &Display) {
    display.wait_until("the guest is gone", |state| {
        let domain = &state.domain_reports()[0];
        (domain.clients, domain.state) == (0, LinkState::Gone)
    });
    assert!(display.windows().is_empty());
}

#[test]
fn id_returns_when_the_display_has_released_it_and_not_before() {
    let display = Display::start("320x240", &["work"]);
    let mut app = App::connect(&display, "work");
    let window = app.window("short-lived", 128, 64, Pattern::Gradient);
    assert_eq!(app.sharing.counts(), Counts { ids: 1, exported: 1, ..Counts::default() });
    // 8 pages of pixels; a root and a table.
    assert_eq!(app.sharing.granted_pages(), 10);

    // The display domain stands still while the surface is destroyed.
    let (go_on, wait) = mpsc::channel::<()>();
    let (stopped, is_stopped) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            display.run(move |_| {
                stopped.send(()).unwrap();
                wait.recv().unwrap();
            });
        });
        is_stopped.recv().unwrap();
        drop(window);
        app.sharing.dispatch_pending().unwrap();
        let waiting = Counts { ids: 1, unexported: 1, ..Counts::default() };
        assert_eq!(app.sharing.counts(), waiting, "not back before it is released");
        assert_eq!(app.sharing.granted_pages(), 10);
        go_on.send(()).unwrap();
    });
    app.sharing.wait_released().unwrap();
    assert_eq!(app.sharing.counts(), Counts::default());
    assert_eq!(app.sharing.granted_pages(), 0);
}

#[test]
fn buffer_that_is_still_shown_is_not_released() {
    let display = Display::start("320x240", &["work"]);
    let mut app = App::connect(&display, "work");
    let surface = app.surface();
    let pool = Pool::new(&app.sharing, 64 * 64 * 4).unwrap();
    let buffer = pool.create_buffer(0, 64, 64, 256, Format::Xrgb8888).unwrap();
    buffer.attach(&surface);
    surface.commit();
    // Everything of it is destroyed but the surface that shows it.
    drop((buffer, pool));
    for _ in 0..5 {
        app.roundtrip().unwrap();
    }
    assert_eq!(app.sharing.counts(), Counts { ids: 1, unexported: 1, ..Counts::default() });
    let reports = display.buffers();
    assert_eq!(reports.len(), 1);
    assert_eq!((reports[0].state.as_str(), reports[0].mappings), ("unexported", 1));

    surface.destroy();
    app.sharing.wait_released().unwrap();
    assert_eq!((app.sharing.counts(), app.sharing.granted_pages()), (Counts::default(), 0));
    assert!(display.buffers().is_empty());
}

#[test]
fn guest_outlives_a_display_that_dies() {
    let display = Display::start("320x240", &["work"]);
    let mut app = App::connect(&display, "work");
    let window = app.window("orphan", 64, 64, Pattern::Gradient);
    drop(display);
    app.roundtrip().unwrap_err();
    app.sharing.dispatch_pending().unwrap_err();
    assert_eq!((app.sharing.counts(), app.sharing.granted_pages()), (Counts::default(), 0));
    drop(window);
}

/// Who is configured again is another: nothing of the first can be taken for something of the second.
#[test]
fn a_domain_that_is_configured_no_more_ends_with_its_programs() {
    let display = Display::start("320x240", &["work", "personal"]);
    let reload = |change: fn(&mut Vec<DomainConfig>)| {
        display.run(move |state| {
            let mut config = state.config.clone();
            change(&mut config.domains);
            state.allow_reload(move || Ok(config.clone()));
            let report = state.reload().expect("a right configuration");
            assert_eq!(report.failed, [""; 0]);
        });
    };
    let mut app = App::connect(&display, "work");
    let _window = app.window("short-lived", 64, 64, Pattern::Gradient);
    let mut other = App::connect(&display, "personal");
    let _stays = other.window("stays", 64, 64, Pattern::Gradient);
    // Comes while it is awaited, and says nothing.
    let mut silent = UnixStream::connect(display.path("work")).expect("a connection");

    reload(|domains| domains[0].address = None);
    app.roundtrip().unwrap_err();
    display.wait_until("its window is gone", |state| state.window_reports().len() == 1);
    assert!(!display.path("work").exists());
    let _ = silent.write_all(b"HDMASHM1");
    other.roundtrip().unwrap();

    reload(|domains| {
        let Some(DomainAddress::Shm(path)) = &domains[1].address else { panic!("no address") };
        domains[0].address = Some(DomainAddress::Shm(path.with_file_name("again")));
    });
    let mut again = App::connect(&display, "again");
    let _window = again.window("again", 64, 64, Pattern::Gradient);
    let reports = display.run(|state| state.domain_reports());
    let numbers: Vec<_> =
        reports.iter().map(|domain| (&*domain.name, domain.number, domain.windows)).collect();
    assert_eq!(numbers, [("personal", 2, 1), ("work", 4, 1)]);
}

#[test]
fn what_the_guest_writes_is_what_is_shown_without_any_copy_between() {
    let display = Display::start("320x240", &["work"]);
    let mut app = App::connect(&display, "work");
    let mut window = app.window("live", 64, 64, Pattern::Plain(0x00ff_0000));
    let geometry = display.windows()[0].geometry;
    let (x, y) = (geometry.x as u32 + 5, geometry.y as u32 + 5);
    let red = display.screenshot().pixel(x, y).unwrap();
    assert_eq!((red.red, red.green, red.blue), (255, 0, 0));

    // Twice, so that the first buffer is free and is the next to be drawn into.
    app.draw(&mut window, Pattern::Plain(0x0000_ff00));
    let green = display.screenshot().pixel(x, y).unwrap();
    assert_eq!((green.red, green.green, green.blue), (0, 255, 0));
    assert_eq!(window.surface.swapchain().ids().count(), 2);
    // A frame that leaves the buffer as it is shows what it had two frames ago.
    assert!(window.surface.draw(|frame| assert_eq!(frame.age(), Some(2))).unwrap());
    app.roundtrip().unwrap();
    assert_eq!(display.screenshot().pixel(x, y), Some(red));
}

#[test]
fn staged_domain_is_shown_by_copies_that_are_counted() {
    for staged in [false, true] {
        let display =
            Display::start_with("320x240", &["work"], |config| config.domains[0].staged = staged);
        let mut app = App::connect(&display, "work");
        let window = app.window("staged", 64, 64, Pattern::Plain(0x00ff_0000));
        let geometry = display.windows()[0].geometry;
        let (x, y) = (geometry.x as u32 + 5, geometry.y as u32 + 5);
        let surface = window.surface.wl_surface();
        let mut pool = Pool::new(&app.sharing, 64 * 64 * 4 + 4096).unwrap();
        let buffer = pool.create_buffer(4096, 64, 64, 256, Format::Xrgb8888).unwrap();
        let mut paint = |colour: u32| {
            pool.bytes_mut()
                .chunks_exact_mut(4)
                .for_each(|p| p.copy_from_slice(&colour.to_ne_bytes()));
        };
        paint(0x0000_ff00);
        buffer.attach(surface);
        surface.damage_buffer(0, 0, 64, 64);
        surface.commit();
        app.roundtrip().unwrap();
        let green = display.screenshot().pixel(x, y).unwrap();
        assert_eq!((green.red, green.green, green.blue), (0, 255, 0));

        // The guest writes after the commit; then the screen is drawn anew where a popup was.
        paint(0x0000_00ff);
        let popup = app.popup(&window, (0, 0), (32, 32), Pattern::Gradient);
        display.screenshot();
        drop(popup);
        app.sharing.wait_released().unwrap();
        let after = display.screenshot().pixel(x, y).unwrap();
        assert_eq!(after == green, staged, "{after:?}");
        // The window's first frame, and the pool's.
        let copied: Vec<u64> = display.buffers().iter().map(|buffer| buffer.bytes_copied).collect();
        assert_eq!(copied, if staged { [64 * 64 * 4; 2] } else { [0; 2] });
        let counted = || display.run(|state| state.statistics().domains.remove(1));
        assert_eq!((counted().imports, counted().pages), (2, 4 + 5));
        drop((window, buffer, pool));
        app.sharing.wait_released().unwrap();
        assert_eq!(app.sharing.counts(), Counts::default());
        // What was copied stays counted: the popup's only frame, too.
        assert_eq!((counted().imports, counted().pages), (0, 0));
        let bytes = if staged { (2 * 64 * 64 + 32 * 32) * 4 } else { 0 };
        assert_eq!(counted().bytes_staged, bytes);
    }
}

#[test]
fn repeating_a_frame_is_a_copy_and_is_counted() {
    let display = Display::start("320x240", &["work"]);
    let mut app = App::connect(&display, "work");
    let mut window = app.window("repeated", 64, 32, Pattern::Gradient);
    let first = display.screenshot();
    assert!(window.surface.draw(|frame| assert!(frame.repeat_last())).unwrap());
    app.roundtrip().unwrap();
    assert_eq!(app.sharing.bytes_copied(), 64 * 32 * 4);
    assert!(display.screenshot() == first);
}

// Those that count what a whole process holds have one of their own, whatever runs them.
rusty_fork_test! {
#![rusty_fork(timeout_ms = 120_000)]

#[test]
fn nothing_stays_behind_ten_thousand_surfaces() {
    let display = Display::start("320x240", &["work"]);
    warm_up(&display);
    let mut app = App::connect(&display, "work");
    app.roundtrip().unwrap();
    let before = Census::at_rest(&display, 1);
    for round in 0..10_000 {
        let surface = app.surface();
        let mut surface =
            hyper_dmabuf::client::Surface::new(&app.sharing, surface, 16, 16, Format::Xrgb8888)
                .unwrap();
        assert!(surface.draw(|frame| frame.pixels().fill(round as u8)).unwrap());
        drop(surface);
        // Some rounds overlap, so that IDs are in every state at once.
        if round % 7 == 0 {
            app.sharing.wait_released().unwrap();
        }
        assert!(app.sharing.counts().ids <= 7);
    }
    app.sharing.wait_released().unwrap();
    assert_eq!((app.sharing.counts(), app.sharing.granted_pages()), (Counts::default(), 0));
    before.assert_again(&display);
}

#[test]
fn guest_killed_at_any_point_leaves_nothing() {
    let display = Display::start("640x480", &["work"]);
    warm_up(&display);
    let before = Census::at_rest(&display, 0);
    for step in STEPS {
        let mut guest = ScriptedGuest::start(SCRIPTED_GUEST, &display, "work");
        guest.go_to(step);
        guest.kill();
        wait_until_gone(&display);
        before.assert_again(&display);
    }
    // One that ends by itself sees everything given back.
    ScriptedGuest::start(SCRIPTED_GUEST, &display, "work").finish();
    before.assert_again(&display);
}

#[test]
fn local_client_shares_memory_that_it_attaches_and_leaves_nothing() {
    let display = Display::start("320x240", &["work"]);
    warm_up(&display);
    let before = Census::at_rest(&display, 0);
    let (ours, theirs) = UnixStream::pair().unwrap();
    display.run(move |state| {
        state.insert_client(theirs, ClientOrigin::Local).map(drop).unwrap();
    });
    let mut app = App::from_guest(Guest::from_wayland(ours).unwrap()).unwrap();
    let window = app.window("local", 64, 64, Pattern::Gradient);
    let buffers = display.buffers();
    assert_eq!((buffers[0].domain.as_str(), buffers[0].id.as_str()), ("local", "0x00000000"));
    drop((window, app));
    display.wait_until("the window is gone", |state| state.window_reports().is_empty());
    before.assert_again(&display);
}

#[test]
fn no_byte_is_copied_at_any_size() {
    for (width, height) in [(256, 256), (3840, 2160)] {
        let display = Display::start("3900x2300", &["work"]);
        let mut app = App::connect(&display, "work");
        let mut window = app.window("large", width, height, Pattern::Gradient);
        for colour in [0x0020_4060, 0x0060_4020, 0x0040_6020] {
            app.draw(&mut window, Pattern::Plain(colour));
            display.screenshot();
        }
        assert_eq!(app.sharing.bytes_copied(), 0);
        let reports = display.buffers();
        assert!((2..=3).contains(&reports.len()), "{reports:?}");
        assert_eq!(reports.iter().map(|report| report.frames).sum::<u64>(), 4);
        let bytes = (width * height * 4) as usize;
        for report in &reports {
            assert_eq!((report.bytes_copied, report.mappings), (0, 1), "{report:?}");
            assert_eq!((report.width, report.height), (width, height));
        }
        // What the renderer reads are the guest's own pages, mapped for reading only.
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let sizes = maps.lines().filter_map(|line| {
            let (range, rest) = line.split_once(' ')?;
            let (start, end) = range.split_once('-')?;
            let size =
                usize::from_str_radix(end, 16).ok()? - usize::from_str_radix(start, 16).ok()?;
            (rest.starts_with("r--s") && rest.contains("memfd:hyper-dmabuf (")).then_some(size)
        });
        let sizes: Vec<usize> = sizes.collect();
        // Neighbouring buffers may be one line.
        let total = reports.len() * bytes.next_multiple_of(4096);
        assert_eq!(sizes.iter().sum::<usize>(), total, "{sizes:?}");
    }
}
}
