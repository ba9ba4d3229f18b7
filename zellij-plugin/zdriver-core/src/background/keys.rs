//! Keybindings, and what the panel asks.

use serde_json::{json, Value};

use super::Background;
use crate::bridge::{Asker, Phase, Question};
use crate::effect::{Effect, Millis};
use crate::inside::{Screen, ToLeader, ToPanel};
use crate::protocol::RpcError;

/// Zellij tells of a key's input after the panel has already acted on it.
const LATE_INPUT: Millis = 200;
/// A line of the daemon's comes this long, at the most, after the input that Zellij takes it for.
const BEFORE_LINE: Millis = 50;
/// So long a restore that was chosen may take to begin.
const CHOSEN: Millis = 10_000;

impl Background {
    pub(super) fn input(&mut self, now: Millis) -> Vec<Effect> {
        if !self.capture.input(now) {
            return vec![];
        }
        if now < self.choosing_until {
            self.doubtful_input = Some(now);
        }
        vec![Effect::WatchInput(false)]
    }

    /// A line of the daemon's came. While somebody is at the terminal, Zellij reports such a line as that
    /// one's input, just before it hands it over: a restore must not be refused for its own request.
    pub(super) fn daemons_input(&mut self, now: Millis) -> Vec<Effect> {
        match self.doubtful_input.take() {
            Some(at) if now <= at + BEFORE_LINE => {
                self.capture.typed = false;
                vec![Effect::WatchInput(true)]
            }
            _ => vec![],
        }
    }

    pub(super) fn keybinding(&mut self, now: Millis, name: &str) -> Vec<Effect> {
        let Ok(screen) = serde_json::from_value(json!(name)) else {
            return vec![Effect::Log(format!("there is no zdriver key {name}"))];
        };
        if self.granted != Some(true) {
            return vec![Effect::ShowSelf];
        }
        self.bridge.hurry(now);
        if self.bridge.leads() {
            return self.host.ask_focus(screen);
        }
        if matches!(self.bridge.phase, Phase::Up | Phase::Standby) {
            return vec![]; // another instance leads, and has got this key as well
        }
        // there is nothing to type into when zdriver is not there; should it be back, the next key works
        let screen = if self.bridge.gone {
            Screen::Notice
        } else {
            screen
        };
        self.host.wish(screen);
        vec![Effect::ListClients]
    }

    pub(super) fn panel_said(&mut self, now: Millis, message: ToLeader) -> Vec<Effect> {
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
                if method == "plugin.choose" {
                    self.choosing_until = now + CHOSEN;
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
                } else {
                    self.own_keys_until = now + LATE_INPUT;
                }
                self.bridge.forget_panel(plugin);
                self.host.closed(plugin, &self.capture)
            }
        }
    }

    pub(super) fn answer(
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
}
