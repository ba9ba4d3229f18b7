//! The list of worktrees and the prompt for a new one, as a person uses them.

mod common;

use common::*;
use serde_json::{json, Value};
use zdriver_core::inside::{Screen, ToLeader, ToPanel};
use zdriver_core::keys::Code;
use zdriver_core::protocol::RpcError;
use zdriver_core::text::width;
use zdriver_core::{Effect, Event};

fn trees() -> Value {
    json!({
        "repo": "/w/trunk-app",
        "types": ["feat", "fix"],
        "rows": [
            {"name": "trunk-app", "branch": "main", "path": "/w/trunk-app", "intent": "",
             "holder": "", "held_until": null, "current": true, "trunk": true},
            {"name": "feat-user-auth", "branch": "feat-user-auth", "path": "/w/feat-user-auth",
             "intent": "Log in with a passkey", "holder": "claude-1",
             "held_until": "1970-01-01T00:30:00Z", "current": false, "trunk": false},
            {"name": "fix-日本", "branch": "fix/日本", "path": "/w/fix", "intent": "",
             "holder": "bob", "held_until": "1970-01-01T00:00:30Z", "current": false},
        ],
    })
}

fn go() -> World {
    let (mut world, effects) = opened(Screen::Go);
    let (id, params) = question(&effects, "plugin.worktrees");
    assert_eq!(params, json!({"pane": 3}));
    assert!(world.screen(12, 74).join("\n").contains("looking …"));
    answer(&mut world, id, trees());
    world
}

/// From the menu, as with the keys.
fn opened(screen: Screen) -> (World, Vec<Effect>) {
    let mut world = panel(Screen::Menu);
    let letter = if screen == Screen::Go { 'g' } else { 'b' };
    let effects = world.key(Code::Char(letter));
    (world, effects)
}

fn refused(world: &mut World, id: u64, message: &str) -> Vec<Effect> {
    world.tell_panel(&ToPanel::Answer {
        id,
        result: None,
        error: Some(RpcError::new(-32009, message)),
    })
}

#[test]
fn the_list_shows_who_holds_what_and_what_for() {
    let world = go();
    let shown = world.screen(12, 100);
    assert_eq!(shown[0].trim_end(), "go to");
    assert_eq!(shown[1].trim_end(), "> * trunk-app       main");
    assert_eq!(
        shown[2].trim_end(),
        "    feat-user-auth            claude-1  Log in with a passkey"
    );
    assert_eq!(
        shown[3].trim_end(),
        "    fix-日本        fix/日本",
        "a claim that ran out counts as none"
    );
    assert!(shown[11].contains("Enter goes to its tab"));
    for columns in 0..110 {
        let lines = world.screen(12, columns);
        assert!(lines.iter().all(|line| width(line) <= columns), "{columns}");
    }
}

#[test]
fn typing_filters_and_enter_goes_there() {
    let mut world = go();
    world.write("passkey auth");
    let shown = world.screen(12, 100);
    assert!(shown[1].contains("feat-user-auth") && shown[2].trim().is_empty());
    let effects = world.key(Code::Enter);
    let (_, params) = question(&effects, "plugin.open_tab");
    assert_eq!(
        params,
        json!({"path": "/w/feat-user-auth", "name": "feat-user-auth"})
    );
    assert!(closes(&effects));
}

#[test]
fn arrows_choose_and_nothing_that_fits_does_nothing() {
    let mut world = go();
    world.key(Code::Down);
    world.key(Code::Down);
    let (_, params) = question(&world.key(Code::Enter), "plugin.open_tab");
    assert_eq!(params["path"], "/w/fix");
    let mut world = go();
    world.event(Event::Paste("nowhere".into()));
    assert!(world.screen(12, 80).join("\n").contains("nothing fits"));
    assert!(asked(&world.key(Code::Enter)).is_empty());
    assert!(closes(&world.key(Code::Esc)));
}

#[test]
fn outside_of_a_repository_it_says_so() {
    for screen in [Screen::Go, Screen::New] {
        let (mut world, effects) = opened(screen);
        let (id, _) = question(&effects, "plugin.worktrees");
        refused(&mut world, id, "/tmp is in no git repository");
        let shown = world.screen(12, 74).join("\n");
        assert!(shown.contains("no git repository"), "{shown}");
    }
}

#[test]
fn a_new_one_is_made_and_its_tab_opened() {
    let (mut world, effects) = opened(Screen::New);
    let (id, _) = question(&effects, "plugin.worktrees");
    answer(&mut world, id, trees());
    assert!(world.screen(4, 74).join("\n").contains("types: feat, fix"));
    world.write("feat user auth");
    let effects = world.key(Code::Enter);
    let (id, params) = question(&effects, "plugin.add_worktree");
    assert_eq!(params, json!({"text": "feat user auth", "pane": 3}));
    assert!(!closes(&effects), "it may be refused");
    assert!(asked(&world.key(Code::Enter)).is_empty(), "once is enough");
    let made = json!({"name": "feat-user-auth", "path": "/w/f", "created": true, "warnings": []});
    let effects = answer(&mut world, id, made);
    let (_, params) = question(&effects, "plugin.open_tab");
    assert_eq!(
        params,
        json!({"name": "feat-user-auth", "path": "/w/f", "created": true})
    );
    assert!(closes(&effects));
}

#[test]
fn a_refusal_is_shown_and_what_was_typed_stays() {
    let (mut world, _) = opened(Screen::New);
    world.write("feat taken");
    let (id, _) = question(&world.key(Code::Enter), "plugin.add_worktree");
    assert!(!closes(&refused(&mut world, id, "something is in the way")));
    let shown = world.screen(4, 74).join("\n");
    assert!(
        shown.contains("feat taken") && shown.contains("something is in the way"),
        "{shown}"
    );
    world.write("2");
    let (_, params) = question(&world.key(Code::Enter), "plugin.add_worktree");
    assert_eq!(params["text"], "feat taken2");
}

#[test]
fn remarks_are_read_before_the_tab_opens() {
    let (mut world, _) = opened(Screen::New);
    world.write("feat x");
    let (id, _) = question(&world.key(Code::Enter), "plugin.add_worktree");
    let made = json!({"name": "feat-x", "path": "/w/x", "created": true, "warnings": [".env is in the way"]});
    let effects = answer(&mut world, id, made.clone());
    assert!(!closes(&effects) && asked(&effects).is_empty());
    let shown = world.screen(5, 74).join("\n");
    assert!(
        shown.contains("feat-x is there. .env is in the way"),
        "{shown}"
    );
    let effects = world.key(Code::Enter);
    assert_eq!(question(&effects, "plugin.open_tab").1["path"], "/w/x");
    assert!(closes(&effects));
}

#[test]
fn a_new_one_that_failed_behind_a_closed_panel_is_a_draft() {
    let mut world = leader();
    world.keybind("new");
    let ask = ToLeader::Ask {
        plugin: PANEL,
        id: 1,
        method: "plugin.add_worktree".into(),
        params: json!({"text": "feat lost", "pane": null}),
    };
    let line = sent(&world.tell_leader(&ask));
    assert!(line[0]["params"]["request"].is_string(), "it is done once");
    world.tell_leader(&ToLeader::Closing {
        plugin: PANEL,
        typed: false,
    });
    let error = json!({"jsonrpc": "2.0", "id": line[0]["id"], "error": {"code": -32009, "message": "taken"}});
    world.line(DOWN, &error);
    let effects = world.keybind("new");
    let payload = effects.iter().find_map(|e| match e {
        Effect::OpenPanel { payload, .. } => Some(payload.clone()),
        _ => None,
    });
    let payload = payload.expect("no panel");
    assert!(
        payload.contains("feat lost") && payload.contains("taken"),
        "{payload}"
    );
}

#[test]
fn a_tab_that_did_not_open_is_told() {
    let mut world = leader();
    world.keybind("go");
    let ask = ToLeader::Ask {
        plugin: PANEL,
        id: 1,
        method: "plugin.open_tab".into(),
        params: json!({"path": "/w/x", "name": "x"}),
    };
    let line = sent(&world.tell_leader(&ask));
    world.tell_leader(&ToLeader::Closing {
        plugin: PANEL,
        typed: false,
    });
    let error = json!({"jsonrpc": "2.0", "id": line[0]["id"], "error": {"code": -32004, "message": "no layout"}});
    let effects = world.line(DOWN, &error);
    let told = effects
        .iter()
        .any(|e| matches!(e, Effect::OpenPanel { payload, .. } if payload.contains("no layout")));
    assert!(told, "{effects:?}");
}
