//! What the host tells, done.

use calloop::ping::PingSource;
use smithay::{
    output::Output,
    reexports::calloop::{Interest, LoopHandle, Mode as Polled, PostAction, generic::Generic},
    utils::{Logical, Physical, Point},
};

use super::{
    Nested, error,
    host::{Host, Told, WindowId},
};
use crate::{
    backend::{Backend, BackendError},
    input::Input,
    outputs::{OutputChange, OutputId, settings::OutputScale},
    state::State,
};

/// Read what the host tells whenever there is something.
pub(super) fn listen(
    host: &dyn Host,
    early: PingSource,
    loop_handle: &LoopHandle<'static, State>,
) -> Result<(), BackendError> {
    let source = Generic::new(host.readable()?, Interest::READ, Polled::Level);
    let inserted = loop_handle.insert_source(source, |_, _, state| {
        Ok(if state.host_tells() { PostAction::Continue } else { PostAction::Remove })
    });
    inserted.map(drop).map_err(|e| error("cannot wait for the host")(&e.error))?;
    let inserted = loop_handle.insert_source(early, |(), (), state| {
        state.host_tells();
    });
    inserted.map(drop).map_err(|e| error("cannot wait for the host")(&e.error))
}

impl State {
    fn nested(&mut self) -> Option<&mut Nested> {
        match &mut self.backend {
            Backend::Nested(nested) => Some(nested),
            _ => None,
        }
    }

    /// Whether there is still a host that may tell more.
    pub(super) fn host_tells(&mut self) -> bool {
        let Some(nested) = self.nested() else { return false };
        match nested.host.read() {
            Ok(told) => {
                told.into_iter().for_each(|told| self.host_told(told));
                true
            }
            Err(error) => {
                tracing::error!(%error, "the host is gone, and so ends this");
                self.end();
                false
            }
        }
    }

    fn end(&self) {
        if let Some(signal) = &self.loop_signal {
            signal.stop();
        }
    }

    fn output_of(&mut self, window: WindowId) -> Option<(OutputId, Output)> {
        let mut windows = self.nested()?.windows.iter();
        let (output, _) = windows.find(|(_, shown)| shown.id == window)?;
        let output = output.clone();
        self.outputs.iter().find(|view| view.output == output).map(|view| (view.id, output))
    }

    fn host_told(&mut self, told: Told) {
        match told {
            Told::Shape(window) => self.follow_shape(window),
            Told::Seen(window) => {
                if let Some((id, _)) = self.output_of(window) {
                    self.vblank(id, self.clock.now());
                }
            }
            Told::Lost(window) => {
                if let Some(view) =
                    self.output_of(window).and_then(|(id, _)| self.outputs.get_mut(id))
                {
                    view.redraw = Default::default();
                    view.redraw.queue();
                }
            }
            Told::Close(window) => self.close_output(window),
            Told::Pointer { window, at, time } => {
                if let Some(at) = self.on_desktop(window, at) {
                    self.pointer_came(true);
                    self.take_input_of(Input::PointerMotion { x: at.x, y: at.y }, time);
                }
            }
            Told::PointerLeft => self.pointer_came(false),
            Told::Touch { window, finger, at, down, time } => {
                if let Some(at) = self.on_desktop(window, at) {
                    self.take_input_of(Input::Touch { finger, x: at.x, y: at.y, down }, time);
                }
            }
            Told::Input { input, time } => self.take_input_of(input, time),
        }
    }

    fn take_input_of(&mut self, input: Input, time: Option<u32>) {
        self.take_input(input, time.unwrap_or_else(|| self.clock.now().as_millis()));
    }

    /// A window has other pixels, or other neighbours on the host's screens.
    fn follow_shape(&mut self, window: WindowId) {
        let Some((id, output)) = self.output_of(window) else { return };
        let Some(nested) = self.nested() else { return };
        let Some(shape) = nested.host.shape(window) else { return };
        let Some(followed) = nested.windows.get_mut(&output) else { return };
        let before = std::mem::replace(&mut followed.scale, shape.scale);
        let Some(view) = self.outputs.get(id) else { return };
        // What was set beside the host's scale stays.
        let scale = OutputScale::new(view.scale() / before * shape.scale);
        let mode =
            output.current_mode().map(|mode| smithay::output::Mode { size: shape.pixels, ..mode });
        let change = OutputChange { mode, scale, ..OutputChange::default() };
        if let Err(error) = self.change_output(id, change) {
            tracing::warn!(%error, "an output cannot follow its window");
        }
    }

    /// The last window that closes ends the compositor.
    fn close_output(&mut self, window: WindowId) {
        if let Some((id, _)) = self.output_of(window) {
            self.remove_output(id);
        }
        if self.outputs.shown().next().is_none() {
            tracing::info!("the last window was closed");
            self.end();
        }
    }

    /// The cursor is drawn here while the pointer is, and by the host elsewhere.
    fn pointer_came(&mut self, here: bool) {
        if self.config.cursor != Some(false) && self.cursor.shown != here {
            self.cursor.shown = true;
            self.cursor_changed();
            self.cursor.shown = here;
        }
    }

    /// Where on our desktop a pixel of a window is.
    fn on_desktop(
        &mut self,
        window: WindowId,
        at: Point<f64, Physical>,
    ) -> Option<Point<f64, Logical>> {
        let (id, output) = self.output_of(window)?;
        let view = self.outputs.get(id)?;
        let size = output.current_mode()?.size.to_f64();
        // As it is looked at, which is not as it is mounted.
        let upright = output.current_transform().transform_point_in(at, &size);
        Some(view.area().loc.to_f64() + upright.to_logical(view.scale()))
    }
}
