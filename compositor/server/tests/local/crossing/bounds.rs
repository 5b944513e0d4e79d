//! How much crosses, which kinds, for how long, and for whom; and programs that do not play along.

use std::{
    fs::File,
    io::{Read, Write},
};

use super::{
    TEXT,
    program::{Program, copy_out, paste_in, read_all, server, told},
};

#[test]
fn only_kinds_that_are_allowed_cross() {
    let mut usual = server("");
    let mut work = Program::new(&mut usual, Some("work"), "work");
    let source = work.copy(&mut usual, &["image/png", "text/html"]);
    copy_out(&mut usual);
    told(&mut usual, "nothing copied out: what is in its clipboard is of no kind");
    assert!(work.asked(&mut usual, &source).is_none());

    let mut server = server("[clipboard]\ntypes = [\"image/png\"]");
    let mut work = Program::new(&mut server, Some("work"), "work");
    let mut web = Program::new(&mut server, Some("web"), "web");
    let source = work.copy(&mut server, &[TEXT, "image/png"]);
    copy_out(&mut server);
    let (kind, pipe) = work.asked(&mut server, &source).expect("it is asked");
    assert_eq!(kind, "image/png");
    File::from(pipe).write_all(b"\x89PNG").unwrap();
    told(&mut server, "copied out: image/png, 4 bytes");
    web.focus(&mut server);
    paste_in(&mut server);
    let offer = web.offer(&mut server).expect("it is offered");
    assert_eq!(web.kinds(&offer), ["image/png"]);
    assert_eq!(web.paste(&mut server, &offer, "image/png"), b"\x89PNG");
}

#[test]
fn what_is_said_to_be_text_is_text() {
    let mut server = server("");
    let mut work = Program::new(&mut server, Some("work"), "work");
    work.copy_out(&mut server, TEXT, b"\xff\xfe");
    told(&mut server, "nothing copied out: what its program handed over as text is not");
}

#[test]
fn no_more_crosses_than_is_allowed() {
    let mut server = server("[clipboard]\nlargest = 16");
    let mut work = Program::new(&mut server, Some("work"), "work");
    work.copy_out(&mut server, TEXT, &[b'a'; 16]);
    told(&mut server, "copied out: text, 16 bytes");
    work.copy_out(&mut server, TEXT, &[b'a'; 17]);
    told(&mut server, "nothing copied out: it is larger than the 16 bytes");
    paste_in(&mut server);
    told(&mut server, "nothing to paste: nothing was copied out");
}

#[test]
fn what_is_not_pasted_is_dropped() {
    let mut server = server("[clipboard]\nkeep = 1");
    let mut work = Program::new(&mut server, Some("work"), "work");
    let mut web = Program::new(&mut server, Some("web"), "web");
    work.copy_out(&mut server, TEXT, b"a secret");
    told(&mut server, "copied out: text");
    web.focus(&mut server);
    paste_in(&mut server);
    let offer = web.offer(&mut server).expect("it is offered");
    told(&mut server, "copied out, not pasted for 1 s, and gone: text, 8 bytes");
    assert_eq!(web.offer(&mut server), None);
    assert_eq!(web.paste(&mut server, &offer, TEXT), b"");
}

#[test]
fn a_program_that_never_hands_over_is_given_up() {
    let mut server = server("[clipboard]\nwait = 1");
    let mut work = Program::new(&mut server, Some("work"), "work");
    let source = work.copy(&mut server, &[TEXT]);
    copy_out(&mut server);
    let (_, pipe) = work.asked(&mut server, &source).expect("it is asked");
    let mut pipe = File::from(pipe);
    pipe.write_all(b"the beginning").unwrap();
    paste_in(&mut server);
    told(&mut server, "nothing to paste: work has not handed it over yet");
    told(&mut server, "nothing copied out: its program has not handed it over within");
    assert!(pipe.write_all(b"the end").is_err(), "nobody reads on");
    assert!(work.client.error().is_none());
}

#[test]
fn a_program_that_never_reads_is_given_up() {
    let mut server = server("[clipboard]\nwait = 1");
    let mut work = Program::new(&mut server, Some("work"), "work");
    let mut web = Program::new(&mut server, Some("web"), "web");
    let source = work.copy(&mut server, &[TEXT]);
    copy_out(&mut server);
    let (_, pipe) = work.asked(&mut server, &source).expect("it is asked");
    let writer = std::thread::spawn(move || File::from(pipe).write_all(&[b'a'; 500_000]));
    told(&mut server, "copied out: text, 500000 bytes");
    writer.join().unwrap().unwrap();
    web.focus(&mut server);
    paste_in(&mut server);
    let offer = web.offer(&mut server).expect("it is offered");
    let pipe = web.receive(&mut server, &offer, TEXT);
    told(&mut server, "bytes from work: the rest is gone");
    assert!(read_all(&mut server, pipe).len() < 500_000);
    assert_eq!(web.paste(&mut server, &offer, TEXT), b"");

    // One that reads gets all of it, however much that is.
    work.focus(&mut server);
    copy_out(&mut server);
    let (_, pipe) = work.asked(&mut server, &source).expect("it is asked");
    let writer = std::thread::spawn(move || File::from(pipe).write_all(&[b'b'; 500_000]));
    told(&mut server, "copied out: text, 500000 bytes");
    writer.join().unwrap().unwrap();
    web.focus(&mut server);
    paste_in(&mut server);
    let offer = web.offer(&mut server).expect("it is offered");
    assert!(web.paste(&mut server, &offer, TEXT) == [b'b'; 500_000]);
}

/// One that goes in the middle of it ends it at once, without waiting for the time to be up.
#[test]
fn a_program_that_stops_reading_ends_it() {
    let mut server = server("");
    let mut work = Program::new(&mut server, Some("work"), "work");
    let mut web = Program::new(&mut server, Some("web"), "web");
    let source = work.copy(&mut server, &[TEXT]);
    copy_out(&mut server);
    let (_, pipe) = work.asked(&mut server, &source).expect("it is asked");
    let writer = std::thread::spawn(move || File::from(pipe).write_all(&[b'a'; 500_000]));
    told(&mut server, "copied out: text, 500000 bytes");
    writer.join().unwrap().unwrap();
    web.focus(&mut server);
    paste_in(&mut server);
    let offer = web.offer(&mut server).expect("it is offered");
    let mut pipe = web.receive(&mut server, &offer, TEXT);
    pipe.read_exact(&mut [0; 1000]).unwrap();
    drop((pipe, web));
    told(&mut server, "bytes from work: the rest is gone");
}

#[test]
fn a_domain_may_be_left_out() {
    // The last domain here is `web`.
    for (setting, out, into) in [("out = false", false, true), ("in = false", true, false)] {
        let more = format!("[[domain]]\nname = \"other\"\n[domain.clipboard]\n{setting}");
        let mut server = server(&more);
        let mut other = Program::new(&mut server, Some("other"), "other");
        let mut web = Program::new(&mut server, Some("web"), "web");
        let source = other.copy(&mut server, &[TEXT]);
        copy_out(&mut server);
        assert_eq!(other.asked(&mut server, &source).is_some(), out, "{setting}");
        if !out {
            told(&mut server, "nothing copied out: that is not allowed: `out`");
        }
        web.copy_out(&mut server, TEXT, b"from the web");
        told(&mut server, "copied out: text");
        other.focus(&mut server);
        paste_in(&mut server);
        let offered = other.offer(&mut server).is_some();
        assert_eq!(offered, into, "{setting}");
        if !into {
            told(&mut server, "nothing to paste: that is not allowed: `in`");
        }
    }
}

#[test]
fn a_new_copy_takes_the_place_of_the_one_before() {
    let mut server = server("");
    let mut work = Program::new(&mut server, Some("work"), "work");
    let mut web = Program::new(&mut server, Some("web"), "web");
    work.copy_out(&mut server, TEXT, b"the first");
    told(&mut server, "text, 9 bytes");
    web.focus(&mut server);
    paste_in(&mut server);
    let first = web.offer(&mut server).expect("it is offered");
    work.copy_out(&mut server, TEXT, b"the second");
    told(&mut server, "text, 10 bytes");
    web.focus(&mut server);
    paste_in(&mut server);
    let second = web.offer(&mut server).expect("it is offered");
    assert_eq!(web.paste(&mut server, &first, TEXT), b"", "that is gone");
    assert_eq!(web.paste(&mut server, &second, TEXT), b"the second");
}
