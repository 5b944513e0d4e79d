//! The list of everything that is drawn, topmost first: the one place that decides what is seen.

use smithay::{
    backend::renderer::{
        Color32F, ImportAll, ImportMem, Renderer,
        element::{
            Element, Id, Kind, RenderElement, UnderlyingStorage,
            memory::MemoryRenderBufferRenderElement,
            render_elements,
            solid::SolidColorRenderElement,
            surface::{WaylandSurfaceRenderElement, render_elements_from_surface_tree},
            utils::CropRenderElement,
        },
        utils::{CommitCounter, DamageSet, OpaqueRegions},
    },
    reexports::wayland_server::protocol::wl_surface::WlSurface,
    utils::{Buffer, Logical, Physical, Point, Rectangle, Scale, Size, Transform},
    wayland::shell::wlr_layer::Layer,
};

use crate::{
    colour::Colour,
    outputs::OutputId,
    render::{
        cursor::{CursorLook, CursorView},
        frame_decoration::FrameTheme,
    },
    shell::{layers::Panels, lock::Lock, popups, window::Window},
};

render_elements! {
    /// One thing to draw on an output.
    // The macro takes no documentation for variants.
    #[allow(missing_docs)]
    pub OutputElement<R> where R: ImportAll + ImportMem;
    Client=Lenient<CropRenderElement<WaylandSurfaceRenderElement<R>>>,
    Memory=MemoryRenderBufferRenderElement<R>,
    Solid=SolidColorRenderElement,
}

/// What is to be drawn, borrowed from the state for one picture.
pub struct Scene<'a> {
    /// The windows, lowest first.
    pub windows: &'a [Window],
    /// Panels, wallpapers and launchers.
    pub panels: &'a Panels,
    /// The look of frames.
    pub theme: &'a FrameTheme,
    /// A window fills the output: most panels are below it.
    pub full_screen: bool,
    /// Who has locked the session: then nothing else is seen.
    pub lock: Option<&'a Lock>,
    /// Which output.
    pub output: OutputId,
    /// The colour behind all windows.
    pub background: Colour,
    /// Where the output lies, in pixels of windows.
    pub area: Rectangle<i32, Logical>,
    /// Pixels of the output to one of a window's.
    pub scale: f64,
    /// The width and height of the smallest output: popups of domains are smaller.
    pub smallest_output: Size<i32, Logical>,
    /// The cursor, where one is drawn.
    pub cursor: Option<CursorView<'a>>,
}

impl Scene<'_> {
    /// Where a point is among the output's pixels.
    fn point(&self, point: Point<f64, Logical>) -> Point<i32, Physical> {
        (point - self.area.loc.to_f64()).to_physical(self.scale).to_i32_round()
    }

    /// A distance in the output's pixels.
    fn distance(&self, distance: Point<i32, Logical>) -> Point<i32, Physical> {
        distance.to_f64().to_physical(self.scale).to_i32_round()
    }

    /// An area in the output's pixels. Its size does not depend on where it lies.
    fn pixels(&self, area: Rectangle<i32, Logical>) -> Rectangle<i32, Physical> {
        let size = area.size.to_f64().to_physical(self.scale).to_i32_round();
        Rectangle::new(self.point(area.loc.to_f64()), size)
    }
}

/// Everything to draw on an output, topmost first, in its pixels: what shows it is to think of scale
/// one.
pub fn build<R>(renderer: &mut R, scene: &Scene<'_>) -> Vec<OutputElement<R>>
where
    R: Renderer + ImportAll + ImportMem,
    R::TextureId: Clone + Send + 'static,
{
    let mut elements = Vec::new();
    if let Some(cursor) = &scene.cursor {
        push_cursor(renderer, scene, cursor, &mut elements);
    }
    if let Some(lock) = scene.lock {
        if let Some(surface) = lock.surface(scene.output) {
            let all = scene.pixels(scene.area);
            push_surface(renderer, scene, surface, all.loc, all, &mut elements);
        }
        return elements;
    }
    push_panels(renderer, scene, Layer::Overlay, &mut elements);
    let below_windows = if scene.full_screen {
        [Layer::Top, Layer::Bottom, Layer::Background].as_slice()
    } else {
        push_panels(renderer, scene, Layer::Top, &mut elements);
        &[Layer::Bottom, Layer::Background]
    };
    push_windows(renderer, scene, &mut elements);
    for layer in below_windows {
        push_panels(renderer, scene, *layer, &mut elements);
    }
    elements
}

/// The panels of a layer, each with its popups.
fn push_panels<R>(
    renderer: &mut R,
    scene: &Scene<'_>,
    layer: Layer,
    elements: &mut Vec<OutputElement<R>>,
) where
    R: Renderer + ImportAll + ImportMem,
    R::TextureId: Clone + Send + 'static,
{
    for panel in scene.panels.shown(layer).filter(|panel| panel.output() == scene.output) {
        for popup in panel.popups() {
            let pixels = scene.pixels(popup.area);
            let origin = pixels.loc - scene.distance(popup.area.loc - popup.surface_location);
            push_surface(renderer, scene, &popup.surface, origin, pixels, elements);
        }
        let location = scene.pixels(panel.area()).loc;
        let all = scene.pixels(scene.area);
        push_surface(renderer, scene, panel.wl_surface(), location, all, elements);
    }
}

fn push_windows<R>(renderer: &mut R, scene: &Scene<'_>, elements: &mut Vec<OutputElement<R>>)
where
    R: Renderer + ImportAll + ImportMem,
    R::TextureId: Clone + Send + 'static,
{
    for window in scene.windows.iter().rev().filter(|window| window.is_visible()) {
        push_popups(renderer, scene, window, elements);
        let pixels = scene.pixels(window.client_area());
        if window.has_frame() {
            push_frame(renderer, scene, window, pixels, elements);
        }
        let origin = pixels.loc - scene.distance(window.surface().geometry().loc);
        push_surface(renderer, scene, window.wl_surface(), origin, pixels, elements);
    }
}

/// The popups of a window, each with a thin border when it belongs to a domain.
fn push_popups<R>(
    renderer: &mut R,
    scene: &Scene<'_>,
    window: &Window,
    elements: &mut Vec<OutputElement<R>>,
) where
    R: Renderer + ImportAll + ImportMem,
    R::TextureId: Clone + Send + 'static,
{
    let border = window.origin().domain().map(|domain| domain.colour.to_renderer().into());
    for popup in popups::placed(window, scene.smallest_output) {
        let pixels = scene.pixels(popup.area);
        if let Some(colour) = border {
            let width = scene.distance((popups::BORDER, 0).into()).x.max(1);
            for (id, side) in popup.border_ids().into_iter().zip(popups::border(pixels, width)) {
                elements.push(solid(id, side, CommitCounter::default(), colour));
            }
        }
        let origin = pixels.loc - scene.distance(popup.area.loc - popup.surface_location);
        push_surface(renderer, scene, &popup.surface, origin, pixels, elements);
    }
}

fn push_frame<R>(
    renderer: &mut R,
    scene: &Scene<'_>,
    window: &Window,
    client: Rectangle<i32, Physical>,
    elements: &mut Vec<OutputElement<R>>,
) where
    R: Renderer + ImportAll + ImportMem,
    R::TextureId: Clone + Send + 'static,
{
    let parts = window.frame().parts(scene.theme, scene.scale, client);
    if let Some((bar, location)) = parts.bar {
        match MemoryRenderBufferRenderElement::from_buffer(
            renderer,
            location.to_f64(),
            bar,
            None,
            None,
            None,
            Kind::Unspecified,
        ) {
            Ok(element) => elements.push(element.into()),
            // The border is still drawn, and still tells the domain.
            Err(error) => tracing::error!(?error, "cannot draw the title bar of a window"),
        }
    }
    for (id, area) in parts.sides {
        elements.push(solid(id, area, parts.colour.1, parts.colour.0));
    }
}

/// The cursor and what is dragged with it. Both are cut off at a modest size: a client that could
/// make its cursor as large as the screen could show anything on it.
fn push_cursor<R>(
    renderer: &mut R,
    scene: &Scene<'_>,
    cursor: &CursorView<'_>,
    elements: &mut Vec<OutputElement<R>>,
) where
    R: Renderer + ImportAll + ImportMem,
    R::TextureId: Clone + Send + 'static,
{
    let tip = scene.point(cursor.location);
    let greatest = |size| Rectangle::new(tip, scene.pixels(Rectangle::from_size(size)).size);
    match cursor.look(scene.scale) {
        CursorLook::Hidden => {}
        CursorLook::Image { image, hotspot } => {
            match MemoryRenderBufferRenderElement::from_buffer(
                renderer,
                (tip - hotspot).to_f64(),
                image,
                None,
                None,
                None,
                Kind::Cursor,
            ) {
                Ok(element) => elements.push(element.into()),
                Err(error) => tracing::error!(?error, "cannot draw the cursor"),
            }
        }
        CursorLook::Surface { surface, hotspot, size } => {
            let mut area = greatest(size);
            area.loc -= scene.distance(hotspot);
            let kind = Kind::Cursor;
            push_surface_of(kind, renderer, scene, surface, area.loc, area, elements);
        }
    }
    if let Some((icon, size)) = cursor.dragged() {
        push_surface(renderer, scene, icon, tip, greatest(size), elements);
    }
}

/// A client's surface and all below it, cut off at `area`: no client draws outside its window.
fn push_surface<R>(
    renderer: &mut R,
    scene: &Scene<'_>,
    surface: &WlSurface,
    location: Point<i32, Physical>,
    area: Rectangle<i32, Physical>,
    elements: &mut Vec<OutputElement<R>>,
) where
    R: Renderer + ImportAll + ImportMem,
    R::TextureId: Clone + 'static,
{
    let kind = Kind::Unspecified;
    push_surface_of(kind, renderer, scene, surface, location, area, elements);
}

fn push_surface_of<R>(
    kind: Kind,
    renderer: &mut R,
    scene: &Scene<'_>,
    surface: &WlSurface,
    location: Point<i32, Physical>,
    area: Rectangle<i32, Physical>,
    elements: &mut Vec<OutputElement<R>>,
) where
    R: Renderer + ImportAll + ImportMem,
    R::TextureId: Clone + 'static,
{
    let drawn: Vec<WaylandSurfaceRenderElement<R>> =
        render_elements_from_surface_tree(renderer, surface, location, scene.scale, 1.0, kind);
    elements.extend(
        drawn
            .into_iter()
            .filter_map(|element| CropRenderElement::from_element(element, scene.scale, area))
            .map(|element| OutputElement::Client(Lenient(element, scene.scale.into()))),
    );
}

fn solid<R>(
    id: Id,
    area: Rectangle<i32, Physical>,
    commit: CommitCounter,
    colour: Color32F,
) -> OutputElement<R>
where
    R: Renderer + ImportAll + ImportMem,
{
    SolidColorRenderElement::new(id, area, commit, colour, Kind::Unspecified).into()
}

/// A client's pixels, at a scale of their own: everything else is in the output's pixels already. If
/// they cannot be drawn (a buffer that vanished under us, a scale beyond what the renderer computes
/// with), they alone are missing, and the rest of the picture is drawn.
pub struct Lenient<E>(E, Scale<f64>);

impl<E: Element> Element for Lenient<E> {
    fn id(&self) -> &Id {
        self.0.id()
    }

    fn current_commit(&self) -> CommitCounter {
        self.0.current_commit()
    }

    fn src(&self) -> Rectangle<f64, Buffer> {
        self.0.src()
    }

    fn geometry(&self, _scale: Scale<f64>) -> Rectangle<i32, Physical> {
        self.0.geometry(self.1)
    }

    fn location(&self, _scale: Scale<f64>) -> Point<i32, Physical> {
        self.0.location(self.1)
    }

    fn transform(&self) -> Transform {
        self.0.transform()
    }

    fn damage_since(
        &self,
        _scale: Scale<f64>,
        commit: Option<CommitCounter>,
    ) -> DamageSet<i32, Physical> {
        self.0.damage_since(self.1, commit)
    }

    fn opaque_regions(&self, _scale: Scale<f64>) -> OpaqueRegions<i32, Physical> {
        self.0.opaque_regions(self.1)
    }

    fn alpha(&self) -> f32 {
        self.0.alpha()
    }

    fn kind(&self) -> Kind {
        self.0.kind()
    }
}

impl<R: Renderer, E: RenderElement<R>> RenderElement<R> for Lenient<E> {
    fn draw(
        &self,
        frame: &mut R::Frame<'_, '_>,
        src: Rectangle<f64, Buffer>,
        dst: Rectangle<i32, Physical>,
        damage: &[Rectangle<i32, Physical>],
        opaque_regions: &[Rectangle<i32, Physical>],
    ) -> Result<(), R::Error> {
        if let Err(error) = self.0.draw(frame, src, dst, damage, opaque_regions) {
            tracing::debug!(?error, "a client's surface cannot be drawn and is left out");
        }
        Ok(())
    }

    fn underlying_storage(&self, renderer: &mut R) -> Option<UnderlyingStorage<'_>> {
        self.0.underlying_storage(renderer)
    }
}
