//! A Zellij session played by the tests: events in, effects out.

// each test file uses a part of it
#![allow(dead_code)]

use std::collections::BTreeMap;

use serde_json::{json, Value};
use zdriver_core::effect::{Focus, Identity};
use zdriver_core::inside::{Screen, Show, ToLeader, ToPanel, TO_LEADER, TO_PANEL};
use zdriver_core::keys::{Code, Key};
use zdriver_core::protocol::{Pane, Tab};
use zdriver_core::{Effect, Event, Source, State};

pub const ME: u32 = 0;
pub const CLIENT: u16 = 1;
pub const PANEL: u32 = 9;
pub const UP: &str = "up-pipe";
pub const DOWN: &str = "down-pipe";

pub struct World {
    pub state: State,
    pub now: u64,
    /// What Zellij says of the focus when it is asked.
    pub focus: Option<Focus>,
}

pub fn identity(plugin_id: u32) -> Identity {
    Identity {
        zellij_session: "work".into(),
        plugin_id,
        client_id: CLIENT,
        zellij_pid: 4711,
        zellij_version: "0.45.1".into(),
        initial_cwd: "/w".into(),
    }
}

impl World {
    pub fn load(view: &str, plugin: u32) -> (Self, Vec<Effect>) {
        let mut world = Self {
            state: State::default(),
            now: 1_000_000,
            focus: None,
        };
        let pairs = [("command", "/bin/zdriver"), ("view", view)];
        let pairs = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        let configuration: BTreeMap<String, String> =
            pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let effects = world.event(Event::Load {
            configuration,
            identity: identity(plugin),
        });
        (world, effects)
    }

    pub fn event(&mut self, event: Event) -> Vec<Effect> {
        self.state.update(self.now, event)
    }

    /// Runs until nothing is asked of Zellij any more, answering pids and layouts.
    pub fn settled(&mut self, event: Event) -> Vec<Effect> {
        let mut all = Vec::new();
        let mut todo = self.event(event);
        while !todo.is_empty() {
            let effect = todo.remove(0);
            let answer = match &effect {
                Effect::AskPid(terminal) => Some(Event::Pid {
                    terminal: *terminal,
                    pid: Some(1000 + *terminal as i32),
                }),
                Effect::DumpLayout => Some(Event::Layout(Ok("layout { tab; }".into()))),
                Effect::CheckLayout(kdl) if kdl.contains("bad") => {
                    Some(Event::LayoutChecked(Err("line 1".into())))
                }
                Effect::AskFocus => Some(Event::Focus(self.focus)),
                Effect::CheckLayout(_) => Some(Event::LayoutChecked(Ok(()))),
                _ => None,
            };
            all.push(effect);
            if let Some(answer) = answer {
                todo.extend(self.event(answer));
            }
        }
        all
    }

    /// Lets `millis` pass and rings the timer.
    pub fn pass(&mut self, millis: u64) -> Vec<Effect> {
        self.now += millis;
        self.settled(Event::Timer)
    }

    pub fn line(&mut self, pipe: &str, message: &Value) -> Vec<Effect> {
        let name = if pipe == UP {
            "zdriver-up"
        } else {
            "zdriver-down"
        };
        self.settled(Event::Pipe {
            source: Source::Cli(pipe.into()),
            name: name.into(),
            payload: Some(format!("{message}\n")),
        })
    }

    pub fn end(&mut self, pipe: &str) -> Vec<Effect> {
        let name = if pipe == UP {
            "zdriver-up"
        } else {
            "zdriver-down"
        };
        self.settled(Event::Pipe {
            source: Source::Cli(pipe.into()),
            name: name.into(),
            payload: None,
        })
    }

    pub fn call(&mut self, id: u64, method: &str, params: Value) -> Vec<Effect> {
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.line(DOWN, &request)
    }

    pub fn hello(&mut self, client: u16) -> Vec<Effect> {
        let params = json!({"protocol": 1, "bridge": "b1", "client_id": client, "daemon": "1"});
        let hello = json!({"jsonrpc": "2.0", "method": "hello", "params": params});
        let mut effects = self.line(UP, &hello);
        effects.extend(self.line(DOWN, &hello));
        effects
    }

    pub fn key(&mut self, code: Code) -> Vec<Effect> {
        self.event(Event::Key(Key::plain(code)))
    }

    pub fn write(&mut self, text: &str) -> Vec<Effect> {
        let keys = text.chars();
        keys.flat_map(|c| self.key(Code::Char(c))).collect()
    }

    pub fn keybind(&mut self, name: &str) -> Vec<Effect> {
        self.settled(Event::Pipe {
            source: Source::Keybind,
            name: name.into(),
            payload: None,
        })
    }

    pub fn tell_panel(&mut self, message: &ToPanel) -> Vec<Effect> {
        self.event(Event::Pipe {
            source: Source::Plugin(ME),
            name: TO_PANEL.into(),
            payload: Some(serde_json::to_string(message).unwrap()),
        })
    }

    pub fn tell_leader(&mut self, message: &ToLeader) -> Vec<Effect> {
        self.settled(Event::Pipe {
            source: Source::Plugin(PANEL),
            name: TO_LEADER.into(),
            payload: Some(serde_json::to_string(message).unwrap()),
        })
    }

    pub fn screen(&self, rows: usize, columns: usize) -> Vec<String> {
        let lines = self.state.view(self.now, rows, columns);
        lines.iter().map(|line| line.text()).collect()
    }
}

/// A background instance that leads, in a session with one tab and one shell.
pub fn leader() -> World {
    let manifest = [
        Event::Tabs(vec![tab(0)]),
        Event::Panes(vec![terminal(0, 0)]),
    ];
    leader_after(manifest).0
}

/// One that leads after these events, and all that it did then.
pub fn leader_after(events: impl IntoIterator<Item = Event>) -> (World, Vec<Effect>) {
    let (mut world, _) = World::load("", ME);
    world.event(Event::Permissions { granted: true });
    for event in events {
        world.settled(event);
    }
    world.event(Event::Attached {
        code: Some(0),
        stdout: String::new(),
        stderr: String::new(),
    });
    let mut effects = world.hello(CLIENT);
    effects.extend(world.pass(1_000));
    (world, effects)
}

/// A panel that shows `screen`.
pub fn panel(screen: Screen) -> World {
    panel_with(Show {
        screen,
        ..Show::default()
    })
}

pub fn panel_with(show: Show) -> World {
    let (mut world, _) = World::load("panel", PANEL);
    world.event(Event::Permissions { granted: true });
    world.tell_panel(&ToPanel::Show(Box::new(Show {
        leader: 1,
        pane: Some(3),
        columns: 120,
        rows: 40,
        ..show
    })));
    world
}

pub fn tab(position: usize) -> Tab {
    Tab {
        position,
        tab_id: position + 10,
        name: format!("Tab #{}", position + 1),
        active: position == 0,
        floating_visible: false,
        rows: 40,
        columns: 120,
    }
}

pub fn terminal(tab: usize, id: u32) -> Pane {
    Pane {
        tab,
        id,
        rows: 38,
        columns: 120,
        focused: true,
        title: "bash".into(),
        ..Pane::default()
    }
}

pub fn plugin(tab: usize, id: u32, title: &str, floating: bool) -> Pane {
    Pane {
        tab,
        id,
        is_plugin: true,
        is_floating: floating,
        title: title.into(),
        plugin_url: Some("zdriver".into()),
        ..Pane::default()
    }
}

/// Lines that were written up, as JSON.
pub fn sent(effects: &[Effect]) -> Vec<Value> {
    let lines = effects.iter().filter_map(|effect| match effect {
        Effect::PipeOutput { pipe, text } if pipe == UP => Some(text),
        _ => None,
    });
    lines
        .map(|text| {
            assert!(
                text.ends_with('\n') && text.matches('\n').count() == 1,
                "{text:?}"
            );
            serde_json::from_str(text).unwrap()
        })
        .collect()
}

pub fn methods(effects: &[Effect]) -> Vec<String> {
    let sent = sent(effects);
    sent.iter()
        .filter_map(|m| m["method"].as_str().map(str::to_owned))
        .collect()
}

pub fn attaches(effects: &[Effect]) -> usize {
    effects
        .iter()
        .filter(|e| matches!(e, Effect::Attach(_)))
        .count()
}

/// The questions that a panel asked.
pub fn asked(effects: &[Effect]) -> Vec<(u64, String, Value)> {
    let told = effects.iter().filter_map(|effect| match effect {
        Effect::Tell { name, payload, .. } if *name == TO_LEADER => Some(payload),
        _ => None,
    });
    told.filter_map(|text| match serde_json::from_str(text).unwrap() {
        ToLeader::Ask {
            id, method, params, ..
        } => Some((id, method, params)),
        ToLeader::Closing { .. } => None,
    })
    .collect()
}

pub fn closes(effects: &[Effect]) -> bool {
    effects.contains(&Effect::CloseSelf)
}

/// The daemon's answer to a panel's question.
pub fn answer(world: &mut World, id: u64, result: Value) -> Vec<Effect> {
    world.tell_panel(&ToPanel::Answer {
        id,
        result: Some(result),
        error: None,
    })
}

/// The one question of this method: its id and what it says.
pub fn question(effects: &[Effect], method: &str) -> (u64, Value) {
    let found = asked(effects).into_iter().find(|(_, m, _)| m == method);
    let (id, _, params) = found.unwrap_or_else(|| panic!("{method} was not asked: {effects:?}"));
    (id, params)
}

/// A panel is open and Zellij shows it.
pub fn with_panel() -> World {
    let mut world = leader();
    world.keybind("intent");
    world.settled(Event::Panes(vec![
        terminal(0, 0),
        plugin(0, PANEL, "zdriver", true),
    ]));
    world
}
