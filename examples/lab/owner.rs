//! The guest's half of the contract: it grants what the other half asks for.
//!
//! | asked | answered |
//! |---|---|
//! | `grant mapper\|stranger PAGES ro\|rw` | `ok ID REF,REF,…`, `noroom TEXT`, `error TEXT` |
//! | `write ID PAGE WORD` | `ok` |
//! | `word ID PAGE` | `ok WORD` |
//! | `end ID` | `ok`, `mapped` |
//! | `abandon ID` | `ok` |
//! | `reclaim` | `ok PAGES` |
//! | `directory ID` | `ok ID REF,REF,…` |

use std::collections::HashMap;
use std::process::ExitCode;

use anyhow::{Context, bail};
use hyper_dmabuf::domain::DomainId;
use hyper_dmabuf::grant::contract::{NotGranted, Owner, Peer};
use hyper_dmabuf::grant::{Access, GrantPages, GrantedMemory, PageCount};
use hyper_dmabuf::hypervisor::xen::OwnMemory;

use crate::stream::Lines;

/// A domain that there is not.
const STRANGER: u16 = 0x7000;

/// Serves one mapper after the other.
pub(crate) fn run<G: GrantPages + Clone>(
    display: DomainId,
    grants: &G,
) -> anyhow::Result<ExitCode> {
    loop {
        let mut lines = Lines::offer(display)?;
        let stranger = DomainId::new(STRANGER).context("a number of a domain")?;
        let owner = Owner { grants: grants.clone(), mapper: display, stranger };
        let mut half = Half { owner, memory: HashMap::new(), last: 0 };
        while let Some(line) = lines.receive()? {
            let answer = half.answer(&line.split(' ').collect::<Vec<_>>());
            lines.send(&answer.unwrap_or_else(|error| format!("error {error:#}")))?;
        }
    }
}

/// Grants page after page until there is no more, says how many pages that were, and what was said.
pub(crate) fn count(to: DomainId) -> anyhow::Result<ExitCode> {
    let (memory, mut held) = (OwnMemory::new(), Vec::new());
    let one = PageCount::new(1).context("a page")?;
    let refusal = loop {
        match memory.grant(one, to, Access::ReadOnly) {
            Ok(page) => held.push(page),
            Err(error) => break error,
        }
    };
    println!("{} pages can be granted, then: {refusal}", held.len());
    Ok(ExitCode::SUCCESS)
}

struct Half<G: GrantPages> {
    owner: Owner<G>,
    memory: HashMap<u32, G::Memory>,
    last: u32,
}

impl<G: GrantPages> Half<G> {
    fn answer(&mut self, words: &[&str]) -> anyhow::Result<String> {
        match words {
            ["grant", to, pages, access] => {
                let to = if *to == "mapper" { Peer::Mapper } else { Peer::Stranger };
                let access = if *access == "rw" { Access::ReadWrite } else { Access::ReadOnly };
                let pages = PageCount::new(pages.parse()?).context("no pages")?;
                match self.owner.grant(to, pages, access) {
                    Ok(memory) => Ok(self.keep(memory)),
                    Err(NotGranted::NoRoom(text)) => Ok(format!("noroom {text}")),
                    Err(NotGranted::Other(text)) => Ok(format!("error {text}")),
                }
            }
            ["write", id, page, word] => {
                let memory = self.memory.get(&id.parse()?).context("no such memory")?;
                Owner::<G>::write(memory, page.parse()?, word.parse()?);
                Ok("ok".to_owned())
            }
            ["word", id, page] => {
                let memory = self.memory.get(&id.parse()?).context("no such memory")?;
                Ok(format!("ok {}", Owner::<G>::first_word(memory, page.parse()?)))
            }
            ["end", id] => {
                let id = id.parse()?;
                let memory = self.memory.remove(&id).context("no such memory")?;
                match Owner::<G>::end(memory) {
                    Ok(()) => Ok("ok".to_owned()),
                    Err(memory) => {
                        self.memory.insert(id, memory);
                        Ok("mapped".to_owned())
                    }
                }
            }
            ["abandon", id] => {
                self.memory.remove(&id.parse()?).context("no such memory")?;
                Ok("ok".to_owned())
            }
            ["reclaim"] => Ok(format!("ok {}", self.owner.grants.reclaim())),
            ["directory", id] => {
                let memory = self.memory.get(&id.parse()?).context("no such memory")?;
                let directory = self.owner.directory(memory);
                Ok(self.keep(directory))
            }
            _ => bail!("not understood: {words:?}"),
        }
    }

    fn keep(&mut self, memory: G::Memory) -> String {
        self.last += 1;
        let references: Vec<String> = memory.references().iter().map(ToString::to_string).collect();
        self.memory.insert(self.last, memory);
        format!("ok {} {}", self.last, references.join(","))
    }
}
