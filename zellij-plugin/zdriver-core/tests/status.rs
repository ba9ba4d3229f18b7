//! The status line, and what the background instance tells it.

mod common;

use common::*;
use serde_json::json;
use zdriver_core::inside::{ToStatus, TO_STATUS};
use zdriver_core::protocol::TabStatus;
use zdriver_core::text::width;
use zdriver_core::{Effect, Event, Source};

fn line(intent: &str, milestone: &str, warning: &str) -> World {
    line_of(
        TabStatus {
            intent: intent.into(),
            milestone: milestone.into(),
            ..TabStatus::default()
        },
        warning,
    )
}

/// The world's clock stands at 00:16:40 then.
fn held() -> TabStatus {
    TabStatus {
        worktree: "feat-user-auth".into(),
        holder: "claude-1".into(),
        held_until: Some("1970-01-01T01:32:00+01:00".into()),
        intent: "Refactor database layer".into(),
        milestone: "Extracted models".into(),
        ..TabStatus::default()
    }
}

fn line_of(tab: TabStatus, warning: &str) -> World {
    let (mut world, effects) = World::load("status", 5);
    assert!(effects.contains(&Effect::Unselectable));
    assert!(
        !effects.contains(&Effect::RequestPermissions),
        "it needs none"
    );
    let told = ToStatus {
        tab: TabStatus {
            intent_at: Some("1970-01-01T00:00:00Z".into()),
            milestone_at: Some("1970-01-01T00:10:00Z".into()),
            ..tab
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
fn worktree_and_holder_stand_first() {
    assert_eq!(
        line_of(held(), "").screen(1, 120),
        [" feat-user-auth · held by claude-1 until 01:32 · Refactor database layer · Extracted models · 6 min"]
    );
    let free = TabStatus {
        holder: String::new(),
        ..held()
    };
    assert_eq!(
        line_of(free, "").screen(1, 80),
        [" feat-user-auth · Refactor database layer · Extracted models · 6 min"]
    );
    let bare = TabStatus {
        intent: String::new(),
        ..held()
    };
    assert_eq!(
        line_of(bare, "").screen(1, 80),
        [" feat-user-auth · held by claude-1 until 01:32 · no intent · Alt m i"]
    );
}

#[test]
fn the_least_important_goes_first() {
    let world = line_of(held(), "");
    let shown = |columns| world.screen(1, columns).concat();
    assert_eq!(
        shown(90),
        " feat-user-auth · held by claude-1 · Refactor database layer · Extracted models · 6 min"
    );
    assert_eq!(
        shown(80),
        " feat-user-auth · held by claude-1 · Refactor database layer · Extracted models"
    );
    assert_eq!(
        shown(70),
        " feat-user-auth · held by claude-1 · Refactor database layer"
    );
    assert_eq!(shown(50), " feat-user-auth · Refactor database layer");
    assert_eq!(shown(30), " Refactor database layer");
    assert_eq!(shown(10), " Refactor…");
    for columns in 0..130 {
        assert!(width(&shown(columns)) <= columns, "{columns}");
    }
}

#[test]
fn a_long_name_is_cut_before_it_costs_the_rest() {
    let tab = TabStatus {
        worktree: "feat-".to_owned() + &"long".repeat(40),
        ..held()
    };
    let shown = line_of(tab, "").screen(1, 80).concat();
    assert!(
        shown.starts_with(" feat-longlong") && shown.contains("… · held by claude-1 · Refactor"),
        "{shown}"
    );
}

#[test]
fn a_claim_that_ran_out_is_not_shown() {
    let mut world = line_of(held(), "");
    world.pass(16 * 60_000);
    let shown = world.screen(1, 120).concat();
    assert!(
        !shown.contains("held") && shown.contains("feat-user-auth"),
        "{shown}"
    );
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
