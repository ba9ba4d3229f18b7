//! What counts as typed into a shell while zdriver's own panel takes keys.

mod common;

use common::*;
use serde_json::json;
use zdriver_core::inside::ToLeader;
use zdriver_core::{Effect, Event};

#[test]
fn keys_in_the_panel_are_not_typed_into_a_shell_unless_it_hands_them_on() {
    let mut world = with_panel();
    assert_eq!(world.event(Event::Input), []);
    world.pass(300);
    let typed = |world: &mut World| {
        let effects = world.call(1, "capture", json!({}));
        sent(&effects)[0]["result"]["typed"].clone()
    };
    assert_eq!(typed(&mut world), false);
    world.tell_leader(&ToLeader::Closing {
        plugin: PANEL,
        typed: true,
    });
    assert_eq!(typed(&mut world), true);
}

#[test]
fn the_key_that_closed_the_panel_was_not_typed_though_zellij_reports_it_late() {
    let mut world = with_panel();
    world.tell_leader(&ToLeader::Closing {
        plugin: PANEL,
        typed: false,
    });
    world.pass(50);
    assert_eq!(world.event(Event::Input), []);
    world.pass(300);
    assert!(world
        .event(Event::Input)
        .contains(&Effect::WatchInput(false)));
}

#[test]
fn the_request_that_restores_what_was_chosen_was_not_typed_though_zellij_reports_it_as_input() {
    let typed = |world: &mut World| {
        let effects = world.call(7, "capture", json!({}));
        sent(&effects)[0]["result"]["typed"].clone()
    };
    let chosen = || {
        let mut world = with_panel();
        world.tell_leader(&ToLeader::Ask {
            plugin: PANEL,
            id: 1,
            method: "plugin.choose".into(),
            params: json!({}),
        });
        world.tell_leader(&ToLeader::Closing {
            plugin: PANEL,
            typed: false,
        });
        world.pass(1000); // it plans
        assert!(world
            .event(Event::Input)
            .contains(&Effect::WatchInput(false)));
        world
    };
    let mut world = chosen();
    world.pass(2);
    assert_eq!(typed(&mut world), false);
    assert!(world
        .event(Event::Input)
        .contains(&Effect::WatchInput(false))); // it is watched again
    let mut world = chosen();
    world.pass(100); // a key that no line of the daemon's follows
    assert_eq!(typed(&mut world), true);
}
