//! In a window of weston, which knows whole scales alone, and tells them by its outputs.

use std::process::{Command, Stdio};

use crate::inner::{Elsewhere, Inner, Program, until};

#[test]
fn a_whole_scale_is_followed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("weston");
    let mut command = Command::new("weston");
    command.env("XDG_RUNTIME_DIR", directory.path()).env_remove("WAYLAND_DISPLAY");
    command.args(["--backend=headless-backend.so", "--use-pixman", "--scale=2", "--width=1600"]);
    command.args(["--height=1200", "--socket=weston", "--idle-time=0", "--no-config"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let _weston = Program(command.spawn().unwrap());
    let host = &mut Elsewhere;
    until(host, "weston has its socket", || path.exists().then_some(()));
    let mut inner = Inner::start(directory, ("WAYLAND_DISPLAY", &path), &["--size", "300x200"]);
    inner.says(host, "clients connect");
    inner.until(host, "it is drawn at the scale of weston", |inner, host| {
        let output = inner.outputs(host).remove(0);
        let shape = (output.width, output.height, output.scale, output.geometry.width);
        (shape == (600, 400, 2.0, 300) && output.pictures > 1).then_some(())
    });
}
