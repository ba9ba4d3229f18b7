//! Menu, prompts and notices, as a person uses them.

mod common;

use common::*;
use serde_json::json;
use zdriver_core::inside::{Screen, Show, ToPanel};
use zdriver_core::keys::Code;
use zdriver_core::protocol::{ErrorData, RpcError};
use zdriver_core::{Effect, Event};

fn refuse(world: &mut World, id: u64, message: &str, hint: &str) -> Vec<Effect> {
    let data = Some(ErrorData {
        code: "x".into(),
        hint: hint.into(),
    });
    let error = Some(RpcError {
        code: -32602,
        message: message.into(),
        data,
    });
    world.tell_panel(&ToPanel::Answer {
        id,
        result: None,
        error,
    })
}

#[test]
fn the_menu_names_its_letters_and_leads_on() {
    let mut world = panel(Screen::Menu);
    let shown = world.screen(11, 44).join("\n");
    for letter in [
        "i  intent",
        "m  milestone",
        "h  history",
        "g  go",
        "b  branch",
        "r  restore",
        "u  undo",
    ] {
        assert!(shown.contains(letter), "{shown}");
    }
    let effects = world.key(Code::Char('i'));
    assert!(effects.iter().any(|e| matches!(e, Effect::MoveSelf(_))));
    assert!(world.screen(4, 70)[0].contains("Intent"));
    assert!(closes(&panel(Screen::Menu).key(Code::Esc)));
    assert!(closes(&panel(Screen::Menu).key(Code::Char('z'))));
}

#[test]
fn an_intent_is_saved_and_the_panel_goes() {
    let mut world = panel(Screen::Intent);
    world.write("Refactor 日本");
    let effects = world.key(Code::Enter);
    let (id, params) = question(&effects, "plugin.set_intent");
    assert_eq!(params, json!({"text": "Refactor 日本", "pane": 3}));
    assert!(!closes(&effects));
    assert!(closes(&answer(&mut world, id, json!({"id": "i"}))));
}

#[test]
fn an_error_is_shown_and_the_text_kept() {
    let mut world = panel(Screen::Intent);
    world.write("too bad");
    let (id, _) = question(&world.key(Code::Enter), "plugin.set_intent");
    assert!(!closes(&refuse(
        &mut world,
        id,
        "the text is bad",
        "write another"
    )));
    let shown = world.screen(4, 70).join("\n");
    assert!(
        shown.contains("too bad") && shown.contains("the text is bad; write another"),
        "{shown}"
    );
    let (again, _) = question(&world.key(Code::Enter), "plugin.set_intent");
    assert_ne!(again, id);
}

#[test]
fn enter_twice_saves_once() {
    let mut world = panel(Screen::Intent);
    world.write("once");
    assert_eq!(asked(&world.key(Code::Enter)).len(), 1);
    assert_eq!(asked(&world.key(Code::Enter)).len(), 0);
}

#[test]
fn an_empty_text_is_not_sent() {
    let mut world = panel(Screen::Milestone);
    world.write("   ");
    let effects = world.key(Code::Enter);
    assert!(asked(&effects).is_empty());
    assert!(world.screen(4, 70).join("\n").contains("write something"));
}

#[test]
fn a_milestone_has_a_kind() {
    let mut world = panel(Screen::Milestone);
    world.write("Half way");
    world.key(Code::Tab);
    assert!(world.screen(4, 70)[0].contains("checkpoint"));
    let (_, params) = question(&world.key(Code::Enter), "plugin.record_milestone");
    assert_eq!(
        params,
        json!({"text": "Half way", "kind": "checkpoint", "pane": 3})
    );
}

#[test]
fn the_arrow_keys_find_what_the_daemon_knows() {
    let (mut world, _) = World::load("panel", PANEL);
    world.event(Event::Permissions { granted: true });
    let show = Show {
        screen: Screen::Intent,
        leader: 1,
        earlier: vec!["here".into()],
        ..Show::default()
    };
    let effects = world.tell_panel(&ToPanel::Show(Box::new(show)));
    let (id, _) = question(&effects, "plugin.history");
    answer(
        &mut world,
        id,
        json!([
            {"type": "milestone", "text": "no"}, {"type": "intent", "text": "here"}, {"type": "intent", "text": "there"}
        ]),
    );
    world.key(Code::Up);
    assert!(world.screen(4, 70)[1].contains("here"));
    world.key(Code::Up);
    assert!(world.screen(4, 70)[1].contains("there"));
}

#[test]
fn while_the_daemon_is_away_the_text_waits() {
    let mut world = panel(Screen::Intent);
    world.write("kept");
    let (id, _) = question(&world.key(Code::Enter), "plugin.set_intent");
    world.tell_panel(&ToPanel::Link {
        up: false,
        message: "zdriver's daemon has ended".into(),
    });
    let shown = world.screen(4, 100).join("\n");
    assert!(
        shown.contains("has ended; this is kept and saved when it is back"),
        "{shown}"
    );
    world.tell_panel(&ToPanel::Link {
        up: true,
        message: String::new(),
    });
    assert!(closes(&answer(&mut world, id, json!({}))));
}

#[test]
fn questions_wait_for_the_permission_to_ask_them() {
    let (mut world, _) = World::load("panel", PANEL);
    let show = Show {
        screen: Screen::History,
        leader: 1,
        ..Show::default()
    };
    let effects = world.tell_panel(&ToPanel::Show(Box::new(show)));
    assert!(asked(&effects).is_empty());
    let effects = world.event(Event::Permissions { granted: true });
    question(&effects, "plugin.history");
}

#[test]
fn a_panel_that_nobody_tells_anything_goes() {
    let (mut world, _) = World::load("panel", PANEL);
    world.event(Event::Permissions { granted: true });
    assert!(!closes(&world.pass(1_000)));
    assert!(closes(&world.pass(2_500)));
}

#[test]
fn undo_reports_what_it_kept() {
    let mut world = panel(Screen::Menu);
    let (id, params) = question(&world.key(Code::Char('u')), "plugin.choose");
    assert_eq!(params["choice"], "undo");
    answer(
        &mut world,
        id,
        json!({"restore": "x", "closed": 2, "kept": ["tab 2: vim runs in it"]}),
    );
    assert!(world.screen(5, 80)[0].contains("2 panes closed; kept: tab 2: vim runs in it"));
    assert!(closes(&world.key(Code::Char('q'))));
}

#[test]
fn every_screen_fits_every_size() {
    for screen in [
        Screen::Menu,
        Screen::Intent,
        Screen::Milestone,
        Screen::History,
        Screen::Restore,
        Screen::Undo,
        Screen::Banner,
        Screen::Notice,
    ] {
        let mut world = panel_with(Show {
            screen,
            message: "a long message about something that went wrong, 日本語".repeat(5),
            ..Show::default()
        });
        world.write("some text");
        for rows in 0..12 {
            for columns in [0, 1, 2, 3, 5, 12, 40, 200] {
                let shown = world.screen(rows, columns);
                assert!(shown.len() <= rows, "{screen:?} {rows}");
                for line in shown {
                    assert!(
                        zdriver_core::text::width(&line) <= columns,
                        "{screen:?} {columns} {line:?}"
                    );
                }
            }
        }
    }
}
