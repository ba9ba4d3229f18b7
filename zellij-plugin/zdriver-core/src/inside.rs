//! What zdriver's own plugin instances say to each other: the background one, which holds the
//! bridge, its panel (prompt, list, banner), and the status lines in layouts.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::protocol::{Banner, RpcError, TabStatus};

pub const PANEL_TITLE: &str = "zdriver";

pub const TO_PANEL: &str = "zdriver-panel";
pub const TO_LEADER: &str = "zdriver-leader";
pub const TO_STATUS: &str = "zdriver-status";
pub const TO_PEERS: &str = "zdriver-peers";

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Screen {
    #[default]
    Menu,
    Intent,
    Milestone,
    History,
    /// The repository's worktrees.
    Go,
    /// A new worktree.
    New,
    Restore,
    Undo,
    Banner,
    Notice,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Show {
    pub screen: Screen,
    /// Plugin id of the background instance.
    pub leader: u32,
    /// The terminal that had the keys.
    pub pane: Option<u32>,
    /// Text that was not sent.
    pub draft: String,
    /// Why it was not sent, or what is to be told.
    pub message: String,
    /// Intents or milestones written here before, newest first.
    pub earlier: Vec<String>,
    pub banner: Banner,
    /// Cells of the screen.
    pub columns: usize,
    pub rows: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToPanel {
    Show(Box<Show>),
    Answer {
        id: u64,
        result: Option<Value>,
        error: Option<RpcError>,
    },
    /// The bridge is down (and why) or back.
    Link {
        up: bool,
        message: String,
    },
    Close,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToLeader {
    /// A question for the daemon, to be answered with the same id.
    Ask {
        plugin: u32,
        id: u64,
        method: String,
        params: Value,
    },
    /// The panel goes. `typed`: a key of it was handed on to a shell.
    Closing { plugin: u32, typed: bool },
}

/// Between the background instances of several clients, which all have one plugin id. Zellij tells
/// of tabs and panes only those whose client is attached, so the one that leads must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToPeers {
    /// This client is attached and its instance stands by.
    Here { client: u16 },
    /// That client's instance leads from now on, over these pipes.
    Lead {
        client: u16,
        up: String,
        down: String,
        bridge: String,
    },
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToStatus {
    pub tab: TabStatus,
    pub warning: String,
}

pub fn encode(message: &impl Serialize) -> String {
    // These types have string keys only, so this cannot fail.
    serde_json::to_string(message).unwrap_or_default()
}
