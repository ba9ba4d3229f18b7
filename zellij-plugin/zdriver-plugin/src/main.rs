//! Hands Zellij's events to `zdriver-core` and runs the effects. No decision is made here.

mod abi;
mod effects;
mod events;

use std::collections::{BTreeMap, VecDeque};
use std::time::{SystemTime, UNIX_EPOCH};

use zdriver_core::{view, Event, State};
use zellij_tile::prelude::{
    get_plugin_ids, get_zellij_version, show_cursor, subscribe, EventType, PipeMessage,
    ZellijPlugin,
};

/// Of which sources this file was built: compared by a test with the sources it stands beside.
#[used]
static SOURCE_DIGEST: &str = concat!("zdriver-source-digest:", env!("ZDRIVER_SOURCE_DIGEST"));

#[derive(Default)]
pub struct Zdriver {
    state: State,
}

fn main() {
    abi::start();
}

impl ZellijPlugin for Zdriver {
    fn load(&mut self, configuration: BTreeMap<String, String>) {
        let ids = get_plugin_ids();
        let status = configuration
            .get("view")
            .is_some_and(|view| view == "status");
        let panel = configuration
            .get("view")
            .is_some_and(|view| view == "panel");
        subscribe(match (status, panel) {
            (true, _) => &[EventType::Timer],
            (_, true) => events::PANEL,
            _ => events::BACKGROUND,
        });
        // a plugin inherits the Zellij server's environment; ModeUpdate only tells of a new name
        let session = std::env::var("ZELLIJ_SESSION_NAME").unwrap_or_default();
        self.run(Event::Load {
            configuration,
            identity: zdriver_core::effect::Identity {
                zellij_session: session,
                plugin_id: ids.plugin_id,
                client_id: ids.client_id,
                zellij_pid: ids.zellij_pid,
                zellij_version: get_zellij_version(),
                initial_cwd: ids.initial_cwd.to_string_lossy().into_owned(),
            },
        });
    }

    fn update(&mut self, event: zellij_tile::prelude::Event) -> bool {
        events::translate(event).is_some_and(|event| self.run(event))
    }

    fn pipe(&mut self, message: PipeMessage) -> bool {
        self.run(events::message(message))
    }

    fn render(&mut self, rows: usize, columns: usize) {
        let lines = self.state.view(now(), rows, columns);
        show_cursor(view::cursor(&lines));
        print!("{}", view::render(&lines, rows, columns));
    }
}

impl Zdriver {
    /// Runs what the event leads to, and what Zellij's answers lead to. True: draw again.
    fn run(&mut self, event: Event) -> bool {
        let mut events = VecDeque::from([event]);
        let mut draw = false;
        while let Some(event) = events.pop_front() {
            for effect in self.state.update(now(), event) {
                draw |= effect == zdriver_core::Effect::Render;
                events.extend(effects::run(effect));
            }
        }
        draw
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}
