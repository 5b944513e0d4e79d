//! A real screen: KMS, with the seat's keyboards and pointers.
//!
//! Each GPU draws for its own connectors: by OpenGL ES where it can, else by the processor into the
//! plain buffers that every driver has ("dumb" ones). A picture is flipped to at the vertical blank,
//! and its driver tells when it is seen.

mod connectors;
mod devices;
mod events;
mod gestures;
mod gpu;
mod input;
mod pen;
mod screen;

use std::{collections::HashMap, fmt::Display, path::Path};

use rustix::fs::Dev;
use smithay::{
    backend::{
        allocator::dmabuf::Dmabuf,
        drm::DrmDeviceFd,
        libinput::{LibinputInputBackend, LibinputSessionInterface},
        session::{Session, libseat::LibSeatSession},
        udev::{UdevBackend, primary_gpu},
    },
    output::{Mode, Output},
    reexports::{calloop::LoopHandle, input::Libinput},
    wayland::dmabuf::DmabufFeedback,
};

use super::{
    BackendError, FoundOutput, Rendered,
    drawer::Drawer,
    remedy::{Remedied, Remedy},
};
use crate::{
    config::{Config, RendererChoice},
    image::Image,
    render::elements::Scene,
    state::State,
};
use gpu::Gpu;
use screen::Screen;

/// As on the command line.
pub const NAME: &str = "drm";

/// The number of a device, as the kernel has it.
pub(crate) type DeviceNumber = u64;

/// The seat with its GPUs.
pub struct Drm {
    session: LibSeatSession,
    libinput: Libinput,
    config: Config,
    gpus: HashMap<DeviceNumber, Gpu>,
    /// The pointer's buttons that a pen holds.
    pen_holds: Vec<u32>,
}

fn error(what: &'static str) -> impl Fn(&dyn Display) -> BackendError {
    move |reason| BackendError { backend: NAME, what, reason: reason.to_string() }
}

impl Drm {
    /// Take the seat, and all the screens there are.
    pub fn start(
        config: &Config,
        loop_handle: &LoopHandle<'static, State>,
    ) -> Result<(Drm, Vec<FoundOutput>), BackendError> {
        let (session, notifier) = LibSeatSession::new().map_err(|e| {
            error("cannot have the seat (is seatd or logind running, and may this user use it?)")(
                &e,
            )
        })?;
        let seat = session.seat();
        let udev = UdevBackend::new(&seat).map_err(|e| error("cannot ask udev for GPUs")(&e))?;
        let mut libinput = Libinput::new_with_udev(LibinputSessionInterface::from(session.clone()));
        libinput
            .udev_assign_seat(&seat)
            .map_err(|()| error("cannot open the seat's input devices")(&seat))?;

        let mut drm = Drm {
            session,
            libinput: libinput.clone(),
            config: config.clone(),
            gpus: HashMap::new(),
            pen_holds: Vec::new(),
        };
        let first = primary_gpu(&seat).ok().flatten();
        let mut devices: Vec<_> =
            udev.device_list().map(|(device, path)| (device, path.to_owned())).collect();
        // The GPU that the machine started with has the first outputs.
        devices.sort_by_key(|(_, path)| (Some(path) != first.as_ref(), path.clone()));
        let mut outputs = Vec::new();
        for (device, path) in devices {
            match drm.add_gpu(device, &path, loop_handle) {
                Ok(()) => outputs.extend(drm.rescan(device).appeared),
                Err(error) => tracing::warn!(%error, path = %path.display(), "a GPU is left out"),
            }
        }
        if drm.gpus.is_empty() {
            return Err(error("found no GPU that can show anything")(&seat));
        }
        let inserted = [
            loop_handle
                .insert_source(notifier, |event, (), state| state.session_event(event))
                .err()
                .map(|error| error.to_string()),
            loop_handle
                .insert_source(udev, |event, (), state| state.udev_event(event))
                .err()
                .map(|error| error.to_string()),
            loop_handle
                .insert_source(LibinputInputBackend::new(libinput), |event, (), state| {
                    state.device_input(event);
                })
                .err()
                .map(|error| error.to_string()),
        ];
        loop_handle.insert_idle(State::seat_taken_or_given);
        match inserted.into_iter().flatten().next() {
            Some(reason) => Err(error("cannot wait for events")(&reason)),
            None => Ok((drm, outputs)),
        }
    }

    fn add_gpu(
        &mut self,
        device: DeviceNumber,
        path: &Path,
        loop_handle: &LoopHandle<'static, State>,
    ) -> Result<(), BackendError> {
        let gpu = Gpu::open(device, path, &mut self.session, &self.config, loop_handle)?;
        self.gpus.insert(device, gpu);
        Ok(())
    }

    /// Look which connectors of a GPU have a screen.
    fn rescan(&mut self, device: DeviceNumber) -> connectors::Difference {
        self.gpus.get_mut(&device).map_or_else(Default::default, |gpu| gpu.rescan(&self.config))
    }

    /// Screens that are plugged from now on are set by this configuration.
    pub fn set_config(&mut self, config: &Config) {
        self.config = config.clone();
    }

    /// Switch to another virtual terminal.
    pub fn switch_terminal(&mut self, number: i32) {
        if let Err(error) = self.session.change_vt(number) {
            tracing::warn!(%error, number, "cannot switch to the terminal");
        }
    }

    fn gpu_of(&mut self, output: &Output) -> Result<&mut Gpu, BackendError> {
        let name = output.name();
        let found = self.gpus.values_mut().find(|gpu| gpu.screens.contains_key(output));
        found.ok_or_else(|| error("has lost the output")(&name))
    }

    /// What draws on each GPU.
    pub fn drawers(&mut self) -> impl Iterator<Item = &mut Drawer> {
        self.gpus.values_mut().map(|gpu| &mut gpu.drawer)
    }

    /// The device that clients had best make their dma-bufs on: the first GPU, as it is drawn there.
    pub fn dmabuf_device(&self) -> Option<Dev> {
        Some(self.first_that_draws()?.node?.dev_id())
    }

    /// The device by which clients' timelines are waited for.
    pub fn timeline_device(&self) -> Option<DrmDeviceFd> {
        Some(self.first_that_draws()?.device.device_fd().clone())
    }

    fn first_that_draws(&self) -> Option<&Gpu> {
        self.gpus.values().find(|gpu| !gpu.drawer.dmabuf_formats().is_empty())
    }

    /// What to tell clients of dma-bufs that the screen at an output takes without drawing them.
    pub fn scanout_feedback(&self, output: &Output) -> Option<DmabufFeedback> {
        self.gpus.values().find_map(|gpu| gpu.screens.get(output))?.scanout.clone()
    }

    /// Whether a GPU can draw this dma-buf. One is enough: on the screens of another it is left out.
    pub fn accepts(&mut self, dmabuf: &Dmabuf) -> bool {
        self.gpus.values_mut().any(|gpu| gpu.accepts(dmabuf))
    }

    /// The mode of the connector's screen with these pixels.
    pub fn find_mode(&self, output: &Output, wanted: Mode) -> Option<Mode> {
        let screen = self.gpus.values().find_map(|gpu| gpu.screens.get(output))?;
        screen.mode(wanted).map(Mode::from)
    }

    /// Let an output have other pixels.
    pub fn set_mode(&mut self, output: &Output, mode: Mode) -> Result<(), BackendError> {
        self.gpu_of(output)?.set_mode(output, mode)
    }

    /// Switch an output on or off.
    pub fn switch(&mut self, output: &Output, on: bool) -> Result<(), BackendError> {
        self.gpu_of(output)?.switch(output, on)
    }

    /// Let go of an output.
    pub fn forget(&mut self, output: &Output) {
        for gpu in self.gpus.values_mut() {
            gpu.forget(output);
        }
    }

    /// Draw a picture, and have it shown at the next vertical blank.
    pub fn render(&mut self, output: &Output, scene: &Scene<'_>) -> Result<Rendered, BackendError> {
        self.gpu_of(output)?.render(output, scene)
    }

    /// Try to make a screen show pictures again.
    pub fn remedy(&mut self, output: &Output, remedy: Remedy) -> Result<Remedied, BackendError> {
        let choice = self.config.renderer;
        let gpu = self.gpu_of(output)?;
        if !gpu.device.is_active() {
            // It is drawn afresh when the terminal is seen again.
            return Ok(Remedied::Nothing);
        }
        match remedy {
            Remedy::Afresh => gpu.restart(choice).map(|()| Remedied::Done),
            Remedy::Processor if gpu.is_plain() => Ok(Remedied::Nothing),
            Remedy::Processor => gpu.restart(RendererChoice::Pixman).map(|()| Remedied::Done),
            Remedy::OtherMode => {
                let mode = gpu.screens.get(output).and_then(Screen::other_mode);
                Ok(mode.map_or(Remedied::Nothing, Remedied::HasMode))
            }
        }
    }

    /// Draw a picture only to be looked at here.
    pub fn capture(&mut self, output: &Output, scene: &Scene<'_>) -> Result<Image, BackendError> {
        self.gpu_of(output)?.capture(output, scene)
    }
}
