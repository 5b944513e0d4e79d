//! `ext_output_image_capture_source_manager_v1`: names for what can be captured.

use smithay::{
    output::Output,
    reexports::{
        wayland_protocols::ext::image_capture_source::v1::server::{
            ext_image_capture_source_v1::{self, ExtImageCaptureSourceV1},
            ext_output_image_capture_source_manager_v1::{
                self, ExtOutputImageCaptureSourceManagerV1,
            },
        },
        wayland_server::{Client, DataInit, Dispatch, DisplayHandle, GlobalDispatch, New},
    },
};

use crate::{client::is_trusted, state::State};

/// What a source stands for: an output, or nothing if it was gone already.
#[derive(Clone, Debug)]
pub(crate) struct Source(pub(super) Option<Output>);

impl GlobalDispatch<ExtOutputImageCaptureSourceManagerV1, ()> for State {
    fn bind(
        _: &mut State,
        _: &DisplayHandle,
        _: &Client,
        manager: New<ExtOutputImageCaptureSourceManagerV1>,
        (): &(),
        data_init: &mut DataInit<'_, State>,
    ) {
        data_init.init(manager, ());
    }

    fn can_view(client: Client, (): &()) -> bool {
        is_trusted(&client)
    }
}

impl Dispatch<ExtOutputImageCaptureSourceManagerV1, ()> for State {
    fn request(
        _: &mut State,
        _: &Client,
        _: &ExtOutputImageCaptureSourceManagerV1,
        request: ext_output_image_capture_source_manager_v1::Request,
        (): &(),
        _: &DisplayHandle,
        data_init: &mut DataInit<'_, State>,
    ) {
        use ext_output_image_capture_source_manager_v1::Request;
        if let Request::CreateSource { source, output } = request {
            data_init.init(source, Source(Output::from_resource(&output)));
        }
    }
}

impl Dispatch<ExtImageCaptureSourceV1, Source> for State {
    fn request(
        _: &mut State,
        _: &Client,
        _: &ExtImageCaptureSourceV1,
        _: ext_image_capture_source_v1::Request,
        _: &Source,
        _: &DisplayHandle,
        _: &mut DataInit<'_, State>,
    ) {
    }
}
