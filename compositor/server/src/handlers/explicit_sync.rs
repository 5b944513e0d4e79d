//! `linux-drm-syncobj`: a client names the point of a timeline at which its buffer is drawn, and one that
//! is to be reached when nobody reads it any more.

use smithay::{
    backend::drm::DrmDeviceFd,
    reexports::{
        wayland_protocols::wp::linux_drm_syncobj::v1::server::{
            wp_linux_drm_syncobj_manager_v1::WpLinuxDrmSyncobjManagerV1,
            wp_linux_drm_syncobj_surface_v1::WpLinuxDrmSyncobjSurfaceV1,
            wp_linux_drm_syncobj_timeline_v1::WpLinuxDrmSyncobjTimelineV1,
        },
        wayland_server::{DisplayHandle, delegate_dispatch, delegate_global_dispatch},
    },
    wayland::{
        compositor::SurfaceData,
        drm_syncobj::{
            DrmSyncPoint, DrmSyncobjCachedState, DrmSyncobjGlobalData, DrmSyncobjHandler,
            DrmSyncobjState, DrmSyncobjSurfaceData, DrmSyncobjTimelineData,
            supports_syncobj_eventfd,
        },
    },
};

use crate::{state::State, trust::gate::newest_of};

/// Offer it, if there is a GPU that draws and its driver can tell when a point is reached.
pub(crate) fn offer(
    display: &DisplayHandle,
    device: Option<DrmDeviceFd>,
) -> Option<DrmSyncobjState> {
    let device = device.filter(supports_syncobj_eventfd)?;
    let filter = newest_of::<WpLinuxDrmSyncobjManagerV1>();
    Some(DrmSyncobjState::new_with_filter::<State, _>(display, device, filter))
}

/// The point that the next commit of a surface is to wait for.
pub(super) fn acquire_point(states: &SurfaceData) -> Option<DrmSyncPoint> {
    states.cached_state.get::<DrmSyncobjCachedState>().pending().acquire_point.clone()
}

impl DrmSyncobjHandler for State {
    fn drm_syncobj_state(&mut self) -> Option<&mut DrmSyncobjState> {
        self.protocols.explicit_sync.as_mut()
    }
}

delegate_global_dispatch!(State: [WpLinuxDrmSyncobjManagerV1: DrmSyncobjGlobalData] => DrmSyncobjState);
delegate_dispatch!(State: [WpLinuxDrmSyncobjManagerV1: ()] => DrmSyncobjState);
delegate_dispatch!(State: [WpLinuxDrmSyncobjSurfaceV1: DrmSyncobjSurfaceData] => DrmSyncobjState);
delegate_dispatch!(State: [WpLinuxDrmSyncobjTimelineV1: DrmSyncobjTimelineData] => DrmSyncobjState);
