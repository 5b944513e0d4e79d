//! Objects whose requests go straight to Smithay, without a filter of ours in front. Who may bind
//! their protocols is decided at the [gate](crate::trust::gate).

use smithay::{
    reexports::{
        wayland_protocols::{
            wp::{
                alpha_modifier::v1::server::{
                    wp_alpha_modifier_surface_v1::WpAlphaModifierSurfaceV1,
                    wp_alpha_modifier_v1::WpAlphaModifierV1,
                },
                commit_timing::v1::server::wp_commit_timing_manager_v1::WpCommitTimingManagerV1,
                content_type::v1::server::{
                    wp_content_type_manager_v1::WpContentTypeManagerV1,
                    wp_content_type_v1::WpContentTypeV1,
                },
                cursor_shape::v1::server::{
                    wp_cursor_shape_device_v1::WpCursorShapeDeviceV1,
                    wp_cursor_shape_manager_v1::WpCursorShapeManagerV1,
                },
                fifo::v1::server::{wp_fifo_manager_v1::WpFifoManagerV1, wp_fifo_v1::WpFifoV1},
                fractional_scale::v1::server::{
                    wp_fractional_scale_manager_v1::WpFractionalScaleManagerV1,
                    wp_fractional_scale_v1::WpFractionalScaleV1,
                },
                idle_inhibit::zv1::server::{
                    zwp_idle_inhibit_manager_v1::ZwpIdleInhibitManagerV1,
                    zwp_idle_inhibitor_v1::ZwpIdleInhibitorV1,
                },
                keyboard_shortcuts_inhibit::zv1::server::{
                    zwp_keyboard_shortcuts_inhibit_manager_v1::ZwpKeyboardShortcutsInhibitManagerV1,
                    zwp_keyboard_shortcuts_inhibitor_v1::ZwpKeyboardShortcutsInhibitorV1,
                },
                pointer_constraints::zv1::server::{
                    zwp_confined_pointer_v1::ZwpConfinedPointerV1,
                    zwp_locked_pointer_v1::ZwpLockedPointerV1,
                    zwp_pointer_constraints_v1::ZwpPointerConstraintsV1,
                },
                presentation_time::server::wp_presentation_feedback::WpPresentationFeedback,
                primary_selection::zv1::server::{
                    zwp_primary_selection_device_manager_v1::ZwpPrimarySelectionDeviceManagerV1,
                    zwp_primary_selection_device_v1::ZwpPrimarySelectionDeviceV1,
                },
                relative_pointer::zv1::server::{
                    zwp_relative_pointer_manager_v1::ZwpRelativePointerManagerV1,
                    zwp_relative_pointer_v1::ZwpRelativePointerV1,
                },
                single_pixel_buffer::v1::server::wp_single_pixel_buffer_manager_v1::WpSinglePixelBufferManagerV1,
                tablet::zv2::server::{
                    zwp_tablet_tool_v2::ZwpTabletToolV2, zwp_tablet_v2::ZwpTabletV2,
                },
                viewporter::server::wp_viewporter::WpViewporter,
            },
            xdg::{
                activation::v1::server::{
                    xdg_activation_token_v1::XdgActivationTokenV1,
                    xdg_activation_v1::XdgActivationV1,
                },
                dialog::v1::server::{xdg_dialog_v1::XdgDialogV1, xdg_wm_dialog_v1::XdgWmDialogV1},
                xdg_output::zv1::server::{
                    zxdg_output_manager_v1::ZxdgOutputManagerV1, zxdg_output_v1::ZxdgOutputV1,
                },
            },
        },
        wayland_server::{
            Weak, delegate_dispatch,
            protocol::{
                wl_buffer::WlBuffer, wl_callback::WlCallback, wl_data_device::WlDataDevice,
                wl_data_device_manager::WlDataDeviceManager, wl_output::WlOutput,
                wl_subcompositor::WlSubcompositor, wl_surface::WlSurface,
            },
        },
    },
    wayland::{
        alpha_modifier::{AlphaModifierState, AlphaModifierSurfaceUserData},
        commit_timing::CommitTimingManagerState,
        compositor::CompositorState,
        content_type::{ContentTypeState, ContentTypeUserData},
        cursor_shape::{CursorShapeDeviceUserData, CursorShapeManagerState},
        fifo::FifoManagerState,
        fractional_scale::FractionalScaleManagerState,
        idle_inhibit::{IdleInhibitManagerState, inhibitor::IdleInhibitorState},
        keyboard_shortcuts_inhibit::{
            KeyboardShortcutsInhibitState, KeyboardShortcutsInhibitorUserData,
        },
        output::{OutputManagerState, OutputUserData, XdgOutputUserData},
        pointer_constraints::{PointerConstraintUserData, PointerConstraintsState},
        presentation::PresentationFeedbackState,
        relative_pointer::{RelativePointerManagerState, RelativePointerUserData},
        selection::{
            data_device::{DataDeviceState, DataDeviceUserData},
            primary_selection::{PrimaryDeviceUserData, PrimarySelectionState},
        },
        shell::xdg::{ToplevelSurface, dialog::XdgDialogState},
        single_pixel_buffer::{SinglePixelBufferState, SinglePixelBufferUserData},
        tablet_manager::{TabletManagerState, TabletToolUserData, TabletUserData},
        viewporter::ViewporterState,
        xdg_activation::{ActivationTokenData, XdgActivationState},
    },
};

use hyper_dmabuf_protocol::server::hyper_dmabuf_manager_v1::HyperDmabufManagerV1;
use smithay_hyper_dmabuf::{HyperDmabufState, ManagerUserData};

use crate::state::State;

macro_rules! delegated {
    ($($by:ty: $($interface:ty: $data:ty),*;)*) => {$($(
        delegate_dispatch!(State: [$interface: $data] => $by);
    )*)*};
}

delegated! {
    AlphaModifierState: WpAlphaModifierV1: (),
        WpAlphaModifierSurfaceV1: AlphaModifierSurfaceUserData;
    CommitTimingManagerState: WpCommitTimingManagerV1: bool;
    CompositorState: WlCallback: (), WlSubcompositor: ();
    ContentTypeState: WpContentTypeManagerV1: (), WpContentTypeV1: ContentTypeUserData;
    CursorShapeManagerState: WpCursorShapeManagerV1: (),
        WpCursorShapeDeviceV1: CursorShapeDeviceUserData<State>;
    DataDeviceState: WlDataDeviceManager: (), WlDataDevice: DataDeviceUserData;
    FifoManagerState: WpFifoManagerV1: bool, WpFifoV1: Weak<WlSurface>;
    FractionalScaleManagerState: WpFractionalScaleManagerV1: (),
        WpFractionalScaleV1: Weak<WlSurface>;
    HyperDmabufState: HyperDmabufManagerV1: ManagerUserData;
    IdleInhibitManagerState: ZwpIdleInhibitManagerV1: (), ZwpIdleInhibitorV1: IdleInhibitorState;
    KeyboardShortcutsInhibitState: ZwpKeyboardShortcutsInhibitManagerV1: (),
        ZwpKeyboardShortcutsInhibitorV1: KeyboardShortcutsInhibitorUserData;
    OutputManagerState: WlOutput: OutputUserData, ZxdgOutputManagerV1: (),
        ZxdgOutputV1: XdgOutputUserData;
    PointerConstraintsState: ZwpPointerConstraintsV1: (),
        ZwpConfinedPointerV1: PointerConstraintUserData<State>,
        ZwpLockedPointerV1: PointerConstraintUserData<State>;
    PresentationFeedbackState: WpPresentationFeedback: ();
    PrimarySelectionState: ZwpPrimarySelectionDeviceManagerV1: (),
        ZwpPrimarySelectionDeviceV1: PrimaryDeviceUserData;
    RelativePointerManagerState: ZwpRelativePointerManagerV1: (),
        ZwpRelativePointerV1: RelativePointerUserData<State>;
    SinglePixelBufferState: WpSinglePixelBufferManagerV1: (), WlBuffer: SinglePixelBufferUserData;
    TabletManagerState: ZwpTabletToolV2: TabletToolUserData, ZwpTabletV2: TabletUserData;
    ViewporterState: WpViewporter: ();
    XdgActivationState: XdgActivationV1: (), XdgActivationTokenV1: ActivationTokenData;
    XdgDialogState: XdgWmDialogV1: (), XdgDialogV1: ToplevelSurface;
}
