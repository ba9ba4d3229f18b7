//! The instance that `load_plugins` starts: it holds the bridge and tells the daemon what it sees.

use std::collections::BTreeMap;

use serde_json::{json, Value};

use crate::apply::{Job, Step};
use crate::bridge::{Asker, Bridge, Phase, Question};
use crate::capture::Capture;
use crate::effect::{Effect, Event, Identity, Millis, Source};
use crate::host::Host;
use crate::inside::{encode, ToLeader, ToPanel, ToPeers, TO_LEADER, TO_PEERS};
use crate::keys::Code;
use crate::protocol::{
    self, Apply, Banner, Bye, Close, Hello, Message, Ready, RpcError, Running, Status, CONFLICT,
    INVALID_PARAMS, METHOD_NOT_FOUND,
};
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
            Event::Input if self.host.has_focus() => vec![],
            Event::Input => {
                self.capture.set_typed(now);
                vec![Effect::WatchInput(false)]
            }
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

    // -- permissions and attaching

    fn permissions(&mut self, now: Millis, granted: bool) -> Vec<Effect> {
        self.granted = Some(granted);
        if !granted {
            return vec![Effect::Render];
        }
        let mut effects = vec![Effect::WatchInput(!self.capture.typed), Effect::ListClients];
        effects.extend(self.begin(now));
        effects
    }

    fn begin(&mut self, now: Millis) -> Vec<Effect> {
        let ready = self.granted == Some(true) && !self.session.is_empty();
        if ready && self.bridge.phase == Phase::Idle {
            let argv = self.attach_command();
            return self.bridge.attach(now, argv);
        }
        vec![]
    }

    fn attach_command(&self) -> Vec<String> {
        let mut argv = vec![self.command.clone(), "attach".into()];
        let options = [
            ("--zellij-session", self.session.clone()),
            ("--zellij-pid", self.identity.zellij_pid.to_string()),
            ("--client", self.identity.client_id.to_string()),
            ("--cwd", self.identity.initial_cwd.clone()),
        ];
        for (name, value) in options {
            argv.extend([name.to_owned(), value]);
        }
        argv
    }

    // -- time

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

    // -- pipes

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
                Ok(message) => self.from_panel(now, message),
                Err(error) => vec![Effect::Log(format!("a panel said: {error}"))],
            },
            (Source::Plugin(_), TO_PEERS, Some(text)) => match serde_json::from_str(&text) {
                Ok(message) => self.from_peer(now, message),
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
        match (message.method, message.id) {
            (Some(method), id) => self.asked(now, &method, id, message.params),
            (None, Some(id)) => match self.bridge.answered(&id) {
                Some(question) => self.answer(question, message.result, message.error),
                None => vec![],
            },
            (None, None) => vec![],
        }
    }

    fn hello(&mut self, now: Millis, pipe: &str, is_up: bool, params: &Value) -> Vec<Effect> {
        let hello: Hello = serde_json::from_value(params.clone()).unwrap_or_default();
        let client = self.identity.client_id;
        let mut effects = self.bridge.hello(now, pipe, is_up, &hello, client);
        if !is_up || !self.bridge.leads() {
            return effects;
        }
        effects.extend(self.lead(now));
        effects
    }

    /// This instance leads now: the daemon hears who it is and what it sees.
    fn lead(&mut self, now: Millis) -> Vec<Effect> {
        let ready = Ready {
            protocol: protocol::PROTOCOL,
            version: env!("CARGO_PKG_VERSION").into(),
            bridge: self.bridge.name.clone(),
            client_id: self.identity.client_id,
            plugin_id: self.identity.plugin_id,
            zellij_session: self.session.clone(),
            zellij_version: self.identity.zellij_version.clone(),
            zellij_pid: self.identity.zellij_pid,
            initial_cwd: self.identity.initial_cwd.clone(),
        };
        let mut effects = self.notify("plugin.ready", &ready);
        effects.extend(self.bridge.flush());
        self.gathering = None;
        self.capture.start_over(now);
        effects.extend(self.gather(now));
        effects.push(Effect::ListClients);
        effects.extend(self.tell_link());
        effects
    }

    // -- several clients

    fn tell_peers(&self, message: &ToPeers) -> Effect {
        Effect::Tell {
            plugin: self.identity.plugin_id,
            name: TO_PEERS,
            payload: encode(message),
        }
    }

    /// To be said when this instance stands by and sees that something changed.
    fn offer(&mut self, now: Millis) -> Vec<Effect> {
        if self.bridge.phase != Phase::Standby || now < self.offered_at + OFFER_PAUSE {
            return vec![];
        }
        self.offered_at = now;
        let client = self.identity.client_id;
        vec![self.tell_peers(&ToPeers::Here { client })]
    }

    fn from_peer(&mut self, now: Millis, message: ToPeers) -> Vec<Effect> {
        let me = self.identity.client_id;
        match message {
            ToPeers::Here { client } if client != me && self.bridge.leads() => {
                // that client has status lines of its own, which know nothing yet
                self.host.forget_told();
                self.standing_by = Some(client);
                let mut effects = self.tell_status();
                effects.push(Effect::ListClients);
                effects
            }
            ToPeers::Lead {
                client,
                up,
                down,
                bridge,
            } if client == me => {
                self.bridge.take_over(now, up, down, bridge);
                self.lead(now)
            }
            ToPeers::Here { .. } | ToPeers::Lead { .. } => vec![],
        }
    }

    /// This instance's client has left, and another one stands by.
    fn resign(&mut self, ids: &[u16]) -> Vec<Effect> {
        let Some(client) = self.standing_by.take() else {
            return vec![];
        };
        if ids.contains(&self.identity.client_id) || !ids.contains(&client) {
            return vec![];
        }
        let bridge = self.bridge.name.clone();
        let Some((up, down)) = self.bridge.hand_over() else {
            return vec![];
        };
        let lead = ToPeers::Lead {
            client,
            up,
            down,
            bridge,
        };
        vec![self.tell_peers(&lead)]
    }

    fn lost(&mut self, now: Millis, why: &str) -> Vec<Effect> {
        let mut effects = self.bridge.lost(now, why);
        effects.extend(self.went_down());
        effects
    }

    fn went_down(&mut self) -> Vec<Effect> {
        self.gathering = None;
        self.job = None;
        self.capture_asked.clear();
        self.clients_asked.clear();
        self.tell_link()
    }

    /// The panel and the status lines hear whether there is a daemon.
    fn tell_link(&mut self) -> Vec<Effect> {
        let up = self.bridge.is_up();
        let message = self.bridge.trouble.clone();
        let mut effects = self.host.tell(&ToPanel::Link { up, message });
        effects.extend(self.tell_status());
        effects
    }

    fn tell_status(&mut self) -> Vec<Effect> {
        let mut status = self.status.clone();
        if !self.bridge.trouble.is_empty() {
            status.warning.clone_from(&self.bridge.trouble);
        }
        self.host.tell_status(&status)
    }

    fn notify(&self, method: &str, params: &impl serde::Serialize) -> Vec<Effect> {
        let params = serde_json::to_value(params).unwrap_or_default();
        self.bridge.write(protocol::notification(method, params))
    }

    fn reply(&self, id: &Value, answer: Result<Value, RpcError>) -> Vec<Effect> {
        self.bridge.write(match answer {
            Ok(result) => protocol::result(id, result),
            Err(error) => protocol::error(id, &error),
        })
    }

    // -- what the daemon asks

    fn asked(
        &mut self,
        now: Millis,
        method: &str,
        id: Option<Value>,
        params: Value,
    ) -> Vec<Effect> {
        let id = id.unwrap_or(Value::Null);
        let outcome = match method {
            "status" => parse::<Status>(params).map(|status| {
                self.status = status;
                self.tell_status()
            }),
            "capture" => {
                self.capture_asked.push(id.clone());
                Ok(if self.gathering.is_none() {
                    self.gather(now)
                } else {
                    vec![]
                })
            }
            "clients" => {
                self.clients_asked.push(id.clone());
                Ok(vec![Effect::ListClients])
            }
            "apply" => self.apply(now, &id, params),
            "close" => parse::<Close>(params).map(|close| self.close(&id, &close)),
            "switch" => match params["zellij_session"].as_str() {
                Some(name) => Ok(vec![Effect::SwitchSession(name.to_owned())]),
                None => Err(RpcError::new(INVALID_PARAMS, "zellij_session is missing")),
            },
            "banner" => parse::<Banner>(params).map(|b| self.host.banner(b, &self.capture)),
            "bye" => parse::<Bye>(params).map(|bye| self.bye(now, &bye)),
            _ => Err(RpcError::new(
                METHOD_NOT_FOUND,
                format!("there is no method {method}"),
            )),
        };
        match outcome {
            Ok(effects) => effects,
            Err(error) if id.is_null() => vec![Effect::Log(format!("{method}: {}", error.message))],
            Err(error) => self.reply(&id, Err(error)),
        }
    }

    fn bye(&mut self, now: Millis, bye: &Bye) -> Vec<Effect> {
        let effects = self.lost(
            now,
            &format!("zdriver's daemon has stopped: {}", bye.reason),
        );
        if !bye.reattach {
            self.bridge.rest();
        }
        effects
    }

    fn close(&self, id: &Value, close: &Close) -> Vec<Effect> {
        let panes = self
            .capture
            .panes
            .iter()
            .filter(|p| !p.is_plugin)
            .map(|p| p.id);
        let panes: Vec<u32> = panes.filter(|p| close.panes.contains(p)).collect();
        let tabs = self.capture.tabs.iter().map(|t| t.tab_id);
        let tabs: Vec<usize> = tabs.filter(|t| close.tabs.contains(t)).collect();
        let closed = panes.len() + tabs.len();
        let mut effects: Vec<Effect> = panes.into_iter().map(Effect::CloseTerminal).collect();
        effects.extend(tabs.into_iter().map(Effect::CloseTab));
        effects.extend(self.reply(id, Ok(json!({"closed": closed}))));
        effects
    }

    fn clients(&mut self, now: Millis, ids: &[u16]) -> Vec<Effect> {
        self.capture.set_clients(now, ids.len());
        let mut effects = Vec::new();
        for id in std::mem::take(&mut self.clients_asked) {
            effects.extend(self.reply(&id, Ok(json!({"count": ids.len(), "ids": ids}))));
        }
        effects.extend(self.resign(ids));
        // Without a daemon nobody leads, and the first terminal's instance answers the keys.
        let first = ids
            .iter()
            .min()
            .is_none_or(|first| *first >= self.identity.client_id);
        effects.extend(
            self.host
                .elected(first, &self.capture, &self.bridge.trouble),
        );
        effects
    }

    // -- state

    fn gather(&mut self, now: Millis) -> Vec<Effect> {
        let needs = self.capture.needs(now);
        let asked_by = std::mem::take(&mut self.capture_asked);
        let gathering = Gathering {
            pids: needs.pids.len(),
            wants_layout: needs.layout || !asked_by.is_empty(),
            layout: None,
            asked_by,
        };
        let mut effects: Vec<Effect> = needs.pids.into_iter().map(Effect::AskPid).collect();
        if gathering.wants_layout {
            effects.push(Effect::DumpLayout);
        }
        self.gathering = Some(gathering);
        effects.extend(self.gathered());
        effects
    }

    fn pid(&mut self, terminal: u32, pid: Option<i32>) -> Vec<Effect> {
        self.capture.set_pid(terminal, pid);
        if let Some(gathering) = &mut self.gathering {
            gathering.pids = gathering.pids.saturating_sub(1);
        }
        self.gathered()
    }

    fn dumped(&mut self, now: Millis, layout: Result<String, String>) -> Vec<Effect> {
        let Some(gathering) = &mut self.gathering else {
            return vec![];
        };
        gathering.wants_layout = false;
        let mut effects = Vec::new();
        match layout {
            Ok(layout) => {
                self.capture.dumped(now, &layout);
                gathering.layout = Some(layout);
            }
            Err(why) => effects.push(Effect::Log(format!("no layout: {why}"))),
        }
        effects.extend(self.gathered());
        effects
    }

    /// Sends the state once all of it is there.
    fn gathered(&mut self) -> Vec<Effect> {
        let whole = |g: &Gathering| g.pids == 0 && !g.wants_layout;
        let Some(gathering) = self.gathering.take_if(|g| whole(g)) else {
            return vec![];
        };
        let mut effects = Vec::new();
        for id in &gathering.asked_by {
            let state = self.capture.state(gathering.layout.clone());
            effects.extend(self.reply(id, Ok(serde_json::to_value(state).unwrap_or_default())));
        }
        if let Some(state) = self.capture.next_state(gathering.layout) {
            effects.extend(self.notify("plugin.state", &state));
        }
        effects
    }

    fn manifest(&mut self, now: Millis) -> Vec<Effect> {
        let mut effects = self.tell_status();
        effects.extend(self.look(now));
        effects.extend(self.offer(now));
        effects
    }

    // -- applying a layout

    fn apply(&mut self, now: Millis, id: &Value, params: Value) -> Result<Vec<Effect>, RpcError> {
        if self.job.is_some() {
            return Err(RpcError::new(
                CONFLICT,
                "another layout is being applied; try again",
            ));
        }
        let params = parse::<Apply>(params)?;
        let (job, effects) = Job::start(id.clone(), params, now);
        self.job = Some(job);
        Ok(effects)
    }

    fn checked(&mut self, now: Millis, answer: Result<(), String>) -> Vec<Effect> {
        let Some(job) = self.job.as_mut().filter(|job| job.waits_for_check()) else {
            return vec![];
        };
        let capture = &self.capture;
        let step = job.checked(now, answer, &capture.tabs, &capture.panes, capture.typed);
        self.step(step)
    }

    fn look(&mut self, now: Millis) -> Vec<Effect> {
        let Some(job) = self.job.as_mut() else {
            return vec![];
        };
        let step = job.look(now, &self.capture.tabs, &self.capture.panes);
        self.step(step)
    }

    fn step(&mut self, step: Step) -> Vec<Effect> {
        let (mut effects, answer) = match step {
            Step::Waiting(effects) => return effects,
            Step::Failed(error) => (vec![], Err(error)),
            Step::Done(effects, applied) => (
                effects,
                Ok(serde_json::to_value(applied).unwrap_or_default()),
            ),
        };
        if let Some(job) = self.job.take() {
            effects.extend(self.reply(&job.id, answer));
        }
        effects
    }

    // -- keys and the panel

    fn keybinding(&mut self, now: Millis, name: &str) -> Vec<Effect> {
        let Ok(screen) = serde_json::from_value(json!(name)) else {
            return vec![Effect::Log(format!("there is no zdriver key {name}"))];
        };
        if self.granted != Some(true) {
            return vec![Effect::ShowSelf];
        }
        self.bridge.hurry(now);
        if self.bridge.leads() {
            return self.host.open(screen, &self.capture, "");
        }
        if matches!(self.bridge.phase, Phase::Up | Phase::Standby) {
            return vec![]; // another instance leads, and has got this key as well
        }
        self.host.wish(screen);
        vec![Effect::ListClients]
    }

    fn from_panel(&mut self, now: Millis, message: ToLeader) -> Vec<Effect> {
        match message {
            ToLeader::Ask {
                plugin,
                id,
                method,
                mut params,
            } => {
                if !self.host.is_open(plugin) {
                    return vec![];
                }
                if let Some(object) = params.as_object_mut() {
                    let pid = self.identity.zellij_pid;
                    object.insert("request".into(), json!(format!("{pid}-{plugin}-{id}")));
                }
                self.host.remember(&method, &params);
                let asker = Asker::Panel { plugin, id };
                let question = Question {
                    asker,
                    method,
                    params,
                };
                let mut effects = self.bridge.ask(question);
                if !self.bridge.is_up() {
                    let message = self.bridge.trouble.clone();
                    effects.extend(self.host.tell(&ToPanel::Link { up: false, message }));
                }
                effects
            }
            ToLeader::Closing { plugin, typed } => {
                if typed {
                    self.capture.set_typed(now);
                }
                self.bridge.forget_panel(plugin);
                self.host.closed(plugin, &self.capture)
            }
        }
    }

    fn answer(
        &mut self,
        question: Question,
        result: Option<Value>,
        error: Option<RpcError>,
    ) -> Vec<Effect> {
        let Asker::Panel { plugin, id } = question.asker else {
            return vec![];
        };
        if self.host.is_open(plugin) {
            return self.host.tell(&ToPanel::Answer { id, result, error });
        }
        // The panel is gone already: an error must not be lost.
        match error {
            Some(error) => self.host.failed(&question, &error, &self.capture),
            None => vec![],
        }
    }

    /// Shown only where this instance itself comes up: it has no permissions.
    pub fn view(&self, rows: usize, columns: usize) -> Vec<Line> {
        view::permissions(rows, columns)
    }
}

fn parse<T: serde::de::DeserializeOwned>(params: Value) -> Result<T, RpcError> {
    serde_json::from_value(params).map_err(|error| RpcError::new(INVALID_PARAMS, error.to_string()))
}
