//! JSON-RPC 2.0 between the plugin and the daemon, one message a line: docs/bridge.md.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{json, Value};

pub const PROTOCOL: u32 = 1;

pub const INVALID_PARAMS: i64 = -32602;
pub const METHOD_NOT_FOUND: i64 = -32601;
pub const CONFLICT: i64 = -32009;
pub const UNAVAILABLE: i64 = -32003;

/// Any line: a request has `method` and `id`, a notification only `method`, an answer only `id`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Message {
    pub id: Option<Value>,
    pub method: Option<String>,
    pub params: Value,
    pub result: Option<Value>,
    pub error: Option<RpcError>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RpcError {
    pub code: i64,
    pub message: String,
    /// `data.hint`, where the daemon says what to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<ErrorData>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorData {
    pub code: String,
    pub hint: String,
}

impl RpcError {
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
        }
    }

    /// The message and, where there is one, the hint, for a person.
    pub fn text(&self) -> String {
        match self.data.as_ref().map(|data| data.hint.as_str()) {
            Some(hint) if !hint.is_empty() => format!("{}; {}", self.message, hint),
            _ => self.message.clone(),
        }
    }
}

pub fn request(id: u64, method: &str, params: Value) -> String {
    line(json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
}

pub fn notification(method: &str, params: Value) -> String {
    line(json!({"jsonrpc": "2.0", "method": method, "params": params}))
}

pub fn result(id: &Value, result: Value) -> String {
    line(json!({"jsonrpc": "2.0", "id": id, "result": result}))
}

pub fn error(id: &Value, error: &RpcError) -> String {
    line(json!({"jsonrpc": "2.0", "id": id, "error": error}))
}

fn line(value: Value) -> String {
    // serde_json escapes line ends inside strings, so one message is one line.
    let mut text = value.to_string();
    text.push('\n');
    text
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Hello {
    pub protocol: u32,
    pub bridge: String,
    pub client_id: u16,
    pub daemon: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    pub tabs: Vec<TabStatus>,
    pub warning: String,
}

/// What one tab's status line shows. Times are ISO 8601.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TabStatus {
    pub position: usize,
    pub intent: String,
    pub intent_at: Option<String>,
    pub milestone: String,
    pub milestone_at: Option<String>,
    /// Name of the tab's worktree; empty outside of one that zdriver knows.
    pub worktree: String,
    /// Who holds it; empty when nobody does.
    pub holder: String,
    /// In local time.
    pub held_until: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    #[default]
    Override,
    NewTabs,
    Replace,
    /// One new tab, whatever terminals its layout has.
    OneTab,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Apply {
    pub mode: Mode,
    pub kdl: String,
    /// Path, without `.kdl`, of a file that holds `kdl`. Zellij gives panes their `contents_file`
    /// in an `override` only when it reads the layout from a file.
    #[serde(default)]
    pub layout_file: Option<String>,
    #[serde(default)]
    pub focus_tab: Option<usize>,
    #[serde(default)]
    pub close_tabs: Vec<usize>,
    #[serde(default)]
    pub writes: Vec<Write>,
    /// How many terminal panes each tab of the KDL must have.
    #[serde(default)]
    pub expect: Vec<usize>,
    /// For each pane of each tab: as which one Zellij starts it. Without it: in the same order.
    #[serde(default)]
    pub order: Vec<Vec<usize>>,
    /// Seconds.
    #[serde(default = "five_seconds")]
    pub timeout: f64,
}

fn five_seconds() -> f64 {
    5.0
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Write {
    pub tab: usize,
    pub pane: usize,
    pub text: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Applied {
    pub tabs: Vec<AppliedTab>,
    pub panes: Vec<AppliedPane>,
    pub failed: Vec<FailedPane>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppliedTab {
    pub tab: usize,
    pub tab_id: usize,
    pub position: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppliedPane {
    pub tab: usize,
    pub pane: usize,
    pub id: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailedPane {
    pub tab: usize,
    pub pane: usize,
    pub reason: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Close {
    pub panes: Vec<u32>,
    pub tabs: Vec<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Focus {
    /// Terminal id.
    pub pane: u32,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Banner {
    pub lines: Vec<String>,
    /// "restore", "undo" or "": which keys it takes for itself.
    pub keys: String,
    /// It goes by itself after so many seconds; 0: only at a key.
    pub seconds: f64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Bye {
    pub reason: String,
    pub reattach: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Tab {
    pub position: usize,
    pub tab_id: usize,
    pub name: String,
    pub active: bool,
    pub floating_visible: bool,
    /// Cells of the whole screen; not sent.
    #[serde(skip)]
    pub rows: usize,
    #[serde(skip)]
    pub columns: usize,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Pane {
    pub tab: usize,
    pub id: u32,
    pub is_plugin: bool,
    pub is_floating: bool,
    pub is_suppressed: bool,
    pub x: usize,
    pub y: usize,
    pub rows: usize,
    pub columns: usize,
    pub title: String,
    pub focused: bool,
    pub fullscreen: bool,
    pub exited: bool,
    pub exit_status: Option<i32>,
    pub held: bool,
    pub command: Option<String>,
    pub plugin_url: Option<String>,
    /// Zellij's manifest does not say which stack a pane is in; the layout does.
    pub stack: Option<usize>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Running {
    pub argv: Vec<String>,
    pub foreground: bool,
}

/// `plugin.state`. Keys of the maps are terminal ids.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SessionState {
    pub seq: u64,
    pub tabs: Vec<Tab>,
    pub panes: Vec<Pane>,
    pub pids: BTreeMap<u32, i32>,
    pub cwds: BTreeMap<u32, String>,
    pub commands: BTreeMap<u32, Running>,
    pub typed: bool,
    pub clients: usize,
    pub layout: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Ready {
    pub protocol: u32,
    pub version: String,
    pub bridge: String,
    pub client_id: u16,
    pub plugin_id: u32,
    pub zellij_session: String,
    pub zellij_version: String,
    pub zellij_pid: u32,
    pub initial_cwd: String,
}
