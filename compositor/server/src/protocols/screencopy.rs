//! `zwlr_screencopy_manager_v1`: the screen copied into a client's `wl_shm` buffers, for local tools
//! such as grim.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use smithay::{
    output::Output,
    reexports::{
        wayland_protocols_wlr::screencopy::v1::server::{
            zwlr_screencopy_frame_v1::{self, Error, Flags, ZwlrScreencopyFrameV1},
            zwlr_screencopy_manager_v1::{self, ZwlrScreencopyManagerV1},
        },
        wayland_server::{
            Client, DataInit, Dispatch, DisplayHandle, GlobalDispatch, New, Resource,
            protocol::{wl_buffer::WlBuffer, wl_output::WlOutput},
        },
    },
    utils::{Logical, Rectangle},
};

use super::capture::{self, Area, Waiting};
use crate::{client::is_trusted, handlers::limits, image::Image, outputs::OutputId, state::State};

/// The newest version that is offered.
pub(crate) const VERSION: u32 = 3;

/// What a manager's last copy that waited for a change has shown, of each output.
#[derive(Debug, Default)]
pub(crate) struct LastPictures(Mutex<HashMap<OutputId, Arc<Image>>>);

/// One frame, which is copied once.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Nothing for one that failed when it was made.
    source: Option<(Output, Area)>,
    with_cursor: bool,
    last: Arc<LastPictures>,
    used: AtomicBool,
}

/// A copy that was asked for.
#[derive(Debug)]
pub(super) struct Copy {
    frame: ZwlrScreencopyFrameV1,
    buffer: WlBuffer,
}

impl GlobalDispatch<ZwlrScreencopyManagerV1, ()> for State {
    fn bind(
        _: &mut State,
        _: &DisplayHandle,
        _: &Client,
        manager: New<ZwlrScreencopyManagerV1>,
        (): &(),
        data_init: &mut DataInit<'_, State>,
    ) {
        data_init.init(manager, Arc::new(LastPictures::default()));
    }

    fn can_view(client: Client, (): &()) -> bool {
        is_trusted(&client)
    }
}

impl Dispatch<ZwlrScreencopyManagerV1, Arc<LastPictures>> for State {
    fn request(
        state: &mut State,
        _: &Client,
        _: &ZwlrScreencopyManagerV1,
        request: zwlr_screencopy_manager_v1::Request,
        last: &Arc<LastPictures>,
        _: &DisplayHandle,
        data_init: &mut DataInit<'_, State>,
    ) {
        use zwlr_screencopy_manager_v1::Request;
        let (frame, overlay_cursor, output, place) = match request {
            Request::CaptureOutput { frame, overlay_cursor, output } => {
                (frame, overlay_cursor, output, None)
            }
            Request::CaptureOutputRegion { frame, overlay_cursor, output, x, y, width, height } => {
                let location = (limits::position(x), limits::position(y));
                let size = (limits::size(width), limits::size(height));
                let place = Rectangle::new(location.into(), size.into());
                (frame, overlay_cursor, output, Some(place))
            }
            _ => return,
        };
        let source = state.source_of(&output, place);
        let area = source.as_ref().map(|(_, area)| *area);
        let used = AtomicBool::new(false);
        let data = Frame { source, with_cursor: overlay_cursor != 0, last: last.clone(), used };
        let frame = data_init.init(frame, data);
        let Some(area) = area else {
            frame.failed();
            return;
        };
        let (width, height) = (area.size.w as u32, area.size.h as u32);
        frame.buffer(capture::FORMAT, width, height, width * capture::PIXEL as u32);
        if frame.version() >= 3 {
            frame.buffer_done();
        }
    }
}

impl State {
    fn source_of(
        &self,
        output: &WlOutput,
        place: Option<Rectangle<i32, Logical>>,
    ) -> Option<(Output, Area)> {
        let output = Output::from_resource(output)?;
        let area = match place {
            Some(place) => self.picture_area(&output, place),
            None => self.picture_size(&output).map(Area::from_size),
        };
        area.map(|area| (output, area))
    }
}

impl Dispatch<ZwlrScreencopyFrameV1, Frame> for State {
    fn request(
        state: &mut State,
        _: &Client,
        frame: &ZwlrScreencopyFrameV1,
        request: zwlr_screencopy_frame_v1::Request,
        data: &Frame,
        _: &DisplayHandle,
        _: &mut DataInit<'_, State>,
    ) {
        use zwlr_screencopy_frame_v1::Request;
        let (buffer, waits) = match request {
            Request::Copy { buffer } => (buffer, false),
            Request::CopyWithDamage { buffer } => (buffer, true),
            _ => return,
        };
        if data.used.swap(true, Ordering::Relaxed) {
            frame.post_error(Error::AlreadyUsed, "the frame was copied already");
            return;
        }
        let Some((output, area)) = &data.source else {
            frame.failed();
            return;
        };
        if !capture::fits(state, &buffer, area.size) {
            let message = "the buffer has not the size and format that the frame told";
            frame.post_error(Error::InvalidBuffer, message);
            return;
        }
        let copy = Copy { frame: frame.clone(), buffer };
        if waits {
            state.await_change(output.clone(), Waiting::Screencopy(copy));
        } else {
            copy.finish(state, output, *area);
        }
    }
}

impl Copy {
    /// Whether there is still somebody to answer.
    pub(super) fn is_alive(&self) -> bool {
        self.frame.is_alive()
    }

    /// Say that it was not copied.
    pub(super) fn fail(&self) {
        self.frame.failed();
    }

    /// Copy now.
    fn finish(&self, state: &mut State, output: &Output, area: Area) {
        let Some(data) = self.frame.data::<Frame>() else { return };
        match state.capture(output, data.with_cursor) {
            Ok(picture) => self.answer(state, &picture, area, None),
            Err(error) => {
                tracing::warn!(%error, "the screen cannot be copied");
                self.frame.failed();
            }
        }
    }

    /// Copy if the screen shows something else than this manager has seen; else wait on.
    pub(super) fn finish_if_changed(self, state: &mut State) -> Option<Copy> {
        let data = self.frame.data::<Frame>().filter(|_| self.is_alive())?;
        let (output, area) = data.source.as_ref()?;
        let area = *area;
        let id = state.outputs.by_output(output).map(|view| view.id);
        let picture = match state.capture(output, data.with_cursor) {
            Ok(picture) => picture,
            Err(error) => {
                tracing::warn!(%error, "the screen cannot be copied");
                self.frame.failed();
                return None;
            }
        };
        if !capture::whole(&picture).contains_rect(area) {
            self.frame.failed();
            return None;
        }
        let mut last = data.last.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = id.and_then(|id| last.get(&id)).map(Arc::as_ref);
        let Some(damage) = capture::changed(before, &picture, area) else {
            drop(last);
            return Some(self);
        };
        last.retain(|id, _| state.outputs.get(*id).is_some());
        last.extend(id.map(|id| (id, picture.clone())));
        drop(last);
        self.answer(state, &picture, area, Some(damage));
        None
    }

    fn answer(&self, state: &State, picture: &Image, area: Area, damage: Option<Area>) {
        if capture::put(state, &self.buffer, picture, area).is_err() {
            self.frame.failed();
            return;
        }
        self.frame.flags(Flags::empty());
        if let Some(damage) = damage {
            // Within the area, so nothing is negative.
            let from = damage.loc - area.loc;
            let (w, h) = (damage.size.w as u32, damage.size.h as u32);
            self.frame.damage(from.x as u32, from.y as u32, w, h);
        }
        let (high, low, nanoseconds) = capture::time_parts(state.clock.now().into());
        self.frame.ready(high, low, nanoseconds);
    }
}
