//! What is tried on the machine, in this order.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

use super::machine::Machine;
use super::picture::Picture;
use crate::demo::{self, GUESTS, Shows, until};

/// Where Mesa is, for the environment of who needs it.
pub(super) const MESA: &str = "LD_LIBRARY_PATH=/shared/mesa LIBGL_DRIVERS_PATH=/shared/mesa/dri \
                               __EGL_VENDOR_LIBRARY_DIRS=/shared/mesa/vendors";
/// How long one thing may take.
const PATIENCE: Duration = Duration::from_secs(240);

pub(crate) struct Scenario<'a> {
    pub(super) machine: Machine,
    run: &'a Path,
    expected: &'a Path,
}

/// What is asked of the compositor's windows.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Window {
    domain: Option<String>,
    pub(super) app_id: String,
    pub(super) mapped: bool,
    /// With its frame.
    pub(super) frame: Geometry,
    /// What its program draws.
    pub(super) geometry: Geometry,
}

/// What is asked of its outputs.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Output {
    name: String,
    on: bool,
    width: i32,
    geometry: Geometry,
    pub(super) pictures: u64,
    pub(super) cursor_plane: bool,
    pub(super) direct_surfaces: u32,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Geometry {
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) width: i32,
    pub(super) height: i32,
}

impl<'a> Scenario<'a> {
    pub(crate) fn new(machine: Machine, run: &'a Path, expected: &'a Path) -> Scenario<'a> {
        Scenario { machine, run, expected }
    }

    pub(crate) fn compositor_log(&mut self) -> String {
        self.machine.shell.attempt("cat /run/compositor.log").map_or(String::new(), |(log, _)| log)
    }

    pub(crate) fn play(&mut self) -> anyhow::Result<()> {
        type Part<'a> = (&'static str, fn(&mut Scenario<'a>) -> anyhow::Result<()>);
        let parts: [Part<'a>; 17] = [
            ("the screen shows what the headless back end shows", Self::the_same_picture),
            ("input devices are there before they are used", Self::finds_devices),
            ("nothing is drawn while nothing changes", Self::rests),
            ("keys arrive", Self::keys),
            ("the tablet's pen lands at every scale", Self::scales),
            ("a guest's foot is typed into and clicked", Self::typing_in_a_guest),
            ("modes, turning, off and on", Self::settings),
            ("everything stands still for seconds, as when the machine sleeps", Self::stands_still),
            ("another terminal and back", Self::terminals),
            ("pens, touchpads and touch screens", Self::devices),
            ("an output is plugged, and its window stays within reach", Self::plugs),
            ("GPUs are plugged and unplugged, the first one, too", Self::gpus),
            ("it ends when asked, and gives the screen back", Self::ends),
            ("OpenGL ES shows the same, into the GPU's own buffers", Self::opengl),
            ("a window waits for its program's timeline, and nobody else does", Self::timelines),
            ("a window waits for the fence of its dma-buf, and nobody else does", Self::fences),
            ("cursors and clients' buffers have planes of their own", Self::planes),
        ];
        let mut passed = 0;
        let count = parts.len();
        for (name, part) in parts {
            let begun = Instant::now();
            let done = part(self).with_context(|| format!("FAILED: {name}"));
            if done.is_ok() {
                println!("test {name} ... ok ({:.1} s)", begun.elapsed().as_secs_f64());
                passed += 1;
            } else {
                println!("test {name} ... FAILED");
                println!("test result: FAILED. {passed} passed; {} failed;", count - passed);
                return done;
            }
        }
        println!("test result: ok. {passed} passed; 0 failed;");
        Ok(())
    }

    /// Until something is so, in the machine's time.
    pub(super) fn until<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut(&mut Self) -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        until(Instant::now() + PATIENCE, what, || {
            self.machine.alive()?;
            look(self)
        })
    }

    pub(super) fn windows(&mut self) -> anyhow::Result<Vec<Window>> {
        let text = self.machine.shell.run("hyper-dmabufctl --json windows")?;
        serde_json::from_str(&text).with_context(|| format!("no windows: {text}"))
    }

    pub(super) fn outputs(&mut self) -> anyhow::Result<Vec<Output>> {
        let text = self.machine.shell.run("hyper-dmabufctl --json outputs")?;
        serde_json::from_str(&text).with_context(|| format!("no outputs: {text}"))
    }

    fn frame_of(&mut self, domain: &str) -> anyhow::Result<Geometry> {
        let windows = self.windows()?;
        let found = windows.into_iter().find(|window| window.domain.as_deref() == Some(domain));
        found.map(|window| window.frame).with_context(|| format!("{domain} has no window"))
    }

    /// What the screen at a connector of the first GPU shows.
    pub(super) fn seen(&mut self, connector: u8) -> anyhow::Result<Picture> {
        self.seen_of("gpu", connector)
    }

    fn seen_of(&mut self, gpu: &str, connector: u8) -> anyhow::Result<Picture> {
        let file = self.picture("seen.ppm");
        self.machine.monitor.screendump(gpu, connector, &file)?;
        Picture::read_ppm(&file)
    }

    fn picture(&self, name: &str) -> PathBuf {
        self.run.join(name)
    }

    /// Until the first screen looks like this.
    fn until_seen(&mut self, expected: &Picture, what: &str) -> anyhow::Result<()> {
        let mut differing = 0;
        let result = self.until(what, |scenario| {
            differing = scenario.seen(0)?.different_from(expected);
            Ok((differing == 0).then_some(()))
        });
        result.with_context(|| format!("{differing} pixels differ in seen.ppm"))
    }

    /// Starts the compositor, and the two guests.
    fn show(&mut self, renderer: &str, environment: &str) -> anyhow::Result<()> {
        // Without a cursor, which the headless back end does not draw.
        self.machine.shell.run("echo 'cursor = false' > /run/config.toml")?;
        self.machine.shell.run(
            "echo 'device = [{ kind = \"touchpad\", natural_scroll = true }]' >> /run/config.toml",
        )?;
        self.start(renderer, environment)?;
        for (name, shows) in GUESTS {
            let Shows::Picture(file) = shows else { bail!("{name} shows no picture") };
            let file = Path::new(file).file_name().context("a picture has a name")?;
            self.machine.shell.run(&format!(
                "picture --link shm:/run/{name} --still /pictures/{} > /run/{name}.log 2>&1 &",
                file.display()
            ))?;
            self.until(&format!("{name} shows its window"), |scenario| {
                let windows = scenario.windows()?;
                let shown = windows
                    .iter()
                    .any(|window| window.mapped && window.domain.as_deref() == Some(name));
                Ok(shown.then_some(()))
            })?;
        }
        Ok(())
    }

    /// Starts the compositor by `/run/config.toml`.
    pub(super) fn start(&mut self, renderer: &str, environment: &str) -> anyhow::Result<()> {
        let domains: Vec<String> =
            GUESTS.iter().map(|(name, _)| format!("--domain {name}=shm:/run/{name}")).collect();
        self.machine.shell.run(&format!(
            "{environment} hyper-dmabuf-compositor --backend drm --renderer {renderer} \
             --config /run/config.toml --socket screen {} > /run/compositor.log 2>&1 &",
            domains.join(" ")
        ))?;
        self.until("the compositor answers", |scenario| {
            let (_, answers) = scenario.machine.shell.attempt("hyper-dmabufctl outputs")?;
            let (_, runs) = scenario.machine.shell.attempt("pidof hyper-dmabuf-compositor")?;
            ensure!(runs || answers, "the compositor has ended");
            Ok(answers.then_some(()))
        })
    }

    /// Asks the compositor to end, until it has.
    pub(super) fn end_compositor(&mut self) -> anyhow::Result<()> {
        self.machine.shell.run("kill $(pidof hyper-dmabuf-compositor)")?;
        self.until("it has ended", |scenario| {
            let (_, runs) = scenario.machine.shell.attempt("pidof hyper-dmabuf-compositor")?;
            Ok((!runs).then_some(()))
        })
    }

    /// What the compositor says it shows, after `hyper-dmabufctl screenshot /shared/told.png`.
    pub(super) fn told(&self) -> anyhow::Result<Picture> {
        Picture::read_png(&self.run.join("shared/told.png"))
    }

    fn the_same_picture(&mut self) -> anyhow::Result<()> {
        self.unplug_gpu("card1")?;
        self.show("pixman", "")?;
        let expected = Picture::read_png(self.expected)?;
        self.until_seen(&expected, "the screen shows the same")?;
        // What it says it shows is that, too.
        self.machine.shell.run("hyper-dmabufctl screenshot /shared/told.png")?;
        ensure!(
            self.told()?.different_from(&expected) == 0,
            "its own screenshot is another picture"
        );
        Ok(())
    }

    fn finds_devices(&mut self) -> anyhow::Result<()> {
        self.says("an input device is there.*Tablet")
    }

    fn rests(&mut self) -> anyhow::Result<()> {
        let count = |scenario: &mut Self| {
            scenario.machine.shell.run(
                "grep voluntary_ctxt_switches /proc/$(pidof hyper-dmabuf-compositor)/status | head -n 1",
            )
        };
        let before = count(self)?;
        self.machine.shell.run("sleep 3")?;
        let after = count(self)?;
        ensure!(before == after, "it woke: {before} then {after}");
        Ok(())
    }

    fn keys(&mut self) -> anyhow::Result<()> {
        self.machine.shell.run("weston-eventdemo --log-key > /run/events 2>&1 &")?;
        let eventdemo = |scenario: &mut Self| -> anyhow::Result<Option<Window>> {
            Ok(scenario
                .windows()?
                .into_iter()
                .find(|window| window.domain.is_none() && window.mapped))
        };
        let window = self.until("weston-eventdemo is shown", eventdemo)?;
        self.click(window.frame.x + window.frame.width / 2, window.frame.y + 8)?;
        self.machine.monitor.keys(&["shift", "q"])?;
        // It writes what it was told when it ends: by the button of its frame.
        self.click(window.frame.x + window.frame.width - 18, window.frame.y + 14)?;
        self.until("its window is closed", |scenario| {
            Ok(eventdemo(scenario)?.is_none().then_some(()))
        })?;
        self.until("it has ended", |scenario| {
            let (_, runs) = scenario.machine.shell.attempt("pidof weston-eventdemo")?;
            Ok((!runs).then_some(()))
        })?;
        let events = self.machine.shell.run("cat /run/events")?;
        let typed = events.lines().any(|line| line.contains("unicode: 81,"));
        ensure!(typed, "a capital Q did not arrive: {events}");
        Ok(())
    }

    /// Points at a place, in pixels of windows.
    pub(super) fn point(&mut self, x: i32, y: i32) -> anyhow::Result<()> {
        let outputs = self.outputs()?;
        let shown = || outputs.iter().filter(|output| output.on).map(|output| output.geometry);
        let right = shown().map(|area| area.x + area.width).max().context("no output")?;
        let bottom = shown().map(|area| area.y + area.height).max().context("no output")?;
        self.machine
            .monitor
            .point(f64::from(x) / f64::from(right), f64::from(y) / f64::from(bottom))
    }

    pub(super) fn click(&mut self, x: i32, y: i32) -> anyhow::Result<()> {
        self.point(x, y)?;
        self.machine.monitor.button(true)?;
        self.machine.monitor.button(false)
    }

    /// Drags a window by its title bar, and sees it arrive.
    fn drag(&mut self, domain: &str, by: (i32, i32)) -> anyhow::Result<()> {
        let from = self.frame_of(domain)?;
        let (x, y) = (from.x + 80, from.y + 8);
        self.point(x, y)?;
        self.machine.monitor.button(true)?;
        self.point(x + by.0, y + by.1)?;
        self.machine.monitor.button(false)?;
        let wanted = (from.x + by.0, from.y + by.1);
        let mut seen = (from.x, from.y);
        let arrived = self.until(&format!("the window of {domain} is at {wanted:?}"), |scenario| {
            let now = scenario.frame_of(domain)?;
            seen = (now.x, now.y);
            // The tablet counts finer than pixels, but not by the same steps.
            let near = (now.x - wanted.0).abs() <= 1 && (now.y - wanted.1).abs() <= 1;
            Ok(near.then_some(()))
        });
        if arrived.is_err() {
            // For people: what is seen then.
            self.seen(0)?;
            let log = self.machine.shell.run(
                "tail -n 40 /run/compositor.log; hyper-dmabufctl windows; hyper-dmabufctl outputs",
            )?;
            println!("{log}");
        }
        arrived.with_context(|| format!("it was taken hold of at {x},{y}, and is at {seen:?}"))
    }

    fn scales(&mut self) -> anyhow::Result<()> {
        for scale in ["1.5", "2", "1"] {
            self.machine
                .shell
                .run(&format!("hyper-dmabufctl outputs Virtual-1 --scale {scale} > /dev/null"))?;
            self.drag("work", (40, 30)).with_context(|| format!("at scale {scale}"))?;
            self.drag("work", (-40, -30)).with_context(|| format!("at scale {scale}"))?;
        }
        Ok(())
    }

    fn settings(&mut self) -> anyhow::Result<()> {
        let whole = demo::SIZE;
        for setting in [
            "--size 800x600",
            "--transform 90",
            &format!("--transform normal --size {whole}"),
            "--off",
            "--on",
        ] {
            self.machine
                .shell
                .run(&format!("hyper-dmabufctl outputs Virtual-1 {setting} > /dev/null"))?;
            if setting == "--off" {
                let output = self.outputs()?.into_iter().find(|output| output.name == "Virtual-1");
                ensure!(output.is_some_and(|output| !output.on), "it is not off");
                continue;
            }
            self.machine.shell.run("hyper-dmabufctl screenshot /shared/told.png")?;
            let told = Picture::read_png(&self.run.join("shared/told.png"))?;
            let expected = if setting == "--transform 90" { told.turned_left() } else { told };
            self.until_seen(&expected, &format!("the screen shows the same with {setting}"))?;
        }
        Ok(())
    }

    /// Sleep itself the emulated GPU does not survive: Linux 6.12 cannot wake it.
    fn stands_still(&mut self) -> anyhow::Result<()> {
        let before = self.seen(0)?;
        self.machine.shell.run(
            "echo freezer > /sys/power/pm_test && echo freeze > /sys/power/state && \
             echo none > /sys/power/pm_test",
        )?;
        self.until_seen(&before, "the screen is as it was")?;
        self.move_work("40+150")?;
        self.machine.shell.run("hyper-dmabufctl screenshot /shared/told.png")?;
        let told = self.told()?;
        ensure!(told.different_from(&before) > 1000, "nothing has moved");
        self.until_seen(&told, "the screen shows what has moved")
    }

    /// Puts the window of the domain elsewhere.
    pub(super) fn move_work(&mut self, place: &str) -> anyhow::Result<()> {
        self.machine.shell.run(&format!(
            "hyper-dmabufctl move $(hyper-dmabufctl windows | sed -n 's/^\\([0-9]*\\) *work .*/\\1/p') {place}"
        ))?;
        Ok(())
    }

    fn terminals(&mut self) -> anyhow::Result<()> {
        let before = self.seen(0)?;
        self.machine.monitor.keys(&["ctrl", "alt", "f2"])?;
        self.says("another terminal is on the screen")?;
        self.says("an input device is gone.*Tablet")?;
        self.until("the console is seen", |scenario| {
            let seen = scenario.seen(0)?;
            Ok((seen.different_from(&before) > 1000).then_some(()))
        })?;
        // While it is away, a window changes.
        self.machine.shell.run("killall -9 picture")?;
        self.until("the windows are gone", |scenario| {
            Ok(scenario.windows()?.is_empty().then_some(()))
        })?;
        self.machine.shell.run("chvt 1")?;
        self.says("back on the screen")?;
        self.machine.shell.run("hyper-dmabufctl screenshot /shared/after.png")?;
        let after = Picture::read_png(&self.run.join("shared/after.png"))?;
        ensure!(after.different_from(&before) > 1000, "the windows are still there");
        self.until_seen(&after, "the screen is as it should be")
    }

    /// Until the compositor has said this.
    fn says(&mut self, text: &str) -> anyhow::Result<()> {
        self.until(&format!("it says `{text}`"), |scenario| {
            let line = format!("grep -q '{text}' /run/compositor.log");
            Ok(scenario.machine.shell.attempt(&line)?.1.then_some(()))
        })
    }

    /// What the log of input says after this was done, once it says what that ends with.
    fn told_after(&mut self, done: &str, end: &str) -> anyhow::Result<String> {
        self.machine.shell.run(&format!("> /run/told; echo {done} >&7"))?;
        self.until(&format!("{done} is told as {end}"), |scenario| {
            let text = scenario.machine.shell.run("cat /run/told")?;
            Ok(text.contains(end).then_some(text))
        })
        .or_else(|error| {
            let told = self.machine.shell.run("cat /run/told")?;
            Err(error.context(format!("it was told\n{told}")))
        })
    }

    fn devices(&mut self) -> anyhow::Result<()> {
        self.machine.shell.run(
            "mkfifo /run/commands; exec 7<>/run/commands; devices <&7 > /run/devices.log 2>&1 &",
        )?;
        for device in ["Test tablet", "Test touchpad", "Test touch screen"] {
            self.says(&format!("an input device is there.*{device}"))?;
        }
        self.machine.shell.run("input_log >> /run/told 2>&1 &")?;
        self.until("the window that logs is seen", |scenario| {
            let windows = scenario.windows()?;
            Ok(windows.iter().any(|window| window.mapped && window.domain.is_none()).then_some(()))
        })?;
        for (done, end, expected) in [
            (
                "pen",
                "ProximityOut",
                &[
                    "zwp_tablet_tool_v2 ProximityIn",
                    "zwp_tablet_tool_v2 Down",
                    "zwp_tablet_tool_v2 Pressure",
                    "zwp_tablet_tool_v2 Tilt",
                    "zwp_tablet_tool_v2 Button",
                    "zwp_tablet_tool_v2 Up",
                ][..],
            ),
            ("swipe", "swipe_v1 End", &["swipe_v1 Begin", "fingers: 3", "swipe_v1 Update"]),
            ("pinch", "pinch_v1 End", &["pinch_v1 Begin", "fingers: 2", "pinch_v1 Update"]),
            // The fingers go down, and with natural scrolling so does what is seen.
            ("scroll", "AxisStop", &["AxisSource { axis_source: Value(Finger)", "value: -"]),
            ("touch", "wl_touch Up", &["wl_touch Down", "wl_touch Motion"]),
        ] {
            let told = self.told_after(done, end)?;
            for wanted in expected {
                ensure!(told.contains(wanted), "{done}: not {wanted:?} but\n{told}");
            }
            ensure!(!told.contains("wl_pointer Button"), "{done} clicks:\n{told}");
        }
        self.machine.shell.run("exec 7>&-; killall input_log devices")?;
        self.says("an input device is gone.*Test tablet")?;
        self.until("its window is gone", |scenario| {
            Ok(scenario.windows()?.is_empty().then_some(()))
        })
    }

    fn plugs(&mut self) -> anyhow::Result<()> {
        let plug = |scenario: &mut Self, state: &str| {
            scenario.machine.shell.run(&format!(
                "echo {state} > /sys/class/drm/card0-Virtual-2/status; \
                 udevadm trigger --action=change /dev/dri/card0"
            ))
        };
        plug(self, "on")?;
        let second = self.until("the second output is there", |scenario| {
            let outputs = scenario.outputs()?;
            Ok(outputs.into_iter().find(|output| output.name == "Virtual-2" && output.on))
        })?;
        self.machine
            .shell
            .run("picture --link shm:/run/work --still /pictures/cat.png > /run/work.log 2>&1 &")?;
        self.until("a window is shown", |scenario| {
            Ok(scenario.windows()?.first().is_some_and(|window| window.mapped).then_some(()))
        })?;
        // Slowly over the edge, so that it lands on the second output.
        let by = second.geometry.x + 20 - self.frame_of("work")?.x;
        self.drag("work", (by, 20))?;
        self.machine
            .shell
            .run("hyper-dmabufctl screenshot --output Virtual-2 /shared/second.png")?;
        let expected = Picture::read_png(&self.run.join("shared/second.png"))?;
        ensure!(expected.width == second.width as usize, "its picture has another size");
        let mut differing = 0;
        self.until("the second screen shows the window", |scenario| {
            differing = scenario.seen(1)?.different_from(&expected);
            Ok((differing == 0).then_some(()))
        })
        .with_context(|| format!("{differing} pixels differ"))?;
        plug(self, "off")?;
        self.until("the window is back within reach", |scenario| {
            let frame = scenario.frame_of("work")?;
            let gone = scenario.outputs()?.iter().all(|output| output.name != "Virtual-2");
            Ok((gone && frame.x + frame.width <= second.geometry.x).then_some(()))
        })
    }

    /// Takes a GPU away, as if it were pulled out.
    pub(super) fn unplug_gpu(&mut self, card: &str) -> anyhow::Result<()> {
        self.machine
            .shell
            .run(&format!(
                "device=$(readlink -f /sys/class/drm/{card}/device); \
                 echo 1 > ${{device%/virtio*}}/remove"
            ))
            .map(drop)
    }

    /// Brings back those that were taken away.
    fn plug_gpus(&mut self) -> anyhow::Result<()> {
        self.machine.shell.run("echo 1 > /sys/bus/pci/rescan").map(drop)
    }

    fn gpus(&mut self) -> anyhow::Result<()> {
        let first = "Virtual-1";
        let second = |scenario: &mut Self| {
            scenario.until("the second GPU has an output", |scenario| {
                let mut outputs = scenario.outputs()?.into_iter();
                Ok(outputs.find(|output| output.name != first && output.on))
            })
        };
        let is_on = |frame: Geometry, output: &Output| {
            (output.geometry.x..output.geometry.x + output.geometry.width).contains(&frame.x)
        };
        self.plug_gpus()?;
        let there = second(self)?;
        let (x, y) = (there.geometry.x + 60, there.geometry.y + 80);
        self.machine.shell.run(&format!(
            "hyper-dmabufctl move $(hyper-dmabufctl windows | sed -n 's/^\\([0-9]*\\) .*/\\1/p') {x}+{y}"
        ))?;
        self.seen_on_second(&there.name)?;
        self.unplug_gpu("card1")?;
        self.until("its window is on the first GPU", |scenario| {
            let frame = scenario.frame_of("work")?;
            Ok((!is_on(frame, &there)).then_some(()))
        })?;
        self.plug_gpus()?;
        let there = second(self)?;
        self.until("its window is back", |scenario| {
            let frame = scenario.frame_of("work")?;
            Ok(is_on(frame, &there).then_some(()))
        })?;
        self.unplug_gpu("card0")?;
        self.until("only the second GPU is left", |scenario| {
            Ok(scenario.outputs()?.iter().all(|output| output.name == there.name).then_some(()))
        })?;
        self.seen_on_second(&there.name)?;
        self.plug_gpus()?;
        self.until("the first GPU is back", |scenario| {
            Ok(scenario.outputs()?.iter().any(|output| output.name == first).then_some(()))
        })?;
        self.unplug_gpu("card1")
    }

    /// Until the second GPU shows what is said to be on this output.
    fn seen_on_second(&mut self, output: &str) -> anyhow::Result<()> {
        let mut differing = 0;
        self.until("the second GPU shows its window", |scenario| {
            scenario
                .machine
                .shell
                .run(&format!("hyper-dmabufctl screenshot --output {output} /shared/second.png"))?;
            let told = Picture::read_png(&scenario.run.join("shared/second.png"))?;
            differing = scenario.seen_of("second", 0)?.different_from(&told);
            Ok((differing == 0).then_some(()))
        })
        .with_context(|| format!("{differing} pixels differ"))
    }

    fn ends(&mut self) -> anyhow::Result<()> {
        self.end_compositor()?;
        self.says("asked to end")
    }

    fn opengl(&mut self) -> anyhow::Result<()> {
        self.show("gles", MESA)?;
        let expected = Picture::read_png(self.expected)?;
        self.until_seen(&expected, "the screen shows the same")?;
        self.machine.monitor.keys(&["ctrl", "alt", "f2"])?;
        self.says("another terminal is on the screen")?;
        self.machine.shell.run("chvt 1")?;
        self.until_seen(&expected, "the screen shows the same again")
    }
}
