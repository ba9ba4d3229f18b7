//! A list to scroll through: which row is chosen, which rows are seen.

use crate::keys::{Code, Key};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List {
    pub chosen: usize,
    top: usize,
}

impl List {
    /// Moves in a list of `length` rows of which `height` are seen. False: not a key of a list.
    pub fn key(&mut self, key: &Key, length: usize, height: usize) -> bool {
        if key.alt || (key.ctrl && !matches!(key.code, Code::Char('n' | 'p'))) {
            return false;
        }
        let page = height.max(1);
        let wanted = match key.code {
            Code::Up => self.chosen.saturating_sub(1),
            Code::Char('p') if key.ctrl => self.chosen.saturating_sub(1),
            Code::Down => self.chosen + 1,
            Code::Char('n') if key.ctrl => self.chosen + 1,
            Code::PageUp => self.chosen.saturating_sub(page),
            Code::PageDown => self.chosen + page,
            Code::Home => 0,
            Code::End => usize::MAX,
            _ => return false,
        };
        self.chosen = wanted.min(length.saturating_sub(1));
        self.seen(length, height);
        true
    }

    /// The rows to show; the chosen one is among them.
    pub fn seen(&mut self, length: usize, height: usize) -> std::ops::Range<usize> {
        self.chosen = self.chosen.min(length.saturating_sub(1));
        let height = height.max(1);
        self.top = self
            .top
            .min(self.chosen)
            .max((self.chosen + 1).saturating_sub(height))
            .min(length.saturating_sub(height));
        self.top..(self.top + height).min(length)
    }

    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_row_is_always_seen() {
        let keys = [
            Code::Up,
            Code::Down,
            Code::PageUp,
            Code::PageDown,
            Code::Home,
            Code::End,
        ];
        let mut seed: u32 = 7;
        for length in [0, 1, 2, 5, 100] {
            for height in [0, 1, 3, 10, 200] {
                let mut list = List::default();
                for _ in 0..200 {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let code = keys[(seed >> 16) as usize % keys.len()];
                    assert!(list.key(&Key::plain(code), length, height));
                    let seen = list.seen(length, height);
                    assert!(length == 0 || seen.contains(&list.chosen));
                    assert!(seen.len() <= height.max(1) && seen.end <= length);
                }
            }
        }
    }

    #[test]
    fn a_shorter_list_pulls_the_choice_in() {
        let mut list = List::default();
        list.key(&Key::plain(Code::End), 50, 10);
        assert_eq!(list.seen(50, 10), 40..50);
        assert_eq!(list.seen(3, 10), 0..3);
        assert_eq!(list.chosen, 2);
    }

    #[test]
    fn text_is_not_for_the_list() {
        let mut list = List::default();
        assert!(!list.key(&Key::char('n'), 5, 5) && !list.key(&Key::ctrl('a'), 5, 5));
        assert!(list.key(&Key::ctrl('n'), 5, 5));
        assert_eq!(list.chosen, 1);
    }
}
