//! The compositor as a program.

use std::{io::IsTerminal, process::ExitCode};

use anyhow::Context;
use hyper_dmabuf::command_line;
use hyper_dmabuf_compositor::{
    child::{self, Surroundings},
    cli::{Cli, explain},
    descriptors,
    server::Server,
};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli: Cli = match command_line::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let logging = tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| EnvFilter::new("info,smithay=warn")),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .with_filter_reloading();
    let filter = logging.reload_handle();
    logging.init();
    let set_filter = move |text: &str| {
        let wanted = EnvFilter::try_new(text).map_err(|error| format!("{text:?}: {error}"))?;
        filter.reload(wanted).map_err(|error| error.to_string())
    };
    match run(cli, set_filter) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("hyper-dmabuf-compositor: {}", explain(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(
    cli: Cli,
    set_filter: impl Fn(&str) -> Result<(), String> + 'static,
) -> anyhow::Result<ExitCode> {
    let config = cli.to_config()?;
    if cli.check_config {
        println!("nothing is wrong with the configuration");
        return Ok(ExitCode::SUCCESS);
    }
    let limit = descriptors::raise_limit();
    let mut server = Server::new(config, cli.backend.into())?;
    server.state.allow_log_filter(set_filter);
    server.obey_signals().context("cannot wait for signals")?;
    let command = cli.command.clone();
    let is_session = cli.session;
    if let Some(path) = cli.config_file() {
        server.state.allow_reload(move || cli.to_config());
        if let Err(error) = server.state.watch_config(&path) {
            tracing::warn!("{error}");
        }
    }
    let socket = server.listen()?;
    server.state.listen_for_domains()?;
    tracing::info!("clients connect with WAYLAND_DISPLAY={socket}");
    server.state.offer_x11();
    let surroundings = Surroundings { socket, x11_display: server.state.x11_display(), limit };
    server.state.allow_programs(surroundings.clone());
    if is_session {
        server.state.begin_login_session(&surroundings).context("cannot begin the session")?;
    }
    let program = if command.is_empty() {
        None
    } else {
        Some(
            child::start(&mut server, &command, &surroundings)
                .context("cannot start the program")?,
        )
    };
    server.run().context("the event loop failed")?;
    Ok(program.map_or(ExitCode::SUCCESS, |program| program.exit_code()))
}
