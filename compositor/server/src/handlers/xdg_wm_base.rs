//! `xdg_wm_base`, with a filter in front: which surfaces may become an `xdg_surface`. Smithay 0.7
//! lets all.

use smithay::{
    reexports::{
        wayland_protocols::xdg::shell::server::xdg_wm_base::{self, Error, XdgWmBase},
        wayland_server::{Client, DataInit, Dispatch, DisplayHandle, Resource, backend::ClientId},
    },
    wayland::{
        compositor::get_role,
        shell::xdg::{XDG_POPUP_ROLE, XDG_TOPLEVEL_ROLE, XdgShellState, XdgWmBaseUserData},
    },
};

use super::limits;
use crate::state::State;

impl Dispatch<XdgWmBase, XdgWmBaseUserData> for State {
    fn request(
        state: &mut State,
        client: &Client,
        shell: &XdgWmBase,
        request: xdg_wm_base::Request,
        data: &XdgWmBaseUserData,
        display: &DisplayHandle,
        data_init: &mut DataInit<'_, State>,
    ) {
        if let xdg_wm_base::Request::GetXdgSurface { surface, .. } = &request {
            let role = get_role(surface);
            if role.is_some_and(|role| role != XDG_TOPLEVEL_ROLE && role != XDG_POPUP_ROLE) {
                shell.post_error(Error::Role, "the surface has another role already");
                return;
            }
            if limits::has_buffer(surface) || limits::attaches_buffer(surface) {
                let message =
                    "the surface has a buffer already: attach it after the first configure";
                shell.post_error(Error::InvalidSurfaceState, message);
                return;
            }
        }
        <XdgShellState as Dispatch<XdgWmBase, XdgWmBaseUserData, State>>::request(
            state, client, shell, request, data, display, data_init,
        );
    }

    fn destroyed(state: &mut State, client: ClientId, shell: &XdgWmBase, data: &XdgWmBaseUserData) {
        <XdgShellState as Dispatch<XdgWmBase, XdgWmBaseUserData, State>>::destroyed(
            state, client, shell, data,
        );
    }
}
