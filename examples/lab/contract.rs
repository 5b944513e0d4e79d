//! The display domain's half of the contract: it maps what an owner in a guest grants.

use std::io::{BufRead, BufReader};
use std::panic::catch_unwind;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};

use anyhow::Context;
use hyper_dmabuf::domain::DomainId;
use hyper_dmabuf::grant::contract::{self, NotGranted, Peer, Rig};
use hyper_dmabuf::grant::{Access, ForeignMemory, GrantRef, PageCount};
use hyper_dmabuf::hypervisor::xen::ForeignDomain;

use crate::stream::{Lines, own_domain};

/// The owner that all tests of this run talk to.
static OWNER: Mutex<Option<(DomainId, Lines)>> = Mutex::new(None);

/// What `what` does with an owner that is connected until then.
pub(crate) fn with_owner(
    guest: DomainId,
    what: impl FnOnce() -> anyhow::Result<ExitCode>,
) -> anyhow::Result<ExitCode> {
    let connected = Lines::connect(guest).context("cannot reach the owner")?;
    *OWNER.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some((guest, connected));
    let done = what();
    // Its end is what the owner waits for.
    *OWNER.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = None;
    done
}

/// Runs the tests whose names contain `filter`, and prints a line for each.
pub(crate) fn run<const OF_FILES: bool>(filter: &str) -> anyhow::Result<ExitCode> {
    let (mut passed, mut failed) = (0, 0);
    for (name, test) in contract::tests::<Xen<OF_FILES>>() {
        if !name.contains(filter) {
            continue;
        }
        match catch_unwind(test) {
            Ok(()) => {
                println!("test {name} ... ok");
                passed += 1;
            }
            Err(_) => {
                println!("test {name} ... FAILED");
                failed += 1;
            }
        }
    }
    println!("contract: {passed} passed, {failed} failed");
    Ok(if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Maps, says so, and waits to be killed.
pub(crate) fn hold(guest: DomainId, references: &[&str]) -> anyhow::Result<ExitCode> {
    let references: Vec<GrantRef> =
        references.iter().map(|text| Ok(GrantRef(text.parse()?))).collect::<anyhow::Result<_>>()?;
    let _mapping = ForeignDomain::new(guest, own_domain()?).map(&references, Access::ReadOnly)?;
    println!("held");
    loop {
        std::thread::park();
    }
}

/// Asks the owner.
fn ask(question: &str) -> String {
    let mut owner = OWNER.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (_, lines) = owner.as_mut().expect("connected");
    lines.send(question).expect("the owner listens");
    lines.receive().expect("the owner answers").expect("the owner lives")
}

fn guest() -> DomainId {
    OWNER.lock().unwrap_or_else(std::sync::PoisonError::into_inner).as_ref().expect("connected").0
}

/// A guest that owns pages of its own, and this domain that maps them.
pub(crate) type Owned = Xen<false>;

/// A guest that owns, and this domain that maps. The owner grants pages of its own, or of files.
pub(crate) struct Xen<const OF_FILES: bool> {
    foreign: Arc<ForeignDomain>,
}

/// What the owner granted, by its own number for it.
pub(crate) struct Memory {
    id: u32,
    references: Vec<GrantRef>,
    gone: bool,
}

impl Drop for Memory {
    fn drop(&mut self) {
        if !self.gone {
            ask(&format!("abandon {}", self.id));
        }
    }
}

fn memory(answer: &str) -> Memory {
    let mut words = answer.split(' ').skip(1);
    let id = words.next().and_then(|id| id.parse().ok()).expect("a number");
    let references = words.next().expect("references").split(',');
    let references = references.map(|word| GrantRef(word.parse().expect("a number"))).collect();
    Memory { id, references, gone: false }
}

impl<const OF_FILES: bool> Rig for Xen<OF_FILES> {
    type Memory = Memory;

    const OWNER_SEES_MAPPINGS: bool = false;

    const GRANTS_READ_ONLY: bool = !OF_FILES;

    fn new(_: u32) -> Self {
        Xen { foreign: Arc::new(ForeignDomain::new(guest(), own_domain().expect("xenstore"))) }
    }

    fn grant(&self, to: Peer, pages: PageCount, access: Access) -> Result<Memory, NotGranted> {
        let to = if to == Peer::Mapper { "mapper" } else { "stranger" };
        let access = if access == Access::ReadWrite { "rw" } else { "ro" };
        let answer = ask(&format!("grant {to} {pages} {access}"));
        if let Some(text) = answer.strip_prefix("noroom ") {
            println!("the owner says: {text}");
            return Err(NotGranted::NoRoom(text.to_owned()));
        }
        if !answer.starts_with("ok ") {
            return Err(NotGranted::Other(answer));
        }
        Ok(memory(&answer))
    }

    fn references(memory: &Memory) -> &[GrantRef] {
        &memory.references
    }

    fn write(&self, memory: &Memory, page: usize, word: u32) {
        assert_eq!(ask(&format!("write {} {page} {word}", memory.id)), "ok");
    }

    fn first_word(&self, memory: &Memory, page: usize) -> u32 {
        let answer = ask(&format!("word {} {page}", memory.id));
        answer.strip_prefix("ok ").and_then(|word| word.parse().ok()).expect("a word")
    }

    fn end(&self, mut memory: Memory) -> Result<(), Memory> {
        match &*ask(&format!("end {}", memory.id)) {
            "ok" => {
                memory.gone = true;
                Ok(())
            }
            _ => Err(memory),
        }
    }

    fn abandon(&self, memory: Memory) {
        drop(memory);
    }

    fn reclaim(&self) -> usize {
        let answer = ask("reclaim");
        answer.strip_prefix("ok ").and_then(|word| word.parse().ok()).expect("a number")
    }

    fn directory(&self, listed: &Memory) -> Memory {
        memory(&ask(&format!("directory {}", listed.id)))
    }

    fn foreign(&self) -> Arc<dyn ForeignMemory> {
        self.foreign.clone()
    }

    fn mapper_dies_with(&self, references: &[GrantRef]) {
        let mut holder = Command::new(std::env::current_exe().expect("this program"))
            .args(["hold", &guest().to_string()])
            .args(references.iter().map(ToString::to_string))
            .stdout(Stdio::piped())
            .spawn()
            .expect("another process");
        let mut said = String::new();
        let output = holder.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut said).expect("a line");
        assert_eq!(said, "held\n");
        holder.kill().expect("it runs");
        holder.wait().expect("it ends");
    }

    fn nowhere(&self) -> Vec<GrantRef> {
        // Never handed out, beyond any table, and where an index would wrap.
        [0xff_fff0, 1 << 30, u32::MAX].map(GrantRef).to_vec()
    }
}
