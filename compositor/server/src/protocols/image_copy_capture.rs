//! `ext_image_copy_capture_manager_v1`: sessions that copy what they are of into a client's `wl_shm`
//! buffers, picture after picture, for local tools that record.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use smithay::{
    output::Output,
    reexports::{
        wayland_protocols::ext::image_copy_capture::v1::server::{
            ext_image_copy_capture_cursor_session_v1::{self, ExtImageCopyCaptureCursorSessionV1},
            ext_image_copy_capture_frame_v1::{self, ExtImageCopyCaptureFrameV1, FailureReason},
            ext_image_copy_capture_manager_v1::{self, ExtImageCopyCaptureManagerV1, Options},
            ext_image_copy_capture_session_v1::{self, ExtImageCopyCaptureSessionV1},
        },
        wayland_server::{
            Client, DataInit, Dispatch, DisplayHandle, GlobalDispatch, New, Resource, WEnum,
            backend::ClientId, protocol::wl_buffer::WlBuffer,
        },
    },
    utils::{Physical, Size},
};

use super::{
    capture::{self, Area, Waiting},
    capture_source::Source,
};
use crate::{client::is_trusted, image::Image, state::State};

/// A session.
#[derive(Debug)]
pub(crate) struct Session {
    /// Nothing if it cannot be captured.
    output: Option<Output>,
    with_cursor: bool,
    has_frame: AtomicBool,
    told: Mutex<Told>,
}

/// What the client of a session knows.
#[derive(Debug, Default)]
struct Told {
    size: Size<i32, Physical>,
    picture: Option<Arc<Image>>,
}

/// One frame of a session.
#[derive(Debug)]
pub(crate) struct Frame {
    session: ExtImageCopyCaptureSessionV1,
    data: Arc<Session>,
    buffer: Mutex<Option<WlBuffer>>,
    captured: AtomicBool,
}

/// A copy that was asked for.
#[derive(Debug)]
pub(super) struct Copy {
    frame: ExtImageCopyCaptureFrameV1,
    buffer: WlBuffer,
}

impl GlobalDispatch<ExtImageCopyCaptureManagerV1, ()> for State {
    fn bind(
        _: &mut State,
        _: &DisplayHandle,
        _: &Client,
        manager: New<ExtImageCopyCaptureManagerV1>,
        (): &(),
        data_init: &mut DataInit<'_, State>,
    ) {
        data_init.init(manager, ());
    }

    fn can_view(client: Client, (): &()) -> bool {
        is_trusted(&client)
    }
}

impl Dispatch<ExtImageCopyCaptureManagerV1, ()> for State {
    fn request(
        state: &mut State,
        _: &Client,
        manager: &ExtImageCopyCaptureManagerV1,
        request: ext_image_copy_capture_manager_v1::Request,
        (): &(),
        _: &DisplayHandle,
        data_init: &mut DataInit<'_, State>,
    ) {
        use ext_image_copy_capture_manager_v1::{Error, Request};
        match request {
            Request::CreateSession { session, source, options } => {
                let WEnum::Value(options) = options else {
                    manager.post_error(Error::InvalidOption, "there is no such option");
                    return;
                };
                let output = source.data::<Source>().and_then(|source| source.0.clone());
                let with_cursor = options.contains(Options::PaintCursors);
                state.begin_session(session, output, with_cursor, data_init);
            }
            Request::CreatePointerCursorSession { session, .. } => {
                data_init.init(session, AtomicBool::new(false));
            }
            _ => {}
        }
    }
}

impl Dispatch<ExtImageCopyCaptureCursorSessionV1, AtomicBool> for State {
    fn request(
        state: &mut State,
        _: &Client,
        cursor: &ExtImageCopyCaptureCursorSessionV1,
        request: ext_image_copy_capture_cursor_session_v1::Request,
        used: &AtomicBool,
        _: &DisplayHandle,
        data_init: &mut DataInit<'_, State>,
    ) {
        use ext_image_copy_capture_cursor_session_v1::{Error, Request};
        if let Request::GetCaptureSession { session } = request {
            if used.swap(true, Ordering::Relaxed) {
                cursor.post_error(Error::DuplicateSession, "there is a session already");
                return;
            }
            // Cursors alone cannot be captured: such a session stops at once.
            state.begin_session(session, None, true, data_init);
        }
    }
}

impl State {
    fn begin_session(
        &mut self,
        session: New<ExtImageCopyCaptureSessionV1>,
        output: Option<Output>,
        with_cursor: bool,
        data_init: &mut DataInit<'_, State>,
    ) {
        let size = output.as_ref().and_then(|output| self.picture_size(output));
        let data = Arc::new(Session {
            output,
            with_cursor,
            has_frame: AtomicBool::new(false),
            told: Mutex::default(),
        });
        let session = data_init.init(session, data.clone());
        match size {
            Some(size) => data.tell_size(&session, size),
            None => session.stopped(),
        }
    }
}

impl Session {
    fn tell_size(&self, session: &ExtImageCopyCaptureSessionV1, size: Size<i32, Physical>) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        *told = Told { size, picture: None };
        session.buffer_size(size.w as u32, size.h as u32);
        session.shm_format(capture::FORMAT);
        session.done();
    }
}

impl Dispatch<ExtImageCopyCaptureSessionV1, Arc<Session>> for State {
    fn request(
        _: &mut State,
        _: &Client,
        session: &ExtImageCopyCaptureSessionV1,
        request: ext_image_copy_capture_session_v1::Request,
        data: &Arc<Session>,
        _: &DisplayHandle,
        data_init: &mut DataInit<'_, State>,
    ) {
        use ext_image_copy_capture_session_v1::{Error, Request};
        if let Request::CreateFrame { frame } = request {
            if data.has_frame.swap(true, Ordering::Relaxed) {
                session.post_error(Error::DuplicateFrame, "destroy the frame before first");
                return;
            }
            let frame_data = Frame {
                session: session.clone(),
                data: data.clone(),
                buffer: Mutex::new(None),
                captured: AtomicBool::new(false),
            };
            data_init.init(frame, frame_data);
        }
    }
}

impl Dispatch<ExtImageCopyCaptureFrameV1, Frame> for State {
    fn request(
        state: &mut State,
        _: &Client,
        frame: &ExtImageCopyCaptureFrameV1,
        request: ext_image_copy_capture_frame_v1::Request,
        data: &Frame,
        _: &DisplayHandle,
        _: &mut DataInit<'_, State>,
    ) {
        use ext_image_copy_capture_frame_v1::{Error, Request};
        if !matches!(request, Request::Destroy) && data.captured.load(Ordering::Relaxed) {
            frame.post_error(Error::AlreadyCaptured, "the frame was captured already");
            return;
        }
        let mut attached = data.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        match request {
            Request::AttachBuffer { buffer } => *attached = Some(buffer),
            Request::DamageBuffer { x, y, width, height }
                if x < 0 || y < 0 || width <= 0 || height <= 0 =>
            {
                let message = format!("there is no damage at {x},{y} of {width}x{height}");
                frame.post_error(Error::InvalidBufferDamage, message);
            }
            Request::Capture => {
                let Some(buffer) = attached.take() else {
                    frame.post_error(Error::NoBuffer, "attach a buffer first");
                    return;
                };
                drop(attached);
                data.captured.store(true, Ordering::Relaxed);
                let copy = Copy { frame: frame.clone(), buffer };
                // A session's first frame is copied at once, the others when there is something new.
                if let Some(copy) = copy.finish_if_changed(state)
                    && let Some(output) = data.data.output.clone()
                {
                    state.await_change(output, Waiting::Session(copy));
                }
            }
            // All of the buffer is written whatever is damaged.
            _ => {}
        }
    }

    fn destroyed(_: &mut State, _: ClientId, _: &ExtImageCopyCaptureFrameV1, data: &Frame) {
        data.data.has_frame.store(false, Ordering::Relaxed);
    }
}

impl Copy {
    /// Whether there is still somebody to answer.
    pub(super) fn is_alive(&self) -> bool {
        self.frame.is_alive()
    }

    /// Say that it was not copied.
    pub(super) fn fail(&self) {
        self.frame.failed(FailureReason::Unknown);
    }

    /// Copy if there is something that the session has not shown; else wait on.
    pub(super) fn finish_if_changed(self, state: &mut State) -> Option<Copy> {
        let frame = self.frame.data::<Frame>().filter(|_| self.is_alive())?;
        let session = &frame.data;
        let output = session.output.as_ref();
        let Some((output, size)) =
            output.and_then(|output| state.picture_size(output).map(|size| (output, size)))
        else {
            frame.session.stopped();
            self.frame.failed(FailureReason::Stopped);
            return None;
        };
        let picture = match state.capture(output, session.with_cursor) {
            Ok(picture) => picture,
            Err(error) => {
                tracing::warn!(%error, "the screen cannot be copied");
                self.frame.failed(FailureReason::Unknown);
                return None;
            }
        };
        let all = Area::from_size(size);
        let mut told = session.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.size != size {
            drop(told);
            session.tell_size(&frame.session, size);
            self.frame.failed(FailureReason::BufferConstraints);
            return None;
        }
        let Some(damage) = capture::changed(told.picture.as_deref(), &picture, all) else {
            drop(told);
            return Some(self);
        };
        if capture::put(state, &self.buffer, &picture, all).is_err() {
            self.frame.failed(FailureReason::BufferConstraints);
            return None;
        }
        told.picture = Some(picture);
        self.frame.transform(output.current_transform().into());
        self.frame.damage(damage.loc.x, damage.loc.y, damage.size.w, damage.size.h);
        let (high, low, nanoseconds) = capture::time_parts(state.clock.now().into());
        self.frame.presentation_time(high, low, nanoseconds);
        self.frame.ready();
        None
    }
}
