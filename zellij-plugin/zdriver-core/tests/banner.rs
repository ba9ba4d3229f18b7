//! The banner: its keys do what they say, and all else that is typed reaches the shell.

mod common;

use common::*;
use zdriver_core::inside::{Screen, Show};
use zdriver_core::keys::{Code, Key};
use zdriver_core::protocol::Banner;
use zdriver_core::{Effect, Event};

fn banner(keys: &str) -> World {
    panel_with(Show {
        screen: Screen::Banner,
        banner: Banner {
            lines: vec!["Welcome back".into(), "5 panes".into()],
            keys: keys.into(),
            seconds: 0.0,
        },
        ..Show::default()
    })
}

fn typed_on(effects: &[Effect]) -> Vec<String> {
    let writes = effects.iter().filter_map(|e| match e {
        Effect::WriteChars { terminal: 3, text } => Some(text.clone()),
        _ => None,
    });
    writes.collect()
}

#[test]
fn the_first_key_ends_the_banner_and_reaches_the_shell() {
    for (keys, key, text) in [
        ("undo", Key::char('l'), "l"),
        ("undo", Key::plain(Code::Enter), "\r"),
        ("undo", Key::ctrl('c'), "\x03"),
        ("undo", Key::plain(Code::Up), "\x1b[A"),
        ("restore", Key::char('u'), "u"),
        ("restore", Key::ctrl('d'), "\x04"),
    ] {
        let mut world = banner(keys);
        let effects = world.event(Event::Key(key));
        assert_eq!(typed_on(&effects), [text]);
        assert!(asked(&effects).is_empty());
        assert!(world.pass(200).contains(&Effect::HideSelf));
        assert!(closes(&world.pass(400)));
    }
}

#[test]
fn a_word_typed_at_once_reaches_the_shell_in_its_order() {
    let mut world = banner("undo");
    // `u` would undo, were it the first
    for c in ['l', 's', 'u'] {
        let effects = world.key(Code::Char(c));
        assert_eq!(typed_on(&effects), [c.to_string()]);
        assert!(!effects.contains(&Effect::HideSelf) && asked(&effects).is_empty());
        world.now += 150;
    }
    assert!(world.pass(200).contains(&Effect::HideSelf));
    // on its way when the banner went
    assert_eq!(typed_on(&world.key(Code::Char('x'))), ["x"]);
    assert!(closes(&world.pass(400)));
}

#[test]
fn a_word_that_begins_with_a_banner_key_is_typed_on() {
    for (keys, word) in [("undo", "uptime"), ("restore", "docker"), ("restore", "ls")] {
        let mut world = banner(keys);
        let mut effects = Vec::new();
        for c in word.chars() {
            world.now += 80;
            effects.extend(world.key(Code::Char(c)));
        }
        assert_eq!(typed_on(&effects).concat(), word);
        assert!(asked(&effects).is_empty(), "{effects:?}");
    }
}

#[test]
fn banner_keys_do_what_they_say() {
    let mut world = banner("undo");
    world.key(Code::Char('u'));
    let (_, params) = question(&world.pass(600), "plugin.choose");
    assert_eq!(params["choice"], "undo");

    let effects = banner("restore").key(Code::Enter);
    assert_eq!(question(&effects, "plugin.choose").1["choice"], "restore");
    assert!(closes(&effects));

    let mut world = banner("restore");
    world.key(Code::Char('d'));
    assert_eq!(
        question(&world.pass(600), "plugin.choose").1["choice"],
        "dismiss"
    );

    let mut world = banner("restore");
    world.key(Code::Char('l'));
    question(&world.pass(600), "plugin.snapshots");
    assert!(closes(&banner("restore").key(Code::Esc)));
}

#[test]
fn a_banner_without_keys_goes_at_any_input_and_takes_none() {
    let mut world = banner("");
    let effects = world.event(Event::Input);
    assert!(closes(&effects) && typed_on(&effects).is_empty());
}

#[test]
fn a_banner_goes_when_its_time_is_over() {
    let mut world = panel_with(Show {
        screen: Screen::Banner,
        banner: Banner {
            lines: vec!["hi".into()],
            keys: "undo".into(),
            seconds: 5.0,
        },
        ..Show::default()
    });
    assert!(!closes(&world.pass(4_900)));
    assert!(closes(&world.pass(200)));
}

#[test]
fn pasting_into_a_banner_reaches_the_shell() {
    let mut world = banner("undo");
    assert_eq!(
        typed_on(&world.event(Event::Paste("ls -l".into()))),
        ["ls -l"]
    );
}
