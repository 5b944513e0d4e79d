//! The fonts that text is drawn in: the program's own first, then the system's.
//!
//! Nothing here waits. The first letter that the program's own font lacks starts a thread that looks
//! through the system's fonts, and the first letter of each of those has the thread read it. Until then a
//! box is drawn; [`Fonts::learn`] is told when labels are to be drawn anew.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::mpsc::{self, Receiver, Sender},
    thread,
};

use super::{
    coverage::Coverage,
    face::Face,
    library::{Library, Places},
};

/// DejaVu Sans 2.37; its licence is beside it.
static OWN: &[u8] = include_bytes!("../../../fonts/DejaVuSans.ttf");

/// The program's own font, and what is known of the system's.
pub struct Fonts {
    own: Rc<Face>,
    system: RefCell<System>,
}

enum System {
    /// Nobody has needed one yet.
    Unasked(Places, Tell),
    /// The thread looks through them.
    Searching(Sender<Request>),
    /// What they cover is known.
    Known(Known),
    /// There are none.
    Absent,
}

/// Hands what the thread found to whoever calls [`Fonts::learn`].
type Tell = Box<dyn Fn(FontNews) + Send>;

struct Known {
    requests: Sender<Request>,
    coverage: Coverage,
    faces: Vec<Slot>,
}

/// One of the system's fonts.
enum Slot {
    Unread,
    Awaited,
    Here(Rc<Face>),
    Broken,
}

/// That a font is to be read.
struct Request(u16);

/// What the thread found.
pub struct FontNews(News);

enum News {
    /// How many fonts there are, and what they cover.
    Found(usize, Coverage),
    /// One was read.
    Read(u16, Option<Box<Face>>),
}

impl Fonts {
    /// The program's own font, and those of `places`. `tell` is called by another thread, and what
    /// it is told is to be handed to [`learn`](Self::learn).
    pub fn new(places: Places, tell: impl Fn(FontNews) + Send + 'static) -> Fonts {
        Fonts::with(System::Unasked(places, Box::new(tell)))
    }

    /// The program's own font alone.
    pub fn own_alone() -> Fonts {
        Fonts::with(System::Absent)
    }

    fn with(system: System) -> Fonts {
        // Proven by every test that draws text: the bytes are a constant of this program.
        let own = Face::embedded(OWN).expect("the program's own font is a font");
        Fonts { own: Rc::new(own), system: RefCell::new(system) }
    }

    pub(super) fn own(&self) -> &Rc<Face> {
        &self.own
    }

    /// One font that has all of a word, if it is there.
    pub(super) fn covering(&self, word: &str) -> Option<Rc<Face>> {
        let Some(lacking) = self.lacking(word).next() else { return Some(self.own.clone()) };
        self.system_face(lacking).filter(|face| face.covers(word))
    }

    /// The font for one letter, which may have marks: one that has all of it, else one that has a part
    /// of it, else the program's own, which shows a box.
    pub(super) fn best(&self, letter: &str) -> Rc<Face> {
        let faces = || self.lacking(letter).filter_map(|character| self.system_face(character));
        let best = faces().find(|face| face.covers(letter)).or_else(|| faces().next());
        best.unwrap_or_else(|| self.own.clone())
    }

    /// What the program's own font lacks, of what can be seen.
    fn lacking(&self, text: &str) -> impl Iterator<Item = char> {
        text.chars().filter(|character| {
            !character.is_whitespace() && !self.own.covers(character.encode_utf8(&mut [0; 4]))
        })
    }

    /// The system's font for a character, if there is one and it was read. If not, it is from now on.
    fn system_face(&self, character: char) -> Option<Rc<Face>> {
        let mut system = self.system.borrow_mut();
        match &mut *system {
            System::Unasked(..) => {
                system.begin();
                None
            }
            System::Searching(_) | System::Absent => None,
            System::Known(known) => known.face(character),
        }
    }

    /// Take over what the thread found. Whether labels may look differently now.
    pub fn learn(&self, FontNews(news): FontNews) -> bool {
        let system = &mut *self.system.borrow_mut();
        match (news, system) {
            (News::Found(count, coverage), system @ System::Searching(_)) => {
                let System::Searching(requests) = std::mem::replace(system, System::Absent) else {
                    return false;
                };
                let faces = std::iter::repeat_with(|| Slot::Unread).take(count).collect();
                *system = System::Known(Known { requests, coverage, faces });
                true
            }
            (News::Read(number, face), System::Known(known)) => {
                let Some(slot) = known.faces.get_mut(usize::from(number)) else { return false };
                *slot = face.map_or(Slot::Broken, |face| Slot::Here(Rc::from(face)));
                true
            }
            _ => false,
        }
    }

    /// The thread is gone: from now on what it has not read shows boxes.
    pub fn lost(&self) {
        let system = &mut *self.system.borrow_mut();
        match system {
            System::Searching(_) => *system = System::Absent,
            System::Known(known) => {
                let faces = known.faces.iter_mut();
                let awaited = faces.filter(|slot| matches!(slot, Slot::Awaited));
                awaited.for_each(|slot| *slot = Slot::Broken);
            }
            System::Unasked(..) | System::Absent => {}
        }
    }

    /// Look for the system's fonts, though nothing needs one yet.
    pub fn find(&self) {
        self.system.borrow_mut().begin();
    }

    /// Whether something needed a font of the system.
    pub fn were_needed(&self) -> bool {
        !matches!(&*self.system.borrow(), System::Unasked(..))
    }

    /// Whether the thread is at work.
    pub fn are_awaited(&self) -> bool {
        match &*self.system.borrow() {
            System::Searching(_) => true,
            System::Known(known) => known.faces.iter().any(|slot| matches!(slot, Slot::Awaited)),
            System::Unasked(..) | System::Absent => false,
        }
    }
}

impl System {
    /// Start the thread, if nobody has. It ends when nobody can ask it any more.
    fn begin(&mut self) {
        let (places, tell) = match std::mem::replace(self, System::Absent) {
            System::Unasked(places, tell) => (places, tell),
            begun => return *self = begun,
        };
        let (requests, asked) = mpsc::channel();
        let work = move || serve(&places, &asked, &tell);
        *self = match thread::Builder::new().name("fonts".to_owned()).spawn(work) {
            Ok(_) => System::Searching(requests),
            Err(error) => {
                tracing::warn!(%error, "the system's fonts cannot be looked for");
                System::Absent
            }
        };
    }
}

impl Known {
    fn face(&mut self, character: char) -> Option<Rc<Face>> {
        let number = self.coverage.font(character)?;
        let slot = self.faces.get_mut(usize::from(number))?;
        if let Slot::Unread = slot {
            *slot = match self.requests.send(Request(number)) {
                Ok(()) => Slot::Awaited,
                Err(_) => Slot::Broken,
            };
        }
        match slot {
            Slot::Here(face) => Some(face.clone()),
            Slot::Unread | Slot::Awaited | Slot::Broken => None,
        }
    }
}

/// What the thread does.
fn serve(places: &Places, asked: &Receiver<Request>, tell: &Tell) {
    let (mut library, coverage) = Library::find(places);
    tell(FontNews(News::Found(library.len(), coverage)));
    for Request(number) in asked {
        let face = library.load(number).map(Box::new);
        tell(FontNews(News::Read(number, face)));
    }
}
