//! The command line of `hyper-dmabuf-compositor`.

use std::{env, ffi::OsString, path::PathBuf, str::FromStr};

use clap::{Parser, ValueEnum};

use crate::{
    backend::BackendKind,
    config::{
        self, Config, ConfigError, DomainConfig, DomainName, OutputSize, RendererChoice, SocketName,
    },
    domain::{AnyDomain, DomainAddress},
    outputs::settings::OutputConfig,
};

/// Show guests' windows beside local ones on one screen, each in the frame of its domain.
///
/// Local programs connect to the socket of --socket. Every domain given with --domain, or in the
/// file of --config, is awaited at its address; its windows carry its name and colour.
#[derive(Debug, Parser)]
#[command(name = "hyper-dmabuf-compositor", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    /// What the picture is drawn on
    #[arg(long, value_enum, default_value_t = BackendChoice::Auto)]
    pub backend: BackendChoice,

    /// What draws the picture; `auto` if not given
    #[arg(long, value_enum)]
    pub renderer: Option<RendererChoice>,

    /// Size of a window or a headless output, for example 1280x800
    #[arg(long, value_name = "WxH")]
    pub size: Option<OutputSize>,

    /// A window, a headless output, or how a screen is set; may be given more than once
    ///
    /// Write WIDTHxHEIGHT and what else there is to say, with commas between: `name=NAME`, `scale=1.5`,
    /// `transform=90`, `position=X+Y`, `off`
    #[arg(long = "output", value_name = "WxH[,WHAT=VALUE]…")]
    pub outputs: Vec<OutputConfig>,

    /// Name of the Wayland socket, made in $XDG_RUNTIME_DIR; the first free wayland-N if not given
    #[arg(long, value_name = "NAME")]
    pub socket: Option<SocketName>,

    /// Do not let X11 programs in; else Xwayland is started when the first one comes
    #[arg(long)]
    pub no_xwayland: bool,

    /// Show the windows of a domain, reached at this address; may be given more than once
    ///
    /// The address is `shm:PATH`, or on Xen `xen:NUMBER` or `xen:NAME`, as `xl list` shows them;
    /// `*=xen` shows every domain of Xen by its own name
    #[arg(long = "domain", value_name = "NAME=ADDRESS")]
    pub domains: Vec<DomainArgument>,

    /// Read the configuration from this TOML file; the command line goes before it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Be the compositor of a login session: tell systemd and D-Bus where it is
    ///
    /// Programs that these start then find it, and a unit of Type=notify is ready. Without --config,
    /// $XDG_CONFIG_HOME/hyper-dmabuf/config.toml is read, if it is there
    #[arg(long)]
    pub session: bool,

    /// Only say whether the configuration is right: the file of --config and these arguments
    #[arg(long)]
    pub check_config: bool,

    /// Run this program inside, and end with it and with its exit status
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

const EXAMPLES: &str = "\
Examples:
  hyper-dmabuf-compositor --backend headless --size 1024x768 --socket wayland-9
  hyper-dmabuf-compositor --output 1280x800 --output 1920x1080,scale=1.5
  hyper-dmabuf-compositor --domain work=shm:/run/work.sock -- foot
  hyper-dmabuf-compositor --domain work=xen:work --domain '*=xen'

Look at a running compositor with hyper-dmabufctl. Say more with RUST_LOG=debug.";

/// What can be asked of `--backend`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BackendChoice {
    /// The best there is on this machine
    Auto,
    /// A real screen with keyboard and pointer: on a terminal of a machine with a GPU
    Drm,
    /// A window of the Wayland or X11 desktop that this is started in, for each output
    Nested,
    /// No screen: pictures are only seen through hyper-dmabufctl
    Headless,
}

impl From<BackendChoice> for BackendKind {
    fn from(choice: BackendChoice) -> BackendKind {
        match choice {
            BackendChoice::Auto => BackendKind::best(),
            BackendChoice::Drm => BackendKind::Drm,
            BackendChoice::Nested => BackendKind::Nested,
            BackendChoice::Headless => BackendKind::Headless,
        }
    }
}

/// The value of `--domain`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DomainArgument {
    /// `NAME=ADDRESS`
    One {
        /// What it is called.
        name: DomainName,
        /// Where it is reached.
        address: DomainAddress,
    },
    /// `*=xen`
    Any(AnyDomain),
}

impl FromStr for DomainArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<DomainArgument, String> {
        let (name, address) = text
            .split_once('=')
            .ok_or("write NAME=ADDRESS, for example work=shm:/run/work.sock or work=xen:work")?;
        if name == "*" {
            return match address {
                "xen" => Ok(DomainArgument::Any(AnyDomain::Xen)),
                _ => Err("write *=xen to show every domain of Xen".to_owned()),
            };
        }
        Ok(DomainArgument::One {
            name: name.parse().map_err(|error: config::ValueError| error.to_string())?,
            address: address
                .parse()
                .map_err(|error: crate::domain::AddressError| error.to_string())?,
        })
    }
}

impl Cli {
    /// The configuration file that is read: the one that was asked for, or for a session the user's own.
    pub fn config_file(&self) -> Option<PathBuf> {
        let of_user = || {
            let directory =
                |name| env::var_os(name).map(PathBuf::from).filter(|it| it.is_absolute());
            let home = || directory("HOME").map(|home| home.join(".config"));
            let config = directory("XDG_CONFIG_HOME").or_else(home)?;
            Some(config.join("hyper-dmabuf/config.toml"))
        };
        self.config.clone().or_else(|| self.session.then(of_user).flatten())
    }

    /// The configuration file, if any, with the command line put over it.
    pub fn to_config(&self) -> Result<Config, ConfigError> {
        let mut config = match self.config_file() {
            // Only one that was asked for has to be there.
            Some(path) if self.config.is_some() || path.exists() => Config::read(&path)?,
            _ => Config::default(),
        };
        if let Some(renderer) = self.renderer {
            config.renderer = renderer;
        }
        if let Some(size) = self.size {
            config.size = size;
        }
        if !self.outputs.is_empty() {
            config.outputs.clone_from(&self.outputs);
        }
        if let Some(socket) = &self.socket {
            config.socket = Some(socket.clone());
        }
        if self.no_xwayland {
            config.xwayland = config::XwaylandWanted(false);
        }
        let in_file = config.domains.len();
        for argument in &self.domains {
            let (name, address) = match argument {
                DomainArgument::One { name, address } => (name, Some(address.clone())),
                DomainArgument::Any(any) => {
                    config.any_domain = Some(*any);
                    continue;
                }
            };
            match config.domains.iter().position(|domain| domain.name == *name) {
                // The file gives the colour, the command line says where the domain is today.
                Some(index) if index < in_file => config.domains[index].address = address,
                // A name that is given twice is found by the check below.
                _ => {
                    let taken: Vec<_> = config.domains.iter().map(|domain| domain.colour).collect();
                    let (name, colour) = (name.clone(), config::free_colour(&taken));
                    config.domains.push(DomainConfig::new(name, colour, address));
                }
            }
        }
        config.check()?;
        Ok(config)
    }
}

/// An error for a person: what happened, and below it why, without saying anything twice.
pub fn explain(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.contains(cause.trim_end()) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use hyper_dmabuf::domain::DomainId;

    use super::*;
    use crate::domain::XenDomain;

    #[test]
    fn domains_and_command_are_read() {
        let cli = Cli::try_parse_from([
            "x",
            "--size",
            "640x480",
            "--domain",
            "work=shm:/a",
            "--domain",
            "web=shm:/b=c",
            "--",
            "foot",
            "-e",
            "top",
        ])
        .unwrap();
        let config = cli.to_config().unwrap();
        assert_eq!(config.domains.len(), 2);
        assert_eq!(config.domains[1].address, Some(DomainAddress::Shm("/b=c".into())));
        assert_ne!(config.domains[0].colour, config.domains[1].colour);
        assert_eq!(cli.command, ["foot", "-e", "top"]);
    }

    #[test]
    fn domains_of_xen_have_numbers_or_names() {
        let domains = |arguments: &[&str]| {
            let arguments = arguments.iter().flat_map(|domain| ["--domain", domain]);
            Cli::try_parse_from(["x"].into_iter().chain(arguments)).unwrap().to_config()
        };
        let config = domains(&["a=xen:7", "b=xen:web", "*=xen"]).unwrap();
        let seven = XenDomain::Number(DomainId::new(7).unwrap());
        assert_eq!(config.domains[0].address, Some(DomainAddress::Xen(seven)));
        let web = DomainAddress::Xen(XenDomain::Name("web".into()));
        assert_eq!(config.domains[1].address, Some(web));
        assert_eq!(config.any_domain, Some(AnyDomain::Xen));
        for mixed in [&["a=xen:7", "b=shm:/b"], &["*=xen", "b=shm:/b"]] {
            let error = domains(mixed).unwrap_err();
            assert!(matches!(error, ConfigError::TwoHypervisors), "{error}");
        }
        assert!("xen:32752".parse::<DomainAddress>().is_err());
    }

    #[test]
    fn wrong_domains_say_what_is_right() {
        for wrong in
            ["work", "work=/a", "=shm:/a", "wo rk=shm:/a", "work=shm:", "*=shm:/a", "a=xen:"]
        {
            let error = Cli::try_parse_from(["x", "--domain", wrong]).unwrap_err().to_string();
            assert!(error.contains("write"), "{wrong}: {error}");
        }
        let twice =
            Cli::try_parse_from(["x", "--domain", "a=shm:/a", "--domain", "a=shm:/b"]).unwrap();
        assert!(twice.to_config().is_err());
    }
}
