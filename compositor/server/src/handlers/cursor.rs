//! Cursor shapes by name.

use smithay::{
    backend::input::TabletToolDescriptor, input::pointer::CursorImageStatus,
    wayland::tablet_manager::TabletSeatHandler,
};

use crate::state::State;

// Smithay ties cursor shapes to tablets as well.
impl TabletSeatHandler for State {
    fn tablet_tool_image(&mut self, _tool: &TabletToolDescriptor, image: CursorImageStatus) {
        self.cursor.status = image;
        self.cursor_changed();
    }
}
