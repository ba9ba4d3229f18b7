//! The instance that `load_plugins` starts: it holds the bridge and tells the daemon what it sees.

mod gathering;
mod keys;
mod linking;
mod requests;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::apply::Job;
use crate::bridge::{Bridge, Phase};
use crate::capture::Capture;
use crate::effect::{Effect, Event, Identity, Millis, Source};
use crate::host::Host;
use crate::inside::{TO_LEADER, TO_PEERS};
use crate::keys::Code;
use crate::protocol::{Message, RpcError, Running, Status, INVALID_PARAMS};
use crate::view::{self, Line};

pub const UP: &str = "zdriver-up";
pub const DOWN: &str = "zdriver-down";
/// Between two offers of an instance that stands by: to know who is attached costs Zellij a little.
const OFFER_PAUSE: Millis = 2_000;

/// A state that waits for what Zellij was asked.
#[derive(Debug, Clone, Default)]
struct Gathering {
    pids: usize,
    wants_layout: bool,
    layout: Option<String>,
    /// `capture` requests that are answered with it.
    asked_by: Vec<Value>,
}

#[derive(Debug)]
pub struct Background {
    identity: Identity,
    command: String,
    session: String,
    granted: Option<bool>,
    bridge: Bridge,
    capture: Capture,
    gathering: Option<Gathering>,
    capture_asked: Vec<Value>,
    clients_asked: Vec<Value>,
    job: Option<Job>,
    /// The client whose instance may take over.
    standing_by: Option<u16>,
    offered_at: Millis,
    /// Until then input that Zellij reports was the key that closed zdriver's own panel.
    own_keys_until: Millis,
    /// Until then a restore that was chosen is on its way.
    choosing_until: Millis,
    /// When input was reported that counts as typed, unless it was the daemon's.
    doubtful_input: Option<Millis>,
    status: Status,
    host: Host,
}

impl Background {
    pub fn new(identity: Identity, configuration: &BTreeMap<String, String>) -> Self {
        let command = configuration.get("command").filter(|c| !c.is_empty());
        Self {
            host: Host::new(identity.plugin_id),
            command: command.cloned().unwrap_or_else(|| "zdriver".into()),
            session: identity.zellij_session.clone(),
            identity,
            granted: None,
            bridge: Bridge::default(),
            capture: Capture::default(),
            gathering: None,
            capture_asked: vec![],
            clients_asked: vec![],
            job: None,
            standing_by: None,
            offered_at: 0,
            own_keys_until: 0,
            choosing_until: 0,
            doubtful_input: None,
            status: Status::default(),
        }
    }

    pub fn update(&mut self, now: Millis, event: Event) -> Vec<Effect> {
        let mut effects = self.take_in(now, event);
        effects.extend(self.tick(now));
        effects
    }

    fn take_in(&mut self, now: Millis, event: Event) -> Vec<Effect> {
        match event {
            Event::Permissions { granted } => self.permissions(now, granted),
            Event::Session(name) => {
                self.session = name;
                self.begin(now)
            }
            Event::Tabs(tabs) => {
                self.capture.set_tabs(now, tabs);
                self.manifest(now)
            }
            Event::Panes(panes) => {
                let mut effects = self.host.see(&panes, &self.capture);
                self.capture.set_panes(now, panes);
                effects.extend(self.manifest(now));
                effects
            }
            Event::Cwd { terminal, path } => self.quiet(|c| c.set_cwd(now, terminal, path)),
            Event::Command {
                terminal,
                argv,
                foreground,
            } => self.quiet(|c| c.set_command(now, terminal, Running { argv, foreground })),
            // keys for zdriver's own panel reach no shell
            Event::Input if self.host.has_focus() || now < self.own_keys_until => vec![],
            Event::Input => self.input(now),
            Event::Pipe {
                source,
                name,
                payload,
            } => self.pipe(now, source, &name, payload),
            Event::Attached { code, stderr, .. } => {
                self.bridge.attached(now, code, &stderr, &self.command);
                self.tell_link()
            }
            Event::Clients { ids } => self.clients(now, &ids),
            Event::Layout(layout) => self.dumped(now, layout),
            Event::Pid { terminal, pid } => self.pid(terminal, pid),
            Event::Focus(focus) => {
                self.capture.set_active(focus.map(|focus| focus.tab_id));
                let terminal = focus.and_then(|focus| focus.terminal);
                self.host.focused(terminal, &self.capture)
            }
            Event::LayoutChecked(answer) => self.checked(now, answer),
            Event::Key(key) if key.code == Code::Esc => vec![Effect::HideSelf],
            Event::Key(_) | Event::Paste(_) if self.granted == Some(false) => {
                vec![Effect::HideSelf, Effect::RequestPermissions]
            }
            Event::Key(_) | Event::Paste(_) | Event::Timer | Event::Load { .. } => vec![],
        }
    }

    fn quiet(&mut self, change: impl FnOnce(&mut Capture)) -> Vec<Effect> {
        change(&mut self.capture);
        vec![]
    }

    pub fn due_at(&self) -> Option<Millis> {
        let mut due: Vec<Millis> = self.bridge.due_at().into_iter().collect();
        if self.bridge.leads() && self.gathering.is_none() {
            due.extend(self.capture.due_at());
        }
        due.extend(self.job.as_ref().map(Job::deadline));
        due.into_iter().min()
    }

    fn tick(&mut self, now: Millis) -> Vec<Effect> {
        let was_up = self.bridge.is_up();
        let (attach, mut effects) = self.bridge.tick(now);
        if self.bridge.phase == Phase::Standby && self.offered_at == 0 {
            effects.extend(self.offer(now));
        }
        if attach {
            let argv = self.attach_command();
            effects.extend(self.bridge.attach(now, argv));
        }
        if was_up && !self.bridge.is_up() {
            effects.extend(self.went_down());
        }
        if self.job.as_ref().is_some_and(|job| now >= job.deadline()) {
            effects.extend(self.look(now));
        }
        let due = self.capture.due_at().is_some_and(|due| now >= due);
        if due && self.bridge.leads() && self.gathering.is_none() {
            effects.extend(self.gather(now));
        }
        effects
    }

    fn pipe(
        &mut self,
        now: Millis,
        source: Source,
        name: &str,
        payload: Option<String>,
    ) -> Vec<Effect> {
        match (source, name, payload) {
            (Source::Cli(pipe), UP | DOWN, Some(line)) => self.line(now, &pipe, name == UP, &line),
            (Source::Cli(pipe), UP | DOWN, None) if self.bridge.is_ours(&pipe) => {
                self.lost(now, "zdriver's daemon has ended")
            }
            (Source::Plugin(_), TO_LEADER, Some(text)) => match serde_json::from_str(&text) {
                Ok(message) => self.panel_said(now, message),
                Err(error) => vec![Effect::Log(format!("a panel said: {error}"))],
            },
            (Source::Plugin(_), TO_PEERS, Some(text)) => match serde_json::from_str(&text) {
                Ok(message) => self.peer_said(now, message),
                Err(error) => vec![Effect::Log(format!("a peer said: {error}"))],
            },
            (Source::Keybind, name, _) => self.keybinding(now, name),
            _ => vec![],
        }
    }

    fn line(&mut self, now: Millis, pipe: &str, is_up: bool, line: &str) -> Vec<Effect> {
        let message: Message = match serde_json::from_str(line) {
            Ok(message) => message,
            Err(error) => return vec![Effect::Log(format!("the daemon sent no JSON: {error}"))],
        };
        if message.method.as_deref() == Some("hello") {
            return self.hello(now, pipe, is_up, &message.params);
        }
        if !self.bridge.leads() || !self.bridge.is_ours(pipe) {
            return vec![];
        }
        self.bridge.heard(now);
        let mut effects = self.daemons_input(now);
        effects.extend(match (message.method, message.id) {
            (Some(method), id) => self.asked(now, &method, id, message.params),
            (None, Some(id)) => match self.bridge.answered(&id) {
                Some(question) => self.answer(question, message.result, message.error),
                None => vec![],
            },
            (None, None) => vec![],
        });
        effects
    }

    /// Shown only where this instance itself comes up: it has no permissions.
    pub fn view(&self, rows: usize, columns: usize) -> Vec<Line> {
        view::permissions(rows, columns)
    }
}

fn parse<T: serde::de::DeserializeOwned>(params: Value) -> Result<T, RpcError> {
    serde_json::from_value(params).map_err(|error| RpcError::new(INVALID_PARAMS, error.to_string()))
}
