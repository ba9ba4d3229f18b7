//! Keys, as the prompts understand them, and as the bytes that a shell would have got.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    Char(char),
    Enter,
    Esc,
    Tab,
    Backspace,
    Delete,
    Insert,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    PageUp,
    PageDown,
    F(u8),
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    pub code: Code,
    pub ctrl: bool,
    pub alt: bool,
    pub shift: bool,
}

impl Key {
    pub fn plain(code: Code) -> Self {
        Self {
            code,
            ctrl: false,
            alt: false,
            shift: false,
        }
    }

    pub fn char(c: char) -> Self {
        Self::plain(Code::Char(c))
    }

    pub fn ctrl(c: char) -> Self {
        Self {
            ctrl: true,
            ..Self::char(c)
        }
    }

    /// A character without Ctrl or Alt: text, not a command.
    pub fn text(&self) -> Option<char> {
        match self.code {
            Code::Char(c) if !self.ctrl && !self.alt => Some(c),
            _ => None,
        }
    }
}

/// The bytes that a terminal sends for this key (xterm's sequences, in normal cursor mode).
///
/// Source: xterm's control sequences, "PC-Style Function Keys"; a modifier is
/// 1 + shift (1) + alt (2) + ctrl (4).
pub fn to_bytes(key: &Key) -> String {
    let modifier = 1 + u8::from(key.shift) + 2 * u8::from(key.alt) + 4 * u8::from(key.ctrl);
    let csi = |end: char| match modifier {
        1 => format!("\x1b[{end}"),
        _ => format!("\x1b[1;{modifier}{end}"),
    };
    let tilde = |number: u8| match modifier {
        1 => format!("\x1b[{number}~"),
        _ => format!("\x1b[{number};{modifier}~"),
    };
    match key.code {
        Code::Char(c) => with_alt(key.alt, if key.ctrl { control(c) } else { c }),
        Code::Enter => with_alt(key.alt, '\r'),
        Code::Esc => with_alt(key.alt, '\x1b'),
        Code::Tab if key.shift => csi('Z').replace("1;2", ""),
        Code::Tab => with_alt(key.alt, '\t'),
        Code::Backspace => with_alt(key.alt, if key.ctrl { '\x08' } else { '\x7f' }),
        Code::Up => csi('A'),
        Code::Down => csi('B'),
        Code::Right => csi('C'),
        Code::Left => csi('D'),
        Code::Home => csi('H'),
        Code::End => csi('F'),
        Code::Insert => tilde(2),
        Code::Delete => tilde(3),
        Code::PageUp => tilde(5),
        Code::PageDown => tilde(6),
        Code::F(n @ 1..=4) if modifier == 1 => format!("\x1bO{}", (b'P' + n - 1) as char),
        Code::F(n @ 1..=4) => csi((b'P' + n - 1) as char),
        Code::F(n @ 5..=12) => tilde([15, 17, 18, 19, 20, 21, 23, 24][usize::from(n) - 5]),
        Code::F(_) | Code::Other => String::new(),
    }
}

fn control(c: char) -> char {
    match c {
        'a'..='z' | 'A'..='Z' | '@' | '[' | '\\' | ']' | '^' | '_' => {
            (c.to_ascii_uppercase() as u8 & 0x1f) as char
        }
        ' ' | '2' => '\0',
        '?' => '\x7f',
        _ => c,
    }
}

fn with_alt(alt: bool, c: char) -> String {
    if alt {
        format!("\x1b{c}")
    } else {
        c.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_controls() {
        assert_eq!(to_bytes(&Key::char('é')), "é");
        assert_eq!(to_bytes(&Key::ctrl('c')), "\x03");
        assert_eq!(to_bytes(&Key::ctrl('[')), "\x1b");
        assert_eq!(to_bytes(&Key::ctrl(' ')), "\0");
        assert_eq!(to_bytes(&Key::plain(Code::Enter)), "\r");
        assert_eq!(to_bytes(&Key::plain(Code::Backspace)), "\x7f");
        let alt_f = Key {
            alt: true,
            ..Key::char('f')
        };
        assert_eq!(to_bytes(&alt_f), "\x1bf");
    }

    #[test]
    fn cursor_and_function_keys() {
        assert_eq!(to_bytes(&Key::plain(Code::Up)), "\x1b[A");
        let ctrl_left = Key {
            ctrl: true,
            ..Key::plain(Code::Left)
        };
        assert_eq!(to_bytes(&ctrl_left), "\x1b[1;5D");
        assert_eq!(to_bytes(&Key::plain(Code::Delete)), "\x1b[3~");
        assert_eq!(to_bytes(&Key::plain(Code::F(1))), "\x1bOP");
        assert_eq!(to_bytes(&Key::plain(Code::F(5))), "\x1b[15~");
        assert_eq!(to_bytes(&Key::plain(Code::F(12))), "\x1b[24~");
        let back_tab = Key {
            shift: true,
            ..Key::plain(Code::Tab)
        };
        assert_eq!(to_bytes(&back_tab), "\x1b[Z");
    }

    #[test]
    fn no_key_makes_it_panic() {
        for n in 0..=255 {
            for code in [Code::F(n), Code::Char(n as char), Code::Other] {
                for bits in 0..8 {
                    let key = Key {
                        code,
                        ctrl: bits & 1 > 0,
                        alt: bits & 2 > 0,
                        shift: bits & 4 > 0,
                    };
                    let _ = to_bytes(&key);
                }
            }
        }
    }

    #[test]
    fn only_plain_characters_are_text() {
        assert_eq!(Key::char('x').text(), Some('x'));
        assert_eq!(Key::ctrl('x').text(), None);
        assert_eq!(Key::plain(Code::Enter).text(), None);
    }
}
