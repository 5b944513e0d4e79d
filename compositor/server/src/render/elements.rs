//! The list of everything that is drawn, topmost first: the one place that decides what is seen.

use smithay::{
    backend::renderer::{
        Color32F, ImportAll, ImportMem, Renderer,
        element::{
            Element, Id, Kind, RenderElement, UnderlyingStorage,
            memory::{MemoryRenderBuffer, MemoryRenderBufferRenderElement},
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
    client::{ClientOrigin, origin_of_surface},
    colour::Colour,
    outputs::OutputId,
    render::{
        cursor::{CursorLook, CursorView},
        frame_decoration::{FrameStyle, FrameTheme},
        identity_bar::{self, IdentityBar},
    },
    shell::{
        covering::{self, FramesBelow},
        layers::Panels,
        lock::Lock,
        popups::{self, PlacedPopup},
        window::Window,
    },
    xwayland::unmanaged::Unmanaged,
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
    /// Menus and tooltips of X11 programs, lowest first.
    pub unmanaged: &'a [Unmanaged],
    /// Panels, wallpapers and launchers.
    pub panels: &'a Panels,
    /// The look of frames.
    pub theme: &'a FrameTheme,
    /// A window fills the output: most panels are below it.
    pub full_screen: bool,
    /// The identity bar, where it is shown.
    pub identity_bar: Option<&'a IdentityBar>,
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

    /// The popup of a window under a point, else the window itself, frame and all.
    fn part_under(
        &self,
        window: &Window,
        popups: &[PlacedPopup],
        point: Point<f64, Logical>,
    ) -> Option<Rectangle<i32, Logical>> {
        let mut areas =
            popups.iter().map(|popup| popup.area).chain([window.outer_area(self.theme)]);
        areas.find(|area| area.to_f64().contains(point))
    }

    /// The frames of others that a window's popups are not to cover.
    fn frames_below(
        &self,
        window: &Window,
        below: &[Window],
        popups: &[PlacedPopup],
    ) -> FramesBelow<Physical> {
        let areas = popups.iter().map(|popup| self.pixels(popup.area));
        covering::frames_below(window, below, areas, self.popup_border(), |window| {
            let client = self.pixels(window.client_area());
            let style = window.frame_style(self.theme);
            let outer = match style {
                FrameStyle::None => client,
                _ => window.frame().parts(self.theme, style, self.scale, client).outer,
            };
            (outer, client)
        })
    }

    /// The width of the border around a domain's popups.
    fn popup_border(&self) -> i32 {
        self.distance((popups::BORDER, 0).into()).x.max(1)
    }

    /// The surfaces that clients have lent to the cursor, and where they lie: the cursor's own look,
    /// and what is dragged with it.
    fn lent(&self) -> impl Iterator<Item = (&WlSurface, Rectangle<i32, Physical>)> {
        let cursor = self.cursor.as_ref();
        let greatest = |tip, size| {
            Rectangle::new(self.point(tip), self.pixels(Rectangle::from_size(size)).size)
        };
        let look = cursor.and_then(|cursor| match cursor.look(self.scale) {
            CursorLook::Surface { surface, hotspot, size } => {
                let mut area = greatest(cursor.location, size);
                area.loc -= self.distance(hotspot);
                Some((surface, area))
            }
            CursorLook::Hidden | CursorLook::Image { .. } => None,
        });
        let dragged = cursor.and_then(|cursor| {
            let (icon, size) = cursor.dragged()?;
            Some((icon, greatest(cursor.location, size)))
        });
        look.into_iter().chain(dragged)
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
    push_identity_bar(renderer, scene, &mut elements);
    push_panels(renderer, scene, Layer::Overlay, &mut elements);
    let below_windows = if scene.full_screen {
        [Layer::Top, Layer::Bottom, Layer::Background].as_slice()
    } else {
        push_panels(renderer, scene, Layer::Top, &mut elements);
        &[Layer::Bottom, Layer::Background]
    };
    push_unmanaged(renderer, scene, &mut elements);
    push_windows(renderer, scene, &mut elements);
    for layer in below_windows {
        push_panels(renderer, scene, *layer, &mut elements);
    }
    elements
}

/// The identity bar lies above all that programs show, local ones too.
fn push_identity_bar<R>(renderer: &mut R, scene: &Scene<'_>, elements: &mut Vec<OutputElement<R>>)
where
    R: Renderer + ImportAll + ImportMem,
    R::TextureId: Clone + Send + 'static,
{
    let Some(area) = identity_bar::area(scene.theme, scene.area) else { return };
    let place = scene.pixels(area);
    let bar = scene.identity_bar.and_then(|bar| bar.pixels(place.size, scene.scale));
    if let Some(bar) = bar {
        push_memory(renderer, bar, place.loc, Kind::Unspecified, elements);
    }
}

/// Pixels of our own.
fn push_memory<R>(
    renderer: &mut R,
    pixels: &MemoryRenderBuffer,
    location: Point<i32, Physical>,
    kind: Kind,
    elements: &mut Vec<OutputElement<R>>,
) where
    R: Renderer + ImportAll + ImportMem,
    R::TextureId: Clone + Send + 'static,
{
    let location = location.to_f64();
    match MemoryRenderBufferRenderElement::from_buffer(
        renderer, location, pixels, None, None, None, kind,
    ) {
        Ok(element) => elements.push(element.into()),
        Err(error) => tracing::error!(?error, "something of our own cannot be drawn"),
    }
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

/// They lie above all windows: what belongs to one of them is not told.
fn push_unmanaged<R>(renderer: &mut R, scene: &Scene<'_>, elements: &mut Vec<OutputElement<R>>)
where
    R: Renderer + ImportAll + ImportMem,
    R::TextureId: Clone + Send + 'static,
{
    for window in scene.unmanaged.iter().rev() {
        let pixels = scene.pixels(window.area());
        push_surface(renderer, scene, window.wl_surface(), pixels.loc, pixels, elements);
    }
}

fn push_windows<R>(renderer: &mut R, scene: &Scene<'_>, elements: &mut Vec<OutputElement<R>>)
where
    R: Renderer + ImportAll + ImportMem,
    R::TextureId: Clone + Send + 'static,
{
    let mut tip = scene.cursor.as_ref().map(|cursor| cursor.location);
    let windows = scene.windows.iter().enumerate().rev();
    for (number, window) in windows.filter(|(_, window)| window.is_visible()) {
        let popups = popups::placed(window, scene.smallest_output);
        let frames = scene.frames_below(window, &scene.windows[..number], &popups);
        if let Some(own) = tip.and_then(|tip| scene.part_under(window, &popups, tip)) {
            push_lent(renderer, scene, window, own, &frames, elements);
            tip = None;
        }
        push_popups(renderer, scene, window, &popups, &frames, elements);
        let pixels = scene.pixels(window.client_area());
        let style = window.frame_style(scene.theme);
        if style != FrameStyle::None {
            push_frame(renderer, scene, window, style, pixels, elements);
        }
        let origin = pixels.loc - scene.distance(window.geometry().loc);
        push_surface(renderer, scene, window.wl_surface(), origin, pixels, elements);
    }
}

/// The popups of a window, each with a thin border when it belongs to a domain, and cut off at these frames.
fn push_popups<R>(
    renderer: &mut R,
    scene: &Scene<'_>,
    window: &Window,
    popups: &[PlacedPopup],
    frames: &FramesBelow<Physical>,
    elements: &mut Vec<OutputElement<R>>,
) where
    R: Renderer + ImportAll + ImportMem,
    R::TextureId: Clone + Send + 'static,
{
    let border = window.origin().domain().map(|domain| domain.colour().to_renderer().into());
    for popup in popups {
        let pixels = scene.pixels(popup.area);
        if let Some(colour) = border {
            let sides = popups::border(pixels, scene.popup_border());
            for (id, side) in popup.border_ids().into_iter().zip(sides) {
                for part in frames.leave(side) {
                    elements.push(solid(id.clone(), part, CommitCounter::default(), colour));
                }
            }
        }
        let origin = pixels.loc - scene.distance(popup.area.loc - popup.surface_location);
        for part in frames.leave(pixels) {
            push_surface(renderer, scene, &popup.surface, origin, part, elements);
        }
    }
}

fn push_frame<R>(
    renderer: &mut R,
    scene: &Scene<'_>,
    window: &Window,
    style: FrameStyle,
    client: Rectangle<i32, Physical>,
    elements: &mut Vec<OutputElement<R>>,
) where
    R: Renderer + ImportAll + ImportMem,
    R::TextureId: Clone + Send + 'static,
{
    let parts = window.frame().parts(scene.theme, style, scene.scale, client);
    if let Some((bar, location)) = parts.bar {
        // If it fails, the border is still drawn, and still tells the domain.
        push_memory(renderer, bar, location, Kind::Unspecified, elements);
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
    match cursor.look(scene.scale) {
        CursorLook::Hidden => {}
        CursorLook::Image { image, hotspot } => {
            push_memory(renderer, image, tip - hotspot, Kind::Cursor, elements);
        }
        CursorLook::Surface { .. } => {}
    }
    // What a domain has lent is drawn with its window.
    for (surface, area) in scene.lent() {
        if origin_of_surface(surface) == Some(ClientOrigin::Local) {
            let kind = Kind::Cursor;
            push_surface_of(kind, renderer, scene, surface, area.loc, area, elements);
        }
    }
}

/// What a domain has lent to the cursor, over a window of its own. It is cut off where that window
/// ends and lies below all that lies above the window: it is never seen over what belongs to others.
fn push_lent<R>(
    renderer: &mut R,
    scene: &Scene<'_>,
    window: &Window,
    own: Rectangle<i32, Logical>,
    frames: &FramesBelow<Physical>,
    elements: &mut Vec<OutputElement<R>>,
) where
    R: Renderer + ImportAll + ImportMem,
    R::TextureId: Clone + Send + 'static,
{
    let own = scene.pixels(own);
    for (surface, area) in scene.lent() {
        let is_its = origin_of_surface(surface).as_ref() == Some(window.origin());
        let seen = area.intersection(own).filter(|_| is_its);
        for part in seen.map(|seen| frames.leave(seen)).unwrap_or_default() {
            push_surface(renderer, scene, surface, area.loc, part, elements);
        }
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
