//! The clipboard, as local tools without a window have it.

use hyper_dmabuf_compositor::input::{Input, LEFT_BUTTON};
use wayland_client::protocol::{wl_data_device, wl_data_device_manager::WlDataDeviceManager};
use wayland_protocols::{
    ext::data_control::v1::client::{
        ext_data_control_device_v1, ext_data_control_manager_v1::ExtDataControlManagerV1,
    },
    wp::primary_selection::zv1::client::{
        zwp_primary_selection_device_manager_v1::ZwpPrimarySelectionDeviceManagerV1,
        zwp_primary_selection_device_v1,
    },
};

use crate::client::{Client, server, work};

const GREY: [u8; 4] = [0x80, 0x80, 0x80, 0];

#[test]
fn what_a_tool_sets_no_guest_learns_of() {
    let mut server = server("320x240");
    let origin = work(&server);
    let mut guest = Client::new(&mut server, origin);
    let devices: WlDataDeviceManager = guest.bind(3);
    let device = devices.get_data_device(&guest.seat, &guest.handle(), ());
    guest.window(&mut server, "guest", (120, 80), GREY);
    let mut local = Client::local(&mut server);
    let local_devices: WlDataDeviceManager = local.bind(3);
    let local_device = local_devices.get_data_device(&local.seat, &local.handle(), ());
    local.window(&mut server, "local", (120, 80), GREY);
    guest.take_events(&device);

    let mut tool = Client::local(&mut server);
    let manager: ExtDataControlManagerV1 = tool.bind(1);
    let source = manager.create_data_source(&tool.handle(), ());
    source.offer("text/plain".into());
    let control = manager.get_data_device(&tool.seat, &tool.handle(), ());
    control.set_selection(Some(&source));
    tool.roundtrip(&mut server);
    guest.roundtrip(&mut server);
    assert!(
        guest
            .events(&device)
            .iter()
            .all(|event| matches!(event, wl_data_device::Event::Selection { id: None })),
        "the guest has the focus, and is told nothing: {:?}",
        guest.events(&device)
    );
    let told = tool.events(&control);
    let last = told.iter().rev().find_map(|event| match event {
        ext_data_control_device_v1::Event::Selection { id } => Some(id.is_some()),
        _ => None,
    });
    assert_eq!(last, Some(true), "the tool itself sees what is in the clipboard");

    // A local window gets it as soon as it has the focus.
    let place = server.state.window_reports()[1].geometry;
    let (x, y) = (f64::from(place.x + 5), f64::from(place.y + 5));
    server.state.inject(Input::PointerMotion { x, y });
    server.state.inject(Input::PointerButton { button: LEFT_BUTTON, pressed: true });
    local.roundtrip(&mut server);
    assert!(
        local
            .events(&local_device)
            .iter()
            .any(|event| matches!(event, wl_data_device::Event::Selection { id: Some(_) }))
    );
}

/// `wl-paste` waits until it is told something.
#[test]
fn who_may_know_of_no_selection_is_told_that_there_is_none() {
    let mut server = server("640x320");
    let mut local = Client::local(&mut server);
    let manager: WlDataDeviceManager = local.bind(3);
    let primary: ZwpPrimarySelectionDeviceManagerV1 = local.bind(1);
    let device = manager.get_data_device(&local.seat, &local.handle(), ());
    let primary_device = primary.get_device(&local.seat, &local.handle(), ());
    local.window(&mut server, "local", (120, 80), GREY);
    let source = manager.create_data_source(&local.handle(), ());
    device.set_selection(Some(&source), 0);
    let source = primary.create_source(&local.handle(), ());
    primary_device.set_selection(Some(&source), 0);
    local.roundtrip(&mut server);

    let origin = work(&server);
    let mut guest = Client::new(&mut server, origin);
    let manager: WlDataDeviceManager = guest.bind(3);
    let primary: ZwpPrimarySelectionDeviceManagerV1 = guest.bind(1);
    let device = manager.get_data_device(&guest.seat, &guest.handle(), ());
    let primary_device = primary.get_device(&guest.seat, &guest.handle(), ());
    guest.window(&mut server, "guest", (120, 80), GREY);
    assert!(guest.events(&device).is_empty(), "it has not had the keyboard");
    server.state.inject(Input::Key { key: 125, pressed: true });
    server.state.inject(Input::Key { key: 15, pressed: true });
    guest.roundtrip(&mut server);
    let told = guest.events(&device);
    assert!(matches!(told[..], [wl_data_device::Event::Selection { id: None }]), "{told:?}");
    let told = guest.events(&primary_device);
    assert!(
        matches!(told[..], [zwp_primary_selection_device_v1::Event::Selection { id: None }]),
        "{told:?}"
    );
}

#[test]
fn what_a_source_offers_has_a_bound() {
    let mut server = server("320x240");
    let kinds = |count: usize| (0..count).map(|number| format!("x/{number}")).collect::<Vec<_>>();
    let mut clipboard = |kinds: Vec<String>| {
        let origin = work(&server);
        let mut guest = Client::new(&mut server, origin);
        let manager: WlDataDeviceManager = guest.bind(3);
        let source = manager.create_data_source(&guest.handle(), ());
        kinds.into_iter().for_each(|kind| source.offer(kind));
        guest.roundtrip(&mut server);
        guest.error()
    };
    let too_much = Some(("wl_display".to_owned(), 3));
    assert_eq!(clipboard(kinds(256)), None);
    assert_eq!(clipboard(kinds(257)), too_much);
    assert_eq!(clipboard(vec!["a".repeat(1024)]), None);
    assert_eq!(clipboard(vec!["a".repeat(1025)]), too_much);

    let origin = work(&server);
    let mut guest = Client::new(&mut server, origin);
    let manager: ZwpPrimarySelectionDeviceManagerV1 = guest.bind(1);
    let source = manager.create_source(&guest.handle(), ());
    kinds(257).into_iter().for_each(|kind| source.offer(kind));
    guest.roundtrip(&mut server);
    assert_eq!(guest.error(), too_much);
}
