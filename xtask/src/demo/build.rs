//! Building what the demo runs, and finding out from cargo where it is.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::paths;

/// The programs of the demo.
pub(crate) struct Programs {
    pub(crate) compositor: PathBuf,
    pub(crate) control: PathBuf,
    pub(crate) guest: PathBuf,
    /// For unmodified programs, and what runs in the lab, if that was asked for.
    pub(crate) proxy: Option<PathBuf>,
    pub(crate) lab: Option<PathBuf>,
    pub(crate) dmabuf: Option<PathBuf>,
    /// For the screen, if that was asked for: input devices, what programs are told of them, and a window
    /// that a screen can show by itself.
    pub(crate) only_for_screen: Vec<PathBuf>,
}

/// What cargo says of something it made; of the rest of its messages, nothing.
#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// With everything that there is, `for_lab`: as the tests are built, so that nothing is built twice.
pub(crate) fn build(for_lab: bool) -> anyhow::Result<Programs> {
    let what: &[&str] = if for_lab {
        &["--workspace", "--all-features", "--bins", "--examples"]
    } else {
        &[
            "--package=hyper-dmabuf-compositor",
            "--bins",
            "--package=hyper-dmabuf",
            "--features=hyper-dmabuf/client",
            "--example=picture",
        ]
    };
    let mut cargo = Command::new("cargo")
        .current_dir(paths::root())
        .args(["build", "--message-format", "json-render-diagnostics"])
        .args(what)
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run cargo")?;
    let messages = cargo.stdout.take().context("cargo has no output")?;
    let mut made = Vec::new();
    for line in BufReader::new(messages).lines() {
        // Lines that are something else are of build scripts.
        if let Ok(Message { executable: Some(path), target: Some(target) }) =
            serde_json::from_str(&line.context("cannot read what cargo says")?)
        {
            made.push((target.name, path));
        }
    }
    if !cargo.wait().context("cannot wait for cargo")?.success() {
        bail!("the build failed");
    }
    let find = |name: &str| {
        let found = made.iter().find(|(made, _)| made == name).map(|(_, path)| path.clone());
        found.with_context(|| format!("cargo built no program `{name}`"))
    };
    Ok(Programs {
        compositor: find("hyper-dmabuf-compositor")?,
        control: find("hyper-dmabufctl")?,
        guest: find("picture")?,
        proxy: for_lab.then(|| find("hyper-dmabuf-proxy")).transpose()?,
        lab: for_lab.then(|| find("lab")).transpose()?,
        dmabuf: for_lab.then(|| find("dmabuf")).transpose()?,
        only_for_screen: match for_lab {
            true => ["devices", "input_log", "direct"]
                .map(find)
                .into_iter()
                .collect::<Result<_, _>>()?,
            false => Vec::new(),
        },
    })
}
