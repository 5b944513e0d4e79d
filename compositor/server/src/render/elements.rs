//! The list of everything that is drawn, topmost first: the one place that decides what is seen.

use smithay::{
    backend::renderer::{
        ImportAll, ImportMem, Renderer,
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
    render::{
        cursor::{CursorLook, CursorView},
        frame_decoration::FrameTheme,
    },
    shell::{hit::fills_screen, layers::Panels, lock::Lock, popups, window::Window},
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
    /// Who has locked the session: then nothing else is seen.
    pub lock: Option<&'a Lock>,
    /// The colour behind all windows.
    pub background: Colour,
    /// The size of the output.
    pub output: Size<i32, Logical>,
    /// The cursor, where one is drawn.
    pub cursor: Option<CursorView<'a>>,
}

/// Everything to draw on an output of scale one, topmost first.
pub fn build<R>(renderer: &mut R, scene: &Scene<'_>) -> Vec<OutputElement<R>>
where
    R: Renderer + ImportAll + ImportMem,
    R::TextureId: Clone + Send + 'static,
{
    let mut elements = Vec::new();
    if let Some(cursor) = &scene.cursor {
        push_cursor(renderer, cursor, &mut elements);
    }
    if let Some(lock) = scene.lock {
        if let Some(surface) = lock.surface() {
            let all = Rectangle::from_size(scene.output);
            push_surface(renderer, surface, all.loc, all, &mut elements);
        }
        return elements;
    }
    push_panels(renderer, scene, Layer::Overlay, &mut elements);
    let below_windows = if fills_screen(scene.windows) {
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
    for panel in scene.panels.shown(layer) {
        for popup in panel.popups() {
            push_surface(renderer, &popup.surface, popup.surface_location, popup.area, elements);
        }
        let location = panel.area().loc;
        push_surface(
            renderer,
            panel.wl_surface(),
            location,
            Rectangle::from_size(scene.output),
            elements,
        );
    }
}

fn push_windows<R>(renderer: &mut R, scene: &Scene<'_>, elements: &mut Vec<OutputElement<R>>)
where
    R: Renderer + ImportAll + ImportMem,
    R::TextureId: Clone + Send + 'static,
{
    for window in scene.windows.iter().rev().filter(|window| window.is_visible()) {
        push_popups(renderer, scene.output, window, elements);
        if window.has_frame() {
            push_frame(renderer, scene, window, elements);
        }
        let client = window.client_area();
        let origin = client.loc - window.surface().geometry().loc;
        push_surface(renderer, window.wl_surface(), origin, client, elements);
    }
}

/// The popups of a window, each with a thin border when it belongs to a domain.
fn push_popups<R>(
    renderer: &mut R,
    output: Size<i32, Logical>,
    window: &Window,
    elements: &mut Vec<OutputElement<R>>,
) where
    R: Renderer + ImportAll + ImportMem,
    R::TextureId: Clone + Send + 'static,
{
    let border = window.origin().domain().map(|domain| domain.colour.to_renderer());
    for popup in popups::placed(window, output) {
        if let Some(colour) = border {
            for (id, area) in popup.border_ids().into_iter().zip(popups::border(popup.area)) {
                elements.push(OutputElement::Solid(SolidColorRenderElement::new(
                    id,
                    physical(area),
                    CommitCounter::default(),
                    colour,
                    Kind::Unspecified,
                )));
            }
        }
        push_surface(renderer, &popup.surface, popup.surface_location, popup.area, elements);
    }
}

fn push_frame<R>(
    renderer: &mut R,
    scene: &Scene<'_>,
    window: &Window,
    elements: &mut Vec<OutputElement<R>>,
) where
    R: Renderer + ImportAll + ImportMem,
    R::TextureId: Clone + Send + 'static,
{
    let parts = window.frame().parts(scene.theme, window.client_area());
    let (bar, location) = parts.bar;
    let location = location.to_f64().to_physical(1.0);
    match MemoryRenderBufferRenderElement::from_buffer(
        renderer,
        location,
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
    for (side, location) in parts.sides {
        let location = location.to_physical(1);
        elements.push(
            SolidColorRenderElement::from_buffer(side, location, 1.0, 1.0, Kind::Unspecified)
                .into(),
        );
    }
}

/// The cursor and what is dragged with it. Both are cut off at a modest size: a client that could
/// make its cursor as large as the screen could show anything on it.
fn push_cursor<R>(renderer: &mut R, cursor: &CursorView<'_>, elements: &mut Vec<OutputElement<R>>)
where
    R: Renderer + ImportAll + ImportMem,
    R::TextureId: Clone + Send + 'static,
{
    match cursor.look() {
        CursorLook::Hidden => {}
        CursorLook::Arrow(arrow) => {
            let location = cursor.location.to_f64().to_physical(1.0);
            let kind = Kind::Cursor;
            match MemoryRenderBufferRenderElement::from_buffer(
                renderer, location, arrow, None, None, None, kind,
            ) {
                Ok(element) => elements.push(element.into()),
                Err(error) => tracing::error!(?error, "cannot draw the cursor"),
            }
        }
        CursorLook::Surface { surface, area } => {
            push_surface(renderer, surface, area.loc, area, elements);
        }
    }
    if let Some((icon, area)) = cursor.dragged() {
        push_surface(renderer, icon, area.loc, area, elements);
    }
}

/// A client's surface and all below it, cut off at `area`: no client draws outside its window.
fn push_surface<R>(
    renderer: &mut R,
    surface: &WlSurface,
    location: Point<i32, Logical>,
    area: Rectangle<i32, Logical>,
    elements: &mut Vec<OutputElement<R>>,
) where
    R: Renderer + ImportAll + ImportMem,
    R::TextureId: Clone + 'static,
{
    let drawn: Vec<WaylandSurfaceRenderElement<R>> = render_elements_from_surface_tree(
        renderer,
        surface,
        location.to_physical(1),
        1.0,
        1.0,
        Kind::Unspecified,
    );
    elements.extend(
        drawn
            .into_iter()
            .filter_map(|element| CropRenderElement::from_element(element, 1.0, physical(area)))
            .map(|element| OutputElement::Client(Lenient(element))),
    );
}

fn physical(area: Rectangle<i32, Logical>) -> Rectangle<i32, Physical> {
    area.to_physical(1)
}

/// A client's pixels. If they cannot be drawn (a buffer that vanished under us, a scale beyond
/// what the renderer computes with), they alone are missing, and the rest of the picture is drawn.
pub struct Lenient<E>(E);

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

    fn geometry(&self, scale: Scale<f64>) -> Rectangle<i32, Physical> {
        self.0.geometry(scale)
    }

    fn location(&self, scale: Scale<f64>) -> Point<i32, Physical> {
        self.0.location(scale)
    }

    fn transform(&self) -> Transform {
        self.0.transform()
    }

    fn damage_since(
        &self,
        scale: Scale<f64>,
        commit: Option<CommitCounter>,
    ) -> DamageSet<i32, Physical> {
        self.0.damage_since(scale, commit)
    }

    fn opaque_regions(&self, scale: Scale<f64>) -> OpaqueRegions<i32, Physical> {
        self.0.opaque_regions(scale)
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
