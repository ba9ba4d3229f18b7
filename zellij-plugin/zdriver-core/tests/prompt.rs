//! The line editor.

use zdriver_core::keys::{Code, Key};
use zdriver_core::prompt::{Prompt, Typed, TEXT_MAX};
use zdriver_core::text::width;

fn prompt(text: &str) -> Prompt {
    Prompt::new(text, vec!["newest".into(), "older".into()])
}

fn press(prompt: &mut Prompt, keys: &[Key]) {
    for key in keys {
        prompt.key(key);
    }
}

fn write(prompt: &mut Prompt, text: &str) {
    for c in text.chars() {
        prompt.key(&Key::char(c));
    }
}

fn plain(code: Code) -> Key {
    Key::plain(code)
}

#[test]
fn writing_in_the_middle() {
    let mut p = prompt("");
    write(&mut p, "refctor");
    press(&mut p, &[plain(Code::Left); 4]);
    write(&mut p, "a");
    assert_eq!(p.text(), "refactor");
    press(
        &mut p,
        &[
            plain(Code::Home),
            plain(Code::Delete),
            Key::char('R'),
            plain(Code::End),
            Key::char('!'),
        ],
    );
    assert_eq!(p.text(), "Refactor!");
    press(&mut p, &[plain(Code::Backspace)]);
    assert_eq!(p.key(&plain(Code::Enter)), Typed::Submit("Refactor".into()));
}

#[test]
fn control_keys_of_a_shell() {
    let mut p = prompt("one two three");
    press(&mut p, &[Key::ctrl('w')]);
    assert_eq!(p.text(), "one two ");
    press(&mut p, &[Key::ctrl('a'), Key::ctrl('f'), Key::ctrl('k')]);
    assert_eq!(p.text(), "o");
    write(&mut p, "ne more");
    press(&mut p, &[Key::ctrl('b'), Key::ctrl('u')]);
    assert_eq!(p.text(), "e");
    press(&mut p, &[Key::ctrl('e'), Key::ctrl('h')]);
    assert!(p.is_empty());
    assert_eq!(p.key(&Key::ctrl('c')), Typed::Cancel);
    assert_eq!(p.key(&plain(Code::Esc)), Typed::Cancel);
}

#[test]
fn words() {
    let mut p = prompt("fix the foo-bar thing");
    let alt = |c| Key {
        alt: true,
        ..Key::char(c)
    };
    press(&mut p, &[alt('b'), alt('b')]);
    write(&mut p, "X");
    assert_eq!(p.text(), "fix the foo-Xbar thing");
    press(
        &mut p,
        &[
            Key {
                ctrl: true,
                ..plain(Code::Right)
            },
            alt('d'),
        ],
    );
    assert_eq!(p.text(), "fix the foo-Xbar");
    press(
        &mut p,
        &[Key {
            alt: true,
            ..plain(Code::Backspace)
        }],
    );
    assert_eq!(p.text(), "fix the foo-");
}

#[test]
fn earlier_texts_and_the_way_back_to_the_draft() {
    let mut p = prompt("draft");
    press(&mut p, &[plain(Code::Up)]);
    assert_eq!(p.text(), "newest");
    press(&mut p, &[plain(Code::Up), plain(Code::Up), plain(Code::Up)]);
    assert_eq!(p.text(), "older");
    press(&mut p, &[plain(Code::Down), plain(Code::Down)]);
    assert_eq!(p.text(), "draft");
    press(&mut p, &[plain(Code::Down)]);
    assert_eq!(p.text(), "draft");
}

#[test]
fn an_earlier_text_may_be_changed_and_the_old_ones_stay() {
    let mut p = prompt("");
    press(&mut p, &[plain(Code::Up)]);
    write(&mut p, "!");
    assert_eq!(p.text(), "newest!");
    press(&mut p, &[plain(Code::Up)]);
    assert_eq!(p.text(), "newest");
    press(&mut p, &[plain(Code::Down)]);
    assert_eq!(p.text(), "newest!");
    p.add_earlier(["newest".to_owned(), "from the daemon".to_owned()]);
    press(&mut p, &[plain(Code::Up), plain(Code::Up), plain(Code::Up)]);
    assert_eq!(p.text(), "from the daemon");
}

#[test]
fn pasted_lines_become_one() {
    let mut p = prompt("");
    p.paste("one\r\ntwo\n\tthree\x1b[31m\u{7f}\n\n");
    assert_eq!(p.text(), "one two  three[31m");
    press(&mut p, &[plain(Code::Home)]);
    p.paste("日本 ");
    assert_eq!(p.text(), "日本 one two  three[31m");
}

#[test]
fn combining_characters_join_the_one_before() {
    let mut p = prompt("");
    write(&mut p, "e\u{301}a");
    press(&mut p, &[plain(Code::Left), plain(Code::Left)]);
    assert_eq!(p.view(10).1, 0);
    press(&mut p, &[plain(Code::Delete)]);
    assert_eq!(p.text(), "a");
    let mut p = prompt("");
    write(&mut p, "👩\u{200d}💻x");
    press(&mut p, &[plain(Code::Backspace), plain(Code::Backspace)]);
    assert!(p.is_empty());
}

#[test]
fn no_more_than_the_daemon_takes() {
    let mut p = prompt("");
    p.paste(&"a".repeat(TEXT_MAX - 1));
    assert!(!p.is_full());
    write(&mut p, "b");
    assert!(!p.is_full());
    write(&mut p, "c");
    assert!(p.is_full());
    assert_eq!(p.text().chars().count(), TEXT_MAX);
    press(&mut p, &[plain(Code::Backspace)]);
    assert!(!p.is_full());
}

#[test]
fn the_cursor_is_always_seen_whatever_is_typed() {
    let pieces = [
        "a",
        " ",
        "日",
        "e\u{301}",
        "🦀",
        "ß",
        "wort",
        "👩\u{200d}💻",
    ];
    let keys = [
        plain(Code::Left),
        plain(Code::Right),
        plain(Code::Home),
        plain(Code::End),
        plain(Code::Backspace),
        plain(Code::Delete),
        plain(Code::Up),
        plain(Code::Down),
        Key::ctrl('w'),
        Key {
            ctrl: true,
            ..plain(Code::Left)
        },
        Key {
            ctrl: true,
            ..plain(Code::Right)
        },
    ];
    let mut seed: u64 = 3;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize % below
    };
    for _ in 0..100 {
        let mut p = prompt("");
        let mut length = 0_usize;
        for _ in 0..100 {
            if random(3) > 0 {
                p.paste(pieces[random(pieces.len())]);
            } else {
                p.key(&keys[random(keys.len())]);
            }
            for cells in [2, 3, 10, 80] {
                let (shown, cursor) = p.view(cells);
                assert!(width(&shown) <= cells, "{shown:?} in {cells}");
                assert!(cursor < cells, "{shown:?} {cursor} in {cells}");
                assert!(p.text().contains(&shown));
            }
            length = length.max(p.text().len());
        }
        assert!(length > 0);
    }
}
