//! The gate that every protocol stands behind: whom it is shown to, and in which version.

use smithay::{
    input::SeatState,
    reexports::{
        wayland_protocols::{
            wp::{
                alpha_modifier::v1::server::wp_alpha_modifier_v1::WpAlphaModifierV1,
                commit_timing::v1::server::wp_commit_timing_manager_v1::WpCommitTimingManagerV1,
                content_type::v1::server::wp_content_type_manager_v1::WpContentTypeManagerV1,
                cursor_shape::v1::server::wp_cursor_shape_manager_v1::WpCursorShapeManagerV1,
                fifo::v1::server::wp_fifo_manager_v1::WpFifoManagerV1,
                fractional_scale::v1::server::wp_fractional_scale_manager_v1::WpFractionalScaleManagerV1,
                idle_inhibit::zv1::server::zwp_idle_inhibit_manager_v1::ZwpIdleInhibitManagerV1,
                keyboard_shortcuts_inhibit::zv1::server::zwp_keyboard_shortcuts_inhibit_manager_v1::ZwpKeyboardShortcutsInhibitManagerV1,
                pointer_constraints::zv1::server::zwp_pointer_constraints_v1::ZwpPointerConstraintsV1,
                pointer_gestures::zv1::server::zwp_pointer_gestures_v1::ZwpPointerGesturesV1,
                presentation_time::server::wp_presentation::WpPresentation,
                primary_selection::zv1::server::zwp_primary_selection_device_manager_v1::ZwpPrimarySelectionDeviceManagerV1,
                relative_pointer::zv1::server::zwp_relative_pointer_manager_v1::ZwpRelativePointerManagerV1,
                single_pixel_buffer::v1::server::wp_single_pixel_buffer_manager_v1::WpSinglePixelBufferManagerV1,
                tablet::zv2::server::zwp_tablet_manager_v2::ZwpTabletManagerV2,
                text_input::zv3::server::zwp_text_input_manager_v3::ZwpTextInputManagerV3,
                viewporter::server::wp_viewporter::WpViewporter,
            },
            xdg::{
                activation::v1::server::xdg_activation_v1::XdgActivationV1,
                dialog::v1::server::xdg_wm_dialog_v1::XdgWmDialogV1,
                shell::server::xdg_wm_base::XdgWmBase,
                xdg_output::zv1::server::zxdg_output_manager_v1::ZxdgOutputManagerV1,
            },
        },
        wayland_server::{
            Client, DataInit, DisplayHandle, GlobalDispatch, New, Resource,
            protocol::{
                wl_compositor::WlCompositor, wl_data_device_manager::WlDataDeviceManager,
                wl_output::WlOutput, wl_seat::WlSeat, wl_shm::WlShm,
                wl_subcompositor::WlSubcompositor,
            },
        },
    },
    utils::{Clock, Monotonic},
    wayland::{
        alpha_modifier::AlphaModifierState, commit_timing::CommitTimingManagerState, compositor::CompositorState,
        content_type::ContentTypeState, cursor_shape::CursorShapeManagerState,
        fifo::FifoManagerState, fractional_scale::FractionalScaleManagerState,
        idle_inhibit::IdleInhibitManagerState,
        keyboard_shortcuts_inhibit::KeyboardShortcutsInhibitState,
        output::{OutputManagerState, WlOutputData},
        pointer_constraints::PointerConstraintsState, pointer_gestures::PointerGesturesState,
        presentation::PresentationState, relative_pointer::RelativePointerManagerState,
        seat::SeatGlobalData, selection::{data_device::DataDeviceState, primary_selection::{PrimaryDeviceManagerGlobalData, PrimarySelectionState}},
        shell::xdg::{XdgShellState, dialog::XdgDialogState}, shm::ShmState,
        single_pixel_buffer::SinglePixelBufferState, tablet_manager::TabletManagerState,
        text_input::TextInputManagerState, viewporter::ViewporterState,
        xdg_activation::XdgActivationState,
    },
};
use hyper_dmabuf_protocol::server::hyper_dmabuf_manager_v1::HyperDmabufManagerV1;
use smithay_hyper_dmabuf::{GlobalData, HyperDmabufState};

use super::policy::Offer;
use crate::{client::offer_to, state::State};

/// An older version of a protocol, for the domains that are offered none newer.
pub(crate) struct Older {
    version: u32,
}

/// Whether a client sees a protocol in the newest version that there is.
pub(crate) fn sees_newest(client: &Client, interface: &str) -> bool {
    offer_to(client, interface) == Offer::Whole
}

/// The same as a filter for those protocols whose filter Smithay keeps itself.
pub(crate) fn newest_of<I: Resource>() -> impl Fn(&Client) -> bool + Send + Sync + 'static {
    |client| sees_newest(client, I::interface().name)
}

/// Which side of a gate a protocol's newest version stands on is for the policy to say; what happens
/// when it is bound is Smithay's.
macro_rules! gate {
    ($($interface:ty: $data:ty => $by:ty;)*) => {$(
        impl GlobalDispatch<$interface, $data> for State {
            fn bind(
                state: &mut State,
                display: &DisplayHandle,
                client: &Client,
                resource: New<$interface>,
                data: &$data,
                data_init: &mut DataInit<'_, State>,
            ) {
                <$by as GlobalDispatch<$interface, $data, State>>::bind(
                    state, display, client, resource, data, data_init,
                );
            }

            fn can_view(client: Client, _data: &$data) -> bool {
                sees_newest(&client, <$interface>::interface().name)
            }
        }
    )*};
}

/// The same for those whose older versions can be offered, which are bound with the data given here.
macro_rules! gate_with_older_versions {
    ($($interface:ty: $data:ty = $value:expr => $by:ty;)*) => {
        gate! { $($interface: $data => $by;)* }

        $(impl GlobalDispatch<$interface, Older> for State {
            fn bind(
                state: &mut State,
                display: &DisplayHandle,
                client: &Client,
                resource: New<$interface>,
                _data: &Older,
                data_init: &mut DataInit<'_, State>,
            ) {
                let data: $data = $value;
                <$by as GlobalDispatch<$interface, $data, State>>::bind(
                    state, display, client, resource, &data, data_init,
                );
            }

            fn can_view(client: Client, data: &Older) -> bool {
                offer_to(&client, <$interface>::interface().name) == Offer::UpTo(data.version)
            }
        })*

        /// Offer an older version of a protocol to those who are offered none newer. Whether there is
        /// such a protocol, whose older versions can be offered.
        fn create(display: &DisplayHandle, interface: &str, version: u32) -> bool {
            $(if interface == <$interface>::interface().name {
                display.create_global::<State, $interface, Older>(version, Older { version });
                return true;
            })*
            false
        }
    };
}

gate! {
    HyperDmabufManagerV1: GlobalData => HyperDmabufState;
    WlOutput: WlOutputData => OutputManagerState;
    WlSeat: SeatGlobalData<State> => SeatState<State>;
    WpAlphaModifierV1: () => AlphaModifierState;
    WpCommitTimingManagerV1: bool => CommitTimingManagerState;
    WpContentTypeManagerV1: () => ContentTypeState;
    WpFifoManagerV1: bool => FifoManagerState;
    WpFractionalScaleManagerV1: () => FractionalScaleManagerState;
    WpSinglePixelBufferManagerV1: () => SinglePixelBufferState;
    WpViewporter: () => ViewporterState;
    WlSubcompositor: () => CompositorState;
    XdgActivationV1: () => XdgActivationState;
    XdgWmDialogV1: () => XdgDialogState;
    ZwpIdleInhibitManagerV1: () => IdleInhibitManagerState;
    ZwpKeyboardShortcutsInhibitManagerV1: () => KeyboardShortcutsInhibitState;
    ZwpPrimarySelectionDeviceManagerV1: PrimaryDeviceManagerGlobalData => PrimarySelectionState;
    ZwpPointerConstraintsV1: () => PointerConstraintsState;
    ZwpRelativePointerManagerV1: () => RelativePointerManagerState;
    ZwpTabletManagerV2: () => TabletManagerState;
    ZwpTextInputManagerV3: () => TextInputManagerState;
}

gate_with_older_versions! {
    WlCompositor: () = () => CompositorState;
    WlDataDeviceManager: () = () => DataDeviceState;
    WlShm: () = () => ShmState;
    WpCursorShapeManagerV1: () = () => CursorShapeManagerState;
    WpPresentation: u32 = Clock::<Monotonic>::new().id() as u32 => PresentationState;
    XdgWmBase: () = () => XdgShellState;
    ZwpPointerGesturesV1: () = () => PointerGesturesState;
    ZxdgOutputManagerV1: () = () => OutputManagerState;
}

impl State {
    /// Offer the older versions of protocols that some domain is to have in place of the newest.
    pub(crate) fn offer_older_versions(&mut self) {
        for known in self.domains.iter() {
            let policy = known.domain.settings().policy;
            self.older_versions.offer(&self.display_handle, policy.capped());
        }
    }
}

/// The older versions that are offered by now. They stay: who may not have one does not see it.
#[derive(Debug, Default)]
pub(crate) struct OlderVersions(Vec<(&'static str, u32)>);

impl OlderVersions {
    /// Offer all these, each once.
    pub(crate) fn offer(
        &mut self,
        display: &DisplayHandle,
        wanted: impl Iterator<Item = (&'static str, u32)>,
    ) {
        for (interface, version) in wanted {
            if !self.0.contains(&(interface, version)) && create(display, interface, version) {
                self.0.push((interface, version));
            }
        }
    }
}
