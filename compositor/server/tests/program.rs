//! The two programs as a person runs them: exit statuses, and errors that say what to do.

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::{
        fs::PermissionsExt,
        net::{UnixDatagram, UnixStream},
    },
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use hyper_dmabuf_compositor::image::Image;

const CONTROL: &str = env!("CARGO_BIN_EXE_hyper-dmabufctl");

/// The compositor with a runtime directory of its own.
fn compositor(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hyper-dmabuf-compositor"));
    command.env("XDG_RUNTIME_DIR", directory).env_remove("RUST_LOG");
    command.args(["--backend", "headless", "--size", "320x200"]);
    command
}

fn run(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    (status.code(), text)
}

#[test]
fn it_ends_with_the_status_of_its_program() {
    let directory = tempfile::tempdir().unwrap();
    let start = Instant::now();
    assert_eq!(run(compositor(directory.path()).args(["--", "sh", "-c", "exit 7"])).0, Some(7));
    assert_eq!(
        run(compositor(directory.path()).args(["--", "sh", "-c", "kill -9 $$"])).0,
        Some(137)
    );
    assert_eq!(run(compositor(directory.path()).args(["--", "true"])).0, Some(0));
    assert!(start.elapsed() < Duration::from_secs(30));
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn its_program_can_be_ended_by_signals() {
    let directory = tempfile::tempdir().unwrap();
    let script = "kill -TERM $$; exit 3";
    assert_eq!(run(compositor(directory.path()).args(["--", "sh", "-c", script])).0, Some(143));
}

#[test]
fn its_program_inherits_no_socket() {
    let directory = tempfile::tempdir().unwrap();
    let (code, text) = run(compositor(directory.path()).args(["--", "ls", "-l", "/proc/self/fd"]));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("/proc/") && !text.contains("socket:"), "{text}");
}

#[test]
fn asked_to_end_it_leaves_no_sockets() {
    let directory = tempfile::tempdir().unwrap();
    let domain = format!("work=shm:{}", directory.path().join("work").display());
    let mut process = compositor(directory.path())
        .args(["--domain", &domain])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
    // The last thing that is said before the event loop turns.
    assert!(lines.any(|line| line.unwrap().contains("awaiting a domain")));
    let pid = rustix::process::Pid::from_child(&process);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(lines.any(|line| line.unwrap().contains("asked to end")));
    assert!(process.wait().unwrap().success());
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn out_of_descriptors_it_rests_and_then_lets_domains_in_again() {
    // Whatever is left over when each connection has taken what it takes.
    for most in [48, 49] {
        it_rests_and_then_lets_domains_in_again(most);
    }
}

fn it_rests_and_then_lets_domains_in_again(most_descriptors: u32) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("work");
    let mut command = Command::new("sh");
    // Enough to start with, and for some of the connections that follow.
    command.args(["-c", &format!("ulimit -n {most_descriptors}; exec \"$@\""), "sh"]);
    command.arg(env!("CARGO_BIN_EXE_hyper-dmabuf-compositor"));
    command.env("XDG_RUNTIME_DIR", directory.path()).env_remove("RUST_LOG");
    command.args(["--backend", "headless", "--domain", &format!("work=shm:{}", path.display())]);
    let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("awaiting a domain")));

    // Each says nothing, and costs descriptors.
    let silent: Vec<_> = (0..60).map(|_| UnixStream::connect(&path).unwrap()).collect();
    assert!(lines.any(|line| line.contains("trying again soon")));
    let first = Instant::now();
    assert!(lines.any(|line| line.contains("trying again soon")));
    // Half of the rest, since the first line may have been read late. Without a rest: nothing.
    assert!(first.elapsed() > Duration::from_millis(500), "it does not rest");
    drop(silent);
    let mut late = UnixStream::connect(&path).unwrap();
    late.write_all(b"no domain").unwrap();
    assert_eq!(late.read(&mut [0]).unwrap_or(0), 0, "it was let in, and then refused");

    let pid = rustix::process::Pid::from_child(&process);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(lines.any(|line| line.contains("asked to end")));
    assert!(process.wait().unwrap().success());
}

#[test]
fn a_screenshot_is_taken_from_within() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("seen.png");
    let script = format!("{CONTROL} screenshot {} && {CONTROL} --json windows", file.display());
    let (code, text) = run(compositor(directory.path()).args([
        "--socket",
        "wayland-test",
        "--",
        "sh",
        "-c",
        &script,
    ]));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("[]"), "{text}");
    let image = Image::read(&file).unwrap();
    assert_eq!((image.width(), image.height()), (320, 200));
}

#[test]
fn outputs_are_seen_and_set() {
    let directory = tempfile::tempdir().unwrap();
    let script = format!(
        "{CONTROL} outputs && {CONTROL} outputs RIGHT --scale 1.25 --transform 90 --position 0+200 &&
         {CONTROL} outputs HEADLESS-1 --off && {CONTROL} outputs && ! {CONTROL} outputs NONE --on"
    );
    let outputs = ["--output", "320x200", "--output", "640x480,scale=2,name=RIGHT"];
    let (code, text) =
        run(compositor(directory.path()).args(outputs).args(["--", "sh", "-c", &script]));
    assert_eq!(code, Some(0), "{text}");
    let lines: Vec<String> =
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for (count, expected) in [
        (2, "HEADLESS-1 on 320x200 1 normal 320x200+0+0"),
        (1, "RIGHT on 640x480 2 normal 320x240+320+0"),
        (3, "RIGHT on 640x480 1.25 90 384x512+0+200"),
        (2, "HEADLESS-1 off 320x200 1 normal 320x200+0+0"),
        (1, "hyper-dmabufctl: the compositor says: there is no output NONE"),
    ] {
        let found = lines.iter().filter(|line| line.starts_with(expected)).count();
        assert_eq!(found, count, "{expected:?} in {text}");
    }
}

#[test]
fn windows_are_focused_moved_and_closed() {
    let directory = tempfile::tempdir().unwrap();
    // Each has the focus when it appears; which is which, its title says.
    let window =
        |title| format!("foot --title {title} --app-id app sh -c 'sleep 60' 2>/dev/null &");
    let wait = |pattern: &str| {
        format!("until {CONTROL} windows | grep -q '{pattern}'; do sleep 0.05; done;")
    };
    let script = [
        window("one"),
        wait("active  *one"),
        window("two"),
        wait("active  *two"),
        format!("one=$({CONTROL} windows | sed -n 's/^\\([0-9]*\\) .* one$/\\1/p');"),
        format!("{CONTROL} focus $one | grep -q 'active  *one' || exit 1;"),
        format!("{CONTROL} move $one 30+40 | grep -q '+30+40 .*one' || exit 2;"),
        format!("{CONTROL} close $one > /dev/null || exit 3;"),
        format!("while {CONTROL} windows | grep -q one; do sleep 0.05; done;"),
        format!("{CONTROL} focus $one && exit 4; {CONTROL} windows; kill %2"),
    ]
    .join("\n");
    let (code, text) = run(compositor(directory.path()).args(["--", "bash", "-c", &script]));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("there is no window"), "{text}");
    assert!(text.lines().any(|line| line.ends_with("active  two")), "{text}");
}

#[test]
fn xwayland_is_started_anew_after_it_was_killed() {
    let directory = tempfile::tempdir().unwrap();
    let window = |title| format!("xterm -T {title} -e sleep 60 2>/dev/null &");
    let wait = |title| format!("until {CONTROL} windows | grep -q {title}; do sleep 0.05; done;");
    let gone = |title| format!("while {CONTROL} windows | grep -q {title}; do sleep 0.05; done;");
    let script = [
        "test $(pgrep -c -P $PPID Xwayland) = 0 || exit 1;".to_owned(),
        window("one"),
        wait("one"),
        "pkill -KILL -P $PPID Xwayland || exit 2;".to_owned(),
        gone("one"),
        window("two"),
        wait("two"),
        format!("{CONTROL} windows;"),
        format!("{CONTROL} close $({CONTROL} windows | sed -n 's/^\\([0-9]*\\) .* two$/\\1/p');"),
        gone("two"),
    ]
    .join("\n");
    let (code, text) = run(compositor(directory.path()).args(["--", "bash", "-c", &script]));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("(local, X11)"), "{text}");
    assert!(text.contains("the next X11 program starts it anew"), "{text}");
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

/// One warning, and everything else works.
#[test]
fn without_xwayland_there_are_no_x11_programs() {
    let directory = tempfile::tempdir().unwrap();
    let script = format!("echo \"display: <$DISPLAY>\"; {CONTROL} windows");
    let program = ["--", "/bin/sh", "-c", &script];
    let mut missing = compositor(directory.path());
    missing.args(program).env("PATH", directory.path());
    let mut unwanted = compositor(directory.path());
    unwanted.arg("--no-xwayland").args(program);
    for (mut command, warnings) in [(missing, 1), (unwanted, 0)] {
        let (code, text) = run(command.env("DISPLAY", ":of-another-session"));
        assert_eq!(code, Some(0), "{text}");
        assert_eq!(text.matches("install the package xwayland").count(), warnings, "{text}");
        assert!(text.contains("display: <>") && text.contains("TITLE"), "{text}");
    }
}

/// What the program waits for is bounded, as are the tries.
#[test]
fn an_xwayland_that_cannot_start_rests() {
    let directory = tempfile::tempdir().unwrap();
    let broken = directory.path().join("Xwayland");
    std::fs::write(&broken, "#!/bin/sh\nexit 1\n").unwrap();
    std::fs::set_permissions(&broken, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", directory.path().display());
    let mut command = compositor(directory.path());
    command.env("PATH", path).args(["--", "sh", "-c", "timeout 5 xclip -out"]);
    let (code, text) = run(&mut command);
    assert_eq!(code, Some(124), "{text}");
    assert!(text.contains("trying again in 2s"), "{text}");
    // After 1 second, and 2 more.
    assert_eq!(text.matches("Xwayland has not started").count(), 3, "{text}");
}

#[test]
fn what_is_logged_can_be_changed() {
    let directory = tempfile::tempdir().unwrap();
    // Of the first nothing is heard, since it takes effect before it is told.
    let script =
        format!("{CONTROL} log error && {CONTROL} log debug && ! {CONTROL} log info=what=");
    let (code, text) = run(compositor(directory.path()).args(["--", "sh", "-c", &script]));
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(text.matches("what is logged was changed").count(), 1, "{text}");
    assert!(text.contains("hyper-dmabufctl: the compositor says: \"info=what=\""), "{text}");
}

#[test]
fn the_configuration_is_checked_without_starting() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("some.toml");
    let mut check = compositor(directory.path());
    check.arg("--check-config").arg("--config").arg(&file).env_remove("XDG_RUNTIME_DIR");
    std::fs::write(&file, "background = \"#203040\"\n").unwrap();
    assert_eq!(run(&mut check), (Some(0), "nothing is wrong with the configuration\n".to_owned()));
    std::fs::write(&file, "\nbackground = \"grey\"\n").unwrap();
    let (code, text) = run(&mut check);
    assert_eq!(code, Some(1));
    assert!(text.contains("line 2, column"), "{text}");
}

#[test]
fn a_session_is_ready_when_others_can_find_the_compositor() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let heard = path("heard");
    // Stand for the programs that talk to systemd and D-Bus, and write down what they are told.
    std::fs::create_dir_all(path("bin")).unwrap();
    for name in ["systemctl", "dbus-update-activation-environment"] {
        let script = format!(
            "#!/bin/sh\necho ${{0##*/}} $* $WAYLAND_DISPLAY $XDG_CURRENT_DESKTOP >> {}\n",
            heard.display()
        );
        std::fs::write(path("bin").join(name), script).unwrap();
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(path("bin").join(name), executable).unwrap();
    }
    std::fs::create_dir_all(path("config/hyper-dmabuf")).unwrap();
    std::fs::write(path("config/hyper-dmabuf/config.toml"), "socket = \"of-session\"\n").unwrap();
    let systemd = UnixDatagram::bind(path("notify")).unwrap();
    systemd.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let search = format!("{}:{}", path("bin").display(), std::env::var("PATH").unwrap());
    let mut command = compositor(directory.path());
    command.arg("--session").env("PATH", search).env("NOTIFY_SOCKET", path("notify"));
    command.env("XDG_CONFIG_HOME", path("config"));
    let mut process = command.stderr(Stdio::null()).spawn().unwrap();

    let mut message = [0; 64];
    let length = systemd.recv(&mut message).unwrap();
    assert_eq!(&message[..length], b"READY=1\n");
    let names = "WAYLAND_DISPLAY XDG_CURRENT_DESKTOP XDG_SESSION_TYPE";
    let expected = format!(
        "systemctl --user import-environment {names} of-session hyper-dmabuf\n\
         dbus-update-activation-environment {names} of-session hyper-dmabuf\n"
    );
    assert_eq!(std::fs::read_to_string(heard).unwrap(), expected);
    let pid = rustix::process::Pid::from_child(&process);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(process.wait().unwrap().success());
}

#[test]
fn what_is_packaged_is_as_others_want_it() {
    let directory = tempfile::tempdir().unwrap();
    let packaging = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging");
    // A unit is right only if what it starts is there.
    let units = ["hyper-dmabuf-compositor.service", "hyper-dmabuf-shutdown.target"].map(|name| {
        let unit = std::fs::read_to_string(packaging.join("systemd").join(name)).unwrap();
        let here = env!("CARGO_BIN_EXE_hyper-dmabuf-compositor");
        let path = directory.path().join(name);
        std::fs::write(&path, unit.replace("/usr/bin/hyper-dmabuf-compositor", here)).unwrap();
        path
    });
    let mut verify = Command::new("systemd-analyze");
    verify.args(["--user", "verify"]).args(units).env("XDG_RUNTIME_DIR", directory.path());
    assert_eq!(run(&mut verify), (Some(0), String::new()));
    let sessions = packaging.join("wayland-sessions");
    let mut validate = Command::new("desktop-file-validate");
    assert_eq!(run(validate.arg(sessions.join("hyper-dmabuf.desktop"))), (Some(0), String::new()));
    let mut check = Command::new("sh");
    assert_eq!(run(check.arg("-n").arg(sessions.join("hyper-dmabuf-session"))).0, Some(0));
}

#[test]
fn what_happens_is_shown_from_moment_to_moment() {
    let directory = tempfile::tempdir().unwrap();
    let top = format!("{CONTROL} top --interval 0.05");
    let script = format!("{top} --count 1 && {top} --json --count 2 && {top} --json | head -n 1");
    let domain = format!("work=shm:{}", directory.path().join("work").display());
    let arguments = ["--domain", &domain, "--", "bash", "-c", &script];
    let (code, text) = run(compositor(directory.path()).args(arguments));
    assert_eq!(code, Some(0), "{text}");
    for header in ["OUTPUT", "FRAMES/s", "LATENCY", "DOMAIN", "IMPORTS", "MEMORY", "COPIED/s"] {
        assert_eq!(text.matches(header).count(), 1, "{header} in {text}");
    }
    let lines =
        text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let lines: Vec<_> = lines.collect();
    assert_eq!(lines.len(), 3, "{text}");
    for line in lines {
        assert!(line["seconds"].as_f64().unwrap() >= 0.05, "{line}");
        assert_eq!(line["outputs"][0]["name"], "HEADLESS-1");
        assert_eq!(line["domains"][1]["name"], "work");
    }
}

#[test]
fn a_changed_configuration_is_followed_while_it_runs() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    // The configuration is a link, and is replaced as editors do, and written over as shells do.
    std::fs::create_dir(path("real")).unwrap();
    std::fs::write(path("real/some.toml"), "").unwrap();
    std::os::unix::fs::symlink(path("real/some.toml"), path("link.toml")).unwrap();
    let mut command = compositor(directory.path());
    command.args(["--socket", "wayland-test", "--config"]).arg(path("link.toml"));
    let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut await_line = |part: &str| assert!(lines.any(|line| line.contains(part)), "{part}");
    let reload = || {
        let mut command = Command::new(CONTROL);
        command.env("XDG_RUNTIME_DIR", directory.path()).env("WAYLAND_DISPLAY", "wayland-test");
        run(command.arg("reload"))
    };
    let pid = rustix::process::Pid::from_child(&process);
    await_line("clients connect with");

    std::fs::write(path("real/new.toml"), "background = \"#102030\"\n").unwrap();
    std::fs::rename(path("real/new.toml"), path("real/some.toml")).unwrap();
    await_line("changed=\"background\"");
    std::fs::write(path("real/some.toml"), "\nbackground = \"grey\"\n").unwrap();
    await_line("line 2, column 14");
    let (code, text) = reload();
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("line 2, column 14") && text.contains("stays as it was"), "{text}");
    std::fs::write(path("real/some.toml"), "renderer = \"gles\"\n").unwrap();
    await_line("renderer is configured differently: it takes effect at the next start");
    assert_eq!(reload(), (Some(0), "nothing is different\n".to_owned()));
    await_line("nothing is different");
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    await_line("nothing is different");
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    await_line("asked to end");
    assert!(process.wait().unwrap().success());
}

#[test]
fn without_a_configuration_a_closed_terminal_ends_it() {
    let directory = tempfile::tempdir().unwrap();
    let script = "kill -HUP $PPID; read never";
    let mut command = compositor(directory.path());
    let (code, text) = run(command.stdin(Stdio::piped()).args(["--", "bash", "-c", script]));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("asked to end by SIGHUP"), "{text}");
}

#[test]
fn wlr_randr_sees_and_sets_outputs() {
    let directory = tempfile::tempdir().unwrap();
    let script = "wlr-randr && wlr-randr --output RIGHT --scale 1.5 --transform 270 --pos 10,20 \\
        --custom-mode 900x600@50 && wlr-randr --output HEADLESS-1 --off && wlr-randr &&
        ! wlr-randr --output RIGHT --custom-mode 9x9";
    let script = format!("{script}; {CONTROL} --json outputs");
    let outputs = ["--output", "320x200", "--output", "640x480,scale=2,name=RIGHT"];
    let (code, text) =
        run(compositor(directory.path()).args(outputs).args(["--", "sh", "-c", &script]));
    assert_eq!(code, Some(0), "{text}");
    for expected in [
        "Enabled: no",
        "640x480 px, 60.000000 Hz (preferred, current)",
        "Position: 320,0",
        "900x600 px, 50.000000 Hz (current)",
        "Position: 10,20",
        "Transform: 270",
        "Scale: 1.500000",
        "\"scale\": 1.5",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in {text}");
    }
}

#[test]
fn errors_say_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("wrong.toml");
    std::fs::write(&config, "size = \"320x200\"\n[frame]\nborder = 99\n").unwrap();
    let nowhere = directory.path().join("nowhere");
    let mut no_keyboard_data = compositor(directory.path());
    no_keyboard_data.env("XKB_CONFIG_ROOT", &nowhere).env("HOME", &nowhere).args(["--", "true"]);
    let mut wrong_config = compositor(directory.path());
    wrong_config.arg("--config").arg(&config);
    let mut no_config = compositor(directory.path());
    no_config.arg("--config").arg(&nowhere);
    let mut no_directory = compositor(directory.path());
    no_directory.env_remove("XDG_RUNTIME_DIR");
    let mut no_program = compositor(directory.path());
    no_program.arg("--").arg(&nowhere);
    for (mut command, expected) in [
        (no_keyboard_data, "xkb-data"),
        (wrong_config, "line 3, column 10"),
        (no_config, "--config"),
        (no_directory, "XDG_RUNTIME_DIR is not set"),
        (no_program, "cannot start the program"),
    ] {
        let (code, text) = run(&mut command);
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains(expected), "{expected:?} is not in {text}");
    }
    let (code, text) = run(Command::new(CONTROL)
        .arg("windows")
        .env("XDG_RUNTIME_DIR", directory.path())
        .env("WAYLAND_DISPLAY", "wayland-none"));
    assert_eq!(code, Some(2));
    assert!(text.contains("wayland-none.control") && text.contains("WAYLAND_DISPLAY"), "{text}");
}

#[test]
fn pictures_are_compared() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let mut pixels = vec![90; 40 * 30 * 3];
    Image::from_rgb(40, 30, pixels.clone()).unwrap().write(&path("a.png")).unwrap();
    pixels[333] = 91;
    Image::from_rgb(40, 30, pixels).unwrap().write(&path("b.png")).unwrap();
    let diff = |a: &str, b: &str| {
        let mut command = Command::new(CONTROL);
        command.arg("diff").arg(path(a)).arg(path(b)).arg("-o").arg(path("diff.png"));
        run(&mut command)
    };
    assert_eq!(diff("a.png", "a.png"), (Some(0), String::new()));
    assert!(!path("diff.png").exists());
    let (code, text) = diff("a.png", "b.png");
    assert_eq!(code, Some(1));
    assert!(text.contains("1 pixel"), "{text}");
    assert_eq!(Image::read(&path("diff.png")).unwrap().height(), 30);
    assert_eq!(diff("a.png", "none.png").0, Some(2));
}
