//! A program that is killed when somebody in the display domain wants it, and started again.

use std::process::{Child, Command, ExitCode};

use anyhow::Context;
use hyper_dmabuf::hypervisor::xen::xenstore::{StorePath, Xenstore};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// The node that means it, below this domain's own.
const KILL: &str = "data/hyper-dmabuf-lab-kill";

pub(crate) fn run(program: &str, arguments: &[&str]) -> anyhow::Result<ExitCode> {
    let mut store = Xenstore::open()?;
    let own = store.own_domain()?;
    let node = StorePath::of_domain(own).join(KILL)?;
    store.watch(&node, "")?;
    loop {
        let mut child =
            Command::new(program).args(arguments).spawn().context("cannot start the program")?;
        println!("kept: started");
        let how = until_end_or_kill(&mut child, &mut store, &node)?;
        println!("kept: {how}, {}", child.wait()?);
    }
}

fn until_end_or_kill(
    child: &mut Child,
    store: &mut Xenstore,
    node: &StorePath,
) -> anyhow::Result<&'static str> {
    let pid = Pid::from_raw(i32::try_from(child.id())?).context("a process has a number")?;
    let ended = pidfd_open(pid, PidfdFlags::empty())?;
    loop {
        store.dispatch()?;
        while store.next_incoming().is_some() {}
        if store.read(node).is_ok() {
            store.remove(node)?;
            child.kill()?;
            return Ok("killed");
        }
        let mut files = [PollFd::new(&ended, PollFlags::IN), PollFd::new(&*store, PollFlags::IN)];
        poll(&mut files, None)?;
        if !files[0].revents().is_empty() {
            return Ok("ended by itself");
        }
    }
}
