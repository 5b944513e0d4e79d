//! What local tools may do that no guest may, and that no guest may do it.

mod capture;
mod client;
mod clipboard;
mod commit_timing;
mod crossing;
mod cursors;
mod devices;
#[path = "../exchange/mod.rs"]
mod exchange;
mod floods;
mod homes;
mod identity;
mod layers;
mod limits;
mod lock;
mod nonsense;
mod outputs;
mod reload;
mod statistics;
mod surfaces;
mod texts;
mod timing;
mod titles;
mod toplevels;
mod windows;
mod xdg_foreign;

use client::{Client, server, work};

#[test]
fn only_local_tools_are_offered_what_is_theirs() {
    let mut server = server("320x240");
    let origin = work(&server);
    let guest = Client::new(&mut server, origin).offered();
    let mut theirs = Client::local(&mut server).offered();
    theirs.retain(|name| !guest.contains(name));
    theirs.sort();
    assert_eq!(
        theirs,
        [
            "ext_data_control_manager_v1",
            "ext_foreign_toplevel_list_v1",
            "ext_idle_notifier_v1",
            "ext_image_copy_capture_manager_v1",
            "ext_output_image_capture_source_manager_v1",
            "ext_session_lock_manager_v1",
            "wp_security_context_manager_v1",
            "zwlr_data_control_manager_v1",
            "zwlr_foreign_toplevel_manager_v1",
            "zwlr_layer_shell_v1",
            "zwlr_output_manager_v1",
            "zwlr_screencopy_manager_v1",
            "zwlr_virtual_pointer_manager_v1",
            "zwp_input_method_manager_v2",
            "zwp_virtual_keyboard_manager_v1",
        ]
    );
}
