//! The keys that are held in our windows.

use crate::input::Input;

/// Keys that change what others mean, in the kernel's numbers: Ctrl, Shift, Alt and Super on both sides
/// (linux/input-event-codes.h).
const MODIFIERS: [u32; 8] = [29, 97, 42, 54, 56, 100, 125, 126];

/// The keys that are held, in the kernel's numbers.
#[derive(Default)]
pub(super) struct HeldKeys(Vec<u32>);

impl HeldKeys {
    /// The keyboard came here while these were held. What they did, they did elsewhere, but those that
    /// change others count.
    pub(super) fn enter(&mut self, keys: impl Iterator<Item = u32>) -> Vec<Input> {
        keys.filter(|key| MODIFIERS.contains(key)).flat_map(|key| self.key(key, true)).collect()
    }

    /// The keyboard went elsewhere: what is held is heard of no more.
    pub(super) fn leave(&mut self) -> Vec<Input> {
        self.0.drain(..).map(|key| Input::Key { key, pressed: false }).collect()
    }

    /// A key was pressed or let go. Nothing if that is known already.
    pub(super) fn key(&mut self, key: u32, pressed: bool) -> Option<Input> {
        if pressed == self.0.contains(&key) {
            return None;
        }
        if pressed {
            self.0.push(key);
        } else {
            self.0.retain(|held| *held != key);
        }
        Some(Input::Key { key, pressed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_do_not_stay_down_elsewhere() {
        let (mut held, enter, shift, a) = (HeldKeys::default(), 28, 42, 30);
        let pressed = |key| Input::Key { key, pressed: true };
        let released = |key| Input::Key { key, pressed: false };
        assert_eq!(held.enter([enter, shift].into_iter()), [pressed(shift)]);
        assert_eq!(held.key(enter, false), None, "its press was not heard of");
        assert_eq!(held.key(a, true), Some(pressed(a)));
        assert_eq!(held.key(a, true), None, "the host repeats it");
        assert_eq!(held.leave(), [released(shift), released(a)]);
        assert_eq!(held.key(a, false), None);
    }
}
