//! Cursor shapes. The shape is kept for a back end that shows a cursor.

use smithay::{
    backend::input::TabletToolDescriptor, delegate_cursor_shape, input::pointer::CursorImageStatus,
    wayland::tablet_manager::TabletSeatHandler,
};

use crate::state::State;

// Smithay ties cursor shapes to tablets as well.
impl TabletSeatHandler for State {
    fn tablet_tool_image(&mut self, _tool: &TabletToolDescriptor, image: CursorImageStatus) {
        self.cursor = image;
    }
}

delegate_cursor_shape!(State);
