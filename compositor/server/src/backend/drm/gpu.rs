//! One GPU: what draws on it, and the screens at its connectors.

use std::{collections::HashMap, path::Path};

use rustix::fs::OFlags;
use smithay::{
    backend::{
        allocator::dmabuf::Dmabuf,
        drm::{DrmDevice, DrmDeviceFd, DrmNode, NodeType},
        session::Session,
    },
    output::{Mode, Output},
    reexports::{
        calloop::{LoopHandle, RegistrationToken},
        drm::control::{Device as _, crtc},
    },
    utils::DeviceFd,
};

use super::{
    DeviceNumber, connectors, error,
    screen::{Screen, Screens},
};
use crate::{
    backend::{BackendError, FoundOutput, Rendered, drawer::Drawer},
    config::{Config, RendererChoice},
    image::Image,
    render::elements::Scene,
    state::State,
};

/// A GPU that is open.
pub(super) struct Gpu {
    pub(super) device: DrmDevice,
    pub(super) drawer: Drawer,
    pub(super) screens: HashMap<Output, Screen>,
    pub(super) events: RegistrationToken,
    /// Where clients had best make their buffers: where programs draw, if the GPU draws.
    pub(super) node: Option<DrmNode>,
    kind: Screens,
}

impl Gpu {
    pub(super) fn open(
        number: DeviceNumber,
        path: &Path,
        session: &mut impl Session,
        config: &Config,
        loop_handle: &LoopHandle<'static, State>,
    ) -> Result<Gpu, BackendError> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
        let opened = session.open(path, flags);
        let opened = opened.map_err(|_| error("may not open a GPU")(&path.display()))?;
        let descriptor = DrmDeviceFd::new(DeviceFd::from(opened));
        let (device, notifier) = DrmDevice::new(descriptor.clone(), true)
            .map_err(|e| error("cannot set modes of a GPU")(&e))?;
        let (kind, drawer) = Screens::choose(&descriptor, config.renderer)?;
        let events = loop_handle
            .insert_source(notifier, move |event, metadata, state| {
                state.gpu_event(number, event, metadata.take());
            })
            .map_err(|e| error("cannot wait for a GPU")(&e))?;
        tracing::info!(path = %path.display(), renderer = drawer.name(), "a GPU is there");
        let node = DrmNode::from_file(&descriptor).ok();
        let draws = node.and_then(|node| node.node_with_type(NodeType::Render)?.ok());
        let node = draws.or(node);
        Ok(Gpu { device, drawer, screens: HashMap::new(), events, node, kind })
    }

    /// Look which connectors have a screen.
    pub(super) fn rescan(&mut self, config: &Config) -> connectors::Difference {
        let plugged = connectors::plugged(&self.device);
        let still = |screen: &Screen| plugged.iter().any(|info| info.handle() == screen.connector);
        let gone: Vec<Output> = self
            .screens
            .iter()
            .filter(|(_, screen)| !still(screen))
            .map(|(output, _)| output.clone())
            .collect();
        // Before the new ones, which may need what drove them.
        gone.iter().for_each(|output| self.forget(output));
        let mut appeared = Vec::new();
        for info in &plugged {
            if self.screens.values().any(|screen| screen.connector == info.handle()) {
                continue;
            }
            match self.plug(info, config) {
                Ok(output) => appeared.push(output),
                Err(error) => {
                    tracing::warn!(%error, connector = connectors::name(info), "a screen is left out");
                }
            }
        }
        connectors::Difference { appeared, gone }
    }

    fn plug(
        &mut self,
        info: &smithay::reexports::drm::control::connector::Info,
        config: &Config,
    ) -> Result<FoundOutput, BackendError> {
        let failed = error("cannot drive a screen");
        let taken: Vec<crtc::Handle> = self.screens.values().map(|screen| screen.crtc).collect();
        let crtc = connectors::free_crtc(&self.device, info, &taken)
            .ok_or_else(|| failed(&"the GPU drives as many as it can"))?;
        let mode = connectors::first_mode(info, config).ok_or_else(|| failed(&"it has no mode"))?;
        let surface =
            self.device.create_surface(crtc, mode, &[info.handle()]).map_err(|e| failed(&e))?;
        let found = connectors::output(info, mode, config);
        let screen =
            self.kind.screen(&self.device, self.node, surface, &mut self.drawer, info, mode)?;
        self.screens.insert(found.output.clone(), screen);
        Ok(found)
    }

    /// Whether it can draw this dma-buf. If so, its screens may show it without that.
    pub(super) fn accepts(&mut self, dmabuf: &Dmabuf) -> bool {
        let accepted = self.drawer.accepts(dmabuf);
        if accepted {
            // Where it was made nobody says. If not here, the driver refuses it for a plane, and it is
            // drawn.
            dmabuf.set_node(self.node);
        }
        accepted
    }

    /// Whether the processor draws.
    pub(super) fn is_plain(&self) -> bool {
        self.kind.is_plain()
    }

    /// Begin afresh with a renderer, and with buffers that suit it: the screens stay what they are.
    pub(super) fn restart(&mut self, choice: RendererChoice) -> Result<(), BackendError> {
        let before = self.drawer.name();
        (self.kind, self.drawer) = Screens::choose(self.device.device_fd(), choice)?;
        tracing::warn!(before, now = self.drawer.name(), "the renderer was started again");
        let mut result = Ok(());
        for (output, screen) in std::mem::take(&mut self.screens) {
            match self.again(screen) {
                Ok(screen) => {
                    self.screens.insert(output, screen);
                }
                Err(error) => result = Err(error),
            }
        }
        result
    }

    fn again(&mut self, screen: Screen) -> Result<Screen, BackendError> {
        let failed = error("cannot drive a screen again");
        let (crtc, connector, mode) = (screen.crtc, screen.connector, screen.now());
        // It holds on to what drives it.
        drop(screen);
        let info = self.device.get_connector(connector, false).map_err(|e| failed(&e))?;
        let surface = self.device.create_surface(crtc, mode, &[connector]);
        let surface = surface.map_err(|e| failed(&e))?;
        self.kind.screen(&self.device, self.node, surface, &mut self.drawer, &info, mode)
    }

    /// The output that this drives.
    pub(super) fn output_of(&self, crtc: crtc::Handle) -> Option<Output> {
        let mut screens = self.screens.iter();
        screens.find(|(_, screen)| screen.crtc == crtc).map(|(output, _)| output.clone())
    }

    fn screen(&mut self, output: &Output) -> Result<&mut Screen, BackendError> {
        let name = output.name();
        self.screens.get_mut(output).ok_or_else(|| error("has lost the output")(&name))
    }

    pub(super) fn set_mode(&mut self, output: &Output, mode: Mode) -> Result<(), BackendError> {
        self.screen(output)?.set_mode(mode)
    }

    pub(super) fn switch(&mut self, output: &Output, on: bool) -> Result<(), BackendError> {
        self.drawer.forget(output);
        self.screen(output)?.switch(on)
    }

    pub(super) fn forget(&mut self, output: &Output) {
        self.drawer.forget(output);
        self.screens.remove(output);
    }

    pub(super) fn render(
        &mut self,
        output: &Output,
        scene: &Scene<'_>,
    ) -> Result<Rendered, BackendError> {
        if !self.device.is_active() {
            return Err(error("is not on the screen")(&"another terminal is"));
        }
        let transform = output.current_transform();
        let name = output.name();
        let screen = self.screens.get_mut(output);
        let screen = screen.ok_or_else(|| error("has lost the output")(&name))?;
        screen.render(&mut self.drawer, transform, scene)
    }

    pub(super) fn capture(
        &mut self,
        output: &Output,
        scene: &Scene<'_>,
    ) -> Result<Image, BackendError> {
        let drawn = self.drawer.draw(output, scene).and_then(|_| self.drawer.read_back(output));
        drawn.map_err(|e| error("cannot draw a picture to look at")(&e))
    }
}
