//! The link in a calloop loop, and in a thread of its own.

use std::thread;

use calloop::EventLoop;

use super::*;

#[test]
fn a_display_in_calloop_serves_a_guest_in_a_thread() {
    let (guest_end, display_end) = UnixStream::pair().unwrap();
    let guest = thread::spawn(move || {
        let mut link = Link::new(guest_end, Role::Guest, Limits::default()).unwrap();
        let mut client = None;
        let mut ended = None;
        link.run(|event, link| match event {
            LinkEvent::Ready { .. } => {
                let (app, end) = UnixStream::pair().unwrap();
                link.open(end).unwrap();
                client = Some(thread::spawn(move || {
                    let mut app = app;
                    app.write_all(b"question").unwrap();
                    let mut answer = String::new();
                    app.read_to_string(&mut answer).unwrap();
                    answer
                }));
            }
            LinkEvent::StreamClosed { .. } => {
                link.close(Reason::new(ReasonCode::Finished, "all done"));
            }
            LinkEvent::Closed { reason, .. } => ended = Some(reason),
            LinkEvent::Opened { .. } | LinkEvent::Excess { .. } => {
                panic!("a guest is not connected to")
            }
        })
        .unwrap();
        (client.unwrap().join().unwrap(), ended.unwrap())
    });

    let mut event_loop: EventLoop<'_, Option<Reason>> = EventLoop::try_new().unwrap();
    let link = Link::new(display_end, display_role(), Limits::default()).unwrap();
    event_loop
        .handle()
        .insert_source(link, |event, _, ended| match event {
            LinkEvent::Opened { mut socket, .. } => {
                thread::spawn(move || {
                    let mut question = [0; 8];
                    socket.read_exact(&mut question).unwrap();
                    socket.write_all(b"answer to ").unwrap();
                    socket.write_all(&question).unwrap();
                });
            }
            LinkEvent::Closed { reason, .. } => *ended = Some(reason),
            LinkEvent::Ready { .. } | LinkEvent::StreamClosed { .. } | LinkEvent::Excess { .. } => {
            }
        })
        .unwrap();
    let mut ended = None;
    while ended.is_none() {
        event_loop.dispatch(None, &mut ended).unwrap();
    }
    let (answer, guest_ended) = guest.join().unwrap();
    assert_eq!(answer, "answer to question");
    assert_eq!(Some(guest_ended), ended);
}
