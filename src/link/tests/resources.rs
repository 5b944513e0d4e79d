//! Nothing is left behind.

use std::io::pipe;
use std::process::Command;

use super::*;

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn round(pair: &mut Pair) {
    let (app, _, socket) = pair.open();
    push(&app, b"x");
    let (reader, writer) = pipe().unwrap();
    send_with(&socket, b"pipes", &[OwnedFd::from(reader), OwnedFd::from(writer)]);
    let file = rustix::fs::memfd_create("x", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    send_with(&app, b"file", &[file]);
    pair.settle();
    receive_with(&socket);
    drop(app);
    pair.settle();
    pair.guest_events.clear();
    pair.display_events.clear();
}

/// The count is of the whole process, so this test runs in one of its own.
#[test]
fn no_descriptor_is_left_after_200_rounds_nor_after_the_link() {
    const ALONE: &str = "HYPER_DMABUF_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let name =
            "link::tests::resources::no_descriptor_is_left_after_200_rounds_nor_after_the_link";
        let status = Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact", "--nocapture"])
            .env(ALONE, "1")
            .status()
            .unwrap();
        assert!(status.success());
        return;
    }
    let before = open_descriptors();
    let mut pair = Pair::new();
    round(&mut pair);
    let open = open_descriptors();
    for _ in 0..200 {
        round(&mut pair);
    }
    assert_eq!(open_descriptors(), open);
    assert_eq!((pair.guest.held(), pair.display.held()), ((0, 0, 0), (0, 0, 0)));

    // Closed with everything open and on its way.
    let (app, _, socket) = pair.open();
    let (reader, writer) = pipe().unwrap();
    send_with(&app, b"pipe", &[reader]);
    send_with(&socket, b"not even read", &[&writer, &writer]);
    pair.guest.dispatch().unwrap();
    pair.display.close(Reason::new(ReasonCode::Finished, "done"));
    pair.settle();
    pair.closed();
    drop((app, socket, writer));
    // What is left of a closed link is what it waited with: an epoll and an event counter each.
    assert_eq!(open_descriptors(), before + 4);
    drop(pair);
    assert_eq!(open_descriptors(), before);
}
