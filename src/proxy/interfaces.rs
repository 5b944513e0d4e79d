//! What an app may be offered: the globals whose every message can be carried.
//!
//! A message can only be forwarded by those who know which of its words are objects and which are
//! descriptors, so a global that is not in this table is hidden. From a global the tables of
//! `wayland-protocols` lead to every interface that can be reached.
//!
//! Left out on purpose: `zwp_linux_dmabuf_v1`, which the proxy serves itself (see `dmabuf`);
//! `wp_linux_drm_syncobj_manager_v1`, whose descriptors are of devices; and everything that is for the display
//! domain's own tools: screens to copy or lock, other programs' windows, clipboard managers, virtual
//! input, layers, `wp_security_context_manager_v1`.

use wayland_backend::protocol::{Interface, MessageDesc};
use wayland_client::protocol::__interfaces as core;
use wayland_protocols::{wp, xdg};

pub(super) use core::{WL_DISPLAY_INTERFACE, WL_REGISTRY_INTERFACE};

/// The globals, in no order.
static GLOBALS: &[&Interface] = &[
    &core::WL_COMPOSITOR_INTERFACE,
    &core::WL_SUBCOMPOSITOR_INTERFACE,
    &core::WL_SHM_INTERFACE,
    &core::WL_SEAT_INTERFACE,
    &core::WL_OUTPUT_INTERFACE,
    &core::WL_DATA_DEVICE_MANAGER_INTERFACE,
    &hyper_dmabuf_protocol::client::__interfaces::HYPER_DMABUF_MANAGER_V1_INTERFACE,
    &xdg::shell::client::__interfaces::XDG_WM_BASE_INTERFACE,
    &xdg::activation::v1::client::__interfaces::XDG_ACTIVATION_V1_INTERFACE,
    &xdg::decoration::zv1::client::__interfaces::ZXDG_DECORATION_MANAGER_V1_INTERFACE,
    &xdg::dialog::v1::client::__interfaces::XDG_WM_DIALOG_V1_INTERFACE,
    &xdg::foreign::zv2::client::__interfaces::ZXDG_EXPORTER_V2_INTERFACE,
    &xdg::foreign::zv2::client::__interfaces::ZXDG_IMPORTER_V2_INTERFACE,
    &xdg::system_bell::v1::client::__interfaces::XDG_SYSTEM_BELL_V1_INTERFACE,
    &xdg::toplevel_drag::v1::client::__interfaces::XDG_TOPLEVEL_DRAG_MANAGER_V1_INTERFACE,
    &xdg::toplevel_icon::v1::client::__interfaces::XDG_TOPLEVEL_ICON_MANAGER_V1_INTERFACE,
    &xdg::toplevel_tag::v1::client::__interfaces::XDG_TOPLEVEL_TAG_MANAGER_V1_INTERFACE,
    &xdg::xdg_output::zv1::client::__interfaces::ZXDG_OUTPUT_MANAGER_V1_INTERFACE,
    &wp::alpha_modifier::v1::client::__interfaces::WP_ALPHA_MODIFIER_V1_INTERFACE,
    &wp::color_management::v1::client::__interfaces::WP_COLOR_MANAGER_V1_INTERFACE,
    &wp::color_representation::v1::client::__interfaces::WP_COLOR_REPRESENTATION_MANAGER_V1_INTERFACE,
    &wp::commit_timing::v1::client::__interfaces::WP_COMMIT_TIMING_MANAGER_V1_INTERFACE,
    &wp::content_type::v1::client::__interfaces::WP_CONTENT_TYPE_MANAGER_V1_INTERFACE,
    &wp::cursor_shape::v1::client::__interfaces::WP_CURSOR_SHAPE_MANAGER_V1_INTERFACE,
    &wp::fifo::v1::client::__interfaces::WP_FIFO_MANAGER_V1_INTERFACE,
    &wp::fractional_scale::v1::client::__interfaces::WP_FRACTIONAL_SCALE_MANAGER_V1_INTERFACE,
    &wp::idle_inhibit::zv1::client::__interfaces::ZWP_IDLE_INHIBIT_MANAGER_V1_INTERFACE,
    &wp::input_timestamps::zv1::client::__interfaces::ZWP_INPUT_TIMESTAMPS_MANAGER_V1_INTERFACE,
    &wp::keyboard_shortcuts_inhibit::zv1::client::__interfaces::ZWP_KEYBOARD_SHORTCUTS_INHIBIT_MANAGER_V1_INTERFACE,
    &wp::pointer_constraints::zv1::client::__interfaces::ZWP_POINTER_CONSTRAINTS_V1_INTERFACE,
    &wp::pointer_gestures::zv1::client::__interfaces::ZWP_POINTER_GESTURES_V1_INTERFACE,
    &wp::pointer_warp::v1::client::__interfaces::WP_POINTER_WARP_V1_INTERFACE,
    &wp::presentation_time::client::__interfaces::WP_PRESENTATION_INTERFACE,
    &wp::primary_selection::zv1::client::__interfaces::ZWP_PRIMARY_SELECTION_DEVICE_MANAGER_V1_INTERFACE,
    &wp::relative_pointer::zv1::client::__interfaces::ZWP_RELATIVE_POINTER_MANAGER_V1_INTERFACE,
    &wp::single_pixel_buffer::v1::client::__interfaces::WP_SINGLE_PIXEL_BUFFER_MANAGER_V1_INTERFACE,
    &wp::tablet::zv2::client::__interfaces::ZWP_TABLET_MANAGER_V2_INTERFACE,
    &wp::tearing_control::v1::client::__interfaces::WP_TEARING_CONTROL_MANAGER_V1_INTERFACE,
    &wp::text_input::zv3::client::__interfaces::ZWP_TEXT_INPUT_MANAGER_V3_INTERFACE,
    &wp::viewporter::client::__interfaces::WP_VIEWPORTER_INTERFACE,
];

/// The global of this name, if apps may be offered it.
pub(super) fn global(name: &[u8]) -> Option<&'static Interface> {
    GLOBALS.iter().copied().find(|interface| interface.name.as_bytes() == name)
}

/// The number of a message of our own making; the tables are made of the same file as everybody's.
pub(super) fn opcode(messages: &[MessageDesc], name: &str) -> u16 {
    let position = messages.iter().position(|message| message.name == name);
    position.map_or(u16::MAX, |position| position as u16)
}

/// Every interface that can be reached from the globals.
#[cfg(test)]
pub(super) fn reachable() -> Vec<&'static Interface> {
    let mut open: Vec<&'static Interface> = GLOBALS.to_vec();
    let mut all: Vec<&'static Interface> = Vec::new();
    while let Some(interface) = open.pop() {
        if all.iter().all(|known| known.name != interface.name) {
            all.push(interface);
            let messages = interface.requests.iter().chain(interface.events);
            open.extend(messages.filter_map(|message| message.child_interface));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use wayland_backend::protocol::ArgumentType;

    use super::*;

    #[test]
    fn every_new_object_has_a_table() {
        for interface in reachable() {
            for message in interface.requests.iter().chain(interface.events) {
                let new = message.signature.contains(&ArgumentType::NewId);
                assert_eq!(new, message.child_interface.is_some(), "{interface}.{}", message.name);
            }
        }
    }

    #[test]
    fn every_descriptor_that_can_cross_is_known() {
        let mut carriers: Vec<String> = reachable()
            .into_iter()
            .flat_map(|interface| {
                let messages = interface.requests.iter().chain(interface.events);
                messages
                    .filter(|message| message.signature.contains(&ArgumentType::Fd))
                    .map(move |message| format!("{interface}.{}", message.name))
            })
            .collect();
        carriers.sort();
        // A new one needs a thought: is it a file whose content is meant, or a pipe?
        let known = [
            "hyper_dmabuf_manager_v1.attach_memory",
            "hyper_dmabuf_v1.fd",
            "wl_data_offer.receive",
            "wl_data_source.send",
            "wl_keyboard.keymap",
            "wl_shm.create_pool",
            "wp_image_description_creator_icc_v1.set_icc_file",
            "wp_image_description_info_v1.icc_file",
            "zwp_primary_selection_offer_v1.receive",
            "zwp_primary_selection_source_v1.send",
        ];
        assert_eq!(carriers, known);
    }
}
