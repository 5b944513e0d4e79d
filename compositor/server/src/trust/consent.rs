//! What a domain's window gets only with a person's consent, for as long as the person lets it: the
//! pointer, the shortcuts, the whole screen. One key gives it, one takes all of it back, and no program
//! can keep either key for itself.

use serde::Deserialize;
use smithay::reexports::wayland_server::protocol::wl_surface::WlSurface;

use super::notes::Note;
use crate::{
    client::{ClientOrigin, origin_of_surface},
    keys::Action,
    shell::{
        stage::root_of,
        window::{Extent, Window, WindowId},
    },
    state::State,
};

/// What a person consents to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Consent {
    /// That the window holds the pointer, or keeps it inside.
    Pointer,
    /// That the window gets all keys, those of shortcuts too.
    Shortcuts,
    /// That the window fills the screen without a frame.
    Screen,
}

/// What a domain's windows have without consent, as it was configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Vec<Consent>")]
pub struct Unasked {
    pointer: bool,
    shortcuts: bool,
    screen: bool,
}

impl From<Vec<Consent>> for Unasked {
    fn from(said: Vec<Consent>) -> Unasked {
        Unasked {
            pointer: said.contains(&Consent::Pointer),
            shortcuts: said.contains(&Consent::Shortcuts),
            screen: said.contains(&Consent::Screen),
        }
    }
}

impl Unasked {
    /// Whether this is among it.
    pub fn contains(self, what: Consent) -> bool {
        match what {
            Consent::Pointer => self.pointer,
            Consent::Shortcuts => self.shortcuts,
            Consent::Screen => self.screen,
        }
    }
}

/// What was asked for, and what was given, of windows that are there.
#[derive(Debug, Default)]
pub(crate) struct Consents(Vec<Asked>);

#[derive(Debug)]
struct Asked {
    window: WindowId,
    what: Consent,
    given: bool,
}

impl Consents {
    /// Whether a window was given this; and whether it had asked for it before.
    fn ask(&mut self, window: WindowId, what: Consent) -> (bool, bool) {
        match self.0.iter().find(|asked| asked.window == window && asked.what == what) {
            Some(asked) => (asked.given, true),
            None => {
                self.0.push(Asked { window, what, given: false });
                (false, false)
            }
        }
    }

    /// Give a window all that it has asked for. Whether there was anything.
    fn give(&mut self, window: WindowId) -> bool {
        let mut waiting = self.0.iter_mut().filter(|asked| asked.window == window && !asked.given);
        let mut any = false;
        waiting.by_ref().for_each(|asked| {
            asked.given = true;
            any = true;
        });
        any
    }

    /// Forget what was given to a window, so that it has to ask again.
    fn take(&mut self, window: WindowId) {
        self.0.retain(|asked| asked.window != window);
    }

    /// Forget questions that were not answered, but those of this window.
    fn drop_questions(&mut self, but: Option<WindowId>) {
        self.0.retain(|asked| asked.given || Some(asked.window) == but);
    }
}

impl State {
    /// Whether the window of a surface may have this now. If a person has to be asked, that is done.
    pub(crate) fn has_consent(&mut self, surface: &WlSurface, what: Consent) -> bool {
        let Some(origin) = origin_of_surface(surface) else { return false };
        match origin.domain() {
            None => return true,
            Some(domain) if domain.has_unasked(what) => return true,
            Some(_) => {}
        }
        let root = root_of(surface);
        let window = self.windows.by_surface(&self.owner_of(&root)).map(Window::id);
        let Some(id) = window else { return false };
        let (given, asked_before) = self.consents.ask(id, what);
        if !given && !asked_before {
            let wish = match what {
                Consent::Pointer => "asks to hold the pointer",
                Consent::Shortcuts => "asks for all keys, those of shortcuts too",
                Consent::Screen => "asks for the whole screen",
            };
            let key = self.shortcut(&Action::Allow);
            self.tell_user(Note::about(&origin, format!("{wish}. {key} allows it")));
        }
        given
    }

    /// Give the window with the focus what it has asked for.
    pub(crate) fn allow(&mut self, id: WindowId) {
        if !self.consents.give(id) {
            return;
        }
        let Some(window) = self.windows.get(id) else { return };
        let (origin, surface) = (window.origin().clone(), window.wl_surface().clone());
        let key = self.shortcut(&Action::TakeShortcuts);
        self.tell_user(Note::about(&origin, format!("has what it asked for. {key} takes it back")));
        self.pointer_taken_from = None;
        self.shortcuts_taken_from = None;
        self.refresh_pointer_constraint();
        self.give_shortcuts(&surface);
    }

    /// Let the window with the focus fill the whole screen without a frame while it fills it, or no
    /// longer.
    pub(crate) fn toggle_whole_screen(&mut self, id: WindowId) {
        let Some(window) = self.windows.get_mut(id) else { return };
        if window.extent() != Extent::Fullscreen || window.origin() == &ClientOrigin::Local {
            return;
        }
        let trusted = !window.has_whole_screen();
        window.trust_with_screen(trusted);
        let origin = window.origin().clone();
        self.extend_window(id, Extent::Fullscreen, None);
        if trusted {
            let key = self.shortcut(&Action::TakeShortcuts);
            self.tell_user(Note::about(
                &origin,
                format!("has the whole screen. {key} takes it back"),
            ));
        }
    }

    /// Take back all that the window with the focus, or under the pointer, has for itself.
    pub(crate) fn take_back(&mut self) {
        self.take_shortcuts();
        self.release_pointer();
        let under_pointer = self.pointer_focus.as_ref().map(|(surface, _)| self.owner_of(surface));
        let under_pointer = under_pointer.and_then(|owner| self.windows.by_surface(&owner));
        let windows = [self.windows.active(), under_pointer].map(|it| it.map(Window::id));
        for id in windows.into_iter().flatten() {
            self.consents.take(id);
        }
        let whole: Vec<_> = self
            .windows
            .iter()
            .filter(|window| window.origin() != &ClientOrigin::Local && window.has_whole_screen())
            .map(|window| (window.id(), window.behind()))
            .collect();
        for (id, behind) in whole {
            self.extend_window(id, behind, None);
        }
        self.queue_redraw();
    }

    /// A window is gone, and with it what it was given.
    pub(crate) fn forget_consents(&mut self, id: WindowId) {
        self.consents.take(id);
    }

    /// Who has the focus has changed: questions of others are forgotten, and asked again when they are
    /// put again.
    pub(crate) fn drop_questions(&mut self) {
        let active = self.windows.active().map(Window::id);
        self.consents.drop_questions(active);
    }

    /// What a domain's window has for itself at this moment, to be told for as long as it has it.
    pub(crate) fn held_note(&self) -> Option<Note> {
        let pointer = self.pointer_held().is_some().then(|| self.pointer_focus.clone()).flatten();
        let pointer = pointer.map(|(surface, _)| surface);
        let shortcuts = self.shortcuts_inhibitor();
        let holder = pointer.as_ref().or(shortcuts.as_ref()).and_then(origin_of_surface)?;
        holder.domain()?;
        let key = self.shortcut(&Action::TakeShortcuts);
        let what = match (pointer.is_some(), shortcuts.is_some()) {
            (true, true) => "holds the pointer and gets all keys",
            (true, false) => "holds the pointer",
            (false, _) => "gets all keys, those of shortcuts too",
        };
        Some(Note::about(&holder, format!("{what}. {key} takes it back")))
    }
}
