//! The compositor: everything that lives as long as it runs, and how it begins.

use std::{
    collections::{BTreeSet, HashMap},
    io,
    os::{fd::AsFd, unix::net::UnixStream},
    sync::Arc,
};

use hyper_dmabuf::{domain::DomainId, grant::ForeignMemory};
use smithay::{
    desktop::{PopupGrab, PopupManager},
    input::{Seat, SeatState},
    reexports::{
        calloop::{
            Interest, LoopHandle, LoopSignal, Mode, PostAction, RegistrationToken, generic::Generic,
        },
        wayland_protocols::xdg::{
            decoration::zv1::server::zxdg_decoration_manager_v1::ZxdgDecorationManagerV1,
            shell::server::{xdg_surface::XdgSurface, xdg_toplevel::WmCapabilities},
        },
        wayland_server::{
            Client, Display, DisplayHandle,
            backend::ObjectId,
            protocol::{wl_shm::Format, wl_surface::WlSurface},
        },
    },
    utils::{Clock, Logical, Monotonic, Point},
    wayland::{
        alpha_modifier::AlphaModifierState,
        commit_timing::CommitTimingManagerState,
        compositor::CompositorState,
        content_type::ContentTypeState,
        cursor_shape::CursorShapeManagerState,
        fifo::FifoManagerState,
        foreign_toplevel_list::ForeignToplevelListState,
        fractional_scale::FractionalScaleManagerState,
        idle_inhibit::IdleInhibitManagerState,
        idle_notify::IdleNotifierState,
        input_method::InputMethodManagerState,
        keyboard_shortcuts_inhibit::KeyboardShortcutsInhibitState,
        output::OutputManagerState,
        pointer_constraints::PointerConstraintsState,
        pointer_gestures::PointerGesturesState,
        presentation::PresentationState,
        relative_pointer::RelativePointerManagerState,
        security_context::SecurityContextState,
        selection::{
            data_device::DataDeviceState, ext_data_control,
            primary_selection::PrimarySelectionState, wlr_data_control,
        },
        session_lock::SessionLockManagerState,
        shell::wlr_layer::WlrLayerShellState,
        shell::xdg::dialog::XdgDialogState,
        shell::xdg::{XdgShellState, decoration::XdgDecorationState},
        shm::ShmState,
        single_pixel_buffer::SinglePixelBufferState,
        tablet_manager::TabletManagerState,
        text_input::TextInputManagerState,
        viewporter::ViewporterState,
        virtual_keyboard::VirtualKeyboardManagerState,
        xdg_activation::XdgActivationState,
        xwayland_shell::XWaylandShellState,
    },
};
use smithay_hyper_dmabuf::HyperDmabufState;

#[cfg(feature = "drm")]
use smithay::wayland::drm_syncobj::DrmSyncobjState;

#[cfg(feature = "drm")]
use crate::handlers::explicit_sync;
use crate::{
    backend::{Backend, BackendError, BackendKind},
    child::Surroundings,
    client::{ClientOrigin, ClientState, Party, is_trusted},
    config::Config,
    control::logging::SetFilter,
    domain::Domains,
    guests::Guests,
    handlers::{SelectionOwners, TextCommits, commit_timing::TimedCommits, dmabuf::OfferedDmabufs},
    keyboard::{self, KeyboardError},
    outputs::Outputs,
    protocols::{
        self, capture::Captures, foreign_toplevel::ForeignToplevels,
        output_management::OutputManagement, xdg_foreign::Exports,
    },
    reload::ReadConfig,
    render::{
        cursor::Cursor, cursor_theme::CursorTheme, frame_decoration::FrameTheme,
        identity_bar::IdentityBar, text::Fonts,
    },
    shell::{homes::Homes, labels, layers::Panels, lock::Lock, stack::WindowStack},
    trust::{
        account::Counted,
        consent::Consents,
        crossing::Crossing,
        gate::{OlderVersions, newest_of},
        notes::Notes,
    },
    xwayland::Xwayland,
};

/// Bytes of events that a client may leave unread beside what its socket holds, before it is cut
/// off: 1 MiB, as Mutter and KWin allow. wayland-backend's own 4 KiB would cut off a guest whose link
/// is merely busy.
const MOST_UNREAD: usize = 1 << 20;

/// The compositor.
pub struct State {
    /// As it was configured.
    pub config: Config,
    /// The event loop that everything runs in.
    pub loop_handle: LoopHandle<'static, State>,
    /// Ends the event loop.
    pub loop_signal: Option<LoopSignal>,
    /// Changes what is logged, where the program lets it.
    pub(crate) set_log_filter: Option<SetFilter>,
    /// Reads the configuration again, where it came from something that can be.
    pub(crate) read_config: Option<ReadConfig>,
    /// What programs get that shortcuts start, where they may.
    pub(crate) surroundings: Option<Surroundings>,
    /// Smithay's handle on all clients.
    pub display_handle: DisplayHandle,
    /// The domains whose windows are shown.
    pub domains: Domains,
    /// All windows.
    pub windows: WindowStack,
    pub(crate) guests: Guests,
    /// X11 programs of the display domain.
    pub(crate) xwayland: Xwayland,
    /// Let clients commit a buffer before they have acknowledged the first configure. Only for
    /// WLCS, whose own client does so up to version 1.5.
    pub forgive_unconfigured_buffers: bool,
    pub(crate) clock: Clock<Monotonic>,
    pub(crate) protocols: Protocols,
    pub(crate) older_versions: OlderVersions,
    pub(crate) seat: Seat<State>,
    pub(crate) panels: Panels,
    /// Where a device last said that the pointer is, though it may be held elsewhere.
    pub(crate) pointer_at: Point<f64, Logical>,
    /// Who held the pointer when a person took it back.
    pub(crate) pointer_taken_from: Option<Party>,
    /// Who had the shortcuts when a person took them back.
    pub(crate) shortcuts_taken_from: Option<Party>,
    /// Keys whose press did something here, so that no program hears of their release.
    pub(crate) shortcut_keys: Vec<u32>,
    /// Keys that are held, but of which a program that has lost the keyboard heard that they are
    /// not; so no program hears of their release.
    pub(crate) keys_let_go: Vec<u32>,
    /// Who has the keyboard, but for a menu that has grabbed it.
    pub(crate) keyboard_goes_to: Option<WlSurface>,
    /// The menu that grabbed keyboard and pointer last.
    pub(crate) popup_grab: Option<PopupGrab<State>>,
    /// Who has locked the session, if somebody has.
    pub(crate) lock: Option<Lock>,
    /// Surfaces whose clients say that somebody is there.
    pub(crate) idle_inhibitors: Vec<WlSurface>,
    /// Whether those are seen is to be looked at again.
    pub(crate) idle_inhibition_due: bool,
    pub(crate) text_commits: TextCommits,
    pub(crate) popups: PopupManager,
    /// Something that is seen changed since the pointer's focus was last looked at.
    pub(crate) scene_changed: bool,
    /// Where the pointer is. Kept here, since Smithay cannot be asked while it moves the pointer.
    pub(crate) pointer_location: Point<f64, Logical>,
    /// The surface under the pointer, and where it lies, as its client was told.
    pub(crate) pointer_focus: Option<(WlSurface, Point<f64, Logical>)>,
    /// The fingers that are down.
    pub(crate) fingers: BTreeSet<u32>,
    pub(crate) selections: SelectionOwners,
    /// What is on its way from one domain to another.
    pub(crate) crossing: Crossing,
    pub(crate) captures: Captures,
    pub(crate) foreign_toplevels: ForeignToplevels,
    /// Windows that programs let others put dialogues over.
    pub(crate) exports: Exports,
    pub(crate) cursor: Cursor,
    pub(crate) timed_commits: TimedCommits,
    pub(crate) theme: FrameTheme,
    /// What text is drawn in.
    pub(crate) fonts: Fonts,
    pub(crate) font_arrivals: RegistrationToken,
    pub(crate) identity_bar: IdentityBar,
    /// Who has the focus may have changed, or what is known of it.
    pub(crate) identity_bar_due: bool,
    pub(crate) notes: Notes,
    pub(crate) consents: Consents,
    pub(crate) backend: Backend,
    /// All outputs.
    pub outputs: Outputs,
    /// Windows that are away from their outputs.
    pub(crate) homes: Homes,
    /// Another terminal has the screen, so that nothing is drawn.
    pub(crate) shown_elsewhere: bool,
    /// The `xdg_surface` whose request is being handled; Smithay does not hand it on.
    pub(crate) xdg_surface_in_request: Option<XdgSurface>,
    /// How many rectangles each region of each client was made of.
    pub(crate) region_rectangles: HashMap<ObjectId, u32>,
    /// Bytes of `wl_shm` buffers that the renderer has had to copy.
    pub(crate) bytes_uploaded: u64,
    /// Windows that were ever placed; sets where the next one without room goes.
    pub(crate) placed_windows: usize,
}

/// Smithay's state of each protocol.
pub(crate) struct Protocols {
    pub(crate) compositor: CompositorState,
    pub(crate) shm: ShmState,
    pub(crate) dmabuf: OfferedDmabufs,
    #[cfg(feature = "drm")]
    pub(crate) explicit_sync: Option<DrmSyncobjState>,
    pub(crate) hyper_dmabuf: HyperDmabufState,
    pub(crate) xdg_shell: XdgShellState,
    pub(crate) activation: XdgActivationState,
    pub(crate) xwayland_shell: XWaylandShellState,
    pub(crate) foreign_toplevel_list: ForeignToplevelListState,
    pub(crate) shortcuts_inhibit: KeyboardShortcutsInhibitState,
    pub(crate) layer_shell: WlrLayerShellState,
    pub(crate) session_lock: SessionLockManagerState,
    pub(crate) idle_notifier: IdleNotifierState<State>,
    pub(crate) output_management: OutputManagement,
    pub(crate) seat: SeatState<State>,
    pub(crate) data_device: DataDeviceState,
    pub(crate) primary_selection: PrimarySelectionState,
    pub(crate) ext_data_control: ext_data_control::DataControlState,
    pub(crate) wlr_data_control: wlr_data_control::DataControlState,
    /// Never looked at again: each only has to live as long as its global.
    _kept: KeptProtocols,
}

struct KeptProtocols {
    _decoration: XdgDecorationState,
    _outputs: OutputManagerState,
    _viewporter: ViewporterState,
    _single_pixel: SinglePixelBufferState,
    _fractional_scale: FractionalScaleManagerState,
    _presentation: PresentationState,
    _cursor_shape: CursorShapeManagerState,
    _relative_pointer: RelativePointerManagerState,
    _commit_timing: CommitTimingManagerState,
    _fifo: FifoManagerState,
    _idle_inhibit: IdleInhibitManagerState,
    _pointer_constraints: PointerConstraintsState,
    _pointer_gestures: PointerGesturesState,
    _tablet: TabletManagerState,
    _content_type: ContentTypeState,
    _alpha_modifier: AlphaModifierState,
    _dialog: XdgDialogState,
    _text_input: TextInputManagerState,
    _input_method: InputMethodManagerState,
    _virtual_keyboard: VirtualKeyboardManagerState,
    _security_context: SecurityContextState,
}

/// Why the compositor cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The back end cannot start.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The keyboard cannot be described to clients.
    #[error(transparent)]
    Keyboard(#[from] KeyboardError),
    /// The event loop cannot be set up.
    #[error("cannot set up the event loop: {0}")]
    EventLoop(io::Error),
    /// The Wayland display cannot be made.
    #[error("cannot make a Wayland display: {0}")]
    Display(String),
}

impl State {
    /// Begin, within an event loop. No socket is opened: see [`State::insert_client`].
    pub fn new(
        config: Config,
        kind: BackendKind,
        loop_handle: LoopHandle<'static, State>,
        display: Display<State>,
    ) -> Result<State, StartError> {
        let handle = display.handle();
        handle.set_default_max_buffer_size(MOST_UNREAD);
        let (mut backend, found) = Backend::start(kind, &config, &loop_handle)?;
        let show_cursor = config.cursor.unwrap_or_else(|| backend.shows_cursor());
        // Pictures without a screen are the same on every machine, unless a theme is asked for.
        let cursor_theme = match &config.cursor_theme {
            Some(name) => Some(CursorTheme::new(name, config.cursor_size)),
            None => (!matches!(backend, Backend::Headless(_))).then(CursorTheme::of_environment),
        };
        let clock = Clock::<Monotonic>::new();
        let mut seat_state = SeatState::new();
        let seat = keyboard::new_seat(&mut seat_state, &handle, &config.keyboard)?;
        let primary_selection = PrimarySelectionState::new::<State>(&handle);
        let protocols = Protocols {
            compositor: CompositorState::new_v6::<State>(&handle),
            shm: ShmState::new::<State>(
                &handle,
                [Format::Abgr8888, Format::Xbgr8888, Format::Argb2101010, Format::Xrgb2101010],
            ),
            #[cfg(feature = "drm")]
            explicit_sync: explicit_sync::offer(&handle, backend.timeline_device()),
            dmabuf: OfferedDmabufs::new(&handle, backend.dmabuf_formats(), backend.dmabuf_device()),
            hyper_dmabuf: HyperDmabufState::new::<State>(&handle, DomainId::DISPLAY)
                .map_err(StartError::EventLoop)?,
            xdg_shell: XdgShellState::new_with_capabilities::<State>(
                &handle,
                [WmCapabilities::Fullscreen, WmCapabilities::Maximize, WmCapabilities::Minimize],
            ),
            layer_shell: WlrLayerShellState::new_with_filter::<State, _>(&handle, is_trusted),
            session_lock: SessionLockManagerState::new::<State, _>(&handle, is_trusted),
            idle_notifier: IdleNotifierState::new(&handle, loop_handle.clone()),
            activation: XdgActivationState::new::<State>(&handle),
            xwayland_shell: XWaylandShellState::new::<State>(&handle),
            foreign_toplevel_list: ForeignToplevelListState::new_with_filter::<State>(
                &handle, is_trusted,
            ),
            shortcuts_inhibit: KeyboardShortcutsInhibitState::new::<State>(&handle),
            output_management: OutputManagement::new(&handle),
            seat: seat_state,
            data_device: DataDeviceState::new::<State>(&handle),
            ext_data_control: ext_data_control::DataControlState::new::<State, _>(
                &handle,
                Some(&primary_selection),
                is_trusted,
            ),
            wlr_data_control: wlr_data_control::DataControlState::new::<State, _>(
                &handle,
                Some(&primary_selection),
                is_trusted,
            ),
            primary_selection,
            _kept: KeptProtocols {
                _decoration: XdgDecorationState::new_with_filter::<State, _>(
                    &handle,
                    newest_of::<ZxdgDecorationManagerV1>(),
                ),
                _outputs: OutputManagerState::new_with_xdg_output::<State>(&handle),
                _viewporter: ViewporterState::new::<State>(&handle),
                _single_pixel: SinglePixelBufferState::new::<State>(&handle),
                _fractional_scale: FractionalScaleManagerState::new::<State>(&handle),
                _presentation: PresentationState::new::<State>(&handle, clock.id() as u32),
                _cursor_shape: CursorShapeManagerState::new::<State>(&handle),
                _relative_pointer: RelativePointerManagerState::new::<State>(&handle),
                _commit_timing: CommitTimingManagerState::new::<State>(&handle),
                _fifo: FifoManagerState::new::<State>(&handle),
                _idle_inhibit: IdleInhibitManagerState::new::<State>(&handle),
                _pointer_constraints: PointerConstraintsState::new::<State>(&handle),
                _pointer_gestures: PointerGesturesState::new::<State>(&handle),
                _tablet: TabletManagerState::new::<State>(&handle),
                _content_type: ContentTypeState::new::<State>(&handle),
                _alpha_modifier: AlphaModifierState::new::<State>(&handle),
                _dialog: XdgDialogState::new::<State>(&handle),
                _text_input: TextInputManagerState::new::<State>(&handle),
                _input_method: InputMethodManagerState::new::<State, _>(&handle, is_trusted),
                _virtual_keyboard: VirtualKeyboardManagerState::new::<State, _>(
                    &handle, is_trusted,
                ),
                _security_context: SecurityContextState::new::<State, _>(&handle, is_trusted),
            },
        };
        protocols::offer(&handle);
        dispatch_clients_in(&loop_handle, display).map_err(StartError::EventLoop)?;
        let (fonts, font_arrivals) =
            labels::fonts(&config, &loop_handle).map_err(StartError::EventLoop)?;
        let (name, renderer) = (backend.name(), backend.renderer_name());
        tracing::info!(backend = name, renderer, outputs = found.len(), "started");
        let mut state = State {
            domains: Domains::from_config(&config),
            theme: config.frame_theme(),
            fonts,
            font_arrivals,
            outputs: Outputs::default(),
            homes: Homes::default(),
            shown_elsewhere: false,
            config,
            loop_handle,
            loop_signal: None,
            set_log_filter: None,
            read_config: None,
            surroundings: None,
            display_handle: handle,
            windows: WindowStack::default(),
            guests: Guests::default(),
            xwayland: Xwayland::default(),
            forgive_unconfigured_buffers: false,
            clock,
            protocols,
            older_versions: OlderVersions::default(),
            seat,
            panels: Panels::default(),
            pointer_at: Point::default(),
            pointer_taken_from: None,
            shortcuts_taken_from: None,
            shortcut_keys: Vec::new(),
            keys_let_go: Vec::new(),
            keyboard_goes_to: None,
            popup_grab: None,
            lock: None,
            idle_inhibitors: Vec::new(),
            idle_inhibition_due: false,
            text_commits: TextCommits::default(),
            popups: PopupManager::default(),
            scene_changed: true,
            pointer_location: Point::default(),
            pointer_focus: None,
            fingers: BTreeSet::new(),
            selections: SelectionOwners::default(),
            crossing: Crossing::default(),
            captures: Captures::default(),
            foreign_toplevels: ForeignToplevels::default(),
            exports: Exports::default(),
            cursor: Cursor::new(show_cursor, cursor_theme),
            timed_commits: TimedCommits::default(),
            identity_bar: IdentityBar::default(),
            identity_bar_due: true,
            notes: Notes::default(),
            consents: Consents::default(),
            backend,
            xdg_surface_in_request: None,
            region_rectangles: HashMap::new(),
            bytes_uploaded: 0,
            placed_windows: 0,
        };
        state.offer_older_versions();
        for output in found {
            state.add_output(output);
        }
        Ok(state)
    }

    /// Let a client in that is connected by this stream.
    pub fn insert_client(
        &mut self,
        stream: UnixStream,
        origin: ClientOrigin,
    ) -> io::Result<Client> {
        let tool = origin == ClientOrigin::Local;
        let socket = tool.then(|| stream.as_fd().try_clone_to_owned()).transpose()?;
        let data = ClientState::new(origin, None);
        let data = match socket {
            Some(socket) => data.watched(socket),
            None => data,
        };
        self.display_handle.insert_client(stream, Arc::new(data))
    }

    /// Let a guest's program in, whose grant references refer to `memory`.
    pub fn insert_guest(
        &mut self,
        stream: UnixStream,
        origin: ClientOrigin,
        memory: Arc<dyn ForeignMemory>,
    ) -> io::Result<Client> {
        let data = Arc::new(ClientState::new(origin, Some(memory)));
        if !data.begin(Counted::Client) {
            data.end(Counted::Client);
            return Err(io::Error::other(Counted::Client.too_many()));
        }
        self.display_handle.insert_client(stream, data)
    }

    /// What has to happen at the end of every turn of the event loop.
    pub fn end_turn(&mut self) {
        self.popups.cleanup();
        self.tend_xwayland();
        self.refresh_pointer_focus();
        if std::mem::take(&mut self.idle_inhibition_due) {
            self.refresh_idle_inhibition();
        }
        self.pass_on_texts();
        self.refresh_foreign_toplevels();
        self.await_timed_commits();
        self.redraw_if_queued();
        self.answer_captures();
        // After drawing, which may have let go of the last frame of a buffer.
        self.protocols.hyper_dmabuf.refresh();
        if let Err(error) = self.display_handle.flush_clients() {
            tracing::warn!(%error, "cannot send to clients");
        }
    }

    /// What clients share by ID.
    pub fn hyper_dmabuf(&self) -> &HyperDmabufState {
        &self.protocols.hyper_dmabuf
    }

    /// How many pictures were drawn since the start.
    pub fn pictures_drawn(&self) -> u64 {
        self.outputs.iter().map(|view| view.pictures_since_start).sum()
    }
}

/// Read clients' requests whenever there are some.
fn dispatch_clients_in(
    loop_handle: &LoopHandle<'static, State>,
    mut display: Display<State>,
) -> io::Result<()> {
    let readable = display.backend().poll_fd().try_clone_to_owned()?;
    let source = Generic::new(readable, Interest::READ, Mode::Level);
    loop_handle
        .insert_source(source, move |_, _, state| {
            state.handle_requests(|state| display.dispatch_clients(state))?;
            Ok(PostAction::Continue)
        })
        .map(|_| ())
        .map_err(|error| io::Error::other(error.to_string()))
}
