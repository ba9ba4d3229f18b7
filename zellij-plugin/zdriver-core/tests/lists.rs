//! The lists: history is searched and looked into, a generation is chosen.

mod common;

use common::*;
use serde_json::{json, Value};
use zdriver_core::inside::{Screen, Show};
use zdriver_core::keys::Code;

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
