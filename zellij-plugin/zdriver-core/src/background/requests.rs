//! What the daemon asks for.

use serde_json::{json, Value};

use super::{parse, Background};
use crate::apply::{Job, Step};
use crate::effect::{Effect, Millis};
use crate::protocol::{
    Apply, Banner, Bye, Close, Focus, RpcError, Status, CONFLICT, INVALID_PARAMS, METHOD_NOT_FOUND,
};

impl Background {
    pub(super) fn asked(
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
            "focus" => parse::<Focus>(params).and_then(|focus| self.focus(&id, focus.pane)),
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

    pub(super) fn bye(&mut self, now: Millis, bye: &Bye) -> Vec<Effect> {
        let effects = self.lost(
            now,
            &format!("zdriver's daemon has stopped: {}", bye.reason),
        );
        if !bye.reattach {
            self.bridge.rest();
        }
        effects
    }

    pub(super) fn focus(&self, id: &Value, pane: u32) -> Result<Vec<Effect>, RpcError> {
        let terminals = &mut self.capture.panes.iter().filter(|p| !p.is_plugin);
        if !terminals.any(|p| p.id == pane) {
            return Err(RpcError::new(CONFLICT, "that pane is gone; try again"));
        }
        let mut effects = vec![Effect::FocusTerminal(pane)];
        effects.extend(self.reply(id, Ok(json!({}))));
        Ok(effects)
    }

    pub(super) fn close(&self, id: &Value, close: &Close) -> Vec<Effect> {
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

    pub(super) fn clients(&mut self, now: Millis, ids: &[u16]) -> Vec<Effect> {
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

    pub(super) fn apply(
        &mut self,
        now: Millis,
        id: &Value,
        params: Value,
    ) -> Result<Vec<Effect>, RpcError> {
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

    pub(super) fn checked(&mut self, now: Millis, answer: Result<(), String>) -> Vec<Effect> {
        let Some(job) = self.job.as_mut().filter(|job| job.waits_for_check()) else {
            return vec![];
        };
        let capture = &self.capture;
        let step = job.checked(now, answer, &capture.tabs, &capture.panes, capture.typed);
        self.step(step)
    }

    pub(super) fn look(&mut self, now: Millis) -> Vec<Effect> {
        let Some(job) = self.job.as_mut() else {
            return vec![];
        };
        let step = job.look(now, &self.capture.tabs, &self.capture.panes);
        self.step(step)
    }

    pub(super) fn step(&mut self, step: Step) -> Vec<Effect> {
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
}
