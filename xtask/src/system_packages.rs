//! Packages of the system that must be there, and installing those that are not.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::paths;
use crate::step::{self, Verdict};

/// To compile and link.
pub(crate) const BUILD: &[&str] = &[
    "gcc",
    "pkg-config",
    "libxkbcommon-dev",
    "libpixman-1-dev",
    "libudev-dev",
    "libinput-dev",
    "libseat-dev",
    "libgbm-dev",
];

/// X11 programs of the display domain, and the server that they need there.
pub(crate) const X11: &[&str] = &["xwayland", "xterm", "xclip", "xfonts-base"];

/// To run the compositor: it makes keymaps.
pub(crate) const RUN: &[&str] = &["xkb-data"];

/// To check the protocol (wayland-scanner), the compositor's conformance (WLCS) and the files of a login
/// session, to set outputs, to draw by OpenGL ES, to have cursors, and fonts of scripts that the program's
/// own font lacks.
pub(crate) const TEST: &[&str] = &[
    "libwayland-bin",
    "wlcs",
    "wlr-randr",
    "systemd",
    "desktop-file-utils",
    "libegl1",
    "libegl-mesa0",
    "libgles2",
    "libgl1-mesa-dri",
    "adwaita-icon-theme",
    "fonts-lohit-deva",
    "fonts-tlwg-loma-ttf",
    "fonts-wqy-microhei",
    "fonts-symbola",
];

/// Unmodified Wayland programs, for the tests of the proxy to run, and desktops to be nested in.
pub(crate) const PROGRAMS: &[&str] = &[
    "weston",
    "foot",
    "wl-clipboard",
    "wayland-utils",
    "gtk-4-examples",
    "libsdl2-tests",
    "mpv",
    "qt6-wayland",
    "qt6ct",
    "libfaketime",
    "xvfb",
];

/// Tools of the display domain itself, as its users have them.
pub(crate) const TOOLS: &[&str] =
    &["grim", "swaybg", "swaylock", "swayidle", "waybar", "wtype", "wofi"];

/// To boot a real Xen, see `lab/images`, and the unmodified programs that are shown there.
pub(crate) const LAB: &[&str] = &[
    "qemu-system-x86",
    "mmdebstrap",
    "busybox-static",
    "cpio",
    "zstd",
    "xz-utils",
    "kmod",
    "make",
    "foot",
    "weston",
    "fonts-dejavu-core",
];

/// To boot a machine with a screen, see `screen/images`, and the unmodified programs that run there.
pub(crate) const SCREEN: &[&str] = &[
    "qemu-system-x86",
    "busybox-static",
    "cpio",
    "xz-utils",
    "kmod",
    "make",
    "udev",
    "seatd",
    "libinput-bin",
    "libegl1",
    "libegl-mesa0",
    "libgles2",
    "libgl1-mesa-dri",
    "weston",
    "foot",
    "fonts-dejavu-core",
];

/// Sees to it that the packages are installed, or says how to.
pub(crate) fn provide(sets: &[&[&str]]) -> anyhow::Result<()> {
    let wanted: Vec<&str> = sets.concat();
    let Some(missing) = missing(&wanted)? else {
        println!("this is no Debian, so nothing is installed. Needed is what Debian calls");
        println!("  {}", wanted.join(" "));
        return Ok(());
    };
    if missing.is_empty() {
        return Ok(());
    }
    println!("missing system packages: {}", missing.join(" "));
    let install = ["install", "-y", "--no-install-recommends"];
    let Some(privilege) = Privilege::held() else {
        bail!(
            "install them and run this again:\n  sudo apt-get update && sudo apt-get {} {}",
            install.join(" "),
            missing.join(" ")
        );
    };
    let mut update = privilege.apt_get();
    let mut install_missing = privilege.apt_get();
    let steps = [
        ("apt-update", update.arg("update")),
        ("apt-install", install_missing.args(install).args(&missing)),
    ];
    for (name, command) in steps {
        if step::run(name, command).verdict != Verdict::Ok {
            bail!("the system packages could not be installed: see {}", paths::logs().display());
        }
    }
    Ok(())
}

/// Those of `wanted` that are not installed; `None` where there is no dpkg.
fn missing<'a>(wanted: &[&'a str]) -> anyhow::Result<Option<Vec<&'a str>>> {
    if !fs::exists("/var/lib/dpkg/status").unwrap_or(false) {
        return Ok(None);
    }
    let output = Command::new("dpkg-query")
        .args(["--show", "--showformat", "${Package} ${db:Status-Status}\n"])
        .args(wanted)
        .stderr(Stdio::null()) // What it does not know is missing, and not worth a word.
        .output()
        .context("cannot run dpkg-query")?;
    let known = String::from_utf8_lossy(&output.stdout);
    Ok(Some(not_installed(wanted, &known)))
}

fn not_installed<'a>(wanted: &[&'a str], known: &str) -> Vec<&'a str> {
    let installed =
        |name: &str| known.lines().any(|line| line.split_once(' ') == Some((name, "installed")));
    wanted.iter().copied().filter(|name| !installed(name)).collect()
}

/// How packages can be installed without asking anybody.
enum Privilege {
    Root,
    Sudo,
}

impl Privilege {
    fn held() -> Option<Privilege> {
        if rustix::process::geteuid().is_root() {
            return Some(Privilege::Root);
        }
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "true"]).stdin(Stdio::null()).stderr(Stdio::null());
        sudo.status().is_ok_and(|status| status.success()).then_some(Privilege::Sudo)
    }

    fn apt_get(&self) -> Command {
        // Through env, because sudo does not hand the variable on.
        let apt_get = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
        let (first, rest) = match self {
            Privilege::Root => ("env", &apt_get[1..]),
            Privilege::Sudo => ("sudo", &apt_get[..]),
        };
        let mut command = Command::new(first);
        if matches!(self, Privilege::Sudo) {
            command.arg("-n");
        }
        command.args(rest);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_installed_packages_count() {
        let known = "gcc installed\nlibpixman-1-dev config-files\nlibxkbcommon-dev installed\n";
        let wanted = ["gcc", "libxkbcommon-dev", "libpixman-1-dev", "xkb-data"];
        assert_eq!(not_installed(&wanted, known), ["libpixman-1-dev", "xkb-data"]);
    }
}
