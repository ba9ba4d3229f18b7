//! Questions to the daemon, through the background instance, and their answers.

use serde_json::{json, Value};

use super::{Leaving, Panel, REPORT};
use crate::effect::{Effect, Millis};
use crate::inside::{encode, Screen, ToLeader, TO_LEADER};
use crate::protocol::RpcError;
use crate::view::Style;

impl Panel {
    pub(super) fn send(&mut self, message: &ToLeader) -> Vec<Effect> {
        let tell = Effect::Tell {
            plugin: self.show.leader,
            name: TO_LEADER,
            payload: encode(message),
        };
        if self.granted {
            return vec![tell];
        }
        self.unsent.push(tell);
        vec![]
    }

    pub(super) fn question(&mut self, method: &str, params: Value) -> (u64, Vec<Effect>) {
        self.next_id += 1;
        let ask = ToLeader::Ask {
            plugin: self.identity.plugin_id,
            id: self.next_id,
            method: method.into(),
            params,
        };
        (self.next_id, self.send(&ask))
    }

    pub(super) fn ask(&mut self, method: &str, params: Value) -> Vec<Effect> {
        let (id, effects) = self.question(method, params);
        self.busy = Some(id);
        effects
    }

    pub(super) fn fetch_rows(&mut self) -> Vec<Effect> {
        let (method, params) = match self.show.screen {
            Screen::Restore => ("plugin.snapshots", json!({})),
            Screen::Go | Screen::New => ("plugin.worktrees", json!({"pane": self.show.pane})),
            Screen::History => {
                let query = self.prompt.text();
                self.lists.asking(&query);
                ("plugin.history", json!({"query": query, "limit": 200}))
            }
            _ => ("plugin.history", json!({"query": "", "limit": 50})),
        };
        let (id, effects) = self.question(method, params);
        self.fetch = Some(id);
        effects
    }

    pub(super) fn answered(
        &mut self,
        now: Millis,
        id: u64,
        result: Option<Value>,
        error: Option<RpcError>,
    ) -> Vec<Effect> {
        if self.fetch == Some(id) {
            self.fetch = None;
            self.fetched(result, error);
            return vec![Effect::Render];
        }
        if self.busy != Some(id) {
            return vec![];
        }
        self.busy = None;
        if let Some(error) = error {
            self.message = (Style::Warning, error.text());
            return vec![Effect::Render];
        }
        match self.show.screen {
            Screen::Undo => {
                self.message = (Style::Good, undone(&result.unwrap_or_default()));
                self.close_at = Some(now + REPORT);
                vec![Effect::Render]
            }
            Screen::New => self.made(now, result.unwrap_or_default()),
            _ => self.close(),
        }
    }

    /// The new worktree is there: on to its tab, after its remarks were read.
    fn made(&mut self, now: Millis, made: Value) -> Vec<Effect> {
        let to = json!({"path": made["path"], "name": made["name"], "created": made["created"]});
        let warnings = made["warnings"].as_array().into_iter().flatten();
        let warnings: Vec<&str> = warnings.filter_map(Value::as_str).collect();
        if warnings.is_empty() {
            return self.open_tab(to);
        }
        let name = made["name"].as_str().unwrap_or_default();
        self.show.message = format!("{name} is there. {}", warnings.join(" "));
        self.then = Some(to);
        self.enter(now, Screen::Notice)
    }

    /// The panel goes first: it would stay in the tab that is left.
    pub(super) fn open_tab(&mut self, to: Value) -> Vec<Effect> {
        let (_, mut effects) = self.question("plugin.open_tab", to);
        effects.extend(self.close());
        effects
    }

    pub(super) fn fetched(&mut self, result: Option<Value>, error: Option<RpcError>) {
        match (self.show.screen, result, error) {
            // what is being typed stays; Enter would be refused for the same reason
            (Screen::History | Screen::Restore | Screen::Go | Screen::New, _, Some(error)) => {
                self.message = (Style::Warning, error.text());
            }
            (Screen::History, Some(rows), _) => self.lists.set_entries(rows),
            (Screen::Restore, Some(rows), _) => self.lists.set_snapshots(rows),
            (Screen::Go | Screen::New, Some(answer), _) => self.trees.set(answer),
            (Screen::Intent, Some(rows), _) => self.earlier(&rows, "intent"),
            (Screen::Milestone, Some(rows), _) => self.earlier(&rows, "milestone"),
            _ => {}
        }
    }

    pub(super) fn earlier(&mut self, rows: &Value, kind: &str) {
        let rows = rows.as_array().into_iter().flatten();
        let texts = rows.filter(|row| row["type"] == kind);
        let texts = texts.filter_map(|row| row["text"].as_str().map(str::to_owned));
        self.prompt.add_earlier(texts);
    }

    pub(super) fn close(&mut self) -> Vec<Effect> {
        self.close_at = None;
        let mut effects = Vec::new();
        if self.leaving != Leaving::Hidden {
            effects.extend(self.say_closing(self.leaving == Leaving::Typing));
        }
        effects.push(Effect::CloseSelf);
        effects
    }

    /// `typed`: a key went on to a shell.
    pub(super) fn say_closing(&mut self, typed: bool) -> Vec<Effect> {
        if self.show.leader == 0 && !self.granted {
            return vec![];
        }
        let plugin = self.identity.plugin_id;
        self.send(&ToLeader::Closing { plugin, typed })
    }
}

/// An UndoReport in words.
fn undone(report: &Value) -> String {
    let closed = report["closed"].as_u64().unwrap_or(0);
    let kept: Vec<&str> = report["kept"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let panes = if closed == 1 { "pane" } else { "panes" };
    if kept.is_empty() {
        return format!("{closed} {panes} closed");
    }
    format!("{closed} {panes} closed; kept: {}", kept.join(", "))
}
