//! The status line, and what the background instance tells it.

mod common;

use common::*;
use serde_json::json;
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

fn told_status(effects: &[Effect]) -> Vec<(u32, ToStatus)> {
    let told = effects.iter().filter_map(|e| match e {
        Effect::Tell {
            name,
            payload,
            plugin,
        } if *name == TO_STATUS => Some((plugin, payload)),
        _ => None,
    });
    told.map(|(plugin, text)| (*plugin, serde_json::from_str(text).unwrap()))
        .collect()
}

#[test]
fn each_status_line_hears_of_its_own_tab_and_only_what_is_new() {
    let mut world = leader();
    world.settled(Event::Tabs(vec![tab(0), tab(1)]));
    let panes = vec![
        terminal(0, 0),
        terminal(1, 1),
        plugin(0, 6, "s", false),
        plugin(1, 7, "s", false),
    ];
    world.settled(Event::Panes(panes.clone()));
    let status = json!({"tabs": [
        {"position": 0, "intent": "first", "intent_at": null, "milestone": "", "milestone_at": null},
        {"position": 1, "intent": "second", "intent_at": null, "milestone": "m", "milestone_at": null},
    ], "warning": ""});
    let notification = json!({"method": "status", "params": status});
    let mut told = told_status(&world.line(DOWN, &notification));
    told.sort_by_key(|(id, _)| *id);
    assert_eq!((told[0].0, told[0].1.tab.intent.as_str()), (6, "first"));
    assert_eq!((told[1].0, told[1].1.tab.intent.as_str()), (7, "second"));
    assert!(told_status(&world.line(DOWN, &notification)).is_empty());
    // a new tab's line is told at once
    world.settled(Event::Tabs(vec![tab(0), tab(1), tab(2)]));
    let mut more = panes;
    more.push(plugin(2, 8, "s", false));
    let told = told_status(&world.settled(Event::Panes(more)));
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].0, 8);
}

#[test]
fn status_lines_hear_that_the_daemon_is_away_and_back() {
    let mut world = leader();
    world.settled(Event::Panes(vec![terminal(0, 0), plugin(0, 6, "s", false)]));
    let told = told_status(&world.end(DOWN));
    assert!(told[0].1.warning.contains("has ended"));
    world.pass(1_000);
    assert_eq!(told_status(&world.hello(CLIENT))[0].1.warning, "");
}

#[test]
fn a_new_clients_status_lines_are_told_as_well() {
    let mut world = leader();
    world.settled(Event::Panes(vec![terminal(0, 0), plugin(0, 6, "s", false)]));
    let effects = world.settled(Event::Pipe {
        source: zdriver_core::Source::Plugin(ME),
        name: "zdriver-peers".into(),
        payload: Some(r#"{"here":{"client":4}}"#.into()),
    });
    assert_eq!(told_status(&effects).len(), 1);
}
