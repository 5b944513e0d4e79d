//! Every protocol that the compositor speaks, and what there is to say for and against offering it
//! to another domain. What is not in this table is offered to no domain.

use serde::{Deserialize, Serialize};

/// Why a protocol is offered to domains, or is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// No program shows a window without it: a domain may be offered an older version, but not none.
    Required,
    /// It lets a domain's buffers reach the GPU and its driver.
    Accelerated,
    /// What it reveals or lets a program do stays within the program's own windows.
    Allowed,
    /// It is about what others share, too: a domain is offered a view of it that ends at the domain.
    Virtualised,
    /// It shows or steers what belongs to others; only for the display domain's own programs.
    Denied,
}

impl Class {
    /// How the configuration and reports name it.
    pub const fn name(self) -> &'static str {
        match self {
            Class::Required => "required",
            Class::Accelerated => "accelerated",
            Class::Allowed => "allowed",
            Class::Virtualised => "virtualised",
            Class::Denied => "denied",
        }
    }
}

/// One protocol, by the interface that programs bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// The name of the interface.
    pub interface: &'static str,
    /// The newest version that is offered.
    pub version: u32,
    /// Whether an older version can be offered in its place.
    pub can_be_capped: bool,
    /// Why it is offered, or is not.
    pub class: Class,
    /// The same in words.
    pub why: &'static str,
}

const fn row(class: Class, interface: &'static str, version: u32, why: &'static str) -> Protocol {
    Protocol { interface, version, can_be_capped: version > 1, class, why }
}

/// As it is: Smithay does not let its older versions be offered.
const fn whole(class: Class, interface: &'static str, version: u32, why: &'static str) -> Protocol {
    Protocol { can_be_capped: false, ..row(class, interface, version, why) }
}

/// All protocols, by class and then by name.
pub static PROTOCOLS: &[Protocol] = {
    use Class::{Accelerated, Allowed, Denied, Required, Virtualised};
    &[
        row(
            Required,
            "hyper_dmabuf_manager_v1",
            1,
            "how memory is named across domains; identity and limits come from the link",
        ),
        row(Required, "wl_compositor", 6, "surfaces"),
        whole(
            Required,
            "wl_output",
            4,
            "clients hang or crash without one; names outputs, see the threat model",
        ),
        whole(Required, "wl_seat", 9, "input, for the window that has the focus only"),
        row(Required, "wl_shm", 2, "buffers; pools are made of shared pages by ID"),
        row(Required, "wl_subcompositor", 1, "subsurfaces, cut off at their window"),
        row(Required, "xdg_wm_base", 6, "windows; each in the frame of its domain"),
        whole(
            Accelerated,
            "wp_linux_drm_syncobj_manager_v1",
            1,
            "when buffers of a GPU are drawn and read; one that never is holds up its own surface",
        ),
        whole(
            Accelerated,
            "zwp_linux_dmabuf_v1",
            5,
            "buffers of a GPU; they are parsed by the renderer and its driver",
        ),
        row(Allowed, "wp_alpha_modifier_v1", 1, "opacity within the window"),
        row(
            Allowed,
            "wp_commit_timing_manager_v1",
            1,
            "frames at a time; one that waits holds up its own surface",
        ),
        row(Allowed, "wp_content_type_manager_v1", 1, "a hint, used for nothing that others see"),
        row(Allowed, "wp_cursor_shape_manager_v1", 2, "cursors from the display domain's theme"),
        row(
            Allowed,
            "wp_fifo_manager_v1",
            1,
            "frames in order; a stuck one holds up its own surface",
        ),
        row(Allowed, "wp_fractional_scale_manager_v1", 1, "the scale to draw at"),
        row(Allowed, "wp_single_pixel_buffer_manager_v1", 1, "buffers of one colour"),
        row(Allowed, "wp_viewporter", 1, "cropping and scaling within the window"),
        row(Allowed, "xdg_wm_dialog_v1", 1, "a hint about the domain's own windows"),
        row(Allowed, "zwp_pointer_gestures_v1", 3, "gestures over the domain's own windows"),
        row(Allowed, "zwp_relative_pointer_manager_v1", 1, "motion over the domain's own windows"),
        row(
            Allowed,
            "zwp_tablet_manager_v2",
            1,
            "tablets over the domain's own windows; names the devices",
        ),
        row(
            Allowed,
            "zwp_text_input_manager_v3",
            1,
            "input methods, for the window that has the focus",
        ),
        row(Allowed, "zxdg_output_manager_v1", 3, "where outputs lie"),
        row(
            Virtualised,
            "wl_data_device_manager",
            3,
            "the clipboard and drags end at the domain; across domains only by a person's keystroke",
        ),
        row(Virtualised, "wp_presentation", 2, "times are moved to the domain's clock by the link"),
        row(Virtualised, "xdg_activation_v1", 1, "tokens of a domain are good for its own windows"),
        row(Virtualised, "zwp_idle_inhibit_manager_v1", 1, "counts only while the surface is seen"),
        row(
            Virtualised,
            "zwp_keyboard_shortcuts_inhibit_manager_v1",
            1,
            "only where a person consents, until taken back",
        ),
        row(
            Virtualised,
            "zwp_pointer_constraints_v1",
            1,
            "only where a person consents, until taken back",
        ),
        whole(
            Virtualised,
            "zwp_primary_selection_device_manager_v1",
            1,
            "the primary selection ends at the domain",
        ),
        whole(
            Virtualised,
            "zxdg_decoration_manager_v1",
            1,
            "the answer is always the display domain's frame",
        ),
        row(Virtualised, "zxdg_exporter_v2", 1, "handles of a domain's windows are good within it"),
        row(
            Virtualised,
            "zxdg_importer_v2",
            1,
            "knows the handles of the domain's own windows only",
        ),
        whole(
            Denied,
            "ext_data_control_manager_v1",
            1,
            "reads and sets the clipboard without a window",
        ),
        whole(Denied, "ext_foreign_toplevel_list_v1", 1, "lists the windows of all domains"),
        whole(Denied, "ext_idle_notifier_v1", 2, "tells when a person is away"),
        whole(Denied, "ext_image_copy_capture_manager_v1", 1, "reads the screen"),
        whole(Denied, "ext_output_image_capture_source_manager_v1", 1, "reads the screen"),
        whole(Denied, "ext_session_lock_manager_v1", 1, "covers the screen and takes passwords"),
        whole(Denied, "wp_security_context_manager_v1", 1, "opens sockets for other programs"),
        whole(
            Denied,
            "zwlr_data_control_manager_v1",
            2,
            "reads and sets the clipboard without a window",
        ),
        whole(
            Denied,
            "zwlr_foreign_toplevel_manager_v1",
            3,
            "lists and steers the windows of all domains",
        ),
        whole(Denied, "zwlr_layer_shell_v1", 4, "draws without a frame, above windows"),
        whole(Denied, "zwlr_output_manager_v1", 3, "changes outputs"),
        whole(Denied, "zwlr_screencopy_manager_v1", 3, "reads the screen"),
        whole(Denied, "zwlr_virtual_pointer_manager_v1", 2, "clicks in windows of others"),
        whole(Denied, "zwp_input_method_manager_v2", 1, "reads and writes what is typed"),
        whole(Denied, "zwp_virtual_keyboard_manager_v1", 1, "types into windows of others"),
    ]
};

/// The protocol of this interface.
pub fn protocol(interface: &str) -> Option<&'static Protocol> {
    PROTOCOLS.iter().find(|protocol| protocol.interface == interface)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_protocol_stands_in_the_table_once_and_in_order() {
        let order = |protocol: &Protocol| (protocol.class, protocol.interface);
        for pair in PROTOCOLS.windows(2) {
            assert!(order(&pair[0]) < order(&pair[1]), "{}", pair[1].interface);
        }
        for protocol in PROTOCOLS {
            assert!(protocol.version > 0 && !protocol.why.is_empty());
        }
    }
}
