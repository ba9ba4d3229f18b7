//! Attaching, taking the lead, losing the daemon; and who leads among several clients.

use serde_json::Value;

use super::{Background, OFFER_PAUSE};
use crate::bridge::Phase;
use crate::effect::{Effect, Millis};
use crate::inside::{encode, ToPanel, ToPeers, TO_PEERS};
use crate::protocol::{self, Hello, Ready, RpcError};

impl Background {
    pub(super) fn permissions(&mut self, now: Millis, granted: bool) -> Vec<Effect> {
        self.granted = Some(granted);
        if !granted {
            return vec![Effect::Render];
        }
        let mut effects = vec![Effect::WatchInput(!self.capture.typed), Effect::ListClients];
        effects.extend(self.begin(now));
        effects
    }

    pub(super) fn begin(&mut self, now: Millis) -> Vec<Effect> {
        let ready = self.granted == Some(true) && !self.session.is_empty();
        if ready && self.bridge.phase == Phase::Idle {
            let argv = self.attach_command();
            return self.bridge.attach(now, argv);
        }
        vec![]
    }

    pub(super) fn attach_command(&self) -> Vec<String> {
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

    pub(super) fn tell_peers(&self, message: &ToPeers) -> Effect {
        Effect::Tell {
            plugin: self.identity.plugin_id,
            name: TO_PEERS,
            payload: encode(message),
        }
    }

    /// To be said when this instance stands by and sees that something changed.
    pub(super) fn offer(&mut self, now: Millis) -> Vec<Effect> {
        if self.bridge.phase != Phase::Standby || now < self.offered_at + OFFER_PAUSE {
            return vec![];
        }
        self.offered_at = now;
        let client = self.identity.client_id;
        vec![self.tell_peers(&ToPeers::Here { client })]
    }

    pub(super) fn peer_said(&mut self, now: Millis, message: ToPeers) -> Vec<Effect> {
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
    pub(super) fn resign(&mut self, ids: &[u16]) -> Vec<Effect> {
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

    pub(super) fn lost(&mut self, now: Millis, why: &str) -> Vec<Effect> {
        let mut effects = self.bridge.lost(now, why);
        effects.extend(self.went_down());
        effects
    }

    pub(super) fn went_down(&mut self) -> Vec<Effect> {
        self.gathering = None;
        self.job = None;
        self.capture_asked.clear();
        self.clients_asked.clear();
        self.tell_link()
    }

    /// The panel and the status lines hear whether there is a daemon.
    pub(super) fn tell_link(&mut self) -> Vec<Effect> {
        let up = self.bridge.is_up();
        let message = self.bridge.trouble.clone();
        let mut effects = self.host.tell(&ToPanel::Link { up, message });
        effects.extend(self.tell_status());
        effects
    }

    pub(super) fn tell_status(&mut self) -> Vec<Effect> {
        let mut status = self.status.clone();
        if !self.bridge.trouble.is_empty() {
            status.warning.clone_from(&self.bridge.trouble);
        }
        self.host.tell_status(&status)
    }

    pub(super) fn notify(&self, method: &str, params: &impl serde::Serialize) -> Vec<Effect> {
        let params = serde_json::to_value(params).unwrap_or_default();
        self.bridge.write(protocol::notification(method, params))
    }

    pub(super) fn reply(&self, id: &Value, answer: Result<Value, RpcError>) -> Vec<Effect> {
        self.bridge.write(match answer {
            Ok(result) => protocol::result(id, result),
            Err(error) => protocol::error(id, &error),
        })
    }

    pub(super) fn hello(
        &mut self,
        now: Millis,
        pipe: &str,
        is_up: bool,
        params: &Value,
    ) -> Vec<Effect> {
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
    pub(super) fn lead(&mut self, now: Millis) -> Vec<Effect> {
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
}
