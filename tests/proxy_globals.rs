//! What the display domain offers, through the proxy: cut down where that is asked for, and as it
//! comes and goes. And times, which are told by this domain's clock.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use fixture::{App, Display, Proxy, Socket};
use hyper_dmabuf::client::Address;
use hyper_dmabuf_compositor::config::RendererChoice;
use hyper_dmabuf_compositor::state::State;
use smithay::output::{Output, PhysicalProperties, Subpixel};
use wayland_client::protocol::wl_output::WlOutput;

const PROXY: &str = env!("CARGO_BIN_EXE_hyper-dmabuf-proxy-under-test");

/// The names of the outputs that a program knows.
fn outputs(app: &App) -> Vec<u32> {
    let globals = app.globals.contents().clone_list();
    globals.iter().filter(|one| one.interface == "wl_output").map(|one| one.name).collect()
}

#[test]
fn outputs_come_and_go() {
    let display = Display::start("320x240", &["work"]);
    let proxy = Proxy::start(PROXY, &display, "work");
    let address = Address::Wayland(Some(proxy.directory().join(proxy.name())));
    let mut app = App::connect_to(&address).unwrap();
    app.roundtrip().unwrap();
    let first = outputs(&app);
    assert_eq!(first.len(), 1);

    let plug = |state: &mut State| {
        let size = (600, 340).into();
        let (make, model) = ("hyper-dmabuf".into(), "second".into());
        let properties = PhysicalProperties { size, subpixel: Subpixel::Unknown, make, model };
        let output = Output::new("second".into(), properties);
        output.create_global::<State>(&state.display_handle)
    };
    let global = display.run(plug);
    app.roundtrip().unwrap();
    let both = outputs(&app);
    assert_eq!(both.len(), 2, "the second is told of");
    let second = *both.iter().find(|name| !first.contains(name)).unwrap();
    let registry = app.globals.registry().clone();
    let bound: WlOutput = registry.bind(second, 4, &app.handle(), ());
    app.roundtrip().unwrap();

    // It is unplugged while the program binds it once more: that is nobody's fault.
    let gone = global.clone();
    display.run(move |state| state.display_handle.disable_global::<State>(gone));
    let late: WlOutput = registry.bind(second, 4, &app.handle(), ());
    app.roundtrip().unwrap();
    assert_eq!(outputs(&app), first, "it is gone");
    bound.release();
    late.release();
    app.roundtrip().unwrap();
    display.run(move |state| state.display_handle.remove_global::<State>(global));
    app.roundtrip().unwrap();
}

/// Debian's weston-presentation-shm binds the newest version of xdg_wm_base and cannot handle it: an
/// older one is offered to it.
#[test]
fn presentation_times_are_of_this_domains_clock() {
    let display = Display::start_with("640x480", &["work"], |config| {
        config.refresh = 60.try_into().expect("a rate");
    });
    let proxy = Proxy::start_with(PROXY, &display, "work", "--limit=xdg_wm_base=1");
    let mut program = proxy.command("weston-presentation-shm");
    program.arg("-f").stdout(Stdio::piped()).stderr(Stdio::null());
    let mut program = fixture::Program(program.spawn().expect("weston"));
    let lines = BufReader::new(program.0.stdout.take().expect("a pipe")).lines();
    let mut frames = 0;
    for line in lines.map_while(Result::ok) {
        // "  7: f2c 16 ms, c2p  4 ms, f2p 20 ms, …": frame, commit, presentation.
        let Some(from) = line.find("c2p") else { continue };
        let number = line[from + 3..].split_whitespace().next();
        let milliseconds: i64 = number.and_then(|number| number.parse().ok()).expect(&line);
        assert!((0..10_000).contains(&milliseconds), "{line}");
        frames += 1;
        if frames == 30 {
            break;
        }
    }
    assert_eq!(frames, 30);
}

#[test]
fn what_is_limited_is_offered_in_an_older_version_or_not_at_all() {
    let display = Arc::new(Display::start("320x240", &["work"]));
    let info = |option: &str| {
        let proxy = Proxy::start_with(PROXY, &display, "work", option);
        let output = proxy.command("wayland-info").output().expect("wayland-utils");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let version = |text: &str, interface: &str| {
        let line = text.lines().find(|line| line.contains(&format!("'{interface}'")))?;
        line.split("version:").nth(1)?.split(',').next()?.trim().parse::<u32>().ok()
    };
    let all = info("--trace=nothing");
    assert_eq!(version(&all, "xdg_wm_base"), Some(6));
    assert_eq!(version(&info("--limit=xdg_wm_base=2"), "xdg_wm_base"), Some(2));
    assert!(version(&all, "wp_presentation").is_some());
    assert_eq!(version(&info("--limit=wp_presentation=0"), "wp_presentation"), None);
}

/// What `wayland-info` lists in a guest is what stands in `references/offered/NAME.txt`.
#[test]
fn a_guest_is_offered_what_its_policy_says_and_no_more() {
    for (name, rules) in [
        ("usual", ""),
        ("no-acceleration", "accelerated = false"),
        ("nothing-virtualised", "virtualised = false"),
        ("only-what-is-required", "accelerated = false\nallowed = false\nvirtualised = false"),
    ] {
        let display = Arc::new(Display::start_with("320x240", &["work"], |config| {
            config.renderer = RendererChoice::Gles;
            config.protocols = toml::from_str(rules).expect("rules");
        }));
        let proxy = Proxy::start(PROXY, &display, "work");
        let output = proxy.command("wayland-info").output().expect("wayland-utils");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut lines: Vec<String> = text
            .lines()
            .filter_map(|line| {
                let (interface, rest) = line.strip_prefix("interface: '")?.split_once('\'')?;
                let version = rest.split("version:").nth(1)?.split(',').next()?.trim();
                Some(format!("{interface} {version}\n"))
            })
            .collect();
        lines.sort_unstable();
        let offered = lines.concat();
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("references/offered/{name}.txt"));
        if std::env::var_os("UPDATE_REFERENCES").is_some_and(|value| value == "1") {
            std::fs::write(&path, &offered).expect("the reference is written");
        }
        let expected = std::fs::read_to_string(&path).expect("a reference");
        assert_eq!(offered, expected, "{}", path.display());
    }
}
