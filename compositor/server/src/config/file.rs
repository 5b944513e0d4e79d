//! Reading the configuration from a file, and what is checked of it as a whole.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{Config, DomainConfig, DomainName};
use crate::{domain::DomainAddress, outputs::settings::OutputName};

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {source}. Check the path given to --config", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not a configuration; the message has line and column.
    #[error("the configuration {} is wrong: {source}", path.display())]
    Parse {
        /// Which file.
        path: PathBuf,
        /// What is wrong, and where.
        source: Box<toml::de::Error>,
    },
    /// Two domains cannot be told apart.
    #[error("two domains are called `{0}`: give each its own name")]
    SameName(DomainName),
    /// Two outputs cannot be told apart.
    #[error("two outputs are called `{}`: give each its own name", .0.as_str())]
    SameOutput(OutputName),
    /// Numbers of domains would mean two things.
    #[error(
        "domains of Xen and domains reached by \"shm:\" cannot be shown together: the numbers of the \
         latter would be those of the former"
    )]
    TwoHypervisors,
}

impl Config {
    /// Read a configuration from TOML.
    pub fn from_toml(text: &str) -> Result<Config, toml::de::Error> {
        toml::from_str(text)
    }

    /// Read a configuration file.
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        let path = path.to_path_buf();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(source) => return Err(ConfigError::Read { path, source }),
        };
        Config::from_toml(&text)
            .map_err(|source| ConfigError::Parse { path, source: Box::new(source) })
    }

    /// Check what concerns more than one value.
    pub fn check(&self) -> Result<(), ConfigError> {
        let is_xen = |domain: &&DomainConfig| matches!(domain.address, Some(DomainAddress::Xen(_)));
        let xen = self.domains.iter().filter(is_xen).count();
        if (xen > 0 || self.any_domain.is_some()) && xen < self.domains.len() {
            return Err(ConfigError::TwoHypervisors);
        }
        for (index, domain) in self.domains.iter().enumerate() {
            if self.domains[..index].iter().any(|other| other.name == domain.name) {
                return Err(ConfigError::SameName(domain.name.clone()));
            }
        }
        for (index, output) in self.outputs.iter().enumerate() {
            if let Some(name) = &output.name
                && self.outputs[..index].iter().any(|other| other.name.as_ref() == Some(name))
            {
                return Err(ConfigError::SameOutput(name.clone()));
            }
        }
        Ok(())
    }
}
#[cfg(test)]
mod tests {
    use super::{
        super::{OutputSize, RendererChoice},
        *,
    };

    #[test]
    fn nothing_is_needed() {
        assert_eq!(Config::from_toml("").unwrap(), Config::default());
    }

    #[test]
    fn everything_can_be_set() {
        let config = Config::from_toml(
            r##"
            size = "800x600"
            socket = "wayland-guests"
            refresh = 0
            renderer = "gles"
            background = "#101010"
            [[output]]
            name = "LEFT"
            size = "640x480"
            scale = 1.5
            transform = "90"
            position = "-320+0"
            off = true
            [frame]
            border = 2
            font_size = 12
            local_colour = "#333333"
            [keyboard]
            layout = "de"
            [[domain]]
            name = "work"
            colour = "#2f6f9f"
            address = "shm:/run/work.sock"
            [[domain]]
            name = "web"
            "##,
        )
        .unwrap();
        assert_eq!(config.size, OutputSize { width: 800, height: 600 });
        assert_eq!(config.refresh.period(), None);
        assert_eq!(config.outputs[0].scale.factor(), 1.5);
        assert!(config.outputs[0].off);
        assert_eq!(config.renderer, RendererChoice::Gles);
        assert_eq!(&*config.domains[0].name, "work");
        assert_eq!(config.domains[0].address, Some(DomainAddress::Shm("/run/work.sock".into())));
        assert_eq!(config.domains[1].address, None);
        config.check().unwrap();
    }

    #[test]
    fn mistakes_are_reported_where_they_stand() {
        for (text, place) in [
            ("size = \"800x600\"\nsise = 3\n", "line 2, column 1"),
            ("size = \"800\"\n", "line 1, column 8"),
            ("\n[frame]\nborder = 0\n", "line 3, column 10"),
            ("[frame]\nfont_size = 500\n", "line 2, column 13"),
            ("[[domain]]\nname = \"work\"\ncolour = \"blue\"\n", "line 3, column 10"),
            ("[[domain]]\nname = \"a b\"\n", "line 2, column 8"),
            ("[[domain]]\nname = \"a\"\naddress = \"tcp:1\"\n", "line 3, column 11"),
            ("socket = \"../x\"\n", "line 1, column 10"),
            ("[keys]\n\"Super+q\" = \"explode\"\n", "line 2, column"),
            ("[keys]\n\"Sooper+q\" = \"close\"\n", "line 2, column"),
            ("refresh = 5000\n", "line 1, column 11"),
            ("size = \n", "line 1, column 8"),
            ("[[output]]\nscale = 0.1\n", "line 2, column 9"),
            ("[[output]]\ntransform = \"45\"\n", "line 2, column 13"),
        ] {
            let message = Config::from_toml(text).unwrap_err().to_string();
            assert!(message.contains(place), "{text:?} gave {message}");
        }
    }

    #[test]
    fn two_domains_of_one_name_are_refused() {
        let config =
            Config::from_toml("[[domain]]\nname = \"a\"\n[[domain]]\nname = \"a\"\n").unwrap();
        assert!(matches!(config.check(), Err(ConfigError::SameName(_))));
    }

    #[test]
    fn two_outputs_of_one_name_are_refused() {
        let config =
            Config::from_toml("[[output]]\nname = \"a\"\n[[output]]\nname = \"a\"\n").unwrap();
        assert!(matches!(config.check(), Err(ConfigError::SameOutput(_))));
    }
}
