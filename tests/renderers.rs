//! The same scenes drawn by the processor and by OpenGL ES, here Mesa's llvmpipe.

use fixture::{App, Display, Pattern};
use hyper_dmabuf_compositor::config::{Config, RendererChoice};
use hyper_dmabuf_compositor::image::{Image, distance};

const ORANGE: u32 = 0xf08020;
const TEAL: u32 = 0x108080;

/// How far a colour of a pixel may be off, of 255, and how many pixels of a thousand may be farther
/// off: at the edges of what is scaled, where the two sample differently.
const TOLERANCE: u8 = 2;
const EXCEPTIONS: usize = 0;

/// What is seen of a scene, by Pixman and by OpenGL ES.
fn both(
    output: &str,
    change: impl Fn(&mut Config),
    scene: impl Fn(&Display) -> Image,
) -> [Image; 2] {
    [RendererChoice::Pixman, RendererChoice::Gles].map(|renderer| {
        let display = Display::start_with("64x64", &["work", "personal"], |config| {
            config.outputs = vec![output.parse().expect("an output")];
            config.renderer = renderer;
            change(config);
        });
        scene(&display)
    })
}

fn assert_alike(name: &str, [pixman, gles]: &[Image; 2], exceptions: usize) {
    assert_eq!((pixman.width(), pixman.height()), (gles.width(), gles.height()));
    let (beyond, most) = distance(pixman, gles, TOLERANCE);
    let pixels = (pixman.width() * pixman.height()) as usize;
    eprintln!(
        "{name}: {beyond} of {pixels} pixels differ by more than {TOLERANCE}, at most by {most}"
    );
    if beyond * 1000 > exceptions * pixels {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/screenshots");
        std::fs::create_dir_all(directory).unwrap();
        for (renderer, image) in [("pixman", pixman), ("gles", gles)] {
            image.write(format!("{directory}/{name}-{renderer}.png").as_ref()).unwrap();
        }
        panic!(
            "{name} looks otherwise by OpenGL ES: {beyond} pixels, by up to {most}; see {directory}"
        );
    }
}

/// Windows of two domains, one with a popup.
fn windows(display: &Display) -> Image {
    let mut work = App::connect(display, "work");
    let mut personal = App::connect(display, "personal");
    let one = work.window("Accounts", 240, 160, Pattern::Squares(ORANGE));
    let _popup = work.popup(&one, (150, 90), (120, 100), Pattern::Gradient);
    let _other = personal.window("Holidays", 240, 160, Pattern::Gradient);
    display.screenshot()
}

#[test]
fn windows_without_scaling() {
    assert_alike("unscaled", &both("640x320", |_| {}, windows), EXCEPTIONS);
}

#[test]
fn windows_of_a_staged_domain() {
    let staged = |config: &mut Config| config.domains.iter_mut().for_each(|one| one.staged = true);
    assert_alike("staged", &both("640x320", staged, windows), EXCEPTIONS);
}

#[test]
fn windows_on_a_turned_output() {
    for transform in ["90", "180", "flipped-270"] {
        let output = format!("640x640,transform={transform}");
        assert_alike("turned", &both(&output, |_| {}, windows), EXCEPTIONS);
    }
}

#[test]
fn a_program_draws_again_and_again() {
    let scene = |display: &Display| {
        let mut app = App::connect(display, "work");
        let mut window = app.window("Changing", 200, 100, Pattern::Squares(TEAL));
        display.screenshot();
        app.draw(&mut window, Pattern::Gradient);
        display.screenshot();
        app.draw(&mut window, Pattern::Squares(ORANGE));
        display.screenshot()
    };
    assert_alike("again", &both("300x200", |_| {}, scene), EXCEPTIONS);
}

#[test]
fn windows_that_are_scaled() {
    for (output, scale) in [("420x260", 1.0), ("630x390,scale=1.5", 1.5), ("840x520,scale=2", 2.0)]
    {
        let scene = |display: &Display| {
            let mut app = App::connect(display, "work");
            let once = app.window("At one", 161, 71, Pattern::Gradient);
            let _twice = app.window_drawn_at("At two", (161, 71), 2.0, Pattern::Gradient);
            let _told = app.window_drawn_at("As told", (161, 71), scale, Pattern::Squares(TEAL));
            let _popup = app.popup(&once, (40, 40), (90, 51), Pattern::Gradient);
            display.screenshot()
        };
        assert_alike(&format!("scale-{scale}"), &both(output, |_| {}, scene), 5);
    }
}
