//! Menu, prompts, lists and banner, as a person uses them.

mod common;

use common::*;
use serde_json::{json, Value};
use zdriver_core::inside::{Screen, Show, ToPanel};
use zdriver_core::keys::{Code, Key};
use zdriver_core::protocol::{Banner, ErrorData, RpcError};
use zdriver_core::{Effect, Event};

fn answer(world: &mut World, id: u64, result: Value) -> Vec<Effect> {
    world.tell_panel(&ToPanel::Answer {
        id,
        result: Some(result),
        error: None,
    })
}

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

fn question(effects: &[Effect], method: &str) -> (u64, Value) {
    let found = asked(effects).into_iter().find(|(_, m, _)| m == method);
    let (id, _, params) = found.unwrap_or_else(|| panic!("{method} was not asked: {effects:?}"));
    (id, params)
}

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
fn the_menu_names_its_letters_and_leads_on() {
    let mut world = panel(Screen::Menu);
    let shown = world.screen(9, 44).join("\n");
    for letter in [
        "i  intent",
        "m  milestone",
        "h  history",
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

fn history() -> (World, Value) {
    let mut world = panel_with(Show {
        screen: Screen::Menu,
        ..Show::default()
    });
    let effects = world.key(Code::Char('h'));
    let (id, params) = question(&effects, "plugin.history");
    assert_eq!(params["query"], "");
    let rows: Vec<Value> = (0..50)
        .map(|n| {
            json!({
                "id": n.to_string(), "type": if n % 2 == 0 { "intent" } else { "milestone" },
                "text": format!("entry {n}"), "kind": null, "artifacts": ["a.txt"], "commit": "abc",
                "at": "1970-01-01T00:10:00Z", "source": "manual",
                "context": {"zellij_session": "work", "root": "/w"},
            })
        })
        .collect();
    let rows = Value::Array(rows);
    answer(&mut world, id, rows.clone());
    (world, rows)
}

#[test]
fn history_is_scrolled_and_looked_into() {
    let (mut world, _) = history();
    let shown = world.screen(20, 100);
    assert!(
        shown[1].contains("entry 0") && shown[1].contains("6 min"),
        "{}",
        shown[1]
    );
    assert_eq!(shown.len(), 20);
    world.key(Code::End);
    assert!(world.screen(20, 100).join("\n").contains("> "));
    assert!(world.screen(20, 100).join("\n").contains("entry 49"));
    world.key(Code::Enter);
    let details = world.screen(20, 100).join("\n");
    for fact in ["entry 49", "/w", "abc", "a.txt", "manual"] {
        assert!(details.contains(fact), "{details}");
    }
    world.key(Code::Enter);
    assert!(world.screen(20, 100)[0].starts_with("history"));
    assert!(closes(&world.key(Code::Esc)));
}

#[test]
fn history_filters_at_once_and_asks_for_the_rest() {
    let (mut world, rows) = history();
    world.write("entry 4");
    let shown = world.screen(20, 100).join("\n");
    assert!(
        shown.contains("entry 49") && !shown.contains("entry 39"),
        "{shown}"
    );
    let effects = world.pass(130);
    let (id, params) = question(&effects, "plugin.history");
    assert_eq!(params["query"], "entry 4");
    // what the daemon finds is shown as it is: it looks further than the words
    answer(&mut world, id, json!([rows[3]]));
    assert!(world.screen(20, 100)[1].contains("entry 3"));
    world.key(Code::Backspace);
    assert!(asked(&world.pass(130)).len() == 1);
}

#[test]
fn answers_to_older_questions_are_left_out() {
    let (mut world, rows) = history();
    world.write("a");
    let (first, _) = question(&world.pass(130), "plugin.history");
    world.write("b");
    let (second, _) = question(&world.pass(130), "plugin.history");
    answer(&mut world, first, json!([rows[1]]));
    assert!(!world.screen(20, 100).join("\n").contains("entry 1"));
    answer(&mut world, second, json!([rows[2]]));
    assert!(world.screen(20, 100)[1].contains("entry 2"));
}

fn restore_list() -> World {
    let mut world = panel(Screen::Menu);
    let (id, _) = question(&world.key(Code::Char('r')), "plugin.snapshots");
    let row = |generation: u64| {
        json!({
            "generation": generation, "zellij_session": "old", "root": "/w", "reason": "change",
            "taken_at": "1970-01-01T00:00:00Z", "tabs": 1, "panes": 3, "pinned": false, "digest": "",
        })
    };
    answer(&mut world, id, json!([row(9), row(8)]));
    world
}

#[test]
fn a_generation_is_restored_or_dismissed_and_the_panel_goes_first() {
    let mut world = restore_list();
    let shown = world.screen(10, 100).join("\n");
    assert!(shown.contains("1 tab, 3 panes"), "{shown}");
    world.key(Code::Down);
    let effects = world.key(Code::Enter);
    let (_, params) = question(&effects, "plugin.choose");
    assert_eq!(params, json!({"choice": "restore", "generation": 8}));
    assert!(closes(&effects));
    let effects = restore_list().key(Code::Char('d'));
    let (_, params) = question(&effects, "plugin.choose");
    assert_eq!(params, json!({"choice": "dismiss", "generation": 9}));
}

#[test]
fn an_empty_list_says_so() {
    let mut world = panel(Screen::Menu);
    let (id, _) = question(&world.key(Code::Char('r')), "plugin.snapshots");
    answer(&mut world, id, json!([]));
    assert!(world
        .screen(10, 80)
        .join("\n")
        .contains("nothing to restore yet"));
    assert!(asked(&world.key(Code::Enter)).is_empty());
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
