//! Shows unmodified Wayland programs of a guest in the display domain.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use hyper_dmabuf::client::Address;
use hyper_dmabuf::command_line;
use hyper_dmabuf::proxy::{Config, GpuChoice, TraceFilter, VersionLimit, run};
use tracing_subscriber::EnvFilter;

/// Shows unmodified Wayland programs of this domain in the display domain.
///
/// Opens a Wayland socket, and carries every program that connects there to the display domain over
/// the link. What programs draw is shown from their own memory where that can be shared as it is;
/// otherwise what changed is copied once.
#[derive(Debug, Parser)]
#[command(name = "hyper-dmabuf-proxy", version, max_term_width = 100)]
struct Cli {
    /// Where the display domain is: xen: from a guest of Xen, the one that xenstore names, or domain
    /// 0; xen:DOMID, that one; or shm:PATH on one machine, the socket that the compositor
    /// was given with --domain NAME=shm:PATH.
    #[arg(long, env = "HYPER_DMABUF_LINK", value_name = "ADDRESS")]
    link: Address,

    /// Name of the Wayland socket in $XDG_RUNTIME_DIR [default: the first free one of wayland-1 to
    /// wayland-32].
    #[arg(long, value_name = "NAME")]
    socket: Option<String>,

    /// Write every message to stderr, in the format of WAYLAND_DEBUG, and what became of each
    /// buffer. FILTER is a list of beginnings: wl_surface,wl_shm_pool.create
    #[arg(long, value_name = "FILTER", num_args = 0..=1, require_equals = true,
          default_missing_value = "")]
    trace: Option<TraceFilter>,

    /// What programs that draw by a GPU are told to draw with: a device such as
    /// /dev/dri/renderD128, `none`, or `auto`, the first one there is.
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    gpu: GpuChoice,

    /// Offer an interface in no newer version than this, or with 0 not at all: xdg_wm_base=5. May be
    /// given more than once.
    #[arg(long = "limit", value_name = "INTERFACE=VERSION")]
    limits: Vec<VersionLimit>,

    /// A program to run with WAYLAND_DISPLAY set. The proxy ends with it, with its exit status.
    #[arg(last = true, value_name = "PROGRAM")]
    command: Vec<OsString>,
}

fn main() -> ExitCode {
    let cli: Cli = match command_line::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| EnvFilter::new("info,hyper_dmabuf::link=warn")),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    let Cli { link, socket, trace, gpu, limits, command } = cli;
    let at = link.to_string();
    let config = Config { link, socket, trace, gpu, limits, command };
    match run(config).with_context(|| format!("link '{at}'")) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("hyper-dmabuf-proxy: {error:#}");
            ExitCode::FAILURE
        }
    }
}
