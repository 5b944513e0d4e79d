//! Wayland protocols that Smithay 0.7 lacks, written here: each in a file of its own.

pub(crate) mod capture;
mod capture_source;
pub(crate) mod foreign_toplevel;
mod image_copy_capture;
pub mod output_management;
mod screencopy;
mod virtual_pointer;
pub(crate) mod xdg_foreign;

use smithay::reexports::{
    wayland_protocols::{
        ext::{
            image_capture_source::v1::server::ext_output_image_capture_source_manager_v1::ExtOutputImageCaptureSourceManagerV1,
            image_copy_capture::v1::server::ext_image_copy_capture_manager_v1::ExtImageCopyCaptureManagerV1,
        },
        xdg::foreign::zv2::server::{
            zxdg_exporter_v2::ZxdgExporterV2, zxdg_importer_v2::ZxdgImporterV2,
        },
    },
    wayland_protocols_wlr::{
        foreign_toplevel::v1::server::zwlr_foreign_toplevel_manager_v1::ZwlrForeignToplevelManagerV1,
        screencopy::v1::server::zwlr_screencopy_manager_v1::ZwlrScreencopyManagerV1,
        virtual_pointer::v1::server::zwlr_virtual_pointer_manager_v1::ZwlrVirtualPointerManagerV1,
    },
    wayland_server::DisplayHandle,
};

use crate::state::State;

/// Offer them, each to those clients that it is for.
pub(crate) fn offer(display: &DisplayHandle) {
    display.create_global::<State, ZwlrScreencopyManagerV1, ()>(screencopy::VERSION, ());
    display.create_global::<State, ZwlrForeignToplevelManagerV1, ()>(foreign_toplevel::VERSION, ());
    display.create_global::<State, ZwlrVirtualPointerManagerV1, ()>(virtual_pointer::VERSION, ());
    display.create_global::<State, ExtOutputImageCaptureSourceManagerV1, ()>(1, ());
    display.create_global::<State, ExtImageCopyCaptureManagerV1, ()>(1, ());
    display.create_global::<State, ZxdgExporterV2, ()>(1, ());
    display.create_global::<State, ZxdgImporterV2, ()>(1, ());
}
