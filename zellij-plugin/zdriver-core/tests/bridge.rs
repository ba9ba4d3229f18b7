//! The life of the connection: attach, hello, loss, and who leads.

mod common;

use common::*;
use serde_json::json;
use zdriver_core::inside::{ToPeers, TO_PEERS};
use zdriver_core::{Effect, Event, Source};

fn failed(code: Option<i32>, stderr: &str) -> Event {
    Event::Attached {
        code,
        stdout: String::new(),
        stderr: stderr.into(),
    }
}

#[test]
fn it_asks_for_permissions_and_attaches_once_they_are_given() {
    let (mut world, effects) = World::load("", ME);
    assert!(effects.contains(&Effect::RequestPermissions));
    assert_eq!(attaches(&effects), 0);
    let effects = world.event(Event::Permissions { granted: true });
    let argv = effects.iter().find_map(|e| match e {
        Effect::Attach(argv) => Some(argv.join(" ")),
        _ => None,
    });
    let expected =
        "/bin/zdriver attach --zellij-session work --zellij-pid 4711 --client 1 --cwd /w";
    assert_eq!(argv.as_deref(), Some(expected));
}

#[test]
fn without_permissions_nothing_is_run_and_a_key_shows_why() {
    let (mut world, _) = World::load("", ME);
    let effects = world.event(Event::Permissions { granted: false });
    assert_eq!(attaches(&effects), 0);
    assert_eq!(world.keybind("menu"), [Effect::ShowSelf]);
    assert!(world.screen(10, 60).join(" ").contains("permissions"));
    let effects = world.key(zdriver_core::keys::Code::Enter);
    assert_eq!(effects, [Effect::HideSelf, Effect::RequestPermissions]);
    assert_eq!(world.key(zdriver_core::keys::Code::Esc), [Effect::HideSelf]);
}

#[test]
fn the_hello_makes_it_ready_and_brings_a_whole_state() {
    let (mut world, _) = World::load("", ME);
    world.event(Event::Permissions { granted: true });
    world.settled(Event::Tabs(vec![tab(0)]));
    world.settled(Event::Panes(vec![terminal(0, 0)]));
    let effects = world.hello(CLIENT);
    assert!(effects.contains(&Effect::BlockPipe(UP.into())));
    assert_eq!(methods(&effects), ["plugin.ready", "plugin.state"]);
    let sent = sent(&effects);
    let ready = &sent[0]["params"];
    assert_eq!(ready["client_id"], 1);
    assert_eq!(ready["bridge"], "b1");
    assert_eq!(ready["zellij_session"], "work");
    assert_eq!(sent[1]["params"]["pids"]["0"], 1000);
    assert!(sent[1]["params"]["layout"].is_string());
}

#[test]
fn the_hello_for_another_client_is_not_answered() {
    let (mut world, _) = World::load("", ME);
    world.event(Event::Permissions { granted: true });
    let effects = world.hello(7);
    assert_eq!(sent(&effects).len(), 0);
    assert!(!effects.contains(&Effect::BlockPipe(UP.into())));
    assert!(world
        .call(1, "capture", json!({}))
        .iter()
        .all(|e| !matches!(e, Effect::PipeOutput { .. })));
}

#[test]
fn the_end_of_the_down_pipe_attaches_anew_within_a_second() {
    let mut world = leader();
    let effects = world.end(DOWN);
    assert!(effects.contains(&Effect::UnblockPipe(UP.into())));
    assert_eq!(attaches(&effects), 0);
    assert_eq!(attaches(&world.pass(1_000)), 1);
    let effects = world.hello(CLIENT);
    assert_eq!(methods(&effects), ["plugin.ready", "plugin.state"]);
}

#[test]
fn the_end_of_some_other_pipe_means_nothing() {
    let mut world = leader();
    assert!(world.end("somebody").is_empty());
    assert_eq!(attaches(&world.pass(5_000)), 0);
}

#[test]
fn failed_attaches_come_slower_and_slower_up_to_ten_seconds() {
    let (mut world, _) = World::load("", ME);
    world.event(Event::Permissions { granted: true });
    let mut pauses = Vec::new();
    for _ in 0..8 {
        world.event(failed(Some(5), "zdriver: the store is damaged\n"));
        let start = world.now;
        while attaches(&world.pass(100)) == 0 {
            assert!(world.now < start + 30_000);
        }
        pauses.push(world.now - start);
    }
    assert_eq!(
        pauses,
        [1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000, 10_000]
    );
}

#[test]
fn a_program_that_is_not_there_is_named_and_tried_seldom() {
    for event in [
        failed(Some(127), ""),
        failed(Some(2), "No such file or directory (os error 2)"),
    ] {
        let (mut world, _) = World::load("", ME);
        world.event(Event::Permissions { granted: true });
        world.settled(Event::Tabs(vec![tab(0)]));
        world.settled(Event::Panes(vec![
            terminal(0, 0),
            plugin(0, 4, "status", false),
        ]));
        let effects = world.event(event);
        let told = format!("{effects:?}");
        assert!(
            told.contains("no program /bin/zdriver") && told.contains("load_plugins"),
            "{told}"
        );
        assert_eq!(attaches(&world.pass(30_000)), 0);
        assert_eq!(attaches(&world.pass(31_000)), 1);
    }
}

#[test]
fn usage_errors_are_not_taken_for_a_missing_program() {
    let (mut world, _) = World::load("", ME);
    world.event(Event::Permissions { granted: true });
    world.event(failed(Some(2), "Error: no such option"));
    assert_eq!(attaches(&world.pass(1_000)), 1);
}

#[test]
fn silence_is_asked_about_and_no_answer_attaches_anew() {
    let mut world = leader();
    let effects = world.pass(30_000);
    assert_eq!(methods(&effects), ["plugin.ping"]);
    let id = sent(&effects)[0]["id"].clone();
    world.line(DOWN, &json!({"jsonrpc": "2.0", "id": id, "result": {}}));
    assert_eq!(methods(&world.pass(29_000)), Vec::<String>::new());
    assert_eq!(methods(&world.pass(1_500)), ["plugin.ping"]);
    assert_eq!(attaches(&world.pass(5_000)), 0);
    assert_eq!(attaches(&world.pass(1_000)), 1);
}

#[test]
fn a_daemon_that_comes_back_is_attached_to_and_one_that_was_stopped_only_at_a_key() {
    let bye =
        |reattach| json!({"method": "bye", "params": {"reason": "upgrade", "reattach": reattach}});
    let mut world = leader();
    world.line(DOWN, &bye(true));
    assert_eq!(attaches(&world.pass(1_000)), 1);

    let mut world = leader();
    world.line(DOWN, &bye(false));
    assert_eq!(attaches(&world.pass(600_000)), 0);
    assert_eq!(attaches(&world.keybind("intent")), 1);
}

#[test]
fn rubbish_on_the_pipe_harms_nothing() {
    let mut world = leader();
    for line in [
        "",
        "{",
        "[]",
        "null",
        "{\"id\":[]}",
        "{\"method\":5}",
        "\u{0}",
        "{\"method\":\"hello\"}x",
    ] {
        world.settled(Event::Pipe {
            source: Source::Cli(DOWN.into()),
            name: "zdriver-down".into(),
            payload: Some(line.into()),
        });
    }
    let effects = world.call(3, "nonsense", json!({}));
    assert_eq!(sent(&effects)[0]["error"]["code"], -32601);
    for method in ["apply", "close", "status", "switch"] {
        let effects = world.call(4, method, json!([1, 2]));
        assert_eq!(sent(&effects)[0]["error"]["code"], -32602, "{method}");
    }
}

fn peer(world: &mut World, message: &ToPeers) -> Vec<Effect> {
    world.settled(Event::Pipe {
        source: Source::Plugin(ME),
        name: TO_PEERS.into(),
        payload: Some(serde_json::to_string(message).unwrap()),
    })
}

/// The daemon knows this instance and another one leads.
fn standing_by() -> (World, Vec<Effect>) {
    let (mut world, _) = World::load("", ME);
    world.event(Event::Permissions { granted: true });
    world.event(failed(Some(0), ""));
    let effects = world.pass(3_000);
    (world, effects)
}

fn tells_peers(effects: &[Effect]) -> Vec<ToPeers> {
    let told = effects.iter().filter_map(|e| match e {
        Effect::Tell {
            name,
            payload,
            plugin,
        } if *name == TO_PEERS && *plugin == ME => Some(payload),
        _ => None,
    });
    told.map(|text| serde_json::from_str(text).unwrap())
        .collect()
}

#[test]
fn an_instance_that_is_not_greeted_stands_by_and_does_not_attach_for_ever() {
    let (mut world, effects) = standing_by();
    assert_eq!(tells_peers(&effects), [ToPeers::Here { client: CLIENT }]);
    assert_eq!(attaches(&world.pass(600_000)), 0);
    assert_eq!(world.keybind("menu"), []);
    // but the daemon's end is its business too, after the leader had its chance
    world.end("any");
    assert_eq!(attaches(&world.pass(1_000)), 0);
    assert_eq!(attaches(&world.pass(2_000)), 1);
}

#[test]
fn a_leader_whose_client_has_left_hands_over() {
    let mut world = leader();
    let effects = peer(&mut world, &ToPeers::Here { client: 4 });
    assert!(effects.contains(&Effect::ListClients));
    let effects = world.event(Event::Clients { ids: vec![4] });
    let lead = ToPeers::Lead {
        client: 4,
        up: UP.into(),
        down: DOWN.into(),
        bridge: "b1".into(),
    };
    assert_eq!(tells_peers(&effects), [lead]);
    assert!(sent(&world.call(1, "clients", json!({}))).is_empty());
}

#[test]
fn a_leader_whose_client_is_there_stays() {
    let mut world = leader();
    peer(&mut world, &ToPeers::Here { client: 4 });
    let effects = world.event(Event::Clients {
        ids: vec![CLIENT, 4],
    });
    assert_eq!(tells_peers(&effects), []);
    assert_eq!(peer(&mut world, &ToPeers::Here { client: CLIENT }), []);
}

#[test]
fn the_next_leader_says_who_it_is_on_the_same_pipes() {
    let (mut world, _) = standing_by();
    world.settled(Event::Tabs(vec![tab(0)]));
    world.settled(Event::Panes(vec![terminal(0, 0)]));
    let lead = |client| ToPeers::Lead {
        client,
        up: UP.into(),
        down: DOWN.into(),
        bridge: "b1".into(),
    };
    assert_eq!(peer(&mut world, &lead(9)), []);
    let effects = peer(&mut world, &lead(CLIENT));
    assert_eq!(methods(&effects), ["plugin.ready", "plugin.state"]);
    assert_eq!(attaches(&world.end(DOWN)), 0);
    assert_eq!(attaches(&world.pass(1_000)), 1);
}

#[test]
fn a_hello_that_names_another_instance_lets_go_of_the_up_pipe() {
    let mut world = leader();
    let params = json!({"protocol": 1, "bridge": "b1", "client_id": 4});
    let effects = world.line(DOWN, &json!({"method": "hello", "params": params}));
    assert!(effects.contains(&Effect::UnblockPipe(UP.into())));
    assert!(sent(&world.call(1, "clients", json!({}))).is_empty());
}

#[test]
fn switch_goes_over_to_the_other_session() {
    let mut world = leader();
    let effects = world.call(1, "switch", json!({"zellij_session": "old"}));
    assert!(effects.contains(&Effect::SwitchSession("old".into())));
}

#[test]
fn clients_are_counted() {
    let mut world = leader();
    assert!(world
        .call(6, "clients", json!({}))
        .contains(&Effect::ListClients));
    let effects = world.event(Event::Clients { ids: vec![1, 4] });
    assert_eq!(
        sent(&effects)[0]["result"],
        json!({"count": 2, "ids": [1, 4]})
    );
}

#[test]
fn timers_never_pile_up() {
    let mut world = leader();
    let mut set = 0;
    for round in 0..500 {
        let mut pane = terminal(0, 0);
        pane.title = format!("title {round}");
        let effects = world.settled(Event::Panes(vec![pane]));
        set += effects
            .iter()
            .filter(|e| matches!(e, Effect::SetTimer(_)))
            .count();
        world.now += 1;
    }
    assert!(set < 10, "{set} timers");
}
