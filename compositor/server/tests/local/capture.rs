//! The screen, copied into a client's buffers.

use std::{fs::File, os::unix::fs::FileExt};

use hyper_dmabuf_compositor::{colour::Colour, image::Image, input::Input, server::Server};
use wayland_client::protocol::{wl_buffer::WlBuffer, wl_output::WlOutput};
use wayland_protocols::ext::{
    image_capture_source::v1::client::ext_output_image_capture_source_manager_v1::ExtOutputImageCaptureSourceManagerV1,
    image_copy_capture::v1::client::{
        ext_image_copy_capture_frame_v1::Event as CaptureEvent,
        ext_image_copy_capture_manager_v1::{ExtImageCopyCaptureManagerV1, Options},
        ext_image_copy_capture_session_v1::Event as SessionEvent,
    },
};
use wayland_protocols_wlr::screencopy::v1::client::{
    zwlr_screencopy_frame_v1::Event as FrameEvent,
    zwlr_screencopy_manager_v1::ZwlrScreencopyManagerV1,
};

use crate::client::{Client, server, work};

const ORANGE: [u8; 4] = [0x20, 0x80, 0xf0, 0];
const TEAL: [u8; 4] = [0x80, 0x80, 0x10, 0];
const SIZE: (i32, i32) = (320, 240);

/// A buffer for a picture, and the file that it will be in.
fn blank(client: &Client, size: (i32, i32)) -> (WlBuffer, File) {
    let (buffer, fd) = client.buffer_on(&vec![0; (size.0 * size.1 * 4) as usize], size);
    (buffer, fd.into())
}

fn picture(file: &File, (width, height): (i32, i32)) -> Image {
    let mut bytes = vec![0; (width * height * 4) as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    Image::from_bgrx(width as u32, height as u32, &bytes).unwrap()
}

fn a_window(server: &mut Server) -> (Client, crate::client::Window) {
    let origin = work(server);
    let mut guest = Client::new(server, origin);
    let window = guest.window(server, "seen by tools", (120, 80), ORANGE);
    (guest, window)
}

#[test]
fn screencopy_copies_what_a_screenshot_shows() {
    let mut server = server("320x240");
    let _guest = a_window(&mut server);
    let mut tool = Client::local(&mut server);
    let output: WlOutput = tool.bind(4);
    let manager: ZwlrScreencopyManagerV1 = tool.bind(3);
    let handle = tool.handle();
    let frame = manager.capture_output(0, &output, &handle, ());
    tool.roundtrip(&mut server);
    let told = tool.take_events(&frame);
    assert!(
        matches!(
            told[..],
            [
                FrameEvent::Buffer { width: 320, height: 240, stride: 1280, .. },
                FrameEvent::BufferDone
            ]
        ),
        "{told:?}"
    );
    let (buffer, file) = blank(&tool, SIZE);
    frame.copy(&buffer);
    tool.roundtrip(&mut server);
    let told = tool.take_events(&frame);
    assert!(matches!(told[..], [FrameEvent::Flags { .. }, FrameEvent::Ready { .. }]), "{told:?}");
    let whole = server.state.screenshot().unwrap();
    assert_eq!(picture(&file, SIZE), whole);

    // A part of it, over the edge of the output.
    let part = manager.capture_output_region(0, &output, 300, 100, 500, 60, &handle, ());
    let (buffer, file) = blank(&tool, (20, 60));
    part.copy(&buffer);
    tool.roundtrip(&mut server);
    assert!(matches!(tool.events(&part).last(), Some(FrameEvent::Ready { .. })));
    let seen = picture(&file, (20, 60));
    for (x, y) in [(0, 0), (19, 59), (7, 30)] {
        assert_eq!(seen.pixel(x, y), whole.pixel(x + 300, y + 100));
    }
    let outside = manager.capture_output_region(0, &output, 400, 0, 10, 10, &handle, ());
    tool.roundtrip(&mut server);
    assert!(matches!(tool.events(&outside)[..], [FrameEvent::Failed]));
}

#[test]
fn screencopy_waits_for_damage_and_tells_where() {
    let mut server = server("320x240");
    let (mut guest, window) = a_window(&mut server);
    let mut tool = Client::local(&mut server);
    let output: WlOutput = tool.bind(4);
    let manager: ZwlrScreencopyManagerV1 = tool.bind(3);
    let handle = tool.handle();
    let (buffer, file) = blank(&tool, SIZE);
    // The first shows all, whatever happened before.
    let first = manager.capture_output(0, &output, &handle, ());
    first.copy_with_damage(&buffer);
    tool.roundtrip(&mut server);
    assert!(matches!(
        tool.events(&first)[2..],
        [
            FrameEvent::Flags { .. },
            FrameEvent::Damage { x: 0, y: 0, width: 320, height: 240 },
            FrameEvent::Ready { .. }
        ]
    ));
    let second = manager.capture_output(0, &output, &handle, ());
    second.copy_with_damage(&buffer);
    tool.roundtrip(&mut server);
    assert_eq!(tool.events(&second).len(), 2, "nothing has changed");

    let place = server.state.window_reports()[0].geometry;
    guest.show(&window.surface, (120, 80), TEAL);
    guest.roundtrip(&mut server);
    tool.roundtrip(&mut server);
    let told = tool.events(&second);
    let (left, top) = (place.x as u32, place.y as u32);
    assert!(
        matches!(told[3], FrameEvent::Damage { x, y, width: 120, height: 80 } if (*x, *y) == (left, top)),
        "{told:?}"
    );
    assert_eq!(picture(&file, SIZE), server.state.screenshot().unwrap());
}

#[test]
fn screencopy_refuses_buffers_that_do_not_fit() {
    let mut server = server("320x240");
    for (size, wrong) in [((320, 239), true), ((319, 240), true), ((320, 240), false)] {
        let mut tool = Client::local(&mut server);
        let output: WlOutput = tool.bind(4);
        let manager: ZwlrScreencopyManagerV1 = tool.bind(3);
        let frame = manager.capture_output(0, &output, &tool.handle(), ());
        let (buffer, _) = blank(&tool, size);
        frame.copy(&buffer);
        tool.roundtrip(&mut server);
        let invalid_buffer = ("zwlr_screencopy_frame_v1".to_owned(), 1);
        assert_eq!(tool.error(), wrong.then_some(invalid_buffer), "{size:?}");
        if !wrong {
            frame.copy(&buffer);
            tool.roundtrip(&mut server);
            assert_eq!(tool.error(), Some(("zwlr_screencopy_frame_v1".to_owned(), 0)));
        }
    }
}

#[test]
fn a_session_copies_once_and_then_what_changes() {
    let mut server = server("320x240");
    let (mut guest, window) = a_window(&mut server);
    let mut tool = Client::local(&mut server);
    let output: WlOutput = tool.bind(4);
    let sources: ExtOutputImageCaptureSourceManagerV1 = tool.bind(1);
    let manager: ExtImageCopyCaptureManagerV1 = tool.bind(1);
    let handle = tool.handle();
    let source = sources.create_source(&output, &handle, ());
    let session = manager.create_session(&source, Options::empty(), &handle, ());
    tool.roundtrip(&mut server);
    let told = tool.events(&session);
    assert!(
        matches!(
            told[..],
            [
                SessionEvent::BufferSize { width: 320, height: 240 },
                SessionEvent::ShmFormat { .. },
                SessionEvent::Done
            ]
        ),
        "{told:?}"
    );
    let (buffer, file) = blank(&tool, SIZE);
    let first = session.create_frame(&handle, ());
    first.attach_buffer(&buffer);
    first.damage_buffer(0, 0, 320, 240);
    first.capture();
    tool.roundtrip(&mut server);
    let told = tool.events(&first);
    assert!(
        matches!(
            told[..],
            [
                CaptureEvent::Transform { .. },
                CaptureEvent::Damage { x: 0, y: 0, width: 320, height: 240 },
                CaptureEvent::PresentationTime { .. },
                CaptureEvent::Ready
            ]
        ),
        "{told:?}"
    );
    assert_eq!(picture(&file, SIZE), server.state.screenshot().unwrap());
    first.destroy();

    let second = session.create_frame(&handle, ());
    second.attach_buffer(&buffer);
    second.capture();
    tool.roundtrip(&mut server);
    assert!(tool.events(&second).is_empty(), "nothing has changed");
    let place = server.state.window_reports()[0].geometry;
    guest.show(&window.surface, (120, 80), TEAL);
    guest.roundtrip(&mut server);
    tool.roundtrip(&mut server);
    let told = tool.events(&second);
    assert!(
        matches!(told[1], CaptureEvent::Damage { x, y, width: 120, height: 80 } if (*x, *y) == (place.x, place.y)),
        "{told:?}"
    );
    assert_eq!(picture(&file, SIZE), server.state.screenshot().unwrap());

    // One frame at a time.
    session.create_frame(&handle, ());
    tool.roundtrip(&mut server);
    assert_eq!(tool.error(), Some(("ext_image_copy_capture_session_v1".to_owned(), 1)));
}

#[test]
fn a_copy_without_the_cursor_does_not_show_it() {
    let mut server = crate::client::server_with("320x240", "cursor = true");
    let mut tool = Client::local(&mut server);
    let output: WlOutput = tool.bind(4);
    let manager: ZwlrScreencopyManagerV1 = tool.bind(3);
    let mut copy = |server: &mut Server, overlay_cursor| {
        let frame = manager.capture_output(overlay_cursor, &output, &tool.handle(), ());
        let (buffer, file) = blank(&tool, SIZE);
        frame.copy(&buffer);
        tool.roundtrip(server);
        picture(&file, SIZE)
    };
    server.state.inject(Input::PointerMotion { x: 90.0, y: 90.0 });
    let without = copy(&mut server, 0);
    assert!(without.pixels().chunks(3).all(|pixel| pixel == &without.pixels()[..3]));
    let with = copy(&mut server, 1);
    assert_ne!(with, without);
    assert_eq!(with, server.state.screenshot().unwrap(), "the cursor is back");
}

/// A plain output, and one that is scaled and turned, with a window on both.
fn a_turned_output(renderer: &str, transform: &str) -> (Server, Client) {
    let more = format!(
        "renderer = \"{renderer}\"\n[[output]]\n[[output]]\nsize = \"300x450\"\nscale = 1.5\n\
         transform = \"{transform}\""
    );
    let mut server = crate::client::server_with("320x240", &more);
    for x in [50.0, 350.0] {
        server.state.inject(Input::PointerMotion { x, y: 50.0 });
        let mut client = Client::local(&mut server);
        client.window(&mut server, "seen by tools", (120, 80), ORANGE);
        // Windows live as long as their clients.
        std::mem::forget(client);
    }
    let tool = Client::local(&mut server);
    (server, tool)
}

#[test]
fn a_turned_output_is_copied_as_it_is_mounted() {
    let renderers = if cfg!(feature = "gles") { &["pixman", "gles"][..] } else { &["pixman"] };
    let transforms =
        ["normal", "90", "180", "270", "flipped", "flipped-90", "flipped-180", "flipped-270"];
    let size = (300, 450);
    for (renderer, transform) in
        renderers.iter().flat_map(|renderer| transforms.map(|transform| (renderer, transform)))
    {
        let (mut server, mut tool) = a_turned_output(renderer, transform);
        let output = tool.bind_all::<WlOutput>(4).remove(1);
        let manager: ZwlrScreencopyManagerV1 = tool.bind(3);
        let handle = tool.handle();
        let frame = manager.capture_output(0, &output, &handle, ());
        let (buffer, file) = blank(&tool, size);
        frame.copy(&buffer);
        tool.roundtrip(&mut server);
        assert!(matches!(tool.events(&frame).last(), Some(FrameEvent::Ready { .. })));
        let mounted = server.state.output_reports()[1].transform.0;
        let seen = server.state.screenshot_of("HEADLESS-2").unwrap();
        assert_eq!(picture(&file, size).as_seen_through(mounted), seen, "{renderer} {transform}");

        // A part is named as it is seen, and copied as it is mounted.
        let part = manager.capture_output_region(0, &output, 20, 40, 60, 30, &handle, ());
        tool.roundtrip(&mut server);
        let told = tool.take_events(&part);
        let [FrameEvent::Buffer { width, height, .. }, FrameEvent::BufferDone] = told[..] else {
            panic!("{told:?}")
        };
        let size_of_part = (width as i32, height as i32);
        let (buffer, file) = blank(&tool, size_of_part);
        part.copy(&buffer);
        tool.roundtrip(&mut server);
        let part = picture(&file, size_of_part).as_seen_through(mounted);
        assert_eq!((part.width(), part.height()), (90, 45));
        for (x, y) in (0..90).flat_map(|x| (0..45).map(move |y| (x, y))) {
            assert_eq!(part.pixel(x, y), seen.pixel(30 + x, 60 + y), "{transform} {x},{y}");
        }

        // A session says the same, and how it is turned.
        let sources: ExtOutputImageCaptureSourceManagerV1 = tool.bind(1);
        let sessions: ExtImageCopyCaptureManagerV1 = tool.bind(1);
        let source = sources.create_source(&output, &handle, ());
        let session = sessions.create_session(&source, Options::empty(), &handle, ());
        let (buffer, file) = blank(&tool, size);
        let frame = session.create_frame(&handle, ());
        frame.attach_buffer(&buffer);
        frame.capture();
        tool.roundtrip(&mut server);
        assert!(matches!(
            tool.events(&session)[0],
            SessionEvent::BufferSize { width: 300, height: 450 }
        ));
        let told = tool.events(&frame);
        let CaptureEvent::Transform { transform: told_transform } = told[0] else {
            panic!("{told:?}")
        };
        // In the protocol they have the same order.
        let number = transforms.iter().position(|name| *name == transform).unwrap();
        assert_eq!(u32::from(*told_transform), number as u32);
        assert!(matches!(told.last(), Some(CaptureEvent::Ready)));
        assert_eq!(picture(&file, size).as_seen_through(mounted), seen);
    }
}

#[test]
fn copies_wait_for_their_own_output() {
    let mut server = crate::client::server_with("320x240", "cursor = true\n[[output]]\n[[output]]");
    server.state.inject(Input::PointerMotion { x: 50.0, y: 50.0 });
    let mut guest = Client::local(&mut server);
    let window = guest.window(&mut server, "moves", (120, 80), ORANGE);
    let mut tool = Client::local(&mut server);
    let outputs = tool.bind_all::<WlOutput>(4);
    let manager: ZwlrScreencopyManagerV1 = tool.bind(3);
    let handle = tool.handle();
    let (buffer, file) = blank(&tool, SIZE);
    let copy = |tool: &mut Client, server: &mut Server, output: &WlOutput| {
        let frame = manager.capture_output(0, output, &handle, ());
        frame.copy_with_damage(&buffer);
        tool.roundtrip(server);
        frame
    };
    for output in &outputs {
        let frame = copy(&mut tool, &mut server, output);
        assert!(matches!(tool.events(&frame).last(), Some(FrameEvent::Ready { .. })), "all is new");
    }
    let second = copy(&mut tool, &mut server, &outputs[1]);
    guest.show(&window.surface, (120, 80), TEAL);
    guest.roundtrip(&mut server);
    tool.roundtrip(&mut server);
    assert_eq!(tool.events(&second).len(), 2, "nothing has changed there");
    let pictures = server.state.output_reports()[1].pictures;
    tool.roundtrip(&mut server);
    assert_eq!(server.state.output_reports()[1].pictures, pictures, "it rests");
    let first = copy(&mut tool, &mut server, &outputs[0]);
    assert!(matches!(tool.events(&first).last(), Some(FrameEvent::Ready { .. })));
    let place = server.state.window_reports()[0].geometry;
    let teal = Colour::new(TEAL[2], TEAL[1], TEAL[0]);
    let (x, y) = (place.x as u32 + 100, place.y as u32 + 70);
    assert_eq!(picture(&file, SIZE).pixel(x, y), Some(teal));

    // It fails with its output.
    let id = server.state.outputs.by_name("HEADLESS-2").unwrap().id;
    server.state.remove_output(id);
    tool.roundtrip(&mut server);
    assert!(matches!(tool.events(&second).last(), Some(FrameEvent::Failed)));
}

#[test]
fn guests_are_offered_nothing_of_it() {
    let mut server = server("320x240");
    let origin = work(&server);
    let guest = Client::new(&mut server, origin);
    let tool = Client::local(&mut server);
    let only_local: Vec<_> =
        tool.offered().into_iter().filter(|name| !guest.offered().contains(name)).collect();
    for name in [
        "zwlr_screencopy_manager_v1",
        "ext_image_copy_capture_manager_v1",
        "ext_output_image_capture_source_manager_v1",
    ] {
        assert!(only_local.iter().any(|other| other == name), "{name}");
    }
}
