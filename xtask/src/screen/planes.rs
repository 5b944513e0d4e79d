//! A screen that has planes: the kernel's own driver of one, vkms, which mixes them itself and tells a
//! checksum of what would be seen.

use anyhow::{Context, ensure};

use super::scenario::{MESA, Scenario};

/// What is told of a plane: the picture that it shows, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Plane {
    name: String,
    framebuffer: String,
    place: String,
}

/// The planes in what the kernel tells of a screen's state.
fn planes_of(state: &str) -> Vec<Plane> {
    let mut planes: Vec<Plane> = Vec::new();
    for line in state.lines() {
        if line.starts_with("plane[") {
            let name = line.split(": ").nth(1).unwrap_or_default().to_owned();
            planes.push(Plane { name, framebuffer: "0".into(), place: String::new() });
        } else if line.starts_with(|c: char| !c.is_whitespace()) {
            // What follows is not of a plane.
            if !planes.is_empty() {
                break;
            }
        } else if let Some(plane) = planes.last_mut() {
            if let Some(number) = line.trim().strip_prefix("fb=") {
                plane.framebuffer = number.to_owned();
            } else if let Some(place) = line.trim().strip_prefix("crtc-pos=") {
                plane.place = place.to_owned();
            }
        }
    }
    planes.retain(|plane| plane.framebuffer != "0");
    planes
}

impl Scenario<'_> {
    pub(super) fn planes(&mut self) -> anyhow::Result<()> {
        self.end_compositor()?;
        self.unplug_gpu("card0")?;
        self.machine.shell.run("mount -t debugfs debugfs /sys/kernel/debug")?;
        self.load_modules("planes", "enable_cursor=1 enable_overlay=1")?;
        self.cursor_moves().context("the cursor's plane")?;
        self.end_compositor()?;
        self.clients_are_shown().context("clients' planes")
    }

    /// What a program draws is seen when it says so; until then the others go on.
    pub(super) fn timelines(&mut self) -> anyhow::Result<()> {
        self.awaited("--timeline")?;
        self.until_told("picture 0 is read no more")?;
        self.awaited_no_more()
    }

    /// The same where the dma-buf has a fence, of another driver than the screen's.
    pub(super) fn fences(&mut self) -> anyhow::Result<()> {
        self.load_modules("fences", "")?;
        self.awaited("--fence")?;
        self.awaited_no_more()
    }

    fn load_modules(&mut self, list: &str, arguments: &str) -> anyhow::Result<()> {
        self.machine.shell.run(&format!(
            "while read -r module; do insmod /modules/$module.ko {arguments}; done < /modules/{list}; \
             udevadm settle"
        ))?;
        Ok(())
    }

    fn awaited(&mut self, by: &str) -> anyhow::Result<()> {
        self.start_direct(&format!("--window {by}"))?;
        for number in 0..2 {
            self.until_told(&format!("picture {number} is not drawn yet"))?;
            let before = self.outputs()?[0].pictures;
            self.move_work(&format!("{}+150", 30 + 20 * number))?;
            self.until("another window has moved", |scenario| {
                Ok((scenario.outputs()?[0].pictures > before).then_some(()))
            })?;
            let told = self.machine.shell.run("cat /run/direct")?;
            ensure!(!told.contains(&format!("picture {number} is seen")), "not awaited: {told}");
            self.machine.shell.run("echo drawn >&7")?;
            self.until_told(&format!("picture {number} is seen"))?;
            self.machine.shell.run("echo next >&7")?;
        }
        Ok(())
    }

    /// The third picture is never drawn, and its program goes.
    fn awaited_no_more(&mut self) -> anyhow::Result<()> {
        self.until_told("picture 2 is not drawn yet")?;
        self.end_direct()?;
        self.until("its window is gone", |scenario| {
            Ok((scenario.windows()?.len() == 2).then_some(()))
        })
    }

    /// Starts the program with the dma-buf, which then awaits lines.
    fn start_direct(&mut self, arguments: &str) -> anyhow::Result<()> {
        self.machine.shell.run("mkfifo /run/pictures; : > /run/direct")?;
        self.machine
            .shell
            .run(&format!(
                "direct {arguments} < /run/pictures >> /run/direct 2>&1 & exec 7> /run/pictures"
            ))
            .map(drop)
    }

    fn end_direct(&mut self) -> anyhow::Result<()> {
        self.machine.shell.run("exec 7>&-; killall direct; rm /run/pictures").map(drop)
    }

    /// Until the program has said this. All that it said.
    fn until_told(&mut self, what: &str) -> anyhow::Result<String> {
        let mut told = String::new();
        let result = self.until("a program says more", |scenario| {
            told = scenario.machine.shell.run("cat /run/direct")?;
            Ok(told.contains(what).then_some(()))
        });
        result.with_context(|| format!("not {what:?} but {told}"))?;
        Ok(told)
    }

    /// Even where the processor draws, moving the cursor draws nothing.
    fn cursor_moves(&mut self) -> anyhow::Result<()> {
        self.configure("cursor = true")?;
        self.start("pixman", MESA)?;
        // With the second picture at the latest nothing of the cursor is left in what is drawn.
        self.point(50, 100)?;
        self.until("the cursor has a plane", |scenario| {
            Ok(scenario.outputs()?.iter().any(|output| output.cursor_plane).then_some(()))
        })?;
        self.point(100, 100)?;
        let (first, checksum) = self.until("the cursor is there", |scenario| {
            let now = scenario.rested()?;
            Ok(now.0.last().is_some_and(|plane| plane.place.ends_with("+100+100")).then_some(now))
        })?;
        ensure!(first.len() == 2, "it shows {first:?}");
        self.point(300, 200)?;
        let (moved, _) = self.until("the cursor is elsewhere", |scenario| {
            let now = scenario.rested()?;
            Ok((now.0 != first && now.1 != checksum).then_some(now))
        })?;
        ensure!(moved[0] == first[0], "moving it has drawn a picture: {first:?}, then {moved:?}");
        self.point(100, 100)?;
        self.until("the screen shows what it did", |scenario| {
            Ok((scenario.rested()?.1 == checksum).then_some(()))
        })
    }

    /// The pixels of clients that a plane takes are never drawn, and seen all the same.
    fn clients_are_shown(&mut self) -> anyhow::Result<()> {
        self.configure("cursor = false")?;
        self.start("gles", MESA)?;
        for (arguments, planes) in [("", 1), ("--window", 2)] {
            self.start_direct(arguments)?;
            for number in 0..2 {
                let told = self.until_told(&format!("picture {number} is"))?;
                ensure!(
                    told.contains(&format!("picture {number} is seen by itself")),
                    "with {arguments:?}: {told}"
                );
                self.machine.shell.run("echo next >&7")?;
            }
            self.the_checksum_is_right().with_context(|| format!("with {arguments:?}"))?;
            let shown = self.planes_now()?;
            ensure!(shown.len() == planes, "with {arguments:?} it shows {shown:?}");
            let outputs = self.outputs()?;
            ensure!(outputs[0].direct_surfaces == 1, "it says otherwise: {outputs:?}");
            let told = self.machine.shell.run("cat /run/direct")?;
            ensure!(told.contains("best are buffers for the screen"), "it was told {told}");
            self.end_direct()?;
            self.until("its window is gone", |scenario| {
                Ok(scenario.windows()?.is_empty().then_some(()))
            })?;
        }
        self.end_compositor()
    }

    /// With a mode of few pixels, each of which is emulated.
    fn configure(&mut self, what: &str) -> anyhow::Result<()> {
        let output = r#"[[output]]\nname = "Virtual-1"\nsize = "640x480"\n"#;
        self.machine.shell.run(&format!("printf '{what}\\n{output}' > /run/config.toml")).map(drop)
    }

    fn planes_now(&mut self) -> anyhow::Result<Vec<Plane>> {
        let state = self.machine.shell.run("cat /sys/kernel/debug/dri/vkms/state")?;
        Ok(planes_of(&state))
    }

    /// The planes, and the screen's own checksum of what they show together.
    fn rested(&mut self) -> anyhow::Result<(Vec<Plane>, u32)> {
        let checksum = self.checksum()?;
        Ok((self.planes_now()?, checksum))
    }

    fn checksum(&mut self) -> anyhow::Result<u32> {
        // The first may be of what was shown before. vkms may tell none until it is asked anew.
        let told = self.until("the screen tells a checksum", |scenario| {
            let told = scenario.machine.shell.run(
                "cd /sys/kernel/debug/dri/vkms/crtc-0/crc; echo auto > control; \
                 timeout 5 head -n 2 data | tail -n 1; cd /",
            )?;
            Ok(told.split_whitespace().last().map(str::to_owned))
        })?;
        u32::from_str_radix(told.trim_start_matches("0x"), 16)
            .with_context(|| format!("{told} is no checksum"))
    }

    /// Until the screen shows what the compositor says it does.
    fn the_checksum_is_right(&mut self) -> anyhow::Result<()> {
        let mut sums = (0, 0);
        let result = self.until("the screen shows what is said", |scenario| {
            scenario.machine.shell.run("hyper-dmabufctl screenshot /shared/told.png")?;
            sums = (scenario.checksum()?, scenario.told()?.vkms_checksum());
            Ok((sums.0 == sums.1).then_some(()))
        });
        result.with_context(|| format!("checksums {:#x} and {:#x}", sums.0, sums.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_are_read() {
        let state = "\
plane[31]: plane-0
\tcrtc=crtc-0
\tfb=40
\t\tformat=XR24 little-endian (0x34325258)
\tcrtc-pos=1024x768+0+0
plane[34]: plane-1
\tcrtc=(null)
\tfb=0
\tcrtc-pos=0x0+0+0
crtc[36]: crtc-0
\tfb=7
";
        let planes = planes_of(state);
        assert_eq!(planes.len(), 1);
        assert_eq!((planes[0].name.as_str(), planes[0].framebuffer.as_str()), ("plane-0", "40"));
        assert_eq!(planes[0].place, "1024x768+0+0");
    }
}
