//! When the daemon hears of a change, and what it hears.

mod common;

use common::*;
use serde_json::json;
use zdriver_core::protocol::{Pane, Tab};
use zdriver_core::{Effect, Event};

fn layouts(effects: &[Effect]) -> usize {
    effects.iter().filter(|e| **e == Effect::DumpLayout).count()
}

#[test]
fn a_change_is_told_after_200_ms_and_changes_in_between_come_along() {
    let mut world = leader();
    world.settled(Event::Cwd {
        terminal: 0,
        path: "/a".into(),
    });
    assert!(sent(&world.pass(150)).is_empty());
    world.settled(Event::Cwd {
        terminal: 0,
        path: "/b".into(),
    });
    let effects = world.pass(60);
    assert_eq!(methods(&effects), ["plugin.state"]);
    assert_eq!(sent(&effects)[0]["params"]["cwds"]["0"], "/b");
    assert!(sent(&effects)[0]["params"]["layout"].is_null());
    assert!(sent(&world.pass(1_000)).is_empty());
}

#[test]
fn a_storm_of_changes_is_never_more_than_a_second_behind() {
    let mut world = leader();
    let mut told = world.now;
    for step in 0..200 {
        world.settled(Event::Cwd {
            terminal: 0,
            path: format!("/{step}"),
        });
        if !sent(&world.pass(37)).is_empty() {
            told = world.now;
        }
        assert!(world.now - told <= 1_000);
    }
}

#[test]
fn what_changes_nothing_is_not_told() {
    let mut world = leader();
    for _ in 0..10 {
        world.settled(Event::Tabs(vec![tab(0)]));
        world.settled(Event::Panes(vec![terminal(0, 0)]));
        assert!(sent(&world.pass(300)).is_empty());
    }
}

#[test]
fn the_layout_is_dumped_only_for_a_new_structure() {
    let mut world = leader();
    world.settled(Event::Command {
        terminal: 0,
        argv: vec!["vim".into()],
        foreground: true,
    });
    let effects = world.pass(300);
    assert_eq!((methods(&effects).len(), layouts(&effects)), (1, 0));
    let mut pane = terminal(0, 0);
    pane.columns = 60;
    world.settled(Event::Panes(vec![pane, terminal(0, 1)]));
    let effects = world.pass(300);
    assert_eq!(layouts(&effects), 1);
    assert!(sent(&effects)[0]["params"]["layout"].is_string());
}

#[test]
fn pids_are_asked_once_for_each_pane() {
    let mut world = leader();
    let asked = |effects: &[Effect]| {
        effects
            .iter()
            .filter(|e| matches!(e, Effect::AskPid(_)))
            .count()
    };
    world.settled(Event::Panes(vec![terminal(0, 0), terminal(0, 1)]));
    let effects = world.pass(300);
    assert_eq!(asked(&effects), 1);
    assert_eq!(
        sent(&effects)[0]["params"]["pids"],
        json!({"0": 1000, "1": 1001})
    );
    world.settled(Event::Cwd {
        terminal: 1,
        path: "/x".into(),
    });
    assert_eq!(asked(&world.pass(300)), 0);
}

#[test]
fn a_held_pane_is_asked_for_its_pid_again_when_it_runs() {
    let mut world = leader();
    let mut held = terminal(0, 1);
    held.held = true;
    world.settled(Event::Panes(vec![terminal(0, 0), held.clone()]));
    world.pass(300);
    held.held = false;
    world.settled(Event::Panes(vec![terminal(0, 0), held]));
    assert!(world.pass(300).contains(&Effect::AskPid(1)));
}

#[test]
fn what_is_known_of_a_closed_pane_is_forgotten() {
    let mut world = leader();
    world.settled(Event::Panes(vec![terminal(0, 0), terminal(0, 1)]));
    world.settled(Event::Cwd {
        terminal: 1,
        path: "/x".into(),
    });
    world.pass(300);
    world.settled(Event::Panes(vec![terminal(0, 0)]));
    let effects = world.pass(300);
    let state = &sent(&effects)[0]["params"];
    assert_eq!(state["pids"], json!({"0": 1000}));
    assert_eq!(state["cwds"], json!({}));
}

#[test]
fn tabs_without_their_panes_are_waited_for() {
    let mut world = leader();
    world.settled(Event::Tabs(vec![tab(0), tab(1)]));
    assert!(sent(&world.pass(250)).is_empty());
    let effects = world.settled(Event::Panes(vec![terminal(0, 0), terminal(1, 1)]));
    assert_eq!(
        sent(&effects)[0]["params"]["tabs"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        sent(&effects)[0]["params"]["panes"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn a_restless_title_costs_fewer_and_fewer_dumps() {
    let mut world = leader();
    let mut dumps = 0;
    for step in 0..600 {
        let mut pane = terminal(0, 0);
        pane.title = format!("{step} thinking");
        world.settled(Event::Panes(vec![pane]));
        dumps += layouts(&world.pass(100));
    }
    assert!((2..10).contains(&dumps), "{dumps} dumps in a minute");
}

#[test]
fn a_new_name_is_found_in_the_layout_within_a_second() {
    let mut world = leader();
    world.pass(10_000);
    let mut pane = terminal(0, 0);
    pane.title = "named".into();
    world.settled(Event::Panes(vec![pane]));
    let mut dumps = 0;
    for _ in 0..10 {
        dumps += layouts(&world.pass(100));
    }
    assert_eq!(dumps, 1);
}

#[test]
fn capture_answers_with_a_layout_of_now() {
    let mut world = leader();
    let effects = world.call(5, "capture", json!({}));
    let answers = sent(&effects);
    let answer = answers.iter().find(|m| m["id"] == 5).unwrap();
    assert!(answer["result"]["layout"].is_string());
    assert_eq!(answer["result"]["tabs"].as_array().unwrap().len(), 1);
}

#[test]
fn a_layout_that_cannot_be_had_does_not_hold_up_the_state() {
    let mut world = leader();
    world.event(Event::Panes(vec![terminal(0, 0), terminal(0, 1)]));
    world.now += 300;
    world.event(Event::Timer);
    world.event(Event::Pid {
        terminal: 1,
        pid: None,
    });
    let effects = world.event(Event::Layout(Err("timeout".into())));
    assert_eq!(methods(&effects), ["plugin.state"]);
    assert!(sent(&effects)[0]["params"]["layout"].is_null());
    // and the next change asks for it again
    world.settled(Event::Cwd {
        terminal: 0,
        path: "/n".into(),
    });
    assert_eq!(layouts(&world.pass(300)), 1);
}

#[test]
fn keys_are_noted_once() {
    let mut world = leader();
    let effects = world.event(Event::Input);
    assert!(effects.contains(&Effect::WatchInput(false)));
    let effects = world.pass(300);
    assert_eq!(sent(&effects)[0]["params"]["typed"], true);
}

/// The tab in front and what is in it, with Zellij's start-up tip over all.
fn with_tip() -> (Event, Event) {
    let front = Tab {
        active: true,
        floating_visible: true,
        ..tab(0)
    };
    let tip = Pane {
        focused: true,
        ..plugin(0, 9, "About Zellij", true)
    };
    (
        Event::Tabs(vec![front]),
        Event::Panes(vec![terminal(0, 0), tip]),
    )
}

fn typed_in_first_state(events: impl IntoIterator<Item = Event>) -> bool {
    let (_, effects) = leader_after(events);
    let sent = sent(&effects);
    let state = sent.iter().find(|m| m["method"] == "plugin.state").unwrap();
    state["params"]["typed"].as_bool().unwrap()
}

#[test]
fn what_a_tip_does_before_anything_is_known_is_no_key() {
    let (tabs, panes) = with_tip();
    assert!(!typed_in_first_state([Event::Input, tabs, panes]));
    let (tabs, panes) = with_tip();
    assert!(!typed_in_first_state([panes, Event::Input, tabs]));
}

#[test]
fn a_key_before_anything_is_known_counts() {
    let tabs = Event::Tabs(vec![tab(0)]);
    let panes = Event::Panes(vec![terminal(0, 0)]);
    assert!(typed_in_first_state([Event::Input, tabs, panes]));
}

#[test]
fn keys_for_a_popup_reach_no_shell() {
    let mut world = leader();
    let (tabs, panes) = with_tip();
    world.settled(tabs);
    world.settled(panes);
    assert_eq!(world.event(Event::Input), []);
    // the tip is closed: the next key is the shell's
    world.settled(Event::Panes(vec![terminal(0, 0)]));
    assert!(world
        .event(Event::Input)
        .contains(&Effect::WatchInput(false)));
}

#[test]
fn zdrivers_own_panel_is_no_part_of_the_session() {
    let mut world = leader();
    let panel = plugin(0, PANEL, "zdriver", true);
    world.settled(Event::Panes(vec![terminal(0, 0), panel]));
    assert!(sent(&world.pass(300)).is_empty());
}

#[test]
fn the_zellij_session_may_be_renamed() {
    let mut world = leader();
    world.event(Event::Session("renamed".into()));
    world.end(DOWN);
    let effects = world.pass(1_000);
    assert!(format!("{effects:?}").contains("renamed"));
}
