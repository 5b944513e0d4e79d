//! When pictures are drawn and read, by points of a timeline: picture N is drawn at point 2N + 1 and
//! released at point 2N + 2.

use std::os::fd::AsFd;

use anyhow::Context;
use smithay::reexports::drm::control::{Device as _, syncobj};
use wayland_client::{QueueHandle, protocol::wl_surface::WlSurface};
use wayland_protocols::wp::linux_drm_syncobj::v1::client::{
    wp_linux_drm_syncobj_manager_v1::WpLinuxDrmSyncobjManagerV1,
    wp_linux_drm_syncobj_surface_v1::WpLinuxDrmSyncobjSurfaceV1,
    wp_linux_drm_syncobj_timeline_v1::WpLinuxDrmSyncobjTimelineV1,
};

use super::{Told, card::Card};

/// How long anything is awaited, in nanoseconds of the monotonic clock.
const EVER: i64 = i64::MAX;

pub(crate) struct Timeline {
    handle: syncobj::Handle,
    surface: WpLinuxDrmSyncobjSurfaceV1,
    told: WpLinuxDrmSyncobjTimelineV1,
}

impl Timeline {
    pub(crate) fn new(
        card: &Card,
        manager: &WpLinuxDrmSyncobjManagerV1,
        surface: &WlSurface,
        queue: &QueueHandle<Told>,
    ) -> anyhow::Result<Timeline> {
        let handle = card.create_syncobj(false)?;
        let descriptor = card.syncobj_to_fd(handle, false)?;
        let told = manager.import_timeline(descriptor.as_fd(), queue, ());
        Ok(Timeline { handle, surface: manager.get_surface(surface, queue, ()), told })
    }

    /// Says so with the commit that follows.
    pub(crate) fn name_points(&self, number: u8) {
        let drawn = 2 * u32::from(number) + 1;
        self.surface.set_acquire_point(&self.told, 0, drawn);
        self.surface.set_release_point(&self.told, 0, drawn + 1);
    }

    pub(crate) fn draw(&self, card: &Card, number: u8) -> anyhow::Result<()> {
        let points = [2 * u64::from(number) + 1];
        card.syncobj_timeline_signal(&[self.handle], &points).context("cannot signal a point")
    }

    pub(crate) fn await_release(&self, card: &Card, number: u8) -> anyhow::Result<()> {
        let points = [2 * u64::from(number) + 2];
        card.syncobj_timeline_wait(&[self.handle], &points, EVER, true, true, false)
            .context("cannot wait for a point")?;
        println!("picture {number} is read no more");
        Ok(())
    }
}
