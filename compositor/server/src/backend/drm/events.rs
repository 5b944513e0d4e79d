//! What happens to the seat and its GPUs.

use std::{os::fd::OwnedFd, path::Path};

use smithay::{
    backend::{
        drm::{DrmEvent, DrmEventMetadata, DrmEventTime},
        session::{Event as SessionEvent, Session},
        udev::UdevEvent,
    },
    utils::{Monotonic, Time},
};

use super::{DeviceNumber, Drm, connectors::Difference};
use crate::{backend::Backend, state::State};

/// Whether this is a GPU's node for screens, as the kernel calls it.
fn shows_screens(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("card"))
}

impl State {
    pub(super) fn drm(&mut self) -> Option<&mut Drm> {
        match &mut self.backend {
            Backend::Drm(drm) => Some(drm),
            _ => None,
        }
    }

    /// A GPU has shown a picture.
    pub(super) fn gpu_event(
        &mut self,
        number: DeviceNumber,
        event: DrmEvent,
        metadata: Option<DrmEventMetadata>,
    ) {
        let crtc = match event {
            DrmEvent::VBlank(crtc) => crtc,
            DrmEvent::Error(error) => {
                tracing::warn!(%error, "a GPU has a fault");
                return;
            }
        };
        let now = match metadata.map(|metadata| metadata.time) {
            Some(DrmEventTime::Monotonic(time)) => Time::<Monotonic>::from(time),
            _ => self.clock.now(),
        };
        let Some(gpu) = self.drm().and_then(|drm| drm.gpus.get_mut(&number)) else { return };
        let Some(output) = gpu.output_of(crtc) else { return };
        if let Some(screen) = gpu.screens.get_mut(&output) {
            screen.seen();
        }
        let id = self.outputs.iter().find(|view| view.output == output).map(|view| view.id);
        if let Some(id) = id {
            self.vblank(id, now);
        }
    }

    /// A GPU comes, goes, or has another screen.
    pub(super) fn udev_event(&mut self, event: UdevEvent) {
        let loop_handle = self.loop_handle.clone();
        match event {
            // Nodes that can only draw are told of, too.
            UdevEvent::Added { path, .. } if !shows_screens(&path) => {}
            UdevEvent::Added { device_id, path } => {
                let Some(drm) = self.drm() else { return };
                match drm.add_gpu(device_id, &path, &loop_handle) {
                    Ok(()) => self.look_at_connectors(device_id),
                    Err(error) => {
                        tracing::warn!(%error, path = %path.display(), "a GPU is left out");
                    }
                }
            }
            UdevEvent::Changed { device_id } => self.look_at_connectors(device_id),
            UdevEvent::Removed { device_id } => {
                let Some(gpu) = self.drm().and_then(|drm| drm.gpus.remove(&device_id)) else {
                    return;
                };
                loop_handle.remove(gpu.events);
                let gone = gpu.screens.keys().cloned().collect();
                let descriptor = gpu.device.device_fd().device_fd();
                drop(gpu);
                self.outputs_differ(Difference { appeared: Vec::new(), gone });
                // Whoever keeps the seat has it open, too, and the kernel keeps what is open.
                let descriptor: Result<OwnedFd, _> = descriptor.try_into();
                match (descriptor, self.drm()) {
                    (Ok(descriptor), Some(drm)) => {
                        if let Err(error) = drm.session.close(descriptor) {
                            tracing::debug!(%error, "a GPU that is gone cannot be closed");
                        }
                    }
                    _ => tracing::debug!("a GPU that is gone is still in use"),
                }
            }
        }
    }

    fn look_at_connectors(&mut self, number: DeviceNumber) {
        // Those of a terminal that is not seen are looked at when it is seen again.
        let active = |drm: &Drm| drm.gpus.get(&number).is_some_and(|gpu| gpu.device.is_active());
        if let Some(drm) = self.drm().filter(|drm| active(drm)) {
            let difference = drm.rescan(number);
            self.outputs_differ(difference);
        }
    }

    fn outputs_differ(&mut self, difference: Difference) {
        for output in difference.gone {
            let id = self.outputs.iter().find(|view| view.output == output).map(|view| view.id);
            id.into_iter().for_each(|id| self.remove_output(id));
        }
        for found in difference.appeared {
            let name = found.output.name();
            // Its screen may have been lost without anybody telling.
            let lost = self.outputs.by_name(&name).map(|view| view.id);
            lost.into_iter().for_each(|id| self.remove_output(id));
            tracing::info!(output = %name, "an output is there");
            self.add_output(found);
        }
    }

    /// The seat is ours, or another terminal's.
    pub(super) fn session_event(&mut self, event: SessionEvent) {
        let Some(drm) = self.drm() else { return };
        match event {
            SessionEvent::PauseSession => {
                tracing::info!("another terminal is on the screen");
                drm.libinput.suspend();
                drm.gpus.values_mut().for_each(|gpu| gpu.device.pause());
                self.shown_elsewhere = true;
                self.seat_taken_or_given();
            }
            SessionEvent::ActivateSession => {
                tracing::info!("back on the screen");
                if drm.libinput.resume().is_err() {
                    tracing::warn!("the seat's input devices do not come back");
                }
                for gpu in drm.gpus.values_mut() {
                    if let Err(error) = gpu.device.activate(false) {
                        tracing::warn!(%error, "a GPU does not come back");
                    }
                    gpu.screens.values_mut().for_each(super::screen::Screen::take_back);
                }
                let numbers: Vec<DeviceNumber> = drm.gpus.keys().copied().collect();
                self.shown_elsewhere = false;
                self.seat_taken_or_given();
                numbers.into_iter().for_each(|number| self.look_at_connectors(number));
                self.redraw_afresh();
            }
        }
    }
}
