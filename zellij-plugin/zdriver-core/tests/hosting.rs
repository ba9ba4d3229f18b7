//! The background instance and the panel it shows.

mod common;

use common::*;
use serde_json::json;
use zdriver_core::effect::Focus;
use zdriver_core::inside::{Screen, Show, ToLeader, ToPanel, TO_PANEL};
use zdriver_core::protocol::Pane;
use zdriver_core::{Effect, Event};

fn opened(effects: &[Effect]) -> Option<(Show, bool)> {
    effects.iter().find_map(|e| match e {
        Effect::OpenPanel { payload, focus, .. } => match serde_json::from_str(payload).unwrap() {
            ToPanel::Show(show) => Some((*show, *focus)),
            _ => None,
        },
        _ => None,
    })
}

fn told_panel(effects: &[Effect]) -> Vec<ToPanel> {
    let told = effects.iter().filter_map(|e| match e {
        Effect::Tell { name, payload, .. } if *name == TO_PANEL => Some(payload),
        _ => None,
    });
    told.map(|text| serde_json::from_str(text).unwrap())
        .collect()
}

fn floating(id: u32) -> Pane {
    Pane {
        is_floating: true,
        focused: false,
        ..terminal(0, id)
    }
}

fn ask(method: &str, params: serde_json::Value) -> ToLeader {
    ToLeader::Ask {
        plugin: PANEL,
        id: 1,
        method: method.into(),
        params,
    }
}

#[test]
fn a_key_opens_the_panel_in_the_middle_with_the_focused_pane() {
    let mut world = leader();
    let effects = world.keybind("intent");
    let (show, focus) = opened(&effects).unwrap();
    assert_eq!(
        (show.screen, show.pane, focus),
        (Screen::Intent, Some(0), true)
    );
    let place = effects.iter().find_map(|e| match e {
        Effect::OpenPanel { place, .. } => Some(*place),
        _ => None,
    });
    let place = place.unwrap();
    assert_eq!(place.x * 2 + place.columns, 120);
    assert!(place.y + place.rows <= 40);
}

#[test]
fn a_key_is_meant_where_zellij_says_the_focus_is_not_where_the_last_manifest_saw_it() {
    let mut world = leader();
    world.settled(Event::Tabs(vec![tab(0), tab(1)]));
    world.settled(Event::Panes(vec![
        terminal(0, 0),
        terminal(1, 1),
        terminal(1, 2),
    ]));
    world.focus = Some(Focus {
        tab_id: 11,
        terminal: Some(2),
    });
    let effects = world.keybind("go");
    assert!(effects.contains(&Effect::AskFocus));
    assert_eq!(opened(&effects).unwrap().0.pane, Some(2));
    // of a tab that no manifest has yet
    world.focus = Some(Focus {
        tab_id: 12,
        terminal: Some(9),
    });
    assert_eq!(opened(&world.keybind("go")).unwrap().0.pane, Some(9));
    // a plugin has the keys, or Zellij did not answer in time
    world.focus = Some(Focus {
        tab_id: 10,
        terminal: None,
    });
    assert_eq!(opened(&world.keybind("go")).unwrap().0.pane, Some(0));
    world.focus = None;
    assert_eq!(opened(&world.keybind("go")).unwrap().0.pane, Some(0));
}

#[test]
fn unknown_keys_are_only_logged() {
    let effects = leader().keybind("frobnicate");
    assert!(matches!(&effects[..], [Effect::Log(_)]));
}

#[test]
fn questions_go_up_and_answers_come_back() {
    let mut world = with_panel();
    let effects = world.tell_leader(&ask("plugin.set_intent", json!({"text": "x", "pane": 0})));
    let up = &sent(&effects)[0];
    assert_eq!(up["method"], "plugin.set_intent");
    assert_eq!(up["params"]["text"], "x");
    assert!(up["params"]["request"].as_str().unwrap().contains("4711"));
    let effects = world.line(DOWN, &json!({"id": up["id"], "result": {"id": "i"}}));
    let expected = ToPanel::Answer {
        id: 1,
        result: Some(json!({"id": "i"})),
        error: None,
    };
    assert_eq!(told_panel(&effects), [expected]);
    // a second answer with that id is nobody's
    assert_eq!(world.line(DOWN, &json!({"id": up["id"], "result": {}})), []);
}

#[test]
fn what_was_written_while_the_daemon_was_away_is_sent_once_when_it_is_back() {
    let mut world = with_panel();
    world.end(DOWN);
    let effects = world.tell_leader(&ask("plugin.set_intent", json!({"text": "kept"})));
    assert!(sent(&effects).is_empty());
    assert!(matches!(
        &told_panel(&effects)[..],
        [ToPanel::Link { up: false, .. }]
    ));
    world.tell_leader(&ToLeader::Closing {
        plugin: PANEL,
        typed: false,
    });
    world.pass(1_000);
    let effects = world.hello(CLIENT);
    assert_eq!(
        methods(&effects),
        ["plugin.ready", "plugin.set_intent", "plugin.state"]
    );
    // it is asked with the same request id should the connection break before the answer
    let first = sent(&effects)[1]["params"]["request"].clone();
    world.end(DOWN);
    world.pass(1_000);
    let effects = world.hello(CLIENT);
    assert_eq!(sent(&effects)[1]["params"]["request"], first);
    let id = sent(&effects)[1]["id"].clone();
    world.line(DOWN, &json!({"id": id, "result": {}}));
    world.end(DOWN);
    world.pass(1_000);
    assert_eq!(
        methods(&world.hello(CLIENT)),
        ["plugin.ready", "plugin.state"]
    );
}

#[test]
fn a_search_is_forgotten_with_its_panel() {
    let mut world = with_panel();
    world.end(DOWN);
    world.tell_leader(&ask("plugin.history", json!({"query": ""})));
    world.tell_leader(&ToLeader::Closing {
        plugin: PANEL,
        typed: false,
    });
    world.pass(1_000);
    assert_eq!(
        methods(&world.hello(CLIENT)),
        ["plugin.ready", "plugin.state"]
    );
}

#[test]
fn a_text_that_was_refused_behind_the_users_back_is_the_next_draft() {
    let mut world = with_panel();
    let effects = world.tell_leader(&ask("plugin.set_intent", json!({"text": "refused"})));
    let id = sent(&effects)[0]["id"].clone();
    world.tell_leader(&ToLeader::Closing {
        plugin: PANEL,
        typed: false,
    });
    world.line(
        DOWN,
        &json!({"id": id, "error": {"code": -32003, "message": "the disk is full"}}),
    );
    let (show, _) = opened(&world.keybind("intent")).unwrap();
    assert_eq!(show.draft, "refused");
    assert_eq!(show.message, "the disk is full");
    assert_eq!(show.earlier, ["refused"]);
    assert_eq!(opened(&world.keybind("intent")).unwrap().0.draft, "");
}

#[test]
fn a_restore_that_failed_after_the_panel_went_is_told() {
    let mut world = with_panel();
    let effects = world.tell_leader(&ask(
        "plugin.choose",
        json!({"choice": "restore", "generation": 3}),
    ));
    let id = sent(&effects)[0]["id"].clone();
    world.tell_leader(&ToLeader::Closing {
        plugin: PANEL,
        typed: false,
    });
    let effects = world.line(
        DOWN,
        &json!({"id": id, "error": {"code": -32004, "message": "no generation 3"}}),
    );
    let (show, _) = opened(&effects).unwrap();
    assert_eq!(
        (show.screen, show.message.as_str()),
        (Screen::Notice, "no generation 3")
    );
}

#[test]
fn floating_panes_that_were_hidden_are_hidden_again() {
    let mut world = leader();
    world.settled(Event::Panes(vec![terminal(0, 0), floating(5)]));
    world.keybind("menu");
    let mut visible = tab(0);
    visible.floating_visible = true;
    world.settled(Event::Tabs(vec![visible]));
    world.settled(Event::Panes(vec![
        terminal(0, 0),
        floating(5),
        plugin(0, PANEL, "zdriver", true),
    ]));
    let effects = world.tell_leader(&ToLeader::Closing {
        plugin: PANEL,
        typed: false,
    });
    assert!(effects.contains(&Effect::HideFloating { tab_id: 10 }));
}

#[test]
fn floating_panes_that_were_seen_stay_so() {
    let mut world = leader();
    let mut visible = tab(0);
    visible.floating_visible = true;
    world.settled(Event::Tabs(vec![visible]));
    world.settled(Event::Panes(vec![terminal(0, 0), floating(5)]));
    world.keybind("menu");
    world.settled(Event::Panes(vec![
        terminal(0, 0),
        floating(5),
        plugin(0, PANEL, "zdriver", true),
    ]));
    let effects = world.tell_leader(&ToLeader::Closing {
        plugin: PANEL,
        typed: false,
    });
    assert!(!effects
        .iter()
        .any(|e| matches!(e, Effect::HideFloating { .. })));
}

#[test]
fn a_panel_that_zellij_closed_is_noticed() {
    let mut world = leader();
    world.settled(Event::Panes(vec![terminal(0, 0), floating(5)]));
    world.keybind("menu");
    world.settled(Event::Panes(vec![
        terminal(0, 0),
        floating(5),
        plugin(0, PANEL, "zdriver", true),
    ]));
    let effects = world.settled(Event::Panes(vec![terminal(0, 0), floating(5)]));
    assert!(effects.contains(&Effect::HideFloating { tab_id: 10 }));
}

#[test]
fn a_manifest_that_still_shows_the_old_panel_does_not_confuse_the_next() {
    let mut world = with_panel();
    world.tell_leader(&ToLeader::Closing {
        plugin: PANEL,
        typed: false,
    });
    world.keybind("menu");
    world.settled(Event::Panes(vec![
        terminal(0, 0),
        plugin(0, PANEL, "zdriver", true),
    ]));
    world.settled(Event::Panes(vec![terminal(0, 0)]));
    let next = PANEL + 1;
    world.settled(Event::Panes(vec![
        terminal(0, 0),
        plugin(0, next, "zdriver", true),
    ]));
    let question = ToLeader::Ask {
        plugin: next,
        id: 1,
        method: "plugin.snapshots".into(),
        params: json!({}),
    };
    assert_eq!(sent(&world.tell_leader(&question)).len(), 1);
}

#[test]
fn an_older_panel_is_closed_when_two_keys_opened_two() {
    let mut world = leader();
    world.keybind("menu");
    world.keybind("intent");
    let panels = vec![
        terminal(0, 0),
        plugin(0, 8, "zdriver", true),
        plugin(0, 9, "zdriver", true),
    ];
    let effects = world.settled(Event::Panes(panels));
    let close = |e: &Effect| matches!(e, Effect::Tell { plugin: 8, payload, .. } if payload.contains("close"));
    assert!(effects.iter().any(close));
}

#[test]
fn a_banner_takes_the_focus_only_for_its_keys_and_never_from_a_prompt() {
    let banner = |keys: &str| json!({"lines": ["hi"], "keys": keys, "seconds": 0});
    let mut world = leader();
    assert!(!opened(&world.call(1, "banner", banner(""))).unwrap().1);
    let mut world = leader();
    assert!(opened(&world.call(1, "banner", banner("undo"))).unwrap().1);
    let mut world = with_panel();
    assert!(opened(&world.call(1, "banner", banner("undo"))).is_none());
}

#[test]
fn without_a_daemon_the_first_terminals_instance_answers_the_key() {
    for (ids, opens) in [
        (vec![1], true),
        (vec![1, 4], true),
        (vec![], true),
        (vec![0, 1], false),
    ] {
        let mut world = leader();
        world.end(DOWN);
        let effects = world.keybind("intent");
        assert!(opened(&effects).is_none() && effects.contains(&Effect::ListClients));
        assert_eq!(
            opened(&world.event(Event::Clients { ids })).is_some(),
            opens
        );
    }
}

#[test]
fn when_zdriver_is_gone_a_key_only_says_so() {
    let mut world = leader();
    world.end(DOWN);
    world.pass(1_000);
    world.event(Event::Attached {
        code: Some(127),
        stdout: String::new(),
        stderr: String::new(),
    });
    world.keybind("intent");
    let (show, _) = opened(&world.event(Event::Clients { ids: vec![1] })).unwrap();
    assert_eq!(show.screen, Screen::Notice);
    assert!(show.message.contains("gone"), "{}", show.message);
}
