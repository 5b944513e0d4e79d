use std::io::{PipeReader, PipeWriter, pipe};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::*;

fn non_blocking(file: &impl AsFd) {
    fcntl_setfl(file, fcntl_getfl(file).unwrap() | OFlags::NONBLOCK).unwrap();
}

/// Passes one end of a pipe over the stream; the end that is kept, the end that came out.
fn pass_reader(pair: &mut Pair, from: &UnixStream, to: &UnixStream) -> (PipeWriter, PipeReader) {
    let (reader, writer) = pipe().unwrap();
    send_with(from, b"r", &[reader]);
    pair.settle();
    let far = PipeReader::from(receive_with(to).1.remove(0));
    assert!(!fcntl_getfl(&far).unwrap().contains(OFlags::NONBLOCK), "apps expect to wait");
    non_blocking(&far);
    non_blocking(&writer);
    (writer, far)
}

fn pass_writer(pair: &mut Pair, from: &UnixStream, to: &UnixStream) -> (PipeReader, PipeWriter) {
    let (reader, writer) = pipe().unwrap();
    send_with(from, b"w", &[writer]);
    pair.settle();
    let far = PipeWriter::from(receive_with(to).1.remove(0));
    assert!(!fcntl_getfl(&far).unwrap().contains(OFlags::NONBLOCK), "apps expect to wait");
    non_blocking(&far);
    non_blocking(&reader);
    (reader, far)
}

fn transfer(pair: &mut Pair, writer: PipeWriter, reader: &PipeReader) {
    let bytes = pattern(8 << 20);
    let (mut sent, mut arrived) = (0, Vec::new());
    while sent < bytes.len() {
        sent += push(&writer, &bytes[sent..]);
        pair.settle();
        arrived.extend(pull(reader).unwrap());
    }
    drop(writer);
    while let Some(piece) = {
        pair.settle();
        pull(reader)
    } {
        arrived.extend(piece);
    }
    assert!(arrived == bytes, "{} of {}", arrived.len(), bytes.len());
}

#[test]
fn eight_mebibytes_and_the_end_of_file_in_every_direction() {
    let mut pair = Pair::new();
    let (app, _, socket) = pair.open();
    for (from, to) in [(&app, &socket), (&socket, &app)] {
        let (writer, reader) = pass_reader(&mut pair, from, to);
        transfer(&mut pair, writer, &reader);
        let (reader, writer) = pass_writer(&mut pair, from, to);
        transfer(&mut pair, writer, &reader);
    }
    pair.settle();
    assert_eq!((pair.guest.held().2, pair.display.held().2), (0, 0));
}

fn assert_broken(mut writer: PipeWriter) {
    assert_eq!(writer.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn a_reader_that_goes_breaks_the_pipe_at_the_other_end_even_when_nothing_flows() {
    let mut pair = Pair::new();
    let (app, _, socket) = pair.open();
    for (from, to) in [(&app, &socket), (&socket, &app)] {
        let (writer, reader) = pass_reader(&mut pair, from, to);
        drop(reader);
        pair.settle();
        assert_broken(writer);
        let (reader, writer) = pass_writer(&mut pair, from, to);
        drop(reader);
        pair.settle();
        assert_broken(writer);
    }
    assert_eq!((pair.guest.held().2, pair.display.held().2), (0, 0));
}

#[test]
fn a_reader_that_goes_while_much_is_on_its_way_breaks_the_pipe() {
    let mut pair = Pair::new();
    let (app, _, socket) = pair.open();
    let (writer, reader) = pass_reader(&mut pair, &app, &socket);
    let bytes = pattern(1 << 16);
    while push(&writer, &bytes) > 0 {
        pair.settle();
    }
    drop(reader);
    pair.settle();
    assert_broken(writer);
    assert_eq!((pair.guest.held(), pair.display.held()), ((0, 1, 0), (0, 1, 0)));
}

#[test]
fn a_pipe_without_a_reader_stops_only_itself_and_in_bounded_memory() {
    let mut pair = Pair::new();
    let (app, _, socket) = pair.open();
    let (writer, reader) = pass_reader(&mut pair, &app, &socket);
    let bytes = pattern(1 << 16);
    let mut sent = 0;
    loop {
        let more = push(&writer, &bytes);
        pair.settle();
        if more == 0 {
            break;
        }
        sent += more;
        assert!(sent < 4 << 20, "nothing holds the writer back");
    }
    assert!(pair.display.held().0 <= Limits::default().pipe_credit as usize);
    push(&app, b"wire");
    pair.settle();
    assert_eq!(pull(&socket).unwrap(), b"wire");
    drop(writer);
    let mut arrived = 0;
    while let Some(piece) = {
        pair.settle();
        pull(&reader)
    } {
        arrived += piece.len();
    }
    assert_eq!(arrived, sent);
}

#[test]
fn a_pipe_outlives_its_stream() {
    let mut pair = Pair::new();
    let (app, _, socket) = pair.open();
    let (writer, reader) = pass_reader(&mut pair, &app, &socket);
    drop((app, socket));
    pair.settle();
    assert_eq!((pair.guest.held().1, pair.display.held().1), (0, 0));
    transfer(&mut pair, writer, &reader);
}

#[test]
fn a_pipe_for_an_app_that_has_gone_is_broken() {
    let mut pair = Pair::new();
    let (app, _, socket) = pair.open();
    let (reader, writer) = pipe().unwrap();
    // The two cross: the compositor's client goes while the pipe is on its way.
    drop(socket);
    send_with(&app, b"r", &[reader]);
    pair.settle();
    assert_broken(writer);
    assert_eq!((pair.guest.held(), pair.display.held()), ((0, 0, 0), (0, 0, 0)));
}

#[test]
fn one_pipe_too_many_closes_the_stream_that_passes_it() {
    let mut pair = Pair::with_limits(Limits { pipes: 1, ..Limits::default() });
    let (app, _, socket) = pair.open();
    let _open = pass_reader(&mut pair, &app, &socket);
    let (greedy, id, _greedy_socket) = pair.open();
    send_with(&greedy, b"r", &[pipe().unwrap().0]);
    pair.settle();
    let (stream, reason, _) = Pair::stream_closed(&mut pair.guest_events);
    assert_eq!((stream, reason.code()), (id, ReasonCode::Limit));
    // The display has pipes of its own to open.
    pass_reader(&mut pair, &socket, &app);
}

#[test]
fn closing_the_link_closes_the_pipes() {
    let mut pair = Pair::new();
    let (app, _, socket) = pair.open();
    let (writer, _far_reader) = pass_reader(&mut pair, &app, &socket);
    let (reader, _far_writer) = pass_writer(&mut pair, &app, &socket);
    pair.guest.close(Reason::new(ReasonCode::Finished, "done"));
    pair.settle();
    assert_broken(writer);
    assert_eq!(pull(&reader), None);
    pair.closed();
}

#[test]
fn an_app_that_makes_the_shared_end_blocking_cannot_make_the_link_wait() {
    let mut pair = Pair::new();
    let (app, _, socket) = pair.open();
    let (reader, writer) = pipe().unwrap();
    let kept = writer.try_clone().unwrap();
    send_with(&app, b"w", &[writer]);
    pair.settle();
    let far = PipeWriter::from(receive_with(&socket).1.remove(0));
    non_blocking(&far);
    fcntl_setfl(&kept, fcntl_getfl(&kept).unwrap() - OFlags::NONBLOCK).unwrap();
    let bytes = pattern(1 << 16);
    // Would hang here: the app never reads.
    while push(&far, &bytes) > 0 {
        pair.settle();
    }
    drop(reader);
}

#[test]
fn a_pipe_goes_on_after_its_turn_while_it_has_credit() {
    let mut pair = Pair::with_limits(Limits { pipe_credit: 1 << 20, ..Limits::default() });
    let (app, _, socket) = pair.open();
    let (writer, reader) = pass_reader(&mut pair, &app, &socket);
    assert_eq!(push(&writer, &pattern(1 << 16)), 1 << 16);
    pair.settle();
    assert!(pull(&reader).unwrap() == pattern(1 << 16));
}

#[test]
fn a_pipe_end_that_an_app_still_holds_does_not_wake_the_link() {
    let mut pair = Pair::new();
    let (app, _, socket) = pair.open();
    let (reader, writer) = pipe().unwrap();
    let _held = writer.try_clone().unwrap();
    send_with(&app, b"w", &[writer]);
    pair.settle();
    // The far app closes its end: the link is done with the pipe.
    drop(receive_with(&socket).1);
    pair.settle();
    assert_eq!((pair.guest.held().2, pair.display.held().2), (0, 0));
    drop(reader);
    assert!(!is_ready(&pair.guest));
}
