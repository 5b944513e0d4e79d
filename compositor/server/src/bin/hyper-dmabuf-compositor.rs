//! The compositor as a program.

use std::{io::IsTerminal, process::ExitCode};

use anyhow::Context;
use hyper_dmabuf::command_line;
use hyper_dmabuf_compositor::{
    child,
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
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| EnvFilter::new("info,smithay=warn")),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    match run(&cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("hyper-dmabuf-compositor: {}", explain(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    let config = cli.to_config()?;
    let limit = descriptors::raise_limit();
    let mut server = Server::new(config, cli.backend.into())?;
    server.end_on_signals().context("cannot wait for signals")?;
    let socket = server.listen()?;
    server.state.listen_for_domains()?;
    tracing::info!("clients connect with WAYLAND_DISPLAY={socket}");
    let program = if cli.command.is_empty() {
        None
    } else {
        Some(
            child::start(&mut server, &cli.command, &socket, limit)
                .context("cannot start the program")?,
        )
    };
    server.run().context("the event loop failed")?;
    Ok(program.map_or(ExitCode::SUCCESS, |program| program.exit_code()))
}
