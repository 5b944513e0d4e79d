//! What a program says about its own command line: a man page, and what shells complete.
//!
//! ```sh
//! hyper-dmabuf-proxy --generate man > hyper-dmabuf-proxy.1
//! ```

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Arg, Command, CommandFactory, Parser, ValueEnum};
use clap_complete::Shell;

/// What can be generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Page {
    /// A man page
    Man,
    /// What bash completes
    Bash,
    /// What zsh completes
    Zsh,
    /// What fish completes
    Fish,
}

/// The command line of this program; or, if it asks for a page of the program itself, how the program
/// is to end, which has been written then.
///
/// # Errors
/// The page could not be written, and standard error says so.
pub fn parse<Cli: Parser>() -> Result<Cli, ExitCode> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    match asked_for(&arguments) {
        None => {
            let matches = command::<Cli>().get_matches_from(arguments);
            Cli::from_arg_matches(&matches).map_err(|error| error.exit())
        }
        Some(page) => {
            let mut text = Vec::new();
            let written = page
                .write(command::<Cli>(), &mut text)
                .and_then(|()| io::stdout().write_all(&text));
            Err(match written {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("cannot write the page: {error}");
                    ExitCode::FAILURE
                }
            })
        }
    }
}

/// With the option that is not the program's own.
fn command<Cli: CommandFactory>() -> Command {
    let generate = Arg::new(GENERATE)
        .long(GENERATE)
        .value_name("WHAT")
        .value_parser(clap::value_parser!(Page))
        .exclusive(true)
        .help("Write this program's man page, or what a shell completes, and end");
    Cli::command().arg(generate)
}

const GENERATE: &str = "generate";

/// What the arguments ask for, if it is that. Before all others, since it needs none of what the
/// program may require.
fn asked_for(arguments: &[OsString]) -> Option<Page> {
    let first = arguments.get(1)?.to_str()?;
    let what = match first.strip_prefix("--generate")? {
        "" => arguments.get(2)?.to_str()?,
        value => value.strip_prefix('=')?,
    };
    Page::from_str(what, true).ok()
}

impl Page {
    /// Writes the page of a command.
    ///
    /// # Errors
    /// As `out` says.
    pub fn write(self, mut command: Command, out: &mut impl Write) -> io::Result<()> {
        let name = command.get_name().to_owned();
        let shell = match self {
            Page::Man => return write_man(command, out),
            Page::Bash => Shell::Bash,
            Page::Zsh => Shell::Zsh,
            Page::Fish => Shell::Fish,
        };
        clap_complete::generate(shell, &mut command, name, out);
        Ok(())
    }
}

/// One page for all: what subcommands are named after is no page of its own.
fn write_man(command: Command, out: &mut impl Write) -> io::Result<()> {
    let mut text = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut text)?;
    let mut text = String::from_utf8_lossy(&text).into_owned();
    let escaped = |name: &str| name.replace('-', "\\-");
    for subcommand in command.get_subcommands() {
        let (name, sub) = (escaped(command.get_name()), escaped(subcommand.get_name()));
        text = text.replace(&format!("{name}\\-{sub}(1)"), &format!("\\fB{name} {sub}\\fR"));
    }
    out.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Parser)]
    #[command(name = "some-program")]
    struct Cli {
        /// It cannot do without
        #[arg(long)]
        needed: String,
    }

    fn page(page: Page) -> String {
        let mut text = Vec::new();
        page.write(command::<Cli>(), &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn pages_name_all_options() {
        for what in [Page::Bash, Page::Zsh, Page::Fish] {
            let text = page(what);
            assert!(text.contains("needed") && text.contains("generate"), "{text}");
        }
        let man = page(Page::Man);
        assert!(man.contains(".TH some-program 1"), "{man}");
        assert!(man.contains("It cannot do without") && man.contains("generate"), "{man}");
    }

    #[test]
    fn a_page_is_asked_for_without_what_is_needed_otherwise() {
        let asked = |arguments: &[&str]| {
            let all: Vec<OsString> =
                ["some-program"].iter().chain(arguments).map(OsString::from).collect();
            asked_for(&all)
        };
        assert_eq!(asked(&["--generate", "man"]), Some(Page::Man));
        assert_eq!(asked(&["--generate=fish"]), Some(Page::Fish));
        assert_eq!(asked(&["--generate", "money"]), None);
        assert_eq!(asked(&["--needed", "it", "--generate", "man"]), None);
        assert_eq!(asked(&[]), None);
        assert!(command::<Cli>().try_get_matches_from(["some-program"]).is_err());
    }
}
