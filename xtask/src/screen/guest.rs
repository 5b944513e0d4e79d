//! What a person types and clicks, in an unmodified program of a guest, behind its proxy.

use anyhow::{Context, ensure};

use super::scenario::{Geometry, Scenario};

/// What is typed, by the names of the keys.
const TYPED: &str = "hello";
/// The cell of the terminal that is clicked, counted from 1: near to where they begin, since how wide one
/// is can only be told from how many there are.
const CELL: (u32, u32) = (5, 3);
/// Space around the cells, as lab/apps/foot.ini says.
const PADDING: i32 = 4;

impl Scenario<'_> {
    pub(super) fn typing_in_a_guest(&mut self) -> anyhow::Result<()> {
        self.machine.shell.run(
            "mkdir -p /tmp /run/guest; env XDG_RUNTIME_DIR=/run/guest HOME=/run LC_ALL=C.UTF-8 \
             FONTCONFIG_FILE=/apps/fonts.conf SHELL=/bin/sh \
             hyper-dmabuf-proxy --link shm:/run/personal -- \
             foot --config=/apps/foot.ini sh /apps/typed > /run/proxy.log 2>&1 &",
        )?;
        let shown = self.until("foot is shown", |scenario| Ok(scenario.foot()?.map(drop)));
        if shown.is_err() {
            println!("{}", self.machine.shell.attempt("cat /run/proxy.log")?.0);
        }
        shown?;
        let (frame, _) = self.foot()?.context("foot is gone")?;
        self.click(frame.x + frame.width / 2, frame.y + 8)?;
        self.until("foot has its terminal", |scenario| {
            Ok(scenario.machine.shell.attempt("test -e /run/typing")?.1.then_some(()))
        })?;
        let before = self.seen(0)?;
        for key in TYPED.split("").filter(|key| !key.is_empty()) {
            self.machine.monitor.keys(&[key])?;
        }
        self.until("what is typed is seen", |scenario| {
            Ok((scenario.seen(0)?.different_from(&before) > 50).then_some(()))
        })?;
        self.machine.monitor.keys(&["ret"])?;
        let typed = self.until("the line has arrived", |scenario| {
            let (line, is_there) = scenario.machine.shell.attempt("cat /run/typed")?;
            Ok((is_there && !line.is_empty()).then_some(line))
        })?;
        ensure!(typed.trim() == TYPED, "{typed:?} was typed");
        for scale in ["1.5", "2", "1"] {
            self.machine
                .shell
                .run(&format!("hyper-dmabufctl outputs Virtual-1 --scale {scale} > /dev/null"))?;
            self.clicks_land_in_foot().with_context(|| format!("at scale {scale}"))?;
        }
        self.machine.shell.run("kill $(pidof hyper-dmabuf-proxy)")?;
        self.until("foot is gone", |scenario| Ok(scenario.foot()?.is_none().then_some(())))
    }

    /// Clicks a cell of the terminal, whose size may yet be changing, until the program in it was told of
    /// that cell.
    fn clicks_land_in_foot(&mut self) -> anyhow::Result<()> {
        let expected = format!("[<0;{};{}M", CELL.0, CELL.1);
        let mut told = String::new();
        let result = self.until("foot is clicked where it should be", |scenario| {
            let (_, cells) = scenario.foot()?.context("foot is gone")?;
            let size = scenario.machine.shell.run("stty -F /dev/pts/0 size")?;
            let mut counts = size.split_whitespace().filter_map(|count| count.parse::<f64>().ok());
            let (rows, columns) = counts.next().zip(counts.next()).context("stty says no size")?;
            let middle = |cell: u32, length: i32, count: f64| {
                let each = f64::from(length - 2 * PADDING) / count;
                PADDING + ((f64::from(cell) - 0.5) * each).round() as i32
            };
            let x = cells.x + middle(CELL.0, cells.width, columns);
            let y = cells.y + middle(CELL.1, cells.height, rows);
            scenario.machine.shell.run(": > /run/clicks")?;
            scenario.click(x, y)?;
            told = scenario.until("foot is told of a click", |scenario| {
                let told = scenario.machine.shell.run("tr '\\033' '\\n' < /run/clicks")?;
                Ok(told.trim_end().ends_with('m').then_some(told))
            })?;
            Ok(told.lines().any(|line| line == expected).then_some(()))
        });
        result.with_context(|| format!("foot was told of {told}"))
    }

    /// The frame of foot's window, and where what it draws lies.
    fn foot(&mut self) -> anyhow::Result<Option<(Geometry, Geometry)>> {
        let windows = self.windows()?.into_iter();
        let foot = windows.filter(|window| window.mapped).find(|window| window.app_id == "foot");
        Ok(foot.map(|window| (window.frame, window.geometry)))
    }
}
