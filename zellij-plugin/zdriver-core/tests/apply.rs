//! Making panes, recognising them, and typing into them.

mod common;

use common::*;
use serde_json::{json, Value};
use zdriver_core::protocol::Pane;
use zdriver_core::{Effect, Event};

fn request(mode: &str, expect: Value, more: Value) -> Value {
    let mut params = json!({
        "mode": mode, "kdl": "layout { tab; }", "focus_tab": 0, "close_tabs": [], "writes": [],
        "expect": expect, "timeout": 5,
    });
    for (key, value) in more.as_object().unwrap() {
        params[key] = value.clone();
    }
    params
}

fn answer(effects: &[Effect]) -> Value {
    let answers = sent(effects);
    let found = answers.into_iter().find(|m| m["id"] == 7);
    found.expect("no answer")
}

fn answered(effects: &[Effect]) -> bool {
    sent(effects).iter().any(|m| m["id"] == 7)
}

fn floating(tab: usize, id: u32) -> Pane {
    Pane {
        is_floating: true,
        ..terminal(tab, id)
    }
}

fn written(effects: &[Effect]) -> Vec<(u32, String)> {
    let writes = effects.iter().filter_map(|e| match e {
        Effect::WriteChars { terminal, text } => Some((*terminal, text.clone())),
        _ => None,
    });
    writes.collect()
}

#[test]
fn one_tab_takes_whatever_its_layout_has() {
    let mut world = leader();
    let more = json!({"writes": [{"tab": 0, "pane": 0, "text": "make\n"}]});
    let effects = world.call(7, "apply", request("one_tab", json!([]), more));
    assert!(effects.iter().any(|e| matches!(e, Effect::NewTabs(_))));
    assert!(!answered(&effects));
    assert!(!answered(&world.settled(Event::Tabs(vec![tab(0), tab(1)]))));
    let effects = world.settled(Event::Panes(vec![
        terminal(0, 0),
        terminal(1, 5),
        terminal(1, 4),
        terminal(1, 6),
    ]));
    assert_eq!(written(&effects), [(4, "make\n".into())]);
    assert!(effects.contains(&Effect::GoToTab(1)));
    let result = answer(&effects)["result"].clone();
    assert_eq!(
        result["tabs"],
        json!([{"tab": 0, "tab_id": 11, "position": 1}])
    );
    assert_eq!(result["failed"], json!([]));
}

#[test]
fn one_tab_that_never_comes_is_said() {
    let mut world = leader();
    world.call(7, "apply", request("one_tab", json!([]), json!({})));
    let result = answer(&world.pass(5_100))["result"].clone();
    assert_eq!(result["tabs"], json!([]));
    assert_eq!(result["failed"][0]["tab"], 0);
}

#[test]
fn a_pane_is_gone_to_and_one_that_is_gone_is_said() {
    let mut world = leader();
    let effects = world.call(7, "focus", json!({"pane": 0}));
    assert!(effects.contains(&Effect::FocusTerminal(0)));
    assert_eq!(answer(&effects)["result"], json!({}));
    let effects = world.call(7, "focus", json!({"pane": 99}));
    assert!(!effects
        .iter()
        .any(|e| matches!(e, Effect::FocusTerminal(_))));
    assert_eq!(answer(&effects)["error"]["code"], -32009);
}

#[test]
fn override_replaces_a_pristine_session() {
    let mut world = leader();
    let more = json!({"focus_tab": 1, "writes": [{"tab": 1, "pane": 0, "text": "vim\n"}]});
    let effects = world.call(7, "apply", request("override", json!([2, 1]), more));
    assert!(effects
        .iter()
        .any(|e| matches!(e, Effect::OverrideLayout(_))));
    assert!(!answered(&effects));
    world.settled(Event::Tabs(vec![tab(0), tab(1)]));
    let effects = world.settled(Event::Panes(vec![
        terminal(0, 1),
        terminal(0, 2),
        terminal(1, 3),
    ]));
    assert_eq!(written(&effects), [(3, "vim\n".into())]);
    assert!(effects.contains(&Effect::GoToTab(1)));
    let result = answer(&effects)["result"].clone();
    assert_eq!(result["failed"], json!([]));
    assert_eq!(
        result["tabs"][1],
        json!({"tab": 1, "tab_id": 11, "position": 1})
    );
    assert_eq!(result["panes"][2], json!({"tab": 1, "pane": 0, "id": 3}));
}

#[test]
fn the_manifest_from_before_is_not_taken_for_the_new_one() {
    let mut world = leader();
    world.call(7, "apply", request("override", json!([1]), json!({})));
    // terminal 0 still stands there, as many as expected
    assert!(!answered(
        &world.settled(Event::Panes(vec![terminal(0, 0)]))
    ));
    let effects = world.settled(Event::Panes(vec![terminal(0, 1)]));
    assert_eq!(answer(&effects)["result"]["panes"][0]["id"], 1);
}

#[test]
fn the_folded_panes_of_a_stack_count() {
    let mut world = leader();
    world.call(7, "apply", request("override", json!([3]), json!({})));
    let folded = |id| Pane {
        is_suppressed: true,
        ..terminal(0, id)
    };
    let effects = world.settled(Event::Panes(vec![folded(1), terminal(0, 2), folded(3)]));
    let panes = answer(&effects)["result"]["panes"].clone();
    assert_eq!(
        [&panes[0]["id"], &panes[1]["id"], &panes[2]["id"]],
        [1, 2, 3]
    );
}

#[test]
fn a_pane_that_zellij_kept_is_taken_after_a_while() {
    let mut world = leader();
    world.call(7, "apply", request("override", json!([2]), json!({})));
    assert!(!answered(
        &world.settled(Event::Panes(vec![terminal(0, 0), terminal(0, 1)]))
    ));
    let effects = world.pass(300);
    let panes = answer(&effects)["result"]["panes"].clone();
    assert_eq!(panes[0]["id"], 0);
    assert_eq!(panes[1]["id"], 1);
}

#[test]
fn commands_reach_the_pane_they_are_meant_for_whatever_order_zellij_starts_them_in() {
    let mut world = leader();
    let more = json!({
        "order": [[0, 2, 1, 3]],
        "writes": [{"tab": 0, "pane": 1, "text": "second\n"}, {"tab": 0, "pane": 2, "text": "third\n"}],
    });
    world.call(7, "apply", request("override", json!([4]), more));
    let panes = vec![
        floating(0, 8),
        terminal(0, 7),
        terminal(0, 5),
        terminal(0, 6),
    ];
    let effects = world.settled(Event::Panes(panes));
    assert_eq!(
        written(&effects),
        [(7, "second\n".into()), (6, "third\n".into())]
    );
    assert_eq!(answer(&effects)["result"]["panes"][3]["id"], 8);
}

#[test]
fn a_session_in_use_is_never_replaced() {
    let mut in_use: Vec<World> = Vec::new();
    let mut world = leader();
    world.settled(Event::Tabs(vec![tab(0), tab(1)]));
    in_use.push(world);
    let mut world = leader();
    world.settled(Event::Panes(vec![terminal(0, 0), terminal(0, 1)]));
    in_use.push(world);
    let mut world = leader();
    world.settled(Event::Input);
    in_use.push(world);
    let mut world = leader();
    let mut busy = terminal(0, 0);
    busy.command = Some("top".into());
    world.settled(Event::Panes(vec![busy]));
    in_use.push(world);
    for mut world in in_use {
        let effects = world.call(7, "apply", request("override", json!([1]), json!({})));
        assert_eq!(answer(&effects)["error"]["code"], -32009);
        assert!(!effects
            .iter()
            .any(|e| matches!(e, Effect::OverrideLayout(_))));
    }
}

#[test]
fn an_override_takes_the_layout_from_a_file_where_one_is_named() {
    let file = json!({"layout_file": "/run/layout"});
    let mut world = leader();
    let effects = world.call(7, "apply", request("override", json!([1]), file.clone()));
    let wanted = Effect::OverrideLayoutFile {
        path: "/run/layout".into(),
        kdl: "layout { tab; }".into(),
    };
    assert!(effects.contains(&wanted));
    // new tabs get their panes' contents from the text as well
    let mut world = leader();
    let effects = world.call(7, "apply", request("new_tabs", json!([1]), file));
    assert!(effects.iter().any(|e| matches!(e, Effect::NewTabs(_))));
}

#[test]
fn a_layout_that_zellij_refuses_changes_nothing() {
    for mode in ["override", "new_tabs", "replace"] {
        let mut world = leader();
        let effects = world.call(7, "apply", request(mode, json!([1]), json!({"kdl": "bad"})));
        assert_eq!(answer(&effects)["error"]["code"], -32602);
        assert!(answer(&effects)["error"]["message"]
            .as_str()
            .unwrap()
            .contains("line 1"));
        let made = |e: &Effect| matches!(e, Effect::OverrideLayout(_) | Effect::NewTabs(_));
        assert!(!effects.iter().any(made));
        // and the next one is taken
        let effects = world.call(7, "apply", request(mode, json!([1]), json!({})));
        assert!(effects.iter().any(made));
    }
}

#[test]
fn new_tabs_are_told_from_old_ones_by_their_ids() {
    let mut world = leader();
    let more = json!({"focus_tab": 1, "writes": [{"tab": 0, "pane": 0, "text": "a\n"}]});
    let effects = world.call(7, "apply", request("new_tabs", json!([1, 2]), more));
    assert!(effects.iter().any(|e| matches!(e, Effect::NewTabs(_))));
    world.settled(Event::Tabs(vec![tab(0), tab(1), tab(2)]));
    let panes = vec![
        terminal(0, 0),
        terminal(1, 4),
        terminal(2, 5),
        terminal(2, 6),
    ];
    let effects = world.settled(Event::Panes(panes));
    assert_eq!(written(&effects), [(4, "a\n".into())]);
    assert!(effects.contains(&Effect::GoToTab(2)));
    let result = answer(&effects)["result"].clone();
    assert_eq!(
        result["tabs"],
        json!([
            {"tab": 0, "tab_id": 11, "position": 1}, {"tab": 1, "tab_id": 12, "position": 2}
        ])
    );
    assert_eq!(result["panes"].as_array().unwrap().len(), 3);
}

#[test]
fn replace_closes_the_old_tabs_and_tells_where_the_new_ones_stand_then() {
    let mut world = leader();
    let more = json!({"close_tabs": [10]});
    world.call(7, "apply", request("replace", json!([1]), more));
    world.settled(Event::Tabs(vec![tab(0), tab(1)]));
    let effects = world.settled(Event::Panes(vec![terminal(0, 0), terminal(1, 1)]));
    assert!(effects.contains(&Effect::CloseTab(10)));
    assert!(!answered(&effects));
    let mut moved = tab(1);
    moved.position = 0;
    let effects = world.settled(Event::Tabs(vec![moved]));
    assert!(effects.contains(&Effect::GoToTab(0)));
    let result = answer(&effects)["result"].clone();
    assert_eq!(
        result["tabs"][0],
        json!({"tab": 0, "tab_id": 11, "position": 0})
    );
}

#[test]
fn replace_closes_nothing_when_a_pane_is_missing() {
    let mut world = leader();
    world.call(
        7,
        "apply",
        request("replace", json!([2]), json!({"close_tabs": [10]})),
    );
    world.settled(Event::Tabs(vec![tab(0), tab(1)]));
    world.settled(Event::Panes(vec![terminal(0, 0), terminal(1, 1)]));
    let effects = world.pass(5_000);
    assert!(!effects.contains(&Effect::CloseTab(10)));
    assert_eq!(answer(&effects)["result"]["failed"][0]["pane"], 1);
}

#[test]
fn panes_that_do_not_come_are_named_at_the_deadline() {
    let mut world = leader();
    let more = json!({"timeout": 2, "writes": [{"tab": 0, "pane": 0, "text": "x"}, {"tab": 0, "pane": 1, "text": "y"}]});
    world.call(7, "apply", request("override", json!([2, 1]), more));
    world.settled(Event::Panes(vec![terminal(0, 1)]));
    assert!(!answered(&world.pass(1_900)));
    let effects = world.pass(200);
    assert_eq!(written(&effects), [(1, "x".into())]);
    let failed = answer(&effects)["result"]["failed"].clone();
    assert_eq!(failed.as_array().unwrap().len(), 2);
    assert_eq!(
        failed[1],
        json!({"tab": 1, "pane": 0, "reason": "Zellij did not make this pane in time"})
    );
}

#[test]
fn one_layout_at_a_time() {
    let mut world = leader();
    world.call(6, "apply", request("new_tabs", json!([1]), json!({})));
    let effects = world.call(7, "apply", request("new_tabs", json!([1]), json!({})));
    assert_eq!(answer(&effects)["error"]["code"], -32009);
}

#[test]
fn close_closes_what_is_there_and_counts_it() {
    let mut world = leader();
    world.settled(Event::Panes(vec![terminal(0, 0), terminal(0, 1)]));
    let effects = world.call(7, "close", json!({"panes": [1, 99], "tabs": [10, 77]}));
    assert!(effects.contains(&Effect::CloseTerminal(1)));
    assert!(effects.contains(&Effect::CloseTab(10)));
    assert!(!effects.contains(&Effect::CloseTerminal(99)));
    assert_eq!(answer(&effects)["result"]["closed"], 2);
}

#[test]
fn mapping_is_right_for_every_shape_of_session() {
    // ids grow in the order of making; the manifest comes in any order
    let mut seed: u64 = 42;
    let mut random = move |below: usize| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    for _ in 0..200 {
        let mut world = leader();
        let counts: Vec<usize> = (0..1 + random(5)).map(|_| 1 + random(6)).collect();
        let mut next = 1;
        let mut expected = Vec::new();
        let mut panes = Vec::new();
        for (tab, count) in counts.iter().enumerate() {
            let split = random(count + 1);
            for pane in 0..*count {
                let made = Pane {
                    is_floating: pane >= split,
                    ..terminal(tab, next)
                };
                let at = random(panes.len() + 1);
                panes.insert(at, made);
                expected.push((tab, pane, next));
                next += 1;
            }
        }
        world.call(7, "apply", request("override", json!(counts), json!({})));
        world.settled(Event::Tabs((0..counts.len()).map(tab).collect()));
        let effects = world.settled(Event::Panes(panes));
        let found = answer(&effects)["result"]["panes"].clone();
        let found: Vec<(usize, usize, u32)> = found
            .as_array()
            .unwrap()
            .iter()
            .map(|p| {
                let number = |key: &str| p[key].as_u64().unwrap() as usize;
                (number("tab"), number("pane"), number("id") as u32)
            })
            .collect();
        assert_eq!(found, expected);
    }
}
