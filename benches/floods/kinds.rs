//! What a program can flood with.

use std::sync::atomic::{AtomicBool, Ordering};

use wayland_client::protocol::wl_surface::WlSurface;
use wayland_protocols::xdg::shell::client::xdg_positioner::XdgPositioner;

use crate::program::Program;

/// A flood, until it is to end or the program is cut off. How often its requests were made.
pub(crate) type Flood = fn(&mut Program, &AtomicBool) -> u64;

#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) flood: Flood,
}

/// Requests that are made before it is awaited that they are handled.
const IN_A_ROUND: u32 = 100;
/// Subsurfaces in a row, each in the one before: as deep as they may be.
const DEEP: usize = 30;

pub(crate) const KINDS: [Kind; 9] = [
    Kind { name: "damage", flood: damage },
    Kind { name: "commits, all damaged", flood: commits },
    Kind { name: "trees of subsurfaces", flood: trees },
    Kind { name: "popups", flood: popups },
    Kind { name: "titles", flood: titles },
    Kind { name: "regions of rectangles", flood: regions },
    Kind { name: "buffers", flood: buffers },
    Kind { name: "windows", flood: windows },
    Kind { name: "connections", flood: connections },
];

/// The same again and again.
fn again(program: &mut Program, end: &AtomicBool, mut one: impl FnMut(&mut Program, u32)) -> u64 {
    let mut made = 0;
    while !end.load(Ordering::Relaxed) {
        (0..IN_A_ROUND).for_each(|number| one(program, made as u32 + number));
        if !program.roundtrip() {
            break;
        }
        made += u64::from(IN_A_ROUND);
    }
    made
}

fn damage(program: &mut Program, end: &AtomicBool) -> u64 {
    let (surface, _) = program.surface((10, 10));
    again(program, end, |_, _| (0..10).for_each(|at| surface.damage(at, at, 5, 5)))
}

fn commits(program: &mut Program, end: &AtomicBool) -> u64 {
    let window = program.window("commits", (300, 200));
    again(program, end, |program, number| show(program, &window.surface, number))
}

fn show(program: &Program, surface: &WlSurface, number: u32) {
    let buffer = program.buffer(number);
    surface.attach(Some(&buffer), 0, 0);
    surface.damage_buffer(0, 0, i32::MAX, i32::MAX);
    surface.commit();
    buffer.destroy();
}

fn trees(program: &mut Program, end: &AtomicBool) -> u64 {
    let window = program.window("trees", (300, 200));
    let mut surfaces = vec![window.surface.clone()];
    for _ in 0..DEEP {
        let (child, _) = program.surface((100, 80));
        let parent = surfaces.last().unwrap_or(&window.surface);
        program.subcompositor.get_subsurface(&child, parent, &program.handle(), ());
        surfaces.push(child);
    }
    again(program, end, |program, number| {
        surfaces.iter().rev().for_each(|surface| show(program, surface, number));
    })
}

fn popups(program: &mut Program, end: &AtomicBool) -> u64 {
    let window = program.window("popups", (300, 200));
    let (handle, shell) = (program.handle(), program.shell.clone());
    let positioner: XdgPositioner = shell.create_positioner(&handle, ());
    positioner.set_size(60, 60);
    positioner.set_anchor_rect(10, 10, 1, 1);
    again(program, end, |program, number| {
        let (surface, viewport) = program.surface((60, 60));
        let xdg_surface = shell.get_xdg_surface(&surface, &handle, ());
        let popup = xdg_surface.get_popup(Some(&window.xdg_surface), &positioner, &handle, ());
        surface.commit();
        popup.reposition(&positioner, number);
        popup.destroy();
        xdg_surface.destroy();
        viewport.destroy();
        surface.destroy();
    })
}

fn titles(program: &mut Program, end: &AtomicBool) -> u64 {
    let window = program.window("titles", (300, 200));
    again(program, end, |_, number| {
        window.toplevel.set_title(format!("{number} {}", "Quarterly report ".repeat(20)));
        window.surface.commit();
    })
}

fn regions(program: &mut Program, end: &AtomicBool) -> u64 {
    let window = program.window("regions", (300, 200));
    again(program, end, |program, _| {
        let region = program.compositor.create_region(&program.handle(), ());
        (0..200).for_each(|at| region.add(at, at * 7 % 200, 3, 3));
        window.surface.set_input_region(Some(&region));
        window.surface.set_opaque_region(Some(&region));
        window.surface.commit();
        region.destroy();
    })
}

fn buffers(program: &mut Program, end: &AtomicBool) -> u64 {
    again(program, end, |program, number| program.buffer(number).destroy())
}

fn windows(program: &mut Program, end: &AtomicBool) -> u64 {
    again(program, end, |program, number| {
        let (surface, viewport) = program.surface((60, 60));
        let xdg_surface = program.shell.get_xdg_surface(&surface, &program.handle(), ());
        let toplevel = xdg_surface.get_toplevel(&program.handle(), ());
        toplevel.set_title(number.to_string());
        surface.commit();
        toplevel.destroy();
        xdg_surface.destroy();
        viewport.destroy();
        surface.destroy();
    })
}

/// Whoever floods connects again when this is over.
fn connections(program: &mut Program, _: &AtomicBool) -> u64 {
    program.window("connections", (300, 200));
    1
}
