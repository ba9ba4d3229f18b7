//! A one-line editor. Positions are grapheme clusters: what a person calls a character.

use unicode_segmentation::UnicodeSegmentation;

use crate::keys::{Code, Key};
use crate::text;

/// Characters that the daemon takes.
pub const TEXT_MAX: usize = 10_000;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prompt {
    graphemes: Vec<String>,
    /// Before which grapheme: 0 to the number of them.
    cursor: usize,
    /// Earlier texts, newest first.
    earlier: Vec<String>,
    /// Which of them is shown; None: the text being written.
    shown: Option<usize>,
    draft: String,
    full: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// The text or the cursor changed.
    Edited,
    Submit(String),
    Cancel,
    Nothing,
}

impl Prompt {
    pub fn new(text: &str, earlier: Vec<String>) -> Self {
        let mut prompt = Self {
            earlier,
            ..Self::default()
        };
        prompt.set(text);
        prompt
    }

    pub fn text(&self) -> String {
        self.graphemes.concat()
    }

    pub fn is_empty(&self) -> bool {
        self.graphemes.is_empty()
    }

    /// The last input did not fit.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// More earlier texts are known now; those that are there already are not repeated.
    pub fn add_earlier(&mut self, texts: impl IntoIterator<Item = String>) {
        for text in texts {
            if !self.earlier.contains(&text) {
                self.earlier.push(text);
            }
        }
    }

    pub fn key(&mut self, key: &Key) -> Typed {
        self.full = false;
        if key.alt {
            return match key.code {
                Code::Char('b') => self.move_to(self.word_before()),
                Code::Char('f') => self.move_to(self.word_after()),
                Code::Char('d') => self.delete(self.cursor, self.word_after()),
                Code::Backspace => self.delete(self.word_before(), self.cursor),
                _ => Typed::Nothing,
            };
        }
        if key.ctrl {
            return self.control(key.code);
        }
        match key.code {
            Code::Char(c) => self.insert(c.encode_utf8(&mut [0; 4])),
            Code::Enter => Typed::Submit(self.text()),
            Code::Esc => Typed::Cancel,
            Code::Left => self.move_to(self.cursor.saturating_sub(1)),
            Code::Right => self.move_to(self.cursor + 1),
            Code::Home => self.move_to(0),
            Code::End => self.move_to(self.graphemes.len()),
            Code::Backspace => self.delete(self.cursor.saturating_sub(1), self.cursor),
            Code::Delete => self.delete(self.cursor, self.cursor + 1),
            Code::Up => self.older(),
            Code::Down => self.newer(),
            _ => Typed::Nothing,
        }
    }

    fn control(&mut self, code: Code) -> Typed {
        match code {
            Code::Char('a') => self.move_to(0),
            Code::Char('e') => self.move_to(self.graphemes.len()),
            Code::Char('b') => self.move_to(self.cursor.saturating_sub(1)),
            Code::Char('f') => self.move_to(self.cursor + 1),
            Code::Char('u') => self.delete(0, self.cursor),
            Code::Char('k') => self.delete(self.cursor, self.graphemes.len()),
            Code::Char('w') => self.delete(self.blank_before(), self.cursor),
            Code::Char('h') => self.delete(self.cursor.saturating_sub(1), self.cursor),
            Code::Char('d') => self.delete(self.cursor, self.cursor + 1),
            Code::Char('p') => self.older(),
            Code::Char('n') => self.newer(),
            Code::Char('c' | 'g') => Typed::Cancel,
            Code::Char('j' | 'm') => Typed::Submit(self.text()),
            Code::Left => self.move_to(self.word_before()),
            Code::Right => self.move_to(self.word_after()),
            _ => Typed::Nothing,
        }
    }

    /// Text from outside: line ends and tabs become blanks, other control characters go.
    pub fn paste(&mut self, pasted: &str) -> Typed {
        self.full = false;
        let pasted = pasted.trim_end_matches(['\r', '\n']).replace("\r\n", "\n");
        let mut line = String::new();
        for c in pasted.chars() {
            match c {
                '\n' | '\r' | '\t' => line.push(' '),
                c if c.is_control() => {}
                c => line.push(c),
            }
        }
        self.insert(&line)
    }

    fn insert(&mut self, piece: &str) -> Typed {
        let used = self.text().chars().count();
        let room = TEXT_MAX.saturating_sub(used);
        self.full = piece.chars().count() > room;
        let piece: String = piece.chars().take(room).collect();
        let before = self.graphemes[..self.cursor].concat() + &piece;
        let after = self.graphemes[self.cursor..].concat();
        // a combining character joins the one before it, so both parts are cut up anew
        self.graphemes = split(&(before.clone() + &after));
        let at = before.len();
        let mut length = 0;
        self.cursor = self
            .graphemes
            .iter()
            .take_while(|g| {
                length += g.len();
                length <= at
            })
            .count();
        self.shown = None;
        Typed::Edited
    }

    fn delete(&mut self, from: usize, to: usize) -> Typed {
        let to = to.min(self.graphemes.len());
        if from >= to {
            return Typed::Nothing;
        }
        self.graphemes.drain(from..to);
        self.cursor = from;
        self.shown = None;
        Typed::Edited
    }

    fn move_to(&mut self, cursor: usize) -> Typed {
        self.cursor = cursor.min(self.graphemes.len());
        Typed::Edited
    }

    fn set(&mut self, text: &str) {
        self.graphemes = split(text);
        self.cursor = self.graphemes.len();
    }

    fn older(&mut self) -> Typed {
        let next = self.shown.map_or(0, |shown| shown + 1);
        let Some(text) = self.earlier.get(next).cloned() else {
            return Typed::Nothing;
        };
        if self.shown.is_none() {
            self.draft = self.text();
        }
        self.set(&text);
        self.shown = Some(next);
        Typed::Edited
    }

    fn newer(&mut self) -> Typed {
        let Some(shown) = self.shown else {
            return Typed::Nothing;
        };
        let text = match shown.checked_sub(1) {
            Some(next) => self.earlier[next].clone(),
            None => self.draft.clone(),
        };
        self.set(&text);
        self.shown = shown.checked_sub(1);
        Typed::Edited
    }

    fn is_word(&self, at: usize) -> bool {
        let mut chars = self.graphemes[at].chars();
        chars.next().is_some_and(char::is_alphanumeric)
    }

    fn is_blank(&self, at: usize) -> bool {
        self.graphemes[at].trim().is_empty()
    }

    fn word_before(&self) -> usize {
        let mut at = self.cursor;
        while at > 0 && !self.is_word(at - 1) {
            at -= 1;
        }
        while at > 0 && self.is_word(at - 1) {
            at -= 1;
        }
        at
    }

    fn word_after(&self) -> usize {
        let mut at = self.cursor;
        while at < self.graphemes.len() && !self.is_word(at) {
            at += 1;
        }
        while at < self.graphemes.len() && self.is_word(at) {
            at += 1;
        }
        at
    }

    /// As Ctrl-W of a terminal: back to the last blank.
    fn blank_before(&self) -> usize {
        let mut at = self.cursor;
        while at > 0 && self.is_blank(at - 1) {
            at -= 1;
        }
        while at > 0 && !self.is_blank(at - 1) {
            at -= 1;
        }
        at
    }

    /// The part that fits into `cells`, and the cell of the cursor in it. The cursor is always in.
    pub fn view(&self, cells: usize) -> (String, usize) {
        let widths: Vec<usize> = self.graphemes.iter().map(|g| text::width(g)).collect();
        let mut start = 0;
        let mut column: usize = widths[..self.cursor].iter().sum();
        // the cursor takes a cell of its own, also behind the last character
        while column + 1 > cells && start < self.cursor {
            column -= widths[start];
            start += 1;
        }
        let mut used = 0;
        let shown = self.graphemes[start..].iter().zip(&widths[start..]);
        let shown = shown.take_while(|(_, wide)| {
            used += **wide;
            used <= cells
        });
        (shown.map(|(g, _)| g.as_str()).collect(), column)
    }
}

fn split(text: &str) -> Vec<String> {
    text.graphemes(true).map(str::to_owned).collect()
}
