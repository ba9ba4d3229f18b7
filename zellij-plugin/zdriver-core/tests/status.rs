//! The status line.

mod common;

use common::*;
use zdriver_core::inside::{ToStatus, TO_STATUS};
use zdriver_core::protocol::TabStatus;
use zdriver_core::text::width;
use zdriver_core::{Effect, Event, Source};

fn line(intent: &str, milestone: &str, warning: &str) -> World {
    let (mut world, effects) = World::load("status", 5);
    assert!(effects.contains(&Effect::Unselectable));
    assert!(
        !effects.contains(&Effect::RequestPermissions),
        "it needs none"
    );
    let told = ToStatus {
        tab: TabStatus {
            position: 0,
            intent: intent.into(),
            intent_at: Some("1970-01-01T00:00:00Z".into()),
            milestone: milestone.into(),
            milestone_at: Some("1970-01-01T00:10:00Z".into()),
        },
        warning: warning.into(),
    };
    let effects = world.event(Event::Pipe {
        source: Source::Plugin(0),
        name: TO_STATUS.into(),
        payload: Some(serde_json::to_string(&told).unwrap()),
    });
    assert!(effects.contains(&Effect::Render));
    world
}

#[test]
fn intent_milestone_and_age() {
    let world = line("Refactor database", "Extracted models", "");
    assert_eq!(
        world.screen(1, 80),
        [" Refactor database · Extracted models · 6 min"]
    );
    let world = line("Refactor database", "", "");
    assert_eq!(world.screen(1, 80), [" Refactor database · 16 min"]);
}

#[test]
fn a_hint_where_nothing_is_set_and_a_warning_where_something_is_wrong() {
    assert_eq!(line("", "", "").screen(1, 80), [" no intent · Alt m i"]);
    let shown = line("Refactor", "", "the daemon is away")
        .screen(1, 80)
        .concat();
    assert_eq!(shown, " ! the daemon is away · Refactor · 16 min");
    assert_eq!(line("", "", "away").screen(1, 80), [" ! away "]);
}

#[test]
fn it_fits_every_width() {
    let world = line(
        "Refactor the whole 日本語 database layer",
        "Extracted 🦀 models and more",
        "",
    );
    for columns in 0..120 {
        let shown = world.screen(1, columns).concat();
        assert!(width(&shown) <= columns, "{columns}: {shown}");
    }
    let shown = world.screen(1, 50).concat();
    assert!(
        shown.contains('…') && shown.contains("Extracted") && shown.ends_with("6 min"),
        "{shown}"
    );
}

#[test]
fn hostile_text_is_harmless() {
    let shown = line("a\x1b[31m\nb", "\u{202e}c\td", "\x07")
        .screen(1, 80)
        .concat();
    assert!(
        !shown.chars().any(|c| c.is_control() || c == '\u{202e}'),
        "{shown:?}"
    );
}

#[test]
fn ages_are_drawn_anew_and_silence_is_explained() {
    let mut world = line("x", "", "");
    assert!(world.pass(31_000).contains(&Effect::Render));
    assert!(world.pass(31_000).contains(&Effect::Render));
    let (mut silent, _) = World::load("status", 5);
    assert_eq!(silent.screen(1, 80), [""]);
    assert!(silent.pass(4_000).contains(&Effect::Render));
    assert!(silent.screen(1, 80)[0].contains("not connected"));
}

#[test]
fn rubbish_is_left_out() {
    let mut world = line("stays", "", "");
    for text in ["", "{", "5", "{\"tab\":7}"] {
        world.event(Event::Pipe {
            source: Source::Plugin(3),
            name: TO_STATUS.into(),
            payload: Some(text.into()),
        });
    }
    assert!(world.screen(1, 80)[0].contains("stays"));
}
