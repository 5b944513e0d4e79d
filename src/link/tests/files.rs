use std::fs::File;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_get_seals, memfd_create};

use super::*;

fn memory(content: &[u8]) -> File {
    let mut file = File::from(memfd_create("test", MemfdFlags::CLOEXEC).unwrap());
    // The position is left at the end: content must be read from offset 0.
    file.write_all(content).unwrap();
    file
}

fn content(descriptor: OwnedFd) -> Vec<u8> {
    let all = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
    assert!(fcntl_get_seals(&descriptor).unwrap().contains(all));
    let access = rustix::fs::fcntl_getfl(&descriptor).unwrap() & rustix::fs::OFlags::RWMODE;
    assert_eq!(access, rustix::fs::OFlags::RDONLY);
    let mut bytes = Vec::new();
    File::from(descriptor).read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn the_content_of_a_keymap_arrives_sealed_with_its_bytes() {
    let mut pair = Pair::new();
    let (app, _, socket) = pair.open();
    let keymap = pattern(64 * 1024);
    send_with(&socket, b"wl_keyboard.keymap", &[memory(&keymap)]);
    pair.settle();
    let (bytes, mut descriptors) = receive_with(&app);
    assert_eq!(bytes, b"wl_keyboard.keymap");
    assert_eq!(descriptors.len(), 1);
    let keymap_fd = descriptors.remove(0);
    // Old clients map keymaps shared.
    // SAFETY: a fresh mapping, which nothing else knows of.
    unsafe {
        use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
        let at = mmap(std::ptr::null_mut(), 4096, ProtFlags::READ, MapFlags::SHARED, &keymap_fd, 0);
        munmap(at.unwrap(), 4096).unwrap();
    }
    assert!(content(keymap_fd) == keymap);
}

#[test]
fn files_of_no_bytes_of_one_and_of_the_most_arrive_in_order() {
    let mut pair = Pair::new();
    let (app, _, socket) = pair.open();
    let most = Limits::default().file_content as usize;
    let contents = [pattern(0), pattern(1), pattern(most), pattern(0), pattern(70_000)];
    let files: Vec<_> = contents.iter().map(|bytes| memory(bytes)).collect();
    send_with(&app, b"with five files", &files);
    push(&app, b" and more");
    pair.settle();
    let (bytes, descriptors) = receive_with(&socket);
    assert!(bytes.starts_with(b"with five files"));
    assert_eq!(descriptors.len(), contents.len());
    for (descriptor, expected) in descriptors.into_iter().zip(contents) {
        assert!(content(descriptor) == expected);
    }
}

/// What the app's stream is closed with when it passes this descriptor.
fn refusal(limits: Limits, descriptor: impl AsFd) -> Reason {
    let mut pair = Pair::with_limits(limits);
    let other = pair.open();
    let (app, id, socket) = pair.open();
    push(&app, b"before");
    pair.settle();
    send_with(&app, b"after", &[descriptor]);
    pair.settle();
    let (stream, reason, by) = Pair::stream_closed(&mut pair.guest_events);
    assert_eq!((stream, by), (id, EndedBy::ThisEnd));
    assert_eq!(Pair::stream_closed(&mut pair.display_events), (id, reason.clone(), EndedBy::Peer));
    assert_eq!(pull(&socket).unwrap(), b"before");
    assert_eq!((pull(&socket), pull(&app)), (None, None));
    // Only that stream.
    push(&other.0, b"still here");
    pair.settle();
    assert_eq!(pull(&other.2).unwrap(), b"still here");
    reason
}

#[test]
fn what_cannot_cross_closes_its_stream_with_a_reason() {
    let limits = Limits { file_content: 1000, ..Limits::default() };
    assert_eq!(refusal(limits, memory(&pattern(1001))).code(), ReasonCode::Limit);

    let limits = Limits::default();
    let write_only = File::options().write(true).open(tempfile::NamedTempFile::new().unwrap());
    let socket = UnixStream::pair().unwrap().0;
    let (reader, _writer) = std::io::pipe().unwrap();
    let both_ways = File::options()
        .read(true)
        .write(true)
        .open(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader)));
    let refused: [OwnedFd; 4] = [
        write_only.unwrap().into(),
        socket.into(),
        both_ways.unwrap().into(),
        File::open("/dev/null").unwrap().into(),
    ];
    for descriptor in refused {
        let reason = refusal(limits, &descriptor);
        assert_eq!(reason.code(), ReasonCode::Unsupported, "{reason}");
    }
}

#[test]
fn a_burst_of_253_descriptors_stays_together() {
    let mut pair = Pair::new();
    let (app, _, socket) = pair.open();
    for round in 0..3u8 {
        let files: Vec<_> =
            (0..MAX_ATTACHMENTS as u8).map(|index| memory(&[round, index])).collect();
        send_with(&app, b"a burst", &files);
        push(&app, b"and on");
        pair.settle();
        let (bytes, descriptors) = receive_with(&socket);
        assert!(bytes.starts_with(b"a burst"));
        assert_eq!(descriptors.len(), MAX_ATTACHMENTS);
        for (index, descriptor) in descriptors.into_iter().enumerate() {
            assert_eq!(content(descriptor), [round, index as u8]);
        }
        assert_eq!(pull(&socket).unwrap_or_default().len() + bytes.len(), 13);
    }
}

#[test]
fn bursts_for_an_app_that_does_not_read_are_bounded_by_credit() {
    let mut pair = Pair::new();
    let (app, _, _socket) = pair.open();
    let file = memory(b"x");
    let files: Vec<_> = (0..MAX_ATTACHMENTS).map(|_| &file).collect();
    app.set_nonblocking(true).unwrap();
    // Each is received by the compositor's socket, or waits at most as credit allows.
    for _ in 0..4 {
        send_with(&app, b"a burst", &files);
        pair.settle();
    }
    assert!(pair.display_events.is_empty(), "{:?}", pair.display_events);
}

#[test]
fn too_much_waiting_content_closes_the_stream_that_asks_for_it() {
    let few = Limits { waiting_content: 100_000, ..Limits::default() };
    let mut pair = Pair::unconnected(Limits::default(), few);
    pair.settle();
    pair.display_events.clear();
    let (app, id, _socket) = pair.open();
    send_with(&app, b"x", &[memory(&pattern(60_000)), memory(&pattern(60_000))]);
    pair.settle();
    let (stream, reason, by) = Pair::stream_closed(&mut pair.display_events);
    assert_eq!((stream, reason.code(), by), (id, ReasonCode::Resources, EndedBy::ThisEnd));
    // What it had taken is free again.
    let (app, _, socket) = pair.open();
    send_with(&app, b"x", &[memory(&pattern(60_000))]);
    pair.settle();
    assert_eq!(receive_with(&socket).1.len(), 1);
}

#[test]
fn too_many_waiting_descriptors_close_the_stream() {
    let few = Limits { waiting_descriptors: 3, ..Limits::default() };
    let mut pair = Pair::unconnected(Limits::default(), few);
    pair.settle();
    pair.display_events.clear();
    let (app, id, _socket) = pair.open();
    send_with(&app, b"x", &[memory(b""), memory(b""), memory(b""), memory(b"")]);
    pair.settle();
    let (stream, reason, _) = Pair::stream_closed(&mut pair.display_events);
    assert_eq!((stream, reason.code()), (id, ReasonCode::Resources));
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_closes_its_stream() {
    let mut pair = Pair::new();
    let (app, id, socket) = pair.open();
    // Larger than the window; the display does not run, so the guest gets stuck half-way.
    let file = memory(&pattern(1 << 20));
    send_with(&app, b"x", &[&file]);
    while is_ready(&pair.guest) {
        pair.guest.dispatch().unwrap();
    }
    file.set_len(1000).unwrap();
    pair.settle();
    let (stream, reason, _) = Pair::stream_closed(&mut pair.guest_events);
    assert_eq!((stream, reason.code()), (id, ReasonCode::Unsupported));
    assert_eq!(pull(&socket), None);
}

#[test]
fn a_burst_fits_into_the_smallest_credit_whatever_came_before() {
    let credit = MIN_STREAM_CREDIT as usize;
    let limits = Limits { stream_credit: MIN_STREAM_CREDIT, ..Limits::default() };
    // Just below what makes the receiver return credit, and other amounts.
    for before in [credit / 4 - 1, credit / 2 - 1, credit * 3 / 4 - 1] {
        let mut pair = Pair::with_limits(limits);
        let (app, _, socket) = pair.open();
        assert_eq!(push(&app, &pattern(before)), before);
        pair.settle();
        assert_eq!(pull(&socket).unwrap().len(), before);
        let file = memory(b"");
        let files: Vec<_> = (0..MAX_ATTACHMENTS).map(|_| &file).collect();
        send_with(&app, b"a burst", &files);
        pair.settle();
        assert_eq!(receive_with(&socket).1.len(), MAX_ATTACHMENTS, "after {before} bytes");
    }
}

#[test]
fn each_descriptor_comes_once_and_not_after_its_byte_to_a_reader_that_is_slow() {
    let mut pair = Pair::new();
    let (app, _, socket) = pair.open();
    let mut sent = 0u64;
    let mut marks = Vec::new();
    for size in [120_000, 60_000, 5, 90_000, 1, 1, 70_000, 33_000] {
        send_with(&app, b"!", &[memory(&sent.to_le_bytes())]);
        marks.push(sent);
        sent += 1;
        let mut left = size;
        while left > 0 {
            let count = push(&app, &pattern(left));
            left -= count;
            sent += count as u64;
            pair.settle();
            if count == 0 {
                break;
            }
        }
    }
    let (mut received, mut marked) = (0, Vec::new());
    while received < sent {
        let (bytes, descriptors) = receive_with(&socket);
        received += bytes.len() as u64;
        for descriptor in descriptors {
            let mark = u64::from_le_bytes(content(descriptor).try_into().unwrap());
            assert!(mark < received);
            marked.push(mark);
        }
        assert_eq!(marked.len(), marks.iter().filter(|mark| **mark < received).count());
        pair.settle();
    }
    assert_eq!(marked, marks);
}
